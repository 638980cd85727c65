"""PostgreSQL's structure as schema objects: enough to show it; reading from PostgreSQL needs more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.errors import NotFoundError
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, Column, Default, DefaultKind, Table
from mainstem.model.types import Kind, LogicalType

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typname, NOT a.attnotnull,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, a.attidentity <> '',
       COALESCE(col_description(c.oid, a.attnum), '')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
"""
_TABLES = """
SELECT c.relname, GREATEST(c.reltuples, 0)::bigint, pg_table_size(c.oid), COALESCE(obj_description(c.oid), ''),
       ARRAY(SELECT a.attname::text FROM pg_index i
             CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
             WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place)
FROM pg_class c
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""
_TYPES = {
    "bool": LogicalType(Kind.BOOLEAN),
    "int2": LogicalType(Kind.INTEGER, bits=16),
    "int4": LogicalType(Kind.INTEGER, bits=32),
    "int8": LogicalType(Kind.INTEGER, bits=64),
    "float4": LogicalType(Kind.FLOAT, bits=32),
    "float8": LogicalType(Kind.FLOAT, bits=64),
    "numeric": LogicalType(Kind.DECIMAL),
    "bytea": LogicalType(Kind.BINARY),
    "bit": LogicalType(Kind.BITS),
    "varbit": LogicalType(Kind.BITS),
    "date": LogicalType(Kind.DATE),
    "time": LogicalType(Kind.TIME, fraction=6),
    "interval": LogicalType(Kind.INTERVAL, fraction=6),
    "timestamp": LogicalType(Kind.TIMESTAMP, fraction=6),
    "timestamptz": LogicalType(Kind.INSTANT, fraction=6),
    "json": LogicalType(Kind.JSON),
    "jsonb": LogicalType(Kind.JSON),
    "uuid": LogicalType(Kind.UUID),
    "inet": LogicalType(Kind.INET),
    "geometry": LogicalType(Kind.GEOMETRY),
}


def logical_type(name: str) -> LogicalType:
    """The logical type of a type's own name (``pg_type.typname``); what is not listed reads as text."""
    return _TYPES.get(name, LogicalType(Kind.TEXT))


def read_catalog(connection: psycopg.Connection[Any], schema: str, tables: Sequence[TableId] | None) -> Catalog:
    """Tables of a schema with columns, primary keys and estimates, in two queries.

    Raises:
        NotFoundError: one of ``tables`` does not exist.
    """
    quoted = '"' + schema.replace('"', '""') + '"'
    columns: dict[str, list[Column]] = defaultdict(list)
    for table, name, native, type_name, nullable, default, identity, comment in connection.execute(_COLUMNS, (quoted,)):
        columns[table].append(
            Column(
                name, logical_type(type_name), native, nullable,
                None if default is None else Default(DefaultKind.EXPRESSION, default),
                identity=identity, comment=comment,
            )
        )  # fmt: skip
    wanted = None if tables is None else {table.name for table in tables}
    found = [
        Table(
            TableId(schema, name), tuple(columns[name]), tuple(key), comment=comment, rows_estimate=rows,
            bytes_estimate=size,
        )
        for name, rows, size, comment, key in connection.execute(_TABLES, (quoted,))
        if wanted is None or name in wanted
    ]  # fmt: skip
    missing = (wanted or set()) - {table.id.name for table in found}
    if missing:
        raise NotFoundError(f"there is no table {min(missing)} in schema {schema}", remedy="names are case-sensitive")
    return Catalog(tuple(found))
