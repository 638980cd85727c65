"""/logs/stream: events as they happen, by Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from mainstem.api.services import Plane, Services
from mainstem.api.shapes import iso
from mainstem.control.clock import now_us
from mainstem.control.events import Told
from mainstem.model.event import Category, Event

router = APIRouter(tags=["live"])
HEARTBEAT_S = 15.0
MAX_WAITING = 10_000
_UNITS = ("B", "KB", "MB", "GB", "TB")


@router.get("/logs/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def live(request: Request, plane: Plane, streamId: str = "") -> EventSourceResponse:
    """Every event twice: as event ``log`` for later clients, unnamed for early ones; ``streamId`` picks one stream.

    ``connection`` comes first, ``heartbeat`` every 15 seconds without another event. After a reconnect
    (``Last-Event-ID``) the latest events that were missed come again.
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


class _Waiting:
    """Events on their way to one client, at most `MAX_WAITING`; what does not fit is counted and told."""

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Told | None] = asyncio.Queue()
        self.left_out = 0

    def hear(self, told: Told | None) -> None:
        """Take an event, from any thread, if it is of the stream that is wanted."""
        wanted = told is None or self._stream_id in {"", told.stream_id}
        if wanted and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, told)

    def _put(self, told: Told | None) -> None:
        if told is not None and self._queue.qsize() >= MAX_WAITING:
            self.left_out += 1
            return
        self._queue.put_nowait(told)

    async def next(self) -> Told | None:
        """The next event; None at the end. TimeoutError after `HEARTBEAT_S`."""
        return await asyncio.wait_for(self._queue.get(), HEARTBEAT_S)


async def _events(plane: Services, stream_id: str, after: int | None) -> AsyncIterator[ServerSentEvent]:
    waiting = _Waiting(stream_id)
    leave = plane.broadcaster.subscribe(waiting.hear, after)
    try:
        yield _named("connection", {"message": "connected", "timestamp": iso(now_us())})
        while True:
            try:
                told = await waiting.next()
            except TimeoutError:
                yield _named("heartbeat", {"timestamp": iso(now_us())})
                continue
            if told is None:
                return
            yield _named("log", _later(told), str(told.number))
            yield ServerSentEvent(data=json.dumps(_early(told)), sep="\n")
            if waiting.left_out:
                lost, waiting.left_out = waiting.left_out, 0
                text = f"{lost} lines were left out, because this client reads too slowly; the stream's log has them"
                yield _named("log", {"level": "warn", "category": "general", "type": "api", "message": text})
    finally:
        leave()


def _named(name: str, data: dict[str, Any], number: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(data), event=name, id=number, sep="\n")


def _later(told: Told) -> dict[str, Any]:
    event = told.event
    return {
        **event.data,
        "level": event.level.value,
        "timestamp": iso(event.at_us),
        "message": event.message,
        "type": event.part,
        "nodeId": f"{event.part}-{told.stream_id}",
        "streamId": told.stream_id,
        "category": event.category.value,
    }


def _early(told: Told) -> dict[str, Any]:
    event = told.event
    return {
        "msg": _early_text(event),
        "level": event.level.value,
        "ts": event.at_us // 1_000_000,
        "source": event.part,
        "type": event.part,
        "nodeId": f"{event.part}-{told.stream_id}",
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
