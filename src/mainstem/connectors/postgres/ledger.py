"""What of a run is durable, kept in tables of our own in the target (schema ``mainstem``), beside the rows.

A chunk's line, a statement's line and the rows or structure that they speak of commit in one transaction: after a crash
at any point, reading the ledger tells exactly what is there. All of it is dropped when the run has finished, but for
the rejected rows, as long as there are any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import psycopg

from mainstem.connectors.postgres.client import connect, keepable, translate_error
from mainstem.connectors.postgres.family import own_rows
from mainstem.connectors.postgres.fence import SCHEMA, Fence
from mainstem.contract.target import ChunkRecord
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import Statement
from mainstem.model.run import Rejected, RunState

_NOTE = "note:"  # steps of this name are notes
DROP_WAIT_S = 3

_CREATE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.run (
    run_id text PRIMARY KEY, plan text NOT NULL, started timestamptz NOT NULL DEFAULT now(),
    fence bigint NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS {SCHEMA}.chunk (
    run_id text NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, number integer NOT NULL,
    part text NOT NULL DEFAULT '', lower text, upper text, done timestamptz, rows_written bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0, cut_by text,
    PRIMARY KEY (run_id, table_schema, table_name, number));
CREATE TABLE IF NOT EXISTS {SCHEMA}.step (
    run_id text NOT NULL, step text NOT NULL, done timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run_id, step));
CREATE TABLE IF NOT EXISTS {SCHEMA}.rejected_row (
    run_id text NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, row_key text NOT NULL,
    column_name text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""

_MARK_CHUNK = f"""
UPDATE {SCHEMA}.chunk SET done = now(), rows_written = %s, rows_rejected = %s, cut_by = %s
WHERE run_id = %s AND table_schema = %s AND table_name = %s AND number = %s AND done IS NULL
"""

_REJECT = f"""
INSERT INTO {SCHEMA}.rejected_row (run_id, table_schema, table_name, row_key, column_name, reason)
VALUES (%s, %s, %s, %s, %s, %s)
"""


def step_name(statement: Statement) -> str:
    """A statement's name in the ledger: its phase, object and a digest of its text."""
    digest = hashlib.sha256(statement.sql.encode()).hexdigest()[:16]
    return f"{statement.phase}:{statement.object}:{digest}"


def drop_tables(connection: psycopg.Connection[Any], tables: Sequence[str]) -> None:
    """Drop tables of ours that are empty, within the caller's transaction; not while somebody reads them.

    A backup keeps what it reads for as long as it takes, and whoever asks for such a table waits behind the DROP. They
    go with the next run or stream. Raises the driver's errors.
    """
    with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{DROP_WAIT_S}s'")
        for table in tables:
            connection.execute(f"DROP TABLE {SCHEMA}.{table}".encode())
        drop_schema_if_empty(connection)


def drop_schema_if_empty(connection: psycopg.Connection[Any]) -> None:
    """Drop our schema unless a run or a stream has tables in it. Raises the driver's errors."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s)",
        (SCHEMA,),
    ).fetchone()
    if row == (False,):
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} RESTRICT")


def run_fence(run_id: str, token: int) -> Fence:
    """The fence of a run's ledger."""
    return Fence("run", run_id, token)


def mark_chunk(
    connection: psycopg.Connection[Any],
    fence: Fence,
    chunk: Chunk,
    written: int,
    rejected: Sequence[Rejected],
    limit: RunState | None,
) -> bool:
    """Within the chunk's transaction: its line and its rejected rows. False when the line says that it was done.

    Raises `TakenOverError` when the run is another process's by now.
    """
    table, run_id = chunk.table, fence.id
    fence.hold(connection)
    with connection.cursor() as cursor:
        cursor.execute(_MARK_CHUNK, (written, len(rejected), limit, run_id, table.schema, table.name, chunk.number))
        marked = cursor.rowcount == 1
        if rejected:
            cursor.executemany(
                _REJECT,
                [
                    (run_id, row.table.schema, row.table.name, keepable(connection, row.key), row.column, row.reason)
                    for row in rejected
                ],
            )
    return marked


