"""Changes of a segment by sets: their net effect is staged by COPY and merged with a few statements for each table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa

from mainstem.connectors.postgres.work import TargetTable, Work, chosen
from mainstem.model.names import TableId
from mainstem.model.net import Net, Tally, count_rows, net
from mainstem.model.run import TableState

Missing = Callable[[TableId, int], None]


class NotBySetsError(Exception):
    """Only the events one by one will do."""


@dataclass(slots=True)
class Staging:
    """The staging tables of a session.

    Attributes:
        filled: those to be emptied before they are used again. Emptied between savepoints, not inside one, a table
            gives its room back at once and not at the transaction's end.
    """

    made: set[str] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)

    def emptying(self) -> str:
        """The statement that empties them, or nothing."""
        return f"TRUNCATE {', '.join(sorted(self.filled))}; " if self.filled else ""

    def copy(self) -> Staging:
        """As it is now."""
        return Staging(set(self.made), set(self.filled))


class Merge:
    """Merges tables' changes, deletes first.

    Args:
        replace: rows that are there afterwards are deleted and put in again, which no row stands in the way of: not
            one that has the same key against the evidence, nor one that has a unique value that the segment moves.

    Attributes:
        table: whose turn it is, or was when an error was raised.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], staging: Staging, missing: Missing, *, replace: bool
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._missing = missing
        self._replace = replace
        self.table = TableId("", "")

    def run(self, works: Sequence[Work], *, moves: Callable[[Work], bool]) -> None:
        """Apply the parts; of tables that refer to each other, those that are referred to come first.

        Args:
            moves: whether a row may get another key by being deleted and put in again.

        Raises:
            NotBySetsError: see there; some of it may be applied already.
            RowError, psycopg.Error
        """
        nets = [self._net(work, moves=moves(work)) for work in works]
        for work, effect in reversed(list(zip(works, nets, strict=True))):
            self.table = work.table.source
            if isinstance(effect, Tally):
                self._remove(work, effect)
            else:
                self._delete(work, effect)
        for work, effect in zip(works, nets, strict=True):
            self.table = work.table.source
            if isinstance(effect, Tally):
                self._copy(work.target, effect.added)
            else:
                self._put(work, effect)

    def _net(self, work: Work, *, moves: bool) -> Net | Tally:
        if not work.plan.keyed:
            return count_rows(work.changes)
        effect = net(work.changes, work.plan.identity, distinct=self._replace)
        if effect is None or (effect.moves and not moves) or self._out_of_reach(work, effect):
            raise NotBySetsError
        return effect

    def _out_of_reach(self, work: Work, effect: Net) -> bool:
        """Whether rows change in a column that no UPDATE may set."""
        said = work.target.statements
        fixed = {column for column in work.target.every if said.column(column).always} - said.key
        changed = [partial.columns for partial in effect.partials]
        if effect.updates.num_rows and not self._replace:
            changed.append(work.target.every)
        return any(fixed & set(columns) for columns in changed)

    def _delete(self, work: Work, effect: Net) -> None:
        gone = self._delete_keys(work, effect.deletes)
        self._lacking(work, effect.deletes.num_rows - gone)
        if work.table.state is TableState.CATCHING_UP:
            self._delete_keys(work, effect.vanished)
        if self._replace:
            identity = work.plan.identity
            gone = self._delete_keys(work, chosen(effect.updates, identity))
            self._lacking(work, effect.updates.num_rows - gone)
            self._delete_keys(work, chosen(effect.inserts, identity))

    def _put(self, work: Work, effect: Net) -> None:
        if self._replace:
            self._copy(work.target, effect.updates)
        else:
            self._update(work, effect.updates)
        for partial in effect.partials:
            self._update_part(work, partial.columns, partial.rows)
        self._copy(work.target, effect.inserts)

    def _copy(self, target: TargetTable, rows: pa.RecordBatch) -> None:
        if rows.num_rows:
            target.copy(self._connection, target.statements.into, target.every, rows)

    def _delete_keys(self, work: Work, keys: pa.RecordBatch) -> int:
        if not keys.num_rows:
            return 0
        target = work.target
        self._stage(target, target.statements.keys_table, target.plan.identity, keys)
        return self._execute(target.statements.delete_set(keys.num_rows))

    def _update(self, work: Work, rows: pa.RecordBatch) -> None:
        if not rows.num_rows:
            return
        target, said = work.target, work.target.statements
        self._stage(target, said.rows_table, target.every, rows)
        sql = said.update_set(target.every, rows.num_rows)
        found = self._execute(sql) if sql else self._count(said.count_set())
        if found < rows.num_rows:
            self._lacking(work, rows.num_rows - found)
            self._execute(said.insert_set())

    def _update_part(self, work: Work, columns: tuple[int, ...], rows: pa.RecordBatch) -> None:
        target, said = work.target, work.target.statements
        self._stage(target, said.rows_table, columns, rows)
        sql = said.update_set(columns, rows.num_rows)
        found = self._execute(sql) if sql else self._count(said.count_set())
        self._lacking(work, rows.num_rows - found)

    def _remove(self, work: Work, effect: Tally) -> None:
        if not effect.removed.num_rows:
            return
        target, said = work.target, work.target.statements
        times = effect.counts.to_pylist()
        rows = effect.removed.take(pa.array([row for row, n in enumerate(times) for _ in range(n or 0)], pa.int32()))
        self._stage(target, said.rows_table, target.every, rows)
        self._lacking(work, rows.num_rows - self._execute(said.remove_bag()))

    def _stage(self, target: TargetTable, into: str, columns: tuple[int, ...], rows: pa.RecordBatch) -> None:
        staging = self._staging
        if into not in staging.made:
            every = target.plan.identity if into == target.statements.keys_table else target.every
            self._execute(target.statements.stage(into, every))
            staging.made.add(into)
        elif into in staging.filled:
            self._execute(f"TRUNCATE {into}")
        staging.filled.add(into)
        target.copy(self._connection, into, columns, rows)

    def _lacking(self, work: Work, count: int) -> None:
        if count > 0:
            self._missing(work.table.source, count)

    def _execute(self, sql: str) -> int:
        return self._connection.execute(sql.encode()).rowcount

    def _count(self, sql: str) -> int:
        row = self._connection.execute(sql.encode()).fetchone()
        return int(row[0]) if row else 0
