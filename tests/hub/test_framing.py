"""Frames through messages and back: every kind, any size, and what becomes of bytes that were changed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.errors import WireError
from mainstem.hub.framing import LARGE_BYTES, Compression, Decoder, Encoder
from mainstem.model.batch import ChangeBatch, Place, PlacedBatch, RawBatch
from mainstem.model.change import ChangeGroup, Idle, RowChanges, SchemaChange, SchemaChangeKind, Truncate
from mainstem.model.frame import Abort, Begin, Chunk, Commit, Frame
from mainstem.model.names import TableId
from mainstem.model.schema import Column, Default, DefaultKind, Domain
from mainstem.model.types import Kind, LogicalType

ROOM = 4096
names = st.text(max_size=8)
counts = st.integers(0, 2**40)
tables = st.builds(TableId, names, names)
bounds = st.none() | names
chunks = st.builds(Chunk, tables, st.integers(0, 2**40), bounds, bounds, names)
cells = st.lists(st.none() | st.binary(max_size=200), min_size=1, max_size=30)


@st.composite
def batches(draw: st.DrawFn, rows: int | None = None) -> pa.RecordBatch:
    count = draw(st.integers(0, 20)) if rows is None else rows
    width = draw(st.integers(1, 4))
    cell = st.none() | st.binary(max_size=300)
    columns = [pa.array(draw(st.lists(cell, min_size=count, max_size=count)), type=pa.binary()) for _ in range(width)]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{number}" for number in range(width)])


@st.composite
def changes(draw: st.DrawFn) -> RowChanges:
    count = draw(st.integers(1, 20))
    after = draw(batches(count))
    absent_of = draw(st.sets(st.integers(0, after.num_columns - 1)))
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    whole = RowChanges(
        draw(tables),
        pa.array(draw(st.lists(st.integers(1, 3), min_size=count, max_size=count)), type=pa.uint8()),
        pa.array(range(count), type=pa.int64()),
        after,
        draw(st.none() | batches(count)),
        {column: pa.array(draw(flags)) for column in absent_of},
        draw(st.integers(0, 2**40)),
    )
    start = draw(st.integers(0, count - 1))
    return whole.slice(start, draw(st.integers(1, count - start)))  # a piece shares the memory of the whole


truncates = st.builds(Truncate, st.lists(tables, max_size=3).map(tuple), st.booleans())
groups = st.builds(
    ChangeGroup, st.lists(changes() | truncates, max_size=3).map(tuple), st.booleans(), st.integers(0, 9), names,
    st.integers(0, 2**60), st.integers(0, 2**60), st.none() | st.integers(0, 2**60),
)  # fmt: skip
frames: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Begin, chunks, st.integers(1, 9), st.booleans()),
    st.builds(Commit, chunks, st.integers(0, 2**40), st.booleans()),
    st.builds(Abort, chunks),
    st.builds(ChangeBatch, tables, batches(), st.integers(0, 2**40)),
    st.builds(RawBatch, tables, st.binary(max_size=20_000), st.integers(0, 2**40)),
    st.builds(PlacedBatch, tables, counts, counts, st.builds(Place, names, names), counts, counts, st.booleans()),
    st.builds(Idle, names, st.none() | st.integers(0, 2**60)),
    groups,
)


def through(sent: Sequence[Frame | None], compression: Compression, room: int = ROOM) -> list[Frame | None]:
    encoder, decoder = Encoder(compression, room), Decoder()
    received: list[Frame | None] = []
    for frame in sent:
        for message in encoder.encode(frame):
            assert len(message) <= room
            received += decoder.add(message)
    return received


def plain(frame: Frame | None) -> object:
    """What is compared: a raw batch's bytes, whatever holds them; the arrays of changes, which compare one by one."""
    if isinstance(frame, RawBatch):
        return frame.table, bytes(frame.data), frame.count
    if isinstance(frame, ChangeGroup):
        parts = [
            (
                part.table, part.ops.to_pylist(), part.seqs.to_pylist(), part.after.to_pydict(),
                part.before and part.before.to_pydict(), {key: item.to_pylist() for key, item in part.absent.items()},
                part.size_bytes,
            )
            if isinstance(part, RowChanges)
            else part
            for part in frame.parts
        ]  # fmt: skip
        return parts, frame.whole, frame.transactions, frame.position, frame.first_committed_us, frame.committed_us
    return frame


