"""/connections: CRUD, ping, and what is behind them."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from mainstem.api import shapes
from mainstem.api.bodies import read_name, read_object
from mainstem.api.problems import Json
from mainstem.api.services import Plane, Services
from mainstem.control.connection_body import settings_of
from mainstem.control.reach import PingResult
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings

router = APIRouter(tags=["connections"])


@router.get("/connections")
def list_connections(request: Request, plane: Plane) -> Any:
    """All connections; a bare array."""
    return shapes.listed(request, [shapes.connection(record) for record in plane.connections.all()])


@router.post("/connections")
async def create_connection(request: Request, plane: Plane) -> dict[str, Any]:
    """Save a connection. Names need not be unique."""
    body = await read_object(request)
    return shapes.connection(await asyncio.to_thread(plane.connections.create, body))


@router.delete("/connections", status_code=204)
def delete_connections(request: Request, plane: Plane) -> Response:
    """Forget all connections; asks for the header X-Confirm-Delete: true."""
    if request.headers.get("x-confirm-delete", "").lower() != "true":
        raise InvalidError(
            "this deletes all connections",
            fields={"X-Confirm-Delete": "must be true"},
            remedy="send the header X-Confirm-Delete: true, or delete one: DELETE /connections/{id}",
        )
    plane.connections.delete_all()
    return Response(status_code=204)


@router.post("/connections/test")
async def test_connection(request: Request, plane: Plane) -> dict[str, Any]:
    """Ping a connection that is not saved."""
    settings = settings_of(await read_object(request), plane.connections.registry, required=("type", "host"))
    return _pinged(await asyncio.to_thread(plane.systems.ping, settings))


@router.get("/connections/{connection_id}")
def get_connection(connection_id: str, plane: Plane) -> dict[str, Any]:
    """One connection."""
    return shapes.connection(plane.connections.get(connection_id))


@router.put("/connections/{connection_id}")
async def update_connection(connection_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """Replace the members that are given; a missing, empty or masked password is kept."""
    body = await read_object(request)
    return shapes.connection(await asyncio.to_thread(plane.connections.update, connection_id, body))


@router.delete("/connections/{connection_id}", status_code=204)
def delete_connection(connection_id: str, plane: Plane) -> Response:
    """Forget a connection; 409 while a stream uses it."""
    plane.connections.delete(connection_id)
    return Response(status_code=204)


@router.put("/connections/{connection_id}/clone")
def clone_connection(connection_id: str, plane: Plane) -> dict[str, Any]:
    """A copy with its secrets."""
    return shapes.connection(plane.connections.clone(connection_id))


@router.post("/connections/{connection_id}/ping")
def ping(connection_id: str, plane: Plane) -> dict[str, Any]:
    """Log in and ask for the version; 200 in either case."""
    return _pinged(plane.systems.ping(_settings(plane, connection_id)))


@router.get("/connections/{connection_id}/ping")
def ping_or_503(connection_id: str, plane: Plane) -> Response:
    """The older form: the same body, with 503 when it failed."""
    result = plane.systems.ping(_settings(plane, connection_id))
    return Json(_pinged(result), 200 if result.info is not None else 503)


@router.get("/connections/{connection_id}/databases")
def list_databases(connection_id: str, plane: Plane, include_system: bool = False) -> list[dict[str, Any]]:
    """Databases that the login may see."""
    found = plane.systems.databases(_settings(plane, connection_id), include_system=include_system)
    return [shapes.database(info) for info in found]


@router.post("/connections/{connection_id}/databases")
async def create_database(connection_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """Make a database; the body is its name, as plain text or as {"name": …}."""
    name, _ = await read_name(request, "database")
    await asyncio.to_thread(plane.systems.create_database, _settings(plane, connection_id), name)
    return {"status": "success", "name": name}


@router.get("/connections/{connection_id}/schemas")
def list_schemas(connection_id: str, plane: Plane, database: str = "") -> list[str]:
    """Schemas of the connection's database, or of another one."""
    return plane.systems.schemas(_settings(plane, connection_id), database)


@router.post("/connections/{connection_id}/schemas")
async def create_schema(connection_id: str, request: Request, plane: Plane, database: str = "") -> dict[str, Any]:
    """Make a schema; the body is its name, as plain text or as {"name": …}."""
    name, body = await read_name(request, "schema")
    database = database or str(body.get("database") or "")
    await asyncio.to_thread(plane.systems.create_schema, _settings(plane, connection_id), name, database)
    return {"status": "success", "name": name}


@router.get("/connections/{connection_id}/tables")
def list_tables(connection_id: str, plane: Plane, database: str = "", schema: str = "") -> list[str]:
    """Names of base tables."""
    return plane.systems.tables(_settings(plane, connection_id), database=database, schema=schema)


@router.get("/connections/{connection_id}/meta")
def meta(connection_id: str, plane: Plane, database: str = "", schema: str = "") -> dict[str, Any]:
    """Tables with columns, keys and indexes; views; sequences."""
    return shapes.meta(plane.systems.catalog(_settings(plane, connection_id), database=database, schema=schema))


def _settings(plane: Services, connection_id: str) -> ConnectionSettings:
    return plane.connections.settings(plane.connections.get(connection_id))


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
