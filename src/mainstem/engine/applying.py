"""The writing end of a stream: groups into the target, as many in one transaction as wait, with the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from mainstem import failpoints
from mainstem.contract.apply import Applier
from mainstem.engine import traced
from mainstem.engine.ahead import Ahead
from mainstem.engine.answers import Answers
from mainstem.engine.evolution import Evolution, Outcome
from mainstem.engine.intake import MAX_ROWS, Batch, Intake
from mainstem.engine.letters import key_of, letter
from mainstem.engine.segments import Changes, Operations, apply_in_halves, join
from mainstem.engine.site import ReadAgainError, Site
from mainstem.engine.transaction import OF_CHANGES, Transaction
from mainstem.errors import LockedError, MainstemError, RowError, TransientError
from mainstem.model.change import ChangeGroup, Idle, RowChanges, SchemaChange, Truncate
from mainstem.model.event import Level
from mainstem.model.run import ChangeErrorPolicy, RunState, TableState
from mainstem.model.stream import Checkpoint, StreamTable

MAX_ATTEMPTS = 5
RETRY_DELAY_S = 0.2
IDLE_CHECKPOINT_S = 3.0


class _OnceMoreError(MainstemError):
    """The batch is to be applied once more: what it has to know is known now."""


@dataclass(slots=True)
class Applying:
    """The writer of one connection. `run` ends when the lane is closed and empty, or at the limit of events.

    Attributes:
        hold: see `engine.transaction.Transaction`.
        transaction: of the target, the one under way.
    """

    applier: Applier
    site: Site
    evolution: Evolution
    answers: Answers
    ended: Callable[[], None]
    hold: Callable[[], str] = lambda: ""
    transaction: Transaction = field(init=False)
    _operations: Operations = field(init=False)
    _intake: Intake = field(init=False)
    _pieces: bool = False  # the transaction has pieces of a source's that are not held in memory any more
    _ahead: Ahead = field(init=False)
    _outcome: Outcome | None = None  # of the schema change that the batch ends with
    _idle: str = ""  # where the log was read up to without anything of ours
    _number: int = 0  # of the last frame that is looked at

    def __post_init__(self) -> None:
        self._operations = Operations(self.site.options.changes)
        site = self.site
        self._intake = Intake(site.lane)
        self._ahead = Ahead(self.applier, self._operations, site.standing, site.stream.answer, site.check_over)
        self.transaction = Transaction(self.applier, site, self._ahead, self.hold)

    def run(self) -> None:
        """Apply frames until there are no more."""
        try:
            while (batch := self._intake.take(max(self._left(), 1))) is not None:
                if not self.transaction.open:
                    self._wait_while_paused()
                with traced.applying(batch.frames, batch.traces):
                    self._try(batch)
                batch.frames.clear()  # which may be large, while the next ones are waited for
                if not self.transaction.open and not self._between(batch.number):
                    break
        finally:
            self._ahead.close()
            if self.transaction.open:
                self.transaction.rollback()

    def interrupt(self) -> None:
        """From another thread: have the target break off what runs now."""
        self.applier.interrupt()
        self._ahead.interrupt()

    def by_itself(self, work: Callable[[], None]) -> None:
        """Between two transactions, do what others' connections do: none of ours may keep a table from them."""
        self._ahead.give_up("other connections change the target's structure")
        work()

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
        attempt, told, before = 1, "", (self._idle, self._number)
        while True:
            try:
                self._apply(batch)
            except TransientError as exc:
                in_pieces, locked = self._pieces, isinstance(exc, LockedError)
                self.transaction.rollback()
                self._idle, self._number = before
                self._ahead.give_up(str(exc))
                if in_pieces or (attempt == MAX_ATTEMPTS and not locked):
                    raise
                if str(exc) != told or not locked:
                    told = str(exc)
                    self.site.tracker.say(f"{told}; trying again", level=Level.WARN, part="target", code=exc.code)
                self.site.control.sleep(RETRY_DELAY_S * attempt)
                attempt += not locked
                if locked:
                    self._meanwhile()
            except _OnceMoreError as exc:
                if self._pieces:
                    raise ReadAgainError(str(exc)) from None
            else:
                break

    def _meanwhile(self) -> None:
        """What is locked may be locked for long: a pause, and what users ask for, is not to wait that long."""
        self._wait_while_paused()
        for work in self.site.orders.take():
            work(self)

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
            self.transaction.ended(self._ahead.checkpoint, counts)
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
        if not self.transaction.open:
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
                self._save(self._outcome)
        runs.append(run)

    def _flush(self, runs: list[list[RowChanges]], group: ChangeGroup | None) -> None:
        """Apply what has gathered."""
        gathered = [run for run in runs if run]
        runs.clear()
        if not gathered:
            return
        self.transaction.begin()
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
            self.transaction.counts.note(done)
        for part in changes:
            if not standing.is_active(part.table):
                left_out = part.count * (standing.tables[part.table].state is not TableState.COPYING)
                self.transaction.counts.of(part.table).dropped += left_out
                continue
            self.transaction.counts.add(part)

    def _truncate(self, part: Truncate, group: ChangeGroup) -> None:
        wanted = self._operations.wanted_truncate(part)
        tables = tuple(table for table in wanted.tables if self.site.standing.is_active(table)) if wanted else ()
        if not tables:
            return
        self.transaction.begin()
        try:
            self.applier.truncate(Truncate(tables, part.restart_identity), self.site.standing.tables)
        except OF_CHANGES as exc:
            if self.site.options.changes.row_errors is ChangeErrorPolicy.STOP_STREAM:
                raise
            for table in tables:
                self.transaction.fail(table, exc, f"TRUNCATE at {group.position}")
            return
        for table in tables:
            self.transaction.counts.of(table).truncates += 1
            self.transaction.counts.events += 1

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
        letters = self.site.tracker.table(event.table).letters + self.transaction.counts.of(event.table).letters
        if policy is ChangeErrorPolicy.QUARANTINE and isinstance(error, RowError):
            if letters < self.site.options.row_error_limit:
                put_aside = letter(table.plan, event, error, position)
                self.transaction.reject(put_aside, f"{told}: put aside: {error.message}")
                return
            told += f": {letters:,} changes of the table were put aside already"
        self.transaction.fail(event.table, error, told)

    def _explained(self, table: StreamTable, error: MainstemError, position: str) -> MainstemError:
        """The error, with what its table's types have to do with it."""
        if not isinstance(error, RowError):
            return error
        cause = self.answers.cause(self.site.standing.checkpoint.position, table.source)
        if cause is None:
            self._look_behind(table, position)
        if not cause:
            return error
        return RowError(f"{error.message}; {cause}", row=error.row, column=error.column, remedy=error.remedy)

    def _look_behind(self, table: StreamTable, position: str) -> NoReturn:
        """Ask what a table's types have got; that is carried over, if it can be. What was under way comes again.

        Raises:
            ReadAgainError: the target was changed for it.
            _OnceMoreError: it was not.
        """
        self.transaction.rollback()
        here = self.site.standing.checkpoint.position
        table = self.site.standing.tables.get(table.source, table)
        outcome = self._answered(lambda: self.evolution.behind(table, position))
        if not outcome.tables:
            self.answers.keep_cause(here, table.source, outcome.cause)
            raise _OnceMoreError("it is known why rows are refused")

        def change() -> None:
            if outcome.statements:
                self.applier.alter(outcome.statements)
            self._save(outcome)

        error = self.transaction.alone(change)
        if error is not None:
            outcome = self.evolution.refused(outcome, error)
            self._save(outcome)
            self.transaction.end(self.site.standing.checkpoint)
        self.evolution.told(outcome)
        raise ReadAgainError("a type of the source holds more than it did")

    def _answered(self, question: Callable[[], Outcome]) -> Outcome:
        """Ask both sides, which wait for who has locked a table there; for as long as that takes.

        As long as all of the changes are at hand, `_try` waits, which hears more meanwhile.
        """
        told = ""
        while True:
            try:
                return question()
            except LockedError as exc:
                self.site.check_over()
                if not self._pieces:
                    raise
                self._ahead.give_up(str(exc))
                if str(exc) != told:
                    told = str(exc)
                    self.site.tracker.say(f"{exc}; asking again until then", level=Level.WARN, code=exc.code)
                self.site.control.sleep(RETRY_DELAY_S)

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
        here = self.site.standing.checkpoint
        table = self.site.standing.tables.get(change.table)
        known = self.answers.outcome(here.position, change, table)
        if known is not None:
            return known
        comes_again = self.transaction.open
        if comes_again:
            self.transaction.rollback()
        outcome = self._answered(lambda: self.evolution.decide(change, table, group.position or here.position))
        if outcome.statements:
            self.transaction.begin()
            try:
                self.applier.alter(outcome.statements)
            except OF_CHANGES as exc:
                self.transaction.rollback()
                outcome = self.evolution.refused(outcome, exc)
            else:
                self.transaction.end(here)
            failpoints.hit("stream.altered")
        self.answers.keep_outcome(here.position, change, table, outcome)
        if comes_again:
            raise ReadAgainError("the structure was changed in the middle of a transaction")
        return outcome

    def _save(self, outcome: Outcome | None) -> None:
        """Write down what became of a schema change, within the transaction under way."""
        if outcome is None or not (outcome.tables or outcome.records):
            return
        self.transaction.begin()
        for name in outcome.gone:
            self.applier.forget(name)
            self.site.standing.stage_gone(name)
        for table in outcome.tables:
            self.transaction.save(table)
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
        if not self.transaction.open:  # nothing of it was wanted
            self._idle = position
            self._checkpoint_idle()
            return
        events = before.events + self.transaction.counts.events
        self.transaction.end(Checkpoint(position, before.transactions + transactions, events, committed_us))
        self._pieces = False

    def _checkpoint_idle(self) -> None:
        """Write the position down now and then while nothing of ours happens, so that the source's log can go."""
        position = self._idle
        due = time.monotonic() - self.transaction.saved_s >= IDLE_CHECKPOINT_S
        if self.transaction.open or not due or not position or position == self.site.standing.checkpoint.position:
            return
        failpoints.hit("stream.idle")
        self.transaction.begin()
        self.transaction.end(replace(self.site.standing.checkpoint, position=position))

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
