from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

import pytest
from copy_oracle import Cell, decode, decode_cell, row
from drive import as_rows, patient
from hypothesis import given
from hypothesis import strategies as st

from mainstem.errors import WireError
from mainstem.native.copyrows import CopyDecoder
from mainstem.native.copystream import MessageStream, RawRows
from mainstem.native.copytuples import TupleDecoder
from mainstem.native.ops import CopyOp
from mainstem.native.status import Status

MANY = 1 << 40
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# What the server prints for a column that the op is meant for.
printed: dict[CopyOp, st.SearchStrategy[bytes]] = {
    CopyOp.TEXT: st.binary(max_size=40).map(lambda cell: cell.replace(b"\0", b"")),
    CopyOp.BOOL: st.sampled_from([b"t", b"f"]),
    CopyOp.BYTEA: st.binary(max_size=40).map(lambda cell: b"\\x" + cell.hex().encode()),
    CopyOp.BITS: st.text("01", max_size=40).map(str.encode),
    CopyOp.FLOAT4: st.floats(width=32).map(lambda value: _printed(value)),
    CopyOp.FLOAT8: st.floats().map(lambda value: _printed(value)),
    CopyOp.EWKB: st.builds(
        lambda order, flag, rest: (struct.pack(order + "BI", order == "<", 1 | flag) + rest).hex().encode(),
        st.sampled_from("<>"),
        st.sampled_from([0, 0x20000000, 0x80000000, 0xA0000000]),
        st.binary(min_size=4, max_size=24),
    ),
}


def _printed(value: float) -> bytes:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), repr(value)).encode()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[CopyOp], list[list[Cell]]]:
    ops = draw(st.lists(st.sampled_from(CopyOp), min_size=1, max_size=6))
    return ops, draw(st.lists(st.tuples(*(st.none() | printed[op] for op in ops)).map(list), max_size=30))


def fed(ops: Sequence[CopyOp], rows: Sequence[bytes]) -> list[list[Cell]]:
    decoder = CopyDecoder(len(ops), ops)
    for data in rows:
        assert decoder.row(data)
    return as_rows(decoder.take())


@patient
@given(tables())
def test_rows_become_the_cells_of_the_oracle(table: tuple[list[CopyOp], list[list[Cell]]]) -> None:
    ops, rows = table
    written = [row(cells) for cells in rows]
    assert fed(ops, written) == [decode(data, ops) for data in written]


@patient
@given(tables(), st.data())
def test_damaged_rows_fare_as_with_the_oracle(
    table: tuple[list[CopyOp], list[list[Cell]]], data: st.DataObject
) -> None:
    ops, rows = table
    damaged = bytearray(b"".join(row(cells) for cells in rows[:1]) or b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.sampled_from(b"\t\n\\Nx0tf.eI\xff\0"))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    decoder = CopyDecoder(len(ops), ops)
    try:
        expected = decode(cut, ops)
    except WireError:
        with pytest.raises(WireError):
            decoder.row(cut)
        assert as_rows(decoder.take()) == []
    else:
        assert decoder.row(cut)
        assert as_rows(decoder.take()) == [expected]


@patient
@given(st.lists(st.sampled_from(CopyOp), min_size=1, max_size=4), st.binary(max_size=200))
def test_noise_raises_only_the_error_of_the_format(ops: list[CopyOp], noise: bytes) -> None:
    decoder = CopyDecoder(len(ops), ops)
    good = row([None] * len(ops))
    decoder.row(good)
    try:
        decoder.row(noise)
    except WireError:
        decoder.row(good)
        assert as_rows(decoder.take()) == [[None] * len(ops)] * 2


def test_the_point_of_a_number_is_a_point_in_any_locale() -> None:
    assert fed([CopyOp.FLOAT8, CopyOp.FLOAT4], [b"1.5\t-0\n"]) == [[struct.pack("<d", 1.5), struct.pack("<f", -0.0)]]


def test_a_decoder_has_one_op_for_each_column() -> None:
    with pytest.raises(ValueError, match="one op for each"):
        CopyDecoder(2, [CopyOp.TEXT])


def binary_row(*fields: bytes | None) -> bytes:
    out = struct.pack(">h", len(fields))
    for field in fields:
        out += struct.pack(">i", -1) if field is None else struct.pack(">i", len(field)) + field
    return out


