"""Structure: DDL statements, each once, each in one transaction with its line in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import psycopg
import psycopg.sql

from mainstem.connectors.postgres.client import cancel, connect, translate_error, translating
from mainstem.connectors.postgres.family import own_rows
from mainstem.connectors.postgres.ledger import SCHEMA, step_name
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement

# Sorting in memory is most of what makes an index build fast; the server's default is 64 MB.
_SESSION = "SET synchronous_commit = off; SET statement_timeout = 0; SET maintenance_work_mem = '256MB'"


class PostgresBuilder:
    """See `contract.target.Builder`."""

    def __init__(self, settings: ConnectionSettings, run_id: str) -> None:
        self._settings = settings
        self._connection: psycopg.Connection[Any] = connect(settings)
        self._run_id = run_id
        self._steps: set[str] | None = None
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
            with translating():
                names = ", ".join(own_rows(self._connection, tables))
            self.apply(Statement(Phase.TABLES, f"TRUNCATE {names}", "the tables to be loaded"))

    def count(self, table: TableId) -> int:
        """Rows in a table."""
        with translating():
            (name,) = own_rows(self._connection, [table])
            row = self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        return int(row[0]) if row is not None else 0

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        cancel(self._connection, self._settings)

    def _once(self, step: str, sql: str) -> None:
        """Both in one message, which the server runs as one transaction: thousands of tables are as many of these.

        Source: PostgreSQL manual, "Multiple Statements in a Simple Query".
        """
        if step in self._known_steps():
            return
        line = psycopg.sql.SQL("INSERT INTO {}.step (run_id, step) VALUES ({}, {});\n").format(
            psycopg.sql.Identifier(SCHEMA), self._run_id, step
        )
        # Bytes are sent as they are: no placeholder is looked for. A step that is there by now is refused by its key.
        self._connection.execute(line.as_bytes(self._connection) + sql.encode())
        self._known_steps().add(step)

    def _known_steps(self) -> set[str]:
        """The steps that an earlier start of this run has made, and ours."""
        if self._steps is None:
            rows = self._connection.execute(f"SELECT step FROM {SCHEMA}.step WHERE run_id = %s", (self._run_id,))
            self._steps = {step for (step,) in rows}
        return self._steps
