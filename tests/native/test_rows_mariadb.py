"""Rows of a real server, from its result set on the wire to Arrow."""

from __future__ import annotations

from typing import Any

from drive import Cell, as_rows
from pymysql.constants import COMMAND

from mainstem.connectors.mysql.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

QUERY = """
SELECT seq, IF(seq % 3, NULL, CONCAT('row ', seq)), REPEAT(CHAR(seq % 256 USING latin1), seq % 70000), NULL, ''
FROM seq_0_to_3000
UNION ALL SELECT 3001, 'long', REPEAT('x', 16777300), NULL, ''
"""


def expected_row(number: int) -> list[Cell]:
    if number == 3001:
        return [b"3001", b"long", b"x" * 16777300, None, b""]
    text = None if number % 3 else b"row %d" % number
    return [b"%d" % number, text, bytes([number % 256]) * (number % 70000), None, b""]


def raw_rows(connection: Any, query: str) -> tuple[int, Any]:
    """Send a query and read as far as its rows: the number of columns, and the stream."""
    connection._execute_command(COMMAND.COM_QUERY, query)
    columns = connection._read_packet().read_length_encoded_integer()
    for _ in range(columns + 1):  # definitions, and the packet that ends them
        connection._read_packet()
    return columns, connection._rfile


def test_rows_of_a_server_are_decoded(mysql_db: ConnectionSettings) -> None:
    rows: list[list[Cell]] = []
    with connect(mysql_db) as connection:
        connection.cursor().execute("SET NAMES latin1")
        columns, stream = raw_rows(connection, QUERY)
        decoder = RowDecoder(columns)
        buffer = bytearray()
        status = Status.NEED_MORE
        while status is not Status.END:
            if status is Status.FULL:
                rows += as_rows(decoder.take())
            else:
                missing = max(decoder.needed - len(buffer), 1)
                received = stream.read(missing) if missing > 1 else stream.read1(1 << 16)
                assert received, "the server closed the connection"
                buffer += received
            status, consumed = decoder.feed(buffer, 0, len(buffer), 1000, 1 << 20)
            del buffer[:consumed]
        rows += as_rows(decoder.take())
        assert bytes(buffer) == b""
    assert rows == [expected_row(number) for number in range(3002)]
