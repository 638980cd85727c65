"""What the API says of streams of mode cdc, with a stand-in for the engine's run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainstem.control import preflight, streams, supervisor
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.run import RunState, SnapshotPolicy
from tests.api.planes import prepared, serving, started
from tests.control.replica import Replica


@pytest.fixture
def runs() -> dict[str, Replica]:
    return {}


@pytest.fixture
def api(tmp_path: Path, runs: dict[str, Replica], monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The application over a control plane whose systems need not be there."""
    monkeypatch.setattr(preflight, "check", lambda *_: [])
    monkeypatch.setattr(supervisor, "release", lambda *_: None)
    monkeypatch.setattr(streams, "close_stream", lambda *_: None)
    with prepared(f"sqlite:///{tmp_path / 'mainstem.db'}", runs) as app, serving(app) as (client,):
        yield client


@pytest.fixture
def stream(api: httpx.Client) -> str:
    return started(api)


def test_cut_overs_that_wait_hold_up_nobody_and_end_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: dict[str, Replica]
) -> None:
    monkeypatch.setattr(preflight, "check", lambda *_: [])
    monkeypatch.setattr(supervisor, "release", lambda *_: None)
    ended = threading.Event()
    with prepared(f"sqlite:///{tmp_path / 'mainstem.db'}", runs) as app, serving(app) as (client,):
        stream, plane = started(client), app.state.services
        monkeypatch.setattr(runs[stream], "cutover", lambda *_, **__: ended.wait(60))
        with ThreadPoolExecutor(24) as pool:
            asked = [pool.submit(client.post, f"streams/{stream}/cutover") for _ in range(24)]
            assert client.get(f"streams/{stream}").json()["status"] == "RUNNING"
            assert not any(answer.done() for answer in asked)
            plane.broadcaster.close()
            answers = [answer.result() for answer in asked]
        ended.set()
    assert {(answer.status_code, "is ending" in answer.json()["error"]) for answer in answers} == {(409, True)}


def test_nothing_waits_for_a_stream_that_is_paused(api: httpx.Client, stream: str, runs: dict[str, Replica]) -> None:
    api.post(f"streams/{stream}/pause")
    for call in ("cutover", "dead-letters/replay"):
        answer = api.post(f"streams/{stream}/{call}")
        assert (answer.status_code, answer.json()["details"]["state"]) == (409, "PAUSED")
    assert runs[stream].asked == ["pause"]


def test_stats_say_how_far_the_target_is_behind(api: httpx.Client, stream: str, runs: dict[str, Replica]) -> None:
    runs[stream].told.append(Alert(AlertKind.LAG, "behind", "wait"))
    stats = api.get(f"streams/{stream}/stats").json()
    assert (stats["mode"], stats["status"], stats["stage"]) == ("cdc", "RUNNING", "streaming")
    assert stats["changes"] == {
        "position": "bin.1:4", "lagSeconds": 0.25, "lagBytes": 1000, "lagTransactions": 2, "transactions": 8,
        "committedAt": "2023-11-14T22:13:20Z", "appliedAt": "2023-11-14T22:13:20.100000Z", "heldBytes": 4096,
    }  # fmt: skip
    operations = {"insert": 5, "update": 3, "delete": 0, "truncate": 0}
    (table,) = stats["tables"]
    assert (table["status"], table["operations"], table["deadLetters"]) == ("streaming", operations, 1)
    assert stats["totals"]["operations"] == operations
    assert stats["nodes"][0]["counter"] == stats["target"]["counter"] == 8
    assert stats["alerts"] == [{"alert": "lag", "message": "behind", "remedy": "wait", "subject": ""}]


