"""Leaders that cannot be reached by the hub, found before their lease runs out, or while they renew it in vain.

A process that the hub does not know any more is dead or cut off, and one that is cut off from the hub stands still. So
its stream is better led by another one; the fence in the target makes a wrong guess harmless (`contract.target`), and
what is asked for here makes it rare.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from mainstem.contract.fleet import FleetStore, Lease, Presence, Probe, led_stream
from mainstem.control.leases import Leases
from mainstem.control.rounds import Rounds
from mainstem.log import logger

PROBE_S = 0.5
ABSENT_ROUNDS, SILENT_ROUNDS = 4, 5
"""A leader is given up after so many probes in a row without a listener (1.5 s), or without an answer (about 5 s)."""
FRESH_S = 3.0
"""For so long a verdict stands, if the store cannot be asked who leads now."""
DOUBT_S = 60.0
"""Who has lost a lease to another process may be the one that is cut off: for so long it takes none itself."""
_log = logger(__name__)


@dataclass(slots=True)
class _Known:
    """A holder of leases; only one that has been met through this hub can be missed there."""

    met: bool = False
    absent: int = 0
    missed: int = 0

    @property
    def is_lost(self) -> bool:
        return self.met and (self.absent >= ABSENT_ROUNDS or self.missed >= SILENT_ROUNDS)

    def take(self, presence: Presence) -> None:
        if presence is Presence.THERE:
            self.met = True
        if presence in (Presence.THERE, Presence.UNKNOWN):
            self.absent = self.missed = 0
        else:
            self.absent = self.absent + 1 if presence is Presence.ABSENT else 0
            self.missed += 1


class Absences:
    """Probes all that lead streams, from a thread of its own.

    Args:
        me: this process, which is not probed.
        leases: those of this process.
    """

    def __init__(self, store: FleetStore, me: str, leases: Leases, probe: Probe) -> None:
        self._store, self._me, self._leases, self._probe = store, me, leases, probe
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._found: tuple[Lease, ...] = ()
        self._looked_s = 0.0
        self._rounds = Rounds("probes", PROBE_S, self.look)

    def start(self) -> None:
        """Begin."""
        self._rounds.start()

    def close(self) -> None:
        """Probe no more."""
        self._rounds.close()

    def found(self) -> tuple[Lease, ...]:
        """Leases of streams that may be taken from those that hold them."""
        with self._lock:
            stale = time.monotonic() - self._looked_s > FRESH_S
            return () if stale or self._leases.robbed_within(DOUBT_S) else self._found

    def look(self) -> None:
        """Probe once."""
        held = [lease for lease in self._store.leases() if led_stream(lease.name) and lease.holder != self._me]
        presences = self._probe({lease.holder for lease in held})
        known = {holder: self._known.get(holder, _Known()) for holder in presences}
        for holder, presence in presences.items():
            was_lost = known[holder].is_lost
            known[holder].take(presence)
            if known[holder].is_lost and not was_lost:
                _log.warning("a process that leads streams is lost", member=holder, why=f"it {presence.value}")
        with self._lock:
            self._known, self._looked_s = known, time.monotonic()
            self._found = tuple(lease for lease in held if known[lease.holder].is_lost)
