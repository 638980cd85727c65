"""What is behind a connection: databases, schemas, tables, structure."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from mainstem.api import eras, models, structure
from mainstem.api.bodies import read_name
from mainstem.api.connections import settings_behind
from mainstem.api.documents import name_body
from mainstem.api.services import Plane, Services

router = APIRouter(tags=["catalog"])


@router.get(
    "/connections/{connection_id}/databases",
    response_model=list[models.Database],
    response_model_exclude_unset=True,
)
def list_databases(connection_id: str, request: Request, plane: Plane, include_system: bool = False) -> Any:
    """Databases that the login may see; later clients are told of system databases too."""
    later = eras.is_later(request)
    found = plane.systems.databases(settings_behind(plane, connection_id), include_system=include_system or later)
    return [structure.database(info, later=later) for info in found]


@router.post("/connections/{connection_id}/databases", response_model=models.Made, openapi_extra=name_body())
async def create_database(connection_id: str, request: Request, plane: Plane) -> Any:
    """Make a database; the body is its name, as plain text or as {"name": …}."""
    name, _ = await read_name(request, "database")
    await asyncio.to_thread(lambda: plane.systems.create_database(settings_behind(plane, connection_id), name))
    return {"status": "success", "name": name}


@router.get("/connections/{connection_id}/schemas", response_model=list[str])
def list_schemas(connection_id: str, plane: Plane, database: str = "") -> Any:
    """Schemas of the connection's database, or of another one."""
    return plane.systems.schemas(settings_behind(plane, connection_id), database)


@router.post("/connections/{connection_id}/schemas", response_model=models.Made, openapi_extra=name_body())
async def create_schema(connection_id: str, request: Request, plane: Plane, database: str = "") -> Any:
    """Make a schema; the body is its name, as plain text or as {"name": …, "database": …}."""
    name, body = await read_name(request, "schema")
    return await _create_schema(plane, connection_id, name, database or str(body.get("database") or ""))


@router.post(
    "/connections/{connection_id}/databases/{database}/schemas", response_model=models.Made, openapi_extra=name_body()
)
async def create_schema_in(connection_id: str, database: str, request: Request, plane: Plane) -> Any:
    """The same, in the later form."""
    name, _ = await read_name(request, "schema")
    return await _create_schema(plane, connection_id, name, database)


@router.get("/connections/{connection_id}/tables", response_model=list[str])
def list_tables(connection_id: str, plane: Plane, database: str = "", schema: str = "") -> Any:
    """Names of base tables; ``schema.table`` for those outside PostgreSQL's ``public``."""
    return plane.systems.tables(settings_behind(plane, connection_id), database=database, schema=schema)


@router.get("/connections/{connection_id}/meta", response_model=dict[str, Any] | list[dict[str, Any]])
def meta(connection_id: str, plane: Plane, database: str = "", schema: str = "", format: str = "") -> Any:
    """Tables with columns, keys and indexes; views; sequences. ``format=v1`` gives the oldest form."""
    found = plane.systems.catalog(settings_behind(plane, connection_id), database=database, schema=schema)
    return structure.meta_v1(found) if format.lower() == "v1" else structure.meta(found)


async def _create_schema(plane: Services, connection_id: str, name: str, database: str) -> dict[str, str]:
    await asyncio.to_thread(lambda: plane.systems.create_schema(settings_behind(plane, connection_id), name, database))
    return {"status": "success", "name": name}
