"""The writing end of a stream: groups into the target, as many in one transaction as wait, with the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mainstem import failpoints
from mainstem.contract.apply import Applier
from mainstem.engine import traced
from mainstem.engine.ahead import Ahead
from mainstem.engine.counting import Counting
from mainstem.engine.evolution import RESYNC_REMEDY, Evolution, Outcome
from mainstem.engine.intake import MAX_ROWS, Batch, Intake
from mainstem.engine.letters import key_of, letter
from mainstem.engine.segments import Changes, Operations, apply_in_halves, join
from mainstem.engine.site import ReadAgainError, Site
from mainstem.errors import (
    AccountingError,
    InvalidError,
    MainstemError,
    PlanError,
    RowError,
    StatementError,
    TransientError,
)
from mainstem.model.change import ChangeGroup, Idle, RowChanges, SchemaChange, Truncate
from mainstem.model.event import Category, Level
from mainstem.model.names import TableId
from mainstem.model.run import ChangeErrorPolicy, RunState, TableState
from mainstem.model.stream import Checkpoint, StreamTable

MAX_ATTEMPTS = 5
RETRY_DELAY_S = 0.2
IDLE_CHECKPOINT_S = 3.0
# Errors that say something about the changes; all others end the connection (see `engine.replication`).
OF_CHANGES = (RowError, StatementError, PlanError, InvalidError, AccountingError)


@dataclass(slots=True)
class Applying:
    """The writer of one connection. `run` ends when the lane is closed and empty, or at the limit of events.

    Attributes:
        hold: asked before the source is told what it need not keep: the position that it must keep on to, or empty.
    """

    applier: Applier
    site: Site
    evolution: Evolution
    ended: Callable[[], None]
    hold: Callable[[], str] = lambda: ""
    _operations: Operations = field(init=False)
    _intake: Intake = field(init=False)
    _open: bool = False  # a transaction of the target is under way
    _pieces: bool = False  # … with pieces of a source transaction that are not held in memory any more
    _ahead: Ahead = field(init=False)
    _counts: Counting = field(default_factory=Counting)  # of the transaction under way
    _told_missing: set[TableId] = field(default_factory=set)
    _causes: dict[TableId, str] = field(default_factory=dict)  # why tables' rows are refused, once looked for
    _outcome: Outcome | None = None  # of the schema change that the batch ends with
    _idle: str = ""  # where the log was read up to without anything of ours
    _number: int = 0  # of the last frame that is looked at
    _saved_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._operations = Operations(self.site.options.changes)
        site = self.site
        self._intake = Intake(site.lane)
        self._ahead = Ahead(self.applier, self._operations, site.standing, site.stream.answer, site.check_over)

    def run(self) -> None:
        """Apply frames until there are no more."""
        try:
            while (batch := self._intake.take(max(self._left(), 1))) is not None:
                if not self._open:
                    self._wait_while_paused()
                with traced.applying(batch.frames, batch.traces):
                    self._try(batch)
                batch.frames.clear()  # which may be large, while the next ones are waited for
                if not self._open and not self._between(batch.number):
                    break
        finally:
            self._ahead.close()
            if self._open:
                self._rollback()

    def interrupt(self) -> None:
        """From another thread: have the target break off what runs now."""
        self.applier.interrupt()
        self._ahead.interrupt()

    def _wait_while_paused(self) -> None:
        if self.site.control.paused:
            self._ahead.give_up("the stream is paused")
        self.site.control.wait_while_paused()

    def _try(self, batch: Batch) -> None:
        """Apply a batch; what the target breaks off for a moment is done again, as long as all of it is at hand."""
        failpoints.hit("stream.received")
        first = batch.frames[0]
        if isinstance(first, ChangeGroup) and first.ahead:
            self._foresee(first, batch.number)
            return
        self._ahead.look(batch.frames)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                self._apply(batch)
            except TransientError as exc:
                in_pieces = self._pieces
                self._rollback()
                self._ahead.give_up(str(exc))
                if in_pieces or attempt == MAX_ATTEMPTS:
                    raise
                self.site.tracker.say(f"{exc}; trying again", level=Level.WARN, part="target", code=exc.code)
                self.site.control.sleep(RETRY_DELAY_S * attempt)
            else:
                break

    def _foresee(self, group: ChangeGroup, number: int) -> None:
        """Of a transaction that is told ahead of its end; it stands by itself in the target."""
        site = self.site
        if group.whole:
            before = site.standing.checkpoint
            counts = self._ahead.commit(
                lambda events: Checkpoint(
                    group.position, before.transactions + group.transactions, before.events + events,
                    max(group.committed_us, before.committed_us),
                )
            )  # fmt: skip
            if counts is None:  # it comes again
                return
            self._idle = ""
            self._ended(self._ahead.checkpoint, counts)
            failpoints.hit("ahead.committed")
            site.stream.answer(group.ahead, True)
        else:
            self._ahead.take(group)
        site.lag.durable(number, site.standing.checkpoint)

    def _apply(self, batch: Batch) -> None:
        self._number = batch.number
        runs: list[list[RowChanges]] = []
        last: ChangeGroup | None = None
        transactions = 0
        for frame in batch.frames:
            if isinstance(frame, Idle):
                self._idle = frame.position
                continue
            self._apply_group(frame, runs)
            transactions += frame.transactions
            last, self._idle = frame, ""
        self._flush(runs, last)
        if last is None:
            self._checkpoint_idle()
        elif last.whole:
            self._commit(last, transactions)
            self._settle()
        else:
            self._pieces = True
            self._settle()
        if not self._open:
            self.site.lag.durable(batch.number, self.site.standing.checkpoint)

    def _apply_group(self, group: ChangeGroup, runs: list[list[RowChanges]]) -> None:
        run: list[RowChanges] = []
        change = group.parts[-1] if group.parts else None
        if isinstance(change, SchemaChange):
            self._outcome = self._evolve(change, group)
        for part in group.parts:
            if isinstance(part, RowChanges):
                wanted = self._operations.wanted(part)
                if wanted is not None and part.table in self.site.standing.tables:
                    run.append(wanted)
                continue
            runs.append(run)
            run = []
            self._flush(runs, group)
            if isinstance(part, Truncate):
                self._truncate(part, group)
            else:
                self._save_evolved()
        runs.append(run)

    def _begin(self) -> None:
        if not self._open:
            self.applier.begin()
            self._open = True

    def _flush(self, runs: list[list[RowChanges]], group: ChangeGroup | None) -> None:
        """Apply what has gathered."""
        gathered = [run for run in runs if run]
        runs.clear()
        if not gathered:
            return
        self._begin()
        position = "" if group is None else group.position

        def refused(event: RowChanges, error: MainstemError) -> None:
            self._refused(event, error, position or self.site.standing.checkpoint.position)

        apply_in_halves(join(gathered), self.apply_segment, refused, OF_CHANGES)
        failpoints.hit("stream.applied")

    def apply_segment(self, changes: Changes) -> None:
        """Apply changes of different tables within the transaction under way, and count them."""
        self.site.check_over()
        standing = self.site.standing
        live = tuple(part for part in changes if standing.is_active(part.table))
        if live:
            done = self.applier.apply(live, standing.tables)
            self._counts.note(done)
        for part in changes:
            if not standing.is_active(part.table):
                left_out = part.count * (standing.tables[part.table].state is not TableState.COPYING)
                self._counts.of(part.table).dropped += left_out
                continue
            self._counts.add(part)

    def _truncate(self, part: Truncate, group: ChangeGroup) -> None:
        wanted = self._operations.wanted_truncate(part)
        tables = tuple(table for table in wanted.tables if self.site.standing.is_active(table)) if wanted else ()
        if not tables:
            return
        self._begin()
        try:
            self.applier.truncate(Truncate(tables, part.restart_identity), self.site.standing.tables)
        except OF_CHANGES as exc:
            if self.site.options.changes.row_errors is ChangeErrorPolicy.STOP_STREAM:
                raise
            for table in tables:
                self.fail(table, exc, f"TRUNCATE at {group.position}")
            return
        for table in tables:
            self._counts.of(table).truncates += 1
            self._counts.events += 1

    def _refused(self, event: RowChanges, error: MainstemError, position: str) -> None:
        """One event that cannot be applied: by policy."""
        self.site.check_over()
        table = self.site.standing.tables[event.table]
        error = self._explained(table, error, position)
        policy = self.site.options.changes.row_errors
        told = f"{event.table}, {key_of(table.plan, event)}"
        if policy is ChangeErrorPolicy.STOP_STREAM:
            where = {**error.where, "table": str(event.table), "position": position}
            raise type(error)(f"{told}: {error.message}", remedy=error.remedy, **where) from error
        letters = self.site.tracker.table(event.table).letters + self._counts.of(event.table).letters
        if policy is ChangeErrorPolicy.QUARANTINE and isinstance(error, RowError):
            if letters < self.site.options.row_error_limit:
                self.applier.reject(letter(table.plan, event, error, position))
                self._counts.of(event.table).letters += 1
                self.site.tracker.say(
                    f"{told}: put aside: {error.message}", level=Level.WARN, part="target", table=str(event.table)
                )
                return
            told += f": {letters:,} changes of the table were put aside already"
        self.fail(event.table, error, told)

    def _explained(self, table: StreamTable, error: MainstemError, position: str) -> MainstemError:
        """The error, with what its table's types have to do with it; what they have got is carried over, if it can be.

        Raises `ReadAgainError`: it was, or the table waits.
        """
        if not isinstance(error, RowError):
            return error
        if table.source not in self._causes:
            outcome = self.evolution.behind(table, position)
            if outcome.tables:
                self._carry_over(outcome)
            self._causes[table.source] = outcome.cause
        cause = self._causes[table.source]
        if not cause:
            return error
        return RowError(f"{error.message}; {cause}", row=error.row, column=error.column, remedy=error.remedy)

    def _carry_over(self, outcome: Outcome) -> None:
        """Change the target's structure in a transaction of its own, for rows that come again then."""
        self._rollback()

        def change() -> None:
            if outcome.statements:
                self.applier.alter(outcome.statements)
            self._outcome = outcome
            self._save_evolved()

        error = self.alone(change)
        if error is not None:
            outcome = self._outcome = self.evolution.refused(outcome, error)
            self._save_evolved()
            self._end_transaction(self.site.standing.checkpoint)
        self.evolution.told(outcome)
        raise ReadAgainError("a type of the source holds more than it did")

    def fail(self, table: TableId, error: MainstemError, told: str) -> None:
        """A table cannot go on; the others do. Part of the transaction under way."""
        self._begin()
        message = f"{told}: {error.message}"
        failed = replace(
            self.site.standing.tables[table], state=TableState.FAILED, error=message,
            remedy=f"{error.remedy}; then {RESYNC_REMEDY}" if error.remedy else RESYNC_REMEDY,
        )  # fmt: skip
        self.save(failed)

    def save(self, table: StreamTable) -> None:
        """Write a table's state down within the transaction under way."""
        self._ahead.give_up("a table is in another state")
        self._begin()
        self.applier.save(table)
        self.site.standing.stage(table)

    def save_tables(self, tables: Sequence[StreamTable], position: str = "") -> None:
        """Write tables' states down in a transaction of their own; only between two others.

        Args:
            position: where the stream is to go on from, if that is another place than where it is.
        """
        if tables:
            for table in tables:
                self.save(table)
            here = self.site.standing.checkpoint
            self._end_transaction(replace(here, position=position or here.position))

    def discard(self, table: TableId, number: int | None = None) -> int:
        """See `contract.apply.Applier`; part of the transaction under way, and counted."""
        self._begin()
        there = self.applier.discard(table, number)
        self._counts.of(table).letters -= there
        return there

    def alone(self, work: Callable[[], object]) -> MainstemError | None:
        """Do this in a transaction of its own, between two others; with an error of changes nothing of it is done."""
        self._ahead.give_up("something is done between two transactions")
        self._begin()
        try:
            work()
        except (*OF_CHANGES, TransientError) as exc:
            self._rollback()
            return exc
        self._end_transaction(self.site.standing.checkpoint)
        return None

    def run_statement(self, sql: str) -> str:
        """Run a statement that is no row's, between two transactions; why it was refused, or empty."""
        error = self.alone(lambda: self.applier.alter([sql]))
        return "" if error is None else error.message

    @property
    def position(self) -> str:
        """All before it is applied; the target has written it down, or an earlier one with nothing of ours between."""
        return self._idle or self.site.standing.checkpoint.position

    def is_behind(self, table: StreamTable) -> bool:
        """Whether the table's rows are newer than what is applied: they are of a snapshot that is not reached yet."""
        return bool(table.since) and not self.site.milestones.reached(table.since, self._number)

    def _evolve(self, change: SchemaChange, group: ChangeGroup) -> Outcome:
        """Change the target's structure ahead of the group's rows, outside of any transaction with rows.

        A target that commits at DDL must not make half a transaction durable; and what is done here can wait for
        nobody, as it only adds.
        """
        failpoints.hit("stream.schema_change")
        position = group.position or self.site.standing.checkpoint.position
        table = self.site.standing.tables.get(change.table)
        outcome = self.evolution.decide(change, table, position)
        if not outcome.statements:
            return outcome
        if self._open:
            self._rollback()
        self._begin()
        try:
            self.applier.alter(outcome.statements)
        except OF_CHANGES as exc:
            self._rollback()
            outcome = self.evolution.refused(outcome, exc)
        else:
            self._end_transaction(self.site.standing.checkpoint)
        failpoints.hit("stream.altered")
        if self._pieces:
            raise ReadAgainError("the structure was changed in the middle of a transaction")
        return outcome

    def _save_evolved(self) -> None:
        outcome = self._outcome
        if outcome is None or not (outcome.tables or outcome.records):
            return
        self._begin()
        for name in outcome.gone:
            self.applier.forget(name)
            self.site.standing.stage_gone(name)
        for table in outcome.tables:
            self.save(table)
        for line in outcome.records:
            self.applier.record(line)

    def _settle(self) -> None:
        """Let the stream go on behind a schema change."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            failpoints.hit("stream.before_settle")
            self.site.stream.settle(outcome.settled)
            self.evolution.told(outcome)

    def _commit(self, group: ChangeGroup, transactions: int) -> None:
        before = self.site.standing.checkpoint
        committed_us = max(group.committed_us, before.committed_us)
        position = group.position or before.position
        if not self._open:  # nothing of it was wanted
            self._idle = position
            self._checkpoint_idle()
            return
        self._end_transaction(
            Checkpoint(position, before.transactions + transactions, before.events + self._counts.events, committed_us)
        )
        self._pieces = False

    def _end_transaction(self, checkpoint: Checkpoint) -> None:
        failpoints.hit("stream.before_commit")
        self.applier.commit(checkpoint)
        failpoints.hit("stream.committed")
        self._open = False
        counts, self._counts = self._counts, Counting()
        self._ended(checkpoint, counts)

    def _ended(self, checkpoint: Checkpoint, counts: Counting) -> None:
        """A transaction is durable."""
        site = self.site
        self._saved_s = time.monotonic()
        changed = site.standing.adopt(checkpoint)
        site.tracker.applied(counts.tables.values())
        self._tell_missing(counts)
        site.lag.events += counts.events
        self._confirm()
        for table in changed:
            self._tell(table)

    def _confirm(self) -> None:
        """Tell the source what it need not keep: never more than what is durable."""
        position = self.site.standing.checkpoint.position
        self.site.lag.reached(position)
        self.site.stream.confirm(self.hold() or position)
        failpoints.hit("stream.confirmed")

    def _checkpoint_idle(self) -> None:
        """Write the position down now and then while nothing of ours happens, so that the source's log can go."""
        position = self._idle
        due = time.monotonic() - self._saved_s >= IDLE_CHECKPOINT_S
        if self._open or not due or not position or position == self.site.standing.checkpoint.position:
            return
        failpoints.hit("stream.idle")
        self._begin()
        self._end_transaction(replace(self.site.standing.checkpoint, position=position))

    def _rollback(self) -> None:
        self._open = False
        self.applier.rollback()
        self.site.standing.revert()
        self._counts = Counting()

    def _between(self, number: int) -> bool:
        """What is done between two transactions; False at the limit of events."""
        site = self.site
        site.milestones.durable(number)
        for work in site.orders.take():
            work(self)
        if self._left() <= 0:
            site.limit.state = site.limit.state or RunState.EVENT_LIMIT_REACHED
            self.ended()
            return False
        return True

    def _left(self) -> int:
        """How many events may still be applied."""
        most, site = self.site.options.max_rows, self.site
        return most + site.limit.events_before - site.standing.checkpoint.events if most else MAX_ROWS

    def _tell(self, table: StreamTable) -> None:
        site = self.site
        site.tracker.stream_tables([table])
        if table.state is TableState.FAILED:
            site.tracker.say(
                f"{table.source}: {table.error} ({table.remedy})", level=Level.ERROR, category=Category.ERROR,
                part="target", table=str(table.source), code="table_failed",
            )  # fmt: skip

    def _tell_missing(self, counted: Counting) -> None:
        for counts in counted.tables.values():
            if counts.missing and counts.source not in self._told_missing:
                self._told_missing.add(counts.source)
                self.site.tracker.say(
                    f"{counts.source}: {counts.missing:,} changes were about rows that the target did not have; the"
                    " target's rows were changed or deleted by somebody else, or were never copied",
                    level=Level.WARN, part="target", table=str(counts.source),
                )  # fmt: skip
