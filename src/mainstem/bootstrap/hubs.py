"""Which hub the runs of a process use."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from mainstem.contract.hub import Hub, HubAge, HubTraffic
from mainstem.hub.memory import MemoryHub

if TYPE_CHECKING:
    from mainstem.contract.fleet import Probe
    from mainstem.hub.link import NatsLink

VARIABLE = "MAINSTEM_HUB"


class HubsOf(Protocol):
    """Makes what makes the hubs of a run, each bounded by so many bytes."""

    def __call__(self, run_id: str) -> Callable[[int], Hub]:
        """For one start of this run."""
        ...

    def age(self, run_id: str) -> HubAge | None:
        """Of what waits there for this run; None if it may wait for ever."""
        ...


class InMemory:
    """The embedded hub."""

    link: NatsLink | None = None
    probe: Probe | None = None

    def __call__(self, run_id: str) -> Callable[[int], Hub]:
        """The same for every run."""
        return MemoryHub

    def age(self, run_id: str) -> HubAge | None:
        """It drops nothing."""
        return None

    def traffic(self) -> HubTraffic | None:
        """Nothing leaves the process."""
        return None


in_memory = InMemory()


class OnNats:
    """Hubs on one connection to NATS."""

    def __init__(self, link: NatsLink) -> None:
        from mainstem.hub.probing import Prober

        self.link = link
        self.probe = Prober(link)

    def __call__(self, run_id: str) -> Callable[[int], Hub]:
        """For one start of this run: what an earlier one left goes."""
        from mainstem.hub.nats import NatsHubs

        return NatsHubs(self.link, run_id)

    def age(self, run_id: str) -> HubAge | None:
        """Of what waits there for this run."""
        return self.link.age(run_id)

    def traffic(self) -> HubTraffic | None:
        """What passed, and what waits."""
        return self.link.measured()


class Behind(InMemory):
    """Hubs in memory, for what another process has sent through NATS already."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link

    def age(self, run_id: str) -> HubAge | None:
        """Of what waits in NATS for this run."""
        return None if self.link is None else self.link.age(run_id)


@contextmanager
def hubs(setting: str, installation: str) -> Iterator[InMemory | OnNats]:
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

    with NatsLink(address, installation) as link:
        yield OnNats(link)


def hubs_of_command(setting: str | None = None) -> AbstractContextManager[InMemory | OnNats]:
    """The same for a command that runs by itself, which is an installation of its own.

    Args:
        setting: None: the environment's. Settings are not loaded for it: it takes longer than a small copy.
    """
    return hubs(os.environ.get(VARIABLE, "") if setting is None else setting, f"command-{secrets.token_hex(6)}")
