"""Answers, member by member, as the documented API and its known clients name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import KEY, Server, body
from tests.api.drive import connect_both, fill, finish, make, mysql, start, wait_for
from tests.api.listening import LiveLog

SECONDS_2020 = 1_577_836_800


@pytest.fixture(scope="module")
def ended(server: Server, mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings) -> Iterator[Any]:
    """A stream that has ended, with two tables and one row put aside: its stats, and what the live log said."""
    from tests.conftest import _postgres_database

    target = next(databases := _postgres_database(postgres18_server))
    mysql(mariadb_server, "CREATE OR REPLACE DATABASE answers")
    source = ConnectionSettings(
        "mysql", mariadb_server.host, mariadb_server.port, "root", mariadb_server.password, "answers"
    )
    fill(source, 2_000)
    mysql(source, "CREATE TABLE days (id INT PRIMARY KEY, d DATE)", "INSERT INTO days VALUES (1, 0), (2, '2024-02-29')")
    live = LiveLog(server.url)
    with server.client() as api:
        config = make(api, source, target, rowErrors={"policy": "quarantine"}, reportingInterval=1, name="shop")
        stream = start(api, config)
        stats = finish(api, stream)
        last = f"{stream}"
        wait_for(lambda: any(last in str(event) and "-> FINISHED" in str(event) for event in live.events), "no end")
        yield {"api": api, "config": config, "stream": stream, "stats": stats, "live": live.events}
    next(databases, None)
    mysql(mariadb_server, "DROP DATABASE answers")


def test_stats_tell_each_side(ended: Any) -> None:
    stats = ended["stats"]
    assert (stats["streamID"], stats["configID"], stats["status"]) == (ended["stream"], ended["config"], "FINISHED")
    nodes = {node["type"]: node for node in stats["nodes"]}
    assert set(nodes) == {"source", "target"}
    for node in nodes.values():
        assert set(node["stat"]) == {
            "counter", "failedCounter", "sumDataSize", "prevDataSize", "reportingInterval", "start", "duration",
            "avgRate", "status",
        }  # fmt: skip
        assert node["stat"]["duration"] == pytest.approx(stats["elapsed"] * 1e9, rel=0.01)
        assert node["stat"]["avgRate"] == pytest.approx(stats["totals"]["bytes"] / stats["elapsed"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", node["stat"]["start"])
        assert node["counter"] == node["stat"]["counter"]
    assert (nodes["source"]["counter"], nodes["target"]["counter"], nodes["target"]["failedCounter"]) == (2002, 2001, 1)
    assert re.fullmatch(r"\d+\.\d{3}s", stats["source"]["elapsed"])


def test_stats_tell_each_table_and_the_total(ended: Any) -> None:
    stats = ended["stats"]
    tables = {table["name"]: table for table in stats["tables"]}
    assert set(tables) == {"answers.days", "answers.products"}
    for name, (read, written, rejected) in {"days": (2, 1, 1), "products": (2000, 2000, 0)}.items():
        table = tables[f"answers.{name}"]
        assert (table["rowsRead"], table["rowsWritten"], table["rowsRejected"]) == (read, written, rejected)
        assert (table["status"], table["target"], table["error"]) == ("finished", f"public.{name}", "")
        assert (table["chunksDone"], table["remainingSeconds"]) == (table["chunksTotal"], 0.0)
        assert table["bytes"] > 0
        assert table["elapsed"] > 0
        assert table["rowsPerSecond"] == pytest.approx(read / table["elapsed"])
    for member in ("rowsRead", "rowsWritten", "rowsRejected", "bytes"):
        assert stats["totals"][member] == sum(table[member] for table in tables.values())
    [rejected_row] = stats["rejected"]
    assert (rejected_row["table"], rejected_row["key"], rejected_row["column"]) == ("answers.days", "id=1", "d")
    assert "zero" in rejected_row["reason"]


def test_stats_have_several_addresses(ended: Any) -> None:
    api, stream = ended["api"], ended["stream"]
    newest = api.get("/streams").json()[0]["id"]
    addresses = {
        f"/streams/{stream}/stats": stream,
        f"/streams/{stream}/progress": stream,
        "/streams/current/stats": newest,
        "/streams/stat": newest,
    }
    assert {path: api.get(path).json()["streamID"] for path in addresses} == addresses


def test_the_log_is_told_by_level_and_number(ended: Any) -> None:
    api, stream = ended["api"], ended["stream"]
    lines = api.get(f"/streams/{stream}/logs").json()
    assert [line["number"] for line in lines] == sorted(line["number"] for line in lines)
    assert {line["streamId"] for line in lines} == {stream}
    assert {"READY -> RUNNING", "RUNNING -> FINISHED"} <= {line["message"] for line in lines}
    assert api.get(f"/streams/{stream}/logs?limit=2").json() == lines[-2:]
    assert {line["level"] for line in api.get(f"/streams/{stream}/logs?level=WARN,error").json()} <= {"warn", "error"}
    assert list(api.get(f"/streams/{stream}/logs?level=loud").json()["fields"]) == ["level"]
    assert api.get(f"/streams/{stream}/logs?limit=0").status_code == 400


def test_live_events_come_in_both_forms(ended: Any) -> None:
    events = ended["live"]
    assert events[0][0] == "connection"
    mine = [event for event in events if event[1].get("nodeId", "").endswith(ended["stream"])]
    named = [(data, number) for name, data, number in mine if name == "log"]
    assert all({"level", "timestamp", "message", "type", "category", "streamId"} <= set(data) for data, _ in named)
    numbers = [int(number) for _, number in named]
    assert numbers == sorted(numbers)
    early = [data for name, data, _ in mine if name == ""]
    assert len(early) >= len(named) - 1
    assert all({"msg", "level", "ts", "type", "nodeId"} <= set(data) for data in early)
    texts = [data["msg"] for data in early]
    assert any(re.fullmatch(r"\[progress\] Copying rows \| STAGE:3", text) for text in texts)
    stat = (
        r"\[stat\] \w+ \| events: \d+ \| failed: \d+ \| size: [\d.]+ K?B \| rate: .*/s \| avg rate: .*/s \| elapsed: .*"
    )
    assert any(re.fullmatch(stat, text) for text in texts), texts


def test_the_live_log_repeats_what_a_client_has_missed(ended: Any, server: Server) -> None:
    numbers = [int(number) for name, _, number in ended["live"] if name == "log"]
    headers = {"Last-Event-ID": str(numbers[0])}
    with httpx.stream("GET", f"{server.url}/logs/stream", headers=headers, timeout=60) as live:
        for line in live.iter_lines():
            if line.startswith("id:"):
                assert int(line[3:]) == numbers[0] + 1
                break


def test_the_live_log_asks_other_names_for_a_key(server: Server) -> None:
    """A page that gave this machine a name of its own is not on this machine."""
    url = f"{server.url}/logs/stream"
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 401
    with httpx.stream("GET", f"{url}?api_key={KEY}", headers={"Host": "evil.example"}) as live:
        assert live.status_code == 200
        assert live.headers["content-type"].startswith("text/event-stream")


def test_a_run_is_a_line_of_its_configs_history(ended: Any) -> None:
    [line] = ended["api"].get(f"/stream-configs/{ended['config']}/history").json()
    assert (line["id"], line["streamId"], line["configId"]) == (ended["stream"], ended["stream"], ended["config"])
    assert (line["status"], line["rowsInserted"], line["rowsSkipped"]) == ("FINISHED", 2001, 1)
    assert line["durationMs"] == int(ended["stats"]["elapsed"] * 1000)
    assert line["dataSize"] == ended["stats"]["totals"]["bytes"]


def test_moves_of_a_finished_stream_say_that_nothing_is_allowed(ended: Any) -> None:
    api, stream = ended["api"], ended["stream"]
    for move in ("pause", "resume"):
        refused = api.post(f"/streams/{stream}/{move}", content="null").json()
        assert (refused["code"], refused["details"]["state"], refused["details"]["allowed"]) == (
            "conflict",
            "FINISHED",
            [],
        )
        assert "allowed: nothing" in refused["error"]
    assert api.post(f"/streams/{stream}/stop").json()["status"] == "FINISHED"
    for move in ("pause", "resume", "stop"):
        assert api.post(f"/streams/stream_id/{move}").status_code == 404


def test_a_config_is_answered_in_the_shape_that_was_sent(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    ends = connect_both(api, mysql_db, postgres_db)
    early = {
        "source": ends[0], "target": ends[1], "mode": "Convert", "dataBundleSize": 500, "createStructure": True,
        "reportingIntervals": {"source": 3, "target": 3}, "tables": [{"name": "t", "selected": True}], "id": "",
    }  # fmt: skip
    made = api.post("/stream-configs", json={**early, "name": "shop"}).json()
    assert re.fullmatch(r"config_[0-9A-Za-z]{27}", made["id"])
    assert made["name"] == f"shop_{made['id'][-5:]}"
    assert made["created"] > SECONDS_2020
    assert (made["mode"], made["tables"], made["dataBundleSize"]) == ("convert", [{"name": "t"}], 500)
    assert api.get(f"/stream-configs/{made['id']}").json() == made
    assert made in api.get("/stream-configs").json()
    put = api.put(f"/stream-configs/{made['id']}", json={**made, "dataBundleSize": 10}).json()
    assert (put["id"], put["name"], put["created"], put["dataBundleSize"]) == (
        made["id"], made["name"], made["created"], 10,
    )  # fmt: skip
    copy = api.put(f"/stream-configs/{made['id']}/clone", content="null").json()
    assert copy["id"] != made["id"]
    assert {name: copy[name] for name in ("source", "target", "tables")} == {
        name: made[name] for name in ("source", "target", "tables")
    }
    assert api.delete(f"/stream-configs/{copy['id']}").status_code == 204
    assert api.get(f"/stream-configs/{copy['id']}").status_code == 404
    later = {
        "name": "later", "mode": "load", "source": {"connections": [{"connectionId": ends[0], "alias": "my1"}]},
        "target": {"id": ends[1], "spec": {"db": {"schemaPolicy": "drop_and_recreate", "writeMode": "upsert"}}},
    }  # fmt: skip
    answered = api.post("/stream-configs", json=later).json()
    assert {name: answered[name] for name in ("mode", "source", "target")} == {
        name: later[name] for name in ("mode", "source", "target")
    }


def test_a_posted_stream_saves_and_starts_a_config_or_leaves_nothing(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 5)
    ends = connect_both(api, mysql_db, postgres_db)
    config = {"source": ends[0], "target": ends[1], "mode": "convert"}
    before = len(api.get("/stream-configs").json())
    refused = api.post("/streams", json={**config, "tables": [{"name": "nowhere"}]})
    assert refused.status_code == 400
    assert len(api.get("/stream-configs").json()) == before
    started = api.post("/streams", json=config).json()
    assert (started["status"], started["data"]["id"]) == ("success", started["id"])
    assert finish(api, started["id"])["status"] == "FINISHED"


def test_the_later_lists_have_counts_and_pages(api: httpx.Client) -> None:
    for number in range(3):
        assert api.post("/connections", json={"name": f"paged-{number}", "type": "mysql", "host": "h", "username": "u"})
    page = api.get("/connections?search=PAGED&limit=2&offset=1").json()
    assert (page["filtered"], page["limit"], page["offset"], len(page["items"])) == (3, 2, 1, 2)
    assert page["total"] >= 3
    assert page["items"][0]["spec"]["database"]["host"] == "h"
    assert isinstance(api.get("/connections").json(), list)


def test_system_answers_have_what_known_clients_read(api: httpx.Client, server: Server) -> None:
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok", "ping": "ok"}
    services = httpx.get(f"{server.url}/services/status").json()["services"]
    assert {item["name"] for item in services} == {"stream-api", "stream-reader", "stream-writer", "nats", "vault"}
    assert {item["status"] for item in services} == {"passing"}
    assert httpx.get(f"{server.url}/system/defaults").json()["installId"].startswith("install_")
    user = api.get("/user").json()
    assert user["subscription"]["monthly_limit"] > 0
    assert user["apiKey"] != KEY
    assert (user["dailyUsage"], user["subscriptionStatus"]) == ([], "active")


def test_browsers_of_this_machine_are_let_in(server: Server) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key, Content-Type"}
    answer = httpx.options(f"{server.url}/connections", headers={"Origin": "http://localhost:5173", **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    strange = httpx.options(f"{server.url}/connections", headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in strange.headers


def test_all_connections_go_only_on_confirmation(own_server: Server) -> None:
    own_server.start()
    with own_server.client() as api:
        settings = ConnectionSettings("mysql", "127.0.0.1", 1, "u", "p", "d")
        made = [api.post("/connections", json=body(settings)).json()["id"] for _ in range(2)]
        refused = api.delete("/connections")
        assert (refused.status_code, refused.json()["field"]) == (400, "X-Confirm-Delete")
        assert [item["id"] for item in api.get("/connections").json()] == made
        assert api.delete("/connections", headers={"X-Confirm-Delete": "true"}).status_code == 204
        assert api.get("/connections").json() == []
