"""Plans and equivalents of configs that are not saved."""

from __future__ import annotations

from typing import Any

import httpx

from mainstem.model.connection import ConnectionSettings
from tests.api.drive import connect_both, count, fill, finish, make, mysql, postgres, start

ODD = "<img src=x>"


def later(ends: tuple[str, str], tables: list[dict[str, Any]] | None = None, **db: Any) -> dict[str, Any]:
    """A config of the later shape."""
    source: dict[str, Any] = {"connectionId": ends[0]}
    if tables is not None:
        source["tables"] = tables
    return {"mode": "convert", "source": {"connections": [source]}, "target": {"id": ends[1], "spec": {"db": db}}}


def test_a_plan_shows_both_sides_of_each_table(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 500)
    mysql(
        mysql_db,
        f"CREATE TABLE `{ODD}` (`__proto__` INT UNSIGNED NOT NULL PRIMARY KEY, d DATETIME, s SET('a','b'))",
        "CREATE TRIGGER tr BEFORE INSERT ON products FOR EACH ROW SET NEW.name = 'x'",
    )
    ends = connect_both(api, mysql_db, postgres_db)
    before = len(api.get("/stream-configs").json())
    plan = api.post("/stream-configs/plan", json=later(ends)).json()
    assert plan["problem"] is None, plan["problem"]
    tables = {table["source"].partition(".")[2]: table for table in plan["tables"]}
    assert set(tables) == {"products", ODD}
    odd = tables[ODD]
    assert odd["sourceSql"].startswith("CREATE TABLE")
    assert "unsigned" in odd["sourceSql"].lower()
    assert f'"{ODD}"' in odd["targetSql"]
    assert (odd["columns"][0]["source"], odd["columns"][0]["targetType"]) == ("__proto__", "bigint")
    assert (odd["keyed"], odd["exists"], tables["products"]["keyed"]) == (True, False, True)
    assert "CREATE TABLE" in tables["products"]["sourceSql"]
    assert "by_name" in tables["products"]["targetSql"]
    assert plan["estimate"]["bytes"] == sum(table["bytesEstimate"] for table in plan["tables"])
    assert plan["estimate"]["indexBytes"] > 0
    told = [item["code"] for table in plan["tables"] for item in table["report"]] + [i["code"] for i in plan["report"]]
    assert any("trigger" in code for code in told)
    assert len(api.get("/stream-configs").json()) == before
    assert postgres(postgres_db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_column_tells_what_happens_to_it(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY, body TEXT, FULLTEXT KEY words (body), z TIME)")
    ends = connect_both(api, mysql_db, postgres_db)
    plan = api.post("/stream-configs/plan", json=later(ends)).json()
    [table] = plan["tables"]
    of_columns = [(column["source"], item["code"]) for column in table["columns"] for item in column["report"]]
    assert all(item["message"] for item in table["report"])
    assert table["report"], plan["report"]
    assert all(code in {item["code"] for item in table["report"]} for _, code in of_columns)


def test_what_stands_in_the_way_is_told_beside_the_findings(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 5)
    postgres(postgres_db, "CREATE TABLE products (id bigint primary key, name text)")
    ends = connect_both(api, mysql_db, postgres_db)
    plan = api.post("/stream-configs/plan", json=later(ends)).json()
    assert (plan["tables"], plan["estimate"]) == ([], None)
    assert (plan["problem"]["code"], plan["problem"]["details"]["setting"]) == ("schema_conflict", "schemaPolicy")
    assert plan["problem"]["remedy"]
    kept = api.post("/stream-configs/plan", json=later(ends, schemaPolicy="create_missing_only")).json()
    assert [(table["exists"], "CREATE" in table["targetSql"]) for table in kept["tables"]] == [(True, False)]
    assert kept["problem"] is None


def test_a_replication_has_a_plan_and_findings(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 5)
    ends = connect_both(api, mysql_db, postgres_db)
    plan = api.post("/stream-configs/plan", json={**later(ends), "mode": "cdc"}).json()
    assert [table["target"] for table in plan["tables"]] == ["public.products"]
    assert all({"role", "check", "severity", "message", "remedy"} <= set(item) for item in plan["findings"])


def test_a_query_has_a_plan_without_ddl_of_the_source(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 5)
    ends = connect_both(api, mysql_db, postgres_db)
    config = later(ends, [])
    config["source"]["connections"][0]["queries"] = [{"name": "few", "query": "SELECT id, name AS n FROM products"}]
    [table] = api.post("/stream-configs/plan", json=config).json()["tables"]
    assert (table["sourceSql"], table["query"]) == ("", "SELECT id, name AS n FROM products")
    assert [column["target"] for column in table["columns"]] == ["id", "n"]


def test_between_two_of_one_kind_both_sides_look_alike(
    api: httpx.Client, postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    postgres(postgres_db, "CREATE TABLE t (id int PRIMARY KEY, v numeric(10,2) DEFAULT 7)")
    ends = connect_both(api, postgres_db, postgres15_db)
    [table] = api.post("/stream-configs/plan", json=later(ends)).json()["tables"]
    assert "numeric(10,2) DEFAULT 7" in table["sourceSql"]
    assert "numeric(10,2) DEFAULT 7" in table["targetSql"]


def test_a_measured_run_is_what_the_next_estimate_goes_by(
    api: httpx.Client, postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    postgres(
        postgres_db,
        "CREATE TABLE wide AS SELECT n AS id, repeat(md5(n::text), 40) AS v FROM generate_series(1, 60000) n",
    )
    postgres(postgres_db, "ANALYZE wide")
    config = make(api, postgres_db, postgres15_db)
    ends = tuple(api.get(f"/stream-configs/{config}").json()[end] for end in ("source", "target"))
    ask = later((ends[0], ends[1]), schemaPolicy="drop_and_recreate")
    first = api.post("/stream-configs/plan", json=ask).json()["estimate"]
    assert first["basis"] in ("default", "other_connections")
    assert finish(api, start(api, config))["status"] == "FINISHED"
    assert count(postgres15_db, "wide") == 60_000
    second = api.post("/stream-configs/plan", json=ask).json()["estimate"]
    assert second["seconds"] > 0
    assert second["basis"] in ("these_connections", first["basis"])  # a run of less than half a second is no measure


def test_bad_configs_are_refused_with_their_fields(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    ends = connect_both(api, mysql_db, postgres_db)
    for path in ("plan", "equivalents"):
        for wrong, field in (
            ({}, "source"),
            ({"source": "conn_none", "target": ends[1], "mode": "convert"}, "source"),
            ({**later(ends), "mode": "sideways"}, "mode"),
            (later(ends, [{"name": "t", "where": "1; DROP TABLE t"}]), "source.connections[0].tables[0].where"),
            (later((ends[0], ends[0])), "target"),
        ):
            answer = api.post(f"/stream-configs/{path}", json=wrong)
            assert (answer.status_code, answer.json()["field"]) == (400, field), (path, wrong, answer.text)
        assert api.post(f"/stream-configs/{path}", content="[1]").status_code == 400
    unknown = api.post("/stream-configs/plan", json=later(ends, [{"name": "nowhere"}]))
    assert (unknown.status_code, list(unknown.json()["fields"])) == (400, ["tables.nowhere"])


def test_the_rest_equivalent_makes_the_same_config(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    ends = connect_both(api, mysql_db, postgres_db)
    body = later(ends, [{"name": ODD, "renames": {"__proto__": "x"}}], writeMode="append")
    found = api.post("/stream-configs/equivalents", json=body).json()
    create, begin = found["rest"]
    made = api.request(create["method"], create["path"].removeprefix("/api/v1"), json=create["body"]).json()
    assert {name: made[name] for name in body} == body
    assert begin["path"] == "/api/v1/stream-configs/{id}/start"
    assert create["curl"].startswith("curl -X POST http://127.0.0.1:")
    again = api.post(f"/stream-configs/equivalents?configId={made['id']}", json=body).json()
    assert again["rest"][0]["method"] == "PUT"
    assert (found["cli"]["needsFile"], found["cli"]["command"]) == (True, "mainstem run stream.yaml")  # for the "="
    assert found["warnings"] == []
    assert "connectionId" not in found["yaml"]
    plain = api.post("/stream-configs/equivalents", json=later(ends)).json()["cli"]
    assert plain["command"].startswith("mainstem copy ")
    assert plain["needsFile"] is False
