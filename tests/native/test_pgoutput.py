from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from drive import patient
from hypothesis import given
from hypothesis import strategies as st
from log_oracle import HEAD, UNCHANGED, Event, Log, Sent, Table, begin, change, commit, instant, money, streamed
from test_copyrows import printed

from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.native.changerows import ChangeRows, Relation
from mainstem.native.ops import CopyOp, LogOp
from mainstem.native.pgoutput import LogDecoder
from mainstem.native.status import Status

MANY = 1 << 40
MONEY_DIGITS = 2

_printed: dict[LogOp, st.SearchStrategy[bytes]] = {LogOp(int(op)): printed[op] for op in CopyOp} | {
    LogOp.INSTANT: st.sampled_from(
        [b"2020-01-02 03:04:05.678+00", b"0044-03-15 00:00:00+00 BC", b"infinity", b"-infinity"]
    ),
    LogOp.MONEY: st.sampled_from([b"$0.00", b"-$0.05", b"$1,234.50", b"-$92,233,720,368,547,758.08"]),
}


@st.composite
def tables(draw: st.DrawFn, oid: int) -> Table:
    """A table with columns that are sent in another order than they are wanted in, and some that are not wanted."""
    width = draw(st.integers(1, 5))
    ops = draw(st.lists(st.sampled_from(LogOp), min_size=width, max_size=width))
    after = draw(st.permutations(range(width)).map(lambda order: order[: draw(st.integers(0, width))]))
    identity = draw(st.permutations(range(width)).map(lambda order: order[: draw(st.integers(1, width))]))
    sources = [*after, *identity]
    chosen = [ops[source] for source in sources]
    digits = [MONEY_DIGITS if op is LogOp.MONEY else 0 for op in chosen]
    return Table(oid, width, len(after), chosen, digits, sources, draw(st.sampled_from([0, 0, 50])))


def sent_ops(table: Table) -> dict[int, LogOp]:
    return dict(zip(table.sources, table.ops, strict=True))


@st.composite
def changes(draw: st.DrawFn, table: Table) -> bytes:
    """A message of a table, as the server could send it."""
    ops = sent_ops(table)

    def cells(*, unchanged: bool) -> list[Sent]:
        return [
            draw(st.none() | _printed[ops.get(place, LogOp.TEXT)] | (st.just(UNCHANGED) if unchanged else st.none()))
            for place in range(table.width)
        ]

    op = draw(st.sampled_from(Op))
    letter = draw(st.sampled_from([b"K", b"O"]))
    if op is Op.INSERT:
        return change(op, table.oid, cells(unchanged=False), None)
    if op is Op.DELETE:
        return change(op, table.oid, None, (letter, cells(unchanged=False)))
    old = draw(st.none() | st.just(letter))
    new = cells(unchanged=True)
    if old is None:  # the key is sent with the row
        new = [
            b"" if place in table.sources[table.after :] and cell == UNCHANGED else cell
            for place, cell in enumerate(new)
        ]
        new = [None if cell == b"" else cell for cell in new]
        return change(op, table.oid, new, None)
    return change(op, table.oid, new, (old, cells(unchanged=False)))


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Table], list[list[bytes]]]:
    """Two tables, and transactions of messages about them."""
    two = [draw(tables(16384)), draw(tables(99))]
    message = st.sampled_from(two).flatmap(changes)
    return two, draw(st.lists(st.lists(message, max_size=12), max_size=6))


