"""Structure on the target: what is there already, the phases before the data, keys behind it, the rest at the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from mainstem import failpoints
from mainstem.contract.inspector import TableStatus
from mainstem.contract.target import Builder, Target
from mainstem.engine.progress import Tracker
from mainstem.errors import CancelledError, MainstemError, RowError, StatementError, TargetChangedError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, ReportItem, Severity, Statement, TablePlan
from mainstem.model.run import TableState

TARGET_REMEDY = (
    "somebody else has changed the target: put the table back as it was and resume, or begin a new run with"
    " schemaPolicy drop_and_recreate"
)
LAST_PHASES = (Phase.FOREIGN_KEYS, Phase.SEQUENCES, Phase.VIEWS, Phase.COMMENTS, Phase.ANALYZE)


def apply_all(builder: Builder, statements: Iterable[Statement], tracker: Tracker) -> None:
    """Run statements in order; an optional one that is refused goes into the report.

    Raises:
        StatementError: a statement that is not optional was refused.
    """
    for statement in statements:
        try:
            builder.apply(statement)
        except (StatementError, RowError) as exc:
            if not statement.optional:
                raise
            tracker.report(
                ReportItem(
                    Severity.WARNING, f"{statement.phase}_failed", statement.object,
                    f"the target refused it: {exc.message}", exc.remedy,
                )
            )  # fmt: skip


def check_count(table: TableId, expected: int, found: int) -> None:
    """Raise `TargetChangedError` unless a table that only this run has written to holds what it wrote."""
    if found != expected:
        other = "gone since" if found < expected else "not this run's"
        raise TargetChangedError(
            f"table {table} of the target holds {found:,} rows, but this run wrote {expected:,} into it:"
            f" {abs(found - expected):,} are {other}",
            remedy=TARGET_REMEDY,
            table=str(table),
        )


def check_there(table: TableId, status: TableStatus | None, written: int) -> None:
    """Raise `TargetChangedError` if a table that this run made, or wrote to, is gone or empty."""
    if status is None:
        raise TargetChangedError(
            f"table {table} is gone from the target, with {written:,} rows that this run wrote into it",
            remedy=TARGET_REMEDY,
            table=str(table),
        )
    if status.empty and written:
        check_count(table, written, 0)


class KeyBuilder:
    """Builds keys and indexes of tables whose rows are in, several at once, while other tables are still copied.

    A table's primary key, unique keys and checks go first, one after the other; its other indexes then go in parallel.
    Threads call `run`; `ready` may be called from any thread; `finish` says that no more tables will come.
    """

    def __init__(self, plan: MigrationPlan, tracker: Tracker, fresh: Callable[[TableId], bool]) -> None:
        self._tracker, self._fresh = tracker, fresh
        self._statements: dict[TableId | None, list[Statement]] = {}
        for statement in plan.phase(Phase.KEYS):
            self._statements.setdefault(statement.table, []).append(statement)
        self._changed = threading.Condition()
        self._queue: deque[tuple[TablePlan, tuple[Statement, ...]]] = deque()
        self._open: dict[TableId, int] = {}
        self._busy = 0
        self._closed = self._cancelled = False

    def ready(self, table: TablePlan) -> None:
        """All rows of a table that will come are durable. Said again, it does nothing."""
        with self._changed:
            if table.source in self._open:
                return
            self._open[table.source] = 1
        self._tracker.table_state(table.source, TableState.INDEXING)
        with self._changed:
            self._queue.append((table, ()))
            self._changed.notify_all()

    def finish(self) -> None:
        """No more tables will come; `run` ends when all is built."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop what is waiting."""
        with self._changed:
            self._queue.clear()
            self._closed = self._cancelled = True
            self._changed.notify_all()

    def run(self, target: Target, run_id: str, opened: Callable[[Builder], None]) -> None:
        """Build until there is nothing left."""
        with target.builder(run_id) as builder:
            opened(builder)
            while (work := self._take()) is not None:
                table, statements = work
                try:
                    if statements:
                        apply_all(builder, statements, self._tracker)
                    else:
                        self._first(builder, table)
                except (StatementError, RowError, TargetChangedError) as exc:
                    if self._cancelled:  # it says nothing about the table
                        raise CancelledError("the building of keys was broken off") from exc
                    self._failed(table, exc)
                finally:
                    self._release(table)

    def _first(self, builder: Builder, table: TablePlan) -> None:
        """Make what must be first, check the count, put the indexes into the queue.

        A server that builds a key counts the rows; it is asked for them only where it does not tell, or found others.
        """
        counter = self._tracker.table(table.source)
        expected = counter.rows_written if self._fresh(table.target) else None
        statements = self._statements.get(table.target, [])
        failpoints.hit("keys.before")
        try:
            apply_all(builder, (item for item in statements if not item.index), self._tracker)
        except (StatementError, RowError):
            self._check_count(builder, table, expected)  # rows of somebody else may be what was refused
            raise
        failpoints.hit("keys.after")
        if expected is not None and not builder.counted(table.target, expected):
            self._check_count(builder, table, expected)
        with self._changed:
            for statement in statements:
                if statement.index:
                    self._open[table.source] += 1
                    self._queue.append((table, (statement,)))
            self._changed.notify_all()

    def _check_count(self, builder: Builder, table: TablePlan, expected: int | None) -> None:
        if expected is not None:
            check_count(table.target, expected, builder.count(table.target))

    def _failed(self, table: TablePlan, error: MainstemError) -> None:
        self._tracker.table_failed(table.source, error)

    def _take(self) -> tuple[TablePlan, tuple[Statement, ...]] | None:
        with self._changed:
            while not self._queue and not (self._closed and self._busy == 0):
                self._changed.wait()
            if not self._queue:
                return None
            self._busy += 1
            return self._queue.popleft()

    def _release(self, table: TablePlan) -> None:
        with self._changed:
            self._busy -= 1
            self._open[table.source] -= 1
            finished = self._open[table.source] == 0
            self._changed.notify_all()
        if finished and self._tracker.table(table.source).state is not TableState.FAILED:
            self._tracker.table_built(table.source)
