"""The rows of one COPY TO STDOUT, from the socket or libpq straight into buffers.

Where nothing is encrypted, the statement is sent and its answer read at the socket: libpq asks for memory for every
row, holds it twice, and keeps the memory of the largest one while the connection lasts. It does not notice; the
connection is its own again once the server is ready for the next statement.

Else the driver sends the statement and reads its end, and the messages in between are taken by libpq's own functions,
which the compiled loop calls without the GIL; they are looked up in the library that the driver has loaded. The
driver's own way makes Python objects of every row, which costs more than the server takes to send them.

Source: PostgreSQL manual, "Message Formats" (Query, CommandComplete, ErrorResponse).
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import errors, generators, pq

from mainstem.connectors.postgres.errors import lost_error
from mainstem.contract.source import BatchLimits
from mainstem.errors import WireError
from mainstem.model.cells import batch_of
from mainstem.native.copyrows import CopyDecoder
from mainstem.native.copysocket import CopySocket
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


class _Source(Protocol):
    """Where the messages of a COPY come from. Raises the driver's errors, and `LostConnectionError`."""

    def decode(self, into: CopyDecoder, max_rows: int, max_bytes: int) -> Status:
        """See `MessageStream`."""
        ...

    def gather(self, into: RawRows, max_bytes: int) -> Status:
        """See `MessageStream`."""
        ...

    def ended(self, status: Status) -> int:
        """After END or ERROR: how many rows the server says that it sent."""
        ...

    def drain(self) -> None:
        """Throw the rest away, so that the connection can be used again."""
        ...


class _Socket:
    """The socket itself."""

    def __init__(self, connection: psycopg.Connection[Any], sql: str) -> None:
        statement = sql.encode() + b"\0"
        with socket.socket(fileno=os.dup(connection.fileno())) as twin:
            _send(twin, b"Q" + struct.pack("!I", len(statement) + 4) + statement)
        self._messages = CopySocket(connection.fileno())
        self.decode, self.gather = self._messages.decode, self._messages.gather

    def ended(self, status: Status) -> int:
        """See `_Source`."""
        if status is Status.ERROR:
            raise self._error(self._messages.failure)
        return int(self._messages.tag.rstrip(b"\0").rpartition(b" ")[2])

    def drain(self) -> None:
        """See `_Source`."""
        self._messages.drain()

    def _error(self, failure: bytes) -> Exception:
        fields: dict[int, bytes | None] = {part[0]: part[1:] for part in failure.split(b"\0") if part}
        state, text = ((fields.get(ord(letter)) or b"").decode(errors="replace") for letter in "CM")
        if not failure:
            return lost_error()
        try:
            return errors.lookup(state)(text, info=fields)
        except KeyError:
            return psycopg.DatabaseError(text, info=fields)


def _send(twin: socket.socket, data: bytes) -> None:
    """Send all of a message, whether the socket waits or not."""
    left = memoryview(data)
    poll = select.poll()
    poll.register(twin, select.POLLOUT)
    try:
        while left:
            poll.poll()
            left = left[twin.send(left, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
    except OSError as exc:
        raise lost_error() from exc


class _Driver:
    """What the driver knows the end of; its messages, too: slower, for where libpq's functions cannot be found."""

    def __init__(self, connection: psycopg.Connection[Any], sql: str) -> None:
        self._connection = connection
        self._held: memoryview | None = None
        self._result: pq.abc.PGresult | None = None
        connection.pgconn.send_query(sql.encode())
        result = connection.wait(generators.execute(connection.pgconn))[-1]
        if result.status != pq.ExecStatus.COPY_OUT:
            raise self._error(result)

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
                self._result = found
                return None
            self._held = found
        return self._held

    def ended(self, status: Status) -> int:
        """See `_Source`."""
        result = self._result
        if result is None or status is Status.ERROR or result.status != pq.ExecStatus.COMMAND_OK:
            raise self._error(result)
        return result.command_tuples or 0

    def drain(self) -> None:
        """See `_Source`."""
        while isinstance(self._connection.wait(generators.copy_from(self._connection.pgconn)), memoryview):
            pass

    def _error(self, result: pq.abc.PGresult | None) -> Exception:
        if result is None or self._connection.pgconn.status != pq.ConnStatus.OK:
            return lost_error()
        return errors.error_from_result(result)


class _Libpq(_Driver):
    """The messages by libpq's own functions, at these addresses, from its connection at that one."""

    def __init__(self, connection: psycopg.Connection[Any], sql: str, functions: tuple[int, ...], address: int) -> None:
        super().__init__(connection, sql)
        self._messages = MessageStream(functions[0], functions[1], address)

    def decode(self, into: CopyDecoder, max_rows: int, max_bytes: int) -> Status:
        """See `MessageStream`."""
        return self._messages.decode(into, max_rows, max_bytes)

    def gather(self, into: RawRows, max_bytes: int) -> Status:
        """See `MessageStream`."""
        return self._messages.gather(into, max_bytes)

    def ended(self, status: Status) -> int:
        """See `_Source`."""
        results = self._connection.wait(generators.fetch_many(self._connection.pgconn))
        self._result = results[-1] if results else None
        return super().ended(status)


def is_plain(connection: psycopg.Connection[Any]) -> bool:
    """Whether what passes at its socket is the protocol itself."""
    return not connection.pgconn.ssl_in_use


def _open(connection: psycopg.Connection[Any], sql: str) -> _Source:
    if is_plain(connection):
        return _Socket(connection, sql)
    functions = libpq_functions("PQgetCopyData", "PQfreemem")
    address: int | None = getattr(connection.pgconn, "pgconn_ptr", None)
    return _Libpq(connection, sql, functions, address) if functions and address else _Driver(connection, sql)


class CopyStream:
    """The rows of one COPY, in batches. The connection is free again once `exhausted`.

    Raises the driver's errors; `LostConnectionError` when the server hangs up; `WireError` for rows that break the
    format, or are not as many as the server says.
    """

    def __init__(self, connection: psycopg.Connection[Any], sql: str) -> None:
        """Send the statement, a COPY TO STDOUT; nothing else may use the connection until the rows are `exhausted`."""
        self._rows = 0
        self.exhausted = False
        self._messages = _open(connection, sql)

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
        if not self.exhausted:
            self._messages.drain()
            self.exhausted = True

    def _settle(self, status: Status) -> None:
        """After the last row, or an error: see what the server says of the whole."""
        if status is Status.FULL:
            return
        self.exhausted = True
        sent = self._messages.ended(status)
        if sent != self._rows:
            raise WireError(f"PostgreSQL says that it sent {sent} rows, but {self._rows} arrived")


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
