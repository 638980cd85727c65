from __future__ import annotations

import struct
from collections.abc import Sequence

import pyarrow as pa
import pytest
from drive import buffers_of, patient
from hypothesis import given
from hypothesis import strategies as st
from oracle import Cell, Rules, encode

from mainstem.errors import WireError
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.ops import Op, Refusal

ZERO_DATES = ("error", "null", "epoch")
NUL_TEXT = ("error", "strip", "replace")

wild = st.binary(max_size=30)
awkward = st.lists(
    st.sampled_from([b"\0", b"\\", b'"', b",", b"\t", b"\n", b"\x7f", b"\xff", b"plain text", b"N"])
).map(b"".join)
texts = st.one_of(awkward, wild, st.text().map(str.encode))
digits = st.from_regex(rb"[-0-9.: +eE]{0,25}", fullmatch=True)
dates = st.one_of(
    st.from_regex(rb"-?infinity.?|[0-9]{1,7}-[0-9]{2}-[0-9]{2}( BC)?", fullmatch=True),
    st.from_regex(rb"(0000|0001|2024)-(00|02|10)-(00|10|29)( 12:34:56(\.000001)?)?", fullmatch=True),
    st.from_regex(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True),
    digits,
)
wkb = st.builds(
    lambda srid, order, kind, rest: srid + order + kind + rest,
    st.one_of(st.just(bytes(4)), st.just(struct.pack("<I", 4326)), st.binary(min_size=4, max_size=4)),
    st.sampled_from([b"\0", b"\1", b"\2"]),
    st.one_of(st.just(b"\0\0\0\1"), st.just(b"\1\0\0\0"), st.binary(min_size=4, max_size=4)),
    wild,
)
floats = st.one_of(
    st.floats().map(lambda value: struct.pack("<d", value)),
    st.floats(width=32).map(lambda value: struct.pack("<f", value)),
)
CELLS = {
    Op.RAW: digits,
    Op.TEXT: texts,
    Op.BYTEA: wild,
    Op.BITS: st.one_of(st.binary(max_size=3), st.just(b"\0\0"), st.just(b"\x0f\xff"), st.just(b"\x01")),
    Op.BIT_BOOLEAN: st.one_of(st.binary(min_size=1, max_size=1), st.binary(max_size=2)),
    Op.SET_ARRAY: texts,
    Op.DATE: dates,
    Op.FLOAT: floats,
    Op.EWKB: wkb,
    Op.EWKB_BYTEA: wkb,
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[Rules, list[list[Cell]]]:
    ops = draw(st.lists(st.sampled_from(Op), min_size=1, max_size=4))
    lengths = [draw(st.integers(1, 24)) for _ in ops]
    rules = Rules(ops, lengths, draw(st.sampled_from(ZERO_DATES)), draw(st.sampled_from(NUL_TEXT)))
    row = st.tuples(*(st.one_of(st.none(), CELLS[op], wild) for op in ops)).map(list)
    return rules, draw(st.lists(row, max_size=12))


def encoder_of(rules: Rules) -> CopyTextEncoder:
    return CopyTextEncoder(rules.ops, rules.lengths, rules.zero_dates, rules.nul_text)


@patient
@given(columns(), st.data())
def test_rows_are_written_as_the_oracle_writes_them(table: tuple[Rules, list[list[Cell]]], data: st.DataObject) -> None:
    rules, rows = table
    offset = data.draw(st.integers(0, len(rows)))
    start = data.draw(st.integers(0, len(rows) - offset))
    stop = data.draw(st.integers(start, len(rows) - offset))
    buffers = [buffers_of([row[column] for row in rows]) for column in range(len(rules.ops))]
    encoder = encoder_of(rules)
    payload, refused = encoder.encode(buffers, offset, start, stop)
    expected = encode(rows[offset + start : offset + stop], rules)
    assert bytes(payload) == expected.payload
    assert refused == expected.refused
    assert encoder.coerced == +expected.coerced


def encoded(
    op: Op, cells: Sequence[Cell], *, length: int = 0, zero_dates: str = "error", nul_text: str = "error"
) -> list[bytes | Refusal]:
    """Each cell as written, or why not."""
    encoder = CopyTextEncoder([op], [length], zero_dates, nul_text)
    payload, refused = encoder.encode([buffers_of(cells)], 0, 0, len(cells))
    lines: list[bytes | Refusal] = [*bytes(payload).split(b"\n")[:-1]]
    for row, _, why in refused:
        lines.insert(row, why)
    return lines


LITERALS: list[tuple[Op, bytes, bytes | Refusal]] = [
    (Op.RAW, b"-1.50", b"-1.50"),
    (Op.RAW, b"", b""),
    (Op.RAW, b"1\t2", Refusal.MALFORMED),
    (Op.RAW, b"1234567890123456\\N", Refusal.MALFORMED),
    (Op.RAW, b"\x01\x1f", b"\x01\x1f"),
    (Op.TEXT, b"\b\t\n\v\f\r\\", rb"\b\t\n\v\f\r" + b"\\\\"),
    (Op.TEXT, b"\\N", b"\\\\N"),
    (Op.TEXT, b"\\.", b"\\\\."),
    (Op.TEXT, "naïve 🐬".encode(), "naïve 🐬".encode()),
    (Op.TEXT, b"a\0", Refusal.NUL_IN_TEXT),
    (Op.BYTEA, b"", rb"\\x"),
    (Op.BYTEA, b"\x00\xff\\", rb"\\x00ff5c"),
    (Op.BIT_BOOLEAN, b"\0", b"f"),
    (Op.BIT_BOOLEAN, b"\1", b"t"),
    (Op.BIT_BOOLEAN, b"", Refusal.MALFORMED),
    (Op.SET_ARRAY, b"", b"{}"),
    (Op.SET_ARRAY, b"a,b c", b'{"a","b c"}'),
    (Op.SET_ARRAY, b'say "x"', rb'{"say \\"x\\""}'),
    (Op.SET_ARRAY, b"back\\slash", rb'{"back\\\\slash"}'),
    (Op.SET_ARRAY, b"a\tb,", rb'{"a\tb",""}'),
    (Op.DATE, b"2024-02-29 23:59:59.999999", b"2024-02-29 23:59:59.999999"),
    (Op.DATE, b"0000-00-00", Refusal.ZERO_DATE),
    (Op.DATE, b"0000-01-01", Refusal.ZERO_DATE),
    (Op.DATE, b"2024-00-10", Refusal.ZERO_DATE),
    (Op.DATE, b"2024-02-00 00:00:00", Refusal.ZERO_DATE),
    (Op.DATE, b"2024-10-10 00:00:00", b"2024-10-10 00:00:00"),
    (Op.DATE, b"1000-01-01", b"1000-01-01"),
    (Op.DATE, b"2024-1-1", Refusal.MALFORMED),
    (Op.DATE, b"-infinity", b"-infinity"),
    (Op.DATE, b"0044-03-15 BC", b"0044-03-15 BC"),
    (Op.DATE, b"12024-01-01", b"12024-01-01"),
    (Op.DATE, b"2024-01-01\n", Refusal.MALFORMED),
    (Op.EWKB, bytes(4) + b"\x01\x01\0\0\0\xaa", b"0101000000aa"),
    (Op.EWKB, b"\xe6\x10\0\0" + b"\x01\x01\0\0\0\xaa", b"0101000020e6100000aa"),
    (Op.EWKB, b"\xe6\x10\0\0" + b"\x00\0\0\0\x01\xaa", b"0020000001000010e6aa"),
    (Op.EWKB, b"\xe6\x10\0\0" + b"\x01\x01\0\0\x20\xaa", Refusal.MALFORMED),
    (Op.EWKB, b"\xe6\x10\0\0" + b"\x02\x01\0\0\0\xaa", Refusal.MALFORMED),
    (Op.EWKB, bytes(8), Refusal.MALFORMED),
    (Op.EWKB_BYTEA, b"\xe6\x10\0\0" + b"\x01\x01\0\0\0", rb"\\x0101000020e6100000"),
]


@pytest.mark.parametrize(("op", "cell", "expected"), LITERALS, ids=[f"{op.name}-{cell!r}" for op, cell, _ in LITERALS])
def test_cells_are_written_as_postgresql_reads_them(op: Op, cell: bytes, expected: bytes | Refusal) -> None:
    assert encoded(op, [cell, None, cell]) == [expected, b"\\N", expected]


@pytest.mark.parametrize(
    ("length", "cell", "expected"),
    [
        (1, b"\1", b"1"),
        (8, b"\xa5", b"10100101"),
        (12, b"\x0a\x5f", b"101001011111"),
        (12, b"\x1a\x5f", Refusal.MALFORMED),
        (12, b"\x0a", Refusal.MALFORMED),
        (12, b"\0\0\0", Refusal.MALFORMED),
        (12, b"", Refusal.MALFORMED),
        (64, bytes(7) + b"\1", b"0" * 63 + b"1"),
    ],
)
def test_bits_are_written_as_many_as_the_column_has(length: int, cell: bytes, expected: bytes | Refusal) -> None:
    assert encoded(Op.BITS, [cell], length=length) == [expected]


@pytest.mark.parametrize(
    ("zero_dates", "expected", "what"),
    [
        ("null", [b"\\N", b"\\N", b"2024-01-02"], "zero_date_null"),
        ("epoch", [b"1970-01-01", b"1970-01-01 00:00:00", b"2024-01-02"], "zero_date_epoch"),
    ],
)
def test_zero_dates_follow_the_policy_and_are_counted(zero_dates: str, expected: list[bytes], what: str) -> None:
    cells = [b"0000-00-00", b"2024-02-00 12:00:00.5", b"2024-01-02"]
    assert encoded(Op.DATE, cells, zero_dates=zero_dates) == expected
    encoder = CopyTextEncoder([Op.RAW, Op.DATE], [0, 0], zero_dates, "error")
    for _ in range(2):
        encoder.encode([buffers_of(cells), buffers_of(cells)], 0, 0, 3)
    assert encoder.coerced == {(1, what): 4}
    assert encoder.take_coerced() == {(1, what): 4}
    assert encoder.coerced == {}


@pytest.mark.parametrize(("nul_text", "stand_in"), [("strip", b""), ("replace", b"\xef\xbf\xbd")])
@pytest.mark.parametrize(("op", "before", "after"), [(Op.TEXT, b"", b""), (Op.SET_ARRAY, b'{"', b'"}')])
def test_nul_follows_the_policy(op: Op, before: bytes, after: bytes, nul_text: str, stand_in: bytes) -> None:
    cells = [b"\0", b"\0a\0\0b", b"c" * 20 + b"\0"]
    expected = [before + cell.replace(b"\0", stand_in) + after for cell in cells]
    assert encoded(op, cells, nul_text=nul_text) == expected


def test_a_row_that_is_left_out_counts_no_change_and_its_first_reason() -> None:
    encoder = CopyTextEncoder([Op.DATE, Op.TEXT, Op.BIT_BOOLEAN], [0, 0, 0], "null", "error")
    table = [[b"0000-00-00", b"0000-00-00"], [b"a", b"b\0"], [b"\1", b""]]
    payload, refused = encoder.encode([buffers_of(column) for column in table], 0, 0, 2)
    assert (bytes(payload), refused) == (b"\\N\ta\tt\n", [(1, 1, Refusal.NUL_IN_TEXT)])
    assert encoder.coerced == {(0, "zero_date_null"): 1}


@pytest.mark.parametrize("size", [4095, 4096, 4097, 8192, 1_000_003])
@pytest.mark.parametrize("op", [Op.TEXT, Op.RAW, Op.BYTEA, Op.SET_ARRAY, Op.EWKB, Op.DATE])
def test_long_cells_are_written_whole(op: Op, size: int) -> None:
    starts = {Op.EWKB: bytes(4) + b"\1\1\0\0\0", Op.DATE: b"2024-01-01", Op.RAW: b"12345"}
    start = starts.get(op, b"\\," * 3000)
    cell = start + b"x" * (size - len(start))
    expected = encode([[cell], [cell]], Rules([op], [0], "error", "error"))
    assert encoded(op, [cell, cell]) == expected.payload.split(b"\n")[:-1]


def test_the_worst_cells_do_not_outgrow_their_room() -> None:
    rows = [[b"\\" * size, b"\0" * size, b"," * size] for size in range(200)]
    rules = Rules([Op.SET_ARRAY, Op.TEXT, Op.SET_ARRAY], [0, 0, 0], "error", "replace")
    payload, _ = encoder_of(rules).encode([buffers_of([row[c] for row in rows]) for c in range(3)], 0, 0, len(rows))
    assert bytes(payload) == encode(rows, rules).payload


def test_slices_of_an_array_are_written_by_its_offset() -> None:
    array = pa.array([b"0", None, b"2", b"3", None, b"5", b"6", b"7", None, b"9"], pa.binary())
    sliced = array.slice(1, 8)
    encoder = CopyTextEncoder([Op.RAW], [0], "error", "error")
    payload, _ = encoder.encode([sliced.buffers()], sliced.offset, 1, len(sliced))
    assert bytes(payload) == b"2\n3\n\\N\n5\n6\n7\n\\N\n"


def test_no_rows_need_no_buffers() -> None:
    encoder = CopyTextEncoder([Op.RAW], [0], "error", "error")
    payload, _ = encoder.encode([(None, None, None)], 0, 0, 0)
    assert bytes(payload) == b""


def test_empty_cells_need_no_data() -> None:
    payload, _ = CopyTextEncoder([Op.RAW], [0], "error", "error").encode([(None, bytes(12), None)], 0, 0, 2)
    assert bytes(payload) == b"\n\n"


def ints(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}i", *numbers)


BAD_BUFFERS = {
    "offsets that go back": (None, ints(0, 3, 2), b"abc"),
    "offsets past the data": (None, ints(0, 3, 4), b"abc"),
    "a negative offset": (None, ints(-1, 0, 1), b"abc"),
    "offsets without data": (None, ints(0, 1, 2), None),
    "too few offsets": (None, ints(0, 1), b"abc"),
    "half an offset": (None, ints(0, 1, 2)[:-1], b"abc"),
    "too little validity": (b"", ints(0, 1, 2), b"abc"),
}


@pytest.mark.parametrize("buffers", BAD_BUFFERS.values(), ids=BAD_BUFFERS.keys())
def test_buffers_that_do_not_fit_are_refused(buffers: tuple[bytes | None, bytes, bytes | None]) -> None:
    encoder = CopyTextEncoder([Op.TEXT], [0], "null", "strip")
    with pytest.raises(WireError, match="a column's"):
        encoder.encode([buffers], 0, 0, 2)


def test_nothing_is_counted_when_nothing_is_written() -> None:
    encoder = CopyTextEncoder([Op.TEXT], [0], "null", "strip")
    with pytest.raises(WireError):
        encoder.encode([(None, ints(0, 1, 0), b"\0")], 0, 0, 2)
    assert encoder.coerced == {}


@patient
@given(
    st.one_of(st.none(), st.binary(max_size=4)),
    st.lists(st.integers(-3, 40), max_size=20),
    st.binary(max_size=30),
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 20)),
    st.sampled_from(Op),
)
def test_any_buffers_are_written_or_refused(
    validity: bytes | None, offsets: list[int], data: bytes, where: tuple[int, int, int], op: Op
) -> None:
    offset, start, stop = where
    encoder = CopyTextEncoder([op], [8], "null", "strip")
    try:
        payload, refused = encoder.encode([(validity, ints(*offsets), data)], offset, start, stop)
    except WireError:
        return
    except ValueError:
        assert start > stop
        return
    assert bytes(payload).count(b"\n") + len(refused) == stop - start


