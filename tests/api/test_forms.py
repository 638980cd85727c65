"""What forms ask: connectors and their fields, connection strings, databases and tables behind a connection."""

from __future__ import annotations

from dataclasses import replace

import httpx

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server, body
from tests.api.drive import fill, make, mysql, postgres, start, wait_for

ODD = "<img src=x>"


def test_each_connector_tells_its_fields(api: httpx.Client) -> None:
    found = {item["name"]: item for item in api.get("/connectors").json()}
    assert set(found) == {"mysql", "postgresql"}
    fields = {name: {field["name"]: field for field in item["fields"]} for name, item in found.items()}
    assert "schema" not in fields["mysql"]
    assert fields["postgresql"]["schema"]["default"] == "public"
    assert [fields[name]["port"]["default"] for name in ("mysql", "postgresql")] == ["3306", "5432"]
    assert [name for name, field in fields["mysql"].items() if field["required"]] == ["name", "host", "username"]
    assert {name: fields["mysql"][name]["input"] for name in ("password", "database", "ssl.ca")} == {
        "password": "password", "database": "database", "ssl.ca": "file",
    }  # fmt: skip
    assert (fields["mysql"]["readOnly"]["input"], fields["mysql"]["readOnly"]["default"]) == ("flag", "false")
    modes = fields["mysql"]["ssl.mode"]["choices"]
    assert [choice["value"] for choice in modes] == ["disabled", "require", "verify-ca", "verify-full"]
    assert all(choice["help"] for choice in modes)
    assert found["mysql"]["roles"] == ["source", "target", "log", "changes"]


def test_a_connection_string_becomes_fields(api: httpx.Client) -> None:
    url = "postgres://me:p%40ss@db:5433/shop?sslmode=verify-ca&sslrootcert=/etc/passwd&schema=s"
    assert api.post("/connections/parse", json={"url": url}).json() == {
        "type": "postgresql", "host": "db", "port": 5433, "username": "me", "password": "p@ss", "database": "shop",
        "schema": "s", "ssl": {"mode": "verify-ca"}, "files": {"ca": "/etc/passwd"},
    }  # fmt: skip


def test_a_connection_string_that_is_none_is_told_apart_by_its_part(api: httpx.Client) -> None:
    for url, field in (("nonsense", "url"), ("oracle://u@h", "type"), ("mysql://h", "username"), ("", "url")):
        answer = api.post("/connections/parse", json={"url": url})
        assert (answer.status_code, answer.json()["field"]) == (400, field), url
    answer = api.post("/connections/parse", json={"url": "mysql://u:topsecret@h:99999/x"})
    assert "topsecret" not in answer.text
    assert api.post("/connections/parse", json={"url": 7}).status_code == 400


def test_an_edited_connection_is_tried_with_the_stored_password(
    api: httpx.Client, mysql_db: ConnectionSettings
) -> None:
    saved = api.post("/connections", json=body(mysql_db)).json()["id"]
    assert api.post("/connections/test", json={"id": saved, "database": mysql_db.database}).json()["ping"] == "ok"
    failed = api.post("/connections/test", json={"id": saved, "database": "nowhere_at_all"}).json()
    assert (failed["ping"], failed["code"]) == ("failed", "no_database")
    assert failed["remedy"]
    assert api.get(f"/connections/{saved}").json()["database"] == mysql_db.database
    assert api.post("/connections/test", json={"id": "conn_none", "host": "h"}).status_code == 404


