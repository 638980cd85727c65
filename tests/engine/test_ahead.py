"""A transaction that is told ahead of its end, by a log that follows a script, into a target in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from tests.engine.memory import Event, MemoryLog, MemoryStream, changes, ends, options, stream_table, table_id
from tests.engine.memory_target import MemoryTarget

from mainstem import failpoints
from mainstem.contract.changes import GroupLimits
from mainstem.engine.replication import Replication
from mainstem.errors import CancelledError, LostConnectionError, RowError, TransientError
from mainstem.hub.memory import MemoryHub
from mainstem.model.change import ChangeGroup, Idle, Op, Truncate
from mainstem.model.run import ChangeErrorPolicy, ChangeOptions, Progress, RunOptions, RunState
from mainstem.model.stream import StreamTable

FIRST = [("a", Op.INSERT, "1", "x"), ("b", Op.INSERT, "1", "x")]
SECOND = [("a", Op.UPDATE, "1", "y"), ("a", Op.INSERT, "2", "x")]
OTHER = [("a", Op.INSERT, "7", "x")]
ALL = {"a": {"1": "y", "2": "x", "7": "x"}, "b": {"1": "x"}}
WITHOUT = {"a": {"7": "x"}, "b": {}}


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def piece(events: Sequence[Event], number: int = 1) -> ChangeGroup:
    return ChangeGroup(changes(list(enumerate(events))), whole=False, ahead=number)


def others(position: str, events: Sequence[Event] = OTHER) -> ChangeGroup:
    now_us = time.time_ns() // 1000
    return ChangeGroup(changes(list(enumerate(events))), True, 1, position, now_us, now_us)


class Told(MemoryStream):
    """Tells a script, once, and then that it is at the end."""

    def __init__(self, log: Script, limits: GroupLimits) -> None:
        super().__init__(log, 0, ())
        self.script, self.limits = log, limits

    def groups(self) -> Iterator[ChangeGroup | Idle]:
        yield from self.script.tell(self)
        self.script.told.set()
        while not self._interrupted:
            yield Idle(self.script.end, 0)
            time.sleep(0.01)
        raise CancelledError("interrupted")

    def answer(self, number: int, taken: bool) -> None:
        with self._log.changed:
            self.script.answers[number] = taken
            self._log.changed.notify_all()

    def commits(self, position: str, again: Sequence[Event], number: int = 1) -> Iterator[ChangeGroup]:
        """The end of what was told ahead; all of it comes again if it is not taken."""
        now_us = time.time_ns() // 1000
        if number not in self.script.answers:
            yield ChangeGroup((), True, 1, position, now_us, now_us, ahead=number)
        wait(lambda: number in self.script.answers or self._interrupted)
        if not self.script.answers.get(number, True):
            yield others(position, again)


class Script(MemoryLog):
    """What is told, how it ends, and what was answered."""

    def __init__(self, tell: Callable[[Told], Iterator[ChangeGroup | Idle]], end: str) -> None:
        super().__init__()
        self.tell, self.end = tell, end
        self.answers: dict[int, bool] = {}
        self.told = threading.Event()

    def stream(
        self, origin: str, position: str, tables: Sequence[StreamTable], limits: GroupLimits, keep: str = ""
    ) -> Told:
        assert limits.ahead
        return Told(self, limits)


class Run:
    """A script and what becomes of it."""

    def __init__(self, tell: Callable[[Told], Iterator[ChangeGroup | Idle]], opts: RunOptions | None = None) -> None:
        self.log = Script(tell, "2")
        self.target = MemoryTarget([stream_table("a"), stream_table("b")])
        source, target = ends(self.log, self.target)
        self.replication = Replication("r", source, target, opts or options(), lambda _: None, MemoryHub)

    @contextmanager
    def running(self) -> Iterator[Replication]:
        done: list[Progress] = []
        thread = threading.Thread(target=lambda: done.append(self.replication.run()))
        thread.start()
        try:
            yield self.replication
        finally:
            self.replication.stop()
            thread.join(10)
            assert not thread.is_alive()
        assert done[0].state is RunState.STOPPED
        self.ended = done[0]

    def at(self, position: str) -> bool:
        stored = self.target.now.stored
        return stored is not None and stored.checkpoint.position == position


def usual(stream: Told) -> Iterator[ChangeGroup]:
    yield piece(FIRST)
    yield others("1")
    yield piece(SECOND)
    yield from stream.commits("2", FIRST + SECOND)


def test_it_is_seen_whole_and_others_before_it() -> None:
    seen = []

    def tell(stream: Told) -> Iterator[ChangeGroup]:
        yield piece(FIRST)
        yield others("1")
        wait(lambda: run.at("1"))
        seen.append(run.target.now.tables)
        yield piece(SECOND)
        yield from stream.commits("2", FIRST + SECOND)

    run = Run(tell)
    with run.running() as replication:
        wait(lambda: run.at("2"))
        wait(run.log.told.is_set)
        progress = replication.progress()
    assert seen == [WITHOUT]
    assert run.target.now.tables == ALL
    assert (run.log.answers, run.log.confirmed, run.target.commits) == ({1: True}, [1, 2], 2)
    assert run.target.now.stored is not None
    assert (run.target.now.stored.checkpoint.transactions, run.target.now.stored.checkpoint.events) == (2, 5)
    assert [(table.inserts, table.updates) for table in progress.tables] == [(3, 1), (1, 0)]


def test_it_is_forgotten_when_the_source_rolls_it_back() -> None:
    def tell(stream: Told) -> Iterator[ChangeGroup]:
        yield piece(FIRST)
        yield ChangeGroup((), whole=False, ahead=1)
        yield others("1")
        yield piece(SECOND[1:], number=2)
        yield from stream.commits("2", SECOND[1:], number=2)

    run = Run(tell)
    with run.running():
        wait(lambda: run.at("2"))
        wait(run.log.told.is_set)
    assert run.target.now.tables == {"a": {"7": "x", "2": "x"}, "b": {}}
    assert run.log.answers == {2: True}


def _truncated(stream: Told) -> Iterator[ChangeGroup]:
    yield piece(FIRST)
    yield ChangeGroup((Truncate((table_id("b"),)), *others("1").parts), True, 1, "1", 1, 1)
    yield from stream.commits("2", FIRST + SECOND)


def _in_pieces(stream: Told) -> Iterator[ChangeGroup]:
    yield piece(FIRST)
    yield ChangeGroup(changes(list(enumerate(OTHER))), whole=False)
    yield others("1", [("a", Op.UPDATE, "7", "x")])
    yield from stream.commits("2", FIRST + SECOND)


@pytest.mark.parametrize("tell", [_truncated, _in_pieces])
def test_it_is_given_up_ahead_of_what_cannot_be_tried_twice(tell: Callable[[Told], Iterator[ChangeGroup]]) -> None:
    run = Run(tell)
    with run.running():
        wait(lambda: run.at("2"))
    assert run.target.now.tables == ALL
    assert run.log.answers == {1: False}


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("ahead", LostConnectionError("gone")),
        ("apply", TransientError("deadlock")),
        ("apply", LostConnectionError("gone")),
        ("commit ahead", TransientError("deadlock")),
    ],
)
def test_trouble_with_it_is_no_trouble_for_the_stream(method: str, error: Exception) -> None:
    run = Run(usual)
    run.target.errors[method] = [error]  # type: ignore[list-item]
    with run.running() as replication:
        wait(lambda: run.at("2"))
        assert not replication.progress().alerts
    assert run.target.now.tables == ALL
    assert (run.log.answers, run.target.commits) == ({1: False}, 2)


def test_it_is_given_up_when_another_one_does_not_get_through() -> None:
    run = Run(usual)
    refused = iter([TransientError("a lock was not got in time")])
    run.target.refuse = lambda event: next(refused, None) if event == OTHER[0] else None
    with run.running():
        wait(lambda: run.at("2"))
    assert run.target.now.tables == ALL
    assert run.log.answers == {1: False}


def test_a_refused_row_is_dealt_with_behind_the_commit() -> None:
    run = Run(usual, options(changes=ChangeOptions(row_errors=ChangeErrorPolicy.QUARANTINE)))
    run.target.refuse = lambda event: RowError("too long") if event == SECOND[1] else None
    with run.running():
        wait(lambda: run.at("2"))
    assert run.target.now.tables == {"a": {"1": "y", "7": "x"}, "b": {"1": "x"}}
    assert [letter.key for letter in run.target.now.letters] == ["id=2"]


def idles_until_answered(stream: Told) -> Iterator[Idle]:
    """Nothing comes, until the writer has said what became of the first transaction."""
    while 1 not in stream.script.answers:
        yield Idle("1", 0)
        time.sleep(0.005)


def test_it_does_not_rest_in_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.engine.ahead.REST_S", 0.0)

    def tell(stream: Told) -> Iterator[ChangeGroup | Idle]:
        yield piece(FIRST)
        yield from idles_until_answered(stream)
        yield from stream.commits("2", FIRST)

    run = Run(tell)
    with run.running():
        wait(lambda: run.at("2"))
    assert run.log.answers == {1: False}
    assert run.target.now.tables == {"a": {"1": "x"}, "b": {"1": "x"}}


def test_it_does_not_outlast_a_pause() -> None:
    def tell(stream: Told) -> Iterator[ChangeGroup | Idle]:
        yield piece(FIRST)
        wait(lambda: run.target.applied == 1)
        run.replication.pause()
        yield from idles_until_answered(stream)
        run.replication.resume()
        yield from stream.commits("2", FIRST)

    run = Run(tell)
    with run.running():
        wait(lambda: run.at("2"))
    assert run.log.answers == {1: False}
    assert run.target.now.tables == {"a": {"1": "x"}, "b": {"1": "x"}}


@pytest.mark.parametrize("point", ["ahead.applied", "ahead.before_commit", "ahead.committed"])
def test_a_lost_connection_anywhere_loses_and_repeats_nothing(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(stream: Told) -> Iterator[ChangeGroup]:
        if run.at("2"):
            return
        if not run.at("1"):
            yield others("1")
        number = run.log.opened.count("here")
        yield piece(FIRST, number)
        yield piece(SECOND, number)
        yield from stream.commits("2", FIRST + SECOND, number)

    monkeypatch.setattr(failpoints, "_points", {point: ("error", 1)})
    monkeypatch.setattr(failpoints, "_passes", {})
    monkeypatch.setattr("mainstem.engine.retry.Backoff.delay", lambda self: 0.01)
    run = Run(tell)
    with run.running():
        wait(lambda: run.at("2"))
        wait(run.log.told.is_set)
    assert run.target.now.tables == ALL
    assert (run.target.commits, sum(table.missing for table in run.ended.tables)) == (2, 0)
