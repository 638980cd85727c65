"""One run in mode cdc: a copy of the tables that need one, then every change. Blocking; the caller chooses the thread.

The same ``run_id`` again goes on where the target says that the stream stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from mainstem import failpoints
from mainstem.contract.apply import Applier, ChangeTarget, StreamBook
from mainstem.contract.changes import ChangeSource
from mainstem.contract.hub import Hub, HubAge
from mainstem.contract.target import Ledger, Target
from mainstem.engine import traced
from mainstem.engine.answers import Answers
from mainstem.engine.applying import Applying
from mainstem.engine.asked import Asked, asked_id
from mainstem.engine.control import Interrupts, Limit, RunControl
from mainstem.engine.cutover import Cutover
from mainstem.engine.data import wait_after
from mainstem.engine.dividing import parts_of
from mainstem.engine.division import gathered
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.evolution import RESYNC, Evolution
from mainstem.engine.handover import WAITING, HandOver, moments
from mainstem.engine.lag import Lag
from mainstem.engine.letters import Again, replay
from mainstem.engine.means import Means
from mainstem.engine.parted import PartedApplier
from mainstem.engine.planjson import plan_from_json
from mainstem.engine.present import selected
from mainstem.engine.progress import Tracker
from mainstem.engine.resync import Copier, Requests, open_hold
from mainstem.engine.retry import Backoff
from mainstem.engine.site import ReadAgainError
from mainstem.engine.standing import Milestones, Orders, Standing
from mainstem.engine.streaming import Later, Session
from mainstem.engine.watch import Watch
from mainstem.errors import (
    CancelledError,
    ConflictError,
    LockedError,
    MainstemError,
    NotFoundError,
    PlanError,
    TakenOverError,
    TargetChangedError,
)
from mainstem.model.alert import Alert
from mainstem.model.cutover import CutoverReport
from mainstem.model.event import Event, Level
from mainstem.model.names import TableId
from mainstem.model.run import ACTIVE, Progress, RunOptions, RunState, TableState
from mainstem.model.stream import DeadLetter, SchemaRecord, StoredStream, StreamTable

_ALL = 1_000_000
PAUSED_ON_REQUEST = "paused on request; its changes are not applied meanwhile"


class Replication:
    """A stream: has the face of `Conversion`, and what only a stream can do.

    All methods but `run` may be called from any thread while `run` works.

    Args:
        listen: gets every event, from any thread; must not block. Alerts come as `Category.ALERT`.
        make_hub: makes the hub between reader and writer, bounded by so many bytes.
        begun: an earlier start of this stream has written to the target, so that its book must be there.
        hub_age: of what waits in a hub that drops what has waited for too long.
    """

    def __init__(
        self,
        run_id: str,
        source: Endpoint,
        target: Endpoint,
        options: RunOptions,
        listen: Callable[[Event], None],
        make_hub: Callable[[int], Hub],
        *,
        begun: bool = False,
        hub_age: Callable[[], HubAge | None] = lambda: None,
    ) -> None:
        self.run_id = run_id
        self._source, self._target, self._options = source, target, options
        self._make_hub = make_hub
        self._control = RunControl(0, 0, options.row_error_limit)
        self._limit = Limit()
        self._tracker = Tracker(self._control, listen)
        self._interrupts = Interrupts(self._control)
        self._backoff = Backoff(options.retry_seconds)
        self._lag, self._milestones, self._orders = Lag(), Milestones(), Orders()
        self._watch = Watch(
            self._tracker, self._control, self._limit, self._lag, options, self._interrupts.run, hub_age
        )  # fmt: skip
        self._requests = Requests(Asked(lambda: self._make_target().ledger(asked_id(run_id))))
        self._evolution, self._answers = self._make_evolution(), Answers()
        self._begun = begun
        self._entered = False  # the target's book holds the stream: from here on lost connections are tried again
        self._moments: frozenset[str] = frozenset()  # behind them the first copy's structure is finished
        self._standing: Standing | None = None  # once it streams, until the run ends

    @traced.whole_run("replicate")
    def run(self) -> Progress:
        """Work until stopped, a limit or a failure; of `MainstemError` only `TakenOverError` is raised.

        That one says that another process has the stream, whose end this is not.

        A stream that is STOPPED, at a limit or FAILED goes on with a new `Replication` of its id: what the source keeps
        for it stays (see `close_stream`). With ``error_code`` ``position_lost`` it can't: tables need a new copy.
        """
        self._control.start_clock()
        self._tracker.set_state(RunState.RUNNING)
        with self._watch:
            try:
                state, error = self._work(), None
            except CancelledError:
                state, error = self._limit.state or RunState.STOPPED, None
            except TakenOverError:
                self._standing = None
                raise
            except MainstemError as exc:
                ended = RunState.STOPPED if self._control.stopped else self._limit.state
                state, error = (ended, None) if ended else (RunState.FAILED, exc)
        self._standing = None
        self._watch.ended(error)
        return self._completed(self._tracker.finish(state, error))

    def remember(self, alerts: Iterable[Alert]) -> None:
        """Before it runs: what a former run of the stream has told that was not over then."""
        self._watch.remember(alerts)

    def pause(self) -> None:
        """Apply no more changes; a transaction under way is brought to its end. The source keeps its log meanwhile."""
        self._control.pause()
        self._tracker.set_state(RunState.PAUSED)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._tracker.set_state(RunState.RUNNING)
        self._control.resume()

    def stop(self) -> None:
        """End the run in state STOPPED; what is durable stays, the rest is rolled back and comes again."""
        self._control.stop()
        self._interrupts.run()

    def progress(self) -> Progress:
        """A copy of the present counters; cheap, from any thread."""
        return self._completed(self._tracker.snapshot())

    def resync(self, tables: Sequence[TableId | str]) -> None:
        """Copy tables anew while the others stream; their rows in the target are deleted first. Does not wait for it.

        It is durable when this returns: also a later `Replication` of this id does it.

        Args:
            tables: the source's names; text as a user writes it (``table`` or ``schema.table``).

        Raises:
            NotFoundError: the stream has no such table.
            ConflictError: the stream does not run yet, or any more, or the table is being copied already.
            ConnectError, LostConnectionError: it could not be written down.
        """
        known = self._running().durable_tables
        found = [_find(known, table) for table in tables]
        for table in found:
            if table.state in WAITING:
                raise ConflictError(f"{table.source} is being copied already", table=str(table.source))
        self._requests.ask([table.source for table in found])

    def pause_table(self, name: str) -> None:
        """Apply no more changes of one table while the others stream; to go on it is copied anew. Returns at once.

        Raises:
            NotFoundError: the stream has no such table.
            ConflictError: the stream does not run yet, or any more, or the table does not stream.
        """
        table = _find(self._running().durable_tables, name)
        if table.state is TableState.PAUSED:
            return
        if table.state not in ACTIVE:
            raise ConflictError(f"{table.source} is {table.state} and does not stream", table=str(table.source))

        def pause(writer: Applying) -> None:
            now = writer.site.standing.tables.get(table.source)
            if now is not None and now.state in ACTIVE:
                paused = replace(now, state=TableState.PAUSED, error=PAUSED_ON_REQUEST, remedy=RESYNC)
                writer.transaction.save_tables([paused])

        self._orders.add(pause)

    def resume_table(self, name: str) -> None:
        """Copy a table anew that is paused or failed, and go on with it; raises as `resync`."""
        table = _find(self._running().durable_tables, name)
        if table.state in ACTIVE:
            raise ConflictError(f"{table.source} is {table.state}, and not paused", table=str(table.source))
        self.resync([table.source])

    def cutover(self, deadline_s: float, *, quiet_s: float = 3.0) -> CutoverReport:
        """Wait until the source is quiet and all of it is applied; then set counters and compare the rows' numbers.

        Nothing is changed at the source, whose writers must have been stopped (or are about to be). The stream runs on.

        Args:
            deadline_s: how long to wait for the source to be quiet and for the lag to be gone.
            quiet_s: for how long no change must come.

        Raises:
            ConflictError: the stream does not run yet, or any more.
        """
        self._running()
        applies = _open_target(self._target, self._options)
        return Cutover(
            self.run_id, self._source, self._target, self._options, _open_source(self._source, self._options), applies,
            self._lag, self._milestones, self._orders, self._running,
        ).run(deadline_s, quiet_s)  # fmt: skip

    def _running(self) -> Standing:
        if self._standing is None:
            raise ConflictError("the stream does not run now", remedy="start or resume it, and wait until it streams")
        return self._standing

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        """Changes that were put aside, in their order."""
        return stored_letters(self._target, self._options, self.run_id, limit)

    def replay_letters(self, numbers: Sequence[int] = ()) -> tuple[int, int]:
        """Apply changes that were put aside once more; those that go in are forgotten in the same transaction.

        Args:
            numbers: of the letters; empty is all.
        Returns:
            How many went in, and how many were refused again.

        Raises:
            ConflictError: the stream does not run yet, or any more.
            LostConnectionError: not all of them were tried.
        """
        self._running()
        wanted = set(numbers)
        letters = [letter for letter in self.letters(_ALL) if not numbers or letter.number in wanted]
        done = replay(letters, self._orders, lambda: self._standing is not None)
        return done[Again.APPLIED], done[Again.REFUSED]

    def count_letters(self) -> None:
        """Somebody has forgotten letters: count those that are left, now and once the writer is at rest."""

        def count(_: object = None) -> None:
            with _open_target(self._target, self._options).book(self.run_id) as book:
                self._tracker.set_letters(book.count_letters())

        count()
        self._orders.add(count)

    def schema_changes(self, limit: int = 1000) -> list[SchemaRecord]:
        """The source's schema changes that were seen, and what became of them, newest last."""
        return stored_schema_changes(self._target, self._options, self.run_id, limit)

    def _completed(self, progress: Progress) -> Progress:
        if self._entered:
            progress.changes = self._lag.snapshot()
        progress.alerts = list(self._watch.alerts())
        return progress

    def _work(self) -> RunState:
        """Try until one try gets to its end: each goes on where the target says that the stream stands."""
        changes, applies = _open_source(self._source, self._options), _open_target(self._target, self._options)
        while True:
            if (ends := (self._source.renewed(), self._target.renewed())) != (self._source, self._target):
                self._source, self._target = ends
                self._evolution = self._make_evolution()
                changes, applies = _open_source(self._source, self._options), _open_target(self._target, self._options)
                self._tracker.say("a connection was changed: its new address and login are used from here on")
            try:
                with self._interrupts.trying():
                    self._try(changes, applies)
            except ReadAgainError:
                pass
            except MainstemError as exc:
                self._control.check_stopped()
                if self._limit.state is None:
                    if not self._entered and not isinstance(exc, LockedError):
                        raise
                    if self._standing is not None:
                        self._lag.cut_off(str(exc))
                    self._backoff.advanced(self._tracker.done() + self._lag.snapshot().transactions)
                    wait_after(exc, self._backoff, self._control, self._tracker)
            self._control.check_stopped()
            if self._limit.state is not None:
                return self._limit.state

    def _try(self, changes: ChangeSource, applies: ChangeTarget) -> None:
        """From what the target knows to the end of one connection."""
        if self._limit.state is not None:  # reached while nobody could be woken
            return
        target = self._make_target()
        means = Means(
            target, self._target, self._options, self._control, self._tracker, self._backoff, self._interrupts,
            self._make_hub,
        )  # fmt: skip
        handover = HandOver(self.run_id, self._source, changes, means)
        with applies.book(self.run_id) as book:
            with target.ledger(self.run_id) as ledger:
                stored = self._stored(book, ledger, handover, changes)
                self._tracker.stream_tables(stored.tables)
                if ledger.known_plan():
                    stored = self._copy(stored, book, ledger, handover)
                else:
                    self._requests.add(self._new_tables(stored))
            self._stream(stored, book, changes, applies, means)

    def _make_evolution(self) -> Evolution:
        return Evolution(
            self._source, self._target, self._options, self._tracker, lambda table: self._requests.add([table])
        )

    def _make_target(self) -> Target:
        make = self._target.spec.target
        if make is None:
            raise PlanError(f"{self._target.spec.title} cannot be a target yet")
        return make(self._target.settings, self._options)

    def _stored(self, book: StreamBook, ledger: Ledger, handover: HandOver, changes: ChangeSource) -> StoredStream:
        """The stream as the target knows it; begun now if it does not."""
        stored = _load(book, changes)
        if stored is None:
            if self._begun:
                raise TargetChangedError(
                    "this stream's book (schema mainstem, or tables mainstem_…) is gone from the target, so that nobody"
                    " knows what was applied",
                    remedy="begin a new stream with snapshot always",
                )
            stored = handover.begin(self.run_id, book, ledger)
        else:
            if not self._entered:
                self._tracker.say(f"going on with an earlier start of this stream at {stored.checkpoint.position}")
            names = [table.source for table in stored.tables]
            changes.open(self.run_id, names, stored.origin, "")
        if not self._entered:
            self._limit.events_before = 0 if self._begun else stored.checkpoint.events
        self._entered = self._begun = True
        self._lag.restore(stored.checkpoint)
        self._watch.follow(changes, stored.origin)
        return stored

    def _new_tables(self, stored: StoredStream) -> list[TableId]:
        """Tables that the selection means and the stream does not have: made, or selected, since its start."""
        known = {table.source for table in stored.tables}
        with self._source.spec.inspector(self._source.settings) as inspector:
            schemas = self._options.source_schemas if self._source.spec.has_schemas else ()
            try:
                named = selected(inspector, self._source, self._options)
            except NotFoundError as exc:  # one that was dropped or renamed since must not stop the others
                self._tracker.say(str(exc), level=Level.WARN, part="source")
                return []
            wanted = inspector.tables(schemas) if named is None else named
        return [table for table in wanted if table not in known]

    def _copy(self, stored: StoredStream, book: StreamBook, ledger: Ledger, handover: HandOver) -> StoredStream:
        """The first copy, and the structure that comes after it."""
        plan = plan_from_json(ledger.known_plan())
        tables = {table.source: table for table in stored.tables}
        if any(tables[table.source].state is TableState.PENDING for table in plan.tables):
            for table in handover.copy(stored.origin, stored.tables, ledger):
                if tables[table.source].state is TableState.PENDING:
                    book.save(table)
                    tables[table.source] = table
            failpoints.hit("handover.saved")
        stored = StoredStream(stored.origin, stored.checkpoint, tuple(tables.values()))
        self._moments = moments(plan, stored.tables)
        if not self._moments:
            handover.finish(stored.origin, ledger)
        return stored

    def _later(self, stored: StoredStream, changes: ChangeSource, means: Means) -> Later:
        """What finishes the first copy's structure once its tables are all of one moment."""
        handover = HandOver(self.run_id, self._source, changes, means, aside=True)
        waiting, self._moments = set(self._moments), frozenset()

        def passed(position: str) -> None:
            waiting.discard(position)
            if not waiting:
                with means.target.ledger(self.run_id) as ledger:
                    handover.finish(stored.origin, ledger)

        return [(position, partial(passed, position)) for position in sorted(waiting)]

    def _stream(
        self, stored: StoredStream, book: StreamBook, changes: ChangeSource, applies: ChangeTarget, means: Means
    ) -> None:
        """Read and apply until something ends it."""
        copier = Copier(self.run_id, self._source, changes, means, self._requests, open_hold(means, self.run_id))
        self._tracker.stream_tables(stored.tables)
        with ExitStack() as stack:
            applier = stack.enter_context(applies.applier(self.run_id))
            _check_unmoved(book, changes, stored)
            self._tracker.set_letters(book.count_letters())  # nobody else can put any aside now
            applier = self._divided(stored, book, applies, applier, stack)
            standing = Standing(stored)
            session = Session(
                changes, applier, standing, self._lag, self._milestones, self._orders,
                self._evolution, self._answers, self._options, self._control, self._limit, self._tracker,
                self._interrupts, self._make_hub, copier, self._later(stored, changes, means), self.run_id,
            )  # fmt: skip
            self._standing = standing
            self._tracker.stage("streaming")
            session.run()

    def _divided(
        self, stored: StoredStream, book: StreamBook, applies: ChangeTarget, whole: Applier, stack: ExitStack
    ) -> Applier:
        """What applies the changes: the applier of the whole stream, which keeps others out, or one for each part."""
        parts = parts_of(
            self._source, self._target, stored.tables, self._options.changes.partitions, self._tracker,
            fires=whole.fires_triggers,
        )  # fmt: skip
        if parts or book.parts():
            book.divide(stored, parts)
        failpoints.hit("stream.divided")
        return stack.enter_context(PartedApplier(applies, self.run_id, parts)) if parts else whole


