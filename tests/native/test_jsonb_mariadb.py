"""Numbers in JSON are printed as the server prints a double, which MariaDB does by the same function as MySQL."""

from __future__ import annotations

import random
import struct

from mainstem.connectors.mysql.client import connect, query
from mainstem.model.connection import ConnectionSettings
from mainstem.native.jsonb import to_text


def test_numbers_are_printed_as_by_the_server(mysql_db: ConnectionSettings) -> None:
    chance = random.Random(5)
    numbers = [2.0**power for power in range(-1074, 1024)]
    numbers += [chance.uniform(-1, 1) * 10 ** chance.randint(-20, 20) for _ in range(2000)]
    numbers += [1e14, 1e15, 1234567890123456.8, 123456789012345680.0, 1e-14, 1e-15, 1e-16, 0.1, 5e-324, 1.7e308]
    rows = ",".join(f"({row},{value:.17e})" for row, value in enumerate(numbers))
    with connect(mysql_db) as connection:
        query(connection, "CREATE TABLE t (i INT, d DOUBLE)")
        query(connection, f"INSERT INTO t VALUES {rows}")
        printed = {int(row): str(text) for row, text in query(connection, "SELECT i, CONCAT(d) FROM t")}
    ours = {
        row: to_text(b"\x0b" + struct.pack("<d", value)).decode().removesuffix(".0")
        for row, value in enumerate(numbers)
    }
    assert ours == printed
