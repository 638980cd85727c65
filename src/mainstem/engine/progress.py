"""Counters of a run, and the events that tell of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mainstem.contract.target import ChunkRecord, Receipt
from mainstem.engine.control import RunControl
from mainstem.engine.work import Attempt
from mainstem.errors import MainstemError, NotFoundError
from mainstem.model.change import Op
from mainstem.model.event import Category, Event, Level
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, ReportItem
from mainstem.model.run import ACTIVE, Progress, Rejected, RunState, TableProgress, TableState

if TYPE_CHECKING:
    from mainstem.model.stream import StreamTable

STAGES = {
    "planning": (1, "Reading the source's structure"),
    "structure": (2, "Creating the structure on the target"),
    "data": (3, "Copying rows"),
    "finishing": (4, "Foreign keys, sequences, views, statistics"),
    "streaming": (5, "Applying changes"),
    "done": (5, "Done"),
}
_LAST = 5


_UNDER_WAY = (TableState.COPYING, TableState.INDEXING)
_CUT_OFF = {
    RunState.TIME_LIMIT_REACHED: TableState.TIME_LIMIT_REACHED,
    RunState.EVENT_LIMIT_REACHED: TableState.EVENT_LIMIT_REACHED,
}


def now_us() -> int:
    """UTC microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class TableCounts:
    """What one target transaction did to a table; see `TableProgress`."""

    source: TableId
    ops: dict[Op, int] = field(default_factory=dict)
    truncates: int = 0
    missing: int = 0
    letters: int = 0
    dropped: int = 0
    bytes: int = 0
    coerced: dict[str, int] = field(default_factory=dict)


