from __future__ import annotations

import struct
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.native.drive import patient

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.native.copybinary import HEADER, TRAILER, CopyBinaryEncoder
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.ops import BinaryOp, Op, Refusal

Cell = bytes | None


def encode(op: BinaryOp, cells: list[Cell], parameter: int = 0, zero_dates: str = "error", nul: str = "error") -> Any:
    array = pa.array(cells, pa.binary())
    return CopyBinaryEncoder([op], [parameter], zero_dates, nul).encode([array.buffers()], 0, 0, len(cells))


def field(op: BinaryOp, cell: bytes, **more: Any) -> bytes | None:
    """The bytes of the only field of the only row, or None when it was refused."""
    payload, refused = encode(op, [cell], **more)
    if refused:
        return None
    fields, length = struct.unpack_from("!hi", payload)
    assert fields == 1
    return bytes(payload[6 : 6 + length])


@patient
@given(st.integers(-(2**70), 2**70))
def test_integers_that_fit_are_written_and_others_refused(value: int) -> None:
    for op, code in ((BinaryOp.INT2, "!h"), (BinaryOp.INT4, "!i"), (BinaryOp.INT8, "!q")):
        bits = 8 * struct.calcsize(code)
        fits = -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
        assert field(op, str(value).encode()) == (struct.pack(code, value) if fits else None)


@patient
@given(st.binary(max_size=9))
def test_floats_are_turned_around_and_nothing_else(cell: bytes) -> None:
    assert field(BinaryOp.FLOAT8, cell) == (cell[::-1] if len(cell) == 8 else None)
    assert field(BinaryOp.FLOAT4, cell) == (cell[::-1] if len(cell) == 4 else None)


@patient
@given(st.sampled_from(BinaryOp), st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=5))
def test_any_bytes_are_written_or_refused(op: BinaryOp, cells: list[Cell]) -> None:
    payload, refused = encode(op, cells, parameter=9)
    rows, at = 0, 0
    while at < len(payload):
        fields, length = struct.unpack_from("!hi", payload, at)
        assert fields == 1
        at += 6 + max(length, 0)
        rows += 1
    assert at == len(payload)
    assert rows + len(refused) == len(cells)


@pytest.mark.parametrize(
    "cell",
    [
        b"2024-02-30",
        b"2023-02-29",
        b"2024-13-01",
        b"2024-04-31",
        b"20240401",
        b"2024-01-01 24:00:00",
        b"",
        b"0044-03-15BC",
        b"0044-03-15 BC BC",
        b"9999999-01-01",
        b"10001-02-29",
        b"12345678-01-01",
        b"00044-00-15",
        b"infinity ",
    ],
)
def test_impossible_dates_are_refused_not_shifted(cell: bytes) -> None:
    payload, refused = encode(BinaryOp.TIMESTAMP, [cell])
    assert bytes(payload) == b""
    assert refused == [(0, 0, Refusal.MALFORMED)]


INFINITY = float("inf")
DOUBLES = [0.1, -0.0, 5e-324, 1.7976931348623157e308, 46.123456789012345, 1e22, 123456789.25, INFINITY, -INFINITY]
SINGLES = [0.1, 3.4028234663852886e38, 1e-45, -1.5, 16777216.0, 0.3333333432674408, -0.0, INFINITY]

