from __future__ import annotations

import struct
from typing import Any

import pytest
from drive import Cell, as_rows, patient
from hypothesis import given
from hypothesis import strategies as st
from oracle import length_encoded, packets

from mainstem.connectors.mysql.client import connect
from mainstem.connectors.mysql.stream import RowStream
from mainstem.contract.source import BatchLimits
from mainstem.errors import WireError
from mainstem.model.connection import ConnectionSettings
from mainstem.native.binaryrows import BinaryRowDecoder
from mainstem.native.ops import Wire
from mainstem.native.status import Status

EOF = packets(b"\xfe\x00\x00\x02\x00")
MANY = 1 << 40
Form = tuple[Wire, int]
Value = tuple[bytes, bytes] | None
"""A value on the wire and as a cell."""


def _integer(form: Form) -> st.SearchStrategy[Value]:
    signed, width = form[0] is Wire.INT, form[1]
    low, high = (-(2 ** (8 * width - 1)), 2 ** (8 * width - 1) - 1) if signed else (0, 2 ** (8 * width) - 1)
    return st.one_of(st.sampled_from([low, high, 0]), st.integers(low, high)).map(
        lambda value: (value.to_bytes(width, "little", signed=signed), str(value).encode())
    )


def _fraction(micros: int, digits: int) -> str:
    """As many digits as the column has; where that is not known, all six or none."""
    if digits > 6:
        digits = 6 if micros else 0
    return f".{micros:06}"[: digits + 1] if digits else ""


def _length(parts: bytes, lengths: tuple[int, ...]) -> bytes:
    """The parts without what the protocol leaves out: times of zero, then microseconds of zero."""
    short = next(length for length in lengths if not any(parts[length:]))
    return bytes([short]) + parts[:short]


@st.composite
def _moments(draw: st.DrawFn, form: Form) -> Value:
    date = form[0] is Wire.DATE
    year, month, day = draw(st.integers(0, 9999)), draw(st.integers(0, 12)), draw(st.integers(0, 31))
    time = [0, 0, 0, 0] if date else [draw(st.integers(0, top)) for top in (23, 59, 59, 999_999)]
    parts = struct.pack("<HBBBBBI", year, month, day, *time)
    text = f"{year:04}-{month:02}-{day:02}"
    if not date:
        text += f" {time[0]:02}:{time[1]:02}:{time[2]:02}{_fraction(time[3], form[1])}"
    return _length(parts, (0, 4, 7, 11)), text.encode()


@st.composite
def _spans(draw: st.DrawFn, form: Form) -> Value:
    negative, days = draw(st.integers(0, 1)), draw(st.integers(0, 34))
    hour, minute, second, micros = (draw(st.integers(0, top)) for top in (23, 59, 59, 999_999))
    parts = struct.pack("<BIBBBI", negative, days, hour, minute, second, micros)
    if not any(parts[1:]):
        return b"\0", f"00:00:00{_fraction(0, form[1])}".encode()
    wire = _length(parts, (8, 12))
    sign = "-" if negative else ""
    return wire, f"{sign}{days * 24 + hour:02}:{minute:02}:{second:02}{_fraction(micros, form[1])}".encode()


def _values(form: Form) -> st.SearchStrategy[Value]:
    kind, parameter = form
    if kind in (Wire.INT, Wire.UINT):
        return _integer(form)
    if kind is Wire.YEAR:
        return st.integers(0, 2155).map(lambda year: (struct.pack("<H", year), b"%04d" % year))
    if kind is Wire.FLOAT:
        return st.binary(min_size=parameter, max_size=parameter).map(lambda bits: (bits, bits))
    if kind in (Wire.DATE, Wire.DATETIME):
        return _moments(form)
    if kind is Wire.TIME:
        return _spans(form)
    if kind is Wire.NULL:
        return st.none()
    sizes = st.sampled_from([250, 251, 65535, 65536])
    content = st.one_of(st.binary(max_size=50), st.builds(lambda size: b"x" * size, sizes))
    return content.map(lambda cell: (length_encoded(len(cell)) + cell, cell))


FORMS: list[Form] = [
    (Wire.BYTES, 0),
    (Wire.YEAR, 0),
    (Wire.DATE, 0),
    (Wire.NULL, 0),
    *((sign, width) for sign in (Wire.INT, Wire.UINT) for width in (1, 2, 4, 8)),
    *((Wire.FLOAT, width) for width in (4, 8)),
    *((kind, digits) for kind in (Wire.DATETIME, Wire.TIME) for digits in (0, 3, 6, 31)),
]


