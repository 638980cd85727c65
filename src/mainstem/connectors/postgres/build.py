"""Structure: DDL statements, each once, each in one transaction with its line in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import psycopg

from mainstem.connectors.postgres.client import cancel, connect, translate_error, translating
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.ledger import SCHEMA, step_name
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement

_DIALECT = PostgresDialect()
# Sorting in memory is most of what makes an index build fast; the server's default is 64 MB.
_SESSION = "SET synchronous_commit = off; SET statement_timeout = 0; SET maintenance_work_mem = '256MB'"


class PostgresBuilder:
    """See `contract.target.Builder`."""

    def __init__(self, settings: ConnectionSettings, run_id: str) -> None:
        self._settings = settings
        self._connection: psycopg.Connection[Any] = connect(settings)
        self._run_id = run_id
        with translating():
            self._connection.execute(_SESSION)

    def __enter__(self) -> PostgresBuilder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def apply(self, statement: Statement) -> None:
        """Run a statement unless the ledger says that it ran; statement and ledger line are one transaction."""
        try:
            self._once(step_name(statement), statement.sql)
        except psycopg.Error as exc:
            error = translate_error(exc)
            error.where.setdefault("object", statement.object)
            raise error from exc

    def truncate(self, tables: Sequence[TableId]) -> None:
        """Empty these tables at once, foreign keys between them notwithstanding; once per run, as `apply`."""
        if tables:
            names = ", ".join(_DIALECT.qualified(table) for table in tables)
            self.apply(Statement(Phase.TABLES, f"TRUNCATE {names}", "the tables to be loaded"))

    def count(self, table: TableId) -> int:
        """Rows in a table."""
        try:
            row = self._connection.execute(f"SELECT count(*) FROM {_DIALECT.qualified(table)}").fetchone()
        except psycopg.Error as exc:
            error: MainstemError = translate_error(exc)
            raise error from exc
        return int(row[0]) if row is not None else 0

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        cancel(self._connection, self._settings)

    def _once(self, step: str, sql: str) -> None:
        connection = self._connection
        with connection.transaction():
            done = connection.execute(
                f"INSERT INTO {SCHEMA}.step (run_id, step) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (self._run_id, step),
            )
            if done.rowcount == 1:
                connection.execute(sql.encode())  # bytes: sent as it is, no placeholder is looked for
