"""Tables whose rows are in part those of others: what is said of one is meant for it alone."""

from __future__ import annotations

from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.names import TableId

_DIALECT = PostgresDialect()


def alone(connection: psycopg.Connection[Any], table: TableId) -> str:
    """A table in FROM or TRUNCATE: with its partitions, and without the tables that inherit from it.

    Source: PostgreSQL manual, "Inheritance"; ``ONLY`` would leave a partitioned table without rows.
    """
    name = _DIALECT.qualified(table)
    row = connection.execute("SELECT relkind FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)", (name,)).fetchone()
    return name if row is None or row[0] == "p" else f"ONLY {name}"
