"""Rows of a query straight from the driver's socket into column buffers; beside `client` the only user of the driver.

The driver does login, TLS and the query's column definitions; the row packets are read here and decoded by
`mainstem.native`. Source: MySQL Internals, "Text Resultset", "COM_STMT_PREPARE", "COM_STMT_EXECUTE".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pymysql.constants import COMMAND, FIELD_TYPE, FLAG
from pymysql.err import raise_mysql_exception
from pymysql.protocol import FieldDescriptorPacket

from mainstem.contract.source import BatchLimits
from mainstem.errors import LostConnectionError
from mainstem.model.cells import batch_of
from mainstem.native.binaryrows import BinaryRowDecoder
from mainstem.native.ops import Wire
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

_BUFFER_BYTES = 256 * 1024
_LARGE_BYTES = 4 * 1024 * 1024
_ZEROS = bytes(1024 * 1024)
_PACKET_HEADER_BYTES = 4
_NO_CURSOR = 0
_INTEGER_BYTES = {
    FIELD_TYPE.TINY: 1,
    FIELD_TYPE.SHORT: 2,
    FIELD_TYPE.INT24: 4,
    FIELD_TYPE.LONG: 4,
    FIELD_TYPE.LONGLONG: 8,
}
_FLOAT_BYTES = {FIELD_TYPE.FLOAT: 4, FIELD_TYPE.DOUBLE: 8}
_TIMES = {
    FIELD_TYPE.DATE: Wire.DATE,
    FIELD_TYPE.NEWDATE: Wire.DATE,
    FIELD_TYPE.DATETIME: Wire.DATETIME,
    FIELD_TYPE.TIMESTAMP: Wire.DATETIME,
    FIELD_TYPE.TIME: Wire.TIME,
}


def wire_form(column: Any) -> tuple[Wire, int]:
    """How a column's values travel in the binary protocol, by its definition; see `Wire`."""
    code = column.type_code
    if code in _INTEGER_BYTES:
        return (Wire.UINT if column.flags & FLAG.UNSIGNED else Wire.INT), _INTEGER_BYTES[code]
    if code in _FLOAT_BYTES:
        return Wire.FLOAT, _FLOAT_BYTES[code]
    if code in _TIMES:
        return _TIMES[code], column.scale
    return {FIELD_TYPE.YEAR: Wire.YEAR, FIELD_TYPE.NULL: Wire.NULL}.get(code, Wire.BYTES), 0


class RowStream:
    """The rows of one query, in batches. The connection is free again once `exhausted`.

    Raises the driver's errors; `LostConnectionError` when the server hangs up.
    """

    def __init__(self, connection: Any, sql: str, *, binary: bool = False) -> None:
        """Send the query.

        Args:
            connection: the driver's; nothing else may be read from it until the rows are `exhausted`.
            sql: one query.
            binary: as a prepared statement, whose floating-point numbers come as bits and not as digits.
        """
        self._driver = connection  # its private parts have no types
        self.exhausted = False
        self._statement = self._prepare(sql) if binary else None
        if self._statement is None:
            self._driver._execute_command(COMMAND.COM_QUERY, sql)
        else:
            self._driver._execute_command(COMMAND.COM_STMT_EXECUTE, struct.pack("<IBI", self._statement, _NO_CURSOR, 1))
        definitions = self._definitions(self._driver._read_packet().read_length_encoded_integer())
        self.columns = len(definitions)
        self._decoder = (
            RowDecoder(self.columns)
            if self._statement is None
            else BinaryRowDecoder(self.columns, [wire_form(column) for column in definitions])
        )
        self._buffer = bytearray(_BUFFER_BYTES)
        self._start = self._end = 0
        self._buffered = True

    def _prepare(self, sql: str) -> int:
        """The id of a statement; the server forgets it when the connection ends, or by `_close`."""
        self._driver._execute_command(COMMAND.COM_STMT_PREPARE, sql)
        answer = self._driver._read_packet()
        _, statement, columns, parameters = struct.unpack_from("<BIHH", answer.get_all_data())
        for count in (parameters, columns):
            if count:
                self._definitions(count)
        return int(statement)

    def _definitions(self, count: int) -> list[Any]:
        """The definitions of so many columns, and the packet that ends them."""
        columns = [self._driver._read_packet(FieldDescriptorPacket) for _ in range(count)]
        self._driver._read_packet()
        return columns

    def batches(self, limits: BatchLimits) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Record batches of ``binary`` columns ``c0``, ``c1``, … with the data bytes of each."""
        while not self.exhausted:
            status, used = self._decoder.feed(
                self._buffer, self._start, self._end, limits.max_rows, limits.max_bytes, lend=True
            )
            self._start += used
            if status == Status.NEED_MORE:
                self._fill(self._decoder.needed)
                continue
            if status == Status.ERROR:
                self._end_result()
                self._raise_error()
            if status == Status.END:
                self._end_result()
            if self._decoder.rows:
                size_bytes, lent = self._decoder.size_bytes, self._decoder.lent
                rows = self._take()
                if lent or len(self._buffer) > _LARGE_BYTES > self._end - self._start:
                    self._renew()
                yield rows, size_bytes
                del rows

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
        return batch_of(arrays)

    def _fill(self, needed: int) -> None:
        """Read more bytes behind those that are left, which move to the front of a buffer that is large enough."""
        left = self._end - self._start
        wanted = max(_BUFFER_BYTES, needed, left + 1)
        if self._start:
            with memoryview(self._buffer) as view:
                view[:left] = view[self._start : self._end]
            self._start, self._end = 0, left
        spare = wanted // 4 if _BUFFER_BYTES < wanted < _LARGE_BYTES else 0
        missing = wanted - len(self._buffer)
        while missing > 0:  # where it is: a copy of a large row would be another large one
            self._buffer.extend(_ZEROS[: missing + spare])
            missing = wanted - len(self._buffer)
        with memoryview(self._buffer) as view, view[self._end :] as free:
            count = self._read_ahead(free) or self._driver._rfile.raw.readinto(free)
        if not count:
            raise LostConnectionError("the source closed the connection in the middle of a result")
        self._end += count

    def _renew(self) -> None:
        """Leave the buffer, which is large or shown by a batch, to whoever still holds it."""
        left = self._end - self._start
        renewed = bytearray(max(_BUFFER_BYTES, left))
        renewed[:left] = memoryview(self._buffer)[self._start : self._end]
        self._buffer, self._start, self._end = renewed, 0, left

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

    def _end_result(self) -> None:
        self.exhausted = True
        if self._statement is not None:
            self._driver._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", self._statement))

    def _raise_error(self) -> None:
        header = self._start + _PACKET_HEADER_BYTES
        length = int.from_bytes(self._buffer[self._start : self._start + 3], "little")
        raise_mysql_exception(bytes(self._buffer[header : header + length]))
