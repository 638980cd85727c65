"""What the API calls: the control plane's parts, handed in by bootstrap, and how a request reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from mainstem.contract.store import StateStore
from mainstem.control.configs import Configs
from mainstem.control.connections import Connections
from mainstem.control.events import Broadcaster
from mainstem.control.keys import ApiKeys
from mainstem.control.reach import Systems
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor
from mainstem.errors import UnauthorizedError


@dataclass(frozen=True, slots=True)
class Services:
    """The control plane. ``open_live``: the live log needs no key (the server listens on loopback only)."""

    store: StateStore
    keys: ApiKeys
    connections: Connections
    configs: Configs
    streams: Streams
    systems: Systems
    supervisor: Supervisor
    broadcaster: Broadcaster
    install_id: str
    export_path: str
    cors_origins: tuple[str, ...]
    open_live: bool


def services(request: Request) -> Services:
    """The services of the app that a request came to."""
    found = request.app.state.services
    if not isinstance(found, Services):
        raise TypeError("the app has no services")
    return found


Plane = Annotated[Services, Depends(services)]


def require_key(request: Request) -> None:
    """Raise `UnauthorizedError` unless the request carries a key in use: header X-API-Key, or ``?api_key=``."""
    key = request.headers.get("x-api-key") or request.query_params.get("api_key") or ""
    if not key or not services(request).keys.accepts(key):
        raise UnauthorizedError(
            "the API key is missing or wrong" if key else "the API key is missing",
            remedy="send it as header X-API-Key; mainstem key create makes one",
        )
