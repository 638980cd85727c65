"""Errors as HTTP answers: one body shape that every known client can read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from mainstem.control.validation import path_of
from mainstem.errors import (
    ConflictError,
    ConnectError,
    InvalidError,
    LostConnectionError,
    MainstemError,
    NotFoundError,
    PlanError,
    SchemaConflictError,
    StatementError,
    UnauthorizedError,
)
from mainstem.log import logger

_log = logger(__name__)
# The first that fits; what is not listed is ours to answer for.
_STATUS: tuple[tuple[type[MainstemError], int], ...] = (
    (UnauthorizedError, 401),
    (NotFoundError, 404),
    (ConflictError, 409),
    (SchemaConflictError, 409),
    (InvalidError, 400),
    (PlanError, 400),
    (StatementError, 400),
    (ConnectError, 503),
    (LostConnectionError, 503),
)


class Json(JSONResponse):
    """JSON that names its charset: PowerShell 5.1 reads Latin-1 otherwise."""

    media_type = "application/json; charset=utf-8"


def status_of(error: MainstemError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(error: MainstemError) -> dict[str, Any]:
    """The body of an error."""
    body: dict[str, Any] = {
        "error": error.message,
        "message": error.message,
        "status": "error",
        "code": error.code,
    }
    if isinstance(error, InvalidError) and error.fields:
        body["fields"] = error.fields
        body["field"] = next(iter(error.fields))
    if error.remedy:
        body["remedy"] = error.remedy
    details = {**error.where, **getattr(error, "details", {})}
    if details:
        body["details"] = details
    return body


def plain(message: str, code: str, **more: Any) -> dict[str, Any]:
    """The body of an error that is no `MainstemError`."""
    return {"error": message, "message": message, "status": "error", "code": code, **more}


def install(app: FastAPI) -> None:
    """Answer every error in this shape."""
    app.add_exception_handler(MainstemError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _bug)


async def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, MainstemError):
        raise error
    status = status_of(error)
    if status >= 500:
        _log.warning(error.message, code=error.code, path=request.url.path)
    return Json(problem(error), status)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    told = f"no such path: {request.url.path}" if error.status_code == 404 else phrase
    if error.status_code == 405:
        told = f"{request.method} is not allowed here; allowed: {(error.headers or {}).get('Allow', 'nothing')}"
    return Json(plain(told, phrase.lower().replace(" ", "_")), error.status_code, dict(error.headers or {}))


async def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields = {path_of(item["loc"][1:]) or str(item["loc"][0]): str(item["msg"]) for item in error.errors()}
    told = "; ".join(f"{name}: {text}" for name, text in fields.items())
    return Json(plain(f"invalid data: {told}", "invalid_data", fields=fields, field=next(iter(fields))), 400)


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("a request broke off", path=request.url.path, exc_info=error)
    return Json(plain("internal error; the server's log has the details", "internal"), 500)
