"""pg_catalog of one schema → `Catalog`: tables with columns, primary keys and estimates.

Keys, checks, views and sequences are not read yet; PostgreSQL is a target so far, and this is for looking at it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.connectors.postgres.native import logical_type
from mainstem.errors import NotFoundError
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, Column, Default, DefaultKind, Generated, Table

BASE_TABLES = (
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
)
_TABLES = (
    "SELECT c.oid, c.relname, greatest(c.reltuples, 0)::bigint, pg_catalog.pg_table_size(c.oid),"
    f" coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') {BASE_TABLES}"
)
_COLUMNS = (
    "SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,"
    " a.attgenerated, pg_catalog.pg_get_expr(d.adbin, d.adrelid),"
    " coalesce(pg_catalog.col_description(a.attrelid, a.attnum), ''), coalesce(l.collname, ''),"
    " CASE WHEN t.typtype = 'e' THEN (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)"
    " FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) END"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation"
    " WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
)
_KEYS = (
    "SELECT i.indrelid, a.attname FROM pg_catalog.pg_index i"
    " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    " WHERE i.indisprimary AND i.indrelid = ANY(%s) AND k.place <= i.indnkeyatts ORDER BY i.indrelid, k.place"
)
_LITERAL = re.compile(r"'((?:[^']|'')*)'(?:::[\w\s\"().,\[\]]+)?|(-?\d+(?:\.\d+)?)")
_SERIAL = re.compile(r"nextval\(")


def read_catalog(connection: psycopg.Connection[Any], schema: str, tables: Sequence[TableId] | None) -> Catalog:
    """The base tables of a schema, or only some of them.

    Raises:
        NotFoundError: naming the tables that do not exist.
    """
    found = {row[1]: row for row in connection.execute(_TABLES, (schema,))}
    if tables is not None:
        missing = [str(table) for table in tables if table.schema not in ("", schema) or table.name not in found]
        if missing:
            raise NotFoundError(
                f"no such table: {', '.join(missing)}", remedy="correct the names", table=", ".join(missing)
            )
        found = {table.name: found[table.name] for table in tables}
    oids = [row[0] for row in found.values()]
    columns, keys = defaultdict[int, list[Column]](list), defaultdict[int, list[str]](list)
    for oid, *rest in connection.execute(_COLUMNS, (oids,)):
        columns[oid].append(_column(*rest))
    for oid, name in connection.execute(_KEYS, (oids,)):
        keys[oid].append(name)
    return Catalog(
        tuple(
            Table(
                TableId(schema, name),
                tuple(columns[oid]),
                tuple(keys[oid]),
                comment=comment,
                rows_estimate=rows,
                bytes_estimate=size,
            )
            for name, (oid, _, rows, size, comment) in sorted(found.items())
        )
    )


def _column(
    name: str,
    native: str,
    not_null: bool,
    identity: str,
    generated: str,
    expression: str | None,
    comment: str,
    collation: str,
    labels: list[str] | None,
) -> Column:
    serial = bool(expression and _SERIAL.match(expression))
    computed = Generated(expression, stored=generated == "s") if generated and expression else None
    default = None if computed or serial or expression is None else _default(expression)
    return Column(
        name,
        logical_type(native, tuple(labels or ())),
        native,
        nullable=not not_null,
        default=default,
        generated=computed,
        identity=bool(identity) or serial,
        comment=comment,
        collation=collation,
    )


def _default(expression: str) -> Default:
    found = _LITERAL.fullmatch(expression)
    if found is None:
        return Default(DefaultKind.EXPRESSION, expression)
    text = found[2] if found[1] is None else found[1].replace("''", "'")
    return Default(DefaultKind.LITERAL, text)