class Tracker:
    """Keeps the `Progress` of a run. All methods may be called from any thread.

    Rows of attempts under way are shown as read; they become part of the count when their chunk is durable.
    """

    def __init__(self, control: RunControl, listen: Callable[[Event], None]) -> None:
        self._lock = threading.Lock()
        self._control = control
        self._listen = listen
        self._progress = Progress()
        self._tables: dict[TableId, TableProgress] = {}
        self._since: dict[TableId, float] = {}
        self._active: set[Attempt] = set()
        self._told: dict[TableId, tuple[TableState, int, int]] = {}

    def say(
        self,
        message: str,
        *,
        level: Level = Level.INFO,
        category: Category = Category.GENERAL,
        part: str = "api",
        **data: object,
    ) -> None:
        """Send an event."""
        self._listen(Event(level, category, message, now_us(), part, dict(data)))

    def stage(self, name: str) -> None:
        """The run enters a stage of `STAGES`."""
        number, description = STAGES[name]
        with self._lock:
            self._progress.stage = name
        self.say(
            description,
            category=Category.PROGRESS,
            stage=number,
            percentage=number * 100 // _LAST,
            description=description,
        )

    def set_state(self, state: RunState) -> None:
        """The run's state."""
        with self._lock:
            self._progress.state = state
            if state is RunState.RUNNING and not self._progress.started_at_us:
                self._progress.started_at_us = now_us()

    def plan(self, plan: MigrationPlan) -> None:
        """Make a counter for each table of the plan, once."""
        with self._lock:
            new = [table for table in plan.tables if table.source not in self._tables]
            self._progress.report[:] = dict.fromkeys([*self._progress.report, *plan.report])
            for table in new:
                counter = TableProgress(
                    table.source, table.target, rows_estimate=table.rows_estimate, bytes_estimate=table.bytes_estimate
                )
                self._tables[table.source] = counter
                self._progress.tables.append(counter)
            for skipped in plan.skipped:
                if skipped not in self._tables:
                    self._tables[skipped] = TableProgress(skipped, TableId("", skipped.name), TableState.SKIPPED)
                    self._progress.tables.append(self._tables[skipped])
        for table in new:
            self.say(
                f"{table.source}: about {table.rows_estimate:,} rows",
                category=Category.TABLE_METADATA,
                part="source",
                table=str(table.source),
                estimatedRows=table.rows_estimate,
                estimatedSizeBytes=table.bytes_estimate,
            )

    def known_chunks(self, table: TableId, records: list[ChunkRecord]) -> None:
        """What the ledger says of a table when a run goes on."""
        with self._lock:
            counter = self._tables[table]
            counter.chunks_total = len(records)
            counter.chunks_done = sum(record.done and record.limit is None for record in records)
            counter.rows_written = sum(record.rows_written for record in records)
            counter.rows_rejected = sum(record.rows_rejected for record in records)
            counter.rows_read = counter.rows_written + counter.rows_rejected

    def set_chunks(self, table: TableId, count: int) -> None:
        """A table was cut."""
        with self._lock:
            self._tables[table].chunks_total = count

    def begin(self, attempt: Attempt) -> None:
        """An attempt starts. Since it was handed out its table may have been paused, or have failed."""
        with self._lock:
            table = attempt.table.source
            self._active.add(attempt)
            if table not in self._control.held and not attempt.failed:
                self._tables[table].state = TableState.COPYING
            self._since.setdefault(table, self._control.elapsed_s)

    def abandon(self, attempt: Attempt) -> None:
        """An attempt came to nothing."""
        with self._lock:
            self._active.discard(attempt)

    def abandon_all(self) -> None:
        """A round is over: attempts that are still under way came to nothing."""
        with self._lock:
            self._active.clear()

    def set_rejected(self, tables: Collection[TableId], rows: Sequence[Rejected]) -> None:
        """The rows of these tables that are put aside; durably, as the ledger says."""
        with self._lock:
            others = [row for row in self._progress.rejected if row.table not in tables]
            self._progress.rejected[:] = [*others, *(row for row in rows if row.table in tables)]

    def waited(self, *, source_s: float = 0.0, target_s: float = 0.0, lane_s: float = 0.0) -> None:
        """A lane's end has ended: see `Progress`."""
        with self._lock:
            self._progress.source_wait_s += source_s
            self._progress.target_wait_s += target_s
            self._progress.lane_s += lane_s

    def stream_tables(self, tables: Iterable[StreamTable]) -> None:
        """How tables of a replication stand."""
        with self._lock:
            for table in tables:
                counter = self._tables.get(table.source)
                if counter is None:
                    counter = self._tables[table.source] = TableProgress(table.source, table.plan.target)
                    self._progress.tables.append(counter)
                counter.target, counter.state = table.plan.target, table.state
                counter.error, counter.remedy = table.error, table.remedy

    def set_letters(self, letters: Mapping[TableId, int]) -> None:
        """Changes that are put aside, by table; all that there are."""
        with self._lock:
            for counter in self._tables.values():
                counter.letters = letters.get(counter.source, 0)

    def applied(self, counts: Iterable[TableCounts]) -> None:
        """A transaction with changes became durable."""
        at_us = now_us()
        with self._lock:
            for table in counts:
                counter = self._tables[table.source]
                counter.inserts += table.ops.get(Op.INSERT, 0)
                counter.updates += table.ops.get(Op.UPDATE, 0)
                counter.deletes += table.ops.get(Op.DELETE, 0)
                counter.truncates += table.truncates
                counter.missing += table.missing
                counter.letters += table.letters
                counter.dropped += table.dropped
                counter.bytes_read += table.bytes
                counter.applied_us = at_us
                for what, number in table.coerced.items():
                    counter.coerced[what] = counter.coerced.get(what, 0) + number

    def done(self) -> int:
        """Pieces of work that are done: chunks and whole tables."""
        with self._lock:
            return sum(table.chunks_done + (table.state is TableState.FINISHED) for table in self._tables.values())

    def durable(self, attempt: Attempt, receipt: Receipt, *, whole: bool = True) -> None:
        """An attempt became durable; its chunk is not whole when a limit cut it short."""
        with self._lock:
            self._active.discard(attempt)
            counter = self._tables[attempt.table.source]
            counter.rows_read += attempt.rows
            counter.bytes_read += attempt.bytes
            counter.rows_written += receipt.rows_written
            counter.rows_rejected += receipt.rows_rejected
            counter.chunks_done += whole
            self._progress.rejected.extend(receipt.rejected)
            for what, count in receipt.coerced.items():
                counter.coerced[what] = counter.coerced.get(what, 0) + count

    def table_state(self, table: TableId, state: TableState) -> None:
        """A table's state; FINISHED stops its clock and says so."""
        with self._lock:
            counter = self._tables[table]
            self._enter(counter, state)
            rows, seconds = counter.rows_written, counter.seconds
        if state is TableState.FINISHED:
            self.say(f"{table}: {rows:,} rows in {seconds:.1f} s", part="target", table=str(table))

    def change_state(self, table: TableId, of: Collection[TableState], to: TableState) -> TableState:
        """Give a table another state if it is in one of these; the one that it was in."""
        with self._lock:
            counter = self._tables[table]
            before = counter.state
            if before in of:
                self._enter(counter, to)
        return before

    def _enter(self, counter: TableProgress, state: TableState) -> None:
        counter.state = state
        if counter.source in self._since:
            counter.seconds = self._control.elapsed_s - self._since[counter.source]

    def table_built(self, table: TableId) -> None:
        """A table's keys are made; after a limit it is finished only if it has all of its rows."""
        counter, limit = self._tables[table], self._control.limit
        whole = limit is None or 0 < counter.chunks_total == counter.chunks_done
        self.table_state(table, TableState.FINISHED if whole or limit is None else _CUT_OFF[limit])

    def table_failed(self, table: TableId, error: MainstemError) -> None:
        """A table cannot be finished; the others go on."""
        with self._lock:
            counter = self._tables[table]
            counter.state, counter.error, counter.remedy = TableState.FAILED, error.message, error.remedy
        self.say(
            f"{table}: {error}", level=Level.ERROR, category=Category.ERROR, part="target", table=str(table),
            code=error.code,
        )  # fmt: skip

    def table_skipped(self, table: TableId, item: ReportItem) -> None:
        """A table that cannot be read is left out; the others go on."""
        with self._lock:
            counter = self._tables[table]
            counter.state, counter.error = TableState.SKIPPED, item.message
        self.report(item)

    def skipped_targets(self) -> set[TableId]:
        """The target's tables that are made and stay empty, as the source's cannot be read."""
        with self._lock:
            return {counter.target for counter in self._tables.values() if counter.state is TableState.SKIPPED}

    def failed_tables(self) -> list[TableProgress]:
        """Tables that failed so far."""
        return self._tables_in(lambda state: state is TableState.FAILED)

    def open_tables(self) -> list[TableProgress]:
        """Tables that are neither finished nor given up."""
        return self._tables_in(lambda state: state not in (TableState.FINISHED, TableState.FAILED, TableState.SKIPPED))

    def _tables_in(self, wanted: Callable[[TableState], bool]) -> list[TableProgress]:
        with self._lock:
            return [counter for counter in self._tables.values() if wanted(counter.state)]

    def table(self, table: TableId) -> TableProgress:
        """The live counter of a table."""
        return self._tables[table]

    def find(self, name: str) -> TableProgress:
        """The live counter of the table that a user calls so: ``table``, if that is enough, or ``schema.table``."""
        with self._lock:
            tables = list(self._tables.values())
        named = [table for table in tables if str(table.source) == name]
        found = named or [table for table in tables if table.source.name == name]
        if len(found) != 1:
            told = "is in several schemas; write schema.table" if found else "is not a table of the stream"
            raise NotFoundError(f"{name} {told}", remedy="name a table of the source", table=name)
        return found[0]

    def report(self, item: ReportItem) -> None:
        """Add to the report, once."""
        with self._lock:
            if item not in self._progress.report:
                self._progress.report.append(item)
        self.say(f"{item.object}: {item.message}", level=Level.WARN)

    def finish(self, state: RunState, error: MainstemError | None = None) -> Progress:
        """The run is over; returns the final progress."""
        with self._lock:
            progress = self._progress
            progress.state, progress.finished_at_us = state, now_us()
            for table in self._tables.values():
                if table.state in _UNDER_WAY + ACTIVE or (
                    table.state is TableState.PAUSED and table.source in self._control.held
                ):
                    table.state = TableState.STOPPED
            if error is not None:
                progress.error, progress.error_code, progress.remedy = error.message, error.code, error.remedy
        if error is not None:
            self.say(str(error), level=Level.ERROR, category=Category.ERROR, code=error.code)
        self.tell_stats()
        self.say(f"{state}: {progress.rows_written:,} rows written, {progress.rows_rejected:,} rejected")
        return self.snapshot()

    def snapshot(self) -> Progress:
        """A copy of the present counters."""
        with self._lock:
            progress = _copied(self._progress)
            under_way = [(attempt.table.source, attempt.rows, attempt.bytes) for attempt in self._active]
        counters = {counter.source: counter for counter in progress.tables}
        for table, rows, size in under_way:
            counters[table].rows_read += rows
            counters[table].bytes_read += size
        progress.elapsed_s = self._control.elapsed_s
        for counter in progress.tables:
            if counter.state in _UNDER_WAY and counter.source in self._since:
                counter.seconds = progress.elapsed_s - self._since[counter.source]
        return progress

    def tell_stats(self) -> None:
        """One STAT event for each table that has moved since the last time, and one for the total."""
        progress = self.snapshot()
        elapsed = max(progress.elapsed_s, 1e-3)
        for counter in progress.tables:
            now = counter.state, counter.rows_read, counter.rows_written + counter.changes
            if counter.state is not TableState.PENDING and self._told.get(counter.source) != now:
                self._told[counter.source] = now
                self._tell_stat(str(counter.source), str(counter.state), counter, max(counter.seconds, 1e-3))
        self._tell_stat("", str(progress.state), progress, elapsed)

    def _tell_stat(self, table: str, status: str, counter: TableProgress | Progress, elapsed: float) -> None:
        message, data = _stat(table, status, counter, elapsed)
        self.say(message, category=Category.STAT, part="target", **data)


