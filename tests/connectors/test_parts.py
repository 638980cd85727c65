"""A stream's parts in a target: each has its own checkpoint, and all have one fence."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from mainstem.contract.apply import Applier
from mainstem.errors import TakenOverError
from mainstem.model.change import Op, Truncate
from mainstem.model.names import TableId
from mainstem.model.stream import Checkpoint, StoredStream, StreamPart
from tests.connectors.fencing import ID, SOURCE, Place
from tests.native.net_oracle import Event, changes_of

OTHER = TableId("there", "u")


def insert(place: Place, applier: Applier, *numbers: int) -> None:
    events = [Event(Op.INSERT, None, (b"%d" % number,)) for number in numbers]
    applier.apply([changes_of(events, 1, (0,), SOURCE)], {SOURCE: place.table})


def test_parts_commit_each_by_itself_and_become_one_again(place: Place, closing: ExitStack) -> None:
    place.begin_stream(1)
    target = place.changes(1)
    book = closing.enter_context(target.book(ID))
    stored = book.load()
    assert stored is not None
    assert book.parts() == ()
    whole = closing.enter_context(target.applier(ID))
    at = Checkpoint("5", 3, 4, 1_700_000_000_000_000)
    book.divide(StoredStream(stored.origin, at, stored.tables), [[SOURCE], [OTHER]])
    assert book.load() == StoredStream(stored.origin, at, stored.tables)
    assert book.parts() == (StreamPart(at, (SOURCE,)), StreamPart(at, (OTHER,)))
    first, second = (closing.enter_context(target.applier(ID, part)) for part in (0, 1))
    for applier in (first, second):
        applier.begin()
    insert(place, first, 1)
    insert(place, second, 2)
    first.commit(Checkpoint("6", 4))
    assert place.rows() == [1]
    second.rollback()
    assert [part.checkpoint for part in book.parts()] == [Checkpoint("6", 4), at]
    second.begin()
    insert(place, second, 3)
    second.commit(Checkpoint("7", 5))
    book.divide(StoredStream(stored.origin, Checkpoint("7", 5), stored.tables), [])
    assert book.parts() == ()
    whole.begin()
    insert(place, whole, 4)
    whole.commit(Checkpoint("8", 6))
    assert place.rows() == [1, 3, 4]
    book.drop()
    assert (book.load(), book.parts()) == (None, ())


def test_what_went_well_can_be_taken_back(place: Place, closing: ExitStack) -> None:
    place.begin_stream(0)
    applier = closing.enter_context(place.changes(0).applier(ID))
    applier.begin()
    insert(place, applier, 1)
    insert(place, applier, *range(100, 1100))
    applier.undo()
    insert(place, applier, 2)
    applier.truncate(Truncate((SOURCE,)), {SOURCE: place.table})
    applier.undo()
    applier.commit(Checkpoint("1", 1))
    assert place.rows() == [1, 2]


def test_no_part_of_a_stream_that_was_taken_over_is_committed(place: Place, closing: ExitStack) -> None:
    place.begin_stream(1)
    with place.changes(1).book(ID) as book:
        stored = book.load()
        assert stored is not None
        book.divide(stored, [[SOURCE], [OTHER]])
    parts = [closing.enter_context(place.changes(1).applier(ID, part)) for part in (0, 1)]
    for part in parts:
        part.begin()
        insert(place, part, 1)
    parts[0].commit(Checkpoint("1", 1))
    place.raise_fence("stream", 2)
    with pytest.raises(TakenOverError):
        parts[1].commit(Checkpoint("1", 1))
    parts[1].rollback()
    with place.changes(2).book(ID) as book:
        assert [part.checkpoint.position for part in book.parts()] == ["1", "0"]
        book.divide(stored, [])
    with pytest.raises(TakenOverError):
        place.changes(1).applier(ID, 1)
    assert place.rows() == [1]
