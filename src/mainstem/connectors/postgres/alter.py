"""ALTER TABLE behind a table that changes in the source: columns that are added, and types that become wider."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mainstem.connectors.postgres import enums
from mainstem.contract.dialect import Rendered, TargetType
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, ReportItem, Statement
from mainstem.model.schema import Column, Table
from mainstem.model.types import Kind


class Names(Protocol):
    """What is needed of the dialect."""

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        ...

    def qualified(self, table: TableId) -> str:
        """Schema and name."""
        ...


def add_column(names: Names, table: Table, type_: TargetType, line: str, report: Iterable[ReportItem]) -> Rendered:
    """The type that the column needs, then the column.

    Args:
        line: the column as CREATE TABLE has it.
    """
    qualified = names.qualified(table.id)
    made = [f"ALTER TABLE {qualified} ADD COLUMN {line}"]
    made += [f"ALTER TABLE {qualified} ADD CHECK ({check})" for check in type_.checks]
    return Rendered((*type_.prerequisites, *(_statement(table, sql) for sql in made)), tuple(report))


def widen_column(names: Names, table: Table, column: Column, there: str, type_: str) -> Rendered:
    """The type, unless the column has it already, and NULL.

    Args:
        there: the type that the column has on the target; of an enum's column it is widened itself.
    """
    start = f"ALTER TABLE {names.qualified(table.id)} ALTER COLUMN {names.quote(column.name)}"
    made = []
    if column.type.kind is Kind.ENUM and there not in ("", "text"):
        made += enums.add(there, tuple(dict.fromkeys(column.type.members)))
    elif type_ != there:
        made.append(f"{start} TYPE {type_}")
    if column.nullable:
        made.append(f"{start} DROP NOT NULL")
    return Rendered(tuple(_statement(table, sql) for sql in made))


def _statement(table: Table, sql: str) -> Statement:
    return Statement(Phase.TABLES, sql, str(table.id), table.id)
