"""Batches handed out, memory given back, and rows of more than a packet."""

from __future__ import annotations

import gc

import psutil
import pyarrow as pa
import pytest
from drive import arrow_columns, as_rows
from oracle import FULL_PACKET, packets, row_payload

from mainstem.errors import WireError
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.ops import Op
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

MANY = 1 << 40


def test_an_empty_batch_has_empty_columns() -> None:
    decoder = RowDecoder(2)
    assert as_rows(decoder.take()) == []
    rows, columns = decoder.take()
    assert rows == 0
    assert [(validity, bytes(offsets), bytes(data)) for validity, offsets, data in columns] == [
        (None, bytes(4), b""),
        (None, bytes(4), b""),
    ]


def test_a_column_without_nulls_has_no_validity_and_one_with_nulls_is_padded_with_zeros() -> None:
    wire = b"".join(packets(row_payload([b"a", None if number == 3 else b"b"])) for number in range(10))
    decoder = RowDecoder(2)
    decoder.feed(wire, 0, len(wire), MANY, MANY)
    (_, columns) = decoder.take()
    assert columns[0][0] is None
    assert columns[1][0] is not None
    assert bytes(columns[1][0]) == bytes([0b11110111, 0b11, 0, 0, 0, 0, 0, 0])


def test_batches_do_not_share_memory_and_outlive_the_decoder() -> None:
    decoder = RowDecoder(1)
    arrays = []
    for number in range(100):
        wire = packets(row_payload([b"%d" % number])) * (number + 1)
        decoder.feed(wire, 0, len(wire), MANY, MANY)
        arrays.append(arrow_columns(decoder.take())[0])
        assert (decoder.rows, decoder.size_bytes) == (0, 0)
    del decoder
    gc.collect()
    for number, array in enumerate(arrays):
        assert array.to_pylist() == [b"%d" % number] * (number + 1)


def test_memory_handed_out_cannot_be_written() -> None:
    _, [(_, offsets, _)] = RowDecoder(1).take()
    with pytest.raises(TypeError, match="read-only"):
        memoryview(offsets)[0] = 1
    assert not pa.py_buffer(offsets).is_mutable


# The first cell's prefix takes 4 bytes below 16 MiB and 9 above; the second cell takes 2.
@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (FULL_PACKET - 4 - 2 - 1, 1),
        (FULL_PACKET - 4 - 2, 2),
        (FULL_PACKET - 4 - 1, 2),
        (FULL_PACKET - 4, 2),
        (FULL_PACKET + 1, 2),
        (2 * FULL_PACKET - 9 - 2, 3),
        (2 * FULL_PACKET + 12345, 3),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_row_of_several_packets_arrives_whole(size: int, parts: int, kind: type[bytes | bytearray]) -> None:
    cell = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    small = packets(row_payload([b"1", b"2"]))
    big = packets(row_payload([cell, b"z"]))
    assert len(big) - len(row_payload([cell, b"z"])) == 4 * parts
    wire = kind(small + big + small)
    with pytest.raises(WireError):  # and leaves packets that can be read again
        RowDecoder(3).feed(wire, len(small), len(wire), MANY, MANY)
    decoder = RowDecoder(2)
    assert decoder.feed(wire, 0, len(wire), MANY, MANY) == (Status.NEED_MORE, len(wire))
    assert as_rows(decoder.take()) == [[b"1", b"2"], [cell, b"z"], [b"1", b"2"]]


