"""Relation messages, and what they say about the tables that are followed. Pure.

Source: PostgreSQL manual, "Logical Replication Message Formats" (Relation), "Replica Identity".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from mainstem.connectors.postgres.cells import log_op
from mainstem.errors import StatementError, WireError
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan
from mainstem.model.schema import Column
from mainstem.model.stream import StreamTable
from mainstem.native.changerows import ChangeRows, Relation

_KEY = 1  # flag of a column that is of the replica identity


@dataclass(frozen=True, slots=True)
class SentColumn:
    """A column as a Relation message tells of it.

    Attributes:
        key: it is of the replica identity.
        type: oid and modifier.
    """

    name: str
    key: bool
    type: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SentTable:
    """A table as a Relation message tells of it.

    Attributes:
        identity: ``d`` (the primary key), ``n`` (nothing), ``f`` (all columns) or ``i`` (an index).
    """

    oid: int
    id: TableId
    identity: str
    columns: tuple[SentColumn, ...]


class _Bytes:
    """Reads a message from its start."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(form, self._data, self._at)
        except struct.error as exc:
            raise WireError("PostgreSQL's log: a message ends before its time") from exc
        self._at += struct.calcsize(form)
        return found

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise WireError("PostgreSQL's log: a name has no end")
        found = self._data[self._at : end]
        self._at = end + 1
        try:
            return found.decode()
        except UnicodeDecodeError as exc:
            raise WireError("PostgreSQL's log: a name is not UTF-8") from exc

    def end(self) -> None:
        if self._at != len(self._data):
            raise WireError("PostgreSQL's log: a message is longer than its kind is")


def read_relation(data: bytes) -> SentTable:
    """A Relation message without its letter (and transaction)."""
    source = _Bytes(data)
    (oid,) = source.take("!I")
    schema, name = source.text() or "pg_catalog", source.text()
    identity, count = source.take("!Bh")
    columns = []
    for _ in range(count):
        (flags,) = source.take("!B")
        column = source.text()
        type_, modifier = source.take("!Ii")
        columns.append(SentColumn(column, bool(flags & _KEY), (type_, modifier)))
    source.end()
    return SentTable(oid, TableId(schema, name), chr(identity), tuple(columns))


def read_truncate(data: bytes) -> tuple[tuple[int, ...], bool]:
    """The oids of a Truncate message without its letter (and transaction), and whether counters begin anew."""
    source = _Bytes(data)
    count, options = source.take("!IB")
    if count * 4 != len(data) - 5:
        raise WireError("PostgreSQL's log: a message is not as long as its kind is")
    return source.take(f"!{count}I"), bool(options & 2)


def identity_columns(table: StreamTable) -> list[ColumnPlan]:
    """What `RowChanges.before` consists of."""
    return [table.plan.columns[number] for number in table.plan.identity]


def missing_columns(sent: SentTable, table: StreamTable) -> str:
    """Which columns that are to be copied are not sent, in words; empty if all are."""
    names = {column.name for column in sent.columns}
    lacking = [column.source for column in table.plan.columns if column.source not in names]
    if not lacking:
        return ""
    return f"the log does not hold its column {lacking[0]}: it is generated, was dropped, or is not published"


def no_identity(sent: SentTable, table: StreamTable) -> str:
    """Which columns that rows are told apart by are not of the replica identity, in words; empty if all are."""
    keys = {column.name for column in sent.columns if column.key}
    lacking = [column.source for column in identity_columns(table) if column.source not in keys]
    if not lacking:
        return ""
    return (
        f"its UPDATE and DELETE do not say which row they are about: column {lacking[0]} is not of the replica identity"
        " (ALTER TABLE … REPLICA IDENTITY FULL helps)"
    )


def change_rows(table: StreamTable, money_digits: int) -> ChangeRows:
    """Where a table's changes are gathered."""
    after = list(table.plan.columns)
    ops = [log_op(column, money_digits) for column in [*after, *identity_columns(table)]]
    return ChangeRows(len(ops), len(after), [op for op, _ in ops], [parameter for _, parameter in ops])


def relation(sent: SentTable, table: StreamTable | None, rows: ChangeRows | None, since: int) -> Relation:
    """How a table's tuples lie in its columns; without a table, they are left out.

    Args:
        since: changes of transactions that commit before it are left out. Without a table, those behind it are left
            to the caller; 0 is for ever.
    Raises:
        StatementError: a column that is to be copied is not sent.
    """
    if table is None or rows is None:
        return Relation(sent.oid, len(sent.columns), None, [], since)
    lacking = missing_columns(sent, table)
    if lacking:
        raise StatementError(
            f"{sent.id}: {lacking}", remedy="leave it out (excludeColumns), and begin anew", table=str(sent.id)
        )
    places = {column.name: number for number, column in enumerate(sent.columns)}
    keys = {column.name for column in sent.columns if column.key}
    sources = [places[column.source] for column in table.plan.columns]
    sources += [
        places[column.source] if column.source in keys else -1 for column in identity_columns(table)
    ]  # fmt: skip
    return Relation(sent.oid, len(sent.columns), rows, sources, since)


def differs(sent: SentTable, types: Sequence[str], layout: Sequence[Column]) -> bool:
    """Whether the table has other columns than are known; generated ones, which may be sent or not, do not count.

    Args:
        types: the text of each sent column's type.
    """
    generated = {column.name for column in layout if column.generated is not None}
    found = [
        (column.name, type_) for column, type_ in zip(sent.columns, types, strict=True) if column.name not in generated
    ]
    return found != [(column.name, column.native) for column in layout if column.generated is None]