def test_databases_can_be_chosen_and_made_before_a_connection_is_saved(
    api: httpx.Client, postgres_db: ConnectionSettings
) -> None:
    unsaved = body(postgres_db)
    made = f"{postgres_db.database}_made"
    asked = api.post("/connections/test/create", json={**unsaved, "create": {"database": made}})
    try:
        assert asked.json() == {"status": "success", "name": made}
        again = api.post("/connections/test/create", json={**unsaved, "create": {"database": made}})
        assert again.status_code == 409
        schema = {**unsaved, "database": made, "create": {"schema": "inner"}}
        assert api.post("/connections/test/create", json=schema).status_code == 200
        found = api.post("/connections/test/databases", json={**unsaved, "database": made}).json()
        assert {"name": made, "schemas": ["inner", "public"]} in found
    finally:
        postgres(postgres_db, f'DROP DATABASE IF EXISTS "{made}" WITH (FORCE)')
    for wrong in ({}, {"create": {"table": "t"}}, {"create": {"database": "a", "schema": "b"}}, {"create": "a"}):
        answer = api.post("/connections/test/create", json={**unsaved, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (400, "create")
    assert api.get("/connections").json() == [] or all(
        item["database"] != made for item in api.get("/connections").json()
    )


def test_what_depends_on_a_connection_is_told(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 10)
    config = make(api, mysql_db, postgres_db, mode="cdc")
    source = api.get(f"/stream-configs/{config}").json()["source"]
    before = api.get(f"/connections/{source}/uses").json()
    assert [(item["id"], item["roles"]) for item in before["configs"]] == [(config, ["source"])]
    assert before["streams"] == []
    assert api.get("/connections/conn_none/uses").status_code == 404


def test_an_active_stream_is_one_of_the_uses(
    api: httpx.Client, postgres_db: ConnectionSettings, postgres18_server: ConnectionSettings
) -> None:
    from tests.conftest import _postgres_database

    target = next(others := _postgres_database(postgres18_server))
    postgres(postgres_db, "CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 300000) n")
    config = make(api, postgres_db, target, limits={"elapsedTime": 60})
    stream = start(api, config)
    api.post(f"/streams/{stream}/pause")
    state = api.get(f"/streams/{stream}").json()
    uses = api.get(f"/connections/{state['target']}/uses").json()
    assert [item["id"] for item in uses["streams"]] == ([stream] if state["status"] == "PAUSED" else [])
    api.post(f"/streams/{stream}/stop")
    wait_for(lambda: api.get(f"/connections/{state['target']}/uses").json()["streams"] == [], "still in use")
    next(others, None)


def test_tables_come_with_estimates_and_are_found_by_search_and_pattern(
    api: httpx.Client, mysql_db: ConnectionSettings
) -> None:
    fill(mysql_db, 2_000)
    mysql(mysql_db, "CREATE TABLE order_lines (a INT, b INT)", f"CREATE TABLE `{ODD}` (`__proto__` INT PRIMARY KEY)")
    saved = api.post("/connections", json=body(mysql_db)).json()["id"]
    path = f"/connections/{saved}/tables/sizes"
    found = api.get(path).json()
    tables = {item["name"]: item for item in found["items"]}
    assert (found["total"], found["filtered"], set(tables)) == (3, 3, {"products", "order_lines", ODD})
    assert 1_000 < tables["products"]["rows"] < 4_000
    assert tables["products"]["bytes"] > 16_000
    assert tables["products"]["indexBytes"] > 0
    assert (tables["products"]["columns"], tables["products"]["keyed"], tables["order_lines"]["keyed"]) == (
        2,
        True,
        False,
    )
    for query, names in (
        ("search=ORDER", ["order_lines"]),
        ("pattern=*_lines,prod?cts", ["order_lines", "products"]),
        ("pattern=lines", []),
        ("search=%3Cimg", [ODD]),
        ("limit=0", []),
    ):
        answer = api.get(f"{path}?{query}").json()
        assert [item["name"] for item in answer["items"]] == names, query
        assert answer["total"] == 3
    columns = api.get(f"/connections/{saved}/tables/columns", params={"table": ODD}).json()["columns"]
    assert [(column["name"], column["key"], column["type"][:3]) for column in columns] == [("__proto__", True, "int")]
    assert api.get(f"/connections/{saved}/tables/columns", params={"table": "nowhere"}).status_code == 404
    assert api.get(f"/connections/{saved}/tables/columns").status_code == 400
    assert api.get(f"{path}?schemas=a").json()["field"] == "schemas"
    assert api.get(f"{path}?database=nowhere_at_all").status_code in (400, 503)


def test_a_partitioned_table_is_as_large_as_its_partitions(api: httpx.Client, postgres_db: ConnectionSettings) -> None:
    for statement in (
        "CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000)",
        "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (9000)",
        "INSERT INTO parts SELECT n, repeat('x', 100) FROM generate_series(0, 4999) n",
        "ANALYZE parts",
        "CREATE SCHEMA other",
        "CREATE TABLE other.fresh (id int)",
    ):
        postgres(postgres_db, statement)
    saved = api.post("/connections", json=body(postgres_db)).json()["id"]
    found = api.get(f"/connections/{saved}/tables/sizes?schemas=*").json()["items"]
    tables = {item["name"]: item for item in found}
    assert set(tables) == {"parts", "other.fresh"}
    assert (tables["parts"]["rows"], tables["parts"]["columns"], tables["parts"]["keyed"]) == (5000, 2, True)
    assert tables["parts"]["bytes"] > 500_000
    assert (tables["other.fresh"]["rows"], tables["other.fresh"]["schema"]) == (None, "other")
    own = api.get(f"/connections/{saved}/tables/sizes?schema=other").json()["items"]
    assert [item["name"] for item in own] == ["fresh"]
    columns = api.get(f"/connections/{saved}/tables/columns?table=other.fresh").json()["columns"]
    assert [column["name"] for column in columns] == ["id"]


def test_a_server_that_is_away_is_told_with_its_reason(api: httpx.Client, server: Server) -> None:
    nowhere = replace(ConnectionSettings("mysql", "127.0.0.1", 1, "u", "p", "d"))
    saved = api.post("/connections", json=body(nowhere)).json()["id"]
    for path in ("tables/sizes", "tables/columns?table=t"):
        answer = api.get(f"/connections/{saved}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, "refused")
        assert answer.json()["remedy"]
