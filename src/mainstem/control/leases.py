"""The leases that this process holds: renewed as long as it lives, and given up in time when it cannot reach the store.

A lease lasts `LASTS_S` by the store's clock from when the store did what it was asked; this process counts `GIVE_UP_S`
by its own clock from before it asked. So it lets go before another one may take the lease, whatever the clocks say,
unless it is stopped altogether in between; then the target's fence holds (`contract.target`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mainstem.contract.fleet import FleetStore, Lease
from mainstem.control.rounds import Rounds
from mainstem.log import logger

LASTS_S = 6.0
RENEW_S = 1.5
GIVE_UP_S = 5.0
WATCH_S = 0.2
_FOR_EVER_S = 3e9
_log = logger(__name__)


@dataclass(slots=True)
class _Held:
    lease: Lease
    asked_s: float


class Leases:
    """May be used from any thread.

    Args:
        shared: others may want them; else they last as long as the process.
    """

    def __init__(self, store: FleetStore, holder: str, *, shared: bool) -> None:
        self._store, self._holder, self._shared = store, holder, shared
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._lost: Callable[[Lease], None] = lambda _lease: None
        self._robbed_s = -_FOR_EVER_S
        self._rounds = [Rounds("renew", RENEW_S, self._renew), Rounds("leases", WATCH_S, self._watch)]

    def start(self, lost: Callable[[Lease], None]) -> None:
        """Begin to renew.

        Args:
            lost: is told of each lease that is no longer this process's, from threads of ours; must not block.
        """
        self._lost = lost
        if self._shared:
            for each in self._rounds:
                each.start()

    def acquire(self, name: str, over: Lease | None = None) -> Lease | None:
        """The lease, if nobody holds it, this process included; or if ``over`` is the one that is held."""
        asked_s = time.monotonic()
        lease = self._store.acquire(name, self._holder, LASTS_S if self._shared else _FOR_EVER_S, over)
        if lease is not None:
            with self._lock:
                self._held[name] = _Held(lease, asked_s)
        return lease

    def release(self, lease: Lease) -> None:
        """Let others have it at once; a store that cannot be reached lets it run out."""
        self._forget(lease)
        try:
            self._store.release(lease)
        except Exception:
            _log.exception("a lease could not be released; it runs out by itself", lease=lease.name)

    def holder(self, name: str) -> str:
        """Who holds a lease now; empty for nobody."""
        return next((lease.holder for lease in self._store.leases() if lease.name == name), "")

    def robbed_within(self, seconds: float) -> bool:
        """Whether another process took one from this one of late."""
        return time.monotonic() - self._robbed_s < seconds

    def close(self) -> None:
        """Renew no more; what is still held runs out."""
        for each in self._rounds:
            each.close()

    def _forget(self, lease: Lease) -> bool:
        with self._lock:
            held = self._held.get(lease.name)
            if held is None or held.lease != lease:
                return False
            del self._held[lease.name]
            return True

    def _all(self) -> list[_Held]:
        with self._lock:
            return list(self._held.values())

    def _renew(self) -> None:
        held, asked_s = self._all(), time.monotonic()
        kept = set(self._store.renew([each.lease for each in held], LASTS_S))
        for each in held:
            if each.lease in kept:
                each.asked_s = asked_s
            else:
                self._robbed_s = time.monotonic()
                self._lose(each.lease, "another process has it")

    def _watch(self) -> None:
        for each in self._all():
            if time.monotonic() - each.asked_s > GIVE_UP_S:
                self._lose(each.lease, "the store did not answer in time")

    def _lose(self, lease: Lease, why: str) -> None:
        if self._forget(lease):
            _log.warning("a lease is lost", lease=lease.name, why=why)
            self._lost(lease)