def test_a_cut_over_says_whether_it_is_safe(api: httpx.Client, stream: str, runs: dict[str, Replica]) -> None:
    answer = api.post(f"streams/{stream}/cutover", json={"deadlineSeconds": 5, "quietSeconds": 0.5})
    assert answer.json() == {
        "safe": True, "position": "bin.1:9", "waitedSeconds": 0.5, "problems": [],
        "counters": ["public.orders.id = 6"],
        "tables": [
            {
                "table": "shop.orders", "target": "public.orders", "sourceRows": 5, "targetRows": 5, "same": True,
                "note": "",
            }
        ],
    }  # fmt: skip
    assert api.post("streams/current/cutover", content=b"null").is_success
    assert runs[stream].asked == ["cutover 5 0.5", "cutover 60 3"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"deadlineSeconds": 0}, "deadlineSeconds"), ({"quietSeconds": -1}, "quietSeconds"), ([], "body"),
        ({"deadlineSeconds": "soon"}, "deadlineSeconds"),
    ],
)  # fmt: skip
def test_a_wrong_wait_is_named(api: httpx.Client, stream: str, body: Any, field: str) -> None:
    answer = api.post(f"streams/{stream}/cutover", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_one_table_is_copied_anew(api: httpx.Client, stream: str, runs: dict[str, Replica]) -> None:
    assert api.post(f"streams/{stream}/tables/orders/resync").json()["status"] == "RUNNING"
    assert runs[stream].asked == ["resync"]
    for name in ("other", "a%2Fb", "a%20b"):
        assert api.post(f"streams/{stream}/tables/{name}/resync").status_code == 404


def test_dead_letters_are_shown_replayed_and_forgotten(
    api: httpx.Client, stream: str, runs: dict[str, Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.get(f"streams/{stream}/dead-letters").json() == [
        {
            "number": 3, "table": "shop.orders", "operation": "update", "key": "id=7", "position": "bin.1:4",
            "column": "total", "reason": "value is out of range",
        }
    ]  # fmt: skip
    assert api.post(f"streams/{stream}/dead-letters/replay", json={"numbers": [3]}).json() == {
        "applied": 1, "refused": 0,
    }  # fmt: skip
    assert api.post(f"streams/{stream}/dead-letters/replay").is_success
    assert runs[stream].asked == ["replay [3]", "replay []"]
    forgotten: list[Any] = []
    monkeypatch.setattr("mainstem.control.replications.discard_letters", lambda *told: forgotten.append(told[-1]))
    assert api.post(f"streams/{stream}/dead-letters/discard", json={"numbers": [3]}).status_code == 204
    assert forgotten == [[3]]
    assert runs[stream].asked[-1] == "count letters"
    assert api.post(f"streams/{stream}/dead-letters/discard", json={}).status_code == 400


def test_schema_changes_and_what_became_of_them(api: httpx.Client, stream: str) -> None:
    (line,) = api.get(f"streams/{stream}/schema-changes").json()
    assert (line["change"], line["outcome"], line["at"]) == ("columns", "applied", "2023-11-14T22:13:20Z")


def test_a_stream_that_does_not_run_refuses_with_409(api: httpx.Client, stream: str) -> None:
    assert api.post(f"streams/{stream}/stop").json()["status"] == "STOPPED"
    answer = api.post(f"streams/{stream}/cutover")
    assert (answer.status_code, answer.json()["details"]["state"]) == (409, "STOPPED")
    assert api.delete(f"streams/{stream}").status_code == 204
    assert api.get(f"streams/{stream}").status_code == 404


def test_prometheus_hears_of_lag_changes_and_alerts(api: httpx.Client, stream: str, runs: dict[str, Replica]) -> None:
    runs[stream].told.append(Alert(AlertKind.RETENTION, "half is used up"))
    families = text_string_to_metric_families(api.get("metrics").text)
    found = {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name not in {"stream", "streamID"})):
        sample.value
        for family in families for sample in family.samples
    }  # fmt: skip
    assert found["mainstem_lag_seconds",] == 0.25
    assert found["mainstem_lag_bytes",] == 1000
    assert found["mainstem_lag_transactions",] == 2
    assert found["mainstem_source_held_bytes",] == 4096
    assert found["mainstem_applied_age_seconds",] > 1e6
    assert found["mainstem_changes_total", "insert", "shop.orders"] == 5
    assert found["mainstem_dead_letters", "shop.orders"] == 1
    assert found["mainstem_table_state", "streaming", "shop.orders"] == 1
    assert found["mainstem_alerts", "retention"] == 1
    assert found["mainstem_alerts", "lag"] == 0
    assert found["target_events_out",] == 8
    assert found["mainstem_transactions",] == 8
    assert [labels[1::2] for labels in found if labels[0] == "mainstem_stream_state"] == [("cdc", "RUNNING")]
    api.post(f"streams/{stream}/stop")
    assert "mainstem_lag_seconds{" not in api.get("metrics").text


def test_a_start_may_copy_everything_anew(api: httpx.Client, stream: str, runs: dict[str, Replica]) -> None:
    config = api.get(f"streams/{stream}").json()["configId"]
    runs[stream].end(RunState.FAILED, "the log does not reach back")
    deadline = time.monotonic() + 60
    while api.get(f"streams/{stream}").json()["status"] != "FAILED":
        assert time.monotonic() < deadline
    assert api.post(f"stream-configs/{config}/start?snapshot=sometimes").json()["field"] == "snapshot"
    anew = api.post(f"stream-configs/{config}/start?snapshot=always").json()["id"]
    assert runs[anew].options.changes.snapshot is SnapshotPolicy.ALWAYS
    told = [line["message"] for line in api.get(f"streams/{anew}/logs").json()]
    assert f"the source may still keep its log for stream {stream}, which failed: delete it" in told