class Rig:
    """A decoder with its tables."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.decoder = LogDecoder(0)
        self.rows: dict[int, ChangeRows] = {}
        for table in tables:
            made = ChangeRows(len(table.ops), table.after, table.ops, table.parameters)
            self.rows[table.oid] = made
            self.decoder.relate(Relation(table.oid, table.width, made, table.sources, table.since))
        self.events: dict[int, list[Event]] = {}

    def take(self) -> None:
        for oid, rows in self.rows.items():
            if rows.rows:
                self.events.setdefault(oid, []).extend(_events(rows.take_changes()))
        self.decoder.begin_group()

    def message(self, message: bytes) -> Status:
        return self.decoder.message(HEAD + message)


def _array(type_: Any, count: int, block: Any) -> list[Any]:
    array: pa.Array[Any] = pa.Array.from_buffers(type_, count, [None, pa.py_buffer(block)])
    array.validate(full=True)
    return array.to_pylist()


def _rows(count: int, columns: list[Any]) -> list[list[bytes | None]]:
    arrays = []
    for blocks in columns:
        array: pa.Array[Any] = pa.Array.from_buffers(
            pa.binary(), count, [None if block is None else pa.py_buffer(block) for block in blocks]
        )
        array.validate(full=True)
        arrays.append(array.to_pylist())
    return [list(row) for row in zip(*arrays, strict=True)] or [[] for _ in range(count)]


def _events(taken: tuple[Any, ...]) -> list[Event]:
    count, ops, seqs, after, before, absent = taken
    kinds = [Op(op) for op in _array(pa.uint8(), count, ops)]
    gone = {column: _array(pa.bool_(), count, bits) for column, bits in absent.items()}
    befores: list[Any] = [None] * count if before is None else _rows(count, before)
    for number, kind in enumerate(kinds):
        if kind is Op.INSERT and befores[number] is not None:
            assert set(befores[number]) <= {None}
            befores[number] = None
    return [
        (kinds[n], seq, row, frozenset(column for column, flags in gone.items() if flags[n]), befores[n])
        for n, (seq, row) in enumerate(zip(_array(pa.int64(), count, seqs), _rows(count, after), strict=True))
    ]


@patient
@given(logs(), st.data())
def test_changes_become_the_events_of_the_oracle(log: tuple[list[Table], list[list[bytes]]], data: Any) -> None:
    two, transactions = log
    rig, oracle = Rig(two), Log({table.oid: table for table in two})
    for number, messages in enumerate(transactions):
        for message in [begin(number * 20), *messages, commit(number * 20)]:
            assert rig.message(message) is Status.NEED_MORE
            oracle.message(message)
            if data.draw(st.booleans()):
                rig.take()
        assert rig.decoder.position == max(number * 20 + 8, 0)
    rig.take()
    assert rig.events == oracle.events


@patient
@given(logs(), st.integers(1, 7), st.sets(st.integers(1, 3)), st.integers(0, 60))
def test_messages_that_were_put_aside_become_the_same(
    log: tuple[list[Table], list[list[bytes]]], max_rows: int, aborted: set[int], lsn: int
) -> None:
    two, transactions = log
    rig, oracle = Rig(two), Log({table.oid: table for table in two}, lsn=lsn)
    rig.decoder.spooling = True
    for xid, messages in enumerate(transactions, 1):
        for message in messages:
            rig.message(streamed(message, xid))
            if xid not in aborted:
                oracle.message(message)
    assert rig.message(b"E") is Status.MESSAGE
    rig.decoder.spooling = False
    data = bytes(rig.decoder.take_spool())
    rig.decoder.begin_replay(lsn, aborted)
    at = 0
    while True:
        status, used = rig.decoder.replay(data, at, max_rows, MANY)
        at += used
        assert rig.decoder.rows <= max_rows
        rig.take()
        if status is Status.NEED_MORE:
            break
        assert status is Status.FULL
    rig.decoder.end_replay(lsn + 8, 0)
    assert at == len(data)
    assert rig.events == oracle.events
    assert rig.decoder.transactions == bool(oracle.events)


@patient
@given(logs(), st.data())
def test_damaged_messages_fare_as_with_the_oracle(log: tuple[list[Table], list[list[bytes]]], data: Any) -> None:
    two, transactions = log
    rig, oracle = Rig(two), Log({table.oid: table for table in two})
    messages = [message for transaction in transactions for message in transaction]
    for message in [begin(100), *messages]:
        damaged = bytearray(message)
        for _ in range(data.draw(st.integers(0, 2))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        cut = bytes(damaged[: data.draw(st.just(len(damaged)) | st.integers(1, len(damaged)))])
        try:
            oracle.message(cut)
        except WireError:
            with pytest.raises(WireError):
                rig.message(cut)
            with pytest.raises(WireError):  # and nothing else is taken any more
                rig.message(begin(200))
            return
        rig.message(cut)
    rig.take()
    assert rig.events == oracle.events


@patient
@given(st.lists(st.binary(max_size=80), max_size=5), st.booleans())
def test_noise_raises_only_the_error_of_the_protocol(noise: list[bytes], spooled: bool) -> None:
    rig = Rig([Table(1, 2, 2, [LogOp.FLOAT8, LogOp.TEXT, LogOp.BITS], [0, 0, 0], [0, 1, 0])])
    rig.message(begin(1))
    rig.decoder.spooling = spooled
    with contextlib.suppress(WireError):
        for data in noise:
            rig.message(b"I\0\0\0\1" + data)
            rig.message(data)
            rig.decoder.message(data)
    other = LogDecoder(0)
    other.begin_replay(1, [])
    with contextlib.suppress(WireError):
        other.replay(b"".join(noise), 0, MANY, MANY)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([b"I\0\0\0\1N\0\0"], "outside of a transaction"),
        ([commit(1)], "outside of a transaction"),
        ([begin(1), begin(2)], "within another"),
        ([begin(1), b"I\0\0\0\7N\0\0"], "not described"),
        ([begin(1), b"I\0\0\0\1N\0\1"], "as many columns"),
        ([begin(1), b"I\0\0\0\1N\0\2b\0\0\0\1xn"], "binary column"),
        ([begin(1), b"I\0\0\0\1N\0\2nn\0"], "behind its last tuple"),
        ([begin(1), b"I\0\0\0\1N\0\2nt\x7f\xff\xff\xff"], "before its last column"),
        ([begin(1), b"U\0\0\0\1N\0\2un"], "does not hold the key"),
        ([begin(1)[:-1]], "not as long"),
    ],
)
def test_each_problem_has_its_words(messages: list[bytes], problem: str) -> None:
    rig = Rig([Table(1, 2, 2, [LogOp.TEXT] * 3, [0] * 3, [0, 1, 0])])
    *before, last = messages
    for message in before:
        rig.message(message)
    with pytest.raises(WireError, match=problem):
        rig.message(last)


def test_a_keepalive_moves_the_position_outside_of_transactions_alone() -> None:
    def keepalive(lsn: int, *, reply: bool) -> bytes:
        return b"k" + struct.pack("!QqB", lsn, 0, reply)

    rig = Rig([])
    rig.decoder.message(keepalive(40, reply=False))
    assert (rig.decoder.position, rig.decoder.reply_wanted) == (40, False)
    rig.message(begin(50))
    rig.decoder.message(keepalive(60, reply=True))
    assert (rig.decoder.position, rig.decoder.received, rig.decoder.reply_wanted) == (40, 60, True)
    rig.message(commit(50))
    assert (rig.decoder.position, rig.decoder.transactions) == (58, 0)


@pytest.mark.parametrize(
    ("text", "scale", "number"),
    [
        ("$0.00", 2, "0.00"),
        ("-$12,345.60", 2, "-12345.60"),
        ("$12.34", 0, "1234"),
        ("$0.05", 3, "0.005"),
        ("-$92,233,720,368,547,758.08", 4, "-922337203685477.5808"),
    ],
)
def test_an_amount_gets_the_digits_of_its_locale(text: str, scale: int, number: str) -> None:
    assert money(text.encode(), scale) == number.encode()
    rig = Rig([Table(1, 1, 1, [LogOp.MONEY], [scale], [0])])
    rig.message(begin(1))
    rig.message(change(Op.INSERT, 1, [text.encode()], None))
    rig.take()
    assert rig.events[1][0][2] == [number.encode()]


def test_a_time_loses_its_offset() -> None:
    assert instant(b"2020-01-01 00:00:00+00") == b"2020-01-01 00:00:00"
    with pytest.raises(WireError):
        instant(b"2020-01-01 00:00:00+01")
