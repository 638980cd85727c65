"""Errors as HTTP answers: one body shape that every known client can read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from mainstem.api.bodies import BodyTooLargeError
from mainstem.control.validation import path_of
from mainstem.errors import (
    ConflictError,
    ConnectError,
    ForbiddenError,
    InvalidError,
    LostConnectionError,
    MainstemError,
    NotFoundError,
    PlanError,
    SchemaConflictError,
    StatementError,
    UnauthorizedError,
)
from mainstem.log import logger, redact_text

_log = logger(__name__)
# The first that fits; what is not listed is ours to answer for.
_STATUS: tuple[tuple[type[MainstemError], int], ...] = (
    (UnauthorizedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (SchemaConflictError, 409),
    (BodyTooLargeError, 413),
    (InvalidError, 400),
    (PlanError, 400),
    (StatementError, 400),
    (ConnectError, 503),
    (LostConnectionError, 503),
)


class Json(JSONResponse):
    """JSON that names its charset: PowerShell 5.1 reads Latin-1 otherwise."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Name it in the answer only, so that /openapi.json says plainly ``application/json``."""
        super().init_headers(headers)
        self.headers["content-type"] = "application/json; charset=utf-8"


def status_of(error: MainstemError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(error: MainstemError) -> dict[str, Any]:
    """The body of an error."""
    more: dict[str, Any] = {}
    if isinstance(error, InvalidError) and error.fields:
        more = {"fields": error.fields, "field": next(iter(error.fields))}
    if error.remedy:
        more["remedy"] = error.remedy
    details = {**error.where, **getattr(error, "details", {})}
    if details:
        more["details"] = details
    return plain(error.message, error.code, **more)


def plain(message: str, code: str, **more: Any) -> dict[str, Any]:
    """The body of an error that is no `MainstemError`."""
    return {"error": message, "message": message, "status": "error", "code": code, **more}


def bug() -> dict[str, Any]:
    """The body for what should not have happened."""
    return plain("internal error", "internal", remedy="the server's log has the details, under the id in X-Request-ID")


def away() -> dict[str, Any]:
    """The body while the store cannot be reached."""
    remedy = "try again in a moment; the server's log has the reason"
    return plain("the store does not answer", "store_unavailable", remedy=remedy)


def install(app: FastAPI) -> None:
    """Answer every error in this shape."""
    app.add_exception_handler(MainstemError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)


async def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, MainstemError):
        raise error
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("a request failed", path=request.url.path, exc_info=error)
    return Json(problem(error), status)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _wrong_method(request)
    phrase = HTTPStatus(error.status_code).phrase
    told = f"no such path: {redact_text(request.url.path)}" if error.status_code == HTTPStatus.NOT_FOUND else phrase
    return Json(plain(told, phrase.lower().replace(" ", "_")), error.status_code, dict(error.headers or {}))


def _wrong_method(request: Request) -> Response:
    """405 with all that the path allows (the router knows only the first route's), or the answer to OPTIONS."""
    allowed = ", ".join(_methods(request.app, request.url.path))
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
    told = f"{request.method} is not allowed here; allowed: {allowed}"
    return Json(plain(told, "method_not_allowed"), HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": allowed})


def _methods(app: FastAPI, path: str) -> list[str]:
    found = {"OPTIONS"}
    for template, operations in app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path.rstrip("/")):
            found |= {method.upper() for method in operations}
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def _validation(_request: Request, error: Exception) -> Response:
    """Query parameters that FastAPI checks."""
    if not isinstance(error, RequestValidationError):
        raise error
    fields = {path_of(item["loc"][1:]) or str(item["loc"][0]): str(item["msg"]) for item in error.errors()}
    told = "; ".join(f"{name}: {text}" for name, text in fields.items())
    return Json(plain(f"invalid data: {told}", "invalid_data", fields=fields, field=next(iter(fields))), 400)
