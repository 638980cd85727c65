"""LOAD DATA LOCAL from memory: the server asks for a file, and gets rows. Beside `client` a user of the driver.

Source: MySQL Internals, "LOCAL INFILE Request"; MySQL manual, "LOAD DATA Statement", "Statement Result Information".
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pymysql
from pymysql import connections
from pymysql.constants import COMMAND

from mainstem.connectors.mysql.outcome import Outcome
from mainstem.errors import WireError

PACKET_BYTES = 1024 * 1024
_COUNTERS = re.compile(rb"\d+")


class LoadStream:
    """One LOAD DATA LOCAL, begun, fed and ended in different calls. Raises the driver's errors."""

    def __init__(self, connection: Any, sql: str, packet_bytes: int = PACKET_BYTES) -> None:
        """Send the statement.

        Args:
            connection: the driver's; nothing else may use it until `finish` or `abandon`.
            packet_bytes: the largest packet to send; less than the server's ``max_allowed_packet``, which resets the
                connection at a packet of just that size.
        """
        self._driver = connection
        self._packet_bytes = packet_bytes
        self._driver._execute_command(COMMAND.COM_QUERY, sql)
        if not self._driver._read_packet().is_load_local_packet():
            raise WireError("the server did not ask for the rows of LOAD DATA LOCAL")

    def send(self, data: bytes | memoryview) -> None:
        """Send bytes of the file."""
        with memoryview(data) as view:
            for start in range(0, len(view), self._packet_bytes):
                with view[start : start + self._packet_bytes] as part:
                    self._header(len(part))
                    self._driver._write_bytes(part)

    def finish(self) -> Outcome:
        """Send the end of the file; returns what the server made of it."""
        self._header(0)
        driver: Any = connections  # what reads this packet has no types
        packet = driver.OKPacketWrapper(self._driver._read_packet())
        counters = [int(number) for number in _COUNTERS.findall(packet.message)]
        if len(counters) == 4:
            records, deleted, skipped, warnings = counters
            return Outcome(records - skipped, deleted + skipped, max(warnings, packet.warning_count))
        return Outcome(packet.affected_rows, 0, packet.warning_count)

    def abandon(self) -> None:
        """End it whatever comes; its rows are there until the transaction is rolled back."""
        with suppress(pymysql.Error, OSError, AttributeError):
            self.finish()

    def _header(self, length: int) -> None:
        number = self._driver._next_seq_id
        self._driver._write_bytes(length.to_bytes(3, "little") + bytes((number,)))
        self._driver._next_seq_id = (number + 1) % 256
