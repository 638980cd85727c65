"""A stream of PostgreSQL's log in a test's hands: read to the end, and applied to rows in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from mainstem.connectors.postgres.changes import PostgresChanges
from mainstem.connectors.postgres.changestream import PostgresChangeStream
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.contract.changes import GroupLimits
from mainstem.contract.source import BatchLimits
from mainstem.model.batch import ChangeBatch
from mainstem.model.change import ChangeGroup, Idle, Op, RowChanges, SchemaChange, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import ChangeOptions, Mode, RunOptions, TableState
from mainstem.model.schema import Table
from mainstem.model.stream import StreamTable

DEADLINE_S = 60.0
Row = tuple[bytes | None, ...]


def stream_table(database: ConnectionSettings, name: str, **changes: Any) -> StreamTable:
    """A table as it is now, all of whose columns keep their types; keywords change it."""
    id_ = TableId("public", name)
    with PostgresInspector(database) as inspector:
        (table,) = (table for table in inspector.catalog([id_]).tables if table.id == id_)
    return made_of(table, **changes)


def made_of(table: Table, **changes: Any) -> StreamTable:
    """The same for what is known of a table."""
    columns = tuple(
        ColumnPlan(column.name, column.name, column.type, column.native, column.nullable, column.native)
        for column in table.columns
        if column.generated is None
    )
    plan = TablePlan(table.id, table.id, columns, table.primary_key)
    return replace(StreamTable(plan, table.columns, TableState.STREAMING, memo=table.memo), **changes)


def as_rows(batch: pa.RecordBatch) -> list[Row]:
    """Rows of text cells."""
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


@dataclass
class Twin:
    """Rows of tables, kept in step by changes; the plainest applier there can be."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    keys: dict[str, list[int]] = field(default_factory=dict)

    def know(self, table: StreamTable) -> None:
        names = [column.source for column in table.plan.columns]
        self.rows.setdefault(table.source.name, [])
        self.keys[table.source.name] = [names.index(name) for name in table.plan.key] or list(range(len(names)))

    def apply(self, group: ChangeGroup) -> None:
        waiting: list[RowChanges] = []
        for part in group.parts:
            if isinstance(part, RowChanges):
                waiting.append(part)
                continue
            self._merge(waiting)
            waiting = []
            if isinstance(part, Truncate):
                for table in part.tables:
                    self.rows[table.name] = []
        self._merge(waiting)

    def _merge(self, parts: list[RowChanges]) -> None:
        assert len({part.table for part in parts}) == len(parts), "one part for each table between two barriers"
        events = []
        for part in parts:
            seqs = part.seqs.to_pylist()
            assert seqs == sorted(set(seqs))
            befores = [None] * part.count if part.before is None else as_rows(part.before)
            absent = {column: array.to_pylist() for column, array in part.absent.items()}
            for number, after in enumerate(as_rows(part.after)):
                gone = {column for column, flags in absent.items() if flags[number]}
                op = Op(part.ops[number].as_py())
                events.append((seqs[number], part.table.name, op, after, befores[number], gone))
        assert len({event[0] for event in events}) == len(events)
        for _, table, op, after, before, gone in sorted(events):
            self._event(table, op, after, before, gone)

    def _event(self, table: str, op: Op, after: Row, before: Row | None, gone: set[int]) -> None:
        rows = self.rows[table]
        if op is Op.INSERT:
            assert before is None or set(before) <= {None}
            rows.append(after)
            return
        assert before is not None
        place = next(n for n, row in enumerate(rows) if tuple(row[key] for key in self.keys[table]) == before)
        if op is Op.DELETE:
            assert set(after) <= {None}
            del rows[place]
            return
        assert all(after[column] is None for column in gone)
        rows[place] = tuple(rows[place][n] if n in gone else cell for n, cell in enumerate(after))


