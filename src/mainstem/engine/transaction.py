"""A stream's transaction of the target under way: what it has done, and what is told once it is durable."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mainstem import failpoints
from mainstem.contract.apply import Applier
from mainstem.engine.ahead import Ahead
from mainstem.engine.counting import Counting
from mainstem.engine.evolution import RESYNC_REMEDY
from mainstem.engine.site import Site
from mainstem.errors import (
    AccountingError,
    InvalidError,
    MainstemError,
    PlanError,
    RowError,
    StatementError,
    TransientError,
)
from mainstem.model.event import Category, Level
from mainstem.model.names import TableId
from mainstem.model.run import TableState
from mainstem.model.stream import Checkpoint, DeadLetter, StreamTable

# Errors that say something about the changes; all others end the connection (see `engine.replication`).
OF_CHANGES = (RowError, StatementError, PlanError, InvalidError, AccountingError)


@dataclass(slots=True)
class Transaction:
    """One after the other, for the writer's thread.

    Attributes:
        ahead: given up where it would be in the way.
        hold: asked before the source is told what it need not keep: the position that it must keep on to, or empty.
        open: there is one under way.
        counts: of the one under way.
        saved_s: when the last one was durable.
    """

    applier: Applier
    site: Site
    ahead: Ahead
    hold: Callable[[], str] = lambda: ""
    open: bool = False
    counts: Counting = field(default_factory=Counting)
    saved_s: float = field(default_factory=time.monotonic)
    _told_missing: set[TableId] = field(default_factory=set)

    def begin(self) -> None:
        """Unless it is begun."""
        if not self.open:
            self.applier.begin()
            self.open = True

    def rollback(self) -> None:
        """Nothing of it was."""
        self.open = False
        self.applier.rollback()
        self.site.standing.revert()
        self.counts = Counting()

    def end(self, checkpoint: Checkpoint) -> None:
        """Commit it."""
        failpoints.hit("stream.before_commit")
        self.applier.commit(checkpoint)
        failpoints.hit("stream.committed")
        self.open = False
        counts, self.counts = self.counts, Counting()
        self.ended(checkpoint, counts)

    def ended(self, checkpoint: Checkpoint, counts: Counting) -> None:
        """One is durable, this or another."""
        site = self.site
        self.saved_s = time.monotonic()
        changed = site.standing.adopt(checkpoint)
        site.tracker.applied(counts.tables.values())
        self._tell_put_aside(counts)
        self._tell_missing(counts)
        site.lag.events += counts.events
        self._confirm()
        for table in changed:
            self._tell(table)

    def reject(self, letter: DeadLetter, told: str) -> None:
        """Put a change aside, which is ``told`` once it is durable."""
        self.applier.reject(letter)
        self.counts.of(letter.table).letters += 1
        self.counts.put_aside.append((letter.table, told))

    def discard(self, table: TableId, number: int | None = None) -> int:
        """See `contract.apply.Applier`; counted."""
        self.begin()
        there = self.applier.discard(table, number)
        self.counts.of(table).letters -= there
        return there

    def save(self, table: StreamTable) -> None:
        """Write a table's state down."""
        self.ahead.give_up("a table is in another state")
        self.begin()
        self.applier.save(table)
        self.site.standing.stage(table)

    def fail(self, table: TableId, error: MainstemError, told: str) -> None:
        """A table cannot go on; the others do."""
        self.begin()
        message = f"{told}: {error.message}"
        failed = replace(
            self.site.standing.tables[table], state=TableState.FAILED, error=message,
            remedy=f"{error.remedy}; then {RESYNC_REMEDY}" if error.remedy else RESYNC_REMEDY,
        )  # fmt: skip
        self.save(failed)

    def save_tables(self, tables: Sequence[StreamTable], position: str = "") -> None:
        """Write tables' states down in a transaction of their own; only between two others.

        Args:
            position: where the stream is to go on from, if that is another place than where it is.
        """
        if tables:
            for table in tables:
                self.save(table)
            here = self.site.standing.checkpoint
            self.end(replace(here, position=position or here.position))

    def alone(self, work: Callable[[], object]) -> MainstemError | None:
        """Do this in a transaction of its own, between two others; with an error of changes nothing of it is done."""
        self.ahead.give_up("something is done between two transactions")
        self.begin()
        try:
            work()
        except (*OF_CHANGES, TransientError) as exc:
            self.rollback()
            return exc
        self.end(self.site.standing.checkpoint)
        return None

    def run_statement(self, sql: str) -> str:
        """Run a statement that is no row's, between two transactions; why it was refused, or empty."""
        error = self.alone(lambda: self.applier.alter([sql]))
        return "" if error is None else error.message

    def _confirm(self) -> None:
        """Tell the source what it need not keep: never more than what is durable."""
        position = self.site.standing.checkpoint.position
        self.site.lag.reached(position)
        self.site.stream.confirm(self.hold() or position)
        failpoints.hit("stream.confirmed")

    def _tell(self, table: StreamTable) -> None:
        site = self.site
        site.tracker.stream_tables([table])
        if table.state is TableState.FAILED:
            site.tracker.say(
                f"{table.source}: {table.error} ({table.remedy})", level=Level.ERROR, category=Category.ERROR,
                part="target", table=str(table.source), code="table_failed",
            )  # fmt: skip

    def _tell_put_aside(self, counts: Counting) -> None:
        for table, told in counts.put_aside:
            self.site.tracker.say(told, level=Level.WARN, part="target", table=str(table))

    def _tell_missing(self, counted: Counting) -> None:
        for counts in counted.tables.values():
            if counts.missing and counts.source not in self._told_missing:
                self._told_missing.add(counts.source)
                self.site.tracker.say(
                    f"{counts.source}: {counts.missing:,} changes were about rows that the target did not have; the"
                    " target's rows were changed or deleted by somebody else, or were never copied",
                    level=Level.WARN, part="target", table=str(counts.source),
                )  # fmt: skip