class PostgresLedger:
    """See `contract.target.Ledger`."""

    def __init__(self, settings: ConnectionSettings, run_id: str, token: int = 0) -> None:
        """Connect, and claim the run for a token (see `fence`)."""
        self._fence = run_fence(run_id, token)
        self._connection = connect(settings, application_name=self._fence.name("book"))
        self._run_id = run_id
        try:
            self._claim()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> PostgresLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def open(self, plan_json: str) -> str:
        """Make the ledger for this run unless it is there; returns the plan that it holds (ours, or an earlier one)."""
        with _translated(), self._connection.transaction():
            # Two runs that start together would both try to create the schema.
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext('mainstem.ledger'))")
            self._connection.execute(_CREATE)
            self._connection.execute(
                f"INSERT INTO {SCHEMA}.run (run_id, plan) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (self._run_id, plan_json),
            )
            row = self._connection.execute(
                f"SELECT plan FROM {SCHEMA}.run WHERE run_id = %s", (self._run_id,)
            ).fetchone()
        self._claim()
        return str(row[0]) if row is not None else plan_json

    def _claim(self) -> None:
        with _translated():
            self._fence.claim(self._connection)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Inside is one transaction of a run that is ours."""
        with _translated(), self._connection.transaction():
            self._fence.hold(self._connection)
            yield

    def known_plan(self) -> str:
        """The plan of an earlier start of this run, or empty when the target knows nothing of it."""
        with _translated():
            found = self._connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.run",)).fetchone()
            if found is None or found[0] is None:
                return ""
            row = self._connection.execute(
                f"SELECT plan FROM {SCHEMA}.run WHERE run_id = %s", (self._run_id,)
            ).fetchone()
        return str(row[0]) if row is not None else ""

    def chunks(self, table: TableId) -> list[ChunkRecord]:
        """The table's chunks as planned, in order; empty when not yet planned."""
        with _translated():
            rows = self._connection.execute(
                "SELECT number, lower, upper, part, done IS NOT NULL, rows_written, rows_rejected, cut_by"
                f" FROM {SCHEMA}.chunk WHERE run_id = %s AND table_schema = %s AND table_name = %s ORDER BY number",
                (self._run_id, table.schema, table.name),
            ).fetchall()
        return [
            ChunkRecord(
                Chunk(table, number, lower, upper, part), done, written, rejected, RunState(limit) if limit else None
            )
            for number, lower, upper, part, done, written, rejected, limit in rows
        ]

    def plan(self, table: TableId, chunks: Sequence[Chunk]) -> None:
        """Write the table's chunks down, none of them done."""
        with self._held(), self._connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {SCHEMA}.chunk (run_id, table_schema, table_name, number, lower, upper, part)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (self._run_id, table.schema, table.name, chunk.number, chunk.lower, chunk.upper, chunk.part)
                    for chunk in chunks
                ],
            )

    def forget(self, table: TableId, target: TableId, former: str = "") -> None:
        """Empty the target table, forget the table's chunks and its rejected rows, in one transaction."""
        with self._held():
            (name,) = own_rows(self._connection, [target])
            self._empty(name)
            for own, run_id in (("chunk", self._run_id), ("rejected_row", self._run_id), ("rejected_row", former)):
                self._connection.execute(
                    f"DELETE FROM {SCHEMA}.{own} WHERE run_id = %s AND table_schema = %s AND table_name = %s",
                    (run_id, table.schema, table.name),
                )

    def _empty(self, name: str) -> None:
        """TRUNCATE, or DELETE where another table's foreign key names this one."""
        try:
            with self._connection.transaction():
                self._connection.execute(f"TRUNCATE {name}".encode())
        except psycopg.errors.FeatureNotSupported:
            with suppress(psycopg.errors.InsufficientPrivilege), self._connection.transaction():
                self._connection.execute("SET LOCAL session_replication_role = replica")
            self._connection.execute(f"DELETE FROM {name}".encode())

    def note(self, text: str) -> None:
        """Remember something about the run, once."""
        with self._held():
            self._connection.execute(
                f"INSERT INTO {SCHEMA}.step (run_id, step) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (self._run_id, _NOTE + text),
            )

    def notes(self) -> set[str]:
        """What `note` was told, in this start of the run or an earlier one."""
        with _translated():
            rows = self._connection.execute(
                f"SELECT step FROM {SCHEMA}.step WHERE run_id = %s AND starts_with(step, %s)", (self._run_id, _NOTE)
            ).fetchall()
        return {step.removeprefix(_NOTE) for (step,) in rows}

    def rejected(self) -> list[Rejected]:
        """Rows that this run has put aside so far."""
        with _translated():
            rows = self._connection.execute(
                f"SELECT table_schema, table_name, row_key, column_name, reason FROM {SCHEMA}.rejected_row"
                " WHERE run_id = %s ORDER BY at",
                (self._run_id,),
            ).fetchall()
        return [Rejected(TableId(schema, name), key, column, reason) for schema, name, key, column, reason in rows]

    def finish(self, *, keep: bool) -> None:
        """Make everything durable on disk, and forget this run's lines unless ``keep``."""
        connection = self._connection
        with self._held():
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute(f"UPDATE {SCHEMA}.run SET started = started WHERE run_id = %s", (self._run_id,))
        if keep:
            return
        with _translated(), connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('mainstem.ledger'))")
            self._fence.hold(connection)
            for table in ("run", "chunk", "step"):
                connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE run_id = %s", (self._run_id,))
            row = connection.execute(
                f"SELECT EXISTS (SELECT FROM {SCHEMA}.run) OR EXISTS (SELECT FROM {SCHEMA}.rejected_row)"
            ).fetchone()
            if row is not None and not row[0]:
                drop_tables(connection, ("run", "chunk", "step", "rejected_row"))


class _translated:
    """Turn the driver's errors into ours at this border."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(value, psycopg.Error):
            error: MainstemError = translate_error(value)
            raise error from value
