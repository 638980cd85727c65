"""Health, services, defaults, the user, metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from mainstem.api import shapes
from mainstem.api.services import Plane
from mainstem.model.run import RunState

open_router = APIRouter(tags=["system"])
"""Needs no key."""
router = APIRouter(tags=["system"])

_SERVICES = ("stream-api", "stream-reader", "stream-writer", "nats", "vault")
_PLENTY = 10**15  # a limit that a usage bar can divide by


@open_router.get("/health")
def health() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok", "ping": "ok"}


@open_router.get("/ready")
def ready(plane: Plane) -> dict[str, str]:
    """The store answers."""
    plane.store.ready()
    return {"status": "ready"}


@open_router.get("/services/status")
def services_status() -> dict[str, Any]:
    """The names that older clients look for; all of them live in this process."""
    return {"services": [{"name": name, "status": "passing"} for name in _SERVICES]}


@open_router.get("/system/defaults")
def defaults(plane: Plane) -> dict[str, str]:
    """Facts about this installation."""
    return {"defaultExportPath": plane.export_path, "mode": "server", "installId": plane.install_id}


@router.get("/user")
def user() -> dict[str, Any]:
    """The one user of an open server; also a check of the key."""
    return {
        "userID": "local",
        "email": "",
        "name": "Mainstem",
        "apiKey": "",
        "dailyUsage": [],
        "monthlyUsage": [],
        "subscription": {"id": 0, "name": "Open Source", "monthly_limit": _PLENTY, "price": 0},
        "subscriptionStatus": "active",
    }


@router.get("/user/configs")
def user_configs(plane: Plane) -> dict[str, Any]:
    """Everything saved; older clients call it first, and it needs no such call."""
    return {
        "status": "success",
        "connections": [shapes.connection(record) for record in plane.connections.all()],
        "streamConfigs": [shapes.config(record) for record in plane.configs.all()],
    }


@router.get("/metrics")
def metrics(plane: Plane) -> Response:
    """Prometheus text: rows, bytes and running time per stream."""
    registry = CollectorRegistry()
    labels = ["streamID", "status"]
    read = Counter("source_events_in", "Rows captured at the source", labels, registry=registry)
    written = Counter("target_events_out", "Rows durable in the target", labels, registry=registry)
    rejected = Counter("mainstem_rows_rejected", "Rows put aside", labels, registry=registry)
    size = Counter("mainstem_bytes_read", "Bytes of cells read", labels, registry=registry)
    running = Gauge("source_duration_seconds", "Running time without pauses", labels, registry=registry)
    active = Gauge("mainstem_streams_running", "Streams that run now", registry=registry)
    for record in plane.streams.all()[:100]:
        progress = plane.supervisor.progress(record)
        values = (record.id, record.state.value)
        read.labels(*values).inc(progress.rows_read)
        written.labels(*values).inc(progress.rows_written)
        rejected.labels(*values).inc(progress.rows_rejected)
        size.labels(*values).inc(progress.bytes_read)
        running.labels(*values).set(progress.elapsed_s)
        active.inc(record.state is RunState.RUNNING)
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")
