"""/streams/{id}/…: what only streams of mode cdc have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Query, Request, Response

from mainstem.api import models, shapes
from mainstem.api.bodies import read_object, read_optional_object
from mainstem.api.documents import CutoverBody, NumbersBody, json_body
from mainstem.api.services import Plane, Services
from mainstem.api.threads import Threads
from mainstem.api.waking import Wake
from mainstem.control.cutover import report_json
from mainstem.control.validation import check
from mainstem.errors import ConflictError
from mainstem.model.stream import DeadLetter, SchemaRecord

router = APIRouter(tags=["replication"])
P = ParamSpec("P")
R = TypeVar("R")
_LOOK_S = 0.25
_LONG = Threads(32, "long")  # for what may wait as long as it is allowed to, or as there are letters
Limit = Annotated[int, Query(ge=1, le=10_000, description="at most so many")]


@router.post(
    "/streams/{stream_id}/cutover",
    response_model=models.Cutover,
    openapi_extra=json_body(CutoverBody, required=False),
)
async def cutover(stream_id: str, request: Request, plane: Plane) -> Any:
    """Wait until the source is quiet and all of it is applied, set counters, compare counts; answers when that is done.

    Stop the writers of the source first. Nothing is changed there, and the stream runs on.
    """
    body = check(CutoverBody, await read_optional_object(request))
    report = await _outlasting(plane, plane.replications.cutover, stream_id, body.deadline_seconds, body.quiet_seconds)
    return report_json(report)


@router.post("/streams/{stream_id}/tables/{table:path}/resync", response_model=models.Stream)
def resync(stream_id: str, table: str, plane: Plane) -> Any:
    """Copy a table anew while the others stream; its rows in the target are deleted first. Answers at once.

    ``table`` is the source's name, with its schema in front where that is needed.
    """
    plane.replications.resync(stream_id, [table])
    return shapes.stream(plane.streams.get(stream_id))


@router.get("/streams/{stream_id}/dead-letters", response_model=list[models.DeadLetterLine])
def dead_letters(stream_id: str, plane: Plane, limit: Limit = 1000) -> Any:
    """Changes that the target refused and that were put aside, oldest first; never the row's values."""
    return [_letter(item) for item in plane.replications.letters(stream_id, limit)]


@router.post(
    "/streams/{stream_id}/dead-letters/replay",
    response_model=models.Replayed,
    openapi_extra=json_body(NumbersBody, required=False),
)
async def replay(stream_id: str, request: Request, plane: Plane) -> Any:
    """Apply them once more, all or those that are named; what goes in is forgotten. The stream must run."""
    body = check(NumbersBody, await read_optional_object(request))
    applied, refused = await _outlasting(plane, plane.replications.replay, stream_id, body.numbers)
    return {"applied": applied, "refused": refused}


@router.post("/streams/{stream_id}/dead-letters/discard", status_code=204, openapi_extra=json_body(NumbersBody))
async def discard(stream_id: str, request: Request, plane: Plane) -> Response:
    """Forget those that are named."""
    body = check(NumbersBody, await read_object(request))
    await asyncio.to_thread(plane.replications.discard, stream_id, body.numbers)
    return Response(status_code=204)


@router.get("/streams/{stream_id}/schema-changes", response_model=list[models.SchemaChangeLine])
def schema_changes(stream_id: str, plane: Plane, limit: Limit = 1000) -> Any:
    """The source's schema changes that were seen, and what became of each, newest last."""
    return [_change(item) for item in plane.replications.schema_changes(stream_id, limit)]


async def _outlasting(plane: Services, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What comes of something that may take long; `ConflictError` when the server is told to end before."""
    wake = Wake(plane.broadcaster, lambda _: False)
    doing = asyncio.ensure_future(_LONG.run(call, *args, **kwargs))
    try:
        while not (await asyncio.wait({doing}, timeout=_LOOK_S))[0]:
            if wake.over:
                raise ConflictError(
                    "the server is ending, and nobody knows what came of this", remedy="ask again when it is back"
                )
    finally:
        wake.leave()
    return await doing


def _letter(item: DeadLetter) -> dict[str, Any]:
    return {
        "number": item.number,
        "table": str(item.table),
        "operation": item.op.name.lower(),
        "key": item.key,
        "position": item.position,
        "column": item.column,
        "reason": item.reason,
    }


def _change(item: SchemaRecord) -> dict[str, Any]:
    return {
        "table": str(item.table),
        "change": item.change,
        "position": item.position,
        "outcome": item.outcome,
        "detail": item.detail,
        "at": shapes.iso(item.at_us),
    }
