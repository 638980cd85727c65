"""What an editor completes: schemas, tables, columns."""

from __future__ import annotations

from mainstem.connectors.postgres.client import connect, translating
from mainstem.contract.console import Names, TableNames
from mainstem.model.connection import ConnectionSettings

MOST_TABLES = 3000
_SCHEMAS = (
    "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    " AND pg_catalog.has_schema_privilege(oid, 'USAGE') ORDER BY 1"
)
_TABLES = (
    "SELECT n.nspname::text, c.relname::text, ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a"
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    " AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1, 2 LIMIT %s"
)


def names(settings: ConnectionSettings) -> Names:
    """See `contract.console.ConsoleKit.names`."""
    with connect(settings) as connection, translating():
        schemas = tuple(row[0] for row in connection.execute(_SCHEMAS).fetchall())
        found = connection.execute(_TABLES, (MOST_TABLES + 1,)).fetchall()
    tables = tuple(TableNames(schema, name, tuple(columns)) for schema, name, columns in found[:MOST_TABLES])
    return Names(settings.schema or "public", schemas, tables, whole=len(found) <= MOST_TABLES)