@patient
@given(st.lists(st.tuples(st.none() | st.binary(max_size=9), st.binary(max_size=9)), max_size=9), st.booleans())
def test_binary_rows_are_joined_without_header_and_trailer(rows: list[tuple[bytes | None, bytes]], alone: bool) -> None:
    written = [binary_row(*fields) for fields in rows]
    messages = [HEADER + b"".join(written[:1]), *written[1:], TRAILER]
    gathered = RawRows(binary=True, columns=2)
    for message in [b"".join(messages)] if alone else messages:
        gathered.message(message)
    assert gathered.rows == len(rows)
    assert bytes(gathered.take()) == b"".join(written)
    with pytest.raises(WireError, match="behind their end"):
        gathered.message(TRAILER)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([b""], "header"),
        ([HEADER[:-1]], "header"),
        ([HEADER[:-1] + b"\1"], "header"),
        ([binary_row(b"a", b"b")], "header"),
        ([HEADER, binary_row(b"a")], "field for each column"),
        ([HEADER, binary_row(b"a", b"b")[:-1]], "field for each column"),
        ([HEADER, binary_row(b"a", b"b") + b"\0"], "field for each column"),
        ([HEADER, b"\0\2\xff\xff\xff\xfe"], "field for each column"),
        ([HEADER, TRAILER + b"\0"], "field for each column"),
    ],
)
def test_broken_binary_data_are_refused(messages: list[bytes], problem: str) -> None:
    gathered = RawRows(binary=True, columns=2)
    for message in messages[:-1]:
        gathered.message(message)
    with pytest.raises(WireError, match=problem):
        gathered.message(messages[-1])
    assert gathered.rows == 0


@patient
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_noise_in_place_of_binary_data_raises_only_the_error_of_the_format(noise: list[bytes]) -> None:
    gathered = RawRows(binary=True, columns=2)
    try:
        for message in [HEADER, *noise]:
            gathered.message(message)
    except WireError:
        return
    gathered.take()


def test_text_rows_are_joined_as_they_are() -> None:
    gathered = RawRows(binary=False, columns=1)
    for message in (b"a\n", b"\\N\n"):
        gathered.message(message)
    assert (gathered.rows, bytes(gathered.take())) == (2, b"a\n\\N\n")
    with pytest.raises(WireError, match="newline"):
        gathered.message(b"a")


class Library:
    """In place of libpq: hands out these messages, and counts those that it gets back."""

    def __init__(self, messages: Sequence[bytes], end: int) -> None:
        self._buffers = [ctypes.create_string_buffer(message) for message in messages]
        self._sizes = [len(message) for message in messages]
        self._end = end
        self.given = self.released = 0
        self._get = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int)(
            self._next
        )
        self._release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._count)
        get, release = (ctypes.cast(item, ctypes.c_void_p).value or 0 for item in (self._get, self._release))
        self.stream = MessageStream(get, release, 0)

    def _next(self, connection: object, buffer: ctypes._Pointer[ctypes.c_void_p], asynchronous: int) -> int:
        if self.given == len(self._buffers):
            return self._end
        buffer[0] = ctypes.cast(self._buffers[self.given], ctypes.c_void_p)
        self.given += 1
        return self._sizes[self.given - 1]

    def _count(self, start: object) -> None:
        self.released += 1


@pytest.mark.parametrize(("end", "status"), [(-1, Status.END), (-2, Status.ERROR)])
def test_messages_are_read_until_a_limit_and_then_to_their_end(end: int, status: Status) -> None:
    library = Library([row([b"%d" % number]) for number in range(5)], end)
    decoder = CopyDecoder(1, [CopyOp.TEXT])
    batches = []
    while library.stream.decode(decoder, 2, MANY) is Status.FULL:
        batches.append([cell for (cell,) in as_rows(decoder.take())])
    assert [*batches, [cell for (cell,) in as_rows(decoder.take())]] == [[b"0", b"1"], [b"2", b"3"], [b"4"]]
    assert library.stream.decode(decoder, 2, MANY) is status
    assert (library.given, library.released) == (5, 5)


def test_a_message_that_breaks_the_format_ends_reading_and_is_given_back() -> None:
    library = Library([row([b"1"]), b"no row", row([b"2"])], -1)
    decoder = CopyDecoder(1, [CopyOp.TEXT])
    with pytest.raises(WireError, match="not one row"):
        library.stream.decode(decoder, MANY, MANY)
    assert as_rows(decoder.take()) == [[b"1"]]
    del library.stream
    assert library.released == 2


