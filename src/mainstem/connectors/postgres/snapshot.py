"""A consistent view of a PostgreSQL database, read in chunks by several connections.

One connection exports its snapshot and then keeps it, and the locks on the tables that are read, until the end; those
that read import it. So their transactions may break off a COPY (and roll back to a savepoint) and lose nothing.
Source: PostgreSQL manual, "Snapshot Synchronization Functions", "SET TRANSACTION", "LOCK".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from mainstem.connectors.postgres import chunks as cutting
from mainstem.connectors.postgres.cells import as_fields, copy_out_op, field_op, passes_money
from mainstem.connectors.postgres.chunks import Part
from mainstem.connectors.postgres.client import cancel, connect, shut_down, translate_error, translating
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.moves import has_new_rows
from mainstem.connectors.postgres.raw import BINARY
from mainstem.connectors.postgres.selects import select
from mainstem.connectors.postgres.stream import CopyStream
from mainstem.contract.source import BatchLimits, Snapshot, SnapshotReader
from mainstem.errors import MainstemError, NotFoundError, StatementError, TransientError
from mainstem.model.batch import ChangeBatch, RawBatch
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

_DIALECT = PostgresDialect()
# Row security must not hide rows: with it off, a query that it would touch is refused.
_SESSION = "SET extra_float_digits = 3; SET row_security = off; SET search_path = ''"
# Who wants to alter a table waits for the lock that the snapshot has on it, and a reader that comes later waits behind
# them: neither would ever go on. The reader gives up first, and the snapshot with it.
READER_LOCK_WAIT_S = 5
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_SAVEPOINT = "mainstem"
_ONE_READER = "one reader only: the server gives no snapshot that several connections could share"
_POSITION = (  # by a name that all versions know for pg_current_snapshot
    "SELECT pg_catalog.txid_current_snapshot()::text,"
    " (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"
    " ELSE pg_catalog.pg_current_wal_lsn() END)::text"
)
_TYPES = (  # as the inspector spells them, without a search path
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped"
)
_UNCHECKED = "SQL_ASCII"  # an encoding whose texts are any bytes
_CANCEL_TRIES = 3
# Of rows that pass undecoded. Larger ones leave the processor's cache before the other server has read them.
_PIECE_BYTES = 128 * 1024


class PostgresSource:
    """A PostgreSQL database to read from."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings

    def snapshot(self, readers: int) -> AbstractContextManager[Snapshot]:
        """Open a snapshot; leaving the context closes its connections."""
        return open_snapshot(self._settings, readers)


@dataclass(frozen=True, slots=True)
class Exported:
    """A snapshot that some other connection exports and keeps.

    Attributes:
        name: the server's.
        position: what is added to what the snapshot says of itself.
    """

    name: str
    position: Mapping[str, object]


@contextmanager
def open_snapshot(settings: ConnectionSettings, readers: int, exported: Exported | None = None) -> Iterator[Snapshot]:
    """A snapshot of its own, or a view into the one that is exported; leaving the context closes its connections.

    Raises:
        TransientError: the exported one is gone.
    """
    with ExitStack() as stack:

        def opened() -> psycopg.Connection[Any]:
            connection = stack.enter_context(closing(connect(settings)))
            with translating():
                connection.execute(_SESSION)
            return connection

        keeper = opened()
        connections = []
        with translating():
            name = _keep(keeper, exported)
            for _ in range(readers if name else 1):
                connections.append(opened())
                connections[-1].execute(f"SET lock_timeout = '{READER_LOCK_WAIT_S}s'".encode())
                if not _join(connections[-1], name):
                    name = ""
                    break
            if exported is not None and not name:
                raise _gone()
        tables = _Tables(keeper)
        own = [PostgresReader(connection, settings, tables) for connection in connections]
        position = _position(connections[0], exported)
        yield PostgresSnapshot(own, keeper, position, "" if name else _ONE_READER)


def _keep(keeper: psycopg.Connection[Any], exported: Exported | None) -> str:
    if exported is None:
        return _export(keeper)
    if not _join(keeper, exported.name):
        raise _gone()
    return exported.name


def _gone() -> TransientError:
    return TransientError("the snapshot that the replication slot had exported is gone", remedy="try again")


def _try(connection: psycopg.Connection[Any], sql: str) -> tuple[Any, ...] | None:
    """The row of a query that the server may refuse, within a transaction that goes on either way."""
    try:
        with connection.transaction():
            return connection.execute(sql.encode()).fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        return None


