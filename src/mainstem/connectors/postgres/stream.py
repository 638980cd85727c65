"""The rows of one COPY TO STDOUT, from libpq straight into buffers.

The driver sends the statement and reads its end. The messages in between are taken by libpq's own functions, which the
compiled loop calls without the GIL; they are looked up in the library that the driver has loaded. The driver's own way
makes Python objects of every row, which costs more than the server takes to send them.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors, generators, pq

from mainstem.connectors.postgres.errors import lost_error
from mainstem.contract.source import BatchLimits
from mainstem.errors import WireError
from mainstem.model.cells import batch_of
from mainstem.native.copyrows import CopyDecoder
from mainstem.native.copystream import MessageStream, RawRows
from mainstem.native.copytuples import TupleDecoder
from mainstem.native.ops import CopyOp
from mainstem.native.status import Status

if TYPE_CHECKING:
    import pyarrow as pa

_DRIVERS = {"binary": "psycopg_binary._psycopg", "c": "psycopg_c._psycopg"}


@cache
def libpq_functions(*names: str) -> tuple[int, ...] | None:
    """The addresses of libpq's functions; None where the driver's library does not show them."""
    try:
        if pq.__impl__ == "python":
            library: Any = import_module("psycopg.pq._pq_ctypes").pq
        else:  # a handle of the module finds what it is linked to
            library = ctypes.CDLL(sys.modules[_DRIVERS[pq.__impl__]].__file__)
        functions = [getattr(library, name) for name in names]
    except (ImportError, KeyError, OSError, AttributeError):
        return None
    found = tuple(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
    return found if all(found) else None


class DriverMessages:
    """What `MessageStream` does, by the driver: slower, for where libpq's functions cannot be found."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._held: memoryview | None = None
        self.result: pq.abc.PGresult | None = None

    def decode(self, into: CopyDecoder, max_rows: int, max_bytes: int) -> Status:
        """Append rows until a limit or the end; raises the server's error."""
        while into.rows < max_rows and into.size_bytes < max_bytes:
            message = self._next()
            if message is None:
                return Status.END
            if not into.row(message):
                break
            self._held = None
        return Status.FULL

    def gather(self, into: RawRows, max_bytes: int) -> Status:
        """The same, undecoded."""
        while into.size_bytes < max_bytes:
            message = self._next()
            if message is None:
                return Status.END
            into.message(message)
            self._held = None
        return Status.FULL

    def _next(self) -> memoryview | None:
        if self._held is None:
            found = self._connection.wait(generators.copy_from(self._connection.pgconn))
            if not isinstance(found, memoryview):
                self.result = found
                return None
            self._held = found
        return self._held


class CopyStream:
    """The rows of one COPY, in batches. The connection is free again once `exhausted`.

    Raises the driver's errors; `LostConnectionError` when the server hangs up; `WireError` for rows that break the
    format, or are not as many as the server says.
    """

    def __init__(self, connection: psycopg.Connection[Any], sql: str) -> None:
        """Send the statement, a COPY TO STDOUT; nothing else may use the connection until the rows are `exhausted`."""
        self._connection = connection
        self._rows = 0
        self.exhausted = False
        connection.pgconn.send_query(sql.encode())
        result = connection.wait(generators.execute(connection.pgconn))[-1]
        if result.status != pq.ExecStatus.COPY_OUT:
            self.exhausted = True
            raise self._error(result)
        functions = libpq_functions("PQgetCopyData", "PQfreemem")
        address: int | None = getattr(connection.pgconn, "pgconn_ptr", None)
        self._messages: MessageStream | DriverMessages = (
            MessageStream(functions[0], functions[1], address) if functions and address else DriverMessages(connection)
        )

    def batches(
        self, ops: Sequence[CopyOp], limits: BatchLimits, *, binary: bool = False
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Record batches of ``binary`` columns ``c0``, ``c1``, … with the data bytes of each."""
        decoder = (TupleDecoder if binary else CopyDecoder)(len(ops), ops)
        while not self.exhausted:
            status = self._messages.decode(decoder, limits.max_rows, limits.max_bytes)
            self._rows += decoder.rows
            self._settle(status)
            if decoder.rows:
                size_bytes = decoder.size_bytes
                yield _taken(decoder), size_bytes

    def raw(self, columns: int, max_bytes: int, *, binary: bool) -> Iterator[tuple[memoryview, int]]:
        """Pieces of whole rows as the server sends them, with the number of rows in each."""
        gathered = RawRows(binary=binary, columns=columns)
        while not self.exhausted:
            status = self._messages.gather(gathered, max_bytes)
            self._rows += gathered.rows
            self._settle(status)
            rows = gathered.rows
            if rows:
                yield gathered.take(), rows

    def drain(self) -> None:
        """Throw the rest away, so that the connection can be used again."""
        while not self.exhausted:
            found = self._connection.wait(generators.copy_from(self._connection.pgconn))
            self.exhausted = not isinstance(found, memoryview)

    def _settle(self, status: Status) -> None:
        """After the last row, or an error: read what the server says of the whole."""
        if status is Status.FULL:
            return
        self.exhausted = True
        if isinstance(self._messages, DriverMessages):
            result = self._messages.result
        else:
            results = self._connection.wait(generators.fetch_many(self._connection.pgconn))
            result = results[-1] if results else None
        if result is None or status is Status.ERROR or result.status != pq.ExecStatus.COMMAND_OK:
            raise self._error(result)
        if result.command_tuples != self._rows:
            raise WireError(f"PostgreSQL says that it sent {result.command_tuples} rows, but {self._rows} arrived")

    def _error(self, result: pq.abc.PGresult | None) -> Exception:
        if result is None or self._connection.pgconn.status != pq.ConnStatus.OK:
            return lost_error()
        return errors.error_from_result(result)


def _taken(decoder: CopyDecoder) -> pa.RecordBatch:
    """The decoder's batch, which may be large: nobody else holds a part of it."""
    import pyarrow as pa  # rows that pass undecoded need none of it

    rows, columns = decoder.take()
    return batch_of(
        [
            pa.Array.from_buffers(
                pa.binary(), rows, [None if block is None else pa.py_buffer(block) for block in blocks]
            )
            for blocks in columns
        ]
    )