def test_raw_messages_are_gathered_until_a_limit_of_bytes() -> None:
    library = Library([b"abc\n"] * 5, -1)
    gathered = RawRows(binary=False, columns=1)
    assert library.stream.gather(gathered, 7) is Status.FULL
    assert (gathered.rows, bytes(gathered.take())) == (2, b"abc\nabc\n")
    assert library.stream.gather(gathered, MANY) is Status.END
    assert (gathered.rows, library.released) == (3, 5)


def test_a_large_message_is_passed_on_as_it_is_and_given_back_with_the_rows() -> None:
    large = binary_row(b"x" * (4 << 20), b"y")
    library = Library([HEADER + large, binary_row(b"a", b"b"), large, TRAILER], -1)
    gathered = RawRows(binary=True, columns=2)
    taken = []
    while (status := library.stream.gather(gathered, 1)) is Status.FULL:
        taken.append((gathered.rows, gathered.take()))
    assert (status, library.given, library.released) == (Status.END, 4, 2)
    assert [(rows, bytes(data)) for rows, data in taken] == [(1, large), (1, binary_row(b"a", b"b")), (1, large)]
    taken.clear()
    assert library.released == 4


def field(cell: Cell, op: CopyOp) -> Cell:
    """What the oracle makes of a field of a tuple: bytes as they are, or a value as it is printed."""
    if cell is None or op is CopyOp.TEXT:
        return cell
    return decode_cell(b"\\" + cell if op is CopyOp.BYTEA else cell, op)


@patient
@given(tables())
def test_fields_of_tuples_become_the_cells_of_the_oracle(table: tuple[list[CopyOp], list[list[Cell]]]) -> None:
    ops, rows = table
    written = [binary_row(*cells) for cells in rows]
    decoder = TupleDecoder(len(ops), ops)
    for message in [HEADER + b"".join(written[:1]), *written[1:], TRAILER]:
        assert decoder.row(message)
    expected = [[field(cell, op) for cell, op in zip(cells, ops, strict=True)] for cells in rows]
    assert as_rows(decoder.take()) == expected
    with pytest.raises(WireError, match="more cells"):
        decoder.row(TRAILER)


@pytest.mark.parametrize(
    "message",
    [
        b"", HEADER[:-1], HEADER[:-1] + b"\1", binary_row(b"a", b"b"), HEADER + binary_row(b"a"),
        HEADER + binary_row(b"a", b"b")[:-1], HEADER + binary_row(b"a", b"b") + b"\0", HEADER + b"\0",
        HEADER + b"\0\2\xff\xff\xff\xfe", HEADER + TRAILER + b"\0",
    ],
)  # fmt: skip
def test_broken_tuples_are_refused(message: bytes) -> None:
    decoder = TupleDecoder(2, [CopyOp.TEXT, CopyOp.TEXT])
    with pytest.raises(WireError):
        decoder.row(message)
    assert decoder.row(HEADER + binary_row(b"a", None))
    assert as_rows(decoder.take()) == [[b"a", None]]


@patient
@given(st.lists(st.sampled_from(CopyOp), min_size=1, max_size=3), st.lists(st.binary(max_size=60), max_size=4))
def test_noise_in_place_of_tuples_raises_only_the_error_of_the_format(ops: list[CopyOp], noise: list[bytes]) -> None:
    decoder = TupleDecoder(len(ops), ops)
    try:
        for message in [HEADER, *noise]:
            decoder.row(message)
    except WireError:
        pass
    decoder.take()


def test_a_tuple_with_a_large_field_is_passed_on_where_it_is_and_given_back_with_the_rows() -> None:
    large = b"x" * (4 << 20)
    written = [(b"1", b"a"), (large, b"b"), (b"2", None), (b"3", large), (b"4", b"d")]
    messages = [binary_row(*fields) for fields in written]
    library = Library([HEADER + messages[0], *messages[1:], TRAILER], -1)
    decoder = TupleDecoder(2, [CopyOp.TEXT, CopyOp.TEXT])
    batches = []
    while library.stream.decode(decoder, MANY, MANY) is Status.FULL:
        batches.append(decoder.take())
    batches.append(decoder.take())
    assert (library.given, library.released) == (6, 4)
    assert [as_rows(batch) for batch in batches] == [[[a, b]] for a, b in written]
    batches.clear()
    assert library.released == 6
