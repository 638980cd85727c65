"""What users ask of a stream that runs, done by whichever process leads it."""

from __future__ import annotations

import time
from typing import Any

from mainstem.contract.fleet import stream_lease
from mainstem.control.fleet import Fleet
from mainstem.control.orders import Command, Do, LedElsewhereError
from mainstem.control.states import StateConflict
from mainstem.model.cutover import CutoverReport

PAUSE = Command("pause")
RESUME = Command("resume")
STOP = Command("stop")
PAUSE_TABLE = Command("pause_table")
RESUME_TABLE = Command("resume_table")
CUTOVER = Command("cutover", CutoverReport, lasts_s=60.0)
"""On top of what the user allows for it."""
RESYNC = Command("resync")
REPLAY = Command("replay", tuple[int, int], lasts_s=600.0)
COUNT_LETTERS = Command("count_letters")
_AGAIN_S = 0.1


class Commands:
    """Does a command here, if this process leads the stream or nobody does; else has its leader do it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._does: dict[Command, Do] = {}

    def does(self, command: Command, do: Do) -> None:
        """How this process does it."""
        self._does[command] = do
        self._fleet.orders.answer_with(command, do)

    def have(self, command: Command, stream_id: str, *args: Any, more_s: float = 0.0) -> Any:
        """Have something done; returns its result.

        Args:
            args: must survive JSON.
            more_s: how much longer than usual it may take.

        Raises:
            StateConflict: the process that led the stream is gone, and none has followed in time.
            MainstemError: what doing it raises, here or there.
        """
        lease, deadline_s = stream_lease(stream_id), time.monotonic() + command.lasts_s + more_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                return self._does[command](stream_id, *args)
            except LedElsewhereError:
                pass
            if self._fleet.leases.holder(lease) in {"", self._fleet.members.me.id}:
                time.sleep(_AGAIN_S)  # it is about to be led, or another thread of ours is busy with it
                continue
            try:
                return self._fleet.orders.ask(lease, command, args, left_s)
            except LedElsewhereError:
                continue
        raise StateConflict(
            f"no server leads stream {stream_id} now, or the one that does is too busy",
            remedy="try again in a moment; GET /system/members lists the servers",
            details={"field": "stream_state", "value": stream_id},
        )
