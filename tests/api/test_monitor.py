"""What the monitor asks for, with a stand-in for the engine's run."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mainstem.control import logbook
from mainstem.control.clock import now_us
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import RunState
from tests.api.drive import wait_for
from tests.api.listening import Listener
from tests.api.planes import ENDS, KEY
from tests.api.test_replications import api, runs, stream  # noqa: F401 - fixtures
from tests.control.replica import Replica

Runs = dict[str, Replica]


class Page(Listener):
    """A page that watches a stream."""

    def __init__(self, api: httpx.Client, stream: str, last: str = "", **query: Any) -> None:
        super().__init__(httpx.URL(f"{api.base_url}streams/{stream}/events", params=query), KEY, last)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for kind, data, _ in list(self.events) if kind == name]

    @property
    def messages(self) -> list[str]:
        return [line["message"] for data in self.of("log") for line in data["lines"]]

    @property
    def last(self) -> str:
        return next(number for _, _, number in reversed(self.events) if number)


def say(run: Replica, *messages: str, level: Level = Level.INFO, **data: Any) -> None:
    category = Category.ALERT if "alert" in data else Category.GENERAL
    for message in messages:
        run.listen(Event(level, category, message, now_us(), "target", data))


def test_a_page_gets_all_tables_once_and_then_only_what_changes(api: httpx.Client, stream: str, runs: Runs) -> None:
    page = Page(api, stream)
    wait_for(lambda: bool(page.of("stats")), "nothing came")
    first = page.of("stats")[0]
    assert first["full"]
    assert first["counts"] == {"streaming": 1}
    assert first["stream"]["allowed"] == ["pause", "stop"]
    assert first["tables"][0]["operations"]["insert"] == 5
    runs[stream]._progress.tables[0].inserts = 9
    wait_for(lambda: len(page.of("stats")) > 1 and bool(page.of("stats")[-1]["tables"]), "no change came")
    changed = next(item for item in page.of("stats")[1:] if item["tables"])
    assert not changed["full"]
    assert changed["tables"][0]["operations"]["insert"] == 9
    assert "target" not in changed["tables"][0]
    page.leave()


def test_a_page_hears_of_every_move_and_alert(api: httpx.Client, stream: str, runs: Runs) -> None:
    page = Page(api, stream)
    wait_for(lambda: bool(page.of("stats")), "nothing came")
    api.post(f"streams/{stream}/pause")
    wait_for(lambda: bool(page.of("state")), "no move was told")
    assert (page.of("state")[0]["before"], page.of("state")[0]["now"]) == ("RUNNING", "PAUSED")
    say(runs[stream], "far behind", level=Level.WARN, alert="lag", subject="", remedy="wait", over=False)
    wait_for(lambda: bool(page.of("alert")), "no alert was told")
    assert page.of("alert")[0]["remedy"] == "wait"
    page.leave()


def test_a_page_that_comes_back_finds_every_line_once_and_in_order(api: httpx.Client, stream: str, runs: Runs) -> None:
    page = Page(api, stream)
    wait_for(lambda: bool(page.of("log")), "no log came")
    say(runs[stream], *(f"line {number}" for number in range(500)))
    wait_for(lambda: "line 499" in page.messages, "the last line did not come")
    page.leave()
    wait_for(page.closed.is_set, "it did not leave")
    last = page.last
    say(runs[stream], *(f"line {number}" for number in range(500, 3500)))
    again = Page(api, stream, last)
    wait_for(lambda: "line 3499" in again.messages, "the last line did not come")
    both = [message for message in page.messages + again.messages if message.startswith("line")]
    assert both == [f"line {number}" for number in range(3500)]
    assert not any(data["missed"] for data in again.of("log"))
    again.leave()


def test_a_page_that_was_away_too_long_is_told_that_lines_are_gone(
    api: httpx.Client, stream: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "KEPT_LINES", 100)
    monkeypatch.setattr("mainstem.api.watching.KEPT_LINES", 100)
    say(runs[stream], "first")
    first = api.get(f"streams/{stream}/logs").json()[-1]["number"]
    say(runs[stream], *(f"line {number}" for number in range(300)))
    page = Page(api, stream, after=first)
    wait_for(lambda: "line 299" in page.messages, "the last line did not come")
    assert page.of("log")[0]["missed"]
    page.leave()


def test_warnings_outlive_the_lines_that_came_after_them(
    api: httpx.Client, stream: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "KEPT_LINES", 100)
    say(runs[stream], "the disk is nearly full", level=Level.WARN)
    say(runs[stream], *(f"line {number}" for number in range(300)))
    messages = [line["message"] for line in api.get(f"streams/{stream}/logs?limit=1000").json()]
    assert ("line 299" in messages, "line 0" in messages) == (True, False)
    assert [item["message"] for item in api.get(f"streams/{stream}/troubles").json()] == ["the disk is nearly full"]


def test_older_lines_are_paged_to(api: httpx.Client, stream: str, runs: Runs) -> None:
    say(runs[stream], *(f"line {number}" for number in range(50)))
    newest = api.get(f"streams/{stream}/logs?limit=10").json()
    older = api.get(f"streams/{stream}/logs?limit=10&before={newest[0]['number']}").json()
    assert [line["message"] for line in older + newest] == [f"line {number}" for number in range(30, 50)]


def test_counters_of_single_tables_are_not_written_into_the_log(api: httpx.Client, stream: str, runs: Runs) -> None:
    for table in ("shop.orders", ""):
        event = Event(Level.INFO, Category.STAT, f"{table or 'total'}: 5 rows", now_us(), "target", {"table": table})
        runs[stream].listen(event)
    messages = [line["message"] for line in api.get(f"streams/{stream}/logs").json()]
    assert ("total: 5 rows" in messages, "shop.orders: 5 rows" in messages) == (True, False)


def test_a_page_is_told_when_its_stream_is_deleted(api: httpx.Client, stream: str) -> None:
    page = Page(api, stream)
    wait_for(lambda: bool(page.of("stats")), "nothing came")
    api.post(f"streams/{stream}/stop")
    assert api.delete(f"streams/{stream}").status_code == 204
    wait_for(lambda: page.closed.is_set() and bool(page.of("gone")), "it was not told")


def test_a_stream_that_is_not_there_has_no_events(api: httpx.Client) -> None:
    for path in ("events", "timeline", "troubles", "notes"):
        assert api.get(f"streams/stream_none/{path}").status_code == 404
    assert api.get("streams/current/events").status_code == 404


@pytest.mark.parametrize("query", ["after=-1", "after=x", "tail=-1", "tail=100000"])
def test_a_wrong_place_in_the_log_is_refused(api: httpx.Client, stream: str, query: str) -> None:
    assert api.get(f"streams/{stream}/events?{query}").status_code == 400


def test_a_wrong_window_is_refused(api: httpx.Client, stream: str) -> None:
    assert api.get(f"streams/{stream}/timeline?window=years").status_code == 400


def test_the_timeline_outlives_the_run(api: httpx.Client, stream: str, runs: Runs) -> None:
    runs[stream]._progress.tables[0].inserts += 100
    api.post(f"streams/{stream}/stop")
    points = api.get(f"streams/{stream}/timeline").json()
    assert len(points["at"]) == len(points["lagSeconds"]) >= 1
    assert sum(points["inserts"]) > 0


def test_troubles_tell_alerts_that_are_not_over(api: httpx.Client, stream: str, runs: Runs) -> None:
    runs[stream].told.append(Alert(AlertKind.LAG, "behind", "wait"))
    (found,) = api.get(f"streams/{stream}/troubles").json()
    assert (found["kind"], found["open"], found["message"], found["remedy"]) == ("alert", True, "behind", "wait")


def test_the_overview_has_each_config_with_its_newest_run(api: httpx.Client, stream: str, runs: Runs) -> None:
    (item,) = api.get("streams/overview").json()
    assert (item["newest"]["id"], item["runs"], item["deleted"]) == (stream, 1, False)
    assert (item["source"]["name"], item["source"]["type"]) == ("a", "mysql")
    assert (item["brief"]["changesApplied"], item["brief"]["deadLetters"], item["brief"]["tablesDone"]) == (8, 1, 1)
    api.post(f"streams/{stream}/stop")
    again = api.post(f"stream-configs/{item['id']}/start").json()["id"]
    (item,) = api.get("streams/overview").json()
    assert (item["newest"]["id"], item["runs"]) == (again, 2)
    api.post(f"streams/{again}/stop")
    assert api.delete(f"stream-configs/{item['id']}").status_code == 204
    (item,) = api.get("streams/overview").json()
    assert (item["deleted"], item["newest"]["id"], item["runs"]) == (True, again, 2)


def test_a_config_that_was_never_started_is_in_the_overview(api: httpx.Client) -> None:
    ends = [api.post("connections", json=end).json()["id"] for end in ENDS]
    api.post("stream-configs", json={"source": ends[0], "target": ends[1], "mode": "convert", "name": "new"})
    (item,) = api.get("streams/overview").json()
    assert (item["newest"], item["brief"], item["runs"]) == (None, None, 0)


def test_one_table_is_held_and_goes_on(api: httpx.Client, stream: str, runs: Runs) -> None:
    for move in ("pause", "resume"):
        assert api.post(f"streams/{stream}/tables/shop.orders/{move}").json()["status"] == "RUNNING"
    assert runs[stream].asked == ["pause shop.orders", "resume shop.orders"]
    api.post(f"streams/{stream}/stop")
    answer = api.post(f"streams/{stream}/tables/shop.orders/pause")
    assert (answer.status_code, answer.json()["details"]["state"]) == (409, "STOPPED")
    assert api.post("streams/stream_none/tables/a/pause").status_code == 404


def test_two_runs_are_compared(api: httpx.Client, stream: str, runs: Runs) -> None:
    config = api.get(f"streams/{stream}").json()["configId"]
    runs[stream].end(RunState.FAILED, "no room")
    wait_for(lambda: api.get(f"streams/{stream}").json()["status"] == "FAILED", "it did not fail")
    again = api.post(f"stream-configs/{config}/start?snapshot=always").json()["id"]
    found = api.get(f"stream-configs/{config}/compare?left={stream}&right={again}").json()
    assert (found["left"]["stream"]["error"], found["right"]["stream"]["status"]) == ("no room", "RUNNING")
    assert found["settings"] == [{"setting": "snapshot", "left": "", "right": '"always"'}]
    (table,) = found["tables"]
    assert (table["name"], table["left"]["changes"], table["right"]["changes"]) == ("shop.orders", 8, 8)
    assert api.get(f"stream-configs/other/compare?left={stream}&right={again}").status_code == 404
    assert api.get(f"stream-configs/{config}/compare?left={stream}").status_code == 400
