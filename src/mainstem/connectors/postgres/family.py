"""Rows of a table's own: a table that others inherit from shows theirs too, unless it is asked for with ONLY.

A partitioned table has no rows but those of its partitions, and is asked for without it.
Source: PostgreSQL manual, "Inheritance".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.names import TableId

_DIALECT = PostgresDialect()
_PARENTS = (
    "SELECT n.nspname, c.relname FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)"
    " JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema"
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name"
    " WHERE c.relkind = 'r' AND c.relhassubclass"
)


def own_rows(connection: psycopg.Connection[Any], tables: Sequence[TableId]) -> list[str]:
    """Each table as it is written behind FROM or TRUNCATE; one question for all. Raises the driver's errors."""
    asked = [table.schema for table in tables], [table.name for table in tables]
    parents = {TableId(schema, name) for schema, name in connection.execute(_PARENTS, asked)}
    return [f"{'ONLY ' if table in parents else ''}{_DIALECT.qualified(table)}" for table in tables]
