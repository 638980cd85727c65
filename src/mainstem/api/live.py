"""/logs/stream: events as they happen, by Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from mainstem.api.services import Plane, Services, require_key
from mainstem.control.events import Told

router = APIRouter(tags=["live"])
HEARTBEAT_S = 15.0
_QUEUE = 10_000


@router.get("/logs/stream")
async def live(request: Request, plane: Plane, streamId: str = "") -> EventSourceResponse:
    """Every event twice: as event ``log`` for later clients, unnamed for early ones; ``streamId`` picks one stream."""
    if not plane.open_live:
        require_key(request)
    last = request.headers.get("last-event-id", "")
    return EventSourceResponse(_events(plane, streamId, int(last) if last.isdigit() else None), ping=3600)


async def _events(plane: Services, stream_id: str, after: int | None) -> AsyncIterator[ServerSentEvent]:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Told | None] = asyncio.Queue(_QUEUE)

    def put(told: Told | None) -> None:
        if not queue.full():  # a reader that is too slow misses lines; the stream's log has them
            queue.put_nowait(told)

    def hear(told: Told | None) -> None:
        loop.call_soon_threadsafe(put, told)

    leave = plane.broadcaster.subscribe(hear, after)
    try:
        yield _named("connection", {"message": "connected", "timestamp": _now()})
        while True:
            try:
                told = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
            except TimeoutError:
                yield _named("heartbeat", {"timestamp": _now()})
                continue
            if told is None:
                return
            if not stream_id or told.stream_id == stream_id:
                yield _named("log", _log(told), str(told.number))
                yield ServerSentEvent(data=json.dumps(_early(told)), sep="\n")
    finally:
        leave()


def _named(name: str, data: dict[str, Any], number: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(data), event=name, id=number, sep="\n")


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _log(told: Told) -> dict[str, Any]:
    event = told.event
    return {
        **event.data,
        "level": event.level.value,
        "timestamp": datetime.fromtimestamp(event.at_us / 1e6, UTC).isoformat(),
        "message": event.message,
        "type": event.part,
        "nodeId": f"{event.part}-{told.stream_id}",
        "streamId": told.stream_id,
        "category": event.category.value,
    }


def _early(told: Told) -> dict[str, Any]:
    """Free text with the prefixes that early clients look for."""
    event = told.event
    text = event.message
    data = event.data
    if event.category == "stat":
        text = (
            f"[stat] {data['status']} | events: {data['events']} | failed: {data['failed']} | size: {data['size']}"
            f" | rate: {data['rate']:.0f} | avg rate: {data['rate']:.0f} | elapsed: {data['elapsed']:.1f}s"
        )
    elif event.category == "progress":
        text = f"[progress] {text} | STAGE:{data['stage']}"
    return {"msg": text, "level": event.level.value, "ts": event.at_us // 1_000_000, "type": event.part,
            "nodeId": f"{event.part}-{told.stream_id}"}  # fmt: skip
