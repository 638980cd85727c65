"""Tables that are copied while others stream: copied anew, or added.

The stream goes on for the others, and drops what comes for the copied ones. Of the log nothing is let go meanwhile
that is newer than where the copy began (the hold). Once the copy is done, the stream is read again from there: each
copied table takes what came after its snapshot, every other table what came after the moment of that change, which is
written down in one transaction. So nothing has to be kept here, however long a copy takes.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from mainstem import failpoints
from mainstem.contract.changes import ChangeSource
from mainstem.contract.target import Ledger
from mainstem.ddl.evolution import RUN
from mainstem.ddl.selection import matches
from mainstem.engine.anchors import altered
from mainstem.engine.applying import Applying
from mainstem.engine.asked import Asked
from mainstem.engine.control import Interrupts
from mainstem.engine.denied import only
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.evolution import IGNORED, PAUSED, RESYNC, RESYNC_REMEDY
from mainstem.engine.handover import WAITING, HandOver, not_copied, plan_options, stream_tables, to_copy
from mainstem.engine.means import Means
from mainstem.engine.planjson import plan_from_json, plan_to_json
from mainstem.engine.planner import Planned, look
from mainstem.engine.present import present_columns
from mainstem.engine.progress import now_us
from mainstem.engine.retry import worth_waiting
from mainstem.engine.site import ReadAgainError
from mainstem.engine.standing import Standing
from mainstem.errors import CancelledError, LockedError, MainstemError, PlanError, TakenOverError, TransientError
from mainstem.model.change import SchemaChangeKind
from mainstem.model.event import Level
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan
from mainstem.model.run import ACTIVE, SchemaPolicy, SnapshotPolicy, TableSelection, TableState, WriteMode
from mainstem.model.stream import SchemaRecord, StreamTable

LOCKED_DELAY_S = 1.0
NEW_REMEDY = "mend the cause, then start the stream again"
_NOTE = "hold:"  # a note of the ledger: the position from which the stream is to be read again


def ledger_id(stream_id: str) -> str:
    """The run under which a stream's later copies keep their ledger: one copy at a time."""
    return f"{stream_id}.more"


def held(ledger: Ledger) -> str:
    """The position that an unfinished copy needs the log from, or empty."""
    notes = (note for note in ledger.notes() if note.startswith(_NOTE))
    return next((str(json.loads(note.removeprefix(_NOTE))) for note in notes), "")


class Requests:
    """Tables that are to be copied, from any thread; outlives connections.

    Args:
        asked: outlives the process.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked, self._restored = asked, False
        self._changed = threading.Condition()
        self._waiting: deque[TableId] = deque()
        self._alone: deque[TableId] = deque()

    def add(self, tables: Iterable[TableId]) -> None:
        """Have these copied once what is being copied is done."""
        with self._changed:
            self._waiting.extend(table for table in tables if table not in self._waiting)
            self._changed.notify_all()

    def ask(self, tables: Sequence[TableId]) -> None:
        """The same, also if this process ends before; raises as `Asked`."""
        self._asked.add(tables)
        self.add(tables)

    def restore(self, known: Iterable[TableId]) -> None:
        """Add what was asked of an earlier process, once; what is not known any more is forgotten."""
        if not self._restored:
            asked, there = self._asked.tables(), set(known)
            self._asked.begun([table for table in asked if table not in there])
            self.add([table for table in asked if table in there])
            self._restored = True

    def begun(self, tables: Iterable[TableId]) -> None:
        """The target's book itself tells of these from here on."""
        self._asked.begun(tables)

    def add_alone(self, tables: Iterable[TableId]) -> None:
        """Have these copied after all others, one by one."""
        with self._changed:
            self._alone.extend(table for table in tables if table not in self._alone)
            self._changed.notify_all()

    def wake(self) -> None:
        """Have those who wait look whether it is over."""
        with self._changed:
            self._changed.notify_all()

    def take(self, over: threading.Event) -> list[TableId]:
        """All that waits, or one that is to be copied alone; waits for some. `CancelledError` when it is over."""
        with self._changed:
            while not self._waiting and not self._alone:
                if over.is_set():
                    raise CancelledError("the connection is over")
                self._changed.wait(0.5)
            found = list(self._waiting) or [self._alone.popleft()]
            self._waiting.clear()
            return found


