"""Whatever a process believes that it may do: what another one has taken over, it changes no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.contract.target import Ledger
from mainstem.errors import ConflictError, LostConnectionError, MainstemError, TakenOverError
from mainstem.model.frame import Chunk
from mainstem.model.plan import Phase, Statement
from mainstem.model.stream import Checkpoint, StoredStream
from tests.connectors.fencing import CHUNK, FAR_APART, ID, SOURCE, Holder, Place, batch_of

OVER = (TakenOverError, LostConnectionError)
"""What a holder of before meets: its session is ended, and the next one is refused."""


def holder(place: Place, token: int, stack: ExitStack) -> Holder:
    made = Holder(place, token)
    stack.callback(made.close)
    return made.open()


def before(first: Holder) -> None:
    """Nothing is under way."""


def in_a_transaction(first: Holder) -> None:
    first.begin()
    first.apply(1)


def in_pieces(first: Holder) -> None:
    first.begin()
    for start in range(0, 3000, 1000):
        first.apply(*range(start, start + 1000))


def go_on(first: Holder, *, begun: bool) -> None:
    if not begun:
        first.begin()
    first.apply(1)
    first.commit()


@pytest.mark.parametrize("moment", [before, in_a_transaction, in_pieces])
def test_who_has_lost_a_stream_commits_nothing(
    place: Place, closing: ExitStack, moment: Callable[[Holder], None]
) -> None:
    place.begin_stream(3)
    first = holder(place, 3, closing)
    moment(first)
    second = holder(place, 4, closing)  # waits for nobody: the first one's session is gone
    with pytest.raises(OVER):
        go_on(first, begun=moment is not before)
    first.close()
    with pytest.raises(TakenOverError, match="has taken this stream over"):
        first.open()
    second.next()
    third = holder(place, 5, closing)
    third.next()
    with pytest.raises(OVER):
        second.next()
    assert place.rows() == [1, 2]


def test_a_commit_looks_at_the_fence_itself(place: Place, closing: ExitStack) -> None:
    place.begin_stream(1)
    first = holder(place, 1, closing)
    first.next()
    first.begin()
    first.apply(2)
    place.raise_fence("stream", 2)
    with pytest.raises(TakenOverError, match="taken this stream over"):
        first.commit()
    first.applier.rollback()
    with pytest.raises(TakenOverError):
        place.changes(1).book(ID)
    assert place.rows() == [1]


def test_the_book_of_a_stream_is_the_last_holders(place: Place) -> None:
    place.begin_stream(1)
    with place.changes(1).book(ID) as book:
        place.raise_fence("stream", 2)
        with pytest.raises(TakenOverError):
            book.save(place.table)
        with pytest.raises((TakenOverError, ConflictError)):
            book.create(StoredStream("{}", Checkpoint("0"), ()))
    with place.changes(0).book(ID) as book:  # who looks, and claims nothing
        assert book.load() is not None
        book.drop()
    place.begin_stream(1)


def load(place: Place, ledger: Ledger) -> None:
    ledger.open("{}")
    ledger.plan(SOURCE, [CHUNK, Chunk(SOURCE, 1)])


@pytest.mark.parametrize("fence_alone", [True, False])
def test_who_has_lost_a_run_makes_no_chunk_durable(place: Place, closing: ExitStack, fence_alone: bool) -> None:
    load(place, closing.enter_context(place.target(1).ledger(ID)))
    stale = closing.enter_context(place.target(1).loader(ID))
    stale.begin(place.plan, CHUNK, quarantine=None)
    stale.write(batch_of([1, 2]))
    if fence_alone:
        place.raise_fence("run", 2)
        with pytest.raises(TakenOverError):
            stale.commit(2)
    else:
        closing.enter_context(place.target(2).ledger(ID))
        with pytest.raises(OVER):
            stale.commit(2)
    stale.rollback()
    with place.target(2).ledger(ID) as ledger, place.target(2).loader(ID) as loader:
        assert [record.done for record in ledger.chunks(SOURCE)] == [False, False]
        loader.begin(place.plan, CHUNK, quarantine=None)
        loader.write(batch_of([1, 2]))
        assert loader.commit(2).rows_written == 2
    with pytest.raises(TakenOverError):
        place.target(1).ledger(ID)
    assert place.rows() == [1, 2]


def test_the_book_of_a_run_is_the_last_holders(place: Place) -> None:
    step = Statement(Phase.TABLES, "CREATE TABLE made (v int)", "made")
    with place.target(1).ledger(ID) as ledger, place.target(1).builder(ID) as builder:
        load(place, ledger)
        place.raise_fence("run", 2)
        for write in (
            lambda: ledger.open("{}"),
            lambda: ledger.plan(SOURCE, [Chunk(SOURCE, 2)]),
            lambda: ledger.forget(SOURCE, place.plan.target),
            lambda: ledger.note("a note"),
            lambda: ledger.finish(keep=False),
            lambda: builder.apply(step),
        ):
            with pytest.raises(TakenOverError):
                write()
        assert (len(ledger.chunks(SOURCE)), ledger.notes()) == (2, set())
        with place.target(2).ledger(ID) as next_one:
            next_one.finish(keep=False)
        for write in (lambda: ledger.note("a note"), lambda: builder.apply(step)):
            with pytest.raises(OVER):
                write()
    with place.target(0).ledger(ID) as anybody:
        assert anybody.known_plan() == ""
        load(place, anybody)
        with place.target(0).builder(ID) as builder:
            builder.apply(step)
    assert place.run("SELECT * FROM made") == []


def test_the_sessions_of_a_former_holder_are_ended_and_of_nobody_else(place: Place, closing: ExitStack) -> None:
    def locked(target_token: int, run: str) -> None:
        ledger = closing.enter_context(place.target(target_token).ledger(run))
        load(place, ledger)
        loader = closing.enter_context(place.target(target_token).loader(run))
        loader.begin(place.plan, CHUNK, quarantine=None)
        loader.write(batch_of([1]))
        kept.append(loader)

    kept: list[object] = []
    locked(1, ID)
    locked(1, "another")
    locked(0, "of nobody in particular")
    own = [closing.enter_context(place.target(2).loader(ID)) for _ in range(3)]
    closing.enter_context(place.target(2).ledger(ID))
    closing.enter_context(place.target(2).ledger(ID))
    stale, *others = kept
    with pytest.raises(OVER):
        stale.commit(1)  # type: ignore[attr-defined]
    for loader in others:
        assert loader.commit(1).rows_written == 1  # type: ignore[attr-defined]
    own[0].begin(place.plan, CHUNK, quarantine=None)
    own[0].write(batch_of([1]))
    assert own[0].commit(1).rows_written == 1


def test_books_of_an_earlier_version_get_a_fence(place: Place, closing: ExitStack) -> None:
    place.begin_stream(0)
    load(place, closing.enter_context(place.target(0).ledger(ID)))
    for table in ("stream", "run"):
        place.run(f"ALTER TABLE {place.books}{table} DROP COLUMN fence")
    closing.enter_context(place.target(7).ledger(ID))
    holder(place, 7, closing).next()
    assert [place.run(f"SELECT MAX(fence) FROM {place.books}{table}") for table in ("stream", "run")] == [
        [(7 * FAR_APART,)],
        [(7 * FAR_APART,)],
    ]


def test_a_connection_that_an_earlier_try_left_behind_does_not_keep_the_next_one_out(
    place: Place, closing: ExitStack
) -> None:
    place.begin_stream(1)
    lost = holder(place, 1, closing)
    lost.begin()
    lost.apply(1)
    began = time.monotonic()
    holder(place, 1, closing).next()
    assert time.monotonic() - began < 30
    assert place.rows() == [1]


STEPS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["open", "apply", "commit", "again"])), max_size=14)


@given(steps=STEPS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_change_is_applied_once_however_two_holders_take_turns(place: Place, steps: list[tuple[int, str]]) -> None:
    with place.changes(0).book(ID) as book:
        book.drop()
    place.run("DELETE FROM t")
    place.begin_stream(0)
    tokens = iter(range(1, 100))
    holders: list[Holder | None] = [None, None]
    under_way: list[Holder | None] = []
    with ExitStack() as stack:

        def fresh(who: int, token: int) -> None:
            old = holders[who]
            if old is not None:
                old.close()
                if old in under_way:
                    under_way.remove(old)
            holders[who] = None
            holders[who] = holder(place, token, stack)

        for who, step in steps:
            now = holders[who]
            try:
                if step == "open":
                    fresh(who, next(tokens))
                elif now is not None and step == "again":
                    fresh(who, now.token)
                elif now is not None and step == "apply" and now not in under_way:
                    now.begin()
                    under_way.append(now)
                    now.apply(now.done + 1)
                elif now is not None and step == "commit" and now in under_way:
                    now.commit()
                    under_way.remove(now)
            except MainstemError:
                if now is not None and now in under_way:
                    under_way.remove(now)
                    with suppress(MainstemError):
                        now.applier.rollback()
        fresh(0, next(tokens))
        last = holders[0]
        assert last is not None
        last.next()
    assert place.rows() == list(range(1, last.done + 1))
