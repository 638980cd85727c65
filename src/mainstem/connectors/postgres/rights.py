"""Which tables a login may read, and whether row-level security would hide rows of them from it.

Source of facts: PostgreSQL manual, "Access Privilege Inquiry Functions", "Row Security Policies".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.contract.inspector import Denial
from mainstem.model.names import TableId
from mainstem.model.run import TableSelection

GRANTS, ROW_SECURITY = "pg.grants", "pg.row_security"
_DIALECT = PostgresDialect()
# Rows of a partitioned table are read from its leaves, whose own rights and policies count then.
_READABLE = """
SELECT n.nspname, c.relname, part.schema, part.name, pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
    CASE WHEN pg_catalog.has_table_privilege(part.oid, 'SELECT') THEN NULL ELSE (
        SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = part.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND NOT pg_catalog.has_column_privilege(part.oid, a.attnum, 'SELECT')) END,
    pg_catalog.row_security_active(part.oid)
FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
CROSS JOIN LATERAL (
    SELECT c.oid, n.nspname AS schema, c.relname AS name
    UNION ALL
    SELECT leaf.oid, its.nspname, leaf.relname FROM pg_catalog.pg_partition_tree(c.oid) tree
    JOIN pg_catalog.pg_class leaf ON leaf.oid = tree.relid
    JOIN pg_catalog.pg_namespace its ON its.oid = leaf.relnamespace
    WHERE c.relkind = 'p' AND tree.isleaf) AS part
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND (NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
         OR NOT pg_catalog.has_table_privilege(part.oid, 'SELECT') OR pg_catalog.row_security_active(part.oid))
ORDER BY n.nspname, c.relname, part.schema, part.name
"""


def denials(
    connection: psycopg.Connection[Any], schema: str, tables: Sequence[TableSelection]
) -> dict[TableId, Denial]:
    """See `contract.inspector.Inspector.denials`. One query however many tables. Raises the driver's errors.

    Args:
        schema: of tables that are written without one.
    """
    wanted: dict[TableId, TableSelection] = {}
    for selection in tables:
        wanted |= dict.fromkeys(_places(selection.name, schema), selection)
    rows = connection.execute(
        _READABLE.encode(), ([place.schema for place in wanted], [place.name for place in wanted])
    ).fetchall()
    found: dict[TableId, Denial] = {}
    user = connection.info.user
    for of_schema, name, part_schema, part_name, may_enter, lacking, hidden in rows:
        table, part = TableId(of_schema, name), TableId(part_schema, part_name)
        denial = _denial(user, part, wanted[table], may_enter, lacking or (), hidden)
        if denial is not None:
            found.setdefault(table, denial)
    return found


def _places(name: str, schema: str) -> list[TableId]:
    """Every table that a user's ``table`` or ``schema.table`` may mean: both may hold points."""
    parts = name.split(".")
    split = [TableId(".".join(parts[:at]), ".".join(parts[at:])) for at in range(1, len(parts))]
    return [TableId(schema, name), *split]


def _denial(
    user: str, part: TableId, selection: TableSelection, may_enter: bool, lacking: Sequence[str], hidden: bool
) -> Denial | None:
    role, name = _DIALECT.quote(user), _DIALECT.qualified(part)
    needed = [
        column
        for column in lacking
        if column not in selection.exclude_columns and (not selection.columns or column in selection.columns)
    ]
    if not may_enter:
        grants = f"GRANT USAGE ON SCHEMA {_DIALECT.quote(part.schema)} TO {role}; GRANT SELECT ON {name} TO {role}"
        return Denial(GRANTS, f"{user} may not use schema {part.schema}", grants)
    if needed:
        partial = bool(selection.columns or selection.exclude_columns)
        columns = f" ({', '.join(map(_DIALECT.quote, needed))})" if partial else ""
        return Denial(GRANTS, f"{user} may not read {part}", f"GRANT SELECT{columns} ON {name} TO {role}")
    if hidden:
        return Denial(
            ROW_SECURITY,
            f"row-level security may hide rows of {part} from {user}",
            f"ALTER ROLE {role} BYPASSRLS, or connect as the table's owner",
        )
    return None
