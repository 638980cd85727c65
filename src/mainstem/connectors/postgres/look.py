"""What the named checks of a PostgreSQL server work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from mainstem.model.run import RunOptions, SchemaPolicy

REMEDIES = 20  # statements, or tables in one, that a remedy holds


@dataclass(frozen=True, slots=True)
class Look:
    """A connection for questions, and what the run is to do.

    Attributes:
        schema: that the run reads from, or writes to, when it is not told otherwise.
    """

    connection: psycopg.Connection[Any]
    options: RunOptions
    schema: str

    def value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row, or None."""
        row = self.connection.execute(sql.encode(), arguments or None).fetchone()
        return row[0] if row else None

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows; raises the driver's errors."""
        return self.connection.execute(sql.encode(), arguments or None).fetchall()

    @property
    def user(self) -> str:
        """Who is logged in."""
        return self.connection.info.user

    @property
    def makes_tables(self) -> bool:
        """Whether the run makes tables, rather than filling those that are there."""
        return self.options.structure.tables and self.options.schema_policy is not SchemaPolicy.VALIDATE

    def free_connections(self) -> int | None:
        """How many more this login may open, ours given back; None where the server does not tell."""
        free = self.value(_FREE)
        return None if free is None else int(free)


# Ours ends before the run begins.
_FREE = (
    "SELECT least("
    " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"
    " - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'),"
    " (SELECT nullif(datconnlimit, -1) - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datid = d.oid)"
    " FROM pg_catalog.pg_database d WHERE datname = current_database()),"
    " (SELECT nullif(rolconnlimit, -1) - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = r.oid)"
    " FROM pg_catalog.pg_roles r WHERE rolname = current_user)) + 1"
)
