"""The way to another database as the one that is written to: quiet, applied, counted, equal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mainstem.contract.apply import ChangeTarget
from mainstem.contract.changes import ChangeSource
from mainstem.engine.applying import Applying
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.lag import Lag
from mainstem.engine.planner import sequences
from mainstem.engine.segments import Operations
from mainstem.engine.standing import Milestones, Orders, Standing
from mainstem.errors import LockedError, MainstemError
from mainstem.model.cutover import CutoverReport, TableCount
from mainstem.model.names import TableId
from mainstem.model.run import ACTIVE, RunOptions
from mainstem.model.stream import StreamTable

_TICK_S = 0.1
_EVERY = {"insert", "update", "delete", "truncate"}
_LISTED = 10
_GRACE_S = 10.0


@dataclass(slots=True)
class Cutover:
    """One attempt; changes nothing at the source, and of the target only its counters.

    Attributes:
        standing: how the stream stands; raises `ConflictError` when it does not run.
    """

    stream_id: str
    source: Endpoint
    target: Endpoint
    options: RunOptions
    changes: ChangeSource
    applies: ChangeTarget
    lag: Lag
    milestones: Milestones
    orders: Orders
    standing: Callable[[], Standing]
    _problems: list[str] = field(default_factory=list)
    _loose: set[TableId] = field(default_factory=set)  # whose numbers may differ

    def run(self, deadline_s: float, quiet_s: float) -> CutoverReport:
        """See `Replication.cutover`."""
        begun = time.monotonic()
        deadline = begun + deadline_s
        quiet = self._wait_quiet(deadline, quiet_s)
        waited_s = time.monotonic() - begun
        events = self.lag.events
        tables = self.standing().durable_tables
        self._check_tables(tables)
        if not quiet:
            return self._report(waited_s)
        followed = [table for table in tables if table.state in ACTIVE]
        try:
            with self.applies.book(self.stream_id) as book:
                self._check_letters(sum(book.count_letters().values()))
                counters = [*book.advance_counters(followed), *self._set_sequences(followed, deadline)]
            counts = tuple(self._counts(followed))
        except LockedError as exc:
            self._problems.append(f"somebody has a table locked: {exc.message}; try again when that is over")
            return self._report(waited_s)
        end = self.changes.end_position()
        if not self._reach(end, max(deadline, time.monotonic() + quiet_s)) or self.lag.events != events:
            self._problems.append("the source was written to while rows were counted; stop its writers and try again")
        else:
            self._check_counts(counts)
        return self._report(waited_s, counts, tuple(counters))

    def _wait_quiet(self, deadline: float, quiet_s: float) -> bool:
        """Wait until all that the source has committed is applied, and nothing more comes for a while."""
        if not self._reach(self.changes.end_position(), deadline):
            self._problems.append("what the source has committed was not applied in time; look at the lag")
            return False
        events, since = self.lag.events, time.monotonic()
        while time.monotonic() - since < quiet_s or self.lag.waiting:
            if time.monotonic() > deadline:
                self._problems.append("the source is still written to; stop its writers and try again")
                return False
            time.sleep(_TICK_S)
            if self.lag.events != events:
                events, since = self.lag.events, time.monotonic()
        return True

    def _reach(self, position: str, deadline: float) -> bool:
        """Wait until everything up to a position is durable in the target."""
        done = threading.Event()
        self.milestones.add(position, done.set, lasts=True)
        while not done.wait(_TICK_S):
            self.standing()
            if time.monotonic() > deadline:
                return False
        return True

    def _check_tables(self, tables: Iterable[StreamTable]) -> None:
        for table in tables:
            if table.state not in ACTIVE:
                self._problems.append(f"{table.source} is {table.state}: {table.error or 'its copy is not done'}")

    def _check_letters(self, letters: int) -> None:
        if letters:
            self._problems.append(f"{letters:,} changes are put aside; replay or discard them")

    def _set_sequences(self, tables: Sequence[StreamTable], deadline: float) -> list[str]:
        """Sequences that stand alone; returns those that were set."""
        done = threading.Event()
        told: list[str] = []
        try:
            statements = sequences(self.source, self.target, self.options, [table.source for table in tables])
        except MainstemError as exc:
            self._problems.append(f"sequences cannot be set: {exc.message}")
            return []

        def work(writer: Applying) -> None:
            for statement in statements:
                problem = writer.transaction.run_statement(statement.sql)
                if problem:
                    self._problems.append(f"sequence {statement.object} cannot be set: {problem}")
                else:
                    told.append(f"sequence {statement.object}")
            done.set()

        if statements:
            self.orders.add(work)
            while not done.wait(_TICK_S):
                self.standing()
                if time.monotonic() > deadline + _GRACE_S:
                    self._problems.append("sequences were not set in time")
                    break
        return told

    def _counts(self, tables: Sequence[StreamTable]) -> Iterable[TableCount]:
        operations = Operations(self.options.changes)
        soft = self.options.changes.soft_delete
        with (
            self.source.spec.inspector(self.source.settings) as source,
            self.target.spec.inspector(self.target.settings) as target,
        ):
            status = target.table_status([table.plan.target for table in tables]) if soft else {}
            for table in tables:
                left_out = sorted(_EVERY - operations.of(table.source))
                note = f"{', '.join(left_out)} is not applied, so that the rows may differ" if left_out else ""
                if left_out not in ([], ["update"]):
                    self._loose.add(table.source)
                plan = table.plan
                marked = soft if soft and soft in status[plan.target].columns else ""
                yield TableCount(
                    plan.source, plan.target, source.count(plan.source), target.count(plan.target, marked), note
                )

    def _check_counts(self, counts: Iterable[TableCount]) -> None:
        differing = [count for count in counts if not count.same and count.source not in self._loose]
        for count in differing[:_LISTED]:
            self._problems.append(
                f"{count.source} has {count.source_rows:,} rows, {count.target} has {count.target_rows:,}"
            )
        if len(differing) > _LISTED:
            self._problems.append(f"and {len(differing) - _LISTED} more tables differ")

    def _report(
        self, waited_s: float, counts: tuple[TableCount, ...] = (), counters: tuple[str, ...] = ()
    ) -> CutoverReport:
        position = self.standing().checkpoint.position
        return CutoverReport(not self._problems, position, waited_s, counts, counters, tuple(self._problems))