def _row(values: list[Value]) -> bytes:
    nulls = bytearray((len(values) + 9) // 8)
    for number, value in enumerate(values):
        if value is None:
            nulls[(number + 2) // 8] |= 1 << ((number + 2) % 8)
    return b"\0" + bytes(nulls) + b"".join(value[0] for value in values if value is not None)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Form], list[list[Value]]]:
    forms = draw(st.lists(st.sampled_from(FORMS), min_size=1, max_size=12))
    row = st.tuples(*(st.one_of(st.none(), _values(form)) for form in forms)).map(list)
    return forms, draw(st.lists(row, max_size=12))


@patient
@given(tables(), st.integers(1, 9))
def test_rows_come_back_as_cells(table: tuple[list[Form], list[list[Value]]], max_rows: int) -> None:
    forms, rows = table
    wire = b"".join(packets(_row(row), number) for number, row in enumerate(rows)) + EOF
    decoder = BinaryRowDecoder(len(forms), forms)
    found: list[list[Cell]] = []
    status, at = Status.FULL, 0
    while status is Status.FULL:
        status, used = decoder.feed(wire, at, len(wire), max_rows, MANY)
        at += used
        found += as_rows(decoder.take())
    assert (status, at) == (Status.END, len(wire))
    assert found == [[None if value is None else value[1] for value in row] for row in rows]


