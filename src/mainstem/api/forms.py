"""What forms ask before a connection or a config is saved."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from mainstem.api import form_models, models, structure
from mainstem.api.bodies import read_object
from mainstem.api.connections import settings_behind
from mainstem.api.documents import FlatConnection, NestedConnection, json_body
from mainstem.api.services import Plane
from mainstem.contract.inspector import TableSize
from mainstem.contract.spec import ConnectorSpec
from mainstem.contract.urls import read_url
from mainstem.control.connection_form import fields_of
from mainstem.control.validation import invalid

router = APIRouter(tags=["forms"])
_BODY = json_body(FlatConnection, NestedConnection)


@router.get("/connectors", response_model=list[form_models.Connector])
def list_connectors(plane: Plane) -> Any:
    """Kinds of systems, each with the fields of its form."""
    return [_connector(spec) for spec in plane.connections.registry.specs]


def _connector(spec: ConnectorSpec) -> dict[str, Any]:
    can = {"source": spec.source, "target": spec.target, "log": spec.changes, "changes": spec.applies}
    return {
        "name": spec.name,
        "title": spec.title,
        "aliases": spec.aliases,
        "flavors": spec.flavors,
        "defaultPort": spec.default_port,
        "hasSchemas": spec.has_schemas,
        "sqlDialect": spec.dialect.sql_name,
        "roles": [role for role, factory in can.items() if factory is not None],
        "fields": [asdict(field) for field in fields_of(spec)],
    }


@router.post("/connections/parse", response_model=form_models.ParsedUrl)
def parse_connection(body: form_models.UrlBody, plane: Plane) -> Any:
    """Take a connection string apart. Files that it names are not opened, and nothing is connected to."""
    parts = read_url(body.url, plane.connections.registry)
    settings = parts.settings
    return {
        "type": settings.type,
        "host": settings.host,
        "port": settings.port,
        "username": settings.username,
        "password": settings.password,
        "database": settings.database,
        "schema": settings.schema,
        "ssl": {"mode": settings.ssl.mode.value},
        "files": parts.files,
    }


@router.post(
    "/connections/test/databases",
    response_model=list[models.Database],
    response_model_exclude_unset=True,
    openapi_extra=_BODY,
)
async def databases_of_unsaved(request: Request, plane: Plane) -> Any:
    """Databases behind a connection that is not saved (see POST /connections/test)."""
    settings = plane.connections.tried(await read_object(request))
    found = await asyncio.to_thread(plane.systems.databases, settings)
    return [structure.database(info, later=False) for info in found]


@router.post("/connections/test/create", response_model=models.Made, openapi_extra=_BODY)
async def create_behind_unsaved(request: Request, plane: Plane) -> Any:
    """Make what ``create`` names, {"database": …} or {"schema": …}, behind a connection that is not saved."""
    body = await read_object(request)
    wanted = body.get("create")
    kind, name = _only_one(wanted if isinstance(wanted, dict) else {})
    settings = plane.connections.tried(body)
    make = {"database": plane.systems.create_database, "schema": plane.systems.create_schema}[kind]
    await asyncio.to_thread(make, settings, name)
    return {"status": "success", "name": name}


def _only_one(wanted: Mapping[str, Any]) -> tuple[str, str]:
    kinds = [kind for kind in ("database", "schema") if kind in wanted]
    if len(kinds) != 1 or not isinstance(wanted[kinds[0]], str):
        raise invalid({"create": 'must be {"database": NAME} or {"schema": NAME}'})
    return kinds[0], wanted[kinds[0]]


@router.get("/connections/{connection_id}/uses", response_model=form_models.Uses)
def uses(connection_id: str, plane: Plane) -> Any:
    """What depends on a connection: configs that name it, and streams that are active on it."""
    configs, streams = plane.connections.uses(connection_id)
    ends = ("source", "target")
    return {
        "configs": [
            {
                "id": item.id,
                "name": item.name,
                "mode": item.mode,
                "roles": [role for role in ends if getattr(item, f"{role}_id") == connection_id],
            }
            for item in configs
        ],
        "streams": [{"id": item.id, "name": item.config_name, "status": item.state} for item in streams],
    }


@router.get("/connections/{connection_id}/tables/sizes", response_model=form_models.SizedTables)
def table_sizes(
    connection_id: str,
    plane: Plane,
    database: str = "",
    schema: str = "",
    schemas: Annotated[list[str] | None, Query(description="several schemas; * is all")] = None,
    search: Annotated[str, Query(description="part of a name, in any case")] = "",
    pattern: Annotated[str, Query(description="patterns with * and ?, between commas: any of them")] = "",
    limit: Annotated[int, Query(ge=0, le=100_000)] = 10_000,
) -> Any:
    """Tables with estimates of rows and bytes, by the catalog alone."""
    place = plane.systems.place(settings_behind(plane, connection_id), database=database, schema=schema)
    sizes = plane.systems.sizes(place, schemas or ())
    found = [size for size in sizes if _matches(size, search, pattern)]
    return {
        "total": len(sizes),
        "filtered": len(found),
        "items": [_sized(size, plane.systems.own_schema(place)) for size in found[:limit]],
    }


def _matches(size: TableSize, search: str, pattern: str) -> bool:
    patterns = [one.strip().lower() for one in pattern.split(",") if one.strip()]
    names = (size.table.name.lower(), str(size.table).lower())
    return search.lower() in names[1] and (
        not patterns or any(fnmatchcase(name, one) for name in names for one in patterns)
    )


def _sized(size: TableSize, own_schema: str) -> dict[str, Any]:
    table = size.table
    return {
        "name": table.name if table.schema == own_schema else str(table),
        "schema": table.schema,
        "table": table.name,
        "rows": size.rows,
        "bytes": size.row_bytes,
        "indexBytes": size.index_bytes,
        "columns": size.columns,
        "keyed": size.keyed,
    }


@router.get("/connections/{connection_id}/tables/columns", response_model=form_models.SourceColumns)
def table_columns(
    connection_id: str,
    plane: Plane,
    table: Annotated[str, Query(description="as a config names it")],
    database: str = "",
    schema: str = "",
) -> Any:
    """The columns of one table, or of a view."""
    place = plane.systems.place(settings_behind(plane, connection_id), database=database, schema=schema)
    found = plane.systems.table(place, table)
    columns = [
        {
            "name": column.name,
            "type": column.native,
            "nullable": column.nullable,
            "key": column.name in found.primary_key,
            "generated": column.generated is not None,
            "comment": column.comment,
        }
        for column in found.columns
    ]
    return {"name": table, "columns": columns}