@given(st.lists(frames, max_size=5), st.sampled_from(Compression))
def test_any_frames_arrive_as_they_were_sent(sent: list[Frame], compression: Compression) -> None:
    received = through([*sent, None], compression)
    assert [plain(frame) for frame in received] == [plain(frame) for frame in [*sent, None]]


@given(st.lists(frames, min_size=1, max_size=3), st.data())
def test_messages_that_were_changed_lost_or_mixed_up_are_never_taken(sent: list[Frame], data: st.DataObject) -> None:
    encoder = Encoder(Compression.LZ4, ROOM)
    messages = [message for frame in sent for message in encoder.encode(frame)]
    number = data.draw(st.integers(0, len(messages) - 1))
    bad = bytearray(messages[number])
    how = data.draw(st.sampled_from(["changed", "short", "twice", "lost"]))
    if how == "changed":
        bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
        messages[number] = bytes(bad)
    elif how == "short":
        messages[number] = bytes(bad[: data.draw(st.integers(0, len(bad) - 1))])
    elif how == "twice":
        messages.insert(number, messages[number])
    else:
        del messages[number]
        messages += encoder.encode(None)
    decoder = Decoder()
    with pytest.raises(WireError):  # noqa: PT012 — which message it is depends on what was done
        for message in messages:
            decoder.add(message)


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("cell", [secrets.token_bytes(LARGE_BYTES + 12_345), b"shrinks" * (LARGE_BYTES // 5)])
def test_a_large_frame_arrives_whichever_way_it_is_packed(cell: bytes, compression: Compression) -> None:
    batch = ChangeBatch(TableId("s", "t"), pa.record_batch([pa.array([cell, b"x"])], names=["c0"]), len(cell))
    sent: list[Frame | None] = [batch, RawBatch(TableId("s", "t"), cell, 1), Abort(Chunk(TableId("s", "t"), 1)), None]
    received = through(sent, compression, 1 << 20)
    assert [plain(frame) for frame in received] == [plain(frame) for frame in sent]


def test_a_schema_change_arrives_with_all_that_it_says_of_the_columns() -> None:
    column = Column(
        "ä", LogicalType(Kind.DECIMAL, precision=65, scale=30), "decimal(65,30)", False,
        default=Default(DefaultKind.LITERAL, "1"), domain=Domain("numeric", (("c", "VALUE > 0"),)),
        user_type=TableId("s", "d"), not_null=None,
    )  # fmt: skip
    change = SchemaChange(
        SchemaChangeKind.RENAMED, TableId("s", "t"), (column,), TableId("s", "u"), "ALTER TABLE t …", ""
    )
    group = ChangeGroup((Truncate((TableId("s", "t"),), restart_identity=True), change), position="p", ahead=3)
    assert through([group], Compression.ZSTD) == [group]


def test_a_schema_is_sent_once_in_a_lane() -> None:
    encoder = Encoder(Compression.NONE, 1 << 20)
    batch = ChangeBatch(TableId("s", "t"), pa.record_batch([pa.array([b"x"])], names=["c0"]), 1)
    first, second, third = (sum(map(len, encoder.encode(batch))) for _ in range(3))
    assert second == third < first


def test_a_message_of_somebody_else_is_none_of_ours() -> None:
    with pytest.raises(WireError, match="none of ours"):
        Decoder().add(b"hello, this is not a frame at all, is it")
