"""Which tables and columns a run is about, by what the user wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainstem.ddl.naming import near_names
from mainstem.errors import InvalidError, NotFoundError
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableSelection
from mainstem.model.schema import Column, Table


@dataclass(frozen=True, slots=True)
class Selected:
    """A table of the source and how the user wants it."""

    table: Table
    selection: TableSelection

    @property
    def columns(self) -> tuple[Column, ...]:
        """The wanted columns, in the table's order.

        Raises:
            NotFoundError: a name that the table does not have.
            InvalidError: no column is left.
        """
        selection, there = self.selection, [column.name for column in self.table.columns]
        for name in (*selection.columns, *selection.exclude_columns, *selection.renames):
            if name not in there:
                raise NotFoundError(
                    f"table {self.table.id} has no column {name}{near_names(name, there)}",
                    remedy="correct the selection's columns",
                    table=str(self.table.id),
                )
        wanted = set(selection.columns or there) - set(selection.exclude_columns)
        if there and not wanted:
            raise InvalidError(
                f"no column of table {self.table.id} is left to copy",
                fields={"excludeColumns": f"leaves no column of {self.table.id}"},
                remedy="leave the whole table out instead (exclude)",
            )
        return tuple(column for column in self.table.columns if column.name in wanted)


def select(tables: Sequence[Table], options: RunOptions, schema: str = "") -> list[Selected]:
    """The selected tables; every table where none is named. Queries are left aside.

    Args:
        schema: what a name without one means, where there are several.

    Raises:
        NotFoundError: a name that is not among the tables.
    """
    tables = sorted(tables, key=lambda table: table.id.schema != schema) if schema else tables
    own = [table.id for table in tables if not schema or table.id.schema == schema]
    excluded = {id_ for name in options.exclude for id_ in own if matches(id_, name)}
    excluded |= {table.id for table in tables if str(table.id) in options.exclude}
    named = [selection for selection in options.tables if not selection.query]
    if not options.tables:
        return [Selected(table, TableSelection(table.id.name)) for table in tables if table.id not in excluded]
    by_name: dict[str, Table] = {}
    for table in tables:
        for name in (table.id.name, str(table.id)):
            by_name.setdefault(name, table)
    found = [Selected(_found(by_name, selection.name), selection) for selection in named]
    return [selected for selected in found if selected.table.id not in excluded]


def matches(table: TableId, name: str) -> bool:
    """Whether a user's ``table`` or ``schema.table`` means this table. A table's own name may hold points."""
    return name in (table.name, f"{table.schema}.{table.name}")


def _found(by_name: Mapping[str, Table], name: str) -> Table:
    if name not in by_name:
        raise NotFoundError(f"no such table: {name}", remedy="correct the name in the selection", table=name)
    return by_name[name]