@pytest.mark.parametrize("before", [0, 2])
def test_a_large_cell_may_stay_where_it_was_read_from(before: int) -> None:
    large = bytes(range(256)) * (FULL_PACKET // 100)
    small = packets(row_payload([b"1", b"2"]))
    rows = [packets(row_payload([large, None])), packets(row_payload([b"3", b"x" * (4 << 20)]))]
    wire = bytearray(small * before + b"".join(rows) + small)
    decoder = RowDecoder(2)
    at, taken = 0, []
    while True:
        status, used = decoder.feed(wire, at, len(wire), MANY, MANY, lend=True)
        at += used
        taken.append((decoder.lent, decoder.take()))
        if status is not Status.FULL:
            break
    assert (status, at) == (Status.NEED_MORE, len(wire))
    assert [lent for lent, _ in taken] == [False] * (before > 0) + [True, True, False]
    with pytest.raises(BufferError):  # somebody looks at it
        wire.append(0)
    assert [row for _, batch in taken for row in as_rows(batch)] == [
        *[[b"1", b"2"]] * before, [large, None], [b"3", b"x" * (4 << 20)], [b"1", b"2"],
    ]  # fmt: skip
    taken.clear()
    gc.collect()
    wire.append(0)


def test_nothing_is_lent_of_a_row_that_is_refused() -> None:
    wire = bytearray(packets(row_payload([b"x" * (4 << 20), b"y"])))
    decoder = RowDecoder(3)
    with pytest.raises(WireError):
        decoder.feed(wire, 0, len(wire), MANY, MANY, lend=True)
    assert not decoder.lent
    wire.append(0)
    assert as_rows(decoder.take()) == []


def test_needed_leads_a_reader_to_the_whole_row() -> None:
    row = packets(row_payload([b"a" * (2 * FULL_PACKET + 5)]))
    decoder = RowDecoder(1)
    available, asked = 5, []
    while decoder.feed(row, 0, available, MANY, MANY) == (Status.NEED_MORE, 0):
        assert available < decoder.needed <= len(row)
        asked.append(decoder.needed)
        available = decoder.needed
    assert asked == [FULL_PACKET + 8, 2 * (FULL_PACKET + 4) + 4, len(row)]
    assert decoder.feed(row, 0, len(row), 9, MANY) == (Status.NEED_MORE, len(row))
    assert decoder.needed == 0
    assert decoder.rows == 2


@pytest.mark.parametrize("available", [0, 1, 2, 3])
def test_needed_is_unknown_without_a_packet_header(available: int) -> None:
    decoder = RowDecoder(1)
    assert decoder.feed(packets(b"\x01a"), 0, available, MANY, MANY) == (Status.NEED_MORE, 0)
    assert decoder.needed == 0


def rss_mib() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def one_batch(decoder: RowDecoder, encoder: CopyTextEncoder, wire: bytes) -> int:
    decoder.feed(wire, 0, len(wire), MANY, MANY)
    rows, columns = decoder.take()
    payload, refused = encoder.encode(columns, 0, 0, rows)
    return len(payload) + len(refused)


def test_many_batches_leave_no_memory_behind() -> None:
    wire = b"".join(packets(row_payload([b"%d" % number, None, b"text\t" * 20])) for number in range(5000))
    refused = packets(row_payload([b"1", b"2", b"\0"])) * 1000
    encoder = CopyTextEncoder([Op.RAW, Op.TEXT, Op.TEXT], [0, 0, 0], "error", "error")
    decoder = RowDecoder(3)
    for _ in range(20):
        one_batch(decoder, encoder, wire + refused)
    before = rss_mib()
    for _ in range(400):  # would leave 600 MiB
        one_batch(decoder, encoder, wire + refused)
    assert rss_mib() - before < 50


def test_one_huge_row_does_not_make_later_batches_big() -> None:
    huge = packets(row_payload([b"x" * 50_000_000]))
    small = packets(row_payload([b"y" * 100])) * 10
    encoder = CopyTextEncoder([Op.TEXT], [0], "error", "error")
    decoder = RowDecoder(1)
    before = psutil.Process().memory_info().vms
    one_batch(decoder, encoder, huge)
    kept = []
    for _ in range(200):
        decoder.feed(small, 0, len(small), MANY, MANY)
        kept.append(decoder.take())
    # 10 GiB if each kept the room of the huge row. Room that is never touched shows in the address space alone.
    assert psutil.Process().memory_info().vms - before < 500 * 2**20
    assert sum(rows for rows, _ in kept) == 2000
