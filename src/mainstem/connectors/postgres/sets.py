"""The statements that apply changes to one table: for single events, and for sets of rows in staging tables.

Pure text. ``t`` is the table, ``s`` the staging table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.shape import Shape, TargetColumn
from mainstem.model.plan import TablePlan

_quote = PostgresDialect().quote


@dataclass(frozen=True)
class Statements:
    """What is said to the server about one table.

    Attributes:
        plan: its columns, with that for soft deletes, if any.
        number: of the table on this connection; names its staging tables.
    """

    plan: TablePlan
    shape: Shape
    number: int

    @property
    def rows_table(self) -> str:
        """Where whole rows are staged."""
        return f"pg_temp.mainstem_rows_{self.number}"

    @property
    def keys_table(self) -> str:
        """Where keys are staged."""
        return f"pg_temp.mainstem_keys_{self.number}"

    @property
    def into(self) -> str:
        """The table as INSERT and COPY name it, which know no ONLY."""
        return self.shape.name.removeprefix("ONLY ")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns, quoted."""
        return tuple(_quote(column.target) for column in self.plan.columns)

    @cached_property
    def key(self) -> frozenset[int]:
        """Indexes of the key's columns; none of a table without one."""
        return frozenset(self.plan.identity) if self.plan.keyed else frozenset()

    def column(self, index: int) -> TargetColumn:
        """What the target says of a column; one that it does not have is one without a type."""
        name = self.plan.columns[index].target
        return self.shape.columns.get(name) or TargetColumn(name, "", always=False, loose=False, exact=False)

    def listed(self, columns: Sequence[int]) -> str:
        """Names, for a column list."""
        return ", ".join(self.names[column] for column in columns)

    def copy(self, into: str, columns: Sequence[int], *, binary: bool) -> str:
        """COPY into the table itself or a staging table."""
        return f"COPY {into} ({self.listed(columns)}) FROM STDIN{' (FORMAT binary)' if binary else ''}"

    def stage(self, into: str, columns: Sequence[int]) -> str:
        """Make a staging table."""
        return f"CREATE TEMP TABLE {into} AS SELECT {self.listed(columns)} FROM {self.shape.name} WITH NO DATA"

    def settable(self, columns: Sequence[int], *, keys: bool = False) -> list[int]:
        """Those that an UPDATE may set."""
        return [column for column in columns if (keys or column not in self.key) and not self.column(column).always]

    # Sets of rows

    def delete_set(self, count: int) -> str:
        """Delete the rows whose keys, so many, are staged."""
        staged = self._staged(self.keys_table, count)
        return f"DELETE FROM {self.shape.name} t USING {staged} WHERE {self._joined(self.plan.identity)}"

    def update_set(self, columns: Sequence[int], count: int) -> str:
        """Change rows to what is staged, so many; empty where there is nothing to set."""
        sets = ", ".join(f"{self.names[column]} = s.{self.names[column]}" for column in self.settable(columns))
        joined = self._joined(self.plan.identity)
        staged = self._staged(self.rows_table, count)
        return f"UPDATE {self.shape.name} t SET {sets} FROM {staged} WHERE {joined}" if sets else ""

    def insert_set(self) -> str:
        """Put in the staged rows whose keys the table does not have."""
        every = range(len(self.names))
        staged = ", ".join(f"s.{name}" for name in self.names)
        return (
            f"INSERT INTO {self.into} ({self.listed(every)}) OVERRIDING SYSTEM VALUE SELECT {staged}"
            f" FROM {self.rows_table} s WHERE NOT EXISTS"
            f" (SELECT FROM {self.shape.name} t WHERE {self._joined(self.plan.identity)})"
        )

    def count_set(self) -> str:
        """How many of the staged rows' keys the table has, where `update_set` has nothing to set."""
        return (
            f"SELECT count(*) FROM {self.rows_table} s WHERE EXISTS"
            f" (SELECT FROM {self.shape.name} t WHERE {self._joined(self.plan.identity)})"
        )

    def remove_bag(self) -> str:
        """Of each staged row delete as many of its likes as it is staged times: of a table without a key."""
        return (
            f"DELETE FROM {self.shape.name} t USING (SELECT m.tableoid AS part, m.ctid AS place, w.times,"
            " row_number() OVER (PARTITION BY w.line) AS nth"
            f" FROM {self.shape.name} m JOIN (SELECT {self._line('s')} AS line, count(*) AS times"
            f" FROM {self.rows_table} s GROUP BY 1) w ON {self._line('m')} = w.line) found"
            " WHERE t.ctid = found.place AND t.tableoid = found.part AND found.nth <= found.times"
        )

    # Single events; parameters are numbered in the order in which the caller gives them

    def insert(self, columns: Sequence[int]) -> str:
        """Parameters: the columns."""
        values = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        return f"INSERT INTO {self.into} ({self.listed(columns)}) OVERRIDING SYSTEM VALUE VALUES ({values})"

    def insert_missing(self, columns: Sequence[int]) -> str:
        """Unless the row's key is there. Parameters: the columns, all of the key's among them."""
        values = ", ".join(self._cast(column, place) for place, column in enumerate(columns, 1))
        keys = " AND ".join(self._equal(column, list(columns).index(column) + 1) for column in self.plan.identity)
        return (
            f"INSERT INTO {self.into} ({self.listed(columns)}) OVERRIDING SYSTEM VALUE SELECT {values}"
            f" WHERE NOT EXISTS (SELECT FROM {self.shape.name} t WHERE {keys})"
        )

    def update(self, columns: Sequence[int], nulls: Sequence[bool]) -> str:
        """Parameters: the columns that are set, then the identity, of which some are null."""
        sets = ", ".join(f"{self.names[column]} = ${place}" for place, column in enumerate(columns, 1))
        return f"UPDATE {self.shape.name} t SET {sets} WHERE {self._row(len(columns) + 1, nulls)}"

    def move(self, columns: Sequence[int], nulls: Sequence[bool]) -> str:
        """Take a row away and put it in again, for what no UPDATE may set. Parameters: as of `update`."""
        every = range(len(self.names))
        given = {column: self._cast(column, place) for place, column in enumerate(columns, 1)}
        values = ", ".join(given.get(column, f"old.{self.names[column]}") for column in every)
        return (
            f"WITH old AS (DELETE FROM {self.shape.name} t WHERE {self._row(len(columns) + 1, nulls)} RETURNING t.*)"
            f" INSERT INTO {self.into} ({self.listed(every)}) OVERRIDING SYSTEM VALUE SELECT {values} FROM old"
        )

    def update_or_insert(self, columns: Sequence[int], nulls: Sequence[bool]) -> str:
        """Changes rows that it has put in, which are one or none. Parameters: as of `update`."""
        values = ", ".join(self._cast(column, place) for place, column in enumerate(columns, 1))
        return (
            f"WITH changed AS ({self.update(columns, nulls)} RETURNING 1)"
            f" INSERT INTO {self.into} ({self.listed(columns)}) OVERRIDING SYSTEM VALUE SELECT {values}"
            " WHERE NOT EXISTS (SELECT FROM changed)"
        )

    def find(self, nulls: Sequence[bool]) -> str:
        """Whether a row is there. Parameters: the identity, of which some are null."""
        return f"SELECT FROM {self.shape.name} t WHERE {self._row(1, nulls)}"

    def delete(self, nulls: Sequence[bool]) -> str:
        """Parameters: the identity, of which some are null."""
        return f"DELETE FROM {self.shape.name} t WHERE {self._row(1, nulls)}"

    @property
    def _written(self) -> str:
        return self.shape.name.removeprefix("ONLY ")

    def _staged(self, table: str, count: int) -> str:
        """A staging table as ``s``: the limit has the planner know how few they are, and in the key's order the pages
        of table and index are met one after the other."""
        sorted_ = all(self.column(column).cheap for column in self.plan.identity)
        order = f" ORDER BY {self.listed(self.plan.identity)}" if sorted_ else ""
        return f"(SELECT * FROM {table}{order} LIMIT {count}) s"

    def _cast(self, column: int, place: int) -> str:
        type_ = self.column(column).type
        return f"${place}::{type_}" if type_ else f"${place}"

    def _equal(self, column: int, place: int) -> str:
        name, value = self.names[column], self._cast(column, place)
        text = f' AND t.{name}::text = {value}::text COLLATE "C"' if self.column(column).loose else ""
        return f"t.{name} = {value}{text}"

    def _joined(self, columns: Sequence[int]) -> str:
        parts = [f"t.{self.names[column]} = s.{self.names[column]}" for column in columns]
        loose = [self.names[column] for column in columns if self.column(column).loose]
        return " AND ".join([*parts, *(f't.{name}::text = s.{name}::text COLLATE "C"' for name in loose)])

    def _line(self, alias: str) -> str:
        """A row's text, which only rows with the same values share."""
        return f"ROW({', '.join(f'{alias}.{name}' for name in self.names)})::text"

    def _row(self, first: int, nulls: Sequence[bool]) -> str:
        """The condition for one row by its identity."""
        if self.plan.keyed:
            return " AND ".join(self._equal(column, place) for place, column in enumerate(self.plan.identity, first))
        same = " AND ".join(
            self._same(column, place, null=null)
            for place, (column, null) in enumerate(zip(self.plan.identity, nulls, strict=True), first)
        )
        place = "t.tableoid, t.ctid" if self.shape.partitioned else "t.ctid"
        return f"({place}) = (SELECT {place} FROM {self.shape.name} t WHERE {same} LIMIT 1)"

    def _same(self, column: int, place: int, *, null: bool) -> str:
        name, value = self.names[column], self._cast(column, place)
        if null:
            return f"t.{name} IS NULL AND {value} IS NULL"
        if self.column(column).exact:
            return f"t.{name} = {value}"
        return f't.{name}::text = {value}::text COLLATE "C"'
