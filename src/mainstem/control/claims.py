"""Takes streams that nobody leads: new ones, those whose leader is gone, and those that are to go on by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

from mainstem.contract.fleet import Unled
from mainstem.contract.store import StreamRecord
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
    """The claims of a process that leads streams."""

    def __init__(self, fleet: Fleet, supervisor: Supervisor, ends: Callable[[StreamRecord], Ends]) -> None:
        self._fleet, self._supervisor, self._ends = fleet, supervisor, ends
        self._first_seen_s: dict[str, float] = {}
        self._rounds = Rounds("claims", LOOK_S, self.look)

    def start(self) -> None:
        """Begin, if other processes may have left something, and this one may lead streams."""
        if self._fleet.shared and self._supervisor.runs_streams:
            self._rounds.start()

    def close(self) -> None:
        """Take no more."""
        self._rounds.close()

    def look(self) -> None:
        """Take what is there, but for what others who lead fewer streams should have."""
        found = [one for one in self._fleet.store.unled(_STATES) if _is_claimed(one.state, one.message)]
        now = time.monotonic()
        self._first_seen_s = {one.stream_id: self._first_seen_s.get(one.stream_id, now) for one in found}
        if not found:
            return
        led = self._fleet.led()
        mine = len(led.get(self._fleet.members.me.id, ()))
        least = min((len(led.get(other.id, ())) for other in self._fleet.members.others(Role.WRITER)), default=mine)
        for one in found:
            if (mine <= least or self._is_left(one, now)) and self._supervisor.take(one.stream_id, _wanted, self._ends):
                mine += 1

    def _is_left(self, one: Unled, now_s: float) -> bool:
        return now_s - self._first_seen_s[one.stream_id] >= PATIENCE_S


def _wanted(record: StreamRecord) -> bool:
    return _is_claimed(record.state, record.message)


def _is_claimed(state: RunState, message: str) -> bool:
    return state is not RunState.PAUSED or is_to_go_on(state, message)
