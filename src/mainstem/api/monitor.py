"""/streams/{id}/…: what the monitor shows: events as they happen, the course over time, troubles, runs compared."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from mainstem.api import briefs, monitor_models, shapes
from mainstem.api.documents import event_stream
from mainstem.api.models import Stream
from mainstem.api.services import Plane, Services
from mainstem.api.waking import Wake
from mainstem.api.watching import Message, Viewer
from mainstem.control import comparison
from mainstem.control.troubles import troubles as find_troubles
from mainstem.errors import NotFoundError
from mainstem.model.event import Level

router = APIRouter(tags=["monitor"])
PACE_S = 0.5
SLOW_PACE_S = 2.0
PING_S = 15
_Window = Literal["minutes", "hours", "all"]


@router.get("/streams/overview", response_model=list[monitor_models.Overview])
def overview(plane: Plane) -> Any:
    """Every config with its newest run, newest first; runs whose config was deleted are there too."""
    return briefs.overviews(plane)


@router.get(
    "/streams/{stream_id}/events",
    response_class=Response,
    responses=event_stream(),
)
async def events(
    stream_id: str,
    request: Request,
    plane: Plane,
    after: Annotated[int | None, Query(ge=0, le=2**62, description="the last line of the log that is known")] = None,
    tail: Annotated[int, Query(ge=0, le=10_000, description="without that: how many lines to begin with")] = 1000,
) -> EventSourceResponse:
    """How a stream stands, about twice a second while it runs, and its log, by Server-Sent Events.

    ``stats`` (all tables first, then what changed), ``log`` (lines; its id is the last one's number), ``points`` (of
    the timeline), ``state``, ``alert``; ``gone`` when the stream is deleted. A client that comes back with
    ``Last-Event-ID`` gets the lines that it missed; where some of these are no longer kept, ``missed`` says so.
    """
    record = await asyncio.to_thread(plane.streams.get, stream_id)
    last = request.headers.get("last-event-id", "")
    known = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
    return EventSourceResponse(
        _watch(plane, record.id, Viewer(plane, record.id, known, tail)),
        ping=PING_S,
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _watch(plane: Services, stream_id: str, viewer: Viewer) -> AsyncIterator[ServerSentEvent]:
    wake = Wake(plane.broadcaster, lambda told: told.stream_id == stream_id and "state" in told.event.data)
    done = object()
    try:
        while not wake.over:
            messages = viewer.step()
            try:
                while (message := await asyncio.to_thread(next, messages, done)) is not done:
                    if isinstance(message, Message):
                        yield _event(message)
            except NotFoundError:
                return
            await wake.wait(PACE_S if viewer.moves else SLOW_PACE_S)
    finally:
        wake.leave()


def _event(message: Message) -> ServerSentEvent:
    number = None if message.number is None else str(message.number)
    text = json.dumps(message.data, ensure_ascii=False, separators=(",", ":"))
    return ServerSentEvent(data=text, event=message.name, id=number, sep="\n")


@router.post("/streams/{stream_id}/tables/{table:path}/pause", response_model=Stream)
def pause_table(stream_id: str, table: str, plane: Plane) -> Any:
    """Hold one table while the others go on. A replication applies none of its changes, and must copy it anew later."""
    return shapes.stream(plane.streams.pause_table(stream_id, table))


@router.post("/streams/{stream_id}/tables/{table:path}/resume", response_model=Stream)
def resume_table(stream_id: str, table: str, plane: Plane) -> Any:
    """Go on with a table that is held; a replication copies it anew."""
    return shapes.stream(plane.streams.resume_table(stream_id, table))


@router.get("/streams/{stream_id}/timeline", response_model=monitor_models.Timeline)
def timeline(
    stream_id: str,
    plane: Plane,
    window: Annotated[
        _Window, Query(description="the last 10 minutes by the second, the last 3 hours, or all of it")
    ] = "all",
) -> Any:
    """Throughput and lag over time; also of a stream that has ended."""
    return plane.supervisor.timelines.columns(plane.streams.get(stream_id), window)


@router.get("/streams/{stream_id}/troubles", response_model=list[monitor_models.Trouble])
def troubles(stream_id: str, plane: Plane) -> Any:
    """What is wrong now, with its remedy; then what the log tells of earlier warnings and errors, newest first."""
    record = plane.streams.get(stream_id)
    lines = plane.streams.logs(record.id, [Level.WARN.value, Level.ERROR.value], 1000)
    found = find_troubles(record, plane.supervisor.progress(record), lines)
    return [
        {
            "kind": item.kind, "level": item.level.value, "open": item.open, "subject": item.subject,
            "message": item.message, "remedy": item.remedy, "code": item.code, "first": shapes.iso(item.first_us),
            "last": shapes.iso(item.last_us), "count": item.count,
        }
        for item in found
    ]  # fmt: skip


@router.get("/streams/{stream_id}/notes", response_model=monitor_models.RunNotes)
def notes(stream_id: str, plane: Plane) -> Any:
    """Rows that were put aside while tables were copied (the first 1,000), and what changes on the way."""
    progress = plane.supervisor.progress(plane.streams.get(stream_id))
    return {
        "rejected": [
            {"table": str(row.table), "key": row.key, "column": row.column, "reason": row.reason}
            for row in progress.rejected[:1000]
        ],
        "report": [shapes.report_item(item) for item in progress.report],
    }


@router.get("/stream-configs/{config_id}/compare", response_model=monitor_models.Comparison)
def compare(
    config_id: str,
    plane: Plane,
    left: Annotated[str, Query(description="a run of the config")],
    right: Annotated[str, Query(description="another")],
) -> Any:
    """Two runs side by side: settings that differ, and of each table durations, rows, rates and failures."""
    records = []
    for side in (left, right):
        record = plane.streams.get(side)
        if record.config_id != config_id:
            raise NotFoundError("that run is not of this config", remedy="GET /stream-configs/{id}/history lists them")
        records.append(record)
    progress = [plane.supervisor.progress(record) for record in records]
    sides = [
        {"stream": shapes.stream(record), "brief": briefs.brief(plane, record, how)}
        for record, how in zip(records, progress, strict=True)
    ]
    differing = comparison.settings(records[0].body, records[1].body)
    return {
        "left": sides[0],
        "right": sides[1],
        "settings": [{"setting": path, "left": one, "right": two} for path, one, two in differing],
        "tables": [
            {"name": pair.name, "left": briefs.table_side(pair.left), "right": briefs.table_side(pair.right)}
            for pair in comparison.pairs(*progress)
        ],
    }