@patient
@given(tables(), st.data())
def test_damaged_rows_are_refused_or_read_and_never_more(
    table: tuple[list[Form], list[list[Value]]], data: st.DataObject
) -> None:
    forms, rows = table
    wire = bytearray(b"".join(packets(_row(row)) for row in rows) + EOF)
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    decoder = BinaryRowDecoder(len(forms), forms)
    try:
        _, used = decoder.feed(damaged, 0, len(damaged), MANY, MANY)
        assert used <= len(damaged)
    except WireError:
        pass
    assert len(as_rows(decoder.take())) <= max(len(rows), len(damaged) // 4)


BROKEN = {
    "no zero byte": (Wire.BYTES, 0, b"\1\0\1a", "zero byte"),
    "no bitmap": (Wire.BYTES, 0, b"\0", "before its last cell"),
    "no cell": (Wire.BYTES, 0, b"\0\0", "before its last cell"),
    "a null that is no null": (Wire.NULL, 0, b"\0\0\0", "before its last cell"),
    "a length that stands for null in text": (Wire.BYTES, 0, b"\0\0\xfb", "does not exist"),
    "an integer cut in two": (Wire.INT, 4, b"\0\0\1\2", "longer than what is left"),
    "a date cut in two": (Wire.DATE, 0, b"\0\0\4\1", "longer than what is left"),
    "a date of five bytes": (Wire.DATE, 0, b"\0\0\5\1\1\1\1\1", "length that does not exist"),
    "a month 13": (Wire.DATE, 0, b"\0\0\4\1\1\x0d\1", "out of range"),
    "a year 10000": (Wire.DATETIME, 6, b"\0\0\4\x10\x27\1\1", "out of range"),
    "an hour 24": (Wire.TIME, 0, b"\0\0\x08\0\0\0\0\0\x18\0\0", "out of range"),
    "a time of 35 days": (Wire.TIME, 0, b"\0\0\x08\0\x23\0\0\0\0\0\0", "out of range"),
    "a byte too many": (Wire.INT, 1, b"\0\0\1\1", "after its last cell"),
}


@pytest.mark.parametrize(("wire", "parameter", "row", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_row_raises_and_leaves_the_rows_before_it(
    wire: Wire, parameter: int, row: bytes, problem: str
) -> None:
    good = _row([None])
    decoder = BinaryRowDecoder(1, [(wire, parameter)])
    data = packets(good) + packets(row)
    with pytest.raises(WireError, match=problem):
        decoder.feed(data, 0, len(data), MANY, MANY)
    assert as_rows(decoder.take()) == [[None]]


@pytest.mark.parametrize("forms", [[], [(Wire.INT, 3)], [(Wire.FLOAT, 2)], [(Wire.TIME, 256)], [(99, 0)]])
def test_forms_must_fit(forms: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"forms|integer|number|parameter|Wire"):
        BinaryRowDecoder(1, forms)


COLUMNS = {
    "t": ("TINYINT", "-128", "127"),
    "tu": ("TINYINT UNSIGNED", "0", "255"),
    "s": ("SMALLINT", "-32768", "32767"),
    "su": ("SMALLINT UNSIGNED", "0", "65535"),
    "m": ("MEDIUMINT", "-8388608", "8388607"),
    "mu": ("MEDIUMINT UNSIGNED", "0", "16777215"),
    "i": ("INT", "-2147483648", "2147483647"),
    "iu": ("INT UNSIGNED", "0", "4294967295"),
    "b": ("BIGINT", "-9223372036854775808", "9223372036854775807"),
    "bu": ("BIGINT UNSIGNED", "0", "18446744073709551615"),
    "d": ("DECIMAL(65,30)", "-99999999999999999999999999999999999.999999999999999999999999999999", "0"),
    "y": ("YEAR", "0000", "2155"),
    "da": ("DATE", "'0000-00-00'", "'9999-12-31'"),
    "dt0": ("DATETIME", "'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'"),
    "dt3": ("DATETIME(3)", "'2024-02-29 00:00:00'", "'2024-02-29 12:34:56.789'"),
    "dt6": ("DATETIME(6)", "'2024-00-00 00:00:00.000001'", "'9999-12-31 23:59:59.999999'"),
    "ts6": ("TIMESTAMP(6)", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"),
    "ti0": ("TIME", "'-838:59:59'", "'00:00:00'"),
    "ti6": ("TIME(6)", "'838:59:59.999999'", "'-00:00:00.000001'"),
    "bi": ("BIT(64)", "b'1'", "18446744073709551615"),
    "bl": ("LONGBLOB", "0x00FFFE0A", "REPEAT('x', 70000)"),
    "tx": ("VARCHAR(40) CHARACTER SET latin1", "'häß'", "''"),
    "e": ("ENUM('a','ß')", "'ß'", "''"),
    "se": ("SET('a','b')", "'a,b'", "''"),
    "j": ("JSON", """'{"a": [1, 2.50]}'""", "'null'"),
    "u": ("UUID", "'123e4567-e89b-12d3-a456-426614174000'", "'ffffffff-0000-0000-0000-000000000000'"),
    "ip": ("INET6", "'::1'", "'::ffff:1.2.3.4'"),
    "g": ("POINT", "POINT(1, 2)", "NULL"),
    "n": ("INT", "NULL", "1"),
}


def _read(connection: Any, sql: str, *, binary: bool) -> list[list[Cell]]:
    stream = RowStream(connection, sql, binary=binary)
    rows: list[list[Cell]] = []
    for batch, _ in stream.batches(BatchLimits()):
        rows += [list(row.values()) for row in batch.to_pylist()]
    assert stream.exhausted
    return rows


def test_a_server_sends_the_same_cells_by_both_protocols(mysql_db: ConnectionSettings) -> None:
    columns = ", ".join(f"{name} {type_} NULL" for name, (type_, _, _) in COLUMNS.items())
    with connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute(f"CREATE TABLE forms ({columns})")
        for number in (1, 2):
            cursor.execute(f"INSERT INTO forms VALUES ({', '.join(value[number] for value in COLUMNS.values())})")
        cursor.execute("INSERT INTO forms () VALUES ()")
        by_text = _read(connection, "SELECT *, NULL FROM forms", binary=False)
        assert _read(connection, "SELECT *, NULL FROM forms", binary=True) == by_text
        assert len(by_text) == 3
        cursor.execute("SHOW SESSION STATUS LIKE 'Prepared_stmt_count'")
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")
        assert cursor.fetchall()[0][1] == "0", "a statement was not closed"


FLOATS = ["0", "-1.25e-30", "0.1", "3.4028234663852886e38", "1.401298464324817e-45", "16777217", "-1.5", "1e-38"]
DOUBLES = ["0", "0.1", "-1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "9007199254740993", "1e22"]


def test_floating_point_numbers_come_as_their_bits(mysql_db: ConnectionSettings) -> None:
    with connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE numbers (n INT AUTO_INCREMENT PRIMARY KEY, f FLOAT, d DOUBLE, p FLOAT(7,3))")
        for single, double in zip(FLOATS, [*DOUBLES, "7"], strict=True):
            cursor.execute(f"INSERT INTO numbers (f, d, p) VALUES ({single}, {double}, 1234.5678)")
        rows = _read(connection, "SELECT f, d, p FROM numbers ORDER BY n", binary=True)
    expected = [
        [struct.pack("<f", float(single)), struct.pack("<d", float(double)), struct.pack("<f", 1234.568)]
        for single, double in zip(FLOATS, [*DOUBLES, "7"], strict=True)
    ]
    assert rows == expected


def test_an_error_in_the_middle_of_a_binary_result_is_the_servers_own(mysql_db: ConnectionSettings) -> None:
    with connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = 'STRICT_ALL_TABLES'")
        with pytest.raises(Exception, match="Subquery returns more than 1 row"):
            _read(
                connection,
                "SELECT IF(seq < 900, 1, (SELECT 1 UNION SELECT seq)) FROM seq_1_to_1000",
                binary=True,
            )
        assert _read(connection, "SELECT 1.5e0", binary=True) == [[struct.pack("<d", 1.5)]]
