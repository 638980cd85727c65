"""What the API calls: the control plane's parts, handed in by bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from mainstem.contract.hub import HubTraffic
from mainstem.contract.store import StateStore
from mainstem.control.browsing import Explorer
from mainstem.control.configs import Configs
from mainstem.control.connections import Connections
from mainstem.control.console import Consoles
from mainstem.control.events import Broadcaster
from mainstem.control.fleet import Fleet
from mainstem.control.keys import ApiKeys
from mainstem.control.query_exports import QueryExports
from mainstem.control.reach import Systems
from mainstem.control.replications import Replications
from mainstem.control.sessions import Sessions
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor


def _nothing() -> HubTraffic | None:
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """The control plane.

    Attributes:
        open_live: the live log needs no key (the server listens on loopback only).
        hosts: names that a browser may call this server by; none is any.
        hub_traffic: what passes through the hub, if it is not memory.
    """

    store: StateStore
    keys: ApiKeys
    connections: Connections
    configs: Configs
    streams: Streams
    replications: Replications
    systems: Systems
    explorer: Explorer
    supervisor: Supervisor
    broadcaster: Broadcaster
    install_id: str
    export_path: str
    cors_origins: tuple[str, ...]
    open_live: bool
    sessions: Sessions
    hosts: frozenset[str]
    consoles: Consoles
    exports: QueryExports
    fleet: Fleet
    hub_traffic: Callable[[], HubTraffic | None] = _nothing

    @property
    def cookie(self) -> str:
        """The session cookie's name. Ports of one machine share cookies, so it tells installations apart."""
        return f"mainstem_{self.install_id[-8:]}"


def services(request: Request) -> Services:
    """The services of the app that a request came to."""
    found = request.app.state.services
    if not isinstance(found, Services):
        raise TypeError("the app has no services")
    return found


Plane = Annotated[Services, Depends(services)]
