"""The shape of a target table, as far as applying changes to it depends on it.

Source: MySQL manual, "The INFORMATION_SCHEMA COLUMNS Table", "The INFORMATION_SCHEMA STATISTICS Table", "FOREIGN KEY
Constraints"; MariaDB manual, "Information Schema COLUMNS Table".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.load import TRANSACTIONAL
from mainstem.errors import StatementError
from mainstem.model.names import TableId

_COLUMNS = (
    "SELECT column_name, column_type, data_type, character_set_name, collation_name, is_nullable, extra,"
    " generation_expression FROM information_schema.columns WHERE table_schema = {0} AND table_name = {1}"
    " ORDER BY ordinal_position"
)
_ENGINE = "SELECT engine FROM information_schema.tables WHERE table_schema = {0} AND table_name = {1}"
_UNIQUE = (
    "SELECT index_name, column_name, sub_part FROM information_schema.statistics WHERE table_schema = {0}"
    " AND table_name = {1} AND non_unique = 0 ORDER BY index_name, seq_in_index"
)
_EFFECTS = (
    "SELECT r.delete_rule, r.update_rule, k.referenced_column_name FROM information_schema.referential_constraints r"
    " JOIN information_schema.key_column_usage k ON k.constraint_schema = r.constraint_schema"
    " AND k.constraint_name = r.constraint_name AND k.table_name = r.table_name"
    " WHERE r.unique_constraint_schema = {0} AND k.referenced_table_schema = {0} AND r.referenced_table_name = {1}"
    " AND k.referenced_table_name = {1}"
)
_CARRIED_OUT = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the target.

    Attributes:
        name: as the server has it.
        declared: its type as a definition has it, with character set and collation.
        kind: the type's name, ``varchar``.
        charset: empty for what is no text.
        renews: the server sets it to the time when a row changes and the statement does not name it.
        generated: computed; nobody writes it.
    """

    name: str
    declared: str
    kind: str
    charset: str
    nullable: bool
    renews: bool
    generated: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """A table of the target.

    Attributes:
        columns: by name in lower case, which is how the server compares names of columns.
        unique: columns of each unique key, in lower case; those with prefixes of columns are left out.
        on_delete: a row that goes takes rows of other tables with it, or changes them, as its foreign keys say.
        on_update: columns, in lower case, whose change does.
    """

    columns: dict[str, Column]
    unique: tuple[frozenset[str], ...]
    on_delete: bool = False
    on_update: frozenset[str] = frozenset()

    @property
    def required(self) -> frozenset[str]:
        """Names, in lower case, of the columns that hold no NULL."""
        return frozenset(name for name, column in self.columns.items() if not column.nullable)


def read_shape(connection: Any, table: TableId, *, effects: bool) -> Shape:
    """Ask the server. Raises the driver's errors, and `StatementError` where the table cannot be written exactly once.

    Args:
        effects: also ask what foreign keys do to other tables.
    """
    schema = connection.escape(table.schema) if table.schema else "DATABASE()"
    names = schema, connection.escape(table.name)
    engines = client.query(connection, _ENGINE.format(*names))
    if not engines:
        raise StatementError(
            f"table {table} is not in the target", remedy="create it, or copy the table anew", table=str(table)
        )
    engine = str(engines[0][0] or "")
    if engine.lower() not in TRANSACTIONAL:
        raise StatementError(
            f"table {table} of the target uses the engine {engine}, which has no transactions: after a broken"
            " connection nobody could tell which changes are in",
            remedy=f"ALTER TABLE {table} ENGINE = InnoDB",
            table=str(table),
        )
    columns = [_column(*row) for row in client.query(connection, _COLUMNS.format(*names))]
    rules = client.query(connection, _EFFECTS.format(*names)) if effects else []
    return Shape(
        {column.name.lower(): column for column in columns},
        _unique_keys(client.query(connection, _UNIQUE.format(*names))),
        any(on_delete in _CARRIED_OUT for on_delete, _, _ in rules),
        frozenset(name.lower() for _, on_update, name in rules if on_update in _CARRIED_OUT),
    )


def _column(
    name: str, type_: str, kind: str, charset: str | None, collation: str | None, nullable: str, extra: str,
    expression: str | None,
) -> Column:  # fmt: skip
    declared = f"{type_} CHARACTER SET {charset} COLLATE {collation}" if charset else type_
    flags = extra.lower()
    return Column(
        name, declared, kind.lower(), charset or "", nullable == "YES", "on update" in flags,
        bool(expression) or "generated" in flags.replace("default_generated", ""),
    )  # fmt: skip


def _unique_keys(rows: list[tuple[Any, ...]]) -> tuple[frozenset[str], ...]:
    keys: dict[str, set[str]] = {}
    prefixed = set()
    for index, column, part in rows:
        keys.setdefault(index, set()).add(str(column or "").lower())
        if part is not None or column is None:
            prefixed.add(index)
    return tuple(frozenset(columns) for index, columns in keys.items() if index not in prefixed)
