"""What every request passes before it is looked at: an id, a key or session, and leniency about slashes and HEAD."""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainstem.api.browsers import LOCAL_NAMES, Browsers, named_host
from mainstem.api.problems import Json, away, bug, problem
from mainstem.api.threads import Threads
from mainstem.control.keys import ApiKeys
from mainstem.errors import ForbiddenError, UnauthorizedError
from mainstem.log import logger

BASE = "/api/v1"
LIVE_PATH = f"{BASE}/logs/stream"
SESSION_PATH = f"{BASE}/session"
_OPEN = frozenset(
    {"/docs", "/openapi.json", "/health", "/ready"}
    | {BASE + path for path in ("/health", "/ready", "/services/status", "/system/defaults")}
)
_REMEDY = "send it in the header X-API-Key; mainstem key create makes one"
_ANSWERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MAX_ID = 64
_THREADS = Threads(4, "guard")  # who may come in is known at once, whatever others wait for
_log = logger(__name__)


class RequestIds:
    """Gives each request an id (the client's own if it sent one), and answers when nothing else did.

    The id is in ``X-Request-ID``, and in every line that is logged on the way.

    Args:
        away: errors of the store that is not there.
    """

    def __init__(self, app: ASGIApp, away: tuple[type[Exception], ...]) -> None:
        self._app, self._away = app, away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and see to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _usable(Headers(scope=scope).get("x-request-id", "")) or secrets.token_hex(8)
        started, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _ANSWERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception as exc:
                told = self._told(exc, scope)
                if status:  # the answer has begun; all that can be done is to break it off
                    raise
                await told(scope, receive, answer)
            took_ms = round((time.monotonic() - started) * 1000, 1)
            _log.debug("request", method=scope["method"], path=scope["path"], status=status, took_ms=took_ms)

    def _told(self, error: Exception, scope: Scope) -> Json:
        """What may be said of an error that nobody expected; the log has more."""
        if isinstance(error, self._away):
            reason = str(error).partition("\n")[0]
            _log.warning("the store does not answer", method=scope["method"], path=scope["path"], reason=reason)
            return Json(away(), HTTPStatus.SERVICE_UNAVAILABLE)
        _log.exception("a request broke off", method=scope["method"], path=scope["path"])
        return Json(bug(), HTTPStatus.INTERNAL_SERVER_ERROR)


class Lenient:
    """A trailing slash means nothing, and HEAD is GET without its body (which the server leaves out)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, straightened."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
            if scope["method"] == "HEAD" and scope["path"] != LIVE_PATH:
                scope["method"] = "GET"
        await self._app(scope, receive, send)


class KeyGuard:
    """401 unless the path is open, the request carries a key in use, or a browser's session; before anything else.

    Args:
        open_live: the live log needs no key, because only this machine reaches the server. It does all the same when
            the request names another host: a page that tricks a browser with a name of its own is not this machine.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys, browsers: Browsers, *, open_live: bool) -> None:
        self._app = app
        self._keys, self._browsers = keys, browsers
        self._open_live = open_live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it may come in."""
        if scope["type"] == "http" and not self._is_open(scope):
            try:
                found = await _THREADS.run(self._admit, scope)
            except UnauthorizedError as error:
                challenge = {"WWW-Authenticate": 'ApiKey realm="mainstem"'}
                await Json(problem(error), HTTPStatus.UNAUTHORIZED, challenge)(scope, receive, send)
                return
            except ForbiddenError as error:
                await Json(problem(error), HTTPStatus.FORBIDDEN)(scope, receive, send)
                return
            scope.setdefault("state", {}).update(found)
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> dict[str, object]:
        """Who it is, for the routes; raises `UnauthorizedError` or `ForbiddenError`."""
        key = _key(scope)
        if key:
            if not self._keys.accepts(key):
                raise UnauthorizedError("the API key is wrong", remedy=_REMEDY)
            hint = f"****{key[-4:]}" if len(key) >= 16 else "****"
            return {"key_hint": hint, "key_digest": self._keys.digest(key)}
        begins = scope["path"] == SESSION_PATH and scope["method"] in {"GET", "POST"}
        if begins and scope["method"] == "POST":  # whoever was signed in does not matter
            self._browsers.check_page(Headers(scope=scope))
            return {}
        session = self._browsers.session(scope)
        if session is not None:
            return {"key_hint": session.key_hint, "key_digest": session.key_digest, "session": session}
        if begins:
            return {}
        raise UnauthorizedError("the API key is missing", remedy=_REMEDY)

    def _is_open(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in _OPEN or scope["method"] == "OPTIONS":
            return True
        return self._open_live and path == LIVE_PATH and named_host(Headers(scope=scope)) in LOCAL_NAMES


def _key(scope: Scope) -> str:
    """The header; for the live log, whose browser clients can send none, also ``?api_key=``."""
    key = Headers(scope=scope).get("x-api-key", "")
    if not key and scope["path"] == LIVE_PATH:
        key = parse_qs(scope["query_string"].decode("latin-1")).get("api_key", [""])[0]
    return key


def _usable(request_id: str) -> str:
    return request_id if len(request_id) <= _MAX_ID and request_id.isascii() and request_id.isprintable() else ""
