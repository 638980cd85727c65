"""The data phase: rounds of readers and writers over one snapshot each, until every chunk is durable.

A round ends early when a connection is lost. The next one, after a delay, opens a new snapshot and goes on with the
chunks that the ledger does not have. Rows of different rounds are then of different points in time; the report says so.
Keys and indexes of other tables are built on meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from mainstem import tracing
from mainstem.contract.hub import Hub
from mainstem.contract.opened import noting, present
from mainstem.contract.source import BatchLimits, Snapshot, Source
from mainstem.contract.target import Ledger, Loader
from mainstem.engine.control import RunControl
from mainstem.engine.cuts import RENEWED, Cuts, Rounds
from mainstem.engine.means import Means
from mainstem.engine.progress import Tracker
from mainstem.engine.reader import Reader
from mainstem.engine.retry import Backoff, worth_waiting
from mainstem.engine.work import WorkQueue
from mainstem.engine.writer import Writer
from mainstem.errors import AccountingError, CancelledError, LockedError, MainstemError, RowError
from mainstem.model.event import Level
from mainstem.model.plan import MigrationPlan, ReportItem, Severity, TablePlan
from mainstem.model.run import DeniedPolicy, RunState, TableState
from mainstem.tasks import ThreadGroup, together

LIMIT_GRACE_S = 2.0
TOO_MANY_REMEDY = "repair the rows at the source, choose a policy for such values, or raise rowErrors.limit"
_TICK_S = 0.25


class DataPhase:
    """Copies the rows of all tables of a plan.

    Args:
        fresh: whether a target table holds nothing but what this run writes.
        rounds: what becomes of half-copied tables at a new snapshot.
        ready: called with each table whose rows are all durable.
    """

    def __init__(
        self,
        run_id: str,
        source: Source,
        plan: MigrationPlan,
        means: Means,
        rounds: Rounds,
        ready: Callable[[TablePlan], None],
    ) -> None:
        self._run_id, self._source, self._target = run_id, source, means.target
        self._plan, self._options = plan, means.options
        self._control, self._tracker, self._backoff = means.control, means.tracker, means.backoff
        self._make_hub, self._ready, self._rounds = means.make_hub, ready, rounds
        self._told: set[TablePlan] = set()
        self._cancel: Callable[[], None] = lambda: None
        self._cut_off = self._interrupted = False

    def run(self) -> None:
        """Work until all is durable, a limit is reached, or an error that waiting cannot mend."""
        while True:
            try:
                with tracing.span("copy round", stream=self._run_id, tables=len(self._plan.tables)):
                    self._round()
                return
            except MainstemError as exc:
                self._control.check_stopped()
                if self._cut_off:
                    return
                self._check_interrupted()
                wait_after(exc, self._backoff, self._control, self._tracker)
            self._check_interrupted()

    def interrupt(self) -> None:
        """From another thread: end the round under way, and begin no other."""
        self._interrupted = True
        self._cancel()

    def _check_interrupted(self) -> None:
        if self._interrupted:
            raise CancelledError("the copy was broken off")

    def _round(self) -> None:
        with noting(), ExitStack() as stack:
            ledger = stack.enter_context(self._target.ledger(self._run_id))
            queue = self._queue(ledger)
            begun = any(self._tracker.table(table.source).chunks_done for table in self._plan.tables)
            self._check_rejected()
            over = self._control.limit is not None or not queue.unfinished()
            if begun and not over:
                ledger.note(RENEWED)
            if RENEWED in ledger.notes():
                self._tracker.report(self._rounds.renewed)
            if over:
                return
            at_source, at_target = stack.enter_context(ExitStack()), stack.enter_context(ExitStack())
            loaders, snapshot = together(
                lambda: self._open_loaders(at_target),
                lambda: at_source.enter_context(self._source.snapshot(self._options.jobs)),
            )
            self._tell_snapshot(snapshot)
            if self._rounds.begin(queue.unfinished(), snapshot, ledger):
                queue = self._queue(ledger)
            hub = stack.enter_context(self._make_hub(self._options.memory_bytes))
            del loaders[len(snapshot.readers) :]
            durable = self._tracker.snapshot()
            self._control.set_rows(durable.rows_read, durable.rows_rejected)
            self._run_lanes(snapshot, loaders, hub, queue, self._rounds.cuts(ledger, snapshot.position))
            self._check_whole(queue)

    def _check_rejected(self) -> None:
        """Raise `RowError` if more was put aside than the run allows: a loader that was lost may have been at work."""
        rejected = sum(self._tracker.table(table.source).rows_rejected for table in self._plan.tables)
        if rejected > self._options.row_error_limit:
            raise RowError(
                f"{rejected:,} rows were refused, and rowErrors.limit allows {self._options.row_error_limit:,}",
                remedy=TOO_MANY_REMEDY,
            )

    def _check_whole(self, queue: WorkQueue) -> None:
        """Raise `AccountingError` if a round ends as if all were done, and it is not."""
        self._control.check_stopped()
        self._check_interrupted()
        left = queue.unfinished()
        if left and self._control.limit is None:
            names = ", ".join(str(table.source) for table in left[:10])
            raise AccountingError(f"the copy ended, and rows of {names} are not in", remedy="resume the stream")

    def _open_loaders(self, stack: ExitStack) -> list[Loader]:
        return [stack.enter_context(self._target.loader(self._run_id)) for _ in range(self._options.jobs)]

    def _run_lanes(self, snapshot: Snapshot, loaders: list[Loader], hub: Hub, queue: WorkQueue, cuts: Cuts) -> None:
        opened = present()

        def cancel() -> None:
            opened.end_soon()
            queue.cancelled = True
            queue.close()
            hub.close()
            snapshot.interrupt()
            for loader in loaders:
                loader.interrupt()

        self._cancel = cancel
        self._check_interrupted()
        over = threading.Event()
        if self._options.max_seconds:
            threading.Thread(target=self._watch_clock, args=(over,), name="clock", daemon=True).start()
        lanes = len(loaders)
        rows = self._options.batch_rows or BatchLimits().max_rows
        limits = BatchLimits(max_rows=rows)
        skips = self._options.denied is DeniedPolicy.SKIP
        try:
            with ThreadGroup(cancel) as group:
                for number, (source, loader) in enumerate(zip(snapshot.readers, loaders, strict=True)):
                    lane = hub.lane(number)
                    reader = Reader(source, lane, queue, cuts, self._control, self._tracker, limits, lanes, skips)
                    writer = Writer(loader, lane, queue, self._control, self._tracker, self._options)
                    group.start(f"reader-{number}", reader.run)
                    group.start(f"writer-{number}", writer.run)
        finally:
            over.set()
            self._cancel = lambda: None
            self._tracker.abandon_all()

    def _watch_clock(self, over: threading.Event) -> None:
        """End the round at the limit of seconds.

        Readers see the limit at their next batch and keep what they have; one that waits for a slow source is cut off
        after `LIMIT_GRACE_S`, and its chunk rolled back.
        """
        while not over.wait(_TICK_S):
            if self._control.out_of_time():
                late = self._control.limit is RunState.TIME_LIMIT_REACHED
                if late and not over.wait(LIMIT_GRACE_S):
                    self._cut_off = True
                    self._cancel()
                return

    def _queue(self, ledger: Ledger) -> WorkQueue:
        """The work that is left by the ledger; the largest tables first, so that no long one is left for the end."""
        queue = WorkQueue(self._ready_once, lambda: self._control.held)
        self._tracker.set_rejected({table.source for table in self._plan.tables}, ledger.rejected())
        for table in sorted(self._plan.tables, key=lambda item: -item.bytes_estimate):
            state = self._tracker.table(table.source).state
            if state is TableState.SKIPPED:
                continue
            known = ledger.chunks(table.source)
            self._tracker.known_chunks(table.source, known)
            if state is TableState.FAILED:
                continue
            self._control.limit = self._control.limit or next((line.limit for line in known if line.limit), None)
            queue.add(table, known)
        return queue

    def _ready_once(self, table: TablePlan) -> None:
        if table not in self._told:
            self._told.add(table)
            self._ready(table)

    def _tell_snapshot(self, snapshot: Snapshot) -> None:
        readers = len(snapshot.readers)
        self._tracker.say(
            f"snapshot with {readers} reader{'s' if readers > 1 else ''}"
            f"{f' at {snapshot.position}' if snapshot.position else ''}",
            part="source",
        )
        if snapshot.note:
            self._tracker.report(ReportItem(Severity.INFO, "one_reader", "snapshot", snapshot.note))


def wait_after(error: MainstemError, backoff: Backoff, control: RunControl, tracker: Tracker) -> None:
    """Wait before the next try. Raises the error when waiting cannot mend it, or was tried for long enough.

    Whoever has something locked is told of once, and waited for as long as that takes.
    """
    backoff.advanced(tracker.done())
    if isinstance(error, LockedError):
        if backoff.is_news(str(error)):
            tracker.say(f"{error}; trying again until then", level=Level.WARN, code=error.code)
        control.sleep(backoff.patience())
        return
    delay = backoff.delay() if worth_waiting(error) else None
    if delay is None:
        raise error
    tracker.say(f"{error}; trying again in {delay:.1f} s", level=Level.WARN, code=error.code)
    control.sleep(delay)
