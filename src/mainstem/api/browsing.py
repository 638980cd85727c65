"""The explorer: what a database holds, its structure, and its figures."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from mainstem.api import browse_models, browse_shapes
from mainstem.api.bodies import read_optional_object
from mainstem.api.connections import settings_behind
from mainstem.api.documents import json_body
from mainstem.api.services import Plane, Services
from mainstem.contract.browse import RELATIONS, VIEWS, ObjectKind, Relation
from mainstem.control.browsing import Cached
from mainstem.control.validation import check
from mainstem.model.connection import ConnectionSettings

router = APIRouter(tags=["explorer"])
BASE = "/connections/{connection_id}/databases/{database}"
SAMPLE_ROWS = 100_000
SUMMARY_S = 60.0
Table = Annotated[str, Path(description="a table's or view's name; its schema goes into `schema`")]
Schema = Annotated[str, Query(alias="schema", description="absent is the connection's own")]
Schemas = Annotated[str, Query(description="names with commas; empty is all")]
System = Annotated[bool, Query(description="also the system's own")]


@router.get(f"{BASE}/objects", response_model=browse_models.DatabaseObjects)
def list_objects(
    connection_id: str, database: str, plane: Plane, schemas: Schemas = "", include_system: System = False
) -> Any:
    """Tables, views, sequences, routines, triggers and events, with estimates of rows and sizes."""
    settings = settings_behind(plane, connection_id)
    found = plane.explorer.objects(settings, database, _names(schemas), include_system=include_system)
    return browse_shapes.objects(
        database, found, with_schemas=plane.connections.registry.find(settings.type).has_schemas
    )


@router.get(f"{BASE}/tables", response_model=list[str])
def list_tables_of(
    connection_id: str, database: str, plane: Plane, schemas: Schemas = "", include_system: System = False
) -> Any:
    """Names of tables; ``schema.table`` for those outside the connection's schema."""
    return _listed(plane, connection_id, database, schemas, include_system, RELATIONS)


@router.get(f"{BASE}/views", response_model=list[str])
def list_views_of(
    connection_id: str, database: str, plane: Plane, schemas: Schemas = "", include_system: System = False
) -> Any:
    """Names of views and materialized views."""
    return _listed(plane, connection_id, database, schemas, include_system, VIEWS)


@router.get(
    f"{BASE}/meta",
    response_model=browse_models.DatabaseMeta | browse_models.MetaSummary,
    responses={304: {"description": "the client has it already (If-None-Match)"}},
)
def database_meta(
    connection_id: str,
    database: str,
    request: Request,
    plane: Plane,
    schemas: Schemas = "",
    summary: Annotated[bool, Query(description="names and estimates alone")] = False,
    refresh: Annotated[bool, Query(description="not what was found up to a minute ago")] = False,
) -> Response:
    """Tables with columns, keys and indexes, views, routines, triggers, sequences. ``X-Cache`` tells HIT or MISS."""
    settings = settings_behind(plane, connection_id)
    spec = plane.connections.registry.find(settings.type)
    wanted = _names(schemas)

    def make() -> dict[str, Any]:
        found = plane.explorer.objects(settings, database, wanted, include_system=False)
        if summary:
            return browse_shapes.meta_summary(database, found, spec.default_schema)
        places = wanted or sorted({info.id.schema for info in found}) if spec.has_schemas else ()
        catalog = plane.explorer.catalog(settings, database, places)
        return browse_shapes.meta(database, catalog, found, spec.default_schema)

    key = (database, tuple(wanted), summary)
    return _document(request, plane.explorer.cached(settings, key, make, refresh=refresh))


@router.get(
    f"{BASE}/overview",
    response_model=browse_models.DatabaseOverview,
    responses={304: {"description": "the client has it already (If-None-Match)"}},
)
def database_overview(
    connection_id: str, database: str, request: Request, plane: Plane, refresh: bool = False
) -> Response:
    """Sizes, activity, what replication needs, and remarks."""
    settings = settings_behind(plane, connection_id)

    def make() -> dict[str, Any]:
        with plane.explorer.browse(settings, database) as browser:
            return browse_shapes.overview(browser.overview())

    return _document(request, plane.explorer.cached(settings, (database, "overview"), make, refresh=refresh))


