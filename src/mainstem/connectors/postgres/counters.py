"""Counters of tables that others have written to: set past the highest value in use.

Source: PostgreSQL manual, "Sequence Manipulation Functions".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.names import TableId

MARGIN = 100
"""Steps of the counter that are left out, for values that were given out at the source and are in no row."""
SPARE_SHARE = 10
"""Of the steps that a counter has left, the margin is this part at most."""

_DIALECT = PostgresDialect()
_FIND = """
SELECT a.attname, n.nspname, s.relname, q.seqincrement, q.seqmin, q.seqmax
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
    AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE cn.nspname = %s AND c.relname = %s ORDER BY a.attnum
"""


def advance(connection: psycopg.Connection[Any], tables: Sequence[TableId]) -> list[str]:
    """Set the tables' counters; returns ``schema.table.column: next value`` of each that was behind.

    A counter never goes back. Raises the driver's errors.
    """
    told = []
    for table in tables:
        for column, schema, name, increment, low, high in connection.execute(_FIND, (table.schema, table.name)):
            sequence = _DIALECT.qualified(TableId(schema, name))
            furthest = "max" if increment > 0 else "min"
            row = connection.execute(
                f"SELECT (SELECT {furthest}({_DIALECT.quote(column)})::numeric FROM {_DIALECT.qualified(table)}),"
                f" last_value + CASE WHEN is_called THEN {increment} ELSE 0 END FROM {sequence}".encode()
            ).fetchone()
            used, following = row if row else (None, None)
            if used is None:
                continue
            spare = abs((high if increment > 0 else low) - int(used)) // abs(increment)
            wanted = int(used) + increment * (min(MARGIN, spare // SPARE_SHARE) + 1)
            wanted = min(max(wanted, low), high)
            if following is None or (wanted - following) * increment <= 0:
                continue
            connection.execute("SELECT setval(%s::regclass, %s, false)", (sequence, wanted))
            told.append(f"{table}.{column}: {wanted}")
    return told
