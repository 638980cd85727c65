"""Which hub the runs of a process use."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mainstem.contract.hub import Hub
from mainstem.hub.memory import MemoryHub

VARIABLE = "MAINSTEM_HUB"

HubsOf = Callable[[str], Callable[[int], Hub]]
"""Run's id → what makes its hubs, each bounded by so many bytes."""


def in_memory(_run_id: str) -> Callable[[int], Hub]:
    """The embedded hub."""
    return MemoryHub


@contextmanager
def hubs(setting: str, installation: str) -> Iterator[HubsOf]:
    """What the setting HUB says, ready to be used; NATS's client is loaded only if it is wanted.

    Raises:
        InvalidError, ConnectError: see `hub.address.read_address` and `hub.link.NatsLink.open`.
    """
    if not setting:
        yield in_memory
        return
    from mainstem.hub.address import read_address

    address = read_address(setting)
    if address is None:
        yield in_memory
        return
    from mainstem.hub.link import NatsLink
    from mainstem.hub.nats import NatsHubs

    with NatsLink(address, installation) as link:
        yield lambda run_id: NatsHubs(link, run_id)


def hubs_of_command(setting: str | None = None) -> AbstractContextManager[HubsOf]:
    """The same for a command that runs by itself, which is an installation of its own.

    Args:
        setting: None: the environment's. Settings are not loaded for it: it takes longer than a small copy.
    """
    return hubs(os.environ.get(VARIABLE, "") if setting is None else setting, f"command-{secrets.token_hex(6)}")
