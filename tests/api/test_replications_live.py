"""Streams of mode cdc through the API, on real servers: what their life leaves at the source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.testing.proxy import Proxy
from tests.api.conftest import Server
from tests.api.drive import count, finish, make, mysql, postgres, start, wait_for
from tests.control.test_alerts import Hook

SLOTS = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"


def streaming(api: httpx.Client, source: ConnectionSettings, target: ConnectionSettings, **more: Any) -> str:
    """A stream of mode cdc that has copied and streams; its id."""
    stream = start(api, make(api, source, target, mode="cdc", **more))
    stats = f"/streams/{stream}/stats"
    wait_for(lambda: api.get(stats).json()["stage"] == "streaming", api.get(stats).text)
    return stream


def rows(target: ConnectionSettings, table: str = "t") -> Callable[[int], bool]:
    def has(wanted: int) -> bool:
        try:
            return count(target, table) == wanted
        except psycopg.Error:  # it is not there yet
            return False

    return has


def arrived(target: ConnectionSettings, statement: str, value: object) -> bool:
    try:
        return postgres(target, statement) == [(value,)]
    except psycopg.Error:  # what it asks for is not there yet
        return False


def slots(source: ConnectionSettings) -> int:
    return int(postgres(source, SLOTS)[0][0])


def test_a_stream_of_postgresql_holds_its_slot_through_everything_but_a_stop(
    own_server: Server, postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    source, has = postgres15_db, rows(postgres_db)
    postgres(source, "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    own_server.start()
    with own_server.client() as api:
        stream = streaming(api, source, postgres_db)
        postgres(source, "INSERT INTO t VALUES (2)")
        wait_for(lambda: has(2), "the insert did not arrive")
        assert "log is kept" in api.post(f"/streams/{stream}/pause").json()["message"]
        postgres(source, "INSERT INTO t VALUES (3)")
        assert slots(source) == 1
        api.post(f"/streams/{stream}/resume")
        wait_for(lambda: has(3), "what came during the pause did not arrive")
        own_server.end(kill=True)
        postgres(source, "DELETE FROM t WHERE a = 1")
        own_server.start()
        wait_for(lambda: has(2), "it did not go on by itself")
        stats = api.get(f"/streams/{stream}/stats").json()
        assert (stats["status"], stats["changes"]["transactions"] >= 3) == ("RUNNING", True)
        own_server.end()
        postgres(source, "INSERT INTO t VALUES (4)")
        own_server.start()
        wait_for(lambda: has(3), "it did not go on after an end in order")
        assert api.post(f"/streams/{stream}/stop").json()["status"] == "STOPPED"
        wait_for(lambda: slots(source) == 0, "the slot is still there")
        assert api.get(f"/streams/{stream}/dead-letters").json() == []
        assert api.delete(f"/streams/{stream}").status_code == 204


def test_a_slot_that_is_gone_ends_in_position_lost_and_a_new_copy_helps(
    own_server: Server, postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    source, has = postgres15_db, rows(postgres_db)
    postgres(source, "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    own_server.start()
    with own_server.client() as api:
        lost = streaming(api, source, postgres_db)
        own_server.end()
        wait_for(lambda: not postgres(source, "SELECT 1 FROM pg_replication_slots WHERE active"), "it is still read")
        postgres(
            source,
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
        )
        postgres(source, "INSERT INTO t VALUES (2); DELETE FROM t WHERE a = 1; INSERT INTO t VALUES (3)")
        own_server.start()
        wait_for(lambda: api.get(f"/streams/{lost}").json()["status"] == "FAILED", "it did not fail")
        record = api.get(f"/streams/{lost}").json()
        assert (record["code"], "snapshot always" in record["remedy"]) == ("position_lost", True)
        anew = api.post(f"/stream-configs/{record['configId']}/start?snapshot=always").json()["id"]
        wait_for(lambda: has(2), "it was not copied anew")
        postgres(source, "INSERT INTO t VALUES (4)")
        wait_for(lambda: has(3), "it does not stream")
        assert api.delete(f"/streams/{lost}").status_code == 204
        api.post(f"/streams/{anew}/stop")


def test_a_stream_follows_its_connection_to_another_address(
    api: httpx.Client, postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    has = rows(postgres_db)
    postgres(postgres15_db, "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    with Proxy(postgres15_db.port) as proxy:
        stream = streaming(api, replace(postgres15_db, port=proxy.port), postgres_db)
    postgres(postgres15_db, "INSERT INTO t VALUES (2)")
    source = api.get(f"/streams/{stream}").json()["source"]
    assert api.put(f"/connections/{source}", json={"port": postgres15_db.port}).status_code == 200
    wait_for(lambda: has(2), "it does not go on at the new address")
    postgres(postgres15_db, "ALTER TABLE t ADD b int; INSERT INTO t VALUES (3, 3)")
    wait_for(lambda: has(3), "a change of structure is still asked about at the old address")
    assert api.post(f"/streams/{stream}/stop").json()["status"] == "STOPPED"
    wait_for(lambda: slots(postgres15_db) == 0, "the slot is still there")


def test_a_limit_ends_a_stream_and_frees_its_source(
    api: httpx.Client, postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    postgres(postgres15_db, "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (a int PRIMARY KEY)")
    postgres(postgres_db, "CREATE TABLE u (a int PRIMARY KEY); INSERT INTO u VALUES (1)")
    config = make(api, postgres15_db, postgres_db, mode="cdc", limits={"elapsedTime": 2})
    plan = api.get(f"/stream-configs/{config}/plan").json()
    assert "tgt.not_copied" in {finding["check"] for finding in plan["findings"]}
    assert [table["source"] for table in plan["tables"]] == ["public.t", "public.u"]
    stream = start(api, config)
    ended = finish(api, stream)
    assert (ended["status"], ended["error"]) == ("TIME_LIMIT_REACHED", "")
    wait_for(lambda: slots(postgres15_db) == 0, "the slot is still there")


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook(200) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_failure_is_posted_and_deleting_the_stream_frees_its_source(
    api: httpx.Client, postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings, hook: Hook
) -> None:
    postgres(postgres15_db, "CREATE TABLE t (a int PRIMARY KEY)")
    stream = streaming(api, postgres15_db, postgres_db, onChangeError="stop_stream", alertUrl=hook.url)
    postgres(postgres_db, "ALTER TABLE t ADD CHECK (a < 10)")
    postgres(postgres15_db, "INSERT INTO t VALUES (11)")
    wait_for(lambda: api.get(f"/streams/{stream}").json()["status"] == "FAILED", "it did not fail")
    wait_for(lambda: [alert["alert"] for alert in hook.heard] == ["failure"], str(hook.heard))
    assert slots(postgres15_db) == 1
    assert api.delete(f"/streams/{stream}").status_code == 204
    assert slots(postgres15_db) == 0


@pytest.mark.parametrize("flow", ["mysql", "postgres"])
def test_letters_copies_schema_changes_and_a_cut_over(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres15_db: ConnectionSettings,
    postgres_db: ConnectionSettings, flow: str,
) -> None:  # fmt: skip
    source = mysql_db if flow == "mysql" else postgres15_db
    write: Any = mysql if flow == "mysql" else postgres
    write(source, "CREATE TABLE t (a int PRIMARY KEY, b int)")
    write(source, "INSERT INTO t VALUES (1, 1), (2, 2)")
    stream = streaming(api, source, postgres_db, onChangeError="quarantine")
    postgres(postgres_db, "ALTER TABLE t ADD CHECK (b < 100)")
    for statement in ("INSERT INTO t VALUES (3, 3)", "UPDATE t SET b = 500 WHERE a = 2", "DELETE FROM t WHERE a = 1"):
        write(source, statement)

    def table() -> dict[str, Any]:
        return dict(api.get(f"/streams/{stream}/stats").json()["tables"][0])

    wait_for(lambda: table()["deadLetters"] == 1 and table()["operations"]["delete"] == 1, str(table()))
    assert table()["operations"]["insert"] == 1
    (letter,) = api.get(f"/streams/{stream}/dead-letters").json()
    assert (letter["operation"], "2" in letter["key"]) == ("update", True)
    assert api.post(f"/streams/{stream}/dead-letters/discard", json={"numbers": [letter["number"]]}).is_success
    assert api.get(f"/streams/{stream}/dead-letters").json() == []
    postgres(postgres_db, "ALTER TABLE t DROP CONSTRAINT t_b_check")
    assert api.post(f"/streams/{stream}/tables/t/resync").json()["status"] == "RUNNING"
    wait_for(lambda: postgres(postgres_db, "SELECT b FROM t WHERE a = 2") == [(500,)], "it was not copied anew")
    wait_for(lambda: table()["status"] == "streaming", str(table()))
    write(source, "ALTER TABLE t ADD COLUMN c varchar(9)")
    write(source, "INSERT INTO t VALUES (4, 4, 'new')")
    wait_for(lambda: arrived(postgres_db, "SELECT c FROM t WHERE a = 4", "new"), str(table()))
    (change,) = api.get(f"/streams/{stream}/schema-changes").json()
    assert (change["outcome"], "ADD COLUMN" in change["detail"]) == ("applied", True)
    report = api.post(f"/streams/{stream}/cutover", json={"quietSeconds": 0.2}).json()
    assert (report["safe"], [count["sourceRows"] for count in report["tables"]]) == (True, [3]), report
    assert api.post(f"/streams/{stream}/stop").json()["status"] == "STOPPED"
