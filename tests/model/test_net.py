"""A net of changes does what the changes do one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.errors import WireError
from mainstem.model.change import Op, RowChanges
from mainstem.model.names import TableId
from mainstem.model.net import Partial, count_rows, net, soften
from mainstem.native.compact import compact
from tests.native.drive import patient
from tests.native.net_oracle import (
    Event,
    Row,
    Table,
    apply_bag,
    apply_net,
    apply_one,
    apply_tally,
    changes_of,
    key_of,
    rows_of,
)

WIDTH = 4
KEY = (2, 0)
INSERT, UPDATE, DELETE = Op.INSERT, Op.UPDATE, Op.DELETE


def row(key: int, value: bytes | None = b"v", other: bytes | None = b"w") -> Row:
    return (b"k%d" % (key % 3), value, b"long key %d" % key, other)


rows = st.builds(row, st.integers(0, 4), st.sampled_from([b"", b"a", b"b", None]), st.sampled_from([b"x", b"y", None]))
absences = st.sampled_from([frozenset[int]()] * 3 + [frozenset({1}), frozenset({3}), frozenset({1, 3}), frozenset({0})])


@st.composite
def histories(draw: st.DrawFn) -> tuple[Table, list[Event]]:
    """Rows that are there, and events that speak of them truly, or, now and then, of rows that are not there."""
    start: Table = {key_of(one, KEY): one for one in draw(st.lists(rows, max_size=4))}
    now, events = dict(start), []
    for _ in range(draw(st.integers(0, 12))):
        op = draw(st.sampled_from(Op))
        known = st.sampled_from(sorted(now)) if now and draw(st.integers(0, 5)) else rows.map(lambda r: key_of(r, KEY))
        before = None if op is INSERT else draw(known)
        after = None if op is DELETE else draw(rows)
        if op is UPDATE and before is not None and after is not None and draw(st.booleans()):
            after = (before[1], after[1], before[0], after[3])
        absent = draw(absences) if op is UPDATE else frozenset[int]()
        if absent and before is not None and after is not None and after[0] != before[1]:
            absent -= {0}
        event = Event(op, before, after, absent)
        apply_one(now, event, KEY)
        events.append(event)
    return start, events


@patient
@given(histories(), st.integers(0, 3), st.integers(0, 3))
def test_a_net_does_what_the_events_do_one_by_one(history: tuple[Table, list[Event]], head: int, tail: int) -> None:
    start, events = history
    more = [Event(DELETE, key_of(row(1), KEY))]
    padded = changes_of([*more * head, *events, *more * tail], WIDTH, KEY)
    found = net(padded.slice(head, len(events)), KEY, distinct=True)
    expected, result = dict(start), dict(start)
    for event in events:
        apply_one(expected, event, KEY)
    if found is None:
        assert any(event.absent and key_of(event.after or (), KEY) != event.before for event in events)
        return
    apply_net(result, found, KEY)
    assert result == expected


def test_events_of_a_key_come_to_one_row() -> None:
    a, b, c, d, e = (row(number) for number in range(5))
    keys = [key_of(one, KEY) for one in (a, b, c, d, e)]
    events = [
        Event(INSERT, after=a), Event(UPDATE, keys[0], row(0, b"new")),  # a row that is new
        Event(UPDATE, keys[1], row(1, b"x")), Event(UPDATE, keys[1], row(1, b"y")),
        Event(DELETE, keys[2]), Event(INSERT, after=row(2, b"again")),
        Event(INSERT, after=d), Event(DELETE, keys[3]),
        Event(UPDATE, keys[4], row(0 + 4, b"z")), Event(DELETE, keys[4]),
    ]  # fmt: skip
    found = net(changes_of(events, WIDTH, KEY), KEY)
    assert found is not None
    assert rows_of(found.inserts) == [row(0, b"new")]
    assert rows_of(found.updates) == [row(1, b"y"), row(2, b"again")]
    assert rows_of(found.deletes) == [keys[4]]
    assert rows_of(found.vanished) == [keys[3]]
    assert (found.partials, found.moves) == ((), 0)


def test_a_key_that_moves_is_a_delete_and_an_insert_and_swaps_are_updates() -> None:
    one, two, three = (row(number) for number in range(3))
    k1, k2 = key_of(one, KEY), key_of(two, KEY)
    moved = net(changes_of([Event(UPDATE, k1, three)], WIDTH, KEY), KEY)
    assert moved is not None
    assert (rows_of(moved.deletes), rows_of(moved.inserts), moved.moves) == ([k1], [three], 1)
    swap = [Event(UPDATE, k1, three), Event(UPDATE, k2, row(0, b"2")), Event(UPDATE, key_of(three, KEY), row(1, b"1"))]
    swapped = net(changes_of(swap, WIDTH, KEY), KEY)
    assert swapped is not None
    assert rows_of(swapped.updates) == [row(0, b"2"), row(1, b"1")]
    assert (rows_of(swapped.deletes), rows_of(swapped.inserts)) == ([], [])
    assert rows_of(swapped.vanished) == [key_of(three, KEY)]
    assert swapped.moves == 3


def test_a_cell_that_the_log_lacks_is_taken_from_the_event_that_has_it_or_stays_unknown() -> None:
    k1, k2 = key_of(row(1), KEY), key_of(row(2), KEY)
    events = [
        Event(INSERT, after=row(1, b"big")), Event(UPDATE, k1, row(1, None, b"new"), frozenset({1})),
        Event(UPDATE, k2, row(2, None, b"p"), frozenset({1})), Event(UPDATE, k2, row(2, None, b"q"), frozenset({1})),
    ]  # fmt: skip
    found = net(changes_of(events, WIDTH, KEY), KEY)
    assert found is not None
    assert rows_of(found.inserts) == [row(1, b"big", b"new")]
    (partial,) = found.partials
    assert isinstance(partial, Partial)
    assert partial.columns == (0, 2, 3)
    assert rows_of(partial.rows) == [(row(2)[0], row(2)[2], b"q")]


@pytest.mark.parametrize(
    "event",
    [
        Event(UPDATE, key_of(row(1), KEY), row(2, None), frozenset({1})),
        Event(INSERT, after=row(2, None), absent=frozenset({1})),
    ],
)
def test_what_only_the_target_can_complete_is_left_to_the_order_of_events(event: Event) -> None:
    assert net(changes_of([event], WIDTH, KEY), KEY) is None


def test_inserts_alone_are_handed_on_as_they_are() -> None:
    changes = changes_of([Event(INSERT, after=row(number % 2)) for number in range(4)], WIDTH, KEY)
    found = net(changes, KEY)
    assert found is not None
    assert found.inserts is changes.after
    distinct = net(changes, KEY, distinct=True)
    assert distinct is not None
    assert rows_of(distinct.inserts) == [row(0), row(1)]


bags = st.lists(
    st.tuples(
        st.sampled_from(Op),
        st.sampled_from([(b"1", None), (None, b"1"), (b"1", b"")]),
        st.sampled_from([(b"1", None), (b"", b"1"), (b"1", b"")]),
    ),
    max_size=12,
)


@patient
@given(bags)
def test_rows_without_a_key_are_counted(bag: list[tuple[Op, Row, Row]]) -> None:
    events = [Event(op, None if op is INSERT else old, None if op is DELETE else new) for op, old, new in bag]
    expected: Counter[Row] = Counter()
    apply_bag(expected, events)
    result: Counter[Row] = Counter()
    apply_tally(result, count_rows(changes_of(events, 2, (0, 1))))
    assert {key: count for key, count in result.items() if count} == {
        key: count for key, count in expected.items() if count
    }


def test_a_delete_that_keeps_its_row_is_an_update_of_one_column() -> None:
    k1, k2 = key_of(row(1), KEY), key_of(row(2), KEY)
    events = [Event(INSERT, after=row(1)), Event(DELETE, k1), Event(DELETE, k2)]
    found = net(soften(changes_of(events, WIDTH, KEY), KEY, b"now"), KEY)
    assert found is not None
    assert rows_of(found.inserts) == [(*row(1), b"now")]
    (partial,) = found.partials
    assert partial.columns == (0, 2, 4)
    assert rows_of(partial.rows) == [(row(2)[0], row(2)[2], b"now")]
    assert found.deletes.num_rows == 0


def test_of_equal_rows_without_a_key_one_is_marked_deleted() -> None:
    events = [Event(INSERT, after=(b"1", b"x")), Event(DELETE, (b"1", b"x"))]
    found = count_rows(soften(changes_of(events, 2, (0, 1)), None, b"now"))
    assert rows_of(found.added) == [(b"1", b"x", b"now")]
    assert found.removed.num_rows == 0


@patient
@given(
    st.binary(max_size=6), st.lists(st.binary(max_size=40) | st.none(), min_size=3, max_size=3), st.integers(0, 6),
    st.integers(0, 3),
)  # fmt: skip
def test_any_buffers_are_read_or_refused(ops: bytes, buffers: list[bytes | None], count: int, first: int) -> None:
    column = (buffers[0], buffers[1] or b"", buffers[2], first)
    try:
        compact(ops, 0, count, [column], [column], [(buffers[0] or b"", first)])
    except WireError:
        return


def test_an_unknown_operation_is_refused() -> None:
    changes = changes_of([Event(INSERT, after=row(1))], WIDTH, KEY)
    wrong: RowChanges = replace(changes, ops=pa.array([4], pa.uint8()), table=TableId("", "t"))
    with pytest.raises(WireError, match="operation"):
        net(wrong, KEY)
