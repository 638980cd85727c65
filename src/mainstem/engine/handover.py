"""From a plan to tables that follow the log: what is copied first, and at which position of the log it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from mainstem import failpoints
from mainstem.contract.apply import StreamBook
from mainstem.contract.changes import ChangeSource
from mainstem.contract.source import Snapshot
from mainstem.contract.target import Ledger
from mainstem.engine.anchors import AnchoredRounds, altered, anchors
from mainstem.engine.copying import Copying
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.evolution import RESYNC_REMEDY
from mainstem.engine.means import Means
from mainstem.engine.planjson import plan_from_json, plan_to_json
from mainstem.engine.planner import Planned, look
from mainstem.engine.present import present_columns, shape
from mainstem.engine.retry import worth_waiting
from mainstem.errors import InvalidError, MainstemError, NotFoundError, TakenOverError
from mainstem.model.event import Level
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, ReportItem, Severity, TablePlan
from mainstem.model.run import RunOptions, SchemaChangePolicy, SnapshotPolicy, TableState, WriteMode
from mainstem.model.schema import Column
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable

FOLLOWED = "followed_from_now"
_PLANS = 3  # tables may be dropped meanwhile
_OPENING = "opening"
_NONE: Mapping[TableId, StreamTable] = MappingProxyType({})
WAITING = (TableState.PENDING, TableState.COPYING)
"""States of tables that are still to be copied."""


@dataclass(frozen=True, slots=True)
class LogSnapshots:
    """A `Source` whose snapshots stand at an exact position of the log."""

    changes: ChangeSource
    origin: str

    def snapshot(self, readers: int) -> AbstractContextManager[Snapshot]:
        """See `contract.source.Source`."""
        return self.changes.snapshot(self.origin, readers)


def plan_options(options: RunOptions) -> RunOptions:
    """The options as the plan of a first copy is made by: rows may be there, but for a copy of every table."""
    if any(item.query for item in options.tables):
        raise InvalidError(
            "a query cannot be replicated: the log tells of tables",
            fields={"tables": "a query cannot be in mode cdc"},
            remedy="name tables instead of queries, or use mode convert",
        )
    always = options.changes.snapshot is SnapshotPolicy.ALWAYS
    return replace(
        options,
        write_mode=WriteMode.TRUNCATE if always else WriteMode.APPEND,
        skip_data=options.changes.snapshot is SnapshotPolicy.NEVER or bool(options.changes.position and not always),
    )


def to_copy(planned: Planned, options: RunOptions) -> tuple[TablePlan, ...]:
    """The tables to copy: all that the target lacks or has without rows, or every one; or, without rows, to make."""
    there = planned.existing
    if options.changes.snapshot is SnapshotPolicy.ALWAYS:
        return planned.plan.tables
    return tuple(
        table
        for table in planned.plan.tables
        if table.target not in there or (there[table.target].empty and not options.skip_data)
    )


def stream_tables(planned: Planned, copied: Sequence[TablePlan], source: Endpoint) -> tuple[StreamTable, ...]:
    """The tables of a stream: those that are copied (or made) wait, the others follow the log from its start."""
    layouts: dict[TableId, tuple[Column, ...]] = {table.id: table.columns for table in planned.catalog.tables}
    memos = {table.id: table.memo for table in planned.catalog.tables}
    waiting = {table.source for table in copied}
    missing = [str(table.source) for table in planned.plan.tables if table.source not in layouts]
    if missing:
        raise InvalidError(
            f"only tables can be replicated: {', '.join(missing)}",
            fields={"tables": f"{', '.join(missing)}: no table"},
            remedy="leave views and queries out, or use mode convert",
        )
    return tuple(
        StreamTable(
            replace(table, raw="", merge=False), layouts[table.source],
            TableState.PENDING if table.source in waiting else TableState.STREAMING,
            cascades=not source.spec.logs_cascades, memo=memos[table.source],
        )
        for table in planned.plan.tables
    )  # fmt: skip


def moments(plan: MigrationPlan, tables: Sequence[StreamTable]) -> frozenset[str]:
    """The positions that all have to be passed before foreign keys hold; empty if they hold as it is.

    Rows of one snapshot hold them among each other; those of several, or beside tables that only follow, do later.
    """
    if not plan.phase(Phase.FOREIGN_KEYS):
        return frozenset()
    own = {table.source for table in plan.tables}
    mine = [table for table in tables if table.source in own]
    found = frozenset(position for table in mine for position in (table.since, table.until) if position)
    return found if len(found) > 1 or len(mine) < len(tables) else frozenset()


def not_copied(tables: Sequence[str], position: str = "") -> ReportItem:
    """Tells of tables that have rows on the target, and follow the source from a position on, or from now."""
    listed = ", ".join(tables[:20]) + " …" * (len(tables) > 20)
    begin = f"position {position}" if position else "now"
    return ReportItem(
        Severity.INFO, FOLLOWED, "snapshot",
        f"{len(tables)} tables are not copied, but follow the source from {begin}: {listed}",
        "where their rows are not the source's, copy them anew (resync), or choose snapshot always",
    )  # fmt: skip


class HandOver:
    """The first copy of a stream, or of tables that are added to it.

    Args:
        run_id: of the ledger.
        source: for questions about its tables.
        aside: others stream meanwhile, so that the run is in no other stage.
    """

    def __init__(
        self, run_id: str, source: Endpoint, changes: ChangeSource, means: Means, *, aside: bool = False
    ) -> None:
        self._run_id, self._source, self._changes, self._means = run_id, source, changes, means
        self._tracker, self._aside = means.tracker, aside

    def _stage(self, name: str) -> None:
        if not self._aside:
            self._tracker.stage(name)

    def begin(self, stream_id: str, book: StreamBook, ledger: Ledger) -> StoredStream:
        """Plan, have the log kept, write both down. Nothing of the target is touched but our own tables.

        What a start that got no further has left is not gone on with: nothing was copied yet. Tables that are dropped
        between plan and log are planned without, where nobody has named them.
        """
        self._stage("planning")
        options = plan_options(self._means.options)
        for again in reversed(range(_PLANS)):
            try:
                stored = self._begun(stream_id, ledger, options)
                break
            except NotFoundError:
                if options.tables or not again:
                    raise
        failpoints.hit("handover.opened")
        self._create(book, stored)
        failpoints.hit("handover.created")
        return stored

    def _begun(self, stream_id: str, ledger: Ledger, options: RunOptions) -> StoredStream:
        planned = look(self._source, self._means.end, options)
        self._means.control.check_stopped()
        copied = to_copy(planned, options)
        tables = stream_tables(planned, copied, self._source)
        if ledger.known_plan():
            ledger.finish(keep=False)
        ledger.open(plan_to_json(replace(planned.plan, tables=copied)))
        failpoints.hit("handover.planned")
        ledger.note(_OPENING)  # who was taken over meanwhile ends here: what the next one has kept is left alone
        names = [table.source for table in tables]
        origin, position = self._changes.open(stream_id, names, "", options.changes.position)
        self._tell(planned, copied, options)
        return StoredStream(origin, Checkpoint(position), tables)

    def _create(self, book: StreamBook, stored: StoredStream) -> None:
        """Write the stream down; where that is refused, nobody would know what the source keeps for it."""
        try:
            book.create(stored)
        except MainstemError as exc:
            if not worth_waiting(exc) and not isinstance(exc, TakenOverError):
                with suppress(MainstemError):
                    self._changes.close(stored.origin)
            raise

    def _tell(self, planned: Planned, copied: Sequence[TablePlan], options: RunOptions) -> None:
        """Which tables are copied, and which are not."""
        names = {table.source for table in copied}
        followed = [str(table.source) for table in planned.plan.tables if table.source not in names]
        if copied:
            what = "made empty" if options.skip_data else "copied first"
            listed = ", ".join(str(table.source) for table in copied[:20])
            self._tracker.say(f"{len(copied)} tables are {what}: {listed}{' …' * (len(copied) > 20)}")
        if followed:
            self._tracker.report(not_copied(followed, options.changes.position))

    def copy(self, origin: str, tables: Sequence[StreamTable], ledger: Ledger) -> list[StreamTable]:
        """Copy what the ledger's plan names and make its structure, but for the last phases (`finish`).

        Returns:
            The plan's tables as they are now: following the log, each from its snapshot; or FAILED; or COPYING where
            another plan and copy is needed (see `anchors.altered`).
        """
        plan = plan_from_json(ledger.known_plan())
        self._tracker.plan(plan)
        self._stage("structure")
        known = {table.source: table for table in tables}
        with ExitStack() as stack:
            builder = stack.enter_context(self._means.target.builder(self._run_id))
            self._means.interrupts.add(builder.interrupt)
            self._copying(plan, origin, known).copy(ledger, builder)
        self._means.control.check_stopped()
        failpoints.hit("handover.copied")
        again = altered(ledger)
        positions = {table: anchor.positions for table, anchor in anchors(ledger).items()}
        return [
            self._again(known[table.source])
            if table.source in again
            else self._copied(known[table.source], positions.get(table.source, ()))
            for table in plan.tables
            if table.source in known
        ]

    def _again(self, table: StreamTable) -> StreamTable:
        self._tracker.say(
            f"{table.source}: its columns were changed while its copy began; it is planned and copied once more",
            level=Level.WARN, part="source", table=str(table.source),
        )  # fmt: skip
        return replace(table, state=TableState.COPYING, since="", until="", error="", remedy="")

    def _copied(self, table: StreamTable, positions: tuple[str, ...]) -> StreamTable:
        counter = self._tracker.table(table.source)
        if counter.state is TableState.SKIPPED:
            return replace(table, state=TableState.SKIPPED, error=counter.error)
        if counter.state is not TableState.FINISHED:
            error = counter.error or "its copy did not end"
            return replace(table, state=TableState.FAILED, error=error, remedy=RESYNC_REMEDY)
        if len(positions) > 1:
            return replace(
                table, state=TableState.CATCHING_UP, since=positions[0], until=positions[-1], error="", remedy=""
            )
        since = positions[0] if positions else ""
        return replace(table, state=TableState.STREAMING, since=since, until="", error="", remedy="")

    def finish(self, origin: str, ledger: Ledger, *, forget: bool = True) -> None:
        """Foreign keys, counters, views, comments and statistics of the ledger's plan; then the ledger goes.

        Args:
            forget: whether the ledger goes.
        """
        self._stage("finishing")
        plan = plan_from_json(ledger.known_plan())
        with self._means.target.builder(self._run_id) as builder:
            self._means.interrupts.add(builder.interrupt)
            failed = {table.target for table in self._tracker.failed_tables()}
            kept = tuple(statement for statement in plan.statements if statement.table not in failed)
            self._copying(replace(plan, statements=kept), origin).finish(builder, partial=False, strict=False)
        self._means.interrupts.check()  # a foreign key that was broken off is still to be made
        if forget:
            ledger.finish(keep=False)
            failpoints.hit("handover.finished")

    def _copying(self, plan: MigrationPlan, origin: str, known: Mapping[TableId, StreamTable] = _NONE) -> Copying:
        means = replace(self._means, options=plan_options(self._means.options))
        rounds = AnchoredRounds(self._tracker, self._goes_on(), partial(self._reshaped, known))
        source = LogSnapshots(self._changes, origin)
        return Copying(self._run_id, plan, source, means, _ours, rounds, aside=self._aside)

    def _reshaped(self, known: Mapping[TableId, StreamTable], tables: Sequence[TableId]) -> list[TableId]:
        """Those of the tables that have other columns now than `StreamTable.layout`, if that matters."""
        if self._means.options.changes.schema_changes is SchemaChangePolicy.IGNORE:
            return []
        there = present_columns(self._source, tables)
        return [table for table in tables if table in there and shape(there[table]) != shape(known[table].layout)]

    def _goes_on(self) -> Callable[[TablePlan], bool]:
        """Whether a half-copied table may go on from another snapshot: its key alone must be unique."""
        answers: dict[TableId, bool] = {}

        def asked(table: TablePlan) -> bool:
            if table.source not in answers:
                with self._source.spec.inspector(self._source.settings) as inspector:
                    found = inspector.catalog([table.source]).tables
                others = any(index.unique for item in found if item.id == table.source for index in item.indexes)
                answers[table.source] = bool(table.key) and bool(found) and not others
            return answers[table.source]

        return asked


def _ours(table: TableId) -> bool:
    """Every table that is copied was missing, empty, or is emptied first."""
    return True
