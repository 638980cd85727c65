"""`Fleet`: what a process knows of the others that use its store, and how it agrees with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mainstem.contract.fleet import FleetStore, Lease, Member, led_stream
from mainstem.control.leases import Leases
from mainstem.control.members import Membership
from mainstem.control.orders import Orders
from mainstem.errors import TransientError

_TRY_S = 0.05


@dataclass(frozen=True, slots=True)
class Fleet:
    """Members, leases and orders, as seen from this process.

    Attributes:
        shared: other processes may use the store at the same time.
    """

    store: FleetStore
    shared: bool
    members: Membership
    leases: Leases
    orders: Orders

    @classmethod
    def of(cls, store: FleetStore, me: Member, *, shared: bool) -> Fleet:
        """This process among the others of a store; not started yet."""
        return cls(
            store, shared, Membership(store, me, shared=shared), Leases(store, me.id, shared=shared),
            Orders(store, me.id, shared=shared),
        )  # fmt: skip

    def start(self, lost: Callable[[Lease], None]) -> None:
        """Be there. What an earlier process of a store that is not shared has left is void."""
        if not self.shared:
            self.store.reset()
        self.members.start()
        self.leases.start(lost)
        self.orders.start()

    def close(self) -> None:
        """Be there no more."""
        self.orders.close()
        self.leases.close()
        self.members.close()

    def led(self) -> dict[str, list[str]]:
        """Member → ids of the streams that it leads."""
        found: dict[str, list[str]] = {}
        for lease in self.store.leases():
            if led_stream(lease.name):
                found.setdefault(lease.holder, []).append(led_stream(lease.name))
        return found

    @contextmanager
    def alone(self, name: str, patience_s: float = 10.0) -> Iterator[Lease]:
        """Hold a lease for as long as the block lasts.

        Raises:
            TransientError: another process held it all the time.
        """
        deadline_s = time.monotonic() + patience_s
        while (lease := self.leases.acquire(name)) is None:
            if time.monotonic() > deadline_s:
                raise TransientError("another server is busy with the same", remedy="try again in a moment")
            time.sleep(_TRY_S)
        try:
            yield lease
        finally:
            self.leases.release(lease)
