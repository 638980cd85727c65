"""A consistent view of a MySQL or MariaDB database, read in chunks by several connections."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mainstem.connectors.mysql import chunks
from mainstem.connectors.mysql.client import connect, shut_down, translate_error
from mainstem.connectors.mysql.consistency import agree
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.native import TEXTS, base_name
from mainstem.connectors.mysql.stream import RowStream
from mainstem.contract.source import BatchLimits, Snapshot, SnapshotReader
from mainstem.errors import MainstemError
from mainstem.model.batch import ChangeBatch
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.types import Kind

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_DIALECT = MysqlDialect()


class MysqlSource:
    """A MySQL or MariaDB server to read from."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings

    @contextmanager
    def snapshot(self, readers: int, *, exact: bool = False) -> Iterator[Snapshot]:
        """Open a snapshot; leaving the context closes its connections.

        Args:
            exact: its position is needed, see `consistency.agree`.
        """
        with ExitStack() as stack:
            connections = [stack.enter_context(_closing(connect(self._settings))) for _ in range(readers)]
            with _closing(connect(self._settings)) as locker:
                agreement = agree(connections, locker, exact=exact)
            yield MysqlSnapshot(
                [MysqlReader(connection, self._settings) for connection in connections[: agreement.readers]],
                agreement.position,
                agreement.note,
            )


@contextmanager
def _closing(connection: Connection[Cursor]) -> Iterator[Connection[Cursor]]:
    """Close without COM_QUIT's answer: the connection may be in the middle of a result."""
    try:
        yield connection
    finally:
        with suppress(Exception):
            connection._force_close()  # type: ignore[attr-defined]


class MysqlSnapshot:
    """See `contract.source.Snapshot`."""

    def __init__(self, readers: Sequence[MysqlReader], position: str, note: str) -> None:
        self.readers: Sequence[SnapshotReader] = readers
        self._own = readers
        self.position = position
        self.note = note

    def moved(self, table: TablePlan, chunks: Sequence[Chunk], since: str) -> bool:
        """When its partitions are others than those that were cut; a range of keys holds the same rows for ever."""
        return self._own[0].moved(table, chunks)

    def interrupt(self) -> None:
        """Shut the sockets down; whoever reads from one gets an end of file."""
        for reader in self._own:
            reader.interrupt()


class MysqlReader:
    """See `contract.source.SnapshotReader`."""

    def __init__(self, connection: Connection[Cursor], settings: ConnectionSettings) -> None:
        self._connection = connection
        self._settings = settings

    def plan_chunks(self, table: TablePlan, rows: int) -> Sequence[Chunk]:
        """Cut a table into chunks of about so many rows; boundaries are computed by the server."""
        try:
            with self._connection.cursor() as cursor:
                return chunks.plan_chunks(cursor, table, rows)
        except Exception as exc:
            raise _error(exc, table) from exc

    def read(self, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Generator[ChangeBatch]:
        """The chunk's rows. Closing the iterator early cancels the query and leaves the reader usable."""
        stream: RowStream | None = None
        try:
            stream = RowStream(self._connection, select(table, chunk), binary=_has_floats(table))
            for rows, size_bytes in stream.batches(limits):
                yield ChangeBatch(table.source, rows, size_bytes)
                del rows  # may be large: not while the next are read
        except GeneratorExit:
            if stream is not None and not stream.exhausted:
                self._cancel(stream)
            raise
        except Exception as exc:
            raise _error(exc, table) from exc

    def moved(self, table: TablePlan, cut: Sequence[Chunk]) -> bool:
        """See `contract.source.Snapshot.moved`."""
        if not any(chunk.part for chunk in cut):
            return False
        try:
            with self._connection.cursor() as cursor:
                return not chunks.same_parts(cursor, table, cut)
        except Exception as exc:
            raise _error(exc, table) from exc

    def interrupt(self) -> None:
        """Shut the socket down."""
        shut_down(self._connection)

    def _cancel(self, stream: RowStream) -> None:
        """Kill the query, not the connection: the snapshot's transaction lives on."""
        driver: Any = self._connection
        # The connection may have gone meanwhile, by `interrupt` or by itself; its next use tells.
        with suppress(Exception), _closing(connect(self._settings)) as other, other.cursor() as cursor:
            cursor.execute(f"KILL QUERY {driver.thread_id()}")
        with suppress(Exception):
            stream.drain()


def _has_floats(table: TablePlan) -> bool:
    """Whether the rows are to be sent in binary form: the cells of these are their bits (see `model.types`)."""
    return any(column.type.kind is Kind.FLOAT for column in table.columns)


def _asked(column: ColumnPlan) -> str:
    """A column; text that travels as bytes in its own character set."""
    quoted = _DIALECT.quote(column.source)
    as_bytes = column.type.kind is Kind.BINARY and base_name(column.native) in TEXTS
    return f"CAST({quoted} AS BINARY) AS {quoted}" if as_bytes else quoted


def select(table: TablePlan, chunk: Chunk) -> str:
    """The query that reads a chunk."""
    columns = ", ".join(_asked(column) for column in table.columns)
    if table.query:  # which, as a condition, may end in a comment
        return f"SELECT {columns} FROM ({table.query}\n) AS mainstem_query"
    read_from, ranged = chunks.read_from(table, chunk)
    where = " AND ".join(part for part in (f"({table.where}\n)" if table.where else "", ranged) if part)
    return f"SELECT {columns or '1'} FROM {read_from}{f' WHERE {where}' if where else ''}"


def _error(exc: Exception, table: TablePlan) -> MainstemError:
    error = exc if isinstance(exc, MainstemError) else translate_error(exc)
    error.where.setdefault("table", str(table.source))
    return error
