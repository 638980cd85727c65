"""/stream-configs: saved definitions, their plan, their start and their history."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from mainstem.api import eras, models, shapes
from mainstem.api.bodies import read_object
from mainstem.api.documents import json_body
from mainstem.api.services import Plane, Services
from mainstem.contract.store import ConfigRecord
from mainstem.control.config_body import EarlyConfig, LaterConfig

router = APIRouter(tags=["stream-configs"])
_BODY = json_body(EarlyConfig, LaterConfig)


@router.get(
    "/stream-configs", response_model=list[models.Config] | models.ConfigPage, response_model_exclude_unset=True
)
def list_configs(
    request: Request, plane: Plane, search: eras.Search = "", limit: eras.Limit = None, offset: eras.Offset = 0
) -> Any:
    """All configs: an array; for later clients an object with counts."""
    items = [shapes.config(record) for record in plane.configs.all()]
    return eras.listed(request, items, search, limit, offset)


@router.post("/stream-configs", response_model=models.Config, response_model_exclude_unset=True, openapi_extra=_BODY)
async def create_config(request: Request, plane: Plane) -> dict[str, Any]:
    """Save a config, in the early flat shape or the later nested one."""
    body = await read_object(request)
    return await asyncio.to_thread(lambda: _with_warnings(plane, plane.configs.create(body)))


@router.get("/stream-configs/{config_id}", response_model=models.Config, response_model_exclude_unset=True)
def get_config(config_id: str, plane: Plane) -> dict[str, Any]:
    """One config."""
    return shapes.config(plane.configs.get(config_id))


@router.put(
    "/stream-configs/{config_id}",
    response_model=models.Config,
    response_model_exclude_unset=True,
    openapi_extra=_BODY,
)
async def update_config(config_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """Replace a config; streams that were started before keep what they had."""
    body = await read_object(request)
    return await asyncio.to_thread(lambda: _with_warnings(plane, plane.configs.update(config_id, body)))


@router.delete("/stream-configs/{config_id}", status_code=204)
def delete_config(config_id: str, plane: Plane) -> Response:
    """Forget a config; its streams stay. 409 while one of them is active."""
    plane.configs.delete(config_id)
    return Response(status_code=204)


@router.put("/stream-configs/{config_id}/clone", response_model=models.Config, response_model_exclude_unset=True)
def clone_config(config_id: str, plane: Plane) -> dict[str, Any]:
    """A copy."""
    return shapes.config(plane.configs.clone(config_id))


@router.get("/stream-configs/{config_id}/history", response_model=list[models.HistoryLine])
def history(config_id: str, plane: Plane) -> Any:
    """Its streams, newest first."""
    plane.configs.get(config_id)
    return [shapes.history(record, plane.supervisor.progress(record)) for record in plane.streams.all(config_id)]


@router.delete("/stream-configs/{config_id}/runs", status_code=204)
def delete_runs(config_id: str, plane: Plane, force: bool = False) -> Response:
    """Forget all its streams that have ended (see DELETE /streams/{stream_id})."""
    plane.configs.get(config_id)
    plane.streams.forget(config_id, force=force)
    return Response(status_code=204)


@router.delete("/stream-configs/{config_id}/runs/{run_id}", status_code=204)
def delete_run(config_id: str, run_id: str, plane: Plane, force: bool = False) -> Response:
    """Forget one stream that has ended (see DELETE /streams/{stream_id})."""
    plane.streams.forget(config_id, [run_id], force=force)
    return Response(status_code=204)


@router.get("/stream-configs/{config_id}/plan", response_model=models.Plan)
def plan(config_id: str, plane: Plane) -> Any:
    """What a start would do: DDL, tables with estimates, and what cannot be carried over. Touches nothing."""
    return shapes.plan(*plane.streams.plan(config_id))


@router.post("/stream-configs/{config_id}/start", response_model=models.Stream)
def start(
    config_id: str,
    plane: Plane,
    snapshot: Annotated[str, Query(description="mode cdc: auto, always or never, for this stream alone")] = "",
) -> Any:
    """Begin a stream."""
    return shapes.stream(plane.streams.start(config_id, snapshot=snapshot))


def _with_warnings(plane: Services, record: ConfigRecord) -> dict[str, Any]:
    definition, _, _ = plane.configs.resolve(record.body)
    return shapes.config(record, definition.warnings)
