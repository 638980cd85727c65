"""What people run to give a column another type, whose rows come anew: it must go through whatever is in the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainstem.connectors.postgres.alter import Names
from mainstem.connectors.postgres.literals import string
from mainstem.connectors.postgres.types import base_name, is_array
from mainstem.contract.dialect import Rendered, TargetType
from mainstem.model.plan import Phase, Statement
from mainstem.model.schema import Column, Table
from mainstem.model.types import Kind

_NUMBERS = (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT)
# A value for rows of a column that is never null, until they come anew.
_FILLERS = {
    "boolean": "false", "smallint": "0", "integer": "0", "bigint": "0", "numeric": "0", "real": "0",
    "double precision": "0", "text": "", "varchar": "", "character varying": "", "char": "", "character": "",
    "bpchar": "", "citext": "", "name": "", "json": "null", "jsonb": "null", "bytea": "", "bit": "0",
    "uuid": "00000000-0000-0000-0000-000000000000", "inet": "::1", "cidr": "::1", "date": "2000-01-01",
    "time": "00:00", "timestamp": "2000-01-01", "timestamptz": "2000-01-01", "interval": "0", "bit varying": "0",
    "varbit": "0",
}  # fmt: skip


def retype_column(
    names: Names, table: Table, column: Column, there: Table, type_: TargetType, default: str
) -> Rendered:
    """The type itself where it is an enum's, and one ALTER TABLE.

    A default, checks and an identity of the old type do not fit the new one. Where no two rows may have the same value
    of it, and none may be null, there is no value for rows that are there: they are deleted, in one transaction.

    Args:
        default: as SQL, or empty.
    """
    own = next((item for item in there.columns if item.name == column.name), column)
    if column.type.kind is Kind.ENUM and own.type.kind is Kind.ENUM and type_.prerequisites:
        more = [label for label in column.type.members if label not in own.type.members]
        return _rendered(table, [f"ALTER TYPE {type_.sql} ADD VALUE IF NOT EXISTS {string(label)}" for label in more])
    made = []
    if column.type.kind is Kind.ENUM and type_.prerequisites:
        labels = ", ".join(string(label) for label in dict.fromkeys(column.type.members))
        made += [f"DROP TYPE IF EXISTS {type_.sql}", f"CREATE TYPE {type_.sql} AS ENUM ({labels})"]
    value = _value(names, column, own, there, type_.sql)
    qualified, name = names.qualified(table.id), names.quote(column.name)
    actions = [*_dropped(names, own, there)]
    if not value and not own.nullable and not _is_unique(column.name, there):
        actions.append(f"ALTER COLUMN {name} DROP NOT NULL")
    actions.append(f"ALTER COLUMN {name} TYPE {type_.sql} USING {value or f'NULL::{type_.sql}'}")
    if default:
        actions.append(f"ALTER COLUMN {name} SET DEFAULT {default}")
    actions += [f"ADD CHECK ({check})" for check in type_.checks]
    alter = f"ALTER TABLE {qualified} {', '.join(actions)}"
    if value or own.nullable or not _is_unique(column.name, there):
        return _rendered(table, [*made, alter])
    return _rendered(table, ["BEGIN", *made, f"DELETE FROM {qualified}", alter, "COMMIT"])


def _dropped(names: Names, own: Column, there: Table) -> Iterator[str]:
    """What is of the old type."""
    word = re.compile(rf"(?<!\w){re.escape(own.name)}(?!\w)")
    for check in there.checks:
        if word.search(check.expression):
            yield f"DROP CONSTRAINT IF EXISTS {names.quote(check.name)}"
    if own.identity:
        yield f"ALTER COLUMN {names.quote(own.name)} DROP IDENTITY IF EXISTS"
    elif own.generated is None:
        yield f"ALTER COLUMN {names.quote(own.name)} DROP DEFAULT"


def _value(names: Names, column: Column, own: Column, there: Table, sql: str) -> str:
    """What rows that are there get; empty: nothing."""
    bound = _is_unique(own.name, there) or any(own.name in key.columns for key in there.foreign_keys)
    numbers = own.type.kind in _NUMBERS and column.type.kind in _NUMBERS
    if bound and (numbers or (column.type.kind is Kind.TEXT and not is_array(sql))):
        return f"{names.quote(own.name)}::{sql}"
    if own.nullable or _is_unique(own.name, there):
        return ""
    if column.type.kind is Kind.ENUM and column.type.members:
        return f"{string(column.type.members[0])}::{sql}"
    filler = "{}" if is_array(sql) else _FILLERS.get(base_name(sql))
    return "" if filler is None else f"{string(filler)}::{sql}"


def _is_unique(name: str, there: Table) -> bool:
    unique = [index for index in there.indexes if index.unique]
    return name in there.primary_key or any(part.column == name for index in unique for part in index.parts)


def _rendered(table: Table, statements: list[str]) -> Rendered:
    return Rendered(tuple(Statement(Phase.TABLES, sql, str(table.id), table.id) for sql in statements))
