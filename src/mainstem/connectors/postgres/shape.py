"""What a target table is like, as far as applying changes depends on it.

Source: PostgreSQL manual, "System Catalogs".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.errors import StatementError
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

_DIALECT = PostgresDialect()
_FIND = """
SELECT c.oid, c.relkind = 'p', c.relkind = 'r' AND c.relhassubclass FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
"""
_COLUMNS = """
SELECT a.attname, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname), b.typname,
    a.attidentity = 'a', coalesce(NOT l.collisdeterministic, false) OR b.typname = 'citext',
    a.atttypid::bigint, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typbasetype = 0 THEN t.oid ELSE t.typbasetype END
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
_MEANT = "SELECT name, pg_catalog.to_regtype(type)::oid::bigint FROM unnest(%s::text[], %s::text[]) AS t(name, type)"
_FOREIGN_KEYS = """
SELECT k.conname, cn.nspname, c.relname, pn.nspname, p.relname, k.confdeltype, k.confupdtype,
    ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY x(n, i)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.n ORDER BY x.i)::text[],
    ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY x(n, i)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.n ORDER BY x.i)::text[]
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
"""
# Values of these types that are equal are also stored alike.
_EXACT = frozenset(
    {
        "int2", "int4", "int8", "oid", "text", "varchar", "bpchar", "uuid", "date", "time", "timestamp", "timestamptz",
        "bool", "bytea",
    }
)  # fmt: skip
_TEXTS = frozenset({"text", "varchar", "bpchar"})
ACTIONS = frozenset("cnd")
"""What foreign keys do to rows by themselves, in the catalog's letters: CASCADE, SET NULL, SET DEFAULT."""


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column.

    Attributes:
        type: its type without length, for a cast that shortens nothing.
        always: an identity that takes no value but by OVERRIDING SYSTEM VALUE.
        loose: values may be equal and yet not the same (``citext``, collations that are not deterministic).
        exact: equal values are the same, byte for byte.
        cheap: to be sorted by.
    """

    name: str
    type: str
    always: bool
    loose: bool
    exact: bool
    cheap: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A key between two tables of the target. Actions are the catalog's letters (``a``, ``r``, ``c``, ``n``, ``d``)."""

    name: str
    child: TableId
    parent: TableId
    on_delete: str
    on_update: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table.

    Attributes:
        name: as SQL writes it, with ONLY where others inherit from it.
        others: columns of another type than the plan has them in, with the type that they have: someone has changed it.
        partitioned: a row's place (ctid) tells it apart only together with its partition.
    """

    name: str
    partitioned: bool
    columns: dict[str, TargetColumn]
    others: dict[str, str]


def read_shape(connection: psycopg.Connection[Any], plan: TablePlan) -> Shape:
    """Ask the catalog; raises the driver's errors, and `StatementError` when there is no such table."""
    table = plan.target
    found = connection.execute(_FIND, (table.schema, table.name)).fetchone()
    if found is None:
        raise StatementError(
            f"the target has no table {table}",
            remedy="make it again, or copy the source's table anew",
            table=str(table),
        )
    oid, partitioned, inherited = found
    types = [column.target for column in plan.columns], [column.target_type for column in plan.columns]
    meant = dict(connection.execute(_MEANT, types).fetchall())
    columns, others = {}, {}
    for name, type_, base, always, loose, oid_, written in connection.execute(_COLUMNS, (oid,)):
        exact = base in _EXACT and not loose
        columns[name] = TargetColumn(name, type_, always, loose, exact, base in _EXACT - _TEXTS)
        if meant.get(name) not in (None, oid_):
            others[name] = written
    return Shape(f"{'ONLY ' if inherited else ''}{_DIALECT.qualified(table)}", partitioned, columns, others)


def read_foreign_keys(connection: psycopg.Connection[Any]) -> list[ForeignKey]:
    """All of the database's; raises the driver's errors."""
    return [
        ForeignKey(name, TableId(*child), TableId(*parent), on_delete, on_update, tuple(columns), tuple(parents))
        for name, *tables, on_delete, on_update, columns, parents in connection.execute(_FOREIGN_KEYS)
        for child, parent in [(tables[:2], tables[2:])]
    ]


def parents_first(tables: Sequence[TableId], keys: Sequence[ForeignKey]) -> list[TableId]:
    """The tables so that each comes after those that it refers to; tables that refer to each other as they are."""
    wanted = {table: {key.parent for key in keys if key.child == table} - {table} for table in tables}
    ordered: list[TableId] = []
    while wanted:
        free = [table for table, parents in wanted.items() if not parents & wanted.keys()] or list(wanted)[:1]
        for table in free:
            del wanted[table]
        ordered += free
    return ordered
