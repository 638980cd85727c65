"""Structure: DDL statements, each once, each in one transaction with its line in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import psycopg
import psycopg.sql

from mainstem.connectors.postgres.client import cancel, connect, translate_error, translating
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.family import own_rows
from mainstem.connectors.postgres.fence import SCHEMA
from mainstem.connectors.postgres.ledger import run_fence, step_name
from mainstem.ddl.references import orphaned
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement

_DIALECT = PostgresDialect()
# Sorting in memory is most of what makes an index build fast; the server's default is 64 MB.
_SESSION = "SET synchronous_commit = off; SET maintenance_work_mem = '256MB'"

# What a scan for an index has counted, which nobody can change before the transaction ends: it is of single precision.
# Source: PostgreSQL source, `index_update_stats`.
_FOUND = psycopg.sql.SQL(";\nSELECT reltuples FROM pg_catalog.pg_class WHERE oid = {}::pg_catalog.regclass")
_EXACT_ROWS = 2**24
# What a line is refused by when the run is another process's by now, or over: see `_own_run`.
_FENCED = (psycopg.errors.NotNullViolation, psycopg.errors.UndefinedTable)


class PostgresBuilder:
    """See `contract.target.Builder`."""

    def __init__(self, settings: ConnectionSettings, run_id: str, token: int = 0) -> None:
        self._settings = settings
        self._fence = run_fence(run_id, token)
        self._connection: psycopg.Connection[Any] = connect(settings, application_name=self._fence.name("build"))
        self._run_id = run_id
        self._steps: set[str] | None = None
        self._counted: dict[TableId, float] = {}
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
            self._once(statement)
        except psycopg.Error as exc:
            if self._fence.token and isinstance(exc, _FENCED):
                found = self._fence.seen(self._connection)
                if found != self._fence.token:
                    raise self._fence.taken_over(found) from exc
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

    def counted(self, table: TableId, rows: int) -> bool:
        """Whether the scan for the table's last key found so many rows, as far as the catalog's number is exact."""
        return rows <= _EXACT_ROWS and self._counted.get(table) == rows

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        cancel(self._connection, self._settings)

    def _once(self, statement: Statement) -> None:
        """Both in one message, which the server runs as one transaction: thousands of tables are as many of these.

        Source: PostgreSQL manual, "Multiple Statements in a Simple Query".
        """
        step = step_name(statement)
        if step in self._known_steps():
            return
        if not statement.sql:
            self._look_for_rows(statement)
            return
        line = psycopg.sql.SQL("INSERT INTO {}.step (run_id, step) VALUES ({}, {});\n").format(
            psycopg.sql.Identifier(SCHEMA), self._own_run(), step
        )
        table = statement.table if statement.phase is Phase.KEYS else None
        look = b"" if table is None else _FOUND.format(_DIALECT.qualified(table)).as_bytes(self._connection)
        # Bytes are sent as they are: no placeholder is looked for. A step that is there by now is refused by its key.
        cursor = self._connection.execute(line.as_bytes(self._connection) + statement.sql.encode() + look)
        if table is not None:
            while cursor.nextset():
                pass
            for (rows,) in cursor:
                self._counted[table] = rows
        self._known_steps().add(step)

    def _look_for_rows(self, statement: Statement) -> None:
        if self._connection.execute(f"{statement.against} LIMIT 1".encode()).fetchone() is not None:
            raise orphaned(statement)

    def _own_run(self) -> psycopg.sql.Composable:
        """The run's id, or what is NULL, and refused by the line, when the run is another process's by now."""
        if not self._fence.token:
            return psycopg.sql.Literal(self._run_id)
        return psycopg.sql.SQL("(SELECT run_id FROM {}.run WHERE run_id = {} AND fence = {} FOR SHARE)").format(
            psycopg.sql.Identifier(SCHEMA), self._run_id, self._fence.token
        )

    def _known_steps(self) -> set[str]:
        """The steps that an earlier start of this run has made, and ours."""
        if self._steps is None:
            rows = self._connection.execute(f"SELECT step FROM {SCHEMA}.step WHERE run_id = %s", (self._run_id,))
            self._steps = {step for (step,) in rows}
        return self._steps