def _export(keeper: psycopg.Connection[Any]) -> str:
    """Begin, and export the snapshot; its name is empty where the server exports none (a standby of an old version)."""
    keeper.execute(_BEGIN)
    try:
        row = keeper.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
    except psycopg.Error:
        if keeper.closed:
            raise
        keeper.rollback()
        keeper.execute(_BEGIN)
        return ""
    return str(row[0]) if row else ""


def _join(connection: psycopg.Connection[Any], name: str) -> bool:
    """Begin in the exported snapshot; where there is none, or another server than the first answers, in one's own."""
    if name:
        try:
            connection.execute(f"{_BEGIN}; SET TRANSACTION SNAPSHOT '{name}'; SAVEPOINT {_SAVEPOINT}".encode())
            return True
        except (errors.InvalidParameterValue, errors.UndefinedObject, errors.FeatureNotSupported):
            connection.rollback()
    connection.execute(f"{_BEGIN}; SELECT 1; SAVEPOINT {_SAVEPOINT}".encode())
    return False


def _position(connection: psycopg.Connection[Any], exported: Exported | None) -> str:
    """Where the log stood, and which transactions the snapshot sees; empty where the server does not say."""
    with translating():
        row = _try(connection, _POSITION)
    if row is None:
        return "" if exported is None else json.dumps(dict(exported.position))
    oldest, following, _ = row[0].split(":")
    found = {"lsn": row[1] or "", "xmin": int(oldest), "xmax": int(following)}
    return json.dumps(found if exported is None else found | dict(exported.position))


class _Tables:
    """What the tables consist of, each looked at once, and kept from being rewritten until the snapshot ends."""

    def __init__(self, keeper: psycopg.Connection[Any]) -> None:
        self._keeper = keeper
        self._lock = threading.Lock()
        self._known: dict[TableId, list[Part]] = {}

    def parts(self, reader: psycopg.Connection[Any], plan: TablePlan) -> list[Part]:
        """The table and its leaves, locked; by the catalog as a reader's snapshot has it.

        Raises:
            NotFoundError: there is no such table.
            TransientError: the table was rewritten after the snapshot was taken.
            StatementError: a column is gone, or of another type than the plan says.
        """
        table = plan.source
        with self._lock:
            if table not in self._known:
                self._take(_DIALECT.qualified(table))
                parts = _seen(cutting.read_parts(reader, table), table)
                self._require_types(plan)
                self._known[table] = parts
            return self._known[table]

    def _require_types(self, plan: TablePlan) -> None:
        """Rows that pass undecoded would be taken for values of the type that the column had."""
        found = dict(self._keeper.execute(_TYPES, (plan.source.schema, plan.source.name)).fetchall())
        for column in plan.columns:
            now = found.get(column.source)
            own = now is not None and "." in now and "." in column.native  # whose schema may get another name
            if column.native and now != column.native and not own:
                what = "is gone" if now is None else f"is {now}, no longer {column.native}"
                raise StatementError(
                    f"table {plan.source} was altered after the run was planned: column {column.source} {what}",
                    remedy="begin anew, with drop_and_recreate",
                )

    def _take(self, name: str) -> None:
        """Lock a table with its partitions.

        A login that may read only some columns may not, and goes without; so do foreign tables, which have no locks.
        Where there is no such table the catalog tells.
        """
        try:
            self._keeper.execute(f"SAVEPOINT a; LOCK TABLE {name} IN ACCESS SHARE MODE; RELEASE SAVEPOINT a".encode())
        except (errors.InsufficientPrivilege, errors.WrongObjectType, errors.UndefinedTable, errors.InvalidSchemaName):
            self._keeper.execute("ROLLBACK TO SAVEPOINT a; RELEASE SAVEPOINT a")


def _seen(parts: list[Part], table: TableId) -> list[Part]:
    if not parts:
        raise NotFoundError(f"there is no table {table}", remedy="correct the selection")
    if any(part.rewritten for part in parts):
        # VACUUM FULL keeps what older snapshots see; TRUNCATE and ALTER TABLE do not, and look the same here.
        raise TransientError(f"table {table} was rewritten after the snapshot was taken", remedy="try again")
    return parts


class PostgresSnapshot:
    """See `contract.source.Snapshot`."""

    def __init__(
        self, readers: Sequence[PostgresReader], keeper: psycopg.Connection[Any], position: str, note: str
    ) -> None:
        self.readers: Sequence[SnapshotReader] = readers
        self._own = readers
        self._keeper = keeper
        self.position = position
        self.note = note

    def moved(self, table: TablePlan, chunks: Sequence[Chunk], since: str) -> bool:
        """Whether rows may lie elsewhere than when the chunks were cut.

        So they may after any change since to a table that was cut by blocks, or that is partitioned: a row that was
        written anew cannot be told from a new one.
        """
        return self._own[0].moved(table, chunks, since)

    def interrupt(self) -> None:
        """Shut the sockets down; whoever reads from one gets an end of file."""
        for connection in (self._keeper, *(reader.connection for reader in self._own)):
            shut_down(connection)


