from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from drive import as_rows, patient, read_batches
from hypothesis import given
from hypothesis import strategies as st
from oracle import Cell, decode, length_encoded, packets, row_payload

from mainstem.errors import WireError
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

EOF = packets(b"\xfe\x00\x00\x02\x00")
MANY = 1 << 40

cells = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.builds(lambda byte, size: byte * size, st.binary(min_size=1, max_size=1), st.sampled_from([250, 251, 65536])),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[list[Cell]]]:
    width = draw(st.integers(1, 5))
    return width, draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=200 // width))


def protocol(rows: list[list[Cell]]) -> bytes:
    return b"".join(packets(row_payload(row), number) for number, row in enumerate(rows))


@patient
@given(tables(), st.integers(1, 80), st.integers(1, 3000), st.data())
def test_rows_come_back_in_the_batches_of_the_oracle_however_they_arrive(
    table: tuple[int, list[list[Cell]]], max_rows: int, max_bytes: int, data: st.DataObject
) -> None:
    width, rows = table
    wire = protocol(rows) + EOF
    arrivals = data.draw(st.lists(st.integers(0, len(wire)), max_size=6))
    batches, status, consumed = read_batches(wire, width, max_rows, max_bytes, arrivals)
    assert (status, consumed) == (Status.END, len(wire))
    expected, at = [], 0
    while True:
        batch = decode(wire[at:], width, max_rows, max_bytes)
        expected.append(batch.rows)
        at += batch.consumed
        if batch.status is Status.END:
            break
    assert batches == expected
    assert [row for batch in batches for row in batch] == rows


@patient
@given(tables(), st.data())
def test_damaged_input_fares_as_with_the_oracle(table: tuple[int, list[list[Cell]]], data: st.DataObject) -> None:
    width, rows = table
    wire = bytearray(protocol(rows) + EOF)
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.sampled_from([0, 1, 8, 9, *range(249, 256)]))
    damaged = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    decoder = RowDecoder(width)
    try:
        expected = decode(damaged, width, MANY, MANY)
    except WireError:
        with pytest.raises(WireError):
            decoder.feed(damaged, 0, len(damaged), MANY, MANY)
        as_rows(decoder.take())
        return
    assert decoder.feed(damaged, 0, len(damaged), MANY, MANY) == (expected.status, expected.consumed)
    assert as_rows(decoder.take()) == expected.rows


@patient
@given(st.integers(1, 4), st.binary(max_size=400))
def test_noise_fares_as_with_the_oracle(width: int, noise: bytes) -> None:
    decoder = RowDecoder(width)
    try:
        expected = decode(noise, width, MANY, MANY)
    except WireError:
        with pytest.raises(WireError):
            decoder.feed(noise, 0, len(noise), MANY, MANY)
        return
    assert decoder.feed(noise, 0, len(noise), MANY, MANY) == (expected.status, expected.consumed)


BROKEN_ROWS = {
    "no payload": (b"", "without payload"),
    "one cell of two": (b"\x01a", "before its last cell"),
    "a cell too many": (b"\x01a\x01b\x01c", "after its last cell"),
    "a length past the end": (b"\x01a\x05b", "longer than what is left"),
    "a length cut in two": (b"\x01a\xfc\x01", "longer than what is left"),
    "a length of eight bytes past the end": (b"\x01a\xfe" + b"\xff" * 8, "longer than what is left"),
    "a length that does not exist": (b"\x01a\xff", "0xFF"),
}


@pytest.mark.parametrize(("payload", "problem"), BROKEN_ROWS.values(), ids=BROKEN_ROWS.keys())
def test_a_broken_row_raises_and_leaves_the_rows_before_it(payload: bytes, problem: str) -> None:
    wire = protocol([[b"x", None]]) + packets(payload)
    decoder = RowDecoder(2)
    with pytest.raises(WireError, match=problem):
        decoder.feed(wire, 0, len(wire), MANY, MANY)
    assert (decoder.rows, decoder.size_bytes) == (1, 1)
    assert as_rows(decoder.take()) == [[b"x", None]]