@pytest.mark.parametrize("where", [(-1, 0, 1), (0, -1, 1), (0, 1, 0), (1 << 62, 0, 1), (0, 0, 1 << 62)])
def test_row_numbers_out_of_range_are_refused(where: tuple[int, int, int]) -> None:
    encoder = CopyTextEncoder([Op.TEXT], [0], "error", "error")
    with pytest.raises(ValueError, match="offset, start and stop"):
        encoder.encode([buffers_of([b"a"])], *where)


@pytest.mark.parametrize(
    ("ops", "lengths", "zero_dates", "nul_text", "problem"),
    [
        ([], [], "error", "error", "at least one column"),
        ([Op.TEXT], [], "error", "error", "one entry per column"),
        ([Op.BITS], [0], "error", "error", "length of at least 1"),
        ([99], [0], "error", "error", "99"),
        ([Op.TEXT], [0], "nil", "error", "zero_dates must be one of error, null, epoch"),
        ([Op.TEXT], [0], "error", "nil", "nul_text must be one of error, strip, replace"),
    ],
)
def test_an_encoder_needs_rules_that_exist(
    ops: list[Op], lengths: list[int], zero_dates: str, nul_text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        CopyTextEncoder(ops, lengths, zero_dates, nul_text)


def test_an_encoder_needs_its_own_number_of_columns() -> None:
    with pytest.raises(ValueError, match="2 columns were given to an encoder of 1"):
        CopyTextEncoder([Op.TEXT], [0], "error", "error").encode([buffers_of([]), buffers_of([])], 0, 0, 0)
