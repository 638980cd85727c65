"""The one place that names concrete hub and store; wires everything together and starts it.

What a single conversion needs is here; the server, and with it the web framework and the store, is loaded when it is
wanted, so that ``mainstem copy`` starts at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from mainstem.bootstrap.hubs import HubsOf, in_memory
from mainstem.engine.conversion import Conversion, Endpoint
from mainstem.model.event import Event
from mainstem.model.run import Mode, RunOptions

if TYPE_CHECKING:
    from mainstem.api.services import Services
    from mainstem.control.keys import ApiKeys
    from mainstem.engine.replication import Replication
    from mainstem.settings import Settings


def conversion(
    run_id: str,
    source: Endpoint,
    target: Endpoint,
    options: RunOptions,
    listen: Callable[[Event], None],
    begun: bool = False,
    hubs: HubsOf = in_memory,
) -> Conversion:
    """A run, on the embedded hub unless another is given."""
    return Conversion(run_id, source, target, options, listen, hubs(run_id), begun=begun)


def replication(
    run_id: str,
    source: Endpoint,
    target: Endpoint,
    options: RunOptions,
    listen: Callable[[Event], None],
    begun: bool = False,
    hubs: HubsOf = in_memory,
) -> Replication:
    """A stream, on the embedded hub unless another is given."""
    from mainstem.engine.replication import Replication

    age = partial(hubs.age, run_id)
    return Replication(run_id, source, target, options, listen, hubs(run_id), begun=begun, hub_age=age)


def run_of(
    run_id: str,
    source: Endpoint,
    target: Endpoint,
    options: RunOptions,
    listen: Callable[[Event], None],
    begun: bool = False,
    hubs: HubsOf = in_memory,
) -> Conversion | Replication:
    """The run that the options' mode asks for."""
    make = replication if options.mode is Mode.CDC else conversion
    return make(run_id, source, target, options, listen, begun, hubs)


def serve(settings: Settings) -> None:
    """Run the server until SIGINT or SIGTERM; see `server.serve`."""
    from mainstem.bootstrap import server

    server.serve(settings)


def api_keys(settings: Settings) -> AbstractContextManager[ApiKeys]:
    """The API keys of the store; see `home.api_keys`."""
    from mainstem.bootstrap import home

    return home.api_keys(settings)


def move_store(settings: Settings, target_url: str) -> dict[str, int]:
    """Copy the settings' store into another one; see `store.moving.move`."""
    from mainstem.store.moving import move

    return move(settings.resolved_store_url, target_url)


def control_plane(settings: Settings) -> AbstractContextManager[tuple[Services, str | None]]:
    """The control plane of a server, running; see `server.control_plane`."""
    from mainstem.bootstrap import server

    return server.control_plane(settings)
