"""/streams: runs, their moves, counters and logs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from mainstem.api import eras, models, shapes
from mainstem.api.bodies import read_object
from mainstem.api.documents import json_body
from mainstem.api.services import Plane, Services
from mainstem.api.stats import stats as shape_stats
from mainstem.control.config_body import EarlyConfig, LaterConfig
from mainstem.control.streams import CURRENT
from mainstem.errors import InvalidError, NotFoundError
from mainstem.model.event import Level

router = APIRouter(tags=["streams"])


@router.get("/streams", response_model=list[models.Stream] | models.StreamPage)
def list_streams(
    request: Request, plane: Plane, search: eras.Search = "", limit: eras.Limit = None, offset: eras.Offset = 0
) -> Any:
    """All streams, newest first: an array; for later clients an object with counts."""
    return eras.listed(request, [shapes.stream(record) for record in plane.streams.all()], search, limit, offset)


@router.post("/streams", response_model=models.Started, openapi_extra=json_body(EarlyConfig, LaterConfig))
async def create_and_start(request: Request, plane: Plane) -> Any:
    """Save a config and start it at once (the oldest way); when it cannot start, nothing is saved."""
    body = await read_object(request)
    record = await asyncio.to_thread(plane.streams.create_and_start, body)
    return {"status": "success", "id": record.id, "configId": record.config_id, "data": shapes.stream(record)}


@router.get("/streams/stat", response_model=models.Stats)
def current_stat(plane: Plane) -> Any:
    """Counters of the newest stream (an older path, which answers 400 when there is none)."""
    try:
        return _stats(plane, CURRENT)
    except NotFoundError as exc:
        raise InvalidError(exc.message, remedy=exc.remedy) from exc


@router.get("/streams/{stream_id}", response_model=models.Stream)
def get_stream(stream_id: str, plane: Plane) -> Any:
    """One stream; ``current`` is the newest."""
    return shapes.stream(plane.streams.get(stream_id))


@router.delete("/streams/{stream_id}", status_code=204)
def delete_stream(
    stream_id: str,
    plane: Plane,
    force: Annotated[bool, Query(description="also when what it left at its source cannot be taken away")] = False,
) -> Response:
    """Forget a stream that has ended; what a replication left at its source and in its target's book goes with it."""
    record = plane.streams.get(stream_id)
    plane.streams.forget(record.config_id, [record.id], force=force)
    return Response(status_code=204)


@router.get("/streams/{stream_id}/stats", response_model=models.Stats)
def stats(stream_id: str, plane: Plane) -> Any:
    """Counters per table and in total."""
    return _stats(plane, stream_id)


@router.get("/streams/{stream_id}/progress", response_model=models.Stats)
def progress(stream_id: str, plane: Plane) -> Any:
    """The same as stats."""
    return _stats(plane, stream_id)


@router.get("/streams/{stream_id}/logs", response_model=list[models.LogLine])
def logs(
    stream_id: str,
    plane: Plane,
    level: Annotated[str, Query(description="comma-separated: debug, info, warn, error")] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="only lines whose number is below this")] = None,
) -> Any:
    """The newest lines of its log, oldest first; ``before`` pages on to older ones."""
    levels = [part.strip().lower() for part in level.split(",") if part.strip()]
    levels = ["warn" if part == "warning" else part for part in levels]
    unknown = [part for part in levels if part not in set(Level)]
    if unknown:
        raise InvalidError("unknown level", fields={"level": f"must be of {', '.join(Level)}"})
    return [shapes.log_line(line) for line in plane.streams.logs(stream_id, levels, limit, before)]


@router.post("/streams/{config_id}/start", response_model=models.Stream)
def start(config_id: str, plane: Plane) -> Any:
    """Begin a stream of a config (the early path)."""
    return shapes.stream(plane.streams.start(config_id))


@router.post("/streams/{stream_id}/pause", response_model=models.Stream)
def pause(stream_id: str, plane: Plane) -> Any:
    """Hold; progress is kept. The source of a replication keeps its log meanwhile, which takes room there."""
    return shapes.stream(plane.streams.pause(stream_id))


@router.post("/streams/{stream_id}/resume", response_model=models.Stream)
def resume(stream_id: str, plane: Plane) -> Any:
    """Go on: after a pause, a failure, or the end of the server, from what is durable in the target."""
    return shapes.stream(plane.streams.resume(stream_id))


@router.post("/streams/{stream_id}/stop", response_model=models.Stream)
def stop(stream_id: str, plane: Plane) -> Any:
    """End for good; what is durable stays. The source keeps nothing more for a replication: pause to go on later."""
    return shapes.stream(plane.streams.stop(stream_id))


def _stats(plane: Services, stream_id: str) -> dict[str, Any]:
    record = plane.streams.get(stream_id)
    now = plane.supervisor.progress(record)
    total, tables = plane.supervisor.rates(record, now)
    return shape_stats(record, now, total, tables, plane.streams.reporting_interval_s(record))
