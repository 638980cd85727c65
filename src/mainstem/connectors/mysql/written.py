"""A target table as changes are written to it: its plan, its key, its shape, and the SQL that names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.shape import Column, Shape
from mainstem.errors import StatementError
from mainstem.model.change import Op, RowChanges
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.stream import StreamTable
from mainstem.model.types import Kind, LogicalType

_DIALECT = MysqlDialect()


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table of the stream on the target.

    Attributes:
        plan: its columns are those that are written, the one for soft deletes being the last.
        key: indexes of the identity's columns among them.
        keyed: the identity is a key; else it is all columns, and a row is one of several equals.
        soft: the column for soft deletes is there.
    """

    stream: StreamTable
    plan: TablePlan
    key: tuple[int, ...]
    keyed: bool
    soft: bool
    shape: Shape

    @property
    def sql(self) -> str:
        """The table's name."""
        return _DIALECT.qualified(self.plan.target)

    @property
    def overwrites(self) -> bool:
        """An INSERT may be about a row that is there: one that was deleted softly, or that a later snapshot has."""
        return self.soft or bool(self.stream.until)

    @property
    def required(self) -> frozenset[str]:
        """Names, in lower case, of the columns that hold no NULL."""
        return self.shape.required

    @property
    def key_plan(self) -> TablePlan:
        """The plan of the identity's columns alone."""
        return self.part(self.key)

    @property
    def findable(self) -> bool:
        """One column is never NULL, so that a join tells whether there is a row of a key."""
        return self.keyed and self.anchor is not None

    @property
    def anchor(self) -> str | None:
        """Such a column, quoted."""
        names = [*(self.plan.columns[index].target for index in self.key), *sorted(self.required)]
        return next((_DIALECT.quote(name) for name in names if name.lower() in self.required), None)

    @property
    def extras(self) -> list[Column]:
        """Columns of the target that the source does not have, and that can be written."""
        ours = {column.target.lower() for column in self.plan.columns}
        return [column for name, column in self.shape.columns.items() if name not in ours and not column.generated]

    def part(self, columns: Iterable[int]) -> TablePlan:
        """The plan of some columns."""
        return replace(self.plan, columns=tuple(self.plan.columns[index] for index in columns))

    def column(self, planned: ColumnPlan) -> Column:
        """The target's column of a planned one."""
        found = self.shape.columns.get(planned.target.lower())
        if found is None:
            raise StatementError(
                f"table {self.plan.target} of the target has no column {planned.target}",
                remedy="add the column, or copy the table anew",
                table=str(self.plan.source),
            )
        return found

    def others(self, columns: Sequence[int]) -> list[int]:
        """Those of the indexes that are not the key's."""
        return [index for index in columns if index not in self.key]

    def renewing(self, columns: Sequence[int]) -> list[str]:
        """Names, quoted, of written columns that are not among these and that the server would renew by itself."""
        rest = [self.plan.columns[index] for index in range(len(self.plan.columns)) if index not in columns]
        return [_DIALECT.quote(column.target) for column in rest if self.column(column).renews]

    def same(self) -> str:
        """SQL that joins a staging table ``s`` to this one, ``t``, by the key: by the server's index, and by bytes."""
        tests = []
        for planned in self.key_plan.columns:
            column, name = self.column(planned), _DIALECT.quote(planned.target)
            tests.append(f"t.{name} {'<=>' if column.nullable else '='} s.{name}")
            if column.charset:
                tests.append(f"CAST(t.{name} AS BINARY) <=> CAST(s.{name} AS BINARY)")
        return " AND ".join(tests)


def written_table(stream: StreamTable, shape: Shape, soft_delete: str) -> WrittenTable:
    """Put together what is known of a table; ``soft_delete`` names a column that the shape must have, or is empty."""
    plan = stream.plan
    keyed, key = plan.keyed, plan.identity
    if soft_delete:
        gone = ColumnPlan(soft_delete, soft_delete, LogicalType(Kind.TIMESTAMP, fraction=6), "datetime(6)")
        plan = replace(plan, columns=(*plan.columns, gone))
    return WrittenTable(stream, plan, key, keyed, bool(soft_delete), shape)


def has_updates(changes: RowChanges) -> bool:
    """Whether one of the events is an UPDATE."""
    return Op.UPDATE in changes.ops.to_pylist()


def carried_out(table: WrittenTable, changes: RowChanges) -> list[bool] | None:
    """Which events make the target's foreign keys change rows of other tables; None: none of them does."""
    if not table.stream.cascades or not (table.shape.effect.on_delete or table.shape.effect.on_update):
        return None
    ops = changes.ops.to_pylist()
    moved = _moved(table, changes)
    marks = [
        (op == Op.DELETE and table.shape.effect.on_delete) or (op == Op.UPDATE and moves)
        for op, moves in zip(ops, moved, strict=True)
    ]
    return marks if any(marks) else None


def _moved(table: WrittenTable, changes: RowChanges) -> list[bool]:
    """Which UPDATEs may change a column that foreign keys refer to; what such a column was is known of the key only."""
    places = {table.plan.columns[index].target.lower(): (place, index) for place, index in enumerate(table.key)}
    if not table.shape.effect.on_update or changes.before is None:
        return [False] * changes.count
    if not table.shape.effect.on_update <= places.keys():
        return [True] * changes.count
    moved: Any = pa.array([False] * changes.count)
    for name in table.shape.effect.on_update:
        place, index = places[name]
        differs: Any = pc.not_equal(changes.before.column(place), changes.after.column(index))
        changed = pc.fill_null(differs, False)
        lacking = changes.absent.get(index)
        moved = pc.or_(moved, changed if lacking is None else pc.and_not(changed, lacking))
    marks: list[bool] = moved.to_pylist()
    return marks