def _stat(table: str, status: str, counter: TableProgress | Progress, elapsed: float) -> tuple[str, dict[str, Any]]:
    """The message and the members of a STAT event."""
    tables = counter.tables if isinstance(counter, Progress) else [counter]
    changed = sum(item.changes for item in tables)
    message = f"{table or 'total'}: {counter.rows_read:,} rows read, {counter.rows_written:,} written"
    return message + (f", {changed:,} changes applied" if changed else ""), {
        "table": table, "status": status, "events": counter.rows_written, "size": counter.bytes_read,
        "rate": counter.bytes_read / elapsed, "elapsed": elapsed, "failed": counter.rows_rejected,
    }  # fmt: skip


def table_stats(progress: Progress) -> Iterator[Event]:
    """A STAT event for each table that has begun."""
    for counter in progress.tables:
        if counter.state is not TableState.PENDING:
            message, data = _stat(str(counter.source), str(counter.state), counter, max(counter.seconds, 1e-3))
            yield Event(Level.INFO, Category.STAT, message, now_us(), "target", data)


def _copied(progress: Progress) -> Progress:
    """A copy that shares nothing which changes. Asked for many times a second, so not by `copy.deepcopy`."""
    return replace(
        progress,
        tables=[replace(counter, coerced=dict(counter.coerced)) for counter in progress.tables],
        report=list(progress.report),
        rejected=list(progress.rejected),
    )
