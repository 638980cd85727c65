"""PostgreSQL itself reads what the encoder writes."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from drive import Cell, buffers_of

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.ops import Op

EVERY_BYTE = bytes(range(256))
# Every control character, ASCII, and the first and last of each length of UTF-8, each within and at the ends of a cell.
CHARACTERS = [chr(code) for code in (*range(1, 129), 0x7FF, 0x800, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF)]
TEXTS = ["", "\\N", "\\.", "NULL", *CHARACTERS, *(f"before it {c} after it, {c}" for c in CHARACTERS)]
LABELS = [text for text in TEXTS if "," not in text and text]

CASES: dict[str, tuple[Op, str, int, list[Cell], list[Any]]] = {
    "text": (Op.TEXT, "text", 0, [text.encode() for text in TEXTS], list(TEXTS)),
    "bytea": (
        Op.BYTEA,
        "bytea",
        0,
        [b"", EVERY_BYTE, EVERY_BYTE * 500, *(bytes([byte]) for byte in EVERY_BYTE), None],
        [b"", EVERY_BYTE, EVERY_BYTE * 500, *(bytes([byte]) for byte in EVERY_BYTE), None],
    ),
    "bits": (
        Op.BITS,
        "bit(12)",
        12,
        [b"\0\0", b"\x0f\xff", b"\x08\x01", None],
        ["0" * 12, "1" * 12, "100000000001", None],
    ),
    "64 bits": (Op.BITS, "bit(64)", 64, [b"\xff" * 8, b"\x80" + bytes(7)], ["1" * 64, "1" + "0" * 63]),
    "boolean": (Op.BIT_BOOLEAN, "boolean", 0, [b"\0", b"\1", b"\xff", None], [False, True, True, None]),
    "set": (
        Op.SET_ARRAY,
        "text[]",
        0,
        [b"", b"a", b"a,", b'NULL,{},""', None, *(label.encode() for label in LABELS), ",".join(LABELS).encode()],
        [[], ["a"], ["a", ""], ["NULL", "{}", '""'], None, *([label] for label in LABELS), LABELS],
    ),
    "date": (Op.DATE, "date", 0, [b"2024-02-29", b"0000-00-00"], [dt.date(2024, 2, 29), dt.date(1970, 1, 1)]),
    "timestamp": (
        Op.DATE,
        "timestamp",
        0,
        [b"2024-02-29 23:59:59.999999", b"2024-02-00 10:00:00"],
        [dt.datetime(2024, 2, 29, 23, 59, 59, 999999), dt.datetime(1970, 1, 1)],
    ),
    "number": (Op.RAW, "text", 0, [b"-1.50", b"18446744073709551615"], ["-1.50", "18446744073709551615"]),
    "geometry as bytes": (
        Op.EWKB_BYTEA,
        "bytea",
        0,
        [struct.pack("<IBIdd", 4326, 1, 1, 1.5, -2.5), struct.pack("<IBIdd", 0, 1, 1, 1.5, -2.5)],
        [struct.pack("<BIIdd", 1, 0x20000001, 4326, 1.5, -2.5), struct.pack("<BIdd", 1, 1, 1.5, -2.5)],
    ),
}


def copied(database: ConnectionSettings, encoder: CopyTextEncoder, sql_type: str, cells: Sequence[Cell]) -> list[Any]:
    """The cells as the server holds them after COPY."""
    numbers: list[Cell] = [b"%d" % number for number in range(len(cells))]
    payload, refused = encoder.encode([buffers_of(numbers), buffers_of(cells)], 0, 0, len(cells))
    assert refused == []
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE edge (number int, cell {sql_type})")
        with cursor.copy("COPY edge FROM STDIN") as copy:
            copy.write(payload)
        cursor.execute("SELECT cell FROM edge ORDER BY number")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize(("op", "sql_type", "length", "cells", "values"), CASES.values(), ids=CASES.keys())
def test_postgresql_reads_back_equal(
    postgres_db: ConnectionSettings, op: Op, sql_type: str, length: int, cells: list[Cell], values: list[Any]
) -> None:
    encoder = CopyTextEncoder([Op.RAW, op], [0, length], "epoch", "error")
    assert copied(postgres_db, encoder, sql_type, cells) == values


@pytest.mark.parametrize(("nul_text", "value"), [("strip", "ab"), ("replace", "a\N{REPLACEMENT CHARACTER}b")])
@pytest.mark.parametrize(("op", "sql_type"), [(Op.TEXT, "text"), (Op.SET_ARRAY, "text[]")])
def test_postgresql_reads_what_stands_for_nul(
    postgres_db: ConnectionSettings, op: Op, sql_type: str, nul_text: str, value: str
) -> None:
    encoder = CopyTextEncoder([Op.RAW, op], [0, 0], "error", nul_text)
    assert copied(postgres_db, encoder, sql_type, [b"a\0b"]) == [value if op is Op.TEXT else [value]]
