"""A stream of changes that is followed to the end of the log, and what it makes of tables held in memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mainstem.connectors.mysql.changes import MysqlChangeSource
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.inspector import MysqlInspector
from mainstem.contract.changes import ChangeStream, GroupLimits
from mainstem.contract.source import BatchLimits, SnapshotReader
from mainstem.model.change import ChangeGroup, Idle, Op, Part, RowChanges, SchemaChange, SchemaChangeKind
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import StreamTable

Cells = tuple[bytes | None, ...]
Event = tuple[str, Cells | None, Cells | None]
DEADLINE_S = 60.0
LIMITS = GroupLimits()
_WORDS = {Op.INSERT: "insert", Op.UPDATE: "update", Op.DELETE: "delete"}


def run(settings: ConnectionSettings, *sql: str) -> None:
    with connect(settings) as connection:
        for statement in sql:
            query(connection, statement)


def table_plans(settings: ConnectionSettings, *names: str, evidence: bool = False) -> list[StreamTable]:
    """Tables that are read whole, by what the catalog says of them now."""
    ids = [TableId(settings.database, name) for name in names]
    with MysqlInspector(settings) as inspector:
        found = {table.id: table for table in inspector.catalog(ids, evidence=evidence).tables}
    tables = []
    for id_ in ids:
        columns = tuple(
            ColumnPlan(column.name, column.name, column.type, "", column.nullable, column.native)
            for column in found[id_].columns
        )
        plan = TablePlan(id_, id_, columns, key=found[id_].primary_key)
        tables.append(StreamTable(plan, found[id_].columns, TableState.STREAMING))
    return tables


@dataclass
class Following:
    """What a stream has told so far.

    Attributes:
        events: of each table (by name): word, row, identity; cells that the log lacks are ``b"(absent)"``.
        tables: rows by identity, as the events leave them; of a table without a key how many there are of each.
        parts: in their order.
        groups: with ``whole``; Idle ones are left out.
        strict: a row that is inserted must not be there, one that is changed must.
    """

    settle: Callable[[SchemaChange], StreamTable | None] = lambda change: None
    events: dict[str, list[Event]] = field(default_factory=dict)
    tables: dict[str, dict[Cells, Cells]] = field(default_factory=dict)
    bags: dict[str, Counter[Cells]] = field(default_factory=dict)
    keys: dict[str, tuple[int, ...]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    groups: list[ChangeGroup] = field(default_factory=list)
    position: str = ""
    strict: bool = False

    def know(self, table: StreamTable) -> StreamTable:
        """A table's identity."""
        self.keys[table.source.name] = table.plan.identity
        if not table.plan.keyed:
            self.bags[table.source.name] = Counter()
        return table

    def take(self, group: ChangeGroup, stream: ChangeStream) -> None:
        self.groups.append(group)
        self.position = group.position or self.position
        together: list[RowChanges] = []
        for part in group.parts:
            self.parts.append(part)
            if isinstance(part, RowChanges):
                together.append(part)
                continue
            self._apply(together)
            together = []
            if isinstance(part, SchemaChange):
                stream.settle(self.settle(part))
            else:
                for table in part.tables:
                    self.tables.get(table.name, {}).clear()
                    self.bags.get(table.name, Counter()).clear()
        self._apply(together)

    def _apply(self, changes: Sequence[RowChanges]) -> None:
        assert len({one.table for one in changes}) == len(changes)
        ordered = [(one.seqs[number].as_py(), one, number) for one in changes for number in range(one.count)]
        for _, one, number in sorted(ordered, key=lambda item: item[0]):
            self._event(one, number)

    def _event(self, changes: RowChanges, number: int) -> None:
        name = changes.table.name
        op = Op(changes.ops[number].as_py())
        after = _cells(changes.after, number) if op is not Op.DELETE else None
        before = _cells(changes.before, number) if changes.before is not None and op is not Op.INSERT else None
        absent = {index for index, array in changes.absent.items() if array[number].as_py()}
        shown = (
            None
            if after is None
            else tuple(b"(absent)" if index in absent else cell for index, cell in enumerate(after))
        )
        self.events.setdefault(name, []).append((_WORDS[op], shown, before))
        key = self.keys.get(name)
        if key is None or (absent and op is not Op.UPDATE):
            return
        if name in self.bags:
            self.bags[name].subtract([before] if before is not None else [])
            self.bags[name].update([after] if after is not None else [])
        else:
            self._keyed(self.tables.setdefault(name, {}), key, before, after, absent)

    def _keyed(
        self,
        rows: dict[Cells, Cells],
        key: tuple[int, ...],
        before: Cells | None,
        after: Cells | None,
        absent: set[int],
    ) -> None:
        if self.strict:
            assert before is None or before in rows
        old = rows.pop(before, None) if before is not None else None
        if after is not None:
            whole = tuple(old[index] if index in absent and old else cell for index, cell in enumerate(after))
            assert not self.strict or tuple(whole[index] for index in key) not in rows
            rows[tuple(whole[index] for index in key)] = whole


