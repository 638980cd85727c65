"""/streams: runs, their moves, counters and logs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from mainstem.api import shapes
from mainstem.api.services import Plane, Services
from mainstem.control.streams import CURRENT

router = APIRouter(tags=["streams"])


@router.get("/streams")
def list_streams(request: Request, plane: Plane) -> Any:
    """All streams, newest first."""
    return shapes.listed(request, [shapes.stream(record) for record in plane.streams.all()])


@router.get("/streams/stat")
def current_stat(plane: Plane) -> dict[str, Any]:
    """Counters of the newest stream (an older path)."""
    return _stats(plane, CURRENT)


@router.get("/streams/{stream_id}")
def get_stream(stream_id: str, plane: Plane) -> dict[str, Any]:
    """One stream; ``current`` is the newest."""
    return shapes.stream(plane.streams.get(stream_id))


@router.get("/streams/{stream_id}/stats")
def stats(stream_id: str, plane: Plane) -> dict[str, Any]:
    """Counters per table and in total."""
    return _stats(plane, stream_id)


@router.get("/streams/{stream_id}/progress")
def progress(stream_id: str, plane: Plane) -> dict[str, Any]:
    """The same as stats."""
    return _stats(plane, stream_id)


@router.get("/streams/{stream_id}/logs")
def logs(
    stream_id: str, plane: Plane, level: str = "", limit: Annotated[int, Query(ge=1, le=2000)] = 500
) -> list[dict[str, Any]]:
    """The newest lines of its log, oldest first; ``level`` is a comma-separated choice."""
    levels = [part.strip() for part in level.split(",") if part.strip()]
    return [shapes.log_line(line) for line in plane.streams.logs(stream_id, levels, limit)]


@router.post("/streams/{config_id}/start")
def start(config_id: str, plane: Plane) -> dict[str, Any]:
    """Begin a stream of a config (the early path)."""
    return shapes.stream(plane.streams.start(config_id))


@router.post("/streams/{stream_id}/pause")
def pause(stream_id: str, plane: Plane) -> dict[str, Any]:
    """Hold; progress is kept."""
    return shapes.stream(plane.streams.pause(stream_id))


@router.post("/streams/{stream_id}/resume")
def resume(stream_id: str, plane: Plane) -> dict[str, Any]:
    """Go on from the finished chunks: after a pause, a failure, or the end of the server."""
    return shapes.stream(plane.streams.resume(stream_id))


@router.post("/streams/{stream_id}/stop")
def stop(stream_id: str, plane: Plane) -> dict[str, Any]:
    """End; what is durable stays."""
    return shapes.stream(plane.streams.stop(stream_id))


def _stats(plane: Services, stream_id: str) -> dict[str, Any]:
    record = plane.streams.get(stream_id)
    now = plane.supervisor.progress(record)
    total, tables = plane.supervisor.rates(record, now)
    return shapes.stats(record, now, total, tables)