class Copier:
    """One connection's thread that copies tables. `run` ends when the connection does.

    Args:
        requests: what is wanted.
        means: what the run works with; interrupts are the copier's own.
    """

    def __init__(
        self, stream_id: str, source: Endpoint, changes: ChangeSource, means: Means, requests: Requests, hold: str
    ) -> None:
        self._stream_id, self._source, self._changes = stream_id, source, changes
        self._interrupts = Interrupts(means.control)
        snapshot = replace(means.options.changes, snapshot=SnapshotPolicy.AUTO, position="")
        options = replace(means.options, changes=snapshot, skip_data=False, write_mode=WriteMode.APPEND)
        self._means = replace(means, interrupts=self._interrupts, options=options)
        self._handover = HandOver(ledger_id(stream_id), source, changes, self._means, aside=True)
        self._tracker, self._requests = means.tracker, requests
        self._over = threading.Event()
        self._hold = hold
        self._to_do: dict[TableId, Sequence[str]] = {}  # on the target, by people, before a table can be copied

    def hold(self) -> str:
        """The position that the source must keep its log from, or empty."""
        return self._hold

    def cancel(self) -> None:
        """The connection is over; what is copied by now stays."""
        self._over.set()
        self._requests.wake()
        self._interrupts.run()

    def run(self, writer: Applying) -> None:
        """Go on with what an earlier connection or start has left, then copy what is asked for."""
        standing = writer.site.standing
        with self._means.target.ledger(ledger_id(self._stream_id)) as ledger:
            if ledger.known_plan() and held(ledger):
                names = [table.source for table in plan_from_json(ledger.known_plan()).tables]
                self._try(names, ledger, writer, standing)
            elif ledger.known_plan():  # of a copy that was not begun: it will be
                ledger.finish(keep=False)
            left = [table.source for table in standing.durable_tables if table.state in WAITING]
            self._requests.add(left)
        self._requests.restore(table.source for table in standing.durable_tables)
        while True:
            tables = self._requests.take(self._over)
            with self._means.target.ledger(ledger_id(self._stream_id)) as ledger:
                self._try(tables, ledger, writer, standing)

    def _try(self, tables: list[TableId], ledger: Ledger, writer: Applying, standing: Standing) -> None:
        """Copy tables; what cannot be planned or copied ends neither the stream nor the copy of the others."""
        begun = False
        try:
            if not ledger.known_plan():
                self._begin_unlocked(tables, ledger, writer, standing)
            begun = True
            self._copy(ledger, writer, standing)
        except CancelledError:
            if not begun:
                self._requests.add(tables)
            raise
        except MainstemError as exc:
            over = self._over.is_set() or self._means.control.stopped  # it says nothing about the tables
            if worth_waiting(exc) or isinstance(exc, TakenOverError) or over:
                if not begun:
                    self._requests.add(tables)
                raise
            alone = len(tables) == 1
            if alone:
                self._failed(tables[0], exc, writer, standing)
            if ledger.known_plan():
                ledger.finish(keep=False)
            self._hold = ""
            if not alone:
                self._requests.add_alone(tables)

    def _begin_unlocked(self, tables: list[TableId], ledger: Ledger, writer: Applying, standing: Standing) -> None:
        """The same, once nobody has locked what is asked about: others, or the stream's own transaction meanwhile."""
        told = ""
        while True:
            try:
                self._begin(tables, ledger, writer, standing)
                return
            except LockedError as exc:
                if ledger.known_plan():
                    ledger.finish(keep=False)
                if str(exc) != told:
                    told = str(exc)
                    self._tracker.say(f"{exc}; a copy waits for that", level=Level.WARN, code=exc.code)
                if self._over.wait(LOCKED_DELAY_S):
                    raise CancelledError("the connection is over") from None

    def _begin(self, tables: Sequence[TableId], ledger: Ledger, writer: Applying, standing: Standing) -> None:
        """Plan, mark the tables as being copied, empty them, and hold the log from here on."""
        there = {table.source: table for table in standing.durable_tables}
        known = {table: there[table] for table in tables if table in there}
        self._reshape(known, writer)
        plan, planned, made = self._plan(tables, known, standing)
        copied = {table.source for table in plan.tables}
        following = [table for table in planned if table.source not in copied]
        waiting = [_copying(table) for table in planned if table.source in copied]

        def mark() -> None:
            here = standing.checkpoint.position
            self._hold = self._hold or here
            for source in known.keys() & copied:
                if letters := writer.transaction.discard(source):
                    self._tracker.say(f"{source}: {letters:,} changes that were put aside are forgotten with its rows")
            writer.transaction.save_tables([*waiting, *(replace(table, since=here) for table in following)])

        self._order(writer, mark)
        if following:
            self._tracker.report(not_copied([str(table.source) for table in following]))
        ledger.open(plan_to_json(plan))
        for table in waiting:
            if table.source in known and table.plan.target not in made:
                ledger.forget(table.source, table.plan.target, former=self._stream_id)
                self._tracker.say(f"{table.source}: its rows in {table.plan.target} are deleted, and copied anew")
        ledger.note(_NOTE + json.dumps(self._hold))  # from here on the copy is gone on with
        failpoints.hit("resync.marked")
        self._requests.begun(known)

    def _reshape(self, known: Mapping[TableId, StreamTable], writer: Applying) -> None:
        """Give tables of the target the columns that their sources have now; what is refused shows in the plan."""
        now = present_columns(self._source, list(known))
        self._to_do = {}
        for source, table in known.items():
            if source in now:
                statements, self._to_do[source] = writer.evolution.to_columns(table, now[source])
                for statement in statements:
                    self._alter(writer, statement)

    def _alter(self, writer: Applying, statement: str) -> None:
        passing: list[TransientError] = []

        def work() -> None:
            error = writer.transaction.alone(lambda: writer.applier.alter([statement]))
            passing.extend([error] if isinstance(error, TransientError) else ())

        self._order(writer, work)
        if passing:
            raise passing[0]

    def _plan(
        self, tables: Sequence[TableId], known: Mapping[TableId, StreamTable], standing: Standing
    ) -> tuple[MigrationPlan, tuple[StreamTable, ...], set[TableId]]:
        """The plan of these tables as they are now, and what the target lacks; the log of those that are new is kept.

        Of the new ones those that the target has with rows are not copied, as at a stream's start.

        Raises `PlanError`: the table of the target is that of another one, which had this name before.
        """
        options = only(plan_options(self._means.options), tables)
        options = replace(
            options,
            tables=tuple(_into(item, known) for item in options.tables),
            structure=replace(options.structure, views=False),
            schema_policy=SchemaPolicy.CREATE_MISSING,
        )
        planned = look(self._source, self._means.end, options)
        _check_apart(planned, standing)
        every = dict.fromkeys([*(table.source for table in standing.durable_tables), *tables])
        self._changes.open(self._stream_id, list(every), standing.origin, "")
        first = {table.source for table in to_copy(planned, options)}
        copied = tuple(table for table in planned.plan.tables if table.source in known or table.source in first)
        self._tracker.plan(planned.plan)
        made = {table.target for table in copied if table.target not in planned.existing}
        return replace(planned.plan, tables=copied), stream_tables(planned, copied, self._source), made

    def _copy(self, ledger: Ledger, writer: Applying, standing: Standing) -> None:
        """Copy what the ledger's plan names, unless that is done; then the stream is read again."""
        names = [table.source for table in plan_from_json(ledger.known_plan()).tables]
        there = {table.source: table for table in standing.durable_tables}
        tables = [there[name] for name in names if name in there]
        again = altered(ledger)  # copied, and to be planned anew once this ledger is gone
        if any(table.state in WAITING and table.source not in again for table in tables):
            copied = self._handover.copy(standing.origin, tables, ledger)
            # Of parts that were saved apart when a server was lost, some may go on already: from where they are.
            copied = [self._told(table) for table in copied if there[table.source].state in WAITING]
            failpoints.hit("resync.copied")
            self._handover.finish(standing.origin, ledger, forget=False)
            self._tell_undone(copied, writer, standing)
            self._order(writer, lambda: self._rewind(copied, writer, standing))
        else:  # the stream was read again already
            self._handover.finish(standing.origin, ledger)
            self._hold = ""

    def _told(self, table: StreamTable) -> StreamTable:
        """A table whose copy failed tells what people have to do on the target."""
        if table.state is not TableState.FAILED:
            return table
        return replace(table, error="; ".join([table.error, *self._to_do.get(table.source, ())]))

    def _tell_undone(self, copied: Sequence[StreamTable], writer: Applying, standing: Standing) -> None:
        """Of tables that were copied though the target's are not what they should be by now."""
        for table in copied:
            undone = [said for said in self._to_do.get(table.source, ()) if RUN in said]
            if not undone or table.state is TableState.FAILED:
                continue
            detail = f"copied anew into the target's table as it is: {'; '.join(undone)}; then {RESYNC}"
            line = SchemaRecord(table.source, "resync", standing.checkpoint.position, IGNORED, detail, now_us())
            self._order(writer, partial(writer.transaction.alone, partial(writer.applier.record, line)))
            self._tracker.say(
                f"{table.source}: {detail}", level=Level.WARN, part="target", table=str(table.source)
            )  # fmt: skip

    def _rewind(self, copied: Sequence[StreamTable], writer: Applying, standing: Standing) -> None:
        """In one transaction: where each table goes on, and the stream from the hold."""
        mine = {table.source for table in copied}
        here = writer.position
        others = [
            replace(table, since=here)
            for table in standing.durable_tables
            if table.source not in mine and table.state in ACTIVE and not writer.is_behind(table)
        ]
        writer.transaction.save_tables([*others, *copied], position=self._hold)
        failpoints.hit("resync.rewound")
        raise ReadAgainError("tables were copied")

    def _failed(self, table: TableId, error: MainstemError, writer: Applying, standing: Standing) -> None:
        self._tracker.say(
            f"{table} cannot be copied: {error}", level=Level.ERROR, part="source", table=str(table), code=error.code
        )
        message = "; ".join([error.message, *self._to_do.get(table, ())])
        known = next((known for known in standing.durable_tables if known.source == table), None)
        if known is None:
            detail = f"it cannot be copied: {message}{f' ({error.remedy})' if error.remedy else ''}; {NEW_REMEDY}"
            line = SchemaRecord(
                table, str(SchemaChangeKind.CREATED), standing.checkpoint.position, PAUSED, detail, now_us()
            )
            self._order(writer, lambda: writer.transaction.alone(lambda: writer.applier.record(line)))
            return
        failed = replace(known, state=TableState.FAILED, error=message, remedy=RESYNC_REMEDY)
        self._order(writer, lambda: writer.transaction.save_tables([failed]))
        self._requests.begun([table])

    def _order(self, writer: Applying, work: Callable[[], object]) -> None:
        """Have the writer do this, and wait for it."""
        done = threading.Event()

        def ordered(_: Applying) -> None:
            if self._over.is_set():  # of a connection that is over
                return
            work()
            done.set()

        writer.site.orders.add(ordered)
        while not done.wait(0.2):
            if self._over.is_set():
                raise CancelledError("the connection is over")


