"""The messages of a stream: by libpq's own functions, or by the driver's where these cannot be found."""

from __future__ import annotations

from typing import Any, Protocol

import psycopg

from mainstem.connectors.postgres.stream import libpq_functions
from mainstem.native.pgoutput import LogDecoder, LogStream
from mainstem.native.status import Status

_HEAD_BYTES = 25  # of a message, before what the plugin wrote


class LogMessages(Protocol):
    """See `native.pgoutput.LogStream`."""

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


class DriverLogMessages:
    """What `LogStream` does, by the driver: slower."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
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


def open_messages(connection: psycopg.Connection[Any]) -> LogMessages:
    """Of a connection whose stream has begun."""
    functions = libpq_functions("PQgetCopyData", "PQfreemem", "PQconsumeInput")
    address: int | None = getattr(connection.pgconn, "pgconn_ptr", None)
    if functions and address:
        get, release, consume = functions
        return LogStream(get, release, consume, address)
    return DriverLogMessages(connection)
