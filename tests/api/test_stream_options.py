"""What a config may ask of a stream, through the API on real servers: policies, write modes, limits, queries."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings
from tests.api.drive import connect_both, count, fill, finish, make, mysql, postgres, run, start, wait_for

INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = 'products' ORDER BY 1"


@pytest.fixture
def shop(mysql_db: ConnectionSettings) -> ConnectionSettings:
    fill(mysql_db, 500)
    return mysql_db


@pytest.mark.parametrize(
    ("policy", "state", "rows"),
    [
        ("fail_if_exists", "FAILED", 1),
        ("create_missing_only", "FINISHED", 501),
        ("validate_existing", "FINISHED", 501),
        ("drop_and_recreate", "FINISHED", 500),
    ],
)
def test_schema_policies_on_a_table_that_is_there(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, policy: str, state: str, rows: int
) -> None:
    postgres(postgres_db, "CREATE TABLE products (id BIGINT PRIMARY KEY, name TEXT)")
    postgres(postgres_db, "INSERT INTO products VALUES (-1, 'mine')")
    stats = run(api, shop, postgres_db, schemaPolicy=policy)
    assert (stats["status"], count(postgres_db)) == (state, rows)
    if state == "FAILED":
        assert (stats["code"], stats["tables"]) == ("schema_conflict", [])
        assert "drop_and_recreate" in stats["remedy"]


@pytest.mark.parametrize("policy", ["create_missing_only", "validate_existing"])
def test_a_table_that_lacks_a_column_is_refused_before_a_row_is_read(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, policy: str
) -> None:
    postgres(postgres_db, "CREATE TABLE products (id BIGINT PRIMARY KEY)")
    stats = run(api, shop, postgres_db, schemaPolicy=policy)
    assert stats["status"] == "FAILED"
    assert "lacks the column name" in stats["error"]
    assert stats["totals"]["rowsRead"] == 0


@pytest.mark.parametrize("structure", [{"schemaPolicy": "validate_existing"}, {"createStructure": False}])
def test_a_missing_table_is_named_when_none_may_be_made(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, structure: dict[str, Any]
) -> None:
    stats = run(api, shop, postgres_db, **structure)
    assert (stats["status"], stats["error"]) == ("FAILED", "the target lacks these tables: public.products")


@pytest.mark.parametrize(
    ("mode", "state", "rows", "name"),
    [
        ("append", "FAILED", 2, "old"),
        ("upsert", "FINISHED", 501, "p1"),
        ("truncate_and_load", "FINISHED", 500, "p1"),
        ("fail_if_not_empty", "FAILED", 2, "old"),
    ],
)
def test_write_modes_on_a_table_that_has_rows(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, mode: str, state: str, rows: int,
    name: str,
) -> None:  # fmt: skip
    postgres(postgres_db, "CREATE TABLE products (id BIGINT PRIMARY KEY, name TEXT)")
    postgres(postgres_db, "INSERT INTO products VALUES (-1, 'mine'), (1, 'old')")
    stats = run(api, shop, postgres_db, writeMode=mode)
    assert (stats["status"], count(postgres_db)) == (state, rows)
    assert postgres(postgres_db, "SELECT name FROM products WHERE id = 1") == [(name,)]


def test_an_upsert_that_would_double_rows_is_refused_before_it_begins(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(mysql_db, "CREATE TABLE heap (a INT)", "INSERT INTO heap VALUES (1), (2)")
    assert run(api, mysql_db, postgres_db, writeMode="upsert")["status"] == "FINISHED"
    config = make(api, mysql_db, postgres_db, writeMode="upsert")
    refused = api.post(f"/stream-configs/{config}/start")
    assert (refused.status_code, refused.json()["code"]) == (400, "preflight")
    assert "heap has no primary key" in refused.json()["error"]
    assert api.get(f"/stream-configs/{config}/history").json() == []
    assert count(postgres_db, "heap") == 2


@pytest.mark.parametrize(
    ("members", "indexes"),
    [
        ({}, ["products_by_name", "products_pkey"]),
        ({"skipIndexCreation": True}, ["products_pkey"]),
        ({"tables": [{"name": "products", "skipIndexCreation": True}]}, ["products_pkey"]),
        ({"structureOptions": {"indexes": False}}, ["products_pkey"]),
    ],
)
def test_indexes_are_left_out_on_request(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, members: dict[str, Any],
    indexes: list[str],
) -> None:  # fmt: skip
    assert run(api, shop, postgres_db, **members)["status"] == "FINISHED"
    assert [name for (name,) in postgres(postgres_db, INDEXES)] == indexes


def test_only_the_structure_arrives_without_data(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    stats = run(api, shop, postgres_db, skipData=True)
    assert (stats["status"], stats["totals"]["rowsRead"], count(postgres_db)) == ("FINISHED", 0, 0)


def test_tables_queries_filters_and_columns_are_selected(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(shop, "CREATE TABLE unwanted (id INT PRIMARY KEY)")
    ends = connect_both(api, shop, postgres_db)
    selection = {"selectedColumns": ["id"], "filters": [{"column": "id", "operator": "<=", "value": "7"}]}
    query = "SELECT name, id * 2 AS twice FROM products WHERE id > 490"
    config = api.post(
        "/stream-configs",
        json={
            "name": "part", "mode": "load",
            "source": {"connections": [{
                "connectionId": ends[0], "tables": [{"name": "products", "selection": selection}],
                "queries": [{"name": "latest", "query": query}],
            }]},
            "target": {"id": ends[1], "spec": {"db": {"schema": "sales"}}},
        },
    ).json()["id"]  # fmt: skip
    stats = finish(api, start(api, config))
    assert (stats["status"], stats["error"]) == ("FINISHED", "")
    assert postgres(postgres_db, "SELECT count(*), max(id) FROM sales.products") == [(7, 7)]
    assert postgres(postgres_db, "SELECT count(*), max(twice) FROM sales.latest") == [(10, 1000)]
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'sales' ORDER BY 1"
    assert postgres(postgres_db, tables) == [("latest",), ("products",)]


def test_an_unknown_table_is_named_and_nothing_has_begun(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    config = make(api, shop, postgres_db, tables=[{"name": "Products"}, {"name": "products"}])
    before = len(api.get("/streams").json())
    refused = api.post(f"/streams/{config}/start")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["tables.Products"])
    assert "case-sensitive" in refused.json()["remedy"]
    assert len(api.get("/streams").json()) == before
    assert postgres(postgres_db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_query_that_the_server_refuses_is_named(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    config = make(api, shop, postgres_db, tables=[{"name": "q", "query": "SELECT nope FROM products"}])
    refused = api.post(f"/stream-configs/{config}/start")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["tables.q.query"])


@pytest.mark.parametrize(
    ("limits", "rows", "state"),
    [
        ({"numberOfEvents": 123}, 123, "EVENT_LIMIT_REACHED"),
        ({"numberOfevents": 5}, 5, "EVENT_LIMIT_REACHED"),
        ({"numberOfEvents": 500}, 500, "FINISHED"),
        ({"numberOfEvents": 0, "elapsedTime": 0}, 500, "FINISHED"),
        ({"elapsedTime": 600}, 500, "FINISHED"),
    ],
)
def test_a_limit_of_rows_is_kept_to_the_row(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, limits: dict[str, int], rows: int,
    state: str,
) -> None:  # fmt: skip
    stats = run(api, shop, postgres_db, limits=limits, dataBundleSize=10)
    assert (stats["status"], stats["totals"]["rowsRead"], count(postgres_db)) == (state, rows, rows)
    assert {node["status"] for node in stats["nodes"]} == {state}
    assert stats["allowed"] == []


def test_a_limit_of_seconds_ends_the_stream_and_keeps_what_is_there(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 200)
    slow = "SELECT p.id, SLEEP(0.05) AS nap, REPEAT('x', 8000) AS wide FROM products p"
    stats = run(api, mysql_db, postgres_db, tables=[{"name": "naps", "query": slow}], limits={"elapsedTime": 1})
    assert stats["status"] == "TIME_LIMIT_REACHED"
    assert stats["elapsed"] >= 1
    assert stats["totals"]["rowsWritten"] == count(postgres_db, "naps") < 200
    again = api.post(f"/streams/{stats['id']}/resume")
    assert (again.status_code, again.json()["details"]["allowed"]) == (409, [])


def test_a_failed_stream_is_resumed_once_its_cause_is_mended(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(shop, "CREATE TABLE days (id INT PRIMARY KEY, d DATE)", "INSERT INTO days VALUES (1, '0000-00-00')")
    config = make(api, shop, postgres_db)
    stream = start(api, config)
    stats = finish(api, stream)
    assert (stats["status"], stats["allowed"]) == ("FAILED", ["resume"])
    assert {table["name"].split(".")[1]: table["status"] for table in stats["tables"]} == {
        "days": "failed", "products": "finished",
    }  # fmt: skip
    other = start(api, config)  # while another stream of the config is active, this one must wait
    finish(api, other)
    mysql(shop, "UPDATE days SET d = '2024-02-29'")
    assert api.post(f"/streams/{stream}/resume").json()["status"] == "RUNNING"
    assert finish(api, stream)["status"] == "FINISHED"
    assert count(postgres_db, "days") == 1


def test_a_failed_stream_waits_for_the_one_that_runs(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    config = make(api, shop, postgres_db, writeMode="truncate_and_load", tables=[
        {"name": "naps", "query": "SELECT p.id, SLEEP(IF(p.id = 1, (SELECT MAX(seconds) FROM pace), 0)) AS nap,"
                                  " (SELECT d FROM pace) AS d FROM products p"},
    ])  # fmt: skip
    mysql(shop, "CREATE TABLE pace (seconds INT, d DATE)", "INSERT INTO pace VALUES (0, '0000-00-00')")
    failed = start(api, config)
    assert finish(api, failed)["status"] == "FAILED"
    mysql(shop, "UPDATE pace SET seconds = 30")
    running = start(api, config)
    refused = api.post(f"/streams/{failed}/resume")
    assert (refused.status_code, refused.json()["details"]["value"]) == (409, [running])
    assert api.post(f"/streams/{running}/stop").json()["status"] == "STOPPED"


def test_several_streams_run_at_once(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    configs = [
        make(api, shop, postgres_db, tables=[
            {"name": f"part{number}", "query": f"SELECT id, SLEEP(0.01) AS nap FROM products WHERE id % 3 = {number}"}
        ])
        for number in range(3)
    ]  # fmt: skip
    streams = [start(api, config) for config in configs]
    wait_for(
        lambda: sum(one["status"] == "RUNNING" for one in api.get("/streams").json() if one["id"] in streams) > 1,
        "no two streams ran at once",
    )
    assert {finish(api, stream)["status"] for stream in streams} == {"FINISHED"}
    assert sum(count(postgres_db, f"part{number}") for number in range(3)) == 500


def test_wishes_by_name_reach_the_stream_and_what_a_policy_changed_is_counted(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(shop, "ALTER TABLE products ADD made DATE DEFAULT '2024-01-01'", "SET sql_mode = ''",
          "UPDATE products SET made = '0000-00-00' WHERE id <= 7")  # fmt: skip
    stats = run(
        api, shop, postgres_db, renames={"products": "goods", "products.name": "title"}, where={"products": "id <= 10"},
        zeroDates="null", denied="skip", specialValues="null",
    )  # fmt: skip
    assert (stats["status"], stats["error"]) == ("FINISHED", "")
    assert stats["tables"][0]["target"] == "public.goods"
    assert sum(stats["tables"][0]["coerced"].values()) == 7
    assert postgres(postgres_db, "SELECT count(*), count(made), max(title) FROM goods") == [(10, 3, "p9")]


@pytest.mark.parametrize(
    ("wish", "field", "told"),
    [
        ({"where": {"products": "nowhere > 1"}}, "where.products", "nowhere"),
        ({"where": {"products": "id >"}}, "where.products", "one condition"),
        ({"sourceSchemas": ["x"]}, "sourceSchemas", "holds no schemas"),
        ({"renames": {"product.name": "x"}}, "renames.product.name", "did you mean products"),
        ({"excludeColumns": ["shop.x"]}, "excludeColumns.shop.x", "no table"),
        ({"renames": {"products": ""}}, "renames.products", "empty"),
    ],
)
def test_a_wish_that_cannot_be_met_is_named_by_its_field(
    api: httpx.Client, shop: ConnectionSettings, postgres_db: ConnectionSettings, wish: dict[str, Any], field: str,
    told: str,
) -> None:  # fmt: skip
    source, target = connect_both(api, shop, postgres_db)
    body = {"name": "c", "source": source, "target": target, "mode": "convert", **wish}
    answer = api.post("/stream-configs", json=body)
    if answer.is_success:
        answer = api.post(f"/stream-configs/{answer.json()['id']}/start")
    assert answer.status_code == 400, answer.text
    assert told in answer.text
    assert field in answer.text
