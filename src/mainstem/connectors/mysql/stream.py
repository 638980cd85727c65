"""Rows of a query straight from the driver's socket into column buffers; beside `client` the only user of the driver.

The driver does login, TLS and the query's column definitions; the row packets are read here and decoded by
`mainstem.native.rows`. Source: MySQL manual, "Client/Server Protocol", "Text Resultset".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pymysql.constants import COMMAND
from pymysql.err import raise_mysql_exception

from mainstem.contract.source import BatchLimits
from mainstem.errors import LostConnectionError
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

_BUFFER_BYTES = 256 * 1024
_PACKET_HEADER_BYTES = 4


class RowStream:
    """The rows of one query, in batches. The connection is free again once `exhausted`.

    Raises the driver's errors; `LostConnectionError` when the server hangs up.
    """

    def __init__(self, connection: Any, sql: str) -> None:
        self._driver = connection  # its private parts have no types
        self.exhausted = False
        self._driver._execute_command(COMMAND.COM_QUERY, sql)
        self.columns = self._driver._read_packet().read_length_encoded_integer()
        for _ in range(self.columns + 1):  # the definitions, then an EOF packet
            self._driver._read_packet()
        self._decoder = RowDecoder(self.columns)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._start = self._end = 0
        self._buffered = True

    def batches(self, limits: BatchLimits) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Record batches of ``binary`` columns ``c0``, ``c1``, … with the data bytes of each."""
        while not self.exhausted:
            status, used = self._decoder.feed(self._buffer, self._start, self._end, limits.max_rows, limits.max_bytes)
            self._start += used
            if status == Status.NEED_MORE:
                self._fill(self._decoder.needed)
                continue
            if status == Status.ERROR:
                self._raise_error()
            self.exhausted = status == Status.END
            if self._decoder.rows:
                size_bytes = self._decoder.size_bytes
                yield self._take(), size_bytes

    def drain(self) -> None:
        """Throw the rest away, so that the connection can be used again."""
        for _ in self.batches(BatchLimits()):
            pass

    def _take(self) -> pa.RecordBatch:
        rows, columns = self._decoder.take()
        arrays = [
            pa.Array.from_buffers(
                pa.binary(),
                rows,
                [None if validity is None else pa.py_buffer(validity), pa.py_buffer(offsets), pa.py_buffer(data)],
            )
            for validity, offsets, data in columns
        ]
        return pa.RecordBatch.from_arrays(arrays, names=[f"c{number}" for number in range(self.columns)])

    def _fill(self, needed: int) -> None:
        """Read more bytes behind those that are left, which move to the front of a buffer that is large enough."""
        left = self._end - self._start
        wanted = max(_BUFFER_BYTES, needed, left + 1)
        if wanted > len(self._buffer) or len(self._buffer) > max(_BUFFER_BYTES, 2 * wanted):
            larger = bytearray(wanted if wanted <= _BUFFER_BYTES else wanted + wanted // 4)
            larger[:left] = memoryview(self._buffer)[self._start : self._end]
            self._buffer = larger
        elif left:
            self._buffer[:left] = self._buffer[self._start : self._end]
        self._start, self._end = 0, left
        with memoryview(self._buffer) as view, view[self._end :] as free:
            count = self._read_ahead(free) or self._driver._rfile.raw.readinto(free)
        if not count:
            raise LostConnectionError("the source closed the connection in the middle of a result")
        self._end += count

    def _read_ahead(self, free: memoryview) -> int:
        """What the driver's buffered reader has taken from the socket beyond the packets that it was asked for.

        Once that is empty, rows are read from the socket itself: the driver reads no further until the result ends.
        """
        if self._buffered:
            self._buffered = False
            ahead = self._driver._rfile.peek(1)
            free[: len(ahead)] = self._driver._rfile.read(len(ahead))
            return len(ahead)
        return 0

    def _raise_error(self) -> None:
        self.exhausted = True
        header = self._start + _PACKET_HEADER_BYTES
        length = int.from_bytes(self._buffer[self._start : self._start + 3], "little")
        raise_mysql_exception(bytes(self._buffer[header : header + length]))
