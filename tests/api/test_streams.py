from __future__ import annotations

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server, body
from tests.api.drive import count, fill, finish, make, wait_for


@pytest.mark.parametrize("path", ["/streams/{}/start", "/stream-configs/{}/start"])
def test_six_calls_move_a_database(
    api: httpx.Client, path: str, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 3_000)
    config = make(api, mysql_db, postgres_db)
    assert api.get(f"/stream-configs/{config}/plan").json()["tables"][0]["target"] == "public.products"
    stream = api.post(path.format(config)).json()["id"]
    stats = finish(api, stream)
    assert (stats["status"], stats["totals"]["rowsWritten"], stats["tables"][0]["rowsRejected"]) == (
        "FINISHED",
        3000,
        0,
    )
    assert {node["type"]: node["stat"]["counter"] for node in stats["nodes"]} == {"source": 3000, "target": 3000}
    assert count(postgres_db) == 3000
    assert api.get(f"/stream-configs/{config}/history").json()[0]["rowsInserted"] == 3000
    assert any("FINISHED" in line["message"] for line in api.get(f"/streams/{stream}/logs").json())
    refused = api.post(f"/streams/{stream}/pause")
    assert refused.status_code == 409
    assert refused.json()["details"]["allowed"] == []


def test_the_later_shape_refuses_a_target_that_has_the_table(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 10)
    ends = [api.post("/connections", json=body(settings)).json()["id"] for settings in (mysql_db, postgres_db)]
    config = api.post(
        "/stream-configs",
        json={
            "name": "later", "mode": "load",
            "source": {"connections": [{"connectionId": ends[0], "tables": [{"name": "products"}]}]},
            "target": {"id": ends[1], "spec": {"db": {"schema": "public"}}},
        },
    ).json()["id"]  # fmt: skip
    assert finish(api, api.post(f"/stream-configs/{config}/start").json()["id"])["status"] == "FINISHED"
    again = finish(api, api.post(f"/stream-configs/{config}/start").json()["id"])
    assert (again["status"], again["code"]) == ("FAILED", "schema_conflict")
    assert count(postgres_db) == 10


def test_pause_resume_stop_and_a_connection_in_use(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 400_000)
    config = make(api, mysql_db, postgres_db, dataBundleSize=100)
    stream = api.post(f"/stream-configs/{config}/start").json()["id"]
    wait_for(lambda: api.get(f"/streams/{stream}/stats").json()["totals"]["rowsRead"] > 0, "nothing was read")
    assert api.post(f"/streams/{stream}/pause", content="null").json()["status"] == "PAUSED"
    source = api.get(f"/stream-configs/{config}").json()["source"]
    assert api.delete(f"/connections/{source}").status_code == 409
    assert api.post(f"/streams/{stream}/resume").json()["status"] == "RUNNING"
    assert api.post(f"/streams/{stream}/stop").json()["status"] == "STOPPED"
    stats = api.get(f"/streams/{stream}/stats").json()
    assert count(postgres_db) == stats["totals"]["rowsWritten"]


def test_a_server_that_was_killed_knows_what_it_was_doing(
    own_server: Server, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 100_000)
    own_server.start(MAINSTEM_FAILPOINTS="loader.after_commit=kill@3")
    with own_server.client() as api:
        config = make(api, mysql_db, postgres_db)
        stream = api.post(f"/stream-configs/{config}/start").json()["id"]
        assert own_server.process is not None
        own_server.process.wait(60)
    own_server.start()
    with own_server.client() as api:
        found = api.get(f"/streams/{stream}").json()
        assert (found["status"], found["allowed"]) == ("PAUSED", ["resume", "stop"])
        assert api.post(f"/streams/{stream}/resume").json()["status"] == "RUNNING"
        assert finish(api, stream)["status"] == "FINISHED"
    assert count(postgres_db) == 100_000


def test_live_events_tell_what_happens(
    api: httpx.Client, server: Server, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 10)
    config = make(api, mysql_db, postgres_db)
    with httpx.stream("GET", f"{server.url}/logs/stream", timeout=60) as live:
        stream = api.post(f"/stream-configs/{config}/start").json()["id"]
        seen = []
        for line in live.iter_lines():
            seen.append(line)
            if "event: log" in seen and "-> FINISHED" in line and stream in line:
                break
    assert seen[0] == "event: connection"
