"""ALTER TABLE behind a table that changes in the source: columns that are added, and types that become wider."""

from __future__ import annotations

from mainstem.connectors.mysql.create import Making, column_line
from mainstem.contract.dialect import Rendered
from mainstem.model.plan import Phase, Statement


def add_column(making: Making, qualified: str, name: str) -> Rendered:
    """The column, at the end of the table."""
    return _altered(making, f"ALTER TABLE {qualified} ADD COLUMN {column_line(making, making.table.column(name))}")


def widen_column(making: Making, qualified: str, name: str) -> Rendered:
    """The column as a whole, which is how it is changed here."""
    return _altered(making, f"ALTER TABLE {qualified} MODIFY COLUMN {column_line(making, making.table.column(name))}")


def retype_column(making: Making, qualified: str, name: str) -> Rendered:
    """The column as a whole, in a table without rows: MODIFY converts those that are there, or refuses.

    Without foreign_key_checks rows of other tables stay (ON DELETE CASCADE).
    """
    made = widen_column(making, qualified, name)
    before, after = (
        Statement(Phase.TABLES, sql, str(making.table.id), making.table.id)
        for sql in ("SET SESSION foreign_key_checks = 0", "SET SESSION foreign_key_checks = 1")
    )
    delete = Statement(Phase.TABLES, f"DELETE FROM {qualified}", str(making.table.id), making.table.id)
    return Rendered((before, delete, *made.statements, after), made.report)


def _altered(making: Making, sql: str) -> Rendered:
    return Rendered((Statement(Phase.TABLES, sql, str(making.table.id), making.table.id),), tuple(making.report))
