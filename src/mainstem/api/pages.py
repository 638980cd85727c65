"""The web UI: the files that its build has put beside this package, and its page for every other address."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

import anyio
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mainstem.api.browsers import Browsers
from mainstem.api.problems import Json, problem
from mainstem.errors import ForbiddenError

FOLDER = Path(__file__).resolve().parent.parent / "ui"
NOT_BUILT = "The web UI is not built. Build it with: make web\n"
_NONCE = "__CSP_NONCE__"
_NOT_PAGES = frozenset({"/docs", "/openapi.json", "/health", "/ready", "/metrics", "/api"})
_FOR_EVER = "public, max-age=31536000, immutable"  # names of assets hold a digest of what is in them
# Scripts come from files alone. Styles too, but for the <style> elements that two libraries make while they run: the
# editor (CodeMirror) and what keeps a page still behind a dialog (react-style-singleton). They carry the nonce.
# `data:` and `blob:` images are diagrams and cells on their way to a file.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:;"
    " font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_PERMISSIONS = (
    "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()"
)


class Pages:
    """Answers GET of everything that is not the API's."""

    def __init__(self, app: ASGIApp, browsers: Browsers, folder: Path = FOLDER) -> None:
        self._app, self._browsers, self._folder = app, browsers, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file, the page, or on to the API."""
        answer = None
        if scope["type"] == "http" and scope["method"] == "GET" and not _is_api(scope["path"]):
            answer = await anyio.to_thread.run_sync(self._answer, scope["path"], Headers(scope=scope))
        await (answer or self._app)(scope, receive, send)

    def _answer(self, path: str, headers: Headers) -> Response | None:
        """None where a program asks for what is no file: the API tells it that there is no such path."""
        file = self._file(path)
        if file is None and path != "/" and "text/html" not in headers.get("accept", ""):
            return None
        try:
            self._browsers.check_host(headers)
        except ForbiddenError as error:
            return Json(problem(error), HTTPStatus.MISDIRECTED_REQUEST)
        if file is not None:
            return _file_answer(file, path, headers)
        return self._page()

    def _file(self, path: str) -> Path | None:
        try:
            file = (self._folder / path.lstrip("/")).resolve()
            there = file.is_relative_to(self._folder) and file.is_file()
        except (OSError, ValueError):  # too long for the system, or with a NUL
            return None
        return file if there and file.name != "index.html" else None

    def _page(self) -> Response:
        try:
            page = (self._folder / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            return PlainTextResponse(NOT_BUILT, HTTPStatus.SERVICE_UNAVAILABLE)
        nonce = secrets.token_urlsafe(18)
        return HTMLResponse(
            page.replace(_NONCE, nonce),
            headers={
                "Content-Security-Policy": _POLICY.format(nonce=nonce),
                "Permissions-Policy": _PERMISSIONS,
                "Cross-Origin-Opener-Policy": "same-origin",
            },
        )


def is_built() -> bool:
    """Whether there is a UI to serve."""
    return (FOLDER / "index.html").is_file()


def _is_api(path: str) -> bool:
    return path in _NOT_PAGES or path.startswith("/api/")


def _file_answer(file: Path, path: str, headers: Headers) -> Response:
    """The file, packed if the client takes that and the build has made it."""
    more = {"Cache-Control": _FOR_EVER if path.startswith("/assets/") else "no-cache"}
    kind = guess_type(file.name)[0] or "application/octet-stream"
    packed = file.with_name(f"{file.name}.gz")
    if "gzip" in headers.get("accept-encoding", "") and packed.is_file():
        file, more = packed, {**more, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return FileResponse(file, media_type=kind, headers=more)
