"""A source with a log and a target with tables, both in memory, that can be made to fail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from mainstem.contract.changes import GroupLimits, Retention
from mainstem.contract.dialect import Dialect
from mainstem.contract.inspector import Inspector
from mainstem.contract.source import Snapshot
from mainstem.contract.spec import ConnectorSpec
from mainstem.contract.target import Target
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import CancelledError, MainstemError, PositionLostError
from mainstem.model.change import ChangeGroup, Idle, Op, Part, RowChanges, SchemaChange, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import ACTIVE, RunOptions, TableState
from mainstem.model.schema import Catalog, Column
from mainstem.model.stream import StreamTable
from mainstem.model.types import Kind, LogicalType

if TYPE_CHECKING:
    from tests.engine.memory_target import MemoryTarget

Event = tuple[str, Op, str, str | None]
"""Table, what happened, the key before, the value after (of an INSERT or UPDATE; the key stays)."""
Rows = dict[str, str | None]


def table_id(name: str) -> TableId:
    return TableId("s", name)


def stream_table(name: str, **members: Any) -> StreamTable:
    text = LogicalType(Kind.TEXT)
    columns = tuple(ColumnPlan(column, column, text, "text") for column in ("id", "value"))
    layout = tuple(Column(column.source, text, "text") for column in columns)
    state = members.pop("state", TableState.STREAMING)
    return StreamTable(TablePlan(table_id(name), TableId("t", name), columns, ("id",)), layout, state, **members)


def changes(events: Sequence[tuple[int, Event]]) -> tuple[RowChanges, ...]:
    """Numbered events as changes of each table."""
    found: dict[str, list[tuple[int, Event]]] = {}
    for number, event in events:
        found.setdefault(event[0], []).append((number, event))
    return tuple(_changes(table, own) for table, own in found.items())


def _changes(table: str, events: list[tuple[int, Event]]) -> RowChanges:
    def cells(values: list[str | None]) -> pa.Array[Any]:
        return pa.array([None if value is None else value.encode() for value in values], pa.binary())

    keys = [key for _, (_, _, key, _) in events]
    ops = [op for _, (_, op, _, _) in events]
    gone = [op is Op.DELETE for op in ops]
    after = pa.RecordBatch.from_arrays(
        [
            cells([None if dead else key for key, dead in zip(keys, gone, strict=True)]),
            cells([value for _, (_, _, _, value) in events]),
        ],
        names=["c0", "c1"],
    )
    before = pa.RecordBatch.from_arrays(
        [cells([None if op is Op.INSERT else key for key, op in zip(keys, ops, strict=True)])], names=["c0"]
    )
    only_inserts = all(op is Op.INSERT for op in ops)
    return RowChanges(
        table_id(table), pa.array(ops, pa.uint8()), pa.array([number for number, _ in events], pa.int64()), after,
        None if only_inserts else before, {}, sum(map(len, keys)),
    )  # fmt: skip


def events_of(parts: Sequence[RowChanges]) -> list[Event]:
    """The events of changes in their order."""
    found: list[tuple[int, Event]] = []
    for part in parts:
        after = [column.to_pylist() for column in part.after.columns]
        before = part.before.column(0).to_pylist() if part.before is not None else [None] * part.count
        for row, (op, seq) in enumerate(zip(part.ops.to_pylist(), part.seqs.to_pylist(), strict=True)):
            key = after[0][row] if op == Op.INSERT else before[row]
            value = after[1][row]
            event = part.table.name, Op(op or 0), key.decode(), None if value is None else value.decode()
            found.append((seq or 0, event))
    return [event for _, event in sorted(found, key=lambda item: item[0])]


class MemoryLog:
    """A source: its log of transactions (lists of events) and other parts, and the truth that they come to.

    Attributes:
        piece_rows: transactions of more rows come in pieces of so many.
        grouped: at most so many transactions in one group.
        errors: raised by `groups`, one each time that it is at the end of the log.
        confirmed: what it was told.
    """

    def __init__(self, tables: Sequence[str] = ("a", "b")) -> None:
        self.entries: list[list[Event] | Truncate | SchemaChange] = []
        self.changed = threading.Condition()
        self.piece_rows, self.grouped = 1000, 10
        self.errors: list[MainstemError] = []
        self.confirmed: list[int] = []
        self.lost = False
        self.opened: list[str] = []
        self.tables = tables
        self.closed = 0

    def add(self, *entries: list[Event] | Truncate | SchemaChange) -> None:
        with self.changed:
            self.entries += entries
            self.changed.notify_all()

    def truth(self, since: Mapping[str, int] | None = None) -> dict[str, Rows]:
        """What the tables hold once all of the log is applied."""
        found: dict[str, Rows] = {table: {} for table in self.tables}
        for number, entry in enumerate(self.entries):
            if isinstance(entry, Truncate):
                for table in entry.tables:
                    found[table.name] = {}
            elif not isinstance(entry, SchemaChange):
                for event in entry:
                    if number >= (since or {}).get(event[0], 0):
                        apply_event(found, event)
        return found

    # the face of a `ChangeSource`

    def open(self, stream_id: str, tables: Sequence[TableId], origin: str, position: str) -> tuple[str, str]:
        self.opened.append(origin)
        if self.lost:
            raise PositionLostError("the log is gone", remedy="resync")
        return origin or "here", position or str(len(self.entries))

    def snapshot(self, origin: str, readers: int) -> AbstractContextManager[Snapshot]:
        raise NotImplementedError

    def stream(
        self, origin: str, position: str, tables: Sequence[StreamTable], limits: GroupLimits, keep: str = ""
    ) -> MemoryStream:
        return MemoryStream(self, int(position), tables)

    def reaches(self, origin: str, at: str, position: str) -> bool:
        return int(at) >= int(position)

    def end_position(self) -> str:
        return str(len(self.entries))

    def retention(self, origin: str, position: str) -> Retention:
        return Retention(held_bytes=len(self.entries) - int(position))

    def close(self, origin: str) -> None:
        self.closed += 1


class MemoryStream:
    def __init__(self, log: MemoryLog, position: int, tables: Sequence[StreamTable]) -> None:
        self._log, self._position = log, position
        self._tables = {table.source: table for table in tables}
        self._settled = True
        self._interrupted = False

    def __enter__(self) -> MemoryStream:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def groups(self) -> Iterator[ChangeGroup | Idle]:
        log = self._log
        while True:
            with log.changed:
                if self._interrupted:
                    raise CancelledError("interrupted")
                entries = log.entries[self._position : self._position + log.grouped]
                if not entries and log.errors:
                    raise log.errors.pop(0)
                if not entries:
                    log.changed.wait(0.05)
            if not entries:
                yield Idle(str(self._position), 0)
                continue
            yield from self._read(entries)
            self._wait_settled()

    def _read(self, entries: list[list[Event] | Truncate | SchemaChange]) -> Iterator[ChangeGroup]:
        gathered: list[tuple[int, Event]] = []
        first = self._position
        now_us = time.time_ns() // 1000
        for entry in entries:
            if not isinstance(entry, list):
                parts: list[Part] = [*changes(gathered), entry]
                self._position += 1
                self._settled = not isinstance(entry, SchemaChange)
                yield ChangeGroup(tuple(parts), True, self._position - first, str(self._position), now_us, now_us)
                return
            wanted = [event for event in entry if self._wanted(event)]
            if len(wanted) > self._log.piece_rows:
                if self._position > first:
                    break
                yield from self._pieces(wanted, now_us)
                return
            gathered += [(len(gathered) + number, event) for number, event in enumerate(wanted)]
            self._position += 1
        position = str(self._position)
        yield ChangeGroup(changes(gathered), True, self._position - first, position, now_us, now_us)

    def _pieces(self, events: list[Event], now_us: int) -> Iterator[ChangeGroup]:
        size = self._log.piece_rows
        for start in range(0, len(events) - size, size):
            yield ChangeGroup(changes(list(enumerate(events[start : start + size]))), False)
        self._position += 1
        rest = events[(len(events) - 1) // size * size :]
        yield ChangeGroup(changes(list(enumerate(rest))), True, 1, str(self._position), now_us, now_us)

    def _wanted(self, event: Event) -> bool:
        table = self._tables.get(table_id(event[0]))
        return table is not None and table.state in ACTIVE and self._position >= int(table.since or 0)

    def _wait_settled(self) -> None:
        with self._log.changed:
            while not self._settled and not self._interrupted:
                self._log.changed.wait()

    def settle(self, table: StreamTable | None) -> None:
        with self._log.changed:
            if table is not None:
                self._tables[table.source] = table
            self._settled = True
            self._log.changed.notify_all()

    def answer(self, number: int, taken: bool) -> None:
        raise NotImplementedError

    def confirm(self, position: str) -> None:
        self._log.confirmed.append(int(position))

    def interrupt(self) -> None:
        with self._log.changed:
            self._interrupted = True
            self._log.changed.notify_all()


def apply_event(tables: dict[str, Rows], event: Event) -> None:
    table, op, key, value = event
    if op is Op.DELETE:
        tables[table].pop(key, None)
    else:
        tables[table][key] = value


class _NoLedger:
    def __enter__(self) -> _NoLedger:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def known_plan(self) -> str:
        return ""


class _Bare:
    def ledger(self, run_id: str) -> _NoLedger:
        return _NoLedger()


class _NoTables:
    def __enter__(self) -> _NoTables:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tables(self, schemas: Sequence[str] = (), *, every: bool = False) -> list[TableId]:
        return []

    def catalog(self, tables: Sequence[TableId] = (), **_: object) -> Catalog:
        return Catalog(())

    def target_dialect(self) -> None:
        return None


def ends(log: MemoryLog, target: MemoryTarget, inspector: Any = None) -> tuple[Endpoint, Endpoint]:
    """Both as endpoints."""

    def make_inspector(settings: ConnectionSettings) -> Inspector:
        return cast(Inspector, inspector or _NoTables())

    settings = ConnectionSettings("memory", "localhost", 1, "nobody")
    source = ConnectorSpec(
        "memory", (), "memory", 1, "s", True, cast(Dialect, None), make_inspector, changes=lambda _, options: log
    )
    return Endpoint(source, settings), Endpoint(
        ConnectorSpec(
            "memory", (), "memory", 1, "t", True, cast(Dialect, None), make_inspector,
            target=lambda _, options: cast(Target, _Bare()), applies=lambda _, options: target,
        ),
        settings,
    )  # fmt: skip


def options(**members: Any) -> RunOptions:
    return replace(RunOptions(reporting_interval_s=0), **members)


def as_number(position: str) -> int:
    return int(json.loads(position))
