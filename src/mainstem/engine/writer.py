"""The writing end of a lane: frames into the target, one transaction for each chunk, and what to do when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from mainstem import tracing
from mainstem.contract.hub import Delivery, Lane
from mainstem.contract.target import Loader
from mainstem.engine import traced
from mainstem.engine.control import RunControl
from mainstem.engine.progress import Tracker
from mainstem.engine.waiting import Waiting
from mainstem.engine.work import Attempt, WorkQueue
from mainstem.errors import (
    AccountingError,
    CancelledError,
    ConflictError,
    MainstemError,
    RowError,
    StatementError,
    TransientError,
)
from mainstem.model.batch import Batch
from mainstem.model.frame import Abort, Begin, Commit
from mainstem.model.plan import TablePlan
from mainstem.model.run import RowErrorPolicy, RunOptions

MAX_ATTEMPTS = 5
RETRY_DELAY_S = 0.2
# Errors that say something about one table; all others end the round (see `engine.data`).
_ONE_TABLE = (RowError, TransientError, StatementError, ConflictError, AccountingError)


@dataclass(slots=True)
class Writer:
    """One lane's writer. `run` ends when the lane is closed and empty."""

    loader: Loader
    lane: Lane
    queue: WorkQueue
    control: RunControl
    tracker: Tracker
    options: RunOptions
    _attempt: Attempt | None = None
    _rejected: int = 0  # rows of this attempt that were put aside
    _waiting: Waiting = field(default_factory=Waiting)
    _span: tracing.Span = tracing.NOTHING

    def run(self) -> None:
        """Apply frames until there are no more."""
        try:
            self._work()
        finally:
            self._span.end()
            self.tracker.waited(target_s=self._waiting.seconds)

    def _work(self) -> None:
        while (delivery := self.lane.receive()) is not None:
            self._take(delivery)
            del delivery  # a frame may be of hundreds of megabytes: not while waiting for the next

    def _take(self, delivery: Delivery) -> None:
        frame = delivery.frame
        if isinstance(frame, Begin):
            self._attempt = self.queue.under_way(frame.chunk)
            if self._attempt is not None:
                self._span = traced.loading(self._attempt, delivery.trace)
            self._try(self._begin)
        elif isinstance(frame, Batch):
            self._try(partial(self.loader.write, frame))
        elif isinstance(frame, Commit):
            self._try(partial(self._commit, frame))
            self.lane.ack(delivery.seq)
            if self._attempt is not None:
                self.loader.rollback()
            self._end()
        elif isinstance(frame, Abort):
            self.loader.rollback()
            self._end()

    def _begin(self) -> None:
        attempt = self._attempt
        if attempt is not None:
            self.loader.begin(attempt.plan, attempt.chunk, quarantine=self._reject if attempt.careful else None)
            if self.loader.alone:
                self.queue.keep(attempt, self.lane)

    def _reject(self) -> bool:
        allowed = self.control.reject()
        self._rejected += allowed
        return allowed

    def _commit(self, frame: Commit) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        limit = self.control.limit if frame.partial else None
        receipt = self.loader.commit(frame.rows, limit)
        self.tracker.durable(attempt, receipt, whole=limit is None)
        self._span.note(rows=frame.rows)
        self._attempt, self._rejected = None, 0
        self.queue.done(attempt)

    def _end(self) -> None:
        """The attempt is over; unless it became durable its rows do not count against a limit.

        One that is not settled yet was broken off by its reader: for a pause, or as its table is given up.
        """
        attempt, self._attempt = self._attempt, None
        self._span.end()
        self._span = tracing.NOTHING
        if attempt is None:
            return
        self.control.give_back(attempt.rows)
        self._give_back_rejected()
        if attempt.failed:
            self.queue.drop(attempt)
        else:
            self.queue.retry(attempt, counts=False)

    def _give_back_rejected(self) -> None:
        rejected, self._rejected = self._rejected, 0
        self.control.give_back(0, rejected)

    def _try(self, step: Callable[[], object]) -> None:
        """Do one step of an attempt that has not failed yet."""
        attempt = self._attempt
        if attempt is None or attempt.failed:
            return
        try:
            with self._waiting, tracing.within(self._span):
                step()
        except MainstemError as error:
            attempt.failed = True
            self._span.fail(error.code)
            self.loader.rollback()
            self.tracker.abandon(attempt)
            if self.queue.cancelled:
                raise CancelledError("the round was broken off") from error
            self._decide(attempt, error)

    def _decide(self, attempt: Attempt, error: MainstemError) -> None:
        """What becomes of an attempt that failed.

        Where it is unknown whether a commit took place, what it put aside stays counted: a round ends, and the next
        one begins with what is durable.
        """
        if not isinstance(error, _ONE_TABLE):
            raise error
        self._give_back_rejected()
        quarantine = self.options.row_errors is RowErrorPolicy.QUARANTINE
        if isinstance(error, RowError) and quarantine and not attempt.careful:
            self.queue.retry(attempt, careful=True)
        elif isinstance(error, TransientError) and attempt.number < MAX_ATTEMPTS:
            self.control.sleep(RETRY_DELAY_S * attempt.number)
            self.queue.retry(attempt)
        else:
            self.queue.give_up(attempt.table)
            self.tracker.table_failed(attempt.table.source, _of_column(attempt.table, error))
            self.queue.drop(attempt)


def _of_column(table: TablePlan, error: MainstemError) -> MainstemError:
    """The error with the column that it is about, and the type that this has on the target."""
    if not isinstance(error, RowError) or error.column is None:
        return error
    types = {column.target: column.target_type for column in table.columns}
    type_ = types.get(error.column, "")
    about = f"column {error.column} of {table.target}{f' ({type_})' if type_ else ''}"
    where = {key: value for key, value in error.where.items() if key != "column"}
    return RowError(f"{about}: {error.message}", row=error.row, column=error.column, remedy=error.remedy, **where)
