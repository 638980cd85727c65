"""The application: routes, keys, CORS, request ids, and a docs page that loads nothing from elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.security import APIKeyHeader
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mainstem import __version__
from mainstem.api import configs, connections, live, problems, streams, system
from mainstem.api.services import Services, require_key

BASE = "/api/v1"
LOOPBACK_ORIGINS = "loopback"
_LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_HEADERS = ["X-API-Key", "X-Install-ID", "X-Confirm-Delete", "Content-Type", "Idempotency-Key"]
_key_header = APIKeyHeader(name="X-API-Key", auto_error=False)


def _guard(request: Request, _header: str | None = Depends(_key_header)) -> None:
    require_key(request)


def make_app(services: Services) -> FastAPI:
    """The API over these services."""
    app = FastAPI(
        title="Mainstem",
        version=__version__,
        description="Database migration: connections, stream configs and streams.",
        docs_url=None,
        redoc_url=None,
        default_response_class=problems.Json,
        redirect_slashes=False,
    )
    app.state.services = services
    guarded = APIRouter(dependencies=[Depends(_guard)], responses=_problem_responses())
    for module in (connections, configs, streams, system):
        guarded.include_router(module.router)
    app.include_router(system.open_router, prefix=BASE)
    app.include_router(live.router, prefix=BASE)
    app.include_router(guarded, prefix=BASE)
    app.get("/docs", include_in_schema=False)(_docs)
    for path in ("/health", "/ready", "/metrics"):
        _alias(app, path)
    problems.install(app)
    app.middleware("http")(_request_id)
    app.add_middleware(_Lenient)
    origins = services.cors_origins
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin for origin in origins if origin != LOOPBACK_ORIGINS],
        allow_origin_regex=_LOOPBACK if LOOPBACK_ORIGINS in origins else None,
        allow_methods=["*"],
        allow_headers=_HEADERS,
        expose_headers=["X-Cache", "X-Request-ID"],
    )
    return app


def _alias(app: FastAPI, path: str) -> None:
    """The same at the root, where probes look for it."""
    router = system.router if path == "/metrics" else system.open_router
    route = next(item for item in router.routes if getattr(item, "path", "") == path)
    dependencies = [Depends(_guard)] if path == "/metrics" else []
    app.get(path, include_in_schema=False, dependencies=dependencies)(route.endpoint)  # type: ignore[attr-defined]


def _problem_responses() -> dict[int | str, dict[str, Any]]:
    told = {400: "invalid data", 401: "missing or wrong key", 404: "not found", 409: "refused in this state",
            503: "a database cannot be reached"}  # fmt: skip
    return {status: {"description": text} for status, text in told.items()}


async def _request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    given = request.headers.get("x-request-id", "")
    response = await call_next(request)
    response.headers["X-Request-ID"] = (
        given[:64] if given.isascii() and given.isprintable() and given else secrets.token_hex(8)
    )
    return response


class _Lenient:
    """A trailing slash means nothing, and HEAD is GET without its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if len(path) > 1 and path.endswith("/"):
                scope = {**scope, "path": path.rstrip("/") or "/"}
            if scope["method"] == "HEAD" and not path.endswith("/logs/stream"):
                scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


def _docs() -> HTMLResponse:
    return HTMLResponse(_PAGE)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Mainstem API</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}code{font-family:ui-monospace,monospace}
.m{display:inline-block;width:4.2rem;font-weight:600;color:#0b6e6e}li{list-style:none;margin:.15rem 0}ul{padding:0}
span{color:#52616f}</style><h1>Mainstem API</h1><p>Every call but the open ones takes the header
<code>X-API-Key</code>. Machine-readable: <a href="/openapi.json">/openapi.json</a>.</p><main></main><script>
fetch('/openapi.json').then(r=>r.json()).then(d=>{const t={};for(const[p,o]of Object.entries(d.paths))
for(const[m,v]of Object.entries(o))(t[(v.tags||['other'])[0]]??=[]).push([m.toUpperCase(),p,v.description||v.summary]);
const main=document.querySelector('main');for(const[k,l]of Object.entries(t)){const h=document.createElement('h2');
h.textContent=k;const u=document.createElement('ul');for(const[m,p,s]of l){const i=document.createElement('li');
const a=document.createElement('span');a.className='m';a.textContent=m;const c=document.createElement('code');
c.textContent=p;const e=document.createElement('span');e.textContent=' '+s;i.append(a,c,e);u.append(i)}
main.append(h,u)}})</script></html>"""
