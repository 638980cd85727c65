"""Health, services, defaults, the user, and everything saved."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from mainstem import __version__
from mainstem.api import models, shapes
from mainstem.api.services import Plane
from mainstem.control.members import Role

open_router = APIRouter(tags=["system"])
"""Needs no key."""
router = APIRouter(tags=["system"])

_SERVICES = {
    "stream-api": Role.API, "stream-reader": Role.READER, "stream-writer": Role.WRITER, "nats": None, "vault": None,
}  # fmt: skip
_PLENTY = 10**15  # a limit that a usage bar can divide by


@open_router.get("/health")
def health() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok", "ping": "ok"}


@open_router.get("/ready")
def ready(plane: Plane) -> dict[str, str]:
    """The store answers; 503 when it does not."""
    plane.store.ready()
    return {"status": "ready"}


@open_router.get("/services/status")
def services_status(plane: Plane) -> dict[str, list[dict[str, str]]]:
    """The names that older clients look for: whether a process does what each of them stands for."""
    done = {role for member in plane.fleet.members.live() for role in member.roles}
    return {
        "services": [
            {"name": name, "status": "passing" if role is None or role in done else "critical"}
            for name, role in _SERVICES.items()
        ]
    }


@router.get("/system/members", response_model=list[models.Member])
def members(plane: Plane) -> Any:
    """The processes that use the store and live, the longest there first, and which streams each of them leads."""
    led = plane.fleet.led()
    return [
        {
            "id": member.id, "roles": list(member.roles), "host": member.host, "pid": member.pid,
            "version": member.version, "address": member.address, "started": shapes.iso(member.started_us),
            "seen": shapes.iso(member.seen_us), "streams": led.get(member.id, []),
            "answers": member.id == plane.fleet.members.me.id,
        }
        for member in plane.fleet.members.live()
    ]  # fmt: skip


@open_router.get("/system/defaults")
def defaults(plane: Plane) -> dict[str, str]:
    """Facts about this installation."""
    return {
        "defaultExportPath": plane.export_path,
        "mode": "server",
        "installId": plane.install_id,
        "version": __version__,
    }


@router.get("/user")
def user(request: Request) -> dict[str, Any]:
    """The one user of an open server; older clients call it to check the key, of which only the end is shown."""
    return {
        "userID": "local",
        "email": "",
        "name": "Mainstem",
        "stripeCustomerId": "",
        "trialEnd": 0,
        "apiKey": request.state.key_hint,
        "dailyUsage": [],
        "monthlyUsage": [],
        "subscriptionPeriodUsage": {"period_start": 0, "period_end": 0, "data_volume": 0},
        "subscription": {"id": 0, "name": "Open Source", "monthly_limit": _PLENTY, "price": 0},
        "subscriptionStatus": "active",
    }


@router.get("/user/configs", response_model=models.UserConfigs, response_model_exclude_unset=True)
def user_configs(plane: Plane) -> Any:
    """Everything saved; older clients call it first, though nothing here waits for that."""
    return {
        "status": "success",
        "connections": [shapes.connection(record) for record in plane.connections.all()],
        "streamConfigs": [shapes.config(record) for record in plane.configs.all()],
    }
