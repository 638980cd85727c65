"""Which alerts a stream's state gives, and that each is told once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engine.memory import table_id

from mainstem.contract.changes import Retention
from mainstem.contract.hub import HubAge
from mainstem.engine.alerts import AlertBook, FullHub, Vitals, due
from mainstem.engine.lag import Lag
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.change import Idle
from mainstem.model.run import ChangeOptions, ChangeProgress, TableProgress, TableState

WELL = Vitals(ChangeProgress(), heard_s=1, durable_s=1, waiting=False, streaming=True, retention=None)
FAILED = TableProgress(table_id("a"), table_id("a"), TableState.FAILED, error="why")


@pytest.mark.parametrize(
    ("vitals", "kinds"),
    [
        (WELL, []),
        (replace(WELL, progress=ChangeProgress(lag_s=301)), [AlertKind.LAG]),
        (replace(WELL, progress=ChangeProgress(lag_s=301), streaming=False), []),
        (replace(WELL, heard_s=301), [AlertKind.SILENCE]),
        (replace(WELL, trouble="gone", progress=ChangeProgress(lag_s=301)), [AlertKind.SILENCE]),
        (replace(WELL, durable_s=301), []),
        (replace(WELL, durable_s=301, waiting=True), [AlertKind.SILENCE]),
        (replace(WELL, retention=Retention(held_bytes=51, limit_bytes=100)), [AlertKind.RETENTION]),
        (replace(WELL, retention=Retention(held_bytes=50, limit_bytes=100)), []),
        (replace(WELL, retention=Retention(held_bytes=2**60)), []),
        (replace(WELL, retention=Retention(oldest_s=51, limit_s=100)), [AlertKind.RETENTION]),
        (replace(WELL, retention=Retention(lost=True)), [AlertKind.RETENTION]),
        (replace(WELL, full=True), [AlertKind.HUB]),
        (replace(WELL, full=True, streaming=False), []),
        (replace(WELL, age=HubAge(31, 60)), [AlertKind.HUB]),
        (replace(WELL, age=HubAge(31, 60), full=True), [AlertKind.HUB]),
        (replace(WELL, age=HubAge(30, 60)), []),
        (replace(WELL, tables=(FAILED,)), [AlertKind.TABLE]),
    ],
)
def test_alerts_follow_from_how_a_stream_stands(vitals: Vitals, kinds: list[AlertKind]) -> None:
    assert [alert.kind for alert in due(vitals, ChangeOptions())] == kinds


@pytest.mark.parametrize(
    ("waited_of_each_second", "full"),
    [([1.0] * 60, True), ([1.0] * 59, False), ([0.95] * 60, True), ([0.8] * 60, False)],
)
def test_a_hub_is_full_for_long_when_a_minute_went_into_waiting_for_room(
    waited_of_each_second: list[float], full: bool
) -> None:
    book, waited_s, now_s = FullHub(), 0.0, 1000.0
    found = book.look(now_s, waited_s)
    for waited in waited_of_each_second:
        waited_s, now_s = waited_s + waited, now_s + 1
        found = book.look(now_s, waited_s)
    assert found is full
    assert not book.look(now_s + 30, waited_s)


def test_a_stream_without_a_connection_is_behind_until_it_hears_something() -> None:
    lag = Lag()
    lag.cut_off("nobody answers")
    lag.begin()
    lag.cut_off("still nobody")
    assert (lag.trouble, lag.snapshot().lag_s > 0) == ("still nobody", True)
    lag.read(Idle("{}"))
    assert (lag.trouble, lag.snapshot().lag_s) == ("", 0)


def test_no_limit_means_no_alert() -> None:
    late = replace(WELL, progress=ChangeProgress(lag_s=1e6), heard_s=1e6)
    assert due(late, ChangeOptions(max_lag_s=0, max_silence_s=0)) == []


def test_an_alert_is_told_when_it_begins_and_when_it_is_over() -> None:
    book, lag = AlertBook(), Alert(AlertKind.LAG, "behind")
    assert book.update([lag]) == [lag]
    assert book.update([replace(lag, message="further behind")]) == []
    assert [alert.message for alert in book.current] == ["further behind"]
    (over,) = book.update([])
    assert (over.kind, over.over, over.message, book.current) == (AlertKind.LAG, True, "over: further behind", ())


def test_what_a_former_run_has_told_is_over_once_it_is_known_not_to_hold() -> None:
    book, failure, table = AlertBook(), Alert(AlertKind.FAILURE, "broken"), Alert(AlertKind.TABLE, "waits", subject="a")
    book.remember([failure, table])
    assert book.update([], set(AlertKind)) == []
    assert [alert.message for alert in book.update([table], {AlertKind.TABLE})] == ["over: broken"]
    assert book.current == (table,)
    assert [alert.message for alert in book.update([])] == ["over: waits"]
    assert book.update([], set(AlertKind)) == []
