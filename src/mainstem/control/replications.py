"""What only a stream of mode cdc can do: cut-over, a new copy of a table, letters put aside, schema changes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from mainstem.contract.store import StreamRecord
from mainstem.control.commands import COUNT_LETTERS, CUTOVER, REPLAY, RESYNC
from mainstem.control.states import StateConflict
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor
from mainstem.control.validation import invalid
from mainstem.engine.replication import Replication, discard_letters, stored_letters, stored_schema_changes
from mainstem.model.cutover import CutoverReport
from mainstem.model.run import Mode
from mainstem.model.stream import DeadLetter, SchemaRecord


class Replications:
    """The streams of mode cdc, beyond what every stream can do.

    All methods raise `NotFoundError` for a stream that is not there, and `StateConflict` for one of mode convert, or
    (where it says so) for one that does not run.
    """

    def __init__(self, streams: Streams, supervisor: Supervisor) -> None:
        self._streams = streams
        self._supervisor = supervisor
        self._commands = streams.commands
        self._commands.does(CUTOVER, self._cutover)
        self._commands.does(RESYNC, self._resync)
        self._commands.does(REPLAY, self._replay)
        self._commands.does(COUNT_LETTERS, self._count_letters)

    def cutover(self, stream_id: str, deadline_s: float, quiet_s: float) -> CutoverReport:
        """Wait for a quiet source with no lag, set counters, compare counts; see `Replication.cutover`. It must run."""
        record, _ = self._known(stream_id)
        more_s = deadline_s + quiet_s
        report: CutoverReport = self._commands.have(CUTOVER, record.id, deadline_s, quiet_s, more_s=more_s)
        return report

    def resync(self, stream_id: str, tables: Sequence[str]) -> None:
        """Begin to copy tables anew while the others stream. It must run."""
        record, _ = self._known(stream_id)
        self._commands.have(RESYNC, record.id, list(tables))

    def letters(self, stream_id: str, limit: int) -> list[DeadLetter]:
        """Changes that were put aside, oldest first."""
        record, run = self._known(stream_id)
        if run is not None:
            return run.letters(limit)
        _, target, options = self._streams.ends(record)
        return stored_letters(target, options, record.id, limit)

    def replay(self, stream_id: str, numbers: Sequence[int]) -> tuple[int, int]:
        """Apply letters once more (none named: all); how many went in, how many were refused again. It must run."""
        record, _ = self._known(stream_id)
        applied, refused = self._commands.have(REPLAY, record.id, list(numbers))
        return applied, refused

    def discard(self, stream_id: str, numbers: Sequence[int]) -> None:
        """Forget letters, which must be named."""
        if not numbers:
            raise invalid({"numbers": "is required: the numbers of the letters to forget"})
        record, _ = self._known(stream_id)
        _, target, options = self._streams.ends(record)
        discard_letters(target, options, record.id, numbers)
        with suppress(StateConflict):  # where it does not run they are counted when it does
            self._commands.have(COUNT_LETTERS, record.id)
        self._supervisor.say(record.id, f"dead letters forgotten: {', '.join(map(str, numbers))}")

    def schema_changes(self, stream_id: str, limit: int) -> list[SchemaRecord]:
        """Schema changes of the source that were seen, newest last."""
        record, run = self._known(stream_id)
        if run is not None:
            return run.schema_changes(limit)
        _, target, options = self._streams.ends(record)
        return stored_schema_changes(target, options, record.id, limit)

    def _known(self, stream_id: str) -> tuple[StreamRecord, Replication | None]:
        record = self._streams.get(stream_id)
        if record.mode != Mode.CDC:
            raise StateConflict(
                f"stream {record.id} is of mode {record.mode}; this is for streams of mode cdc",
                remedy="make a config with mode cdc",
                details={"field": "mode", "value": record.mode},
            )
        return record, self._supervisor.replication(record.id)

    def _led(self, stream_id: str, *, at_work: bool = False) -> Replication:
        run = self._supervisor.led_run(stream_id, at_work=at_work)
        if not isinstance(run, Replication):
            raise TypeError(type(run))  # the mode was looked at before
        return run

    def _cutover(self, stream_id: str, deadline_s: float, quiet_s: float) -> CutoverReport:
        report = self._led(stream_id, at_work=True).cutover(deadline_s, quiet_s=quiet_s)
        told = "it is safe to switch to the target" if report.safe else f"not safe yet: {'; '.join(report.problems)}"
        self._supervisor.say(stream_id, f"cut-over: {told}")
        return report

    def _resync(self, stream_id: str, tables: list[str]) -> None:
        self._led(stream_id).resync(tables)
        self._supervisor.say(stream_id, f"a new copy was asked for: {', '.join(tables)}")

    def _count_letters(self, stream_id: str) -> None:
        self._led(stream_id).count_letters()

    def _replay(self, stream_id: str, numbers: list[int]) -> tuple[int, int]:
        applied, refused = self._led(stream_id, at_work=True).replay_letters(numbers)
        self._supervisor.say(stream_id, f"dead letters applied again: {applied} went in, {refused} were refused")
        return applied, refused
