"""What becomes of a schema change of the source: statements for the target, or a table that waits for somebody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from mainstem.ddl.evolution import RUN, Change, Shape, follow
from mainstem.engine.denied import wanted
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.progress import Tracker, now_us
from mainstem.engine.retry import worth_waiting
from mainstem.engine.typesbehind import TypesBehind
from mainstem.errors import MainstemError, NotFoundError, PlanError
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.event import Level
from mainstem.model.names import TableId
from mainstem.model.run import ACTIVE, RunOptions, SchemaChangePolicy, TableState
from mainstem.model.schema import Column
from mainstem.model.stream import SchemaRecord, StreamTable

RESYNC = "copy the table anew (resync)"
RESYNC_REMEDY = f"mend the cause, then {RESYNC}"
APPLIED, IGNORED, PAUSED = "applied", "ignored", "paused"


@dataclass(slots=True)
class Outcome:
    """What a schema change comes to.

    Attributes:
        statements: to run on the target before rows of the new shape come.
        tables: as they are from here on; to be saved with the change's transaction.
        gone: names that the stream has no more.
        records: the lines for the book of schema changes.
        settled: what the stream is told.
        created: a table that is to be added.
        warns: somebody should look at it, though no table waits.
        cause: why rows are refused, with what people run.
        told: of it.
    """

    statements: Sequence[str] = ()
    tables: list[StreamTable] = field(default_factory=list)
    gone: list[TableId] = field(default_factory=list)
    records: list[SchemaRecord] = field(default_factory=list)
    settled: StreamTable | None = None
    created: TableId | None = None
    warns: bool = False
    cause: str = ""
    told: bool = False


class Evolution:
    """Decides about one schema change at a time; used by the writer.

    Args:
        created: called with a table that was made in the source and is to be copied, once that is durable.
    """

    def __init__(
        self,
        source: Endpoint,
        target: Endpoint,
        options: RunOptions,
        tracker: Tracker,
        created: Callable[[TableId], None] = lambda table: None,
    ) -> None:
        self._source, self._target, self._options, self._tracker = source, target, options, tracker
        self._created = created
        self._types = TypesBehind(source, target, options)
        self._tried: set[tuple[TableId, tuple[str, ...]]] = set()

    def decide(self, change: SchemaChange, table: StreamTable | None, position: str) -> Outcome:
        """What is to become of it.

        Raises `LostConnectionError` and `ConnectError`: the target cannot be asked.
        """
        if table is None:
            return self._unknown(change, position)
        if table.state is TableState.SKIPPED and change.kind is SchemaChangeKind.CREATED:
            return self._pause(
                change, table, position, [f"it was made again; {table.plan.target} has the rows of before"]
            )
        if table.state not in ACTIVE:
            return Outcome(settled=table)
        return _KINDS[change.kind](self, change, table, position)

    def to_columns(self, table: StreamTable, columns: tuple[Column, ...]) -> tuple[Sequence[str], Sequence[str]]:
        """For a target's table that is to be copied anew with these columns: statements, and what people have to do.

        Neither where people decide about all of it.
        """
        if self._options.changes.schema_changes is not SchemaChangePolicy.APPLY:
            return (), ()
        try:
            found = self._followed(table, columns, anew=True)
        except PlanError:
            return (), ()
        return found.statements, found.obstacles

    def behind(self, table: StreamTable, position: str) -> Outcome:
        """What the types of a table that rows are refused of have got, of which no log tells; nothing, or a cause.

        Raises as `decide`; what cannot be asked for another reason is not known.
        """
        try:
            found = self._types.look(table.source, table.plan.target, table.layout)
        except MainstemError as exc:
            if worth_waiting(exc):
                raise
            found = None
        if found is None:
            return Outcome()
        statements, obstacles, plan = found.grown.statements, found.grown.obstacles, table.plan
        names = found.grown.types
        if not statements and found.columns != table.layout:
            with suppress(PlanError):
                change = self._followed(table, found.columns)
                statements, obstacles, plan = change.statements, [*obstacles, *change.obstacles], change.plan
                names = [now.native for now, known in zip(found.columns, table.layout, strict=True) if now != known]
        if not statements or (table.source, tuple(statements)) in self._tried:  # they were no help
            return Outcome(cause="; ".join(obstacles))
        sql = "; ".join(map(_shown, statements))
        told = SchemaChange(
            SchemaChangeKind.COLUMNS, table.source, found.columns, statement=f"ALTER TYPE {', '.join(names)}"
        )
        policy = self._options.changes.schema_changes
        if policy is SchemaChangePolicy.APPLY:
            grown = replace(table, plan=plan, layout=found.columns)
            return Outcome(statements, [grown], records=[self._record(told, position, APPLIED, sql)], settled=grown)
        cause = f"the type {', '.join(names)} holds more in the source now; {RUN}{sql}"
        if policy is SchemaChangePolicy.PAUSE:
            return self._pause(told, table, position, [cause])
        return Outcome(cause=cause)

    def refused(self, outcome: Outcome, error: MainstemError) -> Outcome:
        """The target refused a statement: the table waits."""
        tables = [_paused(table, error.message) for table in outcome.tables]
        detail = f"{'; '.join(map(_shown, outcome.statements))}: {error.message}"
        records = [replace(line, outcome=PAUSED, detail=detail) for line in outcome.records]
        return Outcome(tables=tables, records=records, settled=tables[0] if tables else outcome.settled)

    def told(self, outcome: Outcome) -> None:
        """The change is durable: tell of it, once."""
        if outcome.told:
            return
        outcome.told = True
        self._tried |= {(table.source, tuple(outcome.statements)) for table in outcome.tables}
        for line in outcome.records:
            waits = line.outcome == PAUSED or outcome.warns
            self._tracker.say(
                f"{line.table}: schema change {line.outcome}: {line.detail}",
                level=Level.WARN if waits else Level.INFO, part="source", table=str(line.table),
            )  # fmt: skip
        if outcome.created is not None:
            self._created(outcome.created)

    def _unknown(self, change: SchemaChange, position: str) -> Outcome:
        """A table that the stream does not have: one that was made is added where all are wanted."""
        if change.kind is not SchemaChangeKind.CREATED or self._options.tables or self._is_excluded(change.table):
            return Outcome()
        adds = self._options.changes.schema_changes is SchemaChangePolicy.APPLY
        detail = "it is made on the target and copied" if adds else "it is not replicated; add it by a new start"
        line = self._record(change, position, APPLIED if adds else IGNORED, detail)
        return Outcome(records=[line], created=change.table if adds else None)

    def _is_excluded(self, table: TableId) -> bool:
        return any(name in (table.name, str(table)) for name in self._options.exclude)

    def _columns(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        if change.columns == table.layout:
            same = [column.mark for column in change.columns] == [column.mark for column in table.layout]
            marked = replace(table, layout=change.columns)
            return Outcome(tables=[] if same else [marked], settled=marked)
        policy = self._options.changes.schema_changes
        if policy is SchemaChangePolicy.PAUSE:
            return self._pause(change, table, position, ["its columns were changed in the source"])
        try:
            if policy is SchemaChangePolicy.IGNORE:
                return self._ignore(change, table, position)
            found = self._followed(table, change.columns)
        except PlanError as exc:
            return self._pause(change, table, position, [exc.message])
        if found.obstacles:
            return self._pause(change, table, position, found.obstacles)
        if change.reason:
            found.told.append(change.reason)
            found.copy = True
        detail = "; ".join([*found.told, *map(_shown, found.statements)]) or "nothing is to be done on the target"
        changed = replace(table, plan=found.plan, layout=change.columns, left=(*table.left, *found.left))
        if found.copy:
            changed = _paused(changed, "; ".join(found.told))
        line = self._record(change, position, PAUSED if found.copy else APPLIED, detail)
        return Outcome(found.statements, [changed], records=[line], settled=changed)

    def _followed(self, table: StreamTable, columns: tuple[Column, ...], *, anew: bool = False) -> Change:
        """Ask the target what it has, and what it would have to become; ``anew`` as of `follow`."""
        plan = table.plan
        with self._target.spec.inspector(self._target.settings) as inspector:
            dialect = inspector.target_dialect()
            try:
                catalog = inspector.catalog([plan.target])
            except NotFoundError:
                raise PlanError(f"table {plan.target} is gone from the target") from None
        there = {column.name.lower(): column for item in catalog.tables for column in item.columns}
        if dialect is None:
            raise PlanError(f"{self._target.spec.title} cannot be a target")
        selection = wanted([table.source], self._options)[table.source]
        own = next((item for item in catalog.tables if item.id == plan.target), None)
        shape = Shape(plan, table.layout, selection, there, own, left=table.left)
        change = follow(shape, columns, self._source.spec.dialect, dialect, self._options.type_overrides, anew=anew)
        if self._source.spec.dialect.sql_name == dialect.sql_name:
            behind = self._types.look(table.source, plan.target, table.layout)
            if behind is not None:  # types first: columns may be of new ones
                change.statements[:0] = behind.grown.statements
                change.obstacles += behind.grown.obstacles if anew else ()
        return change

    def _ignore(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        """Go on with the columns that there were, if they are all there and no value of theirs became another one."""
        present = {column.name for column in change.columns}
        known = {column.name for column in table.layout}
        lost = [column.source for column in table.plan.columns if column.source not in present]
        if lost:
            return self._pause(change, table, position, [f"the source has dropped or renamed {', '.join(lost)}"])
        found = self._followed(table, tuple(column for column in change.columns if column.name in known))
        why = [*found.obstacles, *(found.told if found.copy else ()), *filter(None, [change.reason])]
        if why:
            return self._pause(change, table, position, why)
        fresh = {column.source: column for column in found.plan.columns}
        columns = tuple(
            replace(fresh.get(column.source, column), target=column.target, target_type=column.target_type)
            for column in table.plan.columns
        )
        changed = replace(table, plan=replace(table.plan, columns=columns), layout=change.columns)
        line = self._record(change, position, IGNORED, "the target keeps the columns that it has")
        return Outcome(tables=[changed], records=[line], settled=changed)

    def _dropped(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        detail = f"{change.reason or 'the source has dropped it'}; {table.plan.target} stays on the target"
        changed = replace(table, state=TableState.SKIPPED, error=detail)
        return Outcome(tables=[changed], records=[self._record(change, position, IGNORED, detail)], settled=changed)

    def _renamed(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        name = change.renamed_to
        if name is None or self._options.changes.schema_changes is SchemaChangePolicy.PAUSE:
            return self._pause(change, table, position, ["it was renamed in the source"])
        detail = f"it is {name} now, and goes on into {table.plan.target}"
        changed = replace(table, plan=replace(table.plan, source=name), layout=change.columns or table.layout)
        line = self._record(change, position, APPLIED, detail)
        return Outcome(tables=[changed], gone=[table.source], records=[line], settled=changed)

    def _again(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        """A table of a known name was made: another one, unless it only comes up once more."""
        if change.columns == table.layout:
            return Outcome(settled=table)
        return self._columns(change, table, position)

    def _lost(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        return self._pause(change, table, position, [change.reason or "its rows are not in the log any more"])

    def _noted(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        kept = self._kept(change, table, position)
        kept.records.append(self._record(change, position, IGNORED, change.reason))
        kept.warns = True
        return kept

    def _kept(self, change: SchemaChange, table: StreamTable, position: str) -> Outcome:
        kept = table if change.memo is None else replace(table, memo=change.memo)
        return Outcome(tables=[kept] if kept != table else [], settled=kept)

    def _pause(self, change: SchemaChange, table: StreamTable, position: str, why: Sequence[str]) -> Outcome:
        paused = _paused(table, "; ".join(why))
        line = self._record(change, position, PAUSED, f"{paused.error}; then {RESYNC}")
        return Outcome(tables=[paused], records=[line], settled=paused)

    def _record(self, change: SchemaChange, position: str, outcome: str, detail: str) -> SchemaRecord:
        return SchemaRecord(change.table, change.statement or str(change.kind), position, outcome, detail, now_us())


def _shown(sql: str) -> str:
    """A statement for people: one that begins with a comment is told by that."""
    return sql.partition("\n")[0].removeprefix("-- ") if sql.startswith("-- ") else sql


def _paused(table: StreamTable, detail: str) -> StreamTable:
    return replace(table, state=TableState.PAUSED, error=detail, remedy=RESYNC)


_KINDS: dict[SchemaChangeKind, Callable[[Evolution, SchemaChange, StreamTable, str], Outcome]] = {
    SchemaChangeKind.COLUMNS: Evolution._columns,
    SchemaChangeKind.CREATED: Evolution._again,
    SchemaChangeKind.DROPPED: Evolution._dropped,
    SchemaChangeKind.RENAMED: Evolution._renamed,
    SchemaChangeKind.LOST: Evolution._lost,
    SchemaChangeKind.NOTED: Evolution._noted,
    SchemaChangeKind.KEPT: Evolution._kept,
}
