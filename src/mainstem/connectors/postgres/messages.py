"""The messages of a stream under way, and the answers to them: at the socket itself, or through libpq.

libpq holds each message twice, and keeps the memory of the largest one while the connection lasts. So where nothing is
encrypted the socket is read here, from the answer to START_REPLICATION on.
Source: PostgreSQL manual, "Message Formats" (CopyData, CopyDone, ErrorResponse), "Error and Notice Message Fields".
"""

from __future__ import annotations

import os
import select
import socket
import struct
from contextlib import suppress
from typing import Any, Protocol

import psycopg
from psycopg import errors, generators, pq

from mainstem.connectors.postgres.client import translate_error
from mainstem.connectors.postgres.errors import lost_error, statement_error
from mainstem.connectors.postgres.stream import libpq_functions
from mainstem.errors import MainstemError
from mainstem.native.logstream import LogStream, SocketStream
from mainstem.native.pgoutput import LogDecoder
from mainstem.native.status import Status

_HEAD_BYTES = 25  # of a message, before what the plugin wrote
_COPY_BOTH = b"W"


class LogMessages(Protocol):
    """See `native.logstream.LogStream`."""

    @property
    def received_bytes(self) -> int:
        """Of messages, so far."""
        ...

    def read(self, into: LogDecoder, max_rows: int, max_bytes: int) -> Status:
        """Decode what is at hand, without waiting."""
        ...

    def take(self) -> bytes:
        """The message that `read` stopped at."""
        ...

    def send(self, data: bytes) -> None:
        """Answer. Raises the driver's errors and `OSError`."""
        ...

    def end(self) -> None:
        """Tell the server that we are done. Raises as `send`."""
        ...

    def failure(self) -> MainstemError:
        """Why the stream ended."""
        ...


class SocketMessages:
    """At the socket."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._stream = SocketStream(self._socket.fileno())
        self._unsent = b""
        self.read, self.take = self._stream.read, self._stream.take

    @property
    def received_bytes(self) -> int:
        """From the socket, so far."""
        return self._stream.received_bytes

    def send(self, data: bytes) -> None:
        """Answer; what a server that is busy does not take is sent with the next answer."""
        self._send(b"d" + struct.pack("!I", len(data) + 4) + data)

    def end(self) -> None:
        """CopyDone."""
        with self._socket:
            self._send(b"c" + struct.pack("!I", 4))

    def _send(self, message: bytes) -> None:
        self._unsent += message
        with suppress(BlockingIOError):
            self._unsent = self._unsent[self._socket.send(self._unsent, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]

    def failure(self) -> MainstemError:
        """What the server said last."""
        fields = {part[:1]: part[1:].decode(errors="replace") for part in self._stream.failure().split(b"\0") if part}
        return statement_error(fields.get(b"C", ""), fields.get(b"M", ""))


class _Libpq:
    """What those that read through libpq share."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def send(self, data: bytes) -> None:
        """Answer."""
        self._connection.pgconn.put_copy_data(data)
        self._connection.pgconn.flush()

    def end(self) -> None:
        """CopyDone."""
        self._connection.pgconn.put_copy_end()
        self._connection.pgconn.flush()

    def failure(self) -> MainstemError:
        """What the server said last."""
        try:
            results = self._connection.wait(generators.fetch_many(self._connection.pgconn))
        except psycopg.Error as exc:
            return translate_error(exc)
        failed = [result for result in results if result.status == pq.ExecStatus.FATAL_ERROR]
        return translate_error(errors.error_from_result(failed[-1])) if failed else lost_error()


class LibpqMessages(_Libpq):
    """By libpq's own functions, called without a Python object for each message."""

    def __init__(self, connection: psycopg.Connection[Any], functions: tuple[int, ...], address: int) -> None:
        super().__init__(connection)
        get, release, consume = functions
        self._stream = LogStream(get, release, consume, address)
        self.read, self.take = self._stream.read, self._stream.take

    @property
    def received_bytes(self) -> int:
        """Of messages, so far."""
        return self._stream.received_bytes


class DriverMessages(_Libpq):
    """By the driver: slower, for where libpq's functions cannot be found."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        self._held = b""
        self.received_bytes = 0

    def read(self, into: LogDecoder, max_rows: int, max_bytes: int) -> Status:
        """As `LogStream.read`."""
        pgconn = self._connection.pgconn
        while into.rows < max_rows and into.size_bytes < max_bytes:
            if not self._held:
                size, data = pgconn.get_copy_data(1)
                if size == 0:
                    pgconn.consume_input()
                    size, data = pgconn.get_copy_data(1)
                if size <= 0:
                    return Status.NEED_MORE if size == 0 else Status.END
                self._held = bytes(data)
                self.received_bytes += size
            status = into.message(self._held)
            if status is Status.MESSAGE:
                return status
            self._held = b""
            if status is Status.SPOOL:
                return status
        return Status.FULL

    def take(self) -> bytes:
        """As `LogStream.take`."""
        data, self._held = self._held[_HEAD_BYTES:], b""
        return data


def open_messages(connection: psycopg.Connection[Any], command: str) -> LogMessages:
    """Send START_REPLICATION and take over what comes. Raises the driver's error when the server refuses."""
    pgconn = connection.pgconn
    pgconn.send_query(command.encode())
    if not pgconn.ssl_in_use and _first_letter(connection) == _COPY_BOTH:
        return SocketMessages(connection)
    result = connection.wait(generators.execute(pgconn))[-1]
    if result.status != pq.ExecStatus.COPY_BOTH:
        raise errors.error_from_result(result)
    functions = libpq_functions("PQgetCopyData", "PQfreemem", "PQconsumeInput")
    address: int | None = getattr(pgconn, "pgconn_ptr", None)
    return LibpqMessages(connection, functions, address) if functions and address else DriverMessages(connection)


def _first_letter(connection: psycopg.Connection[Any]) -> bytes:
    """Wait for the server's answer, and leave it where it is: refusals are the driver's to read."""
    connection.wait(generators.send(connection.pgconn))
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    poll.poll()
    with socket.socket(fileno=os.dup(connection.fileno())) as twin, suppress(OSError):
        return twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return b""