# op, type, cells, the same by COPY text
CASES = [
    (BinaryOp.INT2, Op.RAW, "smallint", [b"0", b"-32768", b"32767", None]),
    (BinaryOp.INT4, Op.RAW, "integer", [b"-2147483648", b"2147483647", b"7"]),
    (BinaryOp.INT8, Op.RAW, "bigint", [b"-9223372036854775808", b"9223372036854775807", b"-1"]),
    (BinaryOp.FLOAT8, Op.FLOAT, "double precision", [struct.pack("<d", value) for value in DOUBLES]),
    (BinaryOp.FLOAT4, Op.FLOAT, "real", [struct.pack("<f", value) for value in SINGLES]),
    (BinaryOp.NUMERIC, Op.RAW, "numeric",
     [b"0", b"0.00", b"-0.000001", b"12345678901234567890.123456789", b"10000", b"1000000000000", b"0.00010000",
      b"99999999999999999999999999999999999.999999999999999999999999999999", b"-1", b"00012.50",
      b"18446744073709551615", b"NaN", b"Infinity", b"-Infinity"]),
    (BinaryOp.BOOL, Op.RAW, "boolean", [b"0", b"1", None]),
    (BinaryOp.BIT_BOOL, Op.BIT_BOOLEAN, "boolean", [b"\0", b"\1"]),
    (BinaryOp.TEXT, Op.TEXT, "text", [b"", "häß😀\t\n\\".encode(), b"x" * 10_000]),
    (BinaryOp.JSONB, Op.TEXT, "jsonb", [b'{"a": [1, 2.50, null]}', b'"\xf0\x9f\x98\x80"']),
    (BinaryOp.BYTEA, Op.BYTEA, "bytea", [bytes(range(256)), b"", None]),
    (BinaryOp.BITS, Op.BITS, "bit(11)", [b"\x05\x55", b"\0\0", b"\x07\xff"]),
    (BinaryOp.SET_ARRAY, Op.SET_ARRAY, "text[]", [b"", b"a", b'a,b"c,\\d', None]),
    (BinaryOp.DATE, Op.DATE, "date", [b"0001-01-01", b"9999-12-31", b"2000-02-29", b"1999-12-31", b"1970-01-01"]),
    (BinaryOp.TIMESTAMP, Op.DATE, "timestamp",
     [b"0001-01-01 00:00:00", b"9999-12-31 23:59:59.999999", b"2024-02-29 12:34:56.5", b"1999-12-31 23:59:59.01"]),
    (BinaryOp.TIMESTAMP, Op.DATE, "timestamptz(0)", [b"2024-03-31 01:30:00", b"2024-03-31 01:30:00.6"]),
    (BinaryOp.DATE, Op.DATE, "date",
     [b"infinity", b"-infinity", b"0044-03-15 BC", b"0001-02-29 BC", b"4713-01-01 BC", b"10000-01-01",
      b"5874897-12-31"]),
    (BinaryOp.TIMESTAMP, Op.DATE, "timestamp",
     [b"infinity", b"-infinity", b"0044-03-15 12:00:00.5 BC", b"4713-01-01 00:00:00 BC", b"0005-02-29 00:00:00 BC",
      b"294276-12-31 23:59:59.999999", b"10000-02-29 00:00:00"]),
    (BinaryOp.TIME, Op.RAW, "time", [b"00:00:00", b"24:00:00", b"23:59:59.999999"]),
    (BinaryOp.INTERVAL, Op.RAW, "interval", [b"-838:59:59.999999", b"838:59:59", b"00:00:00.1"]),
    (BinaryOp.UUID, Op.RAW, "uuid",
     [b"123e4567-e89b-12d3-a456-426614174000", b"FFFFFFFF-0000-0000-0000-000000000000"]),
    (BinaryOp.EWKB, Op.EWKB_BYTEA, "bytea",
     [b"\0\0\0\0\1\1\0\0\0" + bytes(16), b"\xe6\x10\0\0\1\1\0\0\0" + bytes(range(16)),
      b"\1\0\0\0\0\0\0\0\1" + bytes(16)]),
]  # fmt: skip


def copy(connection: psycopg.Connection[Any], table: str, payload: bytes, form: str) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT {form})".encode()) as stream:
        stream.write(payload)


@pytest.mark.parametrize(("binary", "text", "type_", "cells"), CASES, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("database", ["postgres_db", "postgres15_db"])
def test_the_server_reads_both_formats_as_the_same_values(
    binary: BinaryOp, text: Op, type_: str, cells: list[Cell], database: str, request: pytest.FixtureRequest
) -> None:
    settings: ConnectionSettings = request.getfixturevalue(database)
    array = pa.array(cells, pa.binary())
    columns = [array.buffers()]
    lengths = [11]
    as_binary, refused = CopyBinaryEncoder([binary], lengths, "error", "error").encode(columns, 0, 0, len(cells))
    as_text, refused_text = CopyTextEncoder([text], lengths, "error", "error").encode(columns, 0, 0, len(cells))
    assert (refused, refused_text) == ([], [])
    with connect(settings) as connection:
        for table in ("a", "b"):
            connection.execute(f"CREATE TABLE {table} (v {type_})".encode())
        copy(connection, "a", HEADER + bytes(as_binary) + TRAILER, "binary")
        copy(connection, "b", bytes(as_text), "text")
        difference = "SELECT v::text FROM {} EXCEPT ALL SELECT v::text FROM {}"
        for first, second in (("a", "b"), ("b", "a")):
            assert connection.execute(difference.format(first, second).encode()).fetchall() == []
        assert connection.execute("SELECT count(*) FROM a").fetchone() == (len(cells),)


def test_policies_count_what_they_change() -> None:
    encoder = CopyBinaryEncoder([BinaryOp.DATE, BinaryOp.TEXT], [0, 0], "null", "replace")
    columns = [pa.array([b"0000-00-00"], pa.binary()).buffers(), pa.array([b"a\0b"], pa.binary()).buffers()]
    payload, refused = encoder.encode(columns, 0, 0, 1)
    assert refused == []
    assert bytes(payload) == struct.pack("!hii", 2, -1, 5) + b"a\xef\xbf\xbdb"
    assert encoder.take_coerced() == {(0, "zero_date_null"): 1, (1, "nul_replaced"): 1}
