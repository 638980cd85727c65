"""/stream-configs: saved definitions, their plan, their start and their history."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from mainstem.api import shapes
from mainstem.api.bodies import read_object
from mainstem.api.services import Plane

router = APIRouter(tags=["stream-configs"])


@router.get("/stream-configs")
def list_configs(request: Request, plane: Plane) -> Any:
    """All configs; a bare array."""
    return shapes.listed(request, [shapes.config(record) for record in plane.configs.all()])


@router.post("/stream-configs")
async def create_config(request: Request, plane: Plane) -> dict[str, Any]:
    """Save a config, in the early flat shape or the later nested one."""
    body = await read_object(request)
    return shapes.config(await asyncio.to_thread(plane.configs.create, body))


@router.get("/stream-configs/{config_id}")
def get_config(config_id: str, plane: Plane) -> dict[str, Any]:
    """One config."""
    return shapes.config(plane.configs.get(config_id))


@router.put("/stream-configs/{config_id}")
async def update_config(config_id: str, request: Request, plane: Plane) -> dict[str, Any]:
    """Replace a config."""
    body = await read_object(request)
    return shapes.config(await asyncio.to_thread(plane.configs.update, config_id, body))


@router.delete("/stream-configs/{config_id}", status_code=204)
def delete_config(config_id: str, plane: Plane) -> Response:
    """Forget a config; its streams stay."""
    plane.configs.delete(config_id)
    return Response(status_code=204)


@router.put("/stream-configs/{config_id}/clone")
def clone_config(config_id: str, plane: Plane) -> dict[str, Any]:
    """A copy."""
    return shapes.config(plane.configs.clone(config_id))


@router.get("/stream-configs/{config_id}/history")
def history(config_id: str, plane: Plane) -> list[dict[str, Any]]:
    """Its streams, newest first."""
    plane.configs.get(config_id)
    return [shapes.history(record, plane.supervisor.progress(record)) for record in plane.streams.all(config_id)]


@router.get("/stream-configs/{config_id}/plan")
def plan(config_id: str, plane: Plane) -> dict[str, Any]:
    """What a start would do: DDL, tables with estimates, and what cannot be carried over. Touches nothing."""
    return shapes.plan(*plane.streams.plan(config_id))


@router.post("/stream-configs/{config_id}/start")
def start(config_id: str, plane: Plane) -> dict[str, Any]:
    """Begin a stream."""
    return shapes.stream(plane.streams.start(config_id))