@router.get(f"{BASE}/definition", response_model=browse_models.Definition)
def definition(
    connection_id: str,
    database: str,
    plane: Plane,
    kind: ObjectKind,
    name: str,
    schema: Schema = "",
    signature: Annotated[str, Query(description="a routine's arguments; the table of a trigger")] = "",
) -> Any:
    """The SQL that makes a table, view, sequence, routine, trigger or event."""
    settings = settings_behind(plane, connection_id)
    id_ = plane.explorer.place(settings, database, schema, name)
    return {"sql": plane.explorer.definition(settings, database, kind, id_, signature)}


@router.get(f"{BASE}/tables/{{table:path}}/structure", response_model=browse_models.TableStructure)
def table_structure(connection_id: str, database: str, table: Table, plane: Plane, schema: Schema = "") -> Any:
    """Columns, keys, indexes, checks and DDL of a table or view."""
    settings = settings_behind(plane, connection_id)
    id_ = plane.explorer.place(settings, database, schema, table)
    found = plane.explorer.structure(settings, database, id_)
    return browse_shapes.structure(replace(found, relation=as_allowed(plane, connection_id, found.relation)))


@router.post(
    f"{BASE}/tables/{{table:path}}/summary",
    response_model=browse_models.TableSummary,
    openapi_extra=json_body(browse_models.SummaryBody, required=False),
)
async def table_summary(
    connection_id: str, database: str, table: Table, request: Request, plane: Plane, schema: Schema = ""
) -> Any:
    """Figures per column: nulls, distinct values, range, mean, lengths; of about 100,000 rows, or of a percentage."""
    body = check(browse_models.SummaryBody, await read_optional_object(request))
    settings = settings_behind(plane, connection_id)
    return await asyncio.to_thread(lambda: _summary(plane, settings, database, schema, table, body.samplePercent))


def _summary(
    plane: Services, settings: ConnectionSettings, database: str, schema: str, table: str, percent: float | None
) -> dict[str, Any]:
    begin = time.perf_counter()
    with plane.explorer.browse(settings, database, SUMMARY_S) as browser:
        relation = browser.relation(plane.explorer.place(settings, database, schema, table))
        rows = SAMPLE_ROWS
        if percent is not None:
            rows = 0 if percent == 100 else max(1, round(max(relation.rows_estimate, 0) * percent / 100))
        found = browser.summary(relation, rows)
    return {
        "columns": [browse_shapes.column_summary(column, found.rows) for column in found.columns],
        "rowCount": found.rows,
        "columnCount": len(found.columns),
        "executionTimeMs": round((time.perf_counter() - begin) * 1000, 1),
        "sampled": found.sampled,
    }


def as_allowed(plane: Services, connection_id: str, relation: Relation) -> Relation:
    """The relation; not to be changed where the connection is read-only."""
    if relation.reason or not plane.connections.get(connection_id).read_only:
        return relation
    return replace(relation, reason="the connection is read-only")


def _listed(
    plane: Services, connection_id: str, database: str, schemas: str, system: bool, kinds: tuple[ObjectKind, ...]
) -> list[str]:
    settings = settings_behind(plane, connection_id)
    spec = plane.connections.registry.find(settings.type)
    own = settings.schema or spec.default_schema
    found = plane.explorer.objects(settings, database, _names(schemas), include_system=system)
    return [
        info.id.name if not spec.has_schemas or info.id.schema == own else str(info.id)
        for info in found
        if info.kind in kinds
    ]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _document(request: Request, made: Cached) -> Response:
    headers = {"ETag": made.etag, "X-Cache": "HIT" if made.hit else "MISS", "Cache-Control": "private, no-cache"}
    if made.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(made.body, media_type="application/json; charset=utf-8", headers=headers)
