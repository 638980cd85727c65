"""Changes of one table by sets: what they come to for each key, staged in temporary tables and joined to the target.

Source: MySQL manual, "JOIN Clause" (STRAIGHT_JOIN), "DELETE Statement", "UPDATE Statement", Multiple-Table Syntax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pymysql

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.errors import is_duplicate
from mainstem.connectors.mysql.events import EventWriter
from mainstem.connectors.mysql.outcome import row_error
from mainstem.connectors.mysql.sending import Sender, Staging, in_order
from mainstem.connectors.mysql.written import WrittenTable
from mainstem.errors import RowError
from mainstem.model.change import RowChanges
from mainstem.model.net import Net, count_rows, net, only_inserts

_DIALECT = MysqlDialect()
_SAVEPOINT = "mainstem_table"
_THERE = "mainstem_there"
FEW = 6
"""Up to so many events of a table are written one by one: a staging table costs more (bench/apply_mysql.py)."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Rows of which these columns are known. ``whole``: one that the target lacks is put in; ``counts`` as missing."""

    columns: tuple[int, ...]
    rows: pa.RecordBatch
    whole: bool
    counts: bool


class Merger:
    """Brings one table to where changes leave it. Raises the driver's errors, and `RowError`."""

    def __init__(self, sender: Sender, table: WrittenTable, *, stages: bool = True) -> None:
        self._sender, self._table, self._stages = sender, table, stages
        self._events = EventWriter(sender, table)
        self._all = tuple(range(len(table.plan.columns)))

    def write(self, changes: RowChanges) -> int:
        """Apply; returns how many events were about a row that is not there."""
        table = self._table
        if changes.count <= (1 if only_inserts(changes) else FEW) and self._sender.takes(changes):
            return self.write_in_order(changes)
        if not table.keyed:
            return self._events.write(changes) if table.extras or table.soft else self._count(changes)
        found = net(changes, table.key, distinct=table.overwrites)
        staged = self._stages and table.findable
        if found is None or (found.moves and table.extras) or not (staged or _straight(found, table)):
            return self._events.write(changes)
        self._sender.run(f"SAVEPOINT {_SAVEPOINT}")
        try:
            return self._merge(found)
        except (RowError, pymysql.Error) as exc:
            refused = row_error(exc)
            if refused is None or not is_duplicate(refused):
                raise
        # A warning says that the staging tables stay, which are no part of the transaction.
        self._sender.run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", checked=False)
        self._sender.coerced.clear()
        if not staged:
            return self._events.write(changes)
        again = net(changes, table.key, distinct=True)
        return self._events.write(changes) if again is None else self._rewrite(again)

    def write_in_order(self, changes: RowChanges) -> int:
        """The same, one by one."""
        return self._events.write(changes)

    def _merge(self, found: Net) -> int:
        missing = self._delete(found.deletes)
        if self._table.overwrites:
            self._delete(found.vanished)
        for known in self._known(found):
            if known.counts or self._table.overwrites:
                missing += self._put(known)
            elif known.rows.num_rows:
                self._sender.send(self._table.sql, self._table.plan, known.rows, self._table.required)
        return missing

    def _known(self, found: Net) -> list[_Known]:
        """What is put in or changed, in the order of `Net`."""
        return [
            _Known(self._all, found.updates, True, True),
            *(_Known(partial.columns, partial.rows, False, True) for partial in found.partials),
            _Known(self._all, found.inserts, True, False),
        ]

    def _delete(self, keys: pa.RecordBatch) -> int:
        """Rows of these keys; returns how many of them there were not."""
        if not keys.num_rows:
            return 0
        plan, table = self._table.key_plan, self._table
        with Staging(self._sender) as staging:
            name = staging.table(table.column(column) for column in plan.columns)
            rows = in_order(keys, range(len(plan.columns)), plan.columns)
            self._sender.send(name, plan, rows, frozenset())
            return keys.num_rows - self._sender.run(_delete_sql(name, table), checked=False)

    def _put(self, known: _Known) -> int:
        """Change rows that are there, and put in those that are not; returns how many were missing."""
        if not known.rows.num_rows:
            return 0
        table, others = self._table, self._table.others(known.columns)
        with Staging(self._sender) as staging:
            plan = table.part(known.columns)
            name = staging.table(table.column(column) for column in plan.columns)
            unlabelled = self._sender.send(name, plan, self._sorted(known), table.required)
            lacking = known.rows.num_rows
            if others:
                lacking -= self._sender.run(self._update_sql(name, known.columns), unlabelled=unlabelled)
            elif not known.whole:
                lacking -= self._sender.run(self._count_sql(name))
            if lacking and known.whole:
                lacking = self._sender.run(self._insert_sql(name), unlabelled=unlabelled)
        return lacking if known.counts else 0

    def _rewrite(self, found: Net) -> int:
        """Take all changed rows out before any is put in: unique values may have gone from one to another."""
        table = self._table
        writable = [table.column(column) for column in table.plan.columns] + table.extras
        missing = self._delete(found.deletes)
        if table.overwrites:
            self._delete(found.vanished)
        with Staging(self._sender) as staging:
            staged = []
            for known in self._known(found):
                if known.rows.num_rows:
                    name = staging.table(writable, f"{_THERE} tinyint NOT NULL DEFAULT 0")
                    plan = table.part(known.columns)
                    unlabelled = self._sender.send(name, plan, self._sorted(known), table.required)
                    there = self._sender.run(self._complete_sql(name, known.columns), unlabelled=unlabelled)
                    missing += known.rows.num_rows - there if known.counts else 0
                    staged.append((name, known, unlabelled))
            for name, _, _ in staged:
                self._sender.run(_delete_sql(name, table), checked=False)
            for name, known, unlabelled in staged:
                columns = ", ".join(_DIALECT.quote(column.name) for column in writable)
                self._sender.run(_move_sql(name, table, columns, 1), unlabelled=unlabelled)
                if known.whole:
                    self._sender.run(_move_sql(name, table, self._names(self._all), 0), unlabelled=unlabelled)
        return missing

    def _sorted(self, known: _Known) -> pa.RecordBatch:
        places = [known.columns.index(index) for index in self._table.key]
        return in_order(known.rows, places, self._table.key_plan.columns)

    def _names(self, columns: Sequence[int], of: str = "") -> str:
        return ", ".join(f"{of}{_DIALECT.quote(self._table.plan.columns[index].target)}" for index in columns)

    def _update_sql(self, staging: str, columns: Sequence[int]) -> str:
        names = [_DIALECT.quote(self._table.plan.columns[index].target) for index in self._table.others(columns)]
        sets = [f"t.{name} = s.{name}" for name in names]
        sets += [f"t.{name} = t.{name}" for name in self._table.renewing(columns)]
        # From the few rows to the many, which have the key; the server may not guess that it is this way round.
        return f"UPDATE {staging} s STRAIGHT_JOIN {self._table.sql} t ON {self._table.same()} SET {', '.join(sets)}"

    def _count_sql(self, staging: str) -> str:
        return f"SELECT 1 FROM {staging} s STRAIGHT_JOIN {self._table.sql} t ON {self._table.same()}"

    def _insert_sql(self, staging: str) -> str:
        table = self._table
        return (
            f"INSERT INTO {table.sql} ({self._names(self._all)}) SELECT {self._names(self._all, 's.')}"
            f" FROM {staging} s LEFT JOIN {table.sql} t ON {table.same()} WHERE t.{table.anchor} IS NULL"
        )

    def _complete_sql(self, staging: str, columns: Sequence[int]) -> str:
        """What a staged row does not say is as it was."""
        rest = [_DIALECT.quote(self._table.plan.columns[index].target) for index in self._all if index not in columns]
        rest += [_DIALECT.quote(column.name) for column in self._table.extras]
        sets = ", ".join([f"s.{_THERE} = 1", *(f"s.{name} = t.{name}" for name in rest)])
        return f"UPDATE {staging} s STRAIGHT_JOIN {self._table.sql} t ON {self._table.same()} SET {sets}"

    def _count(self, changes: RowChanges) -> int:
        """Without a key: how many rows of each kind there are more, or fewer."""
        found, missing = count_rows(changes), 0
        counts: list[Any] = found.counts.to_pylist()
        for number, count in enumerate(counts):
            missing += count - self._events.remove(found.removed, number, count)
        if found.added.num_rows:
            self._sender.send(self._table.sql, self._table.plan, found.added, self._table.required)
        return missing


def _straight(found: Net, table: WrittenTable) -> bool:
    """Whether it needs no staging table."""
    rows = found.updates.num_rows + found.deletes.num_rows + sum(part.rows.num_rows for part in found.partials)
    return rows == 0 and not table.overwrites


def _delete_sql(staging: str, table: WrittenTable) -> str:
    return f"DELETE t FROM {staging} s STRAIGHT_JOIN {table.sql} t ON {table.same()}"


def _move_sql(staging: str, table: WrittenTable, columns: str, there: int) -> str:
    return f"INSERT INTO {table.sql} ({columns}) SELECT {columns} FROM {staging} WHERE {_THERE} = {there}"
