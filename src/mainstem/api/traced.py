"""A span for each request, named by its route: never by its path or query, which may hold names and keys."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainstem import tracing
from mainstem.tracing import Kind

_QUIET = ("/health", "/ready", "/metrics", "/api/v1/health", "/api/v1/ready")
"""What probes and Prometheus ask for all day."""


class Traced:
    """Goes on with the caller's trace, if it has one (``traceparent``)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not tracing.is_on() or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        method, caller = scope["method"], Headers(scope=scope).get("traceparent", "")
        with tracing.span(method, Kind.SERVER, parent=caller, http_request_method=method) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _tell(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, answer)


def _tell(span: tracing.Span, scope: Scope, status: int) -> None:
    """What is known once the router has chosen; of a page or of what is nowhere there is no route."""
    span.note(http_response_status_code=status)
    path = getattr(scope.get("route"), "path", "")
    if path:
        span.name(f"{scope['method']} {path}")
        span.note(http_route=path)
    if status >= 500:
        span.fail(str(status))