def _load(book: StreamBook, changes: ChangeSource) -> StoredStream | None:
    """What the target knows of the stream, also if it was divided."""
    stored = book.load()
    return None if stored is None else gathered(stored, book.parts(), partial(changes.reaches, stored.origin))


def _check_unmoved(book: StreamBook, changes: ChangeSource, stored: StoredStream) -> None:
    """Raise `ReadAgainError` if whoever had the stream until the applier got it has applied more meanwhile."""
    now = _load(book, changes)
    if now is None or now.checkpoint.position != stored.checkpoint.position:
        raise ReadAgainError("another process has applied changes of this stream before this one got hold of it")


def stored_letters(target: Endpoint, options: RunOptions, run_id: str, limit: int = 1000) -> list[DeadLetter]:
    """As `Replication.letters`, of a stream that does not run."""
    with _open_target(target, options).book(run_id) as book:
        return book.letters(limit)


def stored_schema_changes(target: Endpoint, options: RunOptions, run_id: str, limit: int = 1000) -> list[SchemaRecord]:
    """As `Replication.schema_changes`, of a stream that does not run."""
    with _open_target(target, options).book(run_id) as book:
        return book.changes(limit)


def discard_letters(target: Endpoint, options: RunOptions, run_id: str, numbers: Sequence[int]) -> None:
    """Forget changes that were put aside; also while the stream runs."""
    with _open_target(target, options).book(run_id) as book:
        book.discard(numbers)