def test_a_null_in_a_broken_row_leaves_no_trace() -> None:
    broken = protocol([[b"x", b"y"]]) + packets(b"\xfb\x09y")
    decoder = RowDecoder(2)
    with pytest.raises(WireError):
        decoder.feed(broken, 0, len(broken), MANY, MANY)
    good = protocol([[b"z", b"w"]])
    decoder.feed(good, 0, len(good), MANY, MANY)
    assert as_rows(decoder.take()) == [[b"x", b"y"], [b"z", b"w"]]


def test_an_error_packet_is_left_to_the_caller() -> None:
    error = packets(b"\xff" + struct.pack("<H", 1317) + b"#70100Query execution was interrupted", 2)
    row = protocol([[b"1"]])
    decoder = RowDecoder(1)
    assert decoder.feed(row + error, 0, len(row + error) - 1, MANY, MANY) == (Status.NEED_MORE, len(row))
    assert decoder.needed == len(error)
    assert decoder.feed(row + error, len(row), len(row + error), MANY, MANY) == (Status.ERROR, 0)
    assert as_rows(decoder.take()) == [[b"1"]]


def test_only_a_short_packet_that_begins_with_0xfe_ends_the_rows() -> None:
    cell = b"abc"
    # A server may write any cell with the widest length; such a row begins with 0xFE too, but has at least 9 bytes.
    row = packets(b"\xfe" + struct.pack("<Q", len(cell)) + cell)
    empty = packets(b"\xfe" + struct.pack("<Q", 0))
    wire = row + empty + EOF + row
    decoder = RowDecoder(1)
    assert decoder.feed(wire, 0, len(wire), MANY, MANY) == (Status.END, len(wire) - len(row))
    assert as_rows(decoder.take()) == [[cell], [b""]]


def test_limits_count_the_batch_and_not_the_call() -> None:
    rows: list[list[Cell]] = [[b"%03d" % number] for number in range(10)]
    wire = protocol(rows)
    ends = [len(protocol(rows[:count])) for count in range(len(rows) + 1)]
    decoder = RowDecoder(1)
    for start, end in pairwise(ends[:4]):
        assert decoder.feed(wire, start, end, 4, MANY) == (Status.NEED_MORE, end - start)
    assert decoder.feed(wire, ends[3], len(wire), 4, MANY) == (Status.FULL, ends[1])
    assert decoder.feed(wire, ends[4], len(wire), 4, MANY) == (Status.FULL, 0)
    assert as_rows(decoder.take()) == rows[:4]
    assert decoder.feed(wire, ends[4], len(wire), MANY, 7) == (Status.FULL, ends[3])
    assert (decoder.rows, decoder.size_bytes) == (3, 9)


@pytest.mark.parametrize(
    ("start", "end", "max_rows", "max_bytes"),
    [(-1, 2, 1, 1), (2, 1, 1, 1), (0, 9, 1, 1), (0, 2, 0, 1), (0, 2, 1, 0), (0, 2, -1, 1)],
)
def test_feed_refuses_numbers_out_of_range(start: int, end: int, max_rows: int, max_bytes: int) -> None:
    with pytest.raises(ValueError, match="must"):
        RowDecoder(1).feed(b"12345678", start, end, max_rows, max_bytes)


@pytest.mark.parametrize("columns", [0, -1])
def test_a_result_set_has_columns(columns: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RowDecoder(columns)


def test_feed_takes_any_buffer_and_keeps_none() -> None:
    wire = protocol([[b"a"], [None]])
    for data in (bytearray(wire), memoryview(bytearray(wire))):
        decoder = RowDecoder(1)
        assert decoder.feed(data, 0, len(wire), MANY, MANY) == (Status.NEED_MORE, len(wire))
        data[:] = b"\xee" * len(wire)
        assert as_rows(decoder.take()) == [[b"a"], [None]]
    bytearray(wire).clear()
    with pytest.raises(TypeError):
        RowDecoder(1).feed("text", 0, 0, 1, 1)  # type: ignore[arg-type]


def test_length_prefixes_are_the_shortest() -> None:
    assert [length_encoded(size)[0] for size in (250, 251, 65535, 65536, (1 << 24) - 1, 1 << 24)] == [
        250,
        0xFC,
        0xFC,
        0xFD,
        0xFD,
        0xFE,
    ]
