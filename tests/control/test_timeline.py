"""The course of a stream over time, without a clock or a store; and what is kept of it by one."""

from __future__ import annotations

import itertools

import pytest

from mainstem.contract.store import StreamRecord
from mainstem.control import timelines
from mainstem.control.progress import to_json
from mainstem.control.timeline import Timeline
from mainstem.control.timelines import Timelines
from mainstem.model.names import TableId
from mainstem.model.run import ChangeProgress, Progress, RunState, TableProgress
from mainstem.store.sql import SqlStore

T = TableId("shop", "orders")
SECONDS = itertools.count()


def at(rows: int, inserts: int = 0, lag_s: float | None = None) -> Progress:
    table = TableProgress(T, T, rows_read=rows, bytes_read=rows * 10, inserts=inserts)
    return Progress(tables=[table], changes=None if lag_s is None else ChangeProgress(lag_s=lag_s, lag_bytes=5))


def filled(seconds: int, rows_a_second: int = 7) -> Timeline:
    timeline = Timeline()
    for second in range(seconds + 1):
        timeline.add(1000.0 + second, at(second * rows_a_second))
    return timeline


def test_points_are_told_per_second() -> None:
    timeline = Timeline()
    timeline.add(10, at(100))
    timeline.add(12, at(300, inserts=8, lag_s=1.5))
    points = timeline.columns("minutes")
    assert (points["at"], points["rows"], points["bytes"], points["inserts"]) == ([12], [100.0], [1000.0], [4.0])
    assert (points["lagSeconds"], points["lagBytes"], points["heldBytes"]) == ([1.5], [5], [None])


def test_a_counter_that_goes_back_is_no_negative_rate() -> None:
    timeline = Timeline()
    timeline.add(1, at(100))
    timeline.add(2, at(40))
    assert timeline.columns("all")["rows"] == [0.0]


def test_a_long_course_stays_small_and_loses_no_row() -> None:
    timeline = filled(20_000)
    for window, most in (("minutes", 600), ("hours", 1080), ("all", 1000)):
        points = timeline.columns(window)
        assert len(points["at"]) <= most
        assert set(points["rows"]) == {7.0}
        assert points["at"][-1] == 21_000
    whole = timeline.columns("all")
    assert whole["everySeconds"] == 32
    assert timeline.columns("minutes")["at"][0] == 20_401
    counted = sum(point.amounts[0] for point in timeline._tiers["all"].points)
    assert counted == 20_000 * 7


def test_the_worst_lag_of_many_seconds_is_the_one_that_is_kept() -> None:
    timeline = Timeline()
    for second in range(40):
        timeline.add(second, at(second, lag_s=9.0 if second == 15 else 0.0))
    assert max(timeline.columns("hours")["lagSeconds"]) == 9.0


def test_only_later_points_are_told_when_asked_for() -> None:
    assert filled(10).columns("minutes", after_s=1008)["at"] == [1009, 1010]


def test_a_timeline_comes_back_as_it_was_saved() -> None:
    timeline = filled(5000)
    again = Timeline.from_json(timeline.to_json())
    for window in ("minutes", "hours", "all"):
        assert again.columns(window) == timeline.columns(window)


def made(store: SqlStore) -> Timelines:
    """Takes a sample each second, whoever of them does."""
    return Timelines(store, lambda: 1000.0 + next(SECONDS))


def record_of(timelines: Timelines, progress: Progress, stream_id: str = "stream_1") -> StreamRecord:
    """The stream as its process saves it each second."""
    saved = to_json(progress, points=timelines.recent(stream_id))
    return StreamRecord(stream_id, 1, "config_1", "c", "cdc", "a", "b", {}, RunState.RUNNING, saved)


NEW = StreamRecord("stream_1", 1, "config_1", "c", "cdc", "a", "b", {}, RunState.READY)


def test_a_run_that_goes_on_later_keeps_its_earlier_course(store: SqlStore) -> None:
    kept = made(store)
    kept.begin(NEW, at(0))
    kept.sample("stream_1", at(5))
    kept.end("stream_1")
    later = made(store)
    assert later.columns(NEW, "all") == kept.columns(NEW, "all")
    later.begin(NEW, at(5))
    later.sample("stream_1", at(9))
    at_s = later.columns(NEW, "all")["at"]
    assert isinstance(at_s, list)
    assert at_s


def test_live_timelines_are_written_down_now_and_then(store: SqlStore) -> None:
    kept = made(store)
    kept.begin(NEW, at(0))
    kept.sample("stream_1", at(5))
    kept.save_due()
    assert store.timeline("stream_1") == {}
    assert len(kept.recent("stream_1")) == 1
    kept._saved_s -= timelines.SAVE_EVERY_S
    kept.save_due()
    assert store.timeline("stream_1")["all"]["points"]
    assert kept.recent("stream_1") == []


def test_another_process_tells_the_whole_course_of_a_run(store: SqlStore) -> None:
    running, other = made(store), made(store)
    running.begin(NEW, at(0))
    for rows in (5, 6):
        running.sample("stream_1", at(rows))
    before = record_of(running, at(6))
    assert other.columns(before, "all") == running.columns(before, "all")
    running._saved_s -= timelines.SAVE_EVERY_S
    running.save_due()
    running.sample("stream_1", at(9))
    now = record_of(running, at(9))
    for window in ("minutes", "hours", "all"):
        assert other.columns(now, window) == running.columns(now, window)


def test_the_newest_points_of_another_process_are_had_without_the_old_ones(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, other = made(store), made(store)
    running.begin(NEW, at(0))
    for rows in (5, 6, 9):
        running.sample("stream_1", at(rows))
    record, points = record_of(running, at(9)), running.columns(NEW, "minutes")["at"]
    assert isinstance(points, list)
    monkeypatch.setattr(store, "timeline", None)
    assert other.columns(record, "minutes", points[1])["at"] == points[2:]


def test_a_run_that_another_process_takes_over_keeps_the_course_that_was_not_saved(store: SqlStore) -> None:
    lost, heir = made(store), made(store)
    lost.begin(NEW, at(0))
    lost.sample("stream_1", at(5))
    heir.begin(record_of(lost, at(5)), at(5))
    assert heir.columns(NEW, "all") == lost.columns(NEW, "all")
