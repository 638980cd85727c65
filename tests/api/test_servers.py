"""Two servers over one PostgreSQL store, of which one runs the stream: whichever is asked, the answer is the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from mainstem.control import preflight, streams, supervisor
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Category, Event, Level
from tests.api.conftest import body
from tests.api.drive import DEADLINE_S, postgres, wait_for
from tests.api.listening import LiveLog
from tests.api.planes import KEY, prepared, serving, started
from tests.api.test_monitor import Page, say
from tests.conftest import _postgres_database
from tests.control.replica import Replica
from tests.store.conftest import postgres_url

Pair = tuple[httpx.Client, httpx.Client]
MOVING = {"elapsed", "rowsPerSecond", "bytesPerSecond", "operationsPerSecond", "durationMs", "changesPerSecond"}


@pytest.fixture(scope="module")
def runs() -> dict[str, Replica]:
    return {}


@pytest.fixture(scope="module")
def store(postgres18_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    yield from _postgres_database(postgres18_server)


@pytest.fixture(scope="module")
def servers(store: ConnectionSettings, runs: dict[str, Replica]) -> Iterator[Pair]:
    """The one that runs what is started on it, and another one."""
    url = postgres_url(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preflight, "check", lambda *_: [])
        patch.setattr(supervisor, "release", lambda *_: None)
        patch.setattr(streams, "close_stream", lambda *_: None)
        with prepared(url, runs) as app, prepared(url, runs) as another, serving(app, another) as (one, other):
            yield one, other


def settled(data: Any) -> Any:
    """What does not change from one moment to the next."""
    if isinstance(data, dict):
        return {name: settled(value) for name, value in data.items() if name not in MOVING}
    return [settled(item) for item in data] if isinstance(data, list) else data


def moved(run: Replica) -> bool:
    """It has just applied some changes more."""
    run._progress.tables[0].inserts += 100
    return True


def inserts_a_second(api: httpx.Client, stats: str) -> float:
    return float(api.get(stats).json()["totals"]["operationsPerSecond"]["insert"])


def test_every_page_of_a_stream_is_the_same_on_a_server_that_does_not_run_it(
    servers: Pair, runs: dict[str, Replica]
) -> None:
    one, other = servers
    stream = started(one)
    run = runs[stream]
    run.told.append(Alert(AlertKind.LAG, "behind", "wait"))
    say(run, "nearly full", level=Level.WARN)
    config = one.get(f"streams/{stream}").json()["configId"]
    stats = f"streams/{stream}/stats"
    wait_for(lambda: bool(other.get(stats).json()["alerts"]), "the alert did not come")
    wait_for(lambda: moved(run) and inserts_a_second(other, stats) > 0, "no rate came")
    paths = [
        *(f"streams/{stream}{part}" for part in ("", "/stats", "/progress", "/logs", "/troubles", "/notes")),
        "streams", "streams/current", "streams/overview", "streams/stat", "connections", "stream-configs",
        f"stream-configs/{config}/history", f"stream-configs/{config}/compare?left={stream}&right={stream}",
        "user/configs", "system/defaults", "api-keys",
    ]  # fmt: skip
    for path in paths:
        wait_for(lambda path=path: settled(other.get(path).json()) == settled(one.get(path).json()), path)  # type: ignore[misc]
    points = other.get(f"streams/{stream}/timeline").json()
    assert sum(points["inserts"]) > 0
    at = [round(second) for second in points["at"]]
    assert at == [round(second) for second in one.get(f"streams/{stream}/timeline").json()["at"]][: len(at)]
    assert len(points["at"]) >= 1
    (found,) = [item for item in other.get(f"streams/{stream}/troubles").json() if item["open"]]
    assert found["message"] == "behind"
    one.post(f"streams/{stream}/stop")
    assert other.get(f"streams/{stream}").json()["status"] == "STOPPED"
    assert other.get(stats).json()["alerts"] == []
    ended = [server.get(f"streams/{stream}/timeline?window=all").json() for server in servers]
    assert ended[0] == ended[1]


def test_every_move_can_be_asked_of_a_server_that_does_not_run_the_stream(
    servers: Pair, runs: dict[str, Replica]
) -> None:
    one, other = servers
    stream = started(one)
    asked = runs[stream].asked
    for move, state in (("pause", "PAUSED"), ("resume", "RUNNING")):
        assert other.post(f"streams/{stream}/{move}").json()["status"] == state
    for path in ("tables/shop.orders/pause", "tables/shop.orders/resume", "tables/orders/resync"):
        assert other.post(f"streams/{stream}/{path}").json()["status"] == "RUNNING", path
    report = other.post(f"streams/{stream}/cutover", json={"deadlineSeconds": 5, "quietSeconds": 0.5}).json()
    assert (report["safe"], report["tables"][0]["targetRows"]) == (True, 5)
    assert other.post(f"streams/{stream}/dead-letters/replay").json() == {"applied": 1, "refused": 0}
    assert asked == [
        "pause", "resume", "pause shop.orders", "resume shop.orders", "resync", "cutover 5 0.5", "replay []",
    ]  # fmt: skip
    refused = other.post(f"streams/{stream}/tables/nowhere/resync")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert other.post(f"streams/{stream}/stop").json()["status"] == "STOPPED"
    assert one.get(f"streams/{stream}").json()["status"] == "STOPPED"


def test_a_page_on_another_server_hears_of_everything(servers: Pair, runs: dict[str, Replica]) -> None:
    one, other = servers
    stream = started(one)
    page = Page(other, stream)
    wait_for(lambda: bool(page.of("stats")), "nothing came")
    runs[stream]._progress.tables[0].inserts = 9
    say(runs[stream], "hello")
    wait_for(lambda: "hello" in page.messages and bool(page.of("points")), "no line or point came")
    wait_for(
        lambda: any(t["operations"]["insert"] == 9 for s in page.of("stats") for t in s["tables"] if "operations" in t),
        "no change came",
    )
    one.post(f"streams/{stream}/pause")
    wait_for(lambda: [data["now"] for data in page.of("state")] == ["PAUSED"], "no move was told")
    one.post(f"streams/{stream}/stop")
    one.delete(f"streams/{stream}")
    wait_for(lambda: bool(page.of("gone")), "the end was not told")


def streams_in(api: httpx.Client, path: str, name: str = "mainstem_stream_state") -> set[str]:
    """What a metric is told of."""
    families = text_string_to_metric_families(api.get(path).text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels.get("stream") or sample.labels["state"] for sample in samples}


def test_each_stream_is_in_the_metrics_of_one_server_and_on_the_older_paths_of_all(servers: Pair) -> None:
    one, other = servers
    here, there = started(one), started(other)
    over = started(other)
    other.post(f"streams/{over}/stop")
    assert {here, there, over} & streams_in(one, "metrics") == {here, over}
    assert {here, there, over} & streams_in(other, "metrics") == {there}
    assert "RUNNING" in streams_in(one, "metrics", "mainstem_streams")
    assert streams_in(other, "metrics", "mainstem_streams") == set()
    for server in servers:
        assert {here, there, over} <= streams_in(server, "streams/source/metrics")
        text = server.get("metrics").text
        assert 'mainstem_members{role="writer"} 2.0' in text
        assert text.count("mainstem_led_streams{") == 2


def test_the_live_log_is_the_same_on_both_and_goes_on_at_either_without_a_gap(
    servers: Pair, runs: dict[str, Replica]
) -> None:
    one, other = servers
    logs = [LiveLog(server.base_url, KEY) for server in servers]
    streams_of_both = [started(server) for server in (one, one)]
    for number in range(50):
        say(runs[streams_of_both[number % 2]], f"line {number}")
    for log in logs:
        wait_for(lambda log=log: "line 49" in dict(log.lines).values(), "the last line did not come")  # type: ignore[misc]
    wait_for(lambda: logs[0].lines == logs[1].lines, "one has other lines than the other")
    assert [text for _, text in logs[1].lines if text.startswith("line")] == [f"line {n}" for n in range(50)]
    logs[0].leave()
    last = logs[0].lines[-1][0]
    say(runs[streams_of_both[0]], *(f"line {number}" for number in range(50, 1200)))
    again = LiveLog(other.base_url, KEY, str(last))
    wait_for(lambda: "line 1199" in dict(again.lines).values(), "the last line did not come")
    lines = again.lines[:]  # a stream of an earlier test may just end in between
    assert [text for _, text in lines if text.startswith("line")] == [f"line {number}" for number in range(50, 1200)]
    assert [number for number, _ in lines] == list(range(last + 1, last + 1 + len(lines)))
    far = LiveLog(other.base_url, KEY, str(2**62))  # of another store
    say(runs[streams_of_both[0]], "after all")
    wait_for(lambda: "after all" in dict(far.lines).values(), "a number of another store hid what came")
    for log in (logs[1], again, far):
        log.leave()


def test_counters_of_tables_are_live_on_both(servers: Pair, runs: dict[str, Replica]) -> None:
    stream = started(servers[0])
    log = LiveLog(servers[1].base_url, KEY)
    total = Event(Level.INFO, Category.STAT, "total: 5 rows", time.time_ns() // 1000, "target", {"table": ""})
    runs[stream].listen(total)
    wait_for(lambda: any(data.get("table") == "shop.orders" for _, data, _ in log.events), "no table was told of")
    log.leave()


def test_a_ticket_signs_in_once_over_all_servers(servers: Pair) -> None:
    one, other = servers
    for first, second in ((one, other), (other, one)):
        ticket = one.post("session/tickets").json()["ticket"]
        assert first.post("session", json={"ticket": ticket}, headers={"X-API-Key": ""}).status_code == 200
        for server in (first, second):
            assert server.post("session", json={"ticket": ticket}, headers={"X-API-Key": ""}).status_code == 401


def test_a_session_is_good_and_ends_on_all_servers(servers: Pair) -> None:
    one, other = (httpx.Client(base_url=server.base_url) for server in servers)
    token = one.post("session", json={"apiKey": KEY}).json()["csrfToken"]
    other.cookies = httpx.Cookies([(name, value) for name, value in one.cookies.items()])  # type: ignore[assignment]
    asked = other.get("session").json()
    assert (asked["signedIn"], asked["csrfToken"]) == (True, token)
    kept = dict(one.cookies)
    assert one.delete("session", headers={"X-CSRF-Token": token}).json()["signedIn"] is False
    wait_for(lambda: httpx.get(f"{other.base_url}connections", cookies=kept).status_code == 401, "it did not end")
    one.close(), other.close()


def test_a_key_counts_everywhere_at_once_and_soon_no_more(servers: Pair) -> None:
    one, other = servers
    for _ in range(3):
        made = one.post("api-keys", json={"name": "x"}).json()
        headers = {"X-API-Key": made["key"]}
        assert other.get("connections", headers=headers).status_code == 200
        one.delete(f"api-keys/{made['id']}")
        assert one.get("connections", headers=headers).status_code == 401
        wait_for(lambda headers=headers: other.get("connections", headers=headers).status_code == 401, "it counts")  # type: ignore[misc]


def test_a_query_is_cancelled_and_its_file_fetched_on_another_server(
    servers: Pair, postgres_db: ConnectionSettings
) -> None:
    one, other = servers
    connection = one.post("connections", json=body(postgres_db)).json()["id"]
    answers: list[httpx.Response] = []
    query = {"query": "SELECT pg_sleep(60)", "queryId": "sleepy"}
    runner = threading.Thread(
        target=lambda: answers.append(one.post(f"connections/{connection}/query", json=query, timeout=90))
    )
    runner.start()
    cancel = f"connections/{connection}/query/sleepy/cancel"
    wait_for(lambda: other.post(cancel).status_code == 200, "it was not cancelled")
    runner.join(DEADLINE_S)
    assert (answers[0].status_code, answers[0].json()["code"]) == (400, "query_cancelled")
    assert other.post(cancel).status_code == 404
    export = one.post(f"connections/{connection}/query/export", json={"query": "SELECT 7 AS seven"}).json()
    site = str(other.base_url).removesuffix("/api/v1/")
    assert other.get(f"{site}{export['url']}").text.split() == ["seven", "7"]
    assert [server.get(f"{site}{export['url']}").status_code for server in servers] == [404, 404]
    assert "SELECT 7" not in str(one.get("query-history").json())
    assert other.get("query-history").json() == one.get("query-history").json()


def test_what_one_server_changed_another_does_not_show_as_it_was(
    servers: Pair, postgres_db: ConnectionSettings
) -> None:
    one, other = servers
    connection = one.post("connections", json=body(postgres_db)).json()["id"]
    meta = f"connections/{connection}/databases/{postgres_db.database}/meta"
    names = f"connections/{connection}/names"
    assert "fresh_fruit" not in other.get(meta).text + other.get(names).text
    assert other.get(meta).headers["x-cache"] == "HIT"
    one.post(f"connections/{connection}/query", json={"query": "CREATE TABLE fresh_fruit (a int)"})
    assert "fresh_fruit" in other.get(meta).text
    assert "fresh_fruit" in other.get(names).text
    assert other.get(meta).headers["x-cache"] == "HIT"
    assert one.get(f"{meta}?refresh=true").headers["x-cache"] == "MISS"
    assert other.get(meta).headers["x-cache"] == "MISS"


def test_while_the_store_is_away_every_answer_says_so_and_then_all_goes_on(
    servers: Pair, store: ConnectionSettings, postgres18_server: ConnectionSettings, runs: dict[str, Replica]
) -> None:
    one, other = servers
    stream = started(one)
    doors = f"ALTER DATABASE {store.database} ALLOW_CONNECTIONS"
    with capture_logs():  # pictures of tracebacks take their time
        postgres(postgres18_server, f"{doors} false")
        try:
            ends = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{store.database}'"
            postgres(postgres18_server, ends)
            for server, path in ((one, "ready"), (other, "connections"), (one, f"streams/{stream}")):
                answer = server.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable"), answer.text
        finally:
            postgres(postgres18_server, f"{doors} true")
    for server in servers:
        wait_for(lambda server=server: server.get("ready").status_code == 200, "it is not back")  # type: ignore[misc]
        assert server.get(f"streams/{stream}").json()["status"] == "RUNNING"
    say(runs[stream], "still here")
    lines = lambda: [line["message"] for line in other.get(f"streams/{stream}/logs").json()]  # noqa: E731
    wait_for(lambda: "still here" in lines(), "the line did not come")
