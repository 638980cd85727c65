"""Rows as arrays of parameters: one INSERT, prepared once and executed with many rows. MariaDB alone has that.

Its server takes no more time for them than for the lines of LOAD DATA; and such an INSERT, unlike LOAD DATA, does not
keep the lock of an AUTO_INCREMENT whose numbers are given, so that several may write into one table. Beside `client` a
user of the driver, which lets the server know nothing of what a client of MariaDB can.

Source: MariaDB documentation, "Connecting" (handshake, extended capabilities), "COM_STMT_PREPARE",
"COM_STMT_BULK_EXECUTE"; MySQL manual, "AUTO_INCREMENT Handling in InnoDB", simple inserts.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql import connections
from pymysql.constants import COMMAND

from mainstem.connectors.mysql import outcome
from mainstem.connectors.mysql.encode import BatchEncoder, Encoded
from mainstem.connectors.mysql.outcome import Outcome
from mainstem.errors import RowError

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    _Connection = connections.Connection[Cursor]
else:
    _Connection = connections.Connection

_OF_MYSQL = 1  # the first capability: set by whoever has none of MariaDB's
_ARRAYS = 1 << 2  # of the extended capabilities
_HEADER = struct.Struct("<IIB19sI")  # of a client's answer: capabilities, largest packet, character set, 0, extended
_EXECUTE = struct.Struct("<BIH")
_COM_EXECUTE, _WITH_TYPES = 0xFA, 128
_LONGEST_BYTES = 1 << 24  # a packet is shorter
_MARGIN_BYTES = 1024
_UNABLE = frozenset({1047, 1295, 1461})
"""An unknown command, one that cannot be prepared, and max_prepared_stmt_count, which may be 0."""


class ArrayConnection(_Connection):
    """The driver's, which says that it can send arrays to a server that takes them.

    Attributes:
        takes_arrays: the server does.
    """

    takes_arrays = False
    _greeted = False
    _answering = False

    def _read_packet(self, *kind: Any) -> Any:
        driver: Any = super()
        packet = driver._read_packet(*kind)
        if not self._greeted:
            self._greeted = True
            self.takes_arrays = bool(_extended(packet.get_all_data()) & _ARRAYS)
        return packet

    def _request_authentication(self) -> None:
        self._answering = self.takes_arrays
        driver: Any = super()
        driver._request_authentication()
        self._answering = False

    def write_packet(self, payload: bytes) -> None:
        """Send a packet; what answers the greeting, also before TLS begins, gets what we can into its header."""
        if self._answering and len(payload) >= _HEADER.size:
            flags, largest, charset, zeros, extended = _HEADER.unpack_from(payload)
            if not any(zeros) and not extended:
                header = _HEADER.pack(flags & ~_OF_MYSQL, largest, charset, zeros, _ARRAYS)
                payload = header + payload[_HEADER.size :]
        super().write_packet(payload)


def _extended(greeting: bytes) -> int:
    """The extended capabilities of a server; 0 where it is not MariaDB, or says something else than a greeting."""
    at = greeting.find(b"\0", 1) + 14  # behind the version: thread, first part of the salt, 0
    if len(greeting) < at + 18:
        return 0
    (flags,) = struct.unpack_from("<H", greeting, at)
    return 0 if flags & _OF_MYSQL else int(struct.unpack_from("<I", greeting, at + 14)[0])


class ArrayInsert:
    """One INSERT that was prepared, for rows of one table. Raises the driver's errors, and `RowError`."""

    def __init__(self, connection: Any, encoder: BatchEncoder, into: str, max_packet_bytes: int) -> None:
        """Prepare it.

        Args:
            encoder: for parameters.
            into: the table, as SQL.
            max_packet_bytes: the server's bound.
        """
        self._driver, self._encoder = connection, encoder
        self._bound_bytes = min(max_packet_bytes, _LONGEST_BYTES) - _MARGIN_BYTES
        self._sent = 0
        self._types = b"".join(bytes((kind, 0)) for kind in encoder.parameter_types)
        self._driver._execute_command(COMMAND.COM_STMT_PREPARE, encoder.insert_sql(into))
        answer = self._driver._read_packet().get_all_data()
        (self._statement,) = struct.unpack_from("<I", answer, 1)
        while not self._driver._read_packet().is_eof_packet():
            pass  # a parameter's description

    def encode(self, rows: Any) -> Encoded | None:
        """Rows as they are sent, or None where this is no way to send them: too many bytes, or ENUM's error value."""
        encoded = self._encoder.encode(rows, 0, rows.num_rows)
        if encoded.refused:
            raise self._encoder.error(encoded.refused[0])
        too_large = len(encoded.payload) + len(self._types) > self._bound_bytes
        return None if too_large or encoded.unlabelled else encoded

    def send(self, encoded: Encoded, rows: int) -> None:
        """Have rows stored. The server's answer is waited for when more are sent, or by `settle`.

        Until then nothing else may use the connection.
        """
        self.settle()
        if not rows:
            return
        head = _EXECUTE.pack(_COM_EXECUTE, self._statement, _WITH_TYPES) + self._types
        length = len(head) + len(encoded.payload)
        self._driver._write_bytes(length.to_bytes(3, "little") + b"\0" + head)
        self._driver._write_bytes(encoded.payload)
        self._driver._next_seq_id = 1
        self._sent = rows

    def settle(self) -> None:
        """Wait for what is being stored: all of it was, or this raises."""
        sent, self._sent = self._sent, 0
        if sent:
            driver: Any = connections  # what reads this packet has no types
            packet = driver.OKPacketWrapper(self._driver._read_packet())
            stored = packet.affected_rows
            outcome.check(self._driver, Outcome(stored, sent - stored, packet.warning_count))

    def abandon(self) -> None:
        """Wait for what is being stored, whatever comes of it."""
        with suppress(pymysql.Error, RowError, OSError, AttributeError):
            self.settle()

    def close(self) -> None:
        """Forget the statement; the server does not answer."""
        with suppress(pymysql.Error, OSError, AttributeError):
            self._driver._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", self._statement))


def array_insert(connection: Any, encoder: BatchEncoder, into: str, max_packet_bytes: int) -> ArrayInsert | None:
    """Prepare an INSERT; None where the server prepares none."""
    try:
        return ArrayInsert(connection, encoder, into, max_packet_bytes)
    except pymysql.Error as exc:
        if exc.args and exc.args[0] in _UNABLE:
            return None
        raise
