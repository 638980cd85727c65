"""The records of streams: how they move and end in the store, by whoever holds a stream's lease."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mainstem.contract.fleet import Lease
from mainstem.contract.store import StateStore, StreamRecord
from mainstem.control.clock import now_us
from mainstem.control.orders import LedElsewhereError
from mainstem.control.progress import to_json
from mainstem.control.states import ENDING_OF, Move, after
from mainstem.errors import PositionLostError
from mainstem.model.run import Progress, RunState

START_ANEW = (
    "start the config anew with snapshot always (mainstem streams start CONFIG --snapshot always), then delete this"
    " stream"
)
ANEW: dict[str, str | int] = {"message": "", "error": "", "error_code": "", "remedy": "", "finished_us": 0}
"""What a record says no more once its stream runs again."""


class Records:
    """Writes nothing for who does not hold the lease any more: that raises `LedElsewhereError`."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def find(self, stream_id: str) -> StreamRecord:
        """One, which the caller knows to be there: only streams that have ended are deleted."""
        record = self._store.stream(stream_id)
        if record is None:
            raise LookupError(stream_id)
        return record

    def move(
        self,
        record: StreamRecord,
        move: Move | None,
        lease: Lease | None,
        progress: dict[str, Any] | None = None,
        **changes: str | int,
    ) -> StreamRecord:
        """The record after a move (none: in the same state), written down.

        Args:
            lease: none for a process that has the store to itself.
            progress: as it is now, as JSON, if there is a run; the record's own stays otherwise.
        """
        state = record.state if move is None else after(record.state, move, record.id)
        kept = record.progress if progress is None else {**progress, "state": state.value}
        moved = replace(record, state=state, progress=kept, **changes)  # type: ignore[arg-type]
        if not moved.started_us and state is RunState.RUNNING:
            moved = replace(moved, started_us=now_us())
        self._put(moved, lease)
        return moved

    def end(self, stream_id: str, progress: Progress, lease: Lease, *, handed_over: bool) -> tuple[RunState, RunState]:
        """Write down how a run ended; the states before and after.

        Args:
            handed_over: a run that was stopped goes on elsewhere or later, so that the record's state stays.
        """
        record = self.find(stream_id)
        if handed_over and progress.state is RunState.STOPPED:
            self._store.save_progress(record.id, to_json(replace(progress, state=record.state)), lease)
            return record.state, record.state
        state = after(record.state, ENDING_OF.get(progress.state, Move.FAIL), record.id)
        ended = replace(
            record,
            state=state,
            progress=to_json(replace(progress, state=state)),
            error=progress.error,
            error_code=progress.error_code,
            remedy=START_ANEW if progress.error_code == PositionLostError.code else progress.remedy,
            message="",
            finished_us=now_us(),
        )
        self._put(ended, lease)
        return record.state, state

    def _put(self, record: StreamRecord, lease: Lease | None) -> None:
        if not self._store.put_stream(record, lease):
            raise LedElsewhereError("another process has taken this stream over")
