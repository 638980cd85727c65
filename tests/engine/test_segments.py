"""Changes of several groups as one, filtered, halved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.memory import Event, changes, events_of, table_id

from mainstem.engine.segments import Changes, Operations, apply_in_halves, count, halves, join, tally
from mainstem.errors import MainstemError, RowError
from mainstem.model.change import Op, RowChanges, Truncate
from mainstem.model.run import ChangeOptions

EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(list(Op)), st.sampled_from("123"), st.sampled_from(["x", None])),
    max_size=12,
)


@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_runs_that_are_joined_keep_the_order_of_their_events(runs: list[list[Event]]) -> None:
    joined = join([changes(list(enumerate(run))) for run in runs])
    assert events_of(joined) == [_told(event) for run in runs for event in run]
    assert len({part.table for part in joined}) == len(joined)
    assert count(joined) == sum(map(len, runs))


def _told(event: Event) -> Event:
    table, op, key, value = event
    return table, op, key, value


@given(EVENTS.filter(lambda events: len(events) > 1))
def test_halves_are_all_and_neither_is_empty(events: list[Event]) -> None:
    first, second = halves(changes(list(enumerate(events))))
    assert events_of(first) + events_of(second) == events
    assert events_of(first)
    assert events_of(second)


@given(EVENTS, st.sets(st.integers(0, 11)), st.sampled_from(["never", "truly", "wrongly"]))
def test_all_but_the_refused_events_are_applied_in_order(events: list[Event], bad: set[int], named: str) -> None:
    applied: list[int] = []
    refused: list[int] = []

    def numbers(parts: Changes) -> list[int]:
        return sorted(number for part in parts for number in part.seqs.to_pylist() if number is not None)

    def apply(parts: Changes) -> None:
        found = numbers(parts)
        if bad & set(found):
            culprit = min(bad & set(found))
            raise RowError("refused", seq={"never": None, "truly": culprit, "wrongly": culprit + 1}[named])
        applied.extend(found)

    def put_aside(event: RowChanges, error: MainstemError) -> None:
        refused.extend(numbers((event,)))

    if events:
        apply_in_halves(changes(list(enumerate(events))), apply, put_aside, (RowError,))
    everything = set(range(len(events)))
    assert applied == sorted(everything - bad)
    assert refused == sorted(everything & bad)


@given(EVENTS)
def test_only_wanted_operations_are_left(events: list[Event]) -> None:
    options = ChangeOptions(operations=("insert",), table_operations={"b": ("delete", "update"), "s.c": ()})
    wanted = {"a": {Op.INSERT}, "b": {Op.DELETE, Op.UPDATE}, "c": set[Op]()}
    operations = Operations(options)
    kept = [part for item in changes(list(enumerate(events))) if (part := operations.wanted(item)) is not None]
    assert events_of(kept) == [event for event in events if event[1] in wanted[event[0]]]
    assert operations.wanted_truncate(Truncate((table_id("a"),))) is None


@given(EVENTS)
def test_events_are_counted_by_kind(events: list[Event]) -> None:
    for part in changes(list(enumerate(events))):
        own = [event for event in events if event[0] == part.table.name]
        assert tally(part) == {op: sum(event[1] is op for event in own) for op in {event[1] for event in own}}
