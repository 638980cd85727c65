"""/connections: made, shown, changed, copied, forgotten, pinged."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from mainstem.api import eras, models, shapes
from mainstem.api.bodies import read_object
from mainstem.api.documents import FlatConnection, NestedConnection, json_body
from mainstem.api.problems import Json
from mainstem.api.services import Plane, Services
from mainstem.contract.store import ConnectionRecord
from mainstem.control.reach import PingResult
from mainstem.control.validation import invalid
from mainstem.model.connection import ConnectionSettings

router = APIRouter(tags=["connections"])
_BODY = json_body(FlatConnection, NestedConnection)


@router.get(
    "/connections",
    response_model=list[models.Connection] | models.ConnectionPage,
    response_model_exclude_unset=True,
)
def list_connections(
    request: Request, plane: Plane, search: eras.Search = "", limit: eras.Limit = None, offset: eras.Offset = 0
) -> Any:
    """All connections: an array; for later clients an object with counts."""
    later = eras.is_later(request)
    items = [shapes.connection(record, with_spec=later) for record in plane.connections.all()]
    return eras.listed(request, items, search, limit, offset)


@router.post("/connections", response_model=models.Connection, response_model_exclude_unset=True, openapi_extra=_BODY)
async def create_connection(request: Request, plane: Plane) -> dict[str, Any]:
    """Save a connection. Names need not be unique."""
    body = await read_object(request)
    return _shape(request, await asyncio.to_thread(plane.connections.create, body))


@router.delete("/connections", status_code=204)
def delete_connections(request: Request, plane: Plane) -> Response:
    """Forget all connections; asks for the header X-Confirm-Delete: true."""
    if request.headers.get("x-confirm-delete", "").strip().lower() != "true":
        raise invalid(
            {"X-Confirm-Delete": "must be true, because this forgets all connections"},
            "send the header X-Confirm-Delete: true, or forget one: DELETE /connections/{id}",
        )
    plane.connections.delete_all()
    return Response(status_code=204)


@router.post("/connections/test", response_model=models.Ping, response_model_exclude_unset=True, openapi_extra=_BODY)
async def test_connection(request: Request, plane: Plane) -> dict[str, Any]:
    """Ping a connection that is not saved; with the ``id`` of a saved one, what is absent is taken from that."""
    settings = plane.connections.tried(await read_object(request))
    return _pinged(await asyncio.to_thread(plane.systems.ping, settings))


@router.get("/connections/{connection_id}", response_model=models.Connection, response_model_exclude_unset=True)
def get_connection(connection_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """One connection."""
    return _shape(request, plane.connections.get(connection_id))


@router.put(
    "/connections/{connection_id}",
    response_model=models.Connection,
    response_model_exclude_unset=True,
    openapi_extra=_BODY,
)
async def update_connection(connection_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """Replace the members that are given; a missing, empty or masked password is kept, and so are absent files."""
    body = await read_object(request)
    return _shape(request, await asyncio.to_thread(plane.connections.update, connection_id, body))


@router.delete("/connections/{connection_id}", status_code=204)
def delete_connection(connection_id: str, plane: Plane) -> Response:
    """Forget a connection; 409 while a stream uses it."""
    plane.connections.delete(connection_id)
    return Response(status_code=204)


@router.put("/connections/{connection_id}/clone", response_model=models.Connection, response_model_exclude_unset=True)
def clone_connection(connection_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """A copy with its secrets."""
    return _shape(request, plane.connections.clone(connection_id))


@router.post("/connections/{connection_id}/ping", response_model=models.Ping, response_model_exclude_unset=True)
def ping(connection_id: str, plane: Plane) -> dict[str, Any]:
    """Log in and ask for the version, within five seconds; 200 in either case."""
    return _pinged(plane.systems.ping(settings_behind(plane, connection_id)))


@router.get(
    "/connections/{connection_id}/ping",
    response_model=models.Ping,
    response_model_exclude_unset=True,
    responses={503: {"model": models.Ping, "description": "the ping failed"}},
)
def ping_or_503(connection_id: str, plane: Plane) -> Response:
    """The older form: the same body, with 503 when it failed."""
    result = plane.systems.ping(settings_behind(plane, connection_id))
    return Json(_pinged(result), 200 if result.info is not None else 503)


def settings_behind(plane: Services, connection_id: str) -> ConnectionSettings:
    """How to reach the system behind a saved connection; `NotFoundError` if there is none."""
    return plane.connections.settings(plane.connections.get(connection_id))


def _shape(request: Request, record: ConnectionRecord) -> dict[str, Any]:
    return shapes.connection(record, with_spec=eras.is_later(request))


def _pinged(result: PingResult) -> dict[str, Any]:
    info = result.info
    if info is None:
        return {"ping": "failed", "error": result.error, "code": result.code, "remedy": result.remedy}
    return {
        "ping": "ok",
        "version": info.version,
        "flavor": info.flavor,
        "round_trip_ms": round(info.round_trip_ms, 3),
        "tls": info.tls,
    }