def _check_apart(planned: Planned, standing: Standing) -> None:
    """`PlanError` where rows of two tables of the source would come together in one of the target."""
    owners = {known.plan.target: known.source for known in standing.durable_tables}
    for table in planned.plan.tables:
        there = planned.existing.get(table.target)
        whole = there.part_of if there is not None else None
        if whole in owners and owners[whole] != table.source:
            raise PlanError(
                f"the target's table {table.target} is a partition of {whole}, which is that of {owners[whole]}",
                remedy=f"detach it from {whole} on the target, and drop or rename it",
                table=str(table.source),
            )
        owner = owners.get(table.target, table.source)
        if owner != table.source:
            raise PlanError(
                f"the target's table {table.target} is that of {owner}, which had this name before",
                remedy=f"give {table.source} another name in the source, or replicate it by another stream",
                table=str(table.source),
            )


def _copying(table: StreamTable) -> StreamTable:
    return replace(table, state=TableState.COPYING, since="", until="", error="", remedy="")


def _into(selection: TableSelection, known: Mapping[TableId, StreamTable]) -> TableSelection:
    """The selection of a table that the stream has: it goes on into the table of the target that it went into."""
    for table, own in known.items():
        if matches(table, selection.name) and own.plan.target.name != table.name:
            return replace(selection, target=own.plan.target.name)
    return selection


def open_hold(means: Means, stream_id: str) -> str:
    """The hold of a copy that an earlier start has left."""
    with ExitStack() as stack:
        ledger = stack.enter_context(means.target.ledger(ledger_id(stream_id)))
        return held(ledger) if ledger.known_plan() else ""
