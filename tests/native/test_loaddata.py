from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from drive import buffers_of, patient
from hypothesis import given
from hypothesis import strategies as st
from load_oracle import Cell, Rules, write

from mainstem.errors import WireError
from mainstem.native.loaddata import LoadDataEncoder
from mainstem.native.ops import LoadForm, LoadOp, Refusal

wild = st.binary(max_size=30)
texts = st.one_of(
    wild,
    st.text().map(str.encode),
    st.lists(st.sampled_from([b"\0", b"\\", b"'", b"\t", b"\n", b"\x01", b"\xff", b"plain text"])).map(b"".join),
)
numbers = st.one_of(
    st.from_regex(rb"-?[0-9]{0,25}", fullmatch=True), st.sampled_from([b"NaN", b"Infinity", b"-Infinity", b"-", b"1.5"])
)
dates = st.one_of(
    st.from_regex(
        rb"-?(infinity|(0000|2024|12024)-(00|02)-(00|29)( 12:34:5[06](\.[0-9]{0,7})?| 00:00:00(\.0{0,7})?)?( BC)?)",
        fullmatch=True,
    ),
    st.from_regex(rb"[-0-9 :.]{0,27}", fullmatch=True),
)
times = st.from_regex(rb"-?[0-9]{0,3}:00:00(\.[0-9]{0,3}0{0,4})?", fullmatch=True)
geometries = st.builds(
    lambda srid, order, kind, rest: srid + order + kind + rest,
    st.binary(min_size=4, max_size=4), st.sampled_from([b"\1", b"\1", b"\0"]),
    st.one_of(st.integers(0, 9).map(lambda kind: struct.pack("<I", kind)), st.binary(max_size=4)), wild,
)  # fmt: skip
floats = st.one_of(
    st.floats().map(lambda value: struct.pack("<d", value)),
    st.floats(width=32).map(lambda value: struct.pack("<f", value)),
)
uuids = st.one_of(st.uuids().map(lambda value: str(value).encode()), st.binary(min_size=36, max_size=36))
CELLS = {
    LoadOp.TEXT: texts,
    LoadOp.DIGITS: numbers,
    LoadOp.DECIMAL: numbers,
    LoadOp.FLOAT: floats,
    LoadOp.DATE: dates,
    LoadOp.TIME: times,
    LoadOp.HEX: wild,
    LoadOp.UUID_HEX: uuids,
    LoadOp.GEOMETRY: geometries,
    LoadOp.ENUM: st.one_of(st.just(b""), texts),
}
LENGTHS = {LoadOp.DATE: st.integers(-1, 7), LoadOp.FLOAT: st.sampled_from([0, 1, 4, 8])}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rules, list[list[Cell]]]:
    ops = draw(st.lists(st.sampled_from(LoadOp), min_size=1, max_size=4))
    lengths = [draw(LENGTHS.get(op, st.integers(0, 7))) for op in ops]
    required = draw(st.lists(st.integers(0, len(ops) - 1), max_size=2))
    rules = Rules(ops, lengths, required, draw(st.sampled_from(("error", "null"))), draw(st.sampled_from(LoadForm)))
    row = st.tuples(*(st.one_of(st.none(), CELLS[op], CELLS[op], wild) for op in ops)).map(list)
    return rules, draw(st.lists(row, max_size=12))


def encoder_of(rules: Rules) -> LoadDataEncoder:
    return LoadDataEncoder(
        rules.ops, rules.lengths, required=rules.required, special_values=rules.special_values, form=rules.form
    )


@patient
@given(tables(), st.data())
def test_rows_are_written_as_the_oracle_writes_them(table: tuple[Rules, list[list[Cell]]], data: st.DataObject) -> None:
    rules, rows = table
    offset = data.draw(st.integers(0, len(rows)))
    start = data.draw(st.integers(0, len(rows) - offset))
    stop = data.draw(st.integers(start, len(rows) - offset))
    buffers = [buffers_of([row[column] for row in rows]) for column in range(len(rules.ops))]
    encoder = encoder_of(rules)
    payload, refused = encoder.encode(buffers, offset, start, stop)
    expected = write(rows[offset + start : offset + stop], rules)
    assert bytes(payload) == expected.payload
    assert refused == expected.refused
    assert encoder.coerced == +expected.coerced


