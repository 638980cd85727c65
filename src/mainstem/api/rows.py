"""The explorer: rows of tables and views, page by page, as files, counted, and changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from mainstem.api import browse_models, browse_shapes
from mainstem.api.bodies import read_object
from mainstem.api.browsing import BASE, Schema, Table, as_allowed
from mainstem.api.connections import settings_behind
from mainstem.api.documents import FILE, json_body
from mainstem.api.services import Plane, Services
from mainstem.contract.browse import Browser, Page, Relation, RowChange, RowQuery, TimeLimitError
from mainstem.control.browse_input import (
    Changes,
    read_changes,
    read_columns,
    read_filter,
    read_key,
    read_order,
    read_position,
)
from mainstem.control.exports import FORMATS
from mainstem.control.validation import invalid
from mainstem.errors import ConflictError

router = APIRouter(tags=["explorer"])
MAX_ROWS = 1000
MAX_OFFSET = 2**53
MAX_CELL = 100_000
_TOTAL_S = 3.0
_COUNT_S = 30.0
_READ_S = 30.0


def row_query(
    order_by: Annotated[str, Query(description="columns with commas, or a JSON array of names")] = "",
    order_dir: Annotated[str, Query(description="asc or desc for each of them")] = "",
    where: Annotated[str, Query(description="a condition in the system's own SQL")] = "",
    filter: Annotated[
        str,
        Query(description='JSON: {"column", "operator", "value"}, or {"all": […]}, {"any": […]}'),
    ] = "",
    columns: Annotated[str, Query(description="as order_by; empty is all")] = "",
) -> RowQuery:
    """Which rows, from the parameters that all these calls have."""
    return RowQuery(read_order(order_by, order_dir), read_filter(filter), where, columns=read_columns(columns))


Asked = Annotated[RowQuery, Depends(row_query)]
Limit = Annotated[int, Query(ge=0, le=MAX_ROWS)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]


def _data(
    connection_id: str,
    database: str,
    table: Table,
    plane: Plane,
    asked: Asked,
    schema: Schema = "",
    limit: Limit = 50,
    offset: Offset = 0,
    max_rows: Annotated[int | None, Query(ge=0, description="as limit, the smaller one counts")] = None,
    skip_count: Annotated[bool, Query(description="total_count is -1")] = False,
    after: Annotated[str, Query(description="rows behind this position; `skip` of them are left out")] = "",
    before: Annotated[str, Query(description="rows in front of it; `end` is the end of all")] = "",
    skip: Offset = 0,
    max_cell: Annotated[int, Query(ge=1, le=MAX_CELL, description="characters or bytes of a value")] = 1000,
    timeout: Annotated[float, Query(gt=0, le=300, description="seconds")] = _READ_S,
    tabId: str = "",
) -> Any:
    """Rows with their types and positions. Long values are cut, and say how long they are.

    With ``after`` or ``before``, which the answers of sorted tables with a key give, any page is found by the index;
    ``offset`` is then only repeated. Without them, ``offset`` rows are skipped.
    """
    begin = time.perf_counter()
    query = _resized(asked, min(limit, limit if max_rows is None else max_rows), max_cell, after, before, skip, offset)
    settings = settings_behind(plane, connection_id)
    with plane.explorer.browse(settings, database, timeout) as browser:
        relation = browser.relation(plane.explorer.place(settings, database, schema, table))
        relation = as_allowed(plane, connection_id, relation)
        found = browse_shapes.page(
            relation, browser.page(relation, query) if query.limit else Page(relation.columns, ())
        )
        total, exact = (-1, False) if skip_count else _total(browser, relation, asked)
    return {
        **found, "total_count": total, "total_exact": exact, "limit": query.limit, "offset": offset,
        "took_ms": _since(begin),
    }  # fmt: skip


router.get(f"{BASE}/tables/{{table:path}}/data", response_model=browse_models.Rows, name="table_data")(_data)
router.get(f"{BASE}/views/{{table:path}}/data", response_model=browse_models.Rows, name="view_data")(_data)


def _resized(asked: RowQuery, limit: int, max_cell: int, after: str, before: str, skip: int, offset: int) -> RowQuery:
    if after and before:
        raise invalid({"before": "cannot go with after"})
    position = read_position(before if before and before != "end" else after)
    placed = bool(after or before)
    return replace(
        asked, limit=limit, max_cell=max_cell, after=position, backwards=bool(before),
        skip=skip if placed else offset + skip,
    )  # fmt: skip


def _total(browser: Browser, relation: Relation, query: RowQuery) -> tuple[int, bool]:
    """Rows in all: exactly, where that can be had at once."""
    browser.limit(_TOTAL_S)
    try:
        found = browser.count(relation, query, exact=True)
    except TimeLimitError:
        found = browser.count(relation, query, exact=False)
    return found.rows, found.exact


@router.get(f"{BASE}/tables/{{table:path}}/count", response_model=browse_models.Count)
def table_count(
    connection_id: str,
    database: str,
    table: Table,
    plane: Plane,
    asked: Asked,
    schema: Schema = "",
    exact: Annotated[bool, Query(description="false: the planner's guess, at once")] = True,
    timeout: Annotated[float, Query(gt=0, le=600, description="seconds; then it is a guess after all")] = _COUNT_S,
    tabId: str = "",
) -> Any:
    """How many rows there are, or how many a condition lets through."""
    begin = time.perf_counter()
    settings = settings_behind(plane, connection_id)
    message = ""
    with plane.explorer.browse(settings, database, timeout) as browser:
        relation = browser.relation(plane.explorer.place(settings, database, schema, table))
        try:
            found = browser.count(relation, asked, exact=exact)
        except TimeLimitError as exc:
            message = exc.message
            found = browser.count(relation, asked, exact=False)
    return {
        "count": found.rows, "exact": found.exact, "message": message, "took_ms": _since(begin), "status": "success",
    }  # fmt: skip


@router.get(f"{BASE}/tables/{{table:path}}/export", response_class=Response, responses={200: FILE})
def table_export(
    connection_id: str,
    database: str,
    table: Table,
    plane: Plane,
    asked: Asked,
    schema: Schema = "",
    format: Annotated[str, Query(description=", ".join(FORMATS))] = "csv",
    limit: Annotated[int, Query(ge=0, le=MAX_OFFSET, description="0 is all")] = 0,
    offset: Offset = 0,
) -> Response:
    """Rows as a file, which is sent while it is read. In CSV, NULL is nothing and an empty text is ``""``."""
    form = FORMATS.get(format.lower())
    if form is None:
        raise invalid({"format": f"must be one of {', '.join(FORMATS)}"})
    settings = settings_behind(plane, connection_id)
    id_ = plane.explorer.place(settings, database, schema, table)
    if offset and not limit:
        limit = MAX_OFFSET
    pieces = plane.explorer.export(settings, database, id_, replace(asked, limit=limit, skip=offset), form)
    return _file(pieces, form.media_type, f"{table}.{format.lower()}")


@router.get(
    f"{BASE}/tables/{{table:path}}/cell",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}, "text/plain": {}}, "description": "the value"}},
)
def table_cell(
    connection_id: str,
    database: str,
    table: Table,
    plane: Plane,
    asked: Asked,
    column: str,
    schema: Schema = "",
    key: Annotated[str, Query(description='JSON: {"id": "7"}')] = "",
    offset: Offset = 0,
) -> Response:
    """The whole of one value, as it is: text in UTF-8, or bytes; nothing for NULL.

    The row is named by its key, or else by its place among those that the conditions let through.
    """
    settings = settings_behind(plane, connection_id)
    id_ = plane.explorer.place(settings, database, schema, table)
    with plane.explorer.browse(settings, database) as browser:
        found = browser.relation(id_).column(column)
    if found is None:
        raise invalid({"column": f"{column!r} is no column of {id_}"})
    query = replace(asked, columns=(column,), key=read_key(key), skip=offset)
    media, ending = ("application/octet-stream", "bin") if found.binary else ("text/plain; charset=utf-8", "txt")
    return _file(plane.explorer.cell(settings, database, id_, query), media, f"{table}.{column}.{ending}")


def _file(pieces: Iterator[bytes], media_type: str, name: str) -> Response:
    """A download; what goes wrong before its first piece is an error like any other."""
    first = next(pieces, b"")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return StreamingResponse(chain([first], pieces), media_type=media_type, headers=headers)


def _changes(path: str, kinds: tuple[str, ...], method: str, name: str, told: str) -> None:
    async def change_rows(
        connection_id: str, database: str, table: Table, request: Request, plane: Plane, schema: Schema = ""
    ) -> Any:
        sent, changes = read_changes(await read_object(request), kinds)
        place = (connection_id, database, sent.schema_name or schema, table)
        return await asyncio.to_thread(lambda: _applied(plane, *place, changes, dry=sent.dryRun))

    change_rows.__doc__ = told
    router.add_api_route(
        f"{BASE}/tables/{{table:path}}/rows/{path}", change_rows, methods=[method], name=name,
        response_model=browse_models.Changed, openapi_extra=json_body(Changes),
    )  # fmt: skip


_ALL = "All of it happens in one transaction, or none. `dryRun` answers the SQL alone."
_changes(
    "edit", ("edits",), "PATCH", "edit_rows", f"Change rows, each named by its key, if they still hold `old`. {_ALL}"
)
_changes("insert", ("inserts",), "POST", "insert_rows", f"Add rows. {_ALL}")
_changes("delete", ("deletes",), "DELETE", "delete_rows", f"Delete rows, each named by its key. {_ALL}")
_changes(
    "apply",
    ("edits", "inserts", "deletes"),
    "POST",
    "apply_rows",
    f"Delete, change and add rows, in this order. {_ALL}",
)


def _applied(
    plane: Services,
    connection_id: str,
    database: str,
    schema: str,
    table: str,
    changes: list[RowChange],
    *,
    dry: bool,
) -> dict[str, Any]:
    settings = settings_behind(plane, connection_id)
    with plane.explorer.browse(settings, database, _READ_S) as browser:
        relation = browser.relation(plane.explorer.place(settings, database, schema, table))
        relation = as_allowed(plane, connection_id, relation)
        if relation.reason:
            raise ConflictError(
                f"the rows of {relation.id} cannot be changed here: {relation.reason}",
                remedy="change them where the reason does not hold, or in the SQL console",
            )
        statements = browser.preview(relation, changes)
        if not dry:
            browser.apply(relation, changes)
    counts = {kind: sum(item.kind.value == kind for item in changes) for kind in ("insert", "edit", "delete")}
    return {
        "status": "success", "rows": len(changes), "inserted": counts["insert"], "updated": counts["edit"],
        "deleted": counts["delete"], "dryRun": dry, "statements": statements,
    }  # fmt: skip


def _since(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 1)
