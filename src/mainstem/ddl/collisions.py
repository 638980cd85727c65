"""Unique keys whose values are different in the source and might be equal on the target. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mainstem.contract.dialect import Dialect, Folding, TargetDialect
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.schema import Column, Index, Table
from mainstem.model.types import Kind


@dataclass(frozen=True, slots=True)
class FoldedKey:
    """A unique key of a target's table that takes more for equal than the source's column does.

    Attributes:
        name: the key's; empty is the primary key.
        columns: the source's, each with what the target does to it.
    """

    table: TablePlan
    name: str
    columns: tuple[tuple[str, Folding], ...]

    def __str__(self) -> str:
        """For messages."""
        names = ", ".join(column for column, _ in self.columns)
        return f"{f'unique key {self.name}' if self.name else 'primary key'} ({names}) of {self.table.source}"


def folded_keys(
    plans: Sequence[TablePlan],
    sources: Mapping[TableId, Table],
    existing: Mapping[TableId, Table],
    source: Dialect,
    target: TargetDialect,
) -> list[FoldedKey]:
    """The keys to ask the source about.

    Args:
        sources: by the source's name; queries are not among them.
        existing: tables that the target has and keeps, by the target's name: their own keys count.
    """
    return [
        key
        for plan in plans
        if (table := sources.get(plan.source)) is not None and not plan.query
        for key in _keys(plan, table, existing.get(plan.target), source, target)
    ]


def _keys(
    plan: TablePlan, table: Table, there: Table | None, source: Dialect, target: TargetDialect
) -> Iterator[FoldedKey]:
    back = {column.target if there else column.source: column for column in plan.columns}
    for name, columns in _uniques(there or table):
        if not all(column in back for column in columns):
            continue
        folds = [_folding(back[column], table, there, source, target) for column in columns]
        if any(folds):
            pairs = ((back[column].source, fold or Folding()) for column, fold in zip(columns, folds, strict=True))
            yield FoldedKey(plan, name, tuple(pairs))


def _uniques(table: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    if table.primary_key:
        yield "", table.primary_key
    for index in table.indexes:
        if index.unique and not index.where and _plain(index):
            yield index.name, tuple(part.column for part in index.parts if part.column)


def _plain(index: Index) -> bool:
    return all(part.column and part.prefix_length is None for part in index.parts)


def _folding(
    plan: ColumnPlan, table: Table, there: Table | None, source: Dialect, target: TargetDialect
) -> Folding | None:
    """What the target takes for equal and the source does not; None where it is nothing."""
    column = table.column(plan.source)
    if column.type.kind not in (Kind.TEXT, Kind.ENUM):
        return None
    here = _of(source, column)
    fold = _of(target, there.column(plan.target)) if there is not None else target.folding(plan.target_type, "")
    more = (fold.case and not here.case) or (fold.accents and not here.accents) or (fold.spaces and not here.spaces)
    return fold if more else None


def _of(dialect: Dialect, column: Column) -> Folding:
    return dialect.folding(column.native, column.collation)