@pytest.mark.parametrize("form", LoadForm)
@pytest.mark.parametrize("op", [LoadOp.TEXT, LoadOp.HEX, LoadOp.DECIMAL])
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 250, 251, 4095, 4096, 4097, 100_000])
def test_cells_of_any_size_are_written_whole(op: LoadOp, size: int, form: LoadForm) -> None:
    cells = [b"\\" * size, b"a" * size + b"\0", bytes(range(256)) * (size // 256 + 1)]
    rules = Rules([op, LoadOp.TEXT], [0, 0], [], "error", form)
    payload, refused = encoder_of(rules).encode([buffers_of(cells)] * 2, 0, 0, 3)
    assert bytes(payload) == write([[cell, cell] for cell in cells], rules).payload
    assert refused == []


SAMPLES: list[tuple[LoadOp, int, bytes, bytes | Refusal, bytes | Refusal]] = [
    (LoadOp.TEXT, 0, b"it's\t\\\n\0", b"it's\\t\\\\\\n\\0", b"'it\\'s\t\\\\\n\\0'"),
    (LoadOp.TEXT, 0, b"", b"", b"''"),
    (LoadOp.TEXT, 0, b"\\N", b"\\\\N", b"'\\\\N'"),
    (LoadOp.DIGITS, 0, b"-5", b"-5", b"-5"),
    (LoadOp.DIGITS, 0, b"1.5", Refusal.MALFORMED, Refusal.MALFORMED),
    (LoadOp.DIGITS, 0, b"1) --", Refusal.MALFORMED, Refusal.MALFORMED),
    (LoadOp.DECIMAL, 0, b"NaN", Refusal.SPECIAL_VALUE, Refusal.SPECIAL_VALUE),
    (LoadOp.FLOAT, 0, struct.pack("<f", 0.1), b"0.1", b"'0.1'"),
    (LoadOp.FLOAT, 0, b"\xff\xff\x7f\x7f", b"3.402823466e+38", b"'3.402823466e+38'"),
    (LoadOp.FLOAT, 1, struct.pack("<f", 0.1), b"0.100000001", b"'0.100000001'"),
    (LoadOp.FLOAT, 1, struct.pack("<d", 0.1), b"0.10000000000000001", b"'0.10000000000000001'"),
    (LoadOp.DATE, 6, b"0000-00-00 00:00:00", b"0000-00-00 00:00:00", b"'0000-00-00 00:00:00'"),
    (LoadOp.DATE, 3, b"2021-02-31 01:02:03.123000", b"2021-02-31 01:02:03.123", b"'2021-02-31 01:02:03.123'"),
    (LoadOp.DATE, 0, b"2021-02-03 01:02:03.5", Refusal.TOO_FINE, Refusal.TOO_FINE),
    (LoadOp.DATE, -1, b"2021-02-03 00:00:00", b"2021-02-03", b"'2021-02-03'"),
    (LoadOp.DATE, -1, b"2021-02-03 00:00:01", Refusal.TOO_FINE, Refusal.TOO_FINE),
    (LoadOp.DATE, 6, b"10000-01-01", Refusal.SPECIAL_VALUE, Refusal.SPECIAL_VALUE),
    (LoadOp.DATE, 6, b"0044-03-15 BC", Refusal.SPECIAL_VALUE, Refusal.SPECIAL_VALUE),
    (LoadOp.DATE, 6, b"-infinity", Refusal.SPECIAL_VALUE, Refusal.SPECIAL_VALUE),
    (LoadOp.DATE, 6, b"now", Refusal.MALFORMED, Refusal.MALFORMED),
    (LoadOp.TIME, 2, b"-838:59:59.120", b"-838:59:59.12", b"'-838:59:59.12'"),
    (LoadOp.TIME, 7, b"1.123456789", Refusal.TOO_FINE, Refusal.TOO_FINE),
    (LoadOp.HEX, 0, b"\x00\xff", b"00ff", b"x'00ff'"),
    (LoadOp.ENUM, 0, b"", b"", b"''"),
]


@pytest.mark.parametrize(("op", "length", "cell", "in_file", "literal"), SAMPLES)
def test_cells_are_written_as_mysql_reads_them(
    op: LoadOp, length: int, cell: bytes, in_file: bytes | Refusal, literal: bytes | Refusal
) -> None:
    for form, expected in ((LoadForm.FILE, in_file), (LoadForm.LITERALS, literal)):
        encoder = LoadDataEncoder([op], [length], form=form)
        payload, refused = encoder.encode([buffers_of([cell])], 0, 0, 1)
        text = bytes(payload)[1:-2] if form is LoadForm.LITERALS else bytes(payload)[:-1]
        assert (refused[0][2] if refused else text) == expected


@pytest.mark.parametrize(("size", "length"), [
    (0, b"\0"), (250, b"\xfa"), (251, b"\xfc\xfb\0"), (65535, b"\xfc\xff\xff"), (65536, b"\xfd\0\0\1"),
    (1 << 24, b"\xfe\0\0\0\1\0\0\0\0"),
])  # fmt: skip
def test_a_parameter_begins_with_its_length(size: int, length: bytes) -> None:
    encoder = LoadDataEncoder([LoadOp.TEXT], [0], form=LoadForm.PARAMETERS)
    payload, _ = encoder.encode([buffers_of([b"x" * size, None])], 0, 0, 2)
    assert bytes(payload) == b"\0" + length + b"x" * size + b"\1"


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


@patient
@given(
    st.one_of(st.none(), st.binary(max_size=4)),
    st.lists(st.integers(-3, 40), max_size=20),
    st.binary(max_size=30),
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 20)),
    st.sampled_from(LoadOp),
    st.sampled_from(LoadForm),
)
def test_any_buffers_are_written_or_refused(
    validity: bytes | None, offsets: list[int], data: bytes, where: tuple[int, int, int], op: LoadOp, form: LoadForm
) -> None:
    offset, start, stop = where
    encoder = LoadDataEncoder([op], [6], special_values="null", form=form)
    try:
        payload, refused = encoder.encode([(validity, ints(*offsets), data)], offset, start, stop)
    except WireError:
        return
    except ValueError:
        assert start > stop
        return
    if form is LoadForm.FILE:
        assert bytes(payload).count(b"\n") + len(refused) == stop - start


@pytest.mark.parametrize(
    ("ops", "options", "problem"),
    [
        ([], {}, "at least one column"),
        ([99], {}, "99"),
        ([LoadOp.TEXT], {"special_values": "nil"}, "special_values must be one of error, null"),
        ([LoadOp.TEXT], {"required": [1]}, "required names a column that is not there"),
    ],
)
def test_an_encoder_needs_rules_that_exist(ops: Sequence[LoadOp], options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LoadDataEncoder(ops, [0] * len(ops), **options)
