"""The SQL console: queries of one statement or several, plans, exports, names for completion, the history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from mainstem.api import console_models as models
from mainstem.api import console_shapes as shapes
from mainstem.api.bodies import read_object
from mainstem.api.connections import settings_behind
from mainstem.api.documents import FILE, json_body
from mainstem.api.guard import BASE
from mainstem.api.problems import Json, problem
from mainstem.api.services import Plane, Services
from mainstem.control.console import MOST_AT_ONCE, Asked, Limits, Outcome
from mainstem.control.exports import FORMATS
from mainstem.control.validation import check
from mainstem.errors import NotFoundError
from mainstem.model.ids import new_id

router = APIRouter(tags=["console"])
Answer = TypeVar("Answer")
_ASK = "/connections/{connection_id}"
_ASK_IN = "/connections/{connection_id}/databases/{database}"
_LOOK_S = 0.5
# Threads of their own: a query may take long, and must not keep other requests waiting for one.
_THREADS = ThreadPoolExecutor(MOST_AT_ONCE + 4, thread_name_prefix="console")
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": models.QueryProblem, "description": "invalid data, or a statement was refused or broken off"}
}
Number = Annotated[int | None, Query(ge=0, le=2**53)]


@router.post(f"{_ASK}/query", response_model=models.QueryAnswer, responses=_REFUSED,
             openapi_extra=json_body(models.QueryBody))  # fmt: skip
async def query(connection_id: str, request: Request, plane: Plane) -> Response:
    """Run SQL, one statement after the other, until one is refused; each runs within its own time and size."""
    return await _query(connection_id, "", request, plane)


@router.post(f"{_ASK_IN}/query", response_model=models.QueryAnswer, responses=_REFUSED,
             openapi_extra=json_body(models.QueryBody))  # fmt: skip
async def query_in(connection_id: str, database: str, request: Request, plane: Plane) -> Response:
    """The same in another database of the connection."""
    return await _query(connection_id, database, request, plane)


async def _query(connection_id: str, database: str, request: Request, plane: Services) -> Response:
    body = check(models.QueryBody, await read_object(request))
    asked = _asked(body, database)

    def run() -> bytes:
        outcome = plane.consoles.run(connection_id, asked)
        return _rendered(outcome, body)

    rendered = await _watched(request, plane, connection_id, asked, run)
    return Response(rendered[1:], 200 if rendered[:1] == b"+" else 400, media_type="application/json; charset=utf-8")


def _rendered(outcome: Outcome, body: models.QueryBody) -> bytes:
    """The answer's bytes, made in the query's thread as they may be many; the first one says whether all is well."""
    if outcome.failure is None:
        return b"+" + Json(shapes.answer(outcome, body.query, results_only=body.results_only)).body
    return b"-" + Json({**problem(outcome.failure), "results": shapes.results(outcome, body.query)}).body


@router.post(f"{_ASK}/query/statements", response_model=models.Statements,
             openapi_extra=json_body(models.StatementsBody))  # fmt: skip
async def query_statements(connection_id: str, request: Request, plane: Plane) -> Any:
    """Cut a script into its statements and say what each would do; nothing is run."""
    body = check(models.StatementsBody, await read_object(request))
    found = await asyncio.to_thread(plane.consoles.statements, connection_id, body.query)
    return {"statements": [shapes.statement(one) for one in found]}


@router.post(f"{_ASK}/query/columns", response_model=models.QueryColumns,
             openapi_extra=json_body(models.StatementsBody))  # fmt: skip
async def query_columns(connection_id: str, request: Request, plane: Plane) -> Any:
    """The columns that one SELECT would return; it is not run to its end."""
    return await _columns(connection_id, "", request, plane)


@router.post(f"{_ASK_IN}/query/columns", response_model=models.QueryColumns,
             openapi_extra=json_body(models.StatementsBody))  # fmt: skip
async def query_columns_in(connection_id: str, database: str, request: Request, plane: Plane) -> Any:
    """The same in another database of the connection."""
    return await _columns(connection_id, database, request, plane)


async def _columns(connection_id: str, database: str, request: Request, plane: Services) -> Any:
    body = check(models.StatementsBody, await read_object(request))
    found = await asyncio.to_thread(
        lambda: plane.systems.query_columns(settings_behind(plane, connection_id), body.query, database=database)
    )
    columns = [{"name": one.name, "type": one.native, "nullable": one.nullable} for one in found]
    return {"columns": columns, "status": "ok"}


@router.post(f"{_ASK}/query/explain", response_model=models.Explained, responses=_REFUSED,
             openapi_extra=json_body(models.ExplainBody))  # fmt: skip
async def query_explain(connection_id: str, request: Request, plane: Plane) -> Any:
    """How the server would run one statement; with analyze how it did, and what it changed is undone."""
    body = check(models.ExplainBody, await read_object(request))
    asked = _asked(body, "")
    found, took_ms = await _watched(
        request, plane, connection_id, asked,
        lambda: plane.consoles.explain(connection_id, asked, analyze=body.analyze, as_text=body.format == "text"),
    )  # fmt: skip
    tree = None if found.tree is None else shapes.plan(found.tree)
    return {"text": found.text, "tree": tree, "analyzed": body.analyze, "durationMs": took_ms}


@router.post(f"{_ASK}/query/export", response_model=models.ExportTicket, responses=_REFUSED,
             openapi_extra=json_body(models.ExportBody))  # fmt: skip
async def query_export(connection_id: str, request: Request, plane: Plane) -> Any:
    """Ask for the whole result of one reading statement as a file, which the address in the answer gives, once."""
    body = check(models.ExportBody, await read_object(request))
    name = f"result.{body.format}"
    ask = plane.exports.ask
    export_id = await asyncio.to_thread(ask, connection_id, _asked(body, ""), body.format, name)
    return {"url": f"{BASE}/query-exports/{export_id}", "name": name}


@router.get("/query-exports/{export_id}", response_class=StreamingResponse,
            responses={200: FILE})  # fmt: skip
async def query_export_file(export_id: str, plane: Plane) -> Response:
    """The file that was asked for."""
    export = plane.exports.take(export_id)
    pieces = plane.exports.pieces(export)
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(_THREADS, _first, pieces)
    return StreamingResponse(
        chain(first, pieces),
        media_type=FORMATS[export.format].media_type,
        headers={"Content-Disposition": f'attachment; filename="{export.name}"'},
    )


def _first(pieces: Iterator[bytes]) -> list[bytes]:
    return [next(pieces)]


@router.post(f"{_ASK}/query/{{query_id}}/cancel", response_model=models.Cancelled)
def cancel_query(connection_id: str, query_id: str, plane: Plane) -> Any:
    """Break off what runs under this queryId; its own request is answered as cancelled. 404 if nothing does."""
    plane.consoles.cancel(connection_id, query_id)
    return {"status": "cancelled"}


@router.get(f"{_ASK}/names", response_model=models.NamesAnswer)
def names(connection_id: str, plane: Plane, database: str = "", refresh: bool = False) -> Any:
    """Schemas, tables and columns for completion; up to a minute old unless refresh."""
    return shapes.names(plane.consoles.names(connection_id, database, refresh=refresh))


@router.get("/query-history", response_model=models.QueryHistoryPage)
def query_history(
    plane: Plane,
    search: str = "",
    connection_id: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Number = None,
) -> Any:
    """What was run in the console, newest first; passwords in it are hidden."""
    history = plane.consoles.history
    found = history.list(search=search, connection_id=connection_id, limit=limit, before=before)
    return {"items": [shapes.history_line(record) for record in found], "on": history.on}


@router.delete("/query-history", status_code=204)
def forget_query_history(plane: Plane) -> Response:
    """Forget all that was run."""
    plane.consoles.history.clear()
    return Response(status_code=204)


@router.put("/query-history/settings", response_model=models.HistorySettings,
            openapi_extra=json_body(models.HistorySettings))  # fmt: skip
async def set_query_history(request: Request, plane: Plane) -> Any:
    """Whether what is run from now on is kept."""
    body = check(models.HistorySettings, await read_object(request))
    await asyncio.to_thread(lambda: plane.consoles.history.switch(on=body.on))
    return {"on": body.on}


def _asked(body: models.QueryBody, database: str) -> Asked:
    limits = Limits(body.limits.rows, body.limits.bytes, body.limits.cell_bytes, body.limits.seconds)
    query_id = body.query_id or new_id("query")
    return Asked(body.query, database or body.database, body.schema_name, body.read_only, query_id, limits)


async def _watched(
    request: Request, plane: Services, connection_id: str, asked: Asked, work: Callable[[], Answer]
) -> Answer:
    """The result of ``work``, done aside; it is broken off when nobody waits for the answer any more."""
    doing = asyncio.get_running_loop().run_in_executor(_THREADS, work)
    while not (await asyncio.wait({doing}, timeout=_LOOK_S))[0]:
        if await request.is_disconnected():
            try:
                await asyncio.to_thread(plane.consoles.cancel, connection_id, asked.query_id)
            except NotFoundError:
                break  # it has just ended
    return await doing
