"""Changes one by one, in the source's order: for a few of them, and where only their order will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mainstem.connectors.mysql.comparing import same, split_literals
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.encode import BatchEncoder, Refused
from mainstem.connectors.mysql.errors import is_duplicate
from mainstem.connectors.mysql.outcome import row_error
from mainstem.connectors.mysql.sending import Sender
from mainstem.connectors.mysql.written import WrittenTable
from mainstem.errors import RowError
from mainstem.model.change import Op, RowChanges
from mainstem.model.plan import TablePlan
from mainstem.native.ops import LoadForm, Refusal

_DIALECT = MysqlDialect()
_NULL = b"NULL"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row's literals by the index of their column, and how many of them are error values of an ENUM."""

    literals: dict[int, bytes]
    unlabelled: int

    @property
    def lenient(self) -> bytes:
        """A strict server refuses an ENUM's error value unless errors are turned into warnings; those are counted."""
        return b"IGNORE " if self.unlabelled else b""


class _Cells:
    """Rows of some columns as literals."""

    def __init__(self, sender: Sender, table: WrittenTable, columns: Sequence[int]) -> None:
        self._sender, self._columns = sender, columns
        plan: TablePlan = table.part(columns)
        self._encoder = BatchEncoder(plan, sender.options, frozenset(), into=LoadForm.LITERALS)
        self._required = {place for place, column in enumerate(plan.columns) if column.target.lower() in table.required}

    def row(self, rows: pa.RecordBatch, number: int, absent: frozenset[int] = frozenset()) -> _Row:
        """One row without the columns of which nothing is known; raises `RowError`."""
        encoded = self._encoder.encode(rows, number, number + 1)
        if encoded.refused:
            raise self._encoder.error(encoded.refused[0])
        literals = split_literals(bytes(encoded.payload))
        for place in self._required:
            if literals[place] == _NULL and self._columns[place] not in absent:
                raise self._encoder.error(Refused(number, place, Refusal.NULL_VALUE))
        self._sender.coerced.update(encoded.coerced)
        known = zip(self._columns, literals, strict=True)
        return _Row({column: text for column, text in known if column not in absent}, encoded.unlabelled)


class EventWriter:
    """Writes changes of one table by a statement each. Raises the driver's errors, and `RowError`."""

    def __init__(self, sender: Sender, table: WrittenTable) -> None:
        self._sender, self._table = sender, table
        self._into = table.sql.encode()
        self._names = [_DIALECT.quote(column.target).encode() for column in table.plan.columns]
        self._after = _Cells(sender, table, range(len(table.plan.columns)))
        self._before = _Cells(sender, table, table.key)
        self._one = b"" if table.keyed else b" LIMIT 1"

    def write(self, changes: RowChanges) -> int:
        """Apply the events in order; returns how many were about a row that is not there."""
        missing = 0
        absent = {index: array.to_pylist() for index, array in changes.absent.items()}
        for number, op in enumerate(changes.ops.to_pylist()):
            lacking = frozenset(index for index, marks in absent.items() if marks[number])
            if op == Op.INSERT:
                self._put(self._after.row(changes.after, number, lacking))
            elif op == Op.UPDATE:
                missing += self._update(changes, number, lacking)
            else:
                missing += not self._delete(self._before.row(_sure(changes.before), number))
        return missing

    def remove(self, rows: pa.RecordBatch, number: int, count: int) -> int:
        """Delete up to so many rows that equal this one; returns how many were there."""
        sql = b"DELETE FROM %s WHERE %s LIMIT %d" % (
            self._into, self._where(self._before.row(rows, number)), count,
        )  # fmt: skip
        return self._sender.run(sql)

    def _update(self, changes: RowChanges, number: int, absent: frozenset[int]) -> int:
        old = self._before.row(_sure(changes.before), number)
        new = self._after.row(changes.after, number, absent)
        try:
            if self._set(new, old):
                return 0
        except Exception as exc:
            refused = row_error(exc)
            if refused is None or not is_duplicate(refused) or absent or not self._moves(old, new):
                raise
            self._delete(old)  # at the new key is a row, which this one takes the place of
            self._put(new)
            return 0
        if not absent:
            self._put(new)
        return 1

    def _put(self, row: _Row) -> None:
        """The row as it is, in place of what is at its key."""
        columns = b", ".join(self._names[index] for index in row.literals)
        values = b", ".join(row.literals.values())
        sql = b"INSERT %sINTO %s (%s) VALUES (%s)" % (row.lenient, self._into, columns, values)
        try:
            stored = self._sender.run(sql, unlabelled=row.unlabelled)
            refused = None
        except Exception as exc:
            refused, stored = row_error(exc), 0
            if refused is None:
                raise
        if stored:
            return
        if not self._table.keyed or not self._set(row, row):
            raise refused or RowError("the target did not store the row, and does not say why")

    def _set(self, new: _Row, old: _Row) -> bool:
        """Change the row that is identified by ``old``; whether there is one."""
        texts = [b"%s = %s" % (self._names[index], text) for index, text in new.literals.items()]
        texts += [b"%s = %s" % (name.encode(), name.encode()) for name in self._table.renewing(list(new.literals))]
        sql = b"UPDATE %s%s SET %s WHERE %s%s" % (
            new.lenient, self._into, b", ".join(texts), self._where(old), self._one,
        )  # fmt: skip
        return self._sender.run(sql, unlabelled=new.unlabelled) > 0

    def _delete(self, old: _Row) -> bool:
        return self._sender.run(b"DELETE FROM %s WHERE %s%s" % (self._into, self._where(old), self._one)) > 0

    def _where(self, row: _Row) -> bytes:
        columns = self._table.plan.columns
        tests = [
            same(self._names[index].decode(), self._table.column(columns[index]), row.literals[index])
            for index in self._table.key
        ]
        if self._table.soft and not self._table.keyed:
            tests.append(self._names[-1] + b" IS NULL")
        return b" AND ".join(tests)

    def _moves(self, old: _Row, new: _Row) -> bool:
        return self._table.keyed and any(old.literals[index] != new.literals[index] for index in self._table.key)


def _sure(before: Any) -> pa.RecordBatch:
    if before is None:
        raise ValueError("an UPDATE or DELETE without the row's identity")
    rows: pa.RecordBatch = before
    return rows
