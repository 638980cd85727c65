"""Takes streams that nobody leads: new ones, those whose leader is gone, and those that are to go on by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

from mainstem.contract.fleet import Lease, Probe, led_stream
from mainstem.contract.store import StreamRecord
from mainstem.control.absences import Absences
from mainstem.control.fleet import Fleet
from mainstem.control.members import Role
from mainstem.control.rounds import Rounds
from mainstem.control.runs import Ends
from mainstem.control.supervisor import Supervisor, is_to_go_on
from mainstem.model.run import RunState

LOOK_S = 0.5
PATIENCE_S = 1.0
"""For so long a stream is left to those who lead fewer."""
_STATES = (RunState.READY, RunState.RUNNING, RunState.PAUSED)


class Claims:
    """The claims of a process that leads streams.

    Args:
        probe: finds out whether those that lead are there; None: only their leases tell.
    """

    def __init__(
        self, fleet: Fleet, supervisor: Supervisor, ends: Callable[[StreamRecord], Ends], probe: Probe | None = None
    ) -> None:
        self._fleet, self._supervisor, self._ends = fleet, supervisor, ends
        self._first_seen_s: dict[str, float] = {}
        self._rounds = Rounds("claims", LOOK_S, self.look)
        self._absences = None if probe is None else Absences(fleet.store, fleet.members.me.id, fleet.leases, probe)

    def start(self) -> None:
        """Begin, if other processes may have left something, and this one may lead streams."""
        if self._fleet.shared and self._supervisor.runs_streams:
            self._rounds.start()
            if self._absences is not None:
                self._absences.start()

    def close(self) -> None:
        """Take no more."""
        self._rounds.close()
        if self._absences is not None:
            self._absences.close()

    def look(self) -> None:
        """Take what is there, but for what others who lead fewer streams should have."""
        lost = () if self._absences is None else self._absences.found()
        unled = [one for one in self._fleet.store.unled(_STATES) if _is_claimed(one.state, one.message)]
        found: dict[str, Lease | None] = {led_stream(lease.name): lease for lease in lost}
        found |= {one.stream_id: None for one in unled}
        now = time.monotonic()
        self._first_seen_s = {stream_id: self._first_seen_s.get(stream_id, now) for stream_id in found}
        if not found:
            return
        mine, least = self._led({lease.holder for lease in lost})
        for stream_id, over in found.items():
            wanted = mine <= least or self._is_left(stream_id, now)
            if wanted and self._supervisor.take(stream_id, _wanted, self._ends, over):
                mine += 1

    def _led(self, lost: set[str]) -> tuple[int, int]:
        """How many streams this process leads, and the one of the others that leads the fewest."""
        led, members = self._fleet.led(), self._fleet.members
        mine = len(led.get(members.me.id, ()))
        others = [other.id for other in members.others(Role.WRITER) if other.id not in lost]
        return mine, min((len(led.get(other, ())) for other in others), default=mine)

    def _is_left(self, stream_id: str, now_s: float) -> bool:
        return now_s - self._first_seen_s[stream_id] >= PATIENCE_S


def _wanted(record: StreamRecord) -> bool:
    return _is_claimed(record.state, record.message)


def _is_claimed(state: RunState, message: str) -> bool:
    return state is not RunState.PAUSED or is_to_go_on(state, message)
