"""What of a run is durable, kept in tables of our own in the target database, beside the rows.

A chunk's line and its rows commit in one transaction. A statement of DDL commits by itself, so that its line is
written before (begun) and after (done); one that was begun when the process died is run again. All of it is dropped
when the run has finished, but for the rejected rows, as long as there are any.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import Any

import pymysql

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.bookkeeping import drop_tables, locked, open_books
from mainstem.connectors.mysql.config import LEDGER_TABLES
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.fence import Fence, run_fence
from mainstem.contract.target import ChunkRecord
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import Statement
from mainstem.model.run import Rejected, RunState

_DIALECT = MysqlDialect()
_NO_TABLE = 1146
_PIECE_BYTES = 512 * 1024  # of a plan: the smallest max_allowed_packet in use is 1 MB
_FORM = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_NAMES = "run_id varchar(128) NOT NULL, table_schema varchar(128) NOT NULL, table_name varchar(255) NOT NULL"

_CREATE = (
    "CREATE TABLE IF NOT EXISTS mainstem_run (run_id varchar(128) NOT NULL, part int NOT NULL,"
    " plan mediumblob NOT NULL, started datetime(6) NOT NULL, fence bigint NOT NULL DEFAULT 0,"
    f" PRIMARY KEY (run_id, part)) {_FORM}",
    f"CREATE TABLE IF NOT EXISTS mainstem_chunk ({_NAMES}, number int NOT NULL, part longtext NOT NULL,"
    " lower_bound longtext, upper_bound longtext, done datetime(6), rows_written bigint NOT NULL DEFAULT 0,"
    " rows_rejected bigint NOT NULL DEFAULT 0, cut_by varchar(64),"
    f" PRIMARY KEY (run_id, table_schema, table_name, number)) {_FORM}",
    "CREATE TABLE IF NOT EXISTS mainstem_step (run_id varchar(128) NOT NULL, step char(64) NOT NULL,"
    f" label longtext NOT NULL, note bool NOT NULL, done datetime(6), PRIMARY KEY (run_id, step)) {_FORM}",
    f"CREATE TABLE IF NOT EXISTS mainstem_rejected_row (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, {_NAMES},"
    f" row_key longtext NOT NULL, column_name longtext NOT NULL, reason longtext NOT NULL, at datetime(6) NOT NULL)"
    f" {_FORM}",
)
_MARK_CHUNK = (
    "UPDATE mainstem_chunk SET done = NOW(6), rows_written = %s, rows_rejected = %s, cut_by = %s"
    " WHERE run_id = %s AND table_schema = %s AND table_name = %s AND number = %s AND done IS NULL"
)
_REJECT = (
    "INSERT INTO mainstem_rejected_row (run_id, table_schema, table_name, row_key, column_name, reason, at)"
    " VALUES (%s, %s, %s, %s, %s, %s, NOW(6))"
)
_OF_TABLE = "run_id = %s AND table_schema = %s AND table_name = %s"


def step_name(statement: Statement) -> str:
    """A statement's name in the ledger: a digest of its phase, object and text."""
    return hashlib.sha256(f"{statement.phase}\0{statement.object}\0{statement.sql}".encode()).hexdigest()


def mark_chunk(
    connection: Any, fence: Fence, chunk: Chunk, written: int, rejected: Sequence[Rejected], limit: RunState | None
) -> bool:
    """Within the chunk's transaction: its line and its rejected rows. False when the line says that it was done.

    Raises `TakenOverError` when the run is another process's by now.
    """
    table, run_id = chunk.table, fence.id
    fence.hold(connection)
    with connection.cursor() as cursor:
        marked = cursor.execute(
            _MARK_CHUNK, (written, len(rejected), limit, run_id, table.schema, table.name, chunk.number)
        )
        for row in rejected:
            cursor.execute(_REJECT, (run_id, row.table.schema, row.table.name, row.key, row.column, row.reason))
    return bool(marked == 1)


@contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """Commit at the end, roll back on any error."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(pymysql.Error, OSError):
            connection.rollback()
        raise


class MysqlLedger:
    """See `contract.target.Ledger`."""

    def __init__(self, settings: ConnectionSettings, run_id: str, token: int = 0) -> None:
        """Connect, and claim the run for a token (see `fence`)."""
        self._fence = run_fence(settings, run_id, token)
        self._connection = open_books(settings, "run", self._fence)
        self._run_id, self._database = run_id, settings.database

    def __enter__(self) -> MysqlLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # closing what has gone already
            self._connection.close()

    def open(self, plan_json: str) -> str:
        """Make the ledger for this run unless it is there; returns the plan that it holds (ours, or an earlier one)."""
        data = zlib.compress(plan_json.encode())
        pieces = [data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES)]
        with client.translating(), self._locked():
            for statement in _CREATE:
                self._query(statement)
            known = self._plan()
            if known is None:
                with transaction(self._connection):
                    for part, piece in enumerate(pieces):
                        self._query(
                            "INSERT INTO mainstem_run (run_id, part, plan, started)"
                            " VALUES (%s, %s, _binary %s, NOW(6))",
                            self._run_id, part, piece,
                        )  # fmt: skip
            self._fence.claim(self._connection)
        return plan_json if known is None else known

    def known_plan(self) -> str:
        """The plan of an earlier start of this run, or empty when the target knows nothing of it."""
        with client.translating():
            try:
                return self._plan() or ""
            except pymysql.Error as exc:
                if exc.args and exc.args[0] == _NO_TABLE:
                    return ""
                raise

    def chunks(self, table: TableId) -> list[ChunkRecord]:
        """The table's chunks as planned, in order; empty when not yet planned."""
        with client.translating():
            rows = self._query(
                "SELECT number, lower_bound, upper_bound, part, done IS NOT NULL, rows_written, rows_rejected, cut_by"
                f" FROM mainstem_chunk WHERE {_OF_TABLE} ORDER BY number",
                self._run_id, table.schema, table.name,
            )  # fmt: skip
        return [
            ChunkRecord(
                Chunk(table, number, lower, upper, part), bool(done), written, rejected,
                RunState(limit) if limit else None,
            )
            for number, lower, upper, part, done, written, rejected, limit in rows
        ]  # fmt: skip

    def plan(self, table: TableId, chunks: Sequence[Chunk]) -> None:
        """Write the table's chunks down, none of them done."""
        with self._held(), self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO mainstem_chunk (run_id, table_schema, table_name, number, lower_bound, upper_bound, part)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (self._run_id, table.schema, table.name, chunk.number, chunk.lower, chunk.upper, chunk.part)
                    for chunk in chunks
                ],
            )

    def forget(self, table: TableId, target: TableId, former: str = "") -> None:
        """Empty the target table, forget its chunks and its rejected rows, in one transaction (as TRUNCATE cannot)."""
        with self._held():
            self._query(f"DELETE FROM {_DIALECT.qualified(target)}")
            for own, run_id in (("chunk", self._run_id), ("rejected_row", self._run_id), ("rejected_row", former)):
                self._query(f"DELETE FROM mainstem_{own} WHERE {_OF_TABLE}", run_id, table.schema, table.name)

    def note(self, text: str) -> None:
        """Remember something about the run, once."""
        with self._held():
            self._query(
                "INSERT IGNORE INTO mainstem_step (run_id, step, label, note, done) VALUES (%s, %s, %s, TRUE, NOW(6))",
                self._run_id, hashlib.sha256(f"note\0{text}".encode()).hexdigest(), text,
            )  # fmt: skip

    def notes(self) -> set[str]:
        """What `note` was told, in this start of the run or an earlier one."""
        with client.translating():
            rows = self._query("SELECT label FROM mainstem_step WHERE run_id = %s AND note", self._run_id)
        return {label for (label,) in rows}

    def rejected(self) -> list[Rejected]:
        """Rows that this run has put aside so far."""
        with client.translating():
            rows = self._query(
                "SELECT table_schema, table_name, row_key, column_name, reason FROM mainstem_rejected_row"
                " WHERE run_id = %s ORDER BY id",
                self._run_id,
            )
        return [Rejected(TableId(schema, name), key, column, reason) for schema, name, key, column, reason in rows]

    def finish(self, *, keep: bool) -> None:
        """Forget this run's lines unless ``keep``. Every commit before was durable as the server is configured."""
        if keep:
            return
        with client.translating(), self._locked():
            with transaction(self._connection):
                self._fence.hold(self._connection)
                for table in ("mainstem_chunk", "mainstem_step", "mainstem_run"):
                    self._query(f"DELETE FROM {table} WHERE run_id = %s", self._run_id)
            (left,) = self._query(
                "SELECT EXISTS (SELECT 1 FROM mainstem_run) OR EXISTS (SELECT 1 FROM mainstem_rejected_row)"
            )
            if not left[0]:
                drop_tables(self._connection, LEDGER_TABLES)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Inside is one transaction of a run that is ours."""
        with client.translating(), transaction(self._connection):
            self._fence.hold(self._connection)
            yield

    def _plan(self) -> str | None:
        rows = self._query("SELECT plan FROM mainstem_run WHERE run_id = %s ORDER BY part", self._run_id)
        return zlib.decompress(b"".join(piece for (piece,) in rows)).decode() if rows else None

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._connection, self._database, "run")

    def _query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return client.query(self._connection, sql, arguments or None)