def close_stream(source: Endpoint, target: Endpoint, options: RunOptions, run_id: str) -> None:
    """End a stream that does not run for good: the source keeps nothing for it any more, the target forgets it.

    The rows stay. Done again, or for a stream that never began, it does nothing.
    """
    with _open_target(target, options).book(run_id) as book:
        stored = book.load()
        if stored is not None:
            _open_source(source, options).close(stored.origin)
            _forget_asked(target, options, run_id)
            book.drop()


def _forget_asked(target: Endpoint, options: RunOptions, run_id: str) -> None:
    """Of a stream that ends for good."""
    if target.spec.target is not None:
        with target.spec.target(target.settings, options).ledger(asked_id(run_id)) as ledger:
            if ledger.known_plan():
                ledger.finish(keep=False)


def _open_source(source: Endpoint, options: RunOptions) -> ChangeSource:
    if source.spec.changes is None:
        raise PlanError(f"{source.spec.title} cannot be the source of a replication yet")
    return source.spec.changes(source.settings, options)


def _open_target(target: Endpoint, options: RunOptions) -> ChangeTarget:
    if target.spec.applies is None:
        raise PlanError(f"{target.spec.title} cannot be the target of a replication yet")
    return target.spec.applies(target.settings, options)


def _find(tables: Sequence[StreamTable], name: TableId | str) -> StreamTable:
    """The stream's table of that name; one without a schema may be the only one of its name."""
    same = [table for table in tables if name == table.source or name in (str(table.source), table.source.name)]
    exact = [table for table in same if name in (table.source, str(table.source))]
    if len(exact or same) != 1:
        told = "is in several schemas; write schema.table" if same else "is not a table of the stream"
        raise NotFoundError(f"{name} {told}", remedy="name a table of the source", table=str(name))
    return (exact or same)[0]
