"""/logs/stream: events as they happen, by Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from mainstem.api.services import Plane, Services
from mainstem.api.shapes import iso
from mainstem.api.waking import Wake
from mainstem.contract.store import LogLine
from mainstem.control.clock import now_us
from mainstem.engine.progress import table_stats
from mainstem.model.event import Category, Event

router = APIRouter(tags=["live"])
HEARTBEAT_S = 15.0
PACE_S = 0.5
SETTLE_S = 0.05
"""So that what is told in one breath is read at once."""
MOST_LINES = 1000
_UNITS = ("B", "KB", "MB", "GB", "TB")


@router.get("/logs/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def live(request: Request, plane: Plane, streamId: str = "") -> EventSourceResponse:
    """Every event twice: as event ``log`` for later clients, unnamed for early ones; ``streamId`` picks one stream.

    ``connection`` comes first, ``heartbeat`` every 15 seconds without another event. After a reconnect
    (``Last-Event-ID``), to this server or another one of the same store, the events that were missed and are still kept
    come first.
    """
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
    return EventSourceResponse(
        _events(plane, streamId, after), ping=3600, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )


@router.head("/logs/stream", include_in_schema=False)
def live_head() -> Response:
    """What a GET would begin with."""
    return Response(media_type="text/event-stream")


class _Follower:
    """Reads what is new in the log, for one client. Its methods block on the store; one thread at a time.

    Nothing waits here: who reads slowly finds what it missed in the store, as long as it is kept there.
    """

    def __init__(self, plane: Services, stream_id: str, after: int | None) -> None:
        self._plane, self._stream_id, self._given = plane, stream_id, after
        self._after = 0
        self._told: dict[tuple[str, str], tuple[str, str]] = {}
        self.more = False

    def begin(self) -> None:
        """From here on nothing is missed; what comes is later than this, or than the number that was given."""
        self._plane.supervisor.flush()
        end = self._plane.store.log_end()
        self._after = end if self._given is None else min(self._given, end)  # a higher one is another store's

    def next(self) -> list[LogLine]:
        """The next lines; ``more`` is whether others wait."""
        self._plane.supervisor.flush()
        lines = self._plane.store.logs(self._stream_id, limit=MOST_LINES, after=self._after)
        self.more = len(lines) == MOST_LINES
        if lines:
            self._after = lines[-1].number
        totals = {line.stream_id: line.number for line in lines if line.event.category is Category.STAT}
        return [more for line in lines for more in (line, *self._tables(line, totals))]

    def _tables(self, line: LogLine, totals: dict[str, int]) -> Iterator[LogLine]:
        """Behind the last total of a stream, its tables that have moved; they are in no log, because they are many."""
        if totals.get(line.stream_id) != line.number:
            return
        record = self._plane.store.stream(line.stream_id)
        for event in () if record is None else table_stats(self._plane.supervisor.progress(record)):
            key, now = (line.stream_id, event.data["table"]), (event.message, event.data["status"])
            if self._told.get(key) != now:
                self._told[key] = now
                yield LogLine(line.number, line.stream_id, event)


async def _events(plane: Services, stream_id: str, after: int | None) -> AsyncIterator[ServerSentEvent]:
    wake = Wake(plane.broadcaster, lambda told: stream_id in {"", told.stream_id})
    follower = _Follower(plane, stream_id, after)
    spoke_s = time.monotonic()
    try:
        await asyncio.to_thread(follower.begin)
        yield _named("connection", {"message": "connected", "timestamp": iso(now_us())})
        while follower.more or not wake.over:
            for line in await asyncio.to_thread(follower.next):
                spoke_s = time.monotonic()
                yield _named("log", _later(line), str(line.number))
                yield ServerSentEvent(data=json.dumps(_early(line)), sep="\n")
            if time.monotonic() - spoke_s >= HEARTBEAT_S:
                spoke_s = time.monotonic()
                yield _named("heartbeat", {"timestamp": iso(now_us())})
            if not follower.more:
                await wake.wait(PACE_S)
                await asyncio.sleep(SETTLE_S)
    finally:
        wake.leave()


def _named(name: str, data: dict[str, Any], number: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(data), event=name, id=number, sep="\n")


def _later(line: LogLine) -> dict[str, Any]:
    event = line.event
    return {
        **event.data,
        "level": event.level.value,
        "timestamp": iso(event.at_us),
        "message": event.message,
        "type": event.part,
        "nodeId": f"{event.part}-{line.stream_id}",
        "streamId": line.stream_id,
        "category": event.category.value,
    }


def _early(line: LogLine) -> dict[str, Any]:
    event = line.event
    return {
        "msg": _early_text(event),
        "level": event.level.value,
        "ts": event.at_us // 1_000_000,
        "source": event.part,
        "type": event.part,
        "nodeId": f"{event.part}-{line.stream_id}",
    }


def _early_text(event: Event) -> str:
    """Free text, with the prefixes that early clients look for."""
    data = event.data
    if event.category is Category.PROGRESS:
        return f"[progress] {event.message} | STAGE:{data.get('stage', 0)}"
    if event.category is not Category.STAT or data.get("table"):
        return event.message
    elapsed = float(data.get("elapsed", 0.0))
    size = int(data.get("size", 0))
    return (
        f"[stat] {data.get('status', '')} | events: {data.get('events', 0)} | failed: {data.get('failed', 0)}"
        f" | size: {_size(size)} | rate: {_size(data.get('rate', 0.0))}/s"
        f" | avg rate: {_size(size / elapsed if elapsed else 0.0)}/s | elapsed: {elapsed:.1f}s"
    )


def _size(count: float) -> str:
    """Bytes to base 1024 with two decimals, as early clients print them."""
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} {_UNITS[-1]}"
