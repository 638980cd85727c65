"""What went wrong, from a stream's state, tables, alerts and log; and how two runs differ."""

from __future__ import annotations

from mainstem.contract.store import LogLine, StreamRecord
from mainstem.control.comparison import pairs, settings
from mainstem.control.troubles import troubles
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.event import Category, Event, Level
from mainstem.model.names import TableId
from mainstem.model.run import Progress, RunState, TableProgress, TableState

A, B = TableId("shop", "a"), TableId("shop", "b")


def record(state: RunState = RunState.RUNNING, error: str = "") -> StreamRecord:
    return StreamRecord(
        "stream_1", 1, "config_1", "n", "cdc", "s", "t", {}, state, error=error, error_code="full" if error else "",
        remedy="make room" if error else "", finished_us=9,
    )  # fmt: skip


def line(at_us: int, message: str, level: Level = Level.WARN, **data: object) -> LogLine:
    category = Category.ALERT if "alert" in data else Category.GENERAL
    return LogLine(at_us, "stream_1", Event(level, category, message, at_us, "api", data))


def test_what_is_wrong_now_comes_first_and_says_how_to_mend_it() -> None:
    tables = [TableProgress(A, A, TableState.FAILED, error="no room", remedy="grow it"), TableProgress(B, B)]
    alerts = [Alert(AlertKind.LAG, "behind", "wait"), Alert(AlertKind.TABLE, "a failed", "", "shop.a")]
    lines = [
        line(1, "shop.a: no room (grow it)", Level.ERROR),
        line(1, "disk full (make room)", Level.ERROR),
        line(2, "connection lost; trying again in 0.5 s"),
    ]
    found = troubles(record(RunState.FAILED, "disk full"), Progress(tables=tables, alerts=alerts), lines)
    assert [(item.kind, item.open, item.subject, item.message, item.remedy) for item in found] == [
        ("stream", True, "", "disk full", "make room"),
        ("table", True, "shop.a", "no room", "grow it"),
        ("alert", True, "", "behind", "wait"),
        ("log", False, "", "connection lost; trying again in 0.5 s", ""),
    ]


def test_lines_that_differ_in_numbers_are_one_and_know_how_often_and_when() -> None:
    lines = [line(at_us, f"trying again in {at_us}.5 s") for at_us in (1, 2, 3)]
    lines += [line(4, "fine", Level.INFO), line(5, "over: lag", Level.INFO, alert="lag")]
    (found,) = troubles(record(), Progress(), lines)
    assert (found.message, found.count, found.first_us, found.last_us) == ("trying again in 3.5 s", 3, 1, 3)


def test_the_newest_of_the_log_is_first() -> None:
    found = troubles(record(), Progress(), [line(1, "a"), line(2, "b", Level.ERROR), line(3, "c")])
    assert [item.message for item in found] == ["c", "b", "a"]


def test_a_failure_that_was_overcome_is_not_open() -> None:
    (found,) = troubles(record(RunState.RUNNING, "disk full"), Progress(), [])
    assert not found.open


def test_settings_that_differ_are_named_by_their_path() -> None:
    left = {"mode": "cdc", "options": {"jobs": 2, "same": [1]}, "tables": ["a"]}
    right = {"mode": "cdc", "options": {"jobs": 4, "same": [1]}, "tables": ["a", "b"], "new": None}
    assert settings(left, right) == [
        ("options.jobs", "2", "4"), ("tables", '["a"]', '["a", "b"]'), ("new", "", "null"),
    ]  # fmt: skip


def test_a_table_of_one_run_alone_is_in_the_comparison() -> None:
    left, right = Progress(tables=[TableProgress(A, A)]), Progress(tables=[TableProgress(B, B)])
    assert [(pair.name, pair.left is None, pair.right is None) for pair in pairs(left, right)] == [
        ("shop.a", False, True), ("shop.b", True, False),
    ]  # fmt: skip
