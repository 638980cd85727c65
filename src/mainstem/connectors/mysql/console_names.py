"""What an editor completes: databases, and the tables and columns of the one that is entered."""

from __future__ import annotations

from itertools import groupby

from mainstem.connectors.mysql.client import connect, query, translating
from mainstem.connectors.mysql.config import SYSTEM_DATABASES
from mainstem.contract.console import Names, TableNames
from mainstem.model.connection import ConnectionSettings

MOST_COLUMNS = 60_000
_DATABASES = "SELECT schema_name FROM information_schema.schemata ORDER BY 1"
_COLUMNS = (
    "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = DATABASE() ORDER BY table_schema, table_name, ordinal_position LIMIT %s"
)


def names(settings: ConnectionSettings) -> Names:
    """See `contract.console.ConsoleKit.names`."""
    with connect(settings) as connection, translating():
        databases = tuple(row[0] for row in query(connection, _DATABASES) if row[0] not in SYSTEM_DATABASES)
        found = query(connection, _COLUMNS, (MOST_COLUMNS + 1,))
    tables = tuple(
        TableNames(schema, name, tuple(row[2] for row in rows))
        for (schema, name), rows in groupby(found[:MOST_COLUMNS], key=lambda row: (row[0], row[1]))
    )
    return Names(settings.database, databases, tables, whole=len(found) <= MOST_COLUMNS)
