"""A stream over a log and tables in memory: what is applied, and what becomes of it when anything fails."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.engine.memory import Event, MemoryLog, ends, options, stream_table, table_id
from tests.engine.memory_target import MemoryTarget

from mainstem import failpoints
from mainstem.engine.replication import Replication
from mainstem.errors import (
    LostConnectionError,
    MainstemError,
    PositionLostError,
    RowError,
    StatementError,
    TransientError,
)
from mainstem.hub.memory import MemoryHub
from mainstem.model.alert import Alert
from mainstem.model.change import Op, Truncate
from mainstem.model.event import Event as Line
from mainstem.model.run import ChangeErrorPolicy, ChangeOptions, Progress, RunOptions, RunState, TableState
from mainstem.model.stream import DeadLetter


def put(table: str, key: int, value: str = "x") -> Event:
    return table, Op.INSERT, str(key), value


def change(table: str, key: int, value: str) -> Event:
    return table, Op.UPDATE, str(key), value


def remove(table: str, key: int) -> Event:
    return table, Op.DELETE, str(key), None


class Stream:
    """A log, a target and runs between them."""

    def __init__(self, **members: object) -> None:
        self.log = MemoryLog()
        self.target = MemoryTarget([stream_table("a"), stream_table("b")])
        self.lines: list[Line] = []
        self.options = options(**members)

    def replication(self, opts: RunOptions | None = None, *, begun: bool = False) -> Replication:
        source, target = ends(self.log, self.target)
        return Replication("r", source, target, opts or self.options, self.lines.append, MemoryHub, begun=begun)

    @contextmanager
    def running(self, former: Sequence[Alert] = ()) -> Iterator[Replication]:
        """A run in a thread, behind one with these alerts; stopped at the end unless it has ended."""
        replication = self.replication()
        replication.remember(former)
        done: list[Progress] = []
        thread = threading.Thread(target=lambda: done.append(replication.run()))
        thread.start()
        try:
            yield replication
        finally:
            replication.stop()
            thread.join(60)
            assert not thread.is_alive()
        self.ended = done[0]

    def caught_up(self) -> bool:
        stored = self.target.now.stored
        return stored is not None and int(stored.checkpoint.position) == len(self.log.entries)


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def test_changes_are_applied_in_the_order_of_the_source() -> None:
    stream = Stream()
    stream.log.add([put("a", 1), put("b", 1)], [change("a", 1, "y"), remove("b", 1)], [put("a", 2)])
    with stream.running() as replication:
        wait(stream.caught_up)
        stream.log.add([remove("a", 2)])
        wait(stream.caught_up)
        wait(lambda: bool(replication.progress().changes))
        progress = replication.progress()
    assert stream.target.now.tables == {"a": {"1": "y"}, "b": {}} == stream.log.truth()
    assert stream.ended.state is RunState.STOPPED
    a = next(table for table in progress.tables if table.source == table_id("a"))
    assert (a.inserts, a.updates, a.deletes, a.state) == (2, 1, 1, TableState.STREAMING)
    assert progress.changes is not None
    assert (progress.changes.transactions, progress.changes.position, progress.stage) == (4, "4", "streaming")


def test_waiting_transactions_go_into_one_of_the_target() -> None:
    stream = Stream()
    stream.log.grouped = 1
    stream.log.add(*[[put("a", number)] for number in range(100)])
    with stream.running():
        wait(stream.caught_up)
    assert len(stream.target.now.tables["a"]) == 100
    assert stream.target.commits < 100


def test_a_huge_transaction_comes_in_pieces_and_is_seen_whole() -> None:
    stream = Stream()
    stream.log.piece_rows = 10
    stream.log.add([put("a", 0)], [put("a", number) for number in range(1, 105)], [put("b", 1)])
    seen: set[int] = set()
    stream.target.refuse = lambda event: seen.add(len(stream.target.now.tables["a"]))  # type: ignore[func-returns-value]
    with stream.running():
        wait(stream.caught_up)
    assert stream.target.now.tables == stream.log.truth()
    assert seen <= {0, 1, 105}


POINTS = (
    "stream.read", "stream.published", "stream.received", "stream.applied", "stream.before_commit", "stream.committed",
    "stream.confirmed",
)  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("piece_rows", [5, 1000])
def test_a_lost_connection_anywhere_loses_and_repeats_nothing(
    point: str, piece_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream()
    stream.log.piece_rows, stream.log.grouped = piece_rows, 2
    rng = random.Random(point)
    keys: dict[str, set[int]] = {"a": set(), "b": set()}
    for _ in range(30):
        stream.log.add([_any_event(rng, keys) for _ in range(rng.randrange(1, 12))])
    monkeypatch.setattr(failpoints, "_points", {point: ("error", 3)})
    monkeypatch.setattr(failpoints, "_passes", {})
    monkeypatch.setattr("mainstem.engine.retry.Backoff.delay", lambda self: 0.01)
    with stream.running():
        wait(stream.caught_up)
    assert stream.target.now.tables == stream.log.truth()
    assert stream.log.confirmed == sorted(stream.log.confirmed)
    assert sum(table.missing for table in stream.ended.tables) == 0


def _any_event(rng: random.Random, keys: dict[str, set[int]]) -> Event:
    table = rng.choice("ab")
    own = keys[table]
    if own and rng.random() < 0.5:
        key = rng.choice(sorted(own))
        if rng.random() < 0.5:
            own.discard(key)
            return remove(table, key)
        return change(table, key, str(rng.random()))
    key = max(own, default=0) + 1
    own.add(key)
    return put(table, key, str(rng.random()))


@pytest.mark.parametrize("method", ["begin", "apply", "commit", "committed"])
@pytest.mark.parametrize("error", [TransientError("deadlock"), LostConnectionError("gone")])
def test_what_may_pass_is_tried_again(method: str, error: MainstemError, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.engine.retry.Backoff.delay", lambda self: 0.01)
    monkeypatch.setattr("mainstem.engine.applying.RETRY_DELAY_S", 0.001)
    stream = Stream()
    stream.log.add([put("a", 1)], [remove("a", 1), put("a", 2)])
    if method == "committed" and isinstance(error, TransientError):
        pytest.skip("a commit that is done does not fail in passing")
    stream.target.errors[method] = [error]
    with stream.running():
        wait(stream.caught_up)
    assert stream.target.now.tables == stream.log.truth()
    assert stream.ended.tables[0].missing == 0


def refusing(*keys: int) -> Callable[[Event], MainstemError | None]:
    names = {str(key) for key in keys}
    return lambda event: (
        RowError("the value is too long", column="value") if event[0] == "a" and event[2] in names else None
    )


def policy(row_errors: ChangeErrorPolicy) -> ChangeOptions:
    return ChangeOptions(row_errors=row_errors)


def test_a_refused_change_is_put_aside_and_the_others_are_applied() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE))
    stream.target.refuse = refusing(3, 7)
    stream.log.add([put("a", number) for number in range(10)] + [put("b", 1)], [change("a", 4, "z"), remove("a", 5)])
    with stream.running() as replication:
        wait(stream.caught_up)
        letters = replication.letters()
    assert stream.target.now.tables["a"] == {str(k): ("z" if k == 4 else "x") for k in range(10) if k not in (3, 5, 7)}
    assert stream.target.now.tables["b"] == {"1": "x"}
    assert [(item.key, item.column, item.reason, item.number) for item in letters] == [
        ("id=3", "value", "the value is too long", 1), ("id=7", "value", "the value is too long", 2),
    ]  # fmt: skip
    a = stream.ended.tables[0]
    assert (a.letters, a.inserts, a.state) == (2, 8, TableState.STOPPED)


def test_a_table_of_which_everything_is_refused_fails_at_the_limit_of_letters() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE), row_error_limit=5)
    stream.target.refuse = refusing(*range(1000))
    stream.log.add([put("a", number) for number in range(1000)] + [put("b", 1)])
    with stream.running():
        wait(stream.caught_up)
    assert len(stream.target.now.letters) == 5
    assert stream.target.table("a").state is TableState.FAILED
    assert "put aside already" in stream.target.table("a").error
    assert stream.target.now.tables == {"a": {}, "b": {"1": "x"}}
    assert stream.target.applied < 200


def test_the_limit_of_letters_counts_those_that_lie_there_from_earlier_connections() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE), row_error_limit=5)
    stream.target.refuse = refusing(*range(1000))
    for first in (0, 3):
        stream.log.add(*[[put("a", number)] for number in range(first, first + 3)])
        with stream.running():
            wait(stream.caught_up)
        assert stream.ended.tables[0].letters == len(stream.target.now.letters) == min(first + 3, 5)
    assert stream.target.table("a").state is TableState.FAILED


def test_letters_that_were_forgotten_make_room_for_others() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE), row_error_limit=2)
    stream.target.refuse = refusing(*range(1000))
    stream.log.add([put("a", 1)], [put("a", 2)])
    with stream.running() as replication:
        wait(stream.caught_up)
        with stream.target.book("r") as book:
            book.discard([letter.number for letter in replication.letters()])
        replication.count_letters()
        wait(lambda: replication.progress().tables[0].letters == 0)
        stream.log.add([put("a", 3)])
        wait(stream.caught_up)
    assert (stream.ended.tables[0].letters, stream.target.table("a").state) == (1, TableState.STREAMING)


def test_a_change_that_was_put_aside_is_applied_again_once_by_however_many_it_is_asked_for() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE))
    stream.target.refuse = refusing(1, 2, 3)
    stream.log.add([put("a", number) for number in range(4)])
    with stream.running() as replication:
        wait(stream.caught_up)
        stream.target.refuse = refusing(3)
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(replication.replay_letters) for _ in range(2)]
        applied, refused = zip(*(one.result() for one in asked), strict=True)
        assert (sum(applied), sum(refused)) == (2, 2)
        assert replication.progress().tables[0].letters == len(stream.target.now.letters) == 1
    assert [key for _, _, key, _ in stream.target.durable] == ["0", "1", "2"]


def test_a_lost_connection_while_changes_are_applied_again_is_told_and_repeats_none() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE))
    stream.target.refuse = refusing(1, 2)
    stream.log.add([put("a", number) for number in range(3)])
    with stream.running() as replication:
        wait(stream.caught_up)
        stream.target.refuse = refusing()
        stream.target.errors["committed"] = [LostConnectionError("gone")]
        with pytest.raises(LostConnectionError, match=r"0 of 2 changes went in .*: gone"):
            replication.replay_letters()
        wait(lambda: replication.progress().tables[0].letters == 1)
        assert replication.replay_letters() == (1, 0)
    assert [key for _, _, key, _ in stream.target.durable] == ["0", "1", "2"]


def test_a_change_of_which_only_the_reason_was_kept_is_refused_again() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.QUARANTINE))
    stream.target.now.letters = [DeadLetter(table_id("a"), Op.INSERT, "id=1", "0", "value", "too large", b"", 1)]
    with stream.running() as replication:
        wait(lambda: replication.progress().stage == "streaming")
        assert replication.replay_letters() == (0, 1)
    assert (stream.ended.state, stream.ended.tables[0].letters) == (RunState.STOPPED, 1)


def test_one_bad_table_stops_and_the_others_go_on() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.STOP_TABLE))
    stream.target.refuse = refusing(2)
    stream.log.add([put("a", 1)], [put("b", 1), put("a", 2), put("b", 2), put("a", 3)], [put("b", 3), put("a", 4)])
    with stream.running() as replication:
        wait(stream.caught_up)
        progress = replication.progress()
        wait(lambda: [alert.subject for alert in replication.progress().alerts] == ["s.a"])
    assert set(stream.target.now.tables["b"]) == {"1", "2", "3"}
    assert set(stream.target.now.tables["a"]) == {"1"}
    failed = stream.target.table("a")
    assert failed.state is TableState.FAILED
    assert failed.error == "s.a, id=2: the value is too long"
    a = next(table for table in progress.tables if table.source == table_id("a"))
    assert (a.state, a.dropped, a.error) == (TableState.FAILED, 2, failed.error)


def test_a_statement_that_a_stop_breaks_off_is_no_refusal() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.STOP_TABLE))
    with stream.running() as replication:

        def broken_off(event: Event) -> MainstemError:
            replication.stop()
            return StatementError("the statement was cancelled")

        stream.target.refuse = broken_off
        stream.log.add([put("a", 1)])
        wait(lambda: stream.target.applied > 0)
    assert stream.ended.state is RunState.STOPPED
    assert stream.target.table("a").state is TableState.STREAMING
    stream.target.refuse = lambda event: None
    with stream.running():
        wait(stream.caught_up)
    assert stream.target.now.tables["a"] == {"1": "x"}


def test_a_refused_change_stops_the_stream_where_that_is_asked_for() -> None:
    stream = Stream(changes=policy(ChangeErrorPolicy.STOP_STREAM))
    stream.target.refuse = refusing(2)
    stream.log.grouped = 1
    stream.log.add([put("a", 1)], [put("b", 1), put("a", 2)], [put("b", 2)])
    progress = stream.replication().run()
    assert (progress.state, progress.error_code) == (RunState.FAILED, "row_refused")
    assert progress.error == "s.a, id=2: the value is too long"
    assert stream.target.now.tables["b"] == {}
    again = stream.replication()
    again.remember(progress.alerts)
    assert again.run().alerts == progress.alerts
    stream.target.refuse = lambda event: None
    with stream.running(progress.alerts) as replication:
        wait(stream.caught_up)
        wait(lambda: replication.progress().alerts == [])
    assert stream.target.now.tables == stream.log.truth()
    told = [line.data["over"] for line in stream.lines if line.data.get("alert") == "failure"]
    assert told == [False, True]


def test_a_lost_position_ends_the_stream_and_is_not_tried_again() -> None:
    stream = Stream()
    stream.log.lost = True
    progress = stream.replication().run()
    assert (progress.state, progress.error_code, progress.remedy) == (RunState.FAILED, "position_lost", "resync")
    assert len(stream.log.opened) == 1


def test_a_position_that_is_lost_on_the_way_ends_the_stream() -> None:
    stream = Stream()
    stream.log.errors = [PositionLostError("purged")]
    assert stream.replication().run().error_code == "position_lost"


def test_only_the_operations_that_are_asked_for_are_applied() -> None:
    changes = ChangeOptions(operations=("insert", "update"), table_operations={"b": ("insert", "delete")})
    stream = Stream(changes=changes)
    stream.log.add(
        [put("a", 1), put("a", 2), put("b", 1), put("b", 2)],
        [change("a", 1, "y"), remove("a", 2), change("b", 1, "y"), remove("b", 2)], Truncate((table_id("a"),)),
    )  # fmt: skip
    with stream.running():
        wait(lambda: stream.log.confirmed[-1:] == [2] or stream.caught_up())
    assert stream.target.now.tables == {"a": {"1": "y", "2": "x"}, "b": {"1": "x"}}


def test_a_truncate_stands_between_the_changes_around_it() -> None:
    stream = Stream()
    stream.log.add([put("a", 1), put("b", 1)], Truncate((table_id("a"),)), [put("a", 2)])
    with stream.running():
        wait(stream.caught_up)
    assert stream.target.now.tables == {"a": {"2": "x"}, "b": {"1": "x"}} == stream.log.truth()


def test_the_limit_of_events_ends_the_stream_behind_a_whole_transaction() -> None:
    stream = Stream(max_rows=3)
    stream.log.grouped = 1
    stream.log.add(*[[put("a", number), put("b", number)] for number in range(50)])
    progress = stream.replication().run()
    assert progress.state is RunState.EVENT_LIMIT_REACHED
    assert set(stream.target.now.tables["a"]) == set(stream.target.now.tables["b"])
    assert len(stream.target.now.tables["a"]) == 2


def test_the_limit_of_events_is_that_of_all_starts_of_a_servers_stream_and_of_each_start_of_a_command() -> None:
    stream = Stream()
    stream.log.add([put("a", 1), put("a", 2)])
    with stream.running():
        wait(stream.caught_up)
    stream.options = replace(stream.options, max_rows=3)
    stream.log.grouped = 1
    stream.log.add(*[[put("b", number)] for number in range(50)])
    assert stream.replication(begun=True).run().state is RunState.EVENT_LIMIT_REACHED
    assert len(stream.target.now.tables["b"]) == 1
    assert stream.replication().run().state is RunState.EVENT_LIMIT_REACHED
    assert len(stream.target.now.tables["b"]) == 4


def test_the_limit_of_seconds_ends_the_stream() -> None:
    stream = Stream(max_seconds=1)
    stream.log.add([put("a", 1)])
    assert stream.replication().run().state is RunState.TIME_LIMIT_REACHED
    assert stream.caught_up()


def test_a_pause_holds_the_target_and_resume_goes_on() -> None:
    stream = Stream()
    with stream.running() as replication:
        stream.log.add([put("a", 1)])
        wait(stream.caught_up)
        replication.pause()
        wait(lambda: replication.progress().state is RunState.PAUSED)
        time.sleep(0.2)  # a batch that was under way may still end
        stream.log.add([put("a", 2)])
        time.sleep(0.2)
        assert "2" not in stream.target.now.tables["a"]
        replication.resume()
        wait(stream.caught_up)
    assert stream.target.now.tables == stream.log.truth()


def test_the_position_moves_on_while_nothing_of_ours_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.engine.applying.IDLE_CHECKPOINT_S", 0.05)
    stream = Stream()
    stream.log.add([put("elsewhere", 1)], [put("elsewhere", 2)])
    with stream.running():
        wait(stream.caught_up)
        wait(lambda: stream.log.confirmed[-1:] == [2])


def test_a_table_is_caught_up_behind_the_last_of_its_snapshots() -> None:
    stream = Stream()
    late = stream_table("a", state=TableState.CATCHING_UP, since="1", until="3")
    stored = stream.target.now.stored
    assert stored is not None
    stream.target.now.stored = replace(stored, tables=(late, stream_table("b")))
    stream.log.grouped = 1
    stream.log.add([put("a", 1)], [put("a", 2)])
    with stream.running():
        wait(stream.caught_up)
        assert stream.target.table("a").state is TableState.CATCHING_UP
        stream.log.add([put("a", 3)])
        wait(lambda: stream.target.table("a").state is TableState.STREAMING)
    assert stream.target.now.tables["a"] == {"2": "x", "3": "x"}