def _batches(stream: CopyStream, table: TablePlan, limits: BatchLimits) -> Iterator[ChangeBatch | RawBatch]:
    if table.raw or not table.columns:
        piece_bytes = min(limits.max_bytes, _PIECE_BYTES)
        for data, count in stream.raw(len(table.columns), piece_bytes, binary=table.raw == BINARY):
            yield RawBatch(table.source, data, count)
            del data  # may be large: not while the next are read
        return
    fields = as_fields(table)
    ops = [field_op(column) if fields else copy_out_op(column) for column in table.columns]
    for rows, size_bytes in stream.batches(ops, limits, binary=fields):
        yield ChangeBatch(table.source, rows, size_bytes)
        del rows


class PostgresReader:
    """See `contract.source.SnapshotReader`."""

    def __init__(self, connection: psycopg.Connection[Any], settings: ConnectionSettings, tables: _Tables) -> None:
        self.connection = connection
        self._settings = settings
        self._tables = tables
        self._session: tuple[bool, bool] = (False, False)

    def plan_chunks(self, table: TablePlan, rows: int) -> Sequence[Chunk]:
        """Cut a table into chunks of about so many rows."""
        with self._translated(table):
            return cutting.plan_chunks(table, self._parts(table), rows, self.connection.info.server_version)

    def read(self, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Generator[ChangeBatch | RawBatch]:
        """The chunk's rows. Closing the iterator early cancels the query and leaves the reader usable."""
        with self._translated(table):
            parts = self._parts(table)
            self._settle_session(table)
            self._set_encoding(_UNCHECKED)
            stream = CopyStream(self.connection, select(table, chunk, parts[0].kind if parts else ""))
            try:
                yield from _batches(stream, table, limits)
            finally:
                if not stream.exhausted:
                    self._cancel(stream)
            self._set_encoding("UTF8")

    def moved(self, table: TablePlan, chunks: Sequence[Chunk], since: str) -> bool:
        """See `PostgresSnapshot.moved`."""
        if table.query or all(chunk.lower is chunk.upper is None and not chunk.part for chunk in chunks):
            return False
        with self._translated(table):
            found = {
                "" if part.id == table.source else _DIALECT.qualified(part.id): part
                for part in cutting.leaves(self._parts(table))
            }
            if set(found) != {chunk.part for chunk in chunks}:
                return True
            if any(then != {found[name].file} for name, then in cutting.files(chunks).items()):
                return True
            return any(has_new_rows(self.connection, part, since) for part in found.values())

    def _set_encoding(self, name: str) -> None:
        """Of a SQL_ASCII database: with UTF8 it refuses to send a row that is not, and with it all others."""
        if self.connection.info.parameter_status("server_encoding") == _UNCHECKED:
            self.connection.execute(f"SET client_encoding = {name}".encode())

    def _parts(self, table: TablePlan) -> list[Part]:
        return [] if table.query else self._tables.parts(self.connection, table)

    def _settle_session(self, table: TablePlan) -> None:
        """Names in the text of values come with their schemas, but a user's own SQL finds what it always finds."""
        wanted = bool(table.query or table.where), any(passes_money(column) for column in table.columns)
        if wanted == self._session:
            return
        path = "DEFAULT" if wanted[0] else "''"
        money = "'C'" if wanted[1] else "DEFAULT"
        self.connection.execute(f"SET search_path = {path}; SET lc_monetary = {money}".encode())
        self._session = wanted

    @contextmanager
    def _translated(self, table: TablePlan) -> Iterator[None]:
        """Inside, the driver's errors become ours, and the transaction outlives them."""
        try:
            yield
        except Exception as exc:
            error: MainstemError = translate_error(exc)
            error.where.setdefault("table", str(table.source))
            self._roll_back()
            raise error from exc

    def _cancel(self, stream: CopyStream) -> None:
        """Break off the COPY; its rest, and the error that ends it, are thrown away."""
        cancel(self.connection, self._settings)
        with suppress(Exception):  # the connection may have gone meanwhile; its next use tells
            stream.drain()
        self._roll_back()

    def _roll_back(self) -> None:
        """To where the snapshot was joined. A cancel that came too late for its COPY may hit this instead."""
        self._session = (False, False)
        for _ in range(_CANCEL_TRIES):
            try:
                self.connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}".encode())
                return
            except errors.QueryCanceled:
                continue
            except psycopg.Error:
                return
