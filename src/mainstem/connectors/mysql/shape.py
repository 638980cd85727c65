"""The shape of a target table, as far as applying changes to it depends on it.

Source: MySQL manual, "The INFORMATION_SCHEMA COLUMNS Table", "The INFORMATION_SCHEMA
REFERENTIAL_CONSTRAINTS Table", "FOREIGN KEY Constraints"; MariaDB manual, "Information Schema COLUMNS Table".
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
_EFFECTS = (
    "SELECT r.referenced_table_name, r.delete_rule, r.update_rule, k.referenced_column_name"
    " FROM information_schema.referential_constraints r JOIN information_schema.key_column_usage k"
    " ON k.table_name = r.table_name AND k.constraint_name = r.constraint_name"
    " WHERE r.constraint_schema = {0} AND k.table_schema = {0} AND r.unique_constraint_schema = {0}"
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
class Effect:
    """What foreign keys that refer to a table do to rows of other tables, or of itself.

    Attributes:
        on_delete: a row that goes takes other rows with it, or changes them.
        on_update: columns, in lower case, whose change does.
    """

    on_delete: bool = False
    on_update: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shape:
    """A table of the target, its columns by name in lower case, which is how the server compares these."""

    columns: dict[str, Column]
    effect: Effect = Effect()

    @property
    def required(self) -> frozenset[str]:
        """Names, in lower case, of the columns that hold no NULL."""
        return frozenset(name for name, column in self.columns.items() if not column.nullable)


def read_effects(connection: Any, schema: str) -> dict[str, Effect]:
    """What the foreign keys within a database do, by the name of the table that they refer to.

    One query for all tables: the server opens each of them to answer it. Raises the driver's errors.
    """
    found: dict[str, Effect] = {}
    database = connection.escape(schema) if schema else "DATABASE()"
    for table, on_delete, on_update, column in client.query(connection, _EFFECTS.format(database)):
        known = found.get(table, Effect())
        found[table] = Effect(
            known.on_delete or on_delete in _CARRIED_OUT,
            known.on_update | ({column.lower()} if on_update in _CARRIED_OUT else set()),
        )
    return found


def read_shape(connection: Any, table: TableId) -> Shape:
    """Ask the server, but for effects.

    Raises the driver's errors, and `StatementError` where the table cannot be written exactly once.
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
    return Shape({column.name.lower(): column for column in columns})


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