def _cells(rows: object, number: int) -> Cells:
    return tuple(column[number].as_py() for column in rows.columns)  # type: ignore[attr-defined]


class Source:
    """A source whose changes are followed: one stream after the other from one position on."""

    def __init__(self, settings: ConnectionSettings, *names: str, options: RunOptions | None = None) -> None:
        self.settings = settings
        self.changes = MysqlChangeSource(settings, options or RunOptions())
        self.seen = Following()
        self.tables = {
            table.source.name: self.seen.know(table) for table in (table_plans(settings, *names) if names else [])
        }
        ids = [table.source for table in self.tables.values()]
        self.origin, self.position = self.changes.open("test", ids, "", "")
        self.seen.position = self.position

    def run(self, *sql: str) -> None:
        run(self.settings, *sql)

    def copied(self, name: str, since: str) -> None:
        """A table was copied at a position."""
        self.tables[name] = replace(self.tables[name], since=since)

    @contextmanager
    def stream(self, limits: GroupLimits = LIMITS) -> Iterator[ChangeStream]:
        with self.changes.stream(self.origin, self.seen.position, list(self.tables.values()), limits) as stream:
            yield stream

    def follow(self, limits: GroupLimits = LIMITS) -> Following:
        """Read from where the stream was up to what is in the log now."""
        with self.stream(limits) as stream:
            return self.read(stream, self.changes.end_position())

    def read(self, stream: ChangeStream, end: str) -> Following:
        """Read until the position is passed."""
        return self.read_until(stream, lambda: self.changes.reaches(self.origin, self.seen.position, end))

    def read_until(self, stream: ChangeStream, reached: Callable[[], bool]) -> Following:
        """Read until then."""
        deadline = time.monotonic() + DEADLINE_S
        for group in stream.groups():
            assert time.monotonic() < deadline, "the stream does not come to the end of the log"
            if isinstance(group, Idle):
                self.seen.position = group.position
            else:
                self.seen.take(group, stream)
            if reached():
                return self.seen
        raise AssertionError("the stream has an end")

    def rows(self, name: str) -> dict[Cells, Cells]:
        """What the server holds now, as the snapshot reads it."""
        key = self.tables[name].plan.identity
        with self.changes.snapshot(self.origin, 1) as snapshot:
            rows = read_all(snapshot.readers[0], self.tables[name].plan)
        return {tuple(row[index] for index in key): row for row in rows}


def read_all(reader: SnapshotReader, plan: TablePlan) -> list[Cells]:
    """All rows of a table."""
    found: list[Cells] = []
    for chunk in reader.plan_chunks(plan, 1000):
        for batch in reader.read(plan, chunk, BatchLimits()):
            found += [_cells(batch.rows, number) for number in range(batch.rows.num_rows)]  # type: ignore[union-attr]
    return found


def with_columns(table: StreamTable, change: SchemaChange) -> StreamTable:
    """The table with the columns that it has now, all of them wanted; under its new name if it has one."""
    columns = tuple(
        ColumnPlan(column.name, column.name, column.type, "", column.nullable, column.native)
        for column in change.columns
    )
    source = change.renamed_to or table.source
    return replace(table, plan=replace(table.plan, source=source, columns=columns), layout=change.columns)


def in_thread(work: Callable[[threading.Event], None]) -> tuple[threading.Thread, threading.Event]:
    """Start work that goes on until the event is set."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    return thread, stop


__all__ = [
    "LIMITS", "Following", "SchemaChangeKind", "Source", "in_thread", "read_all", "run", "table_plans", "with_columns",
]  # fmt: skip