class Feed:
    """A source, and streams of it one after another.

    Attributes:
        takes: what is told ahead of its end is applied there, and not asked for again.
        answered: what became of each.
    """

    def __init__(self, database: ConnectionSettings, *names: str, options: ChangeOptions | None = None) -> None:
        self.database = database
        self.options = RunOptions(mode=Mode.CDC, changes=options or ChangeOptions())
        self.limits = GroupLimits()
        self.source = PostgresChanges(database, self.options)
        ids = [TableId("public", name) for name in names]
        with PostgresInspector(database) as inspector:
            found = {table.id: table for table in inspector.catalog(ids).tables}
        self.tables = [made_of(found[id_]) for id_ in ids]
        self.id = f"st_{database.database}"
        self.origin, self.position = self.source.open(self.id, [table.source for table in self.tables], "", "")
        self.twin = Twin()
        for table in self.tables:
            self.twin.know(table)
        self.takes = True
        self.answered: dict[int, bool] = {}
        self._ahead: dict[int, list[ChangeGroup]] = {}
        self._groups: Iterator[ChangeGroup | Idle] = iter(())

    @contextmanager
    def stream(self, limits: GroupLimits | None = None) -> Iterator[PostgresChangeStream]:
        """From where the last one ended."""
        with self.source.stream(self.origin, self.position, self.tables, limits or self.limits) as stream:
            self._groups = stream.groups()
            yield stream

    def follow(self, stream: PostgresChangeStream, end: str | None = None) -> list[ChangeGroup]:
        """Read and apply until the log's present end (or the one given)."""
        end = end or self.source.end_position()
        return self.until(stream, lambda _: self.source.reaches(self.origin, self.position, end))

    def until(
        self, stream: PostgresChangeStream, met: Callable[[ChangeGroup | Idle], bool], *, settle: bool = True
    ) -> list[ChangeGroup]:
        """Read and apply until a condition is met."""
        deadline = time.monotonic() + DEADLINE_S
        found: list[ChangeGroup] = []
        for group in self._groups:
            if isinstance(group, ChangeGroup):
                found.append(group)
                if group.ahead:
                    self._foresee(stream, group)
                    if met(group):
                        break
                    continue
                self.twin.apply(group)
                change = group.parts[-1] if group.parts else None
                if isinstance(change, SchemaChange) and settle:
                    stream.settle(self._kept(change))
            if not isinstance(group, ChangeGroup) or group.whole:
                assert group.position
                self.position = group.position
                stream.confirm(group.position)
            if met(group):
                break
            assert time.monotonic() < deadline, "nothing came"
        return found

    def _kept(self, change: SchemaChange) -> StreamTable | None:
        """Its table with what is kept of it; None: as before."""
        if change.memo is None:
            return None
        tables = {table.source: table for table in self.tables}
        tables[change.table] = replace(tables[change.table], memo=change.memo)
        self.tables = list(tables.values())
        return tables[change.table]

    def _foresee(self, stream: PostgresChangeStream, group: ChangeGroup) -> None:
        if not group.whole:
            pieces = self._ahead.setdefault(group.ahead, [])
            assert group.parts or pieces, "nothing of it was told"
            pieces.append(group)
            if not group.parts:
                del self._ahead[group.ahead]
            return
        assert not group.parts
        pieces = self._ahead.pop(group.ahead)
        self.answered[group.ahead] = self.takes
        stream.answer(group.ahead, self.takes)
        if self.takes:
            for piece in pieces:
                self.twin.apply(piece)
            self.position = group.position
            stream.confirm(group.position)

    def run(self, limits: GroupLimits | None = None) -> list[ChangeGroup]:
        """A stream from where the last one ended to the log's present end."""
        end = self.source.end_position()
        with self.stream(limits) as stream:
            return self.follow(stream, end)

    def copy(self) -> None:
        """Take all rows from a snapshot; the stream goes on behind it."""
        with self.source.snapshot(self.origin, 1) as snapshot:
            for table in self.tables:
                self.twin.rows[table.source.name] = snapshot_rows(snapshot, table)
            self.tables = [replace(table, since=snapshot.position) for table in self.tables]

    def check(self) -> None:
        """What the stream made of the rows is what a copy would be, cell by cell."""
        with self.source.snapshot(self.origin, 1) as snapshot:
            for table in self.tables:
                found = sorted(snapshot_rows(snapshot, table), key=repr)
                assert sorted(self.twin.rows[table.source.name], key=repr) == found, table.source

    def close(self) -> None:
        self.source.close(self.origin)


def snapshot_rows(snapshot: Any, table: StreamTable) -> list[Row]:
    """All rows of a table in a snapshot."""
    reader = snapshot.readers[0]
    found: list[Row] = []
    for chunk in reader.plan_chunks(table.plan, 100_000):
        for batch in reader.read(table.plan, chunk, BatchLimits()):
            assert isinstance(batch, ChangeBatch)
            found += as_rows(batch.rows)
    return found


def parts_of(groups: Sequence[ChangeGroup]) -> list[Any]:
    """All parts, in order."""
    return [part for group in groups for part in group.parts]
