"""The course of a stream over time, without a clock or a store; and what is kept of it by one."""

from __future__ import annotations

from mainstem.control import timelines
from mainstem.control.timeline import Timeline
from mainstem.control.timelines import Timelines
from mainstem.model.names import TableId
from mainstem.model.run import ChangeProgress, Progress, TableProgress
from mainstem.store.sql import SqlStore

T = TableId("shop", "orders")


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


def test_a_run_that_goes_on_later_keeps_its_earlier_course(store: SqlStore) -> None:
    kept = Timelines(store)
    kept.sample("stream_1", at(0))
    kept.sample("stream_1", at(5))
    kept.end("stream_1")
    later = Timelines(store)
    assert later.columns("stream_1", "all") == kept.columns("stream_1", "all")
    later.sample("stream_1", at(5))
    later.sample("stream_1", at(9))
    at_s = later.columns("stream_1", "all")["at"]
    assert isinstance(at_s, list)
    assert at_s


def test_live_timelines_are_written_down_now_and_then(store: SqlStore) -> None:
    kept = Timelines(store)
    kept.sample("stream_1", at(0))
    kept.sample("stream_1", at(5))
    kept.save_due()
    assert store.timeline("stream_1") == {}
    kept._saved_s -= timelines.SAVE_EVERY_S
    kept.save_due()
    assert store.timeline("stream_1")["all"]["points"]
