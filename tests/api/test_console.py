"""The SQL console over HTTP, against real servers."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import body
from tests.api.drive import DEADLINE_S, wait_for

Ids = dict[str, str]


@pytest.fixture
def ids(api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings) -> Ids:
    """A connection to an empty database of each kind."""
    made = {"mysql": mysql_db, "postgresql": postgres_db}
    return {name: api.post("/connections", json=body(settings)).json()["id"] for name, settings in made.items()}


def ask(api: httpx.Client, connection: str, query: str, **more: Any) -> httpx.Response:
    return api.post(f"/connections/{connection}/query", json={"query": query, **more})


def done(api: httpx.Client, connection: str, query: str, **more: Any) -> dict[str, Any]:
    answer = ask(api, connection, query, **more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(api: httpx.Client, connection: str, query: str, **more: Any) -> dict[str, Any]:
    answer = ask(api, connection, query, **more)
    assert answer.status_code == 400, answer.text
    return dict(answer.json())


BOTH = pytest.mark.parametrize("kind", ["mysql", "postgresql"])


@BOTH
def test_a_script_gives_a_result_for_each_statement(api: httpx.Client, ids: Ids, kind: str) -> None:
    found = done(
        api, ids[kind],
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(20));"
        " INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, ''); SELECT id, v FROM t ORDER BY id; DROP TABLE t",
    )  # fmt: skip
    made, put, got, dropped = found["results"]
    assert (found["status"], found["affected_rows"], found["affectedObjects"]) == ("ok", 3, ["table"])
    assert (put["rowsAffected"], put["verb"], put["effect"]) == (3, "INSERT", "write")
    assert got["rows"] == [["1", "a"], ["2", None], ["3", ""]]
    assert [column["name"] for column in got["columns"]] == ["id", "v"] == found["columns"]
    assert [column["kind"] for column in got["columns"]] == ["number", "text"]
    assert found["rows"] == got["rows"]
    assert (made["error"], dropped["effect"]) == (None, "destroy")


@BOTH
def test_cells_are_what_the_server_has(api: httpx.Client, ids: Ids, kind: str) -> None:
    binary = {"mysql": "x'00ff'", "postgresql": "'\\x00ff'::bytea"}[kind]
    query = f"SELECT 9007199254740993, 1.10, '<img src=x>', {binary}, NULL, '', repeat('é', 100)"
    [result] = done(api, ids[kind], query, limits={"cellBytes": 21}, resultsOnly=True)["results"]
    assert result["rows"] == [
        ["9007199254740993", "1.10", "<img src=x>", {"base64": "AP8=", "length": 2}, None, "",
         {"text": "é" * 10, "length": 200}],
    ]  # fmt: skip
    assert [column["kind"] for column in result["columns"]][:4] == ["number", "number", "text", "binary"]


@BOTH
def test_limits_end_the_reading_and_are_told(api: httpx.Client, ids: Ids, kind: str) -> None:
    many = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n"
    found = done(api, ids[kind], f"{many}; SELECT 'next'", limits={"rows": 5})
    first, second = found["results"]
    assert (first["truncated"], len(first["rows"]), second["rows"]) == ("rows", 5, [["next"]])
    [short] = done(api, ids[kind], f"{many} LIMIT 900", limits={"bytes": 1024})["results"]
    assert (short["truncated"], 0 < len(short["rows"]) < 900) == ("bytes", True)


@BOTH
def test_what_changes_rows_runs_to_its_end_whatever_the_limit(api: httpx.Client, ids: Ids, kind: str) -> None:
    many = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    put = {
        "mysql": f"INSERT INTO t {many} SELECT i FROM n RETURNING a",
        "postgresql": f"{many} INSERT INTO t SELECT i FROM n RETURNING a",
    }[kind]
    script = f"CREATE TABLE t (a int); {put}; SELECT count(*) FROM t"
    _, returned, counted = done(api, ids[kind], script, limits={"rows": 3})["results"]
    assert (returned["truncated"], counted["rows"]) == ("rows", [["900"]])


@BOTH
def test_an_error_names_its_place_and_keeps_what_was_done_before(api: httpx.Client, ids: Ids, kind: str) -> None:
    query = "SELECT 'é🧀';\nSELECT nope;\nSELECT 3"
    found = refused(api, ids[kind], query)
    first, second = found["results"]
    assert first["rows"] == [["é🧀"]]
    assert (found["code"], found["details"]["statement"]) == ("statement_refused", 2)
    assert "nope" in found["message"]
    error = second["error"]
    assert (query[error["position"] :][:4], error["line"], error["column"]) == ("nope", 2, 8)
    assert error["code"] in {"42703", "1054"}


@BOTH
def test_a_transaction_lives_within_a_run_and_is_rolled_back_at_its_end(api: httpx.Client, ids: Ids, kind: str) -> None:
    done(api, ids[kind], "CREATE TABLE t (a int); BEGIN; INSERT INTO t VALUES (1); COMMIT")
    found = done(api, ids[kind], "BEGIN; INSERT INTO t VALUES (2); SELECT count(*) FROM t")
    assert found["results"][2]["rows"] == [["2"]]
    assert "rolled back" in found["results"][2]["notices"][-1]
    assert [one["rolledBack"] for one in found["results"]] == [False, False, True]
    assert done(api, ids[kind], "SELECT count(*) FROM t")["rows"] == [["1"]]


@BOTH
def test_a_query_that_runs_can_be_cancelled(api: httpx.Client, ids: Ids, kind: str) -> None:
    sleep = {"mysql": "SELECT SLEEP(60)", "postgresql": "SELECT pg_sleep(60)"}[kind]
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(refused(api, ids[kind], sleep, queryId="long-1")))
    asking.start()
    path = f"/connections/{ids[kind]}/query/long-1/cancel"
    wait_for(lambda: api.post(path).status_code == 200, "the query did not begin")
    asking.join(DEADLINE_S)
    assert [(found["code"], found["results"][0]["error"]["message"]) for found in answers] == [
        ("query_cancelled", "the query was cancelled")
    ]
    assert api.post(path).status_code == 404


@BOTH
def test_a_query_ends_with_its_time(api: httpx.Client, ids: Ids, kind: str) -> None:
    sleep = {"mysql": "SELECT SLEEP(60)", "postgresql": "SELECT pg_sleep(60)"}[kind]
    found = refused(api, ids[kind], f"SELECT 1; {sleep}; SELECT 2", limits={"seconds": 1})
    assert (found["code"], len(found["results"]), bool(found["remedy"])) == ("query_timeout", 2, True)


def test_nobody_waits_for_a_query_whose_client_has_gone(
    api: httpx.Client, ids: Ids, postgres_db: ConnectionSettings
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/connections/{ids['postgresql']}/query", json={"query": "SELECT pg_sleep(60)"}, timeout=1)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sle%' AND pid <> pg_backend_pid()"
    alive = f"{sleeping} AND datname = current_database() AND state = 'active'"
    wait_for(lambda: done(api, ids["postgresql"], alive)["rows"] == [["0"]], "the query runs on")


def test_notices_and_warnings_are_told(api: httpx.Client, ids: Ids) -> None:
    [said] = done(api, ids["postgresql"], "DO $$ BEGIN RAISE NOTICE 'hello'; END $$")["results"]
    assert said["notices"] == ["NOTICE: hello"]
    [warned] = done(api, ids["mysql"], "SELECT 1/0")["results"]
    assert "1365" in warned["notices"][0]


def test_a_procedure_may_give_several_results(api: httpx.Client, ids: Ids) -> None:
    script = "CREATE PROCEDURE p() BEGIN SELECT 1 AS a; SELECT 2 AS b; END; CALL p()"
    rows = [result["rows"] for result in done(api, ids["mysql"], script)["results"]]
    assert rows == [[], [["1"]], [["2"]], []]


def test_rows_by_copy_are_refused_with_a_way_out(api: httpx.Client, ids: Ids) -> None:
    done(api, ids["postgresql"], "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    assert "export" in refused(api, ids["postgresql"], "COPY t TO STDOUT")["remedy"]
    assert "COPY" in refused(api, ids["postgresql"], "COPY t FROM STDIN")["message"]


@BOTH
def test_a_script_is_cut_and_explained_without_being_run(api: httpx.Client, ids: Ids, kind: str) -> None:
    query = "SELECT 'a;b';\n DELETE FROM t; DROP TABLE t"
    path = f"/connections/{ids[kind]}/query/statements"
    found = api.post(path, json={"query": query}).json()["statements"]
    assert [(one["verb"], one["effect"]) for one in found] == [
        ("SELECT", "read"), ("DELETE", "destroy"), ("DROP", "destroy"),
    ]  # fmt: skip
    assert query[found[1]["start"] : found[1]["end"]] == "DELETE FROM t" == found[1]["text"]
    assert "WHERE" in found[1]["warning"]
    assert [one["readOnlyAllows"] for one in found] == [True, False, False]


@BOTH
def test_the_columns_of_a_query_are_told_without_its_rows(api: httpx.Client, ids: Ids, kind: str) -> None:
    path = f"/connections/{ids[kind]}/query/columns"
    found = api.post(path, json={"query": "SELECT 1 AS a, 'x' AS b"}).json()
    assert [column["name"] for column in found["columns"]] == ["a", "b"]
    assert api.post(path, json={"query": "DROP TABLE t"}).status_code == 400


@BOTH
def test_a_plan_is_a_tree_and_a_text(api: httpx.Client, ids: Ids, kind: str) -> None:
    done(api, ids[kind], "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    path = f"/connections/{ids[kind]}/query/explain"
    found = api.post(path, json={"query": "SELECT * FROM t WHERE a > 0 ORDER BY a", "analyze": True}).json()
    flat, steps = [], [found["tree"]]
    while steps:
        step = steps.pop()
        flat.append(step)
        steps += step["children"]
    assert any("t" in step["title"].split() for step in flat)
    assert any(step["actualRows"] == 2 for step in flat)
    text = api.post(path, json={"query": "SELECT * FROM t", "format": "text"}).json()
    assert (text["tree"], "t" in text["text"]) == (None, True)
    wrong = api.post(path, json={"query": "SELECT nope FROM t"})
    assert (wrong.status_code, wrong.json()["details"]["position"]) == (400, 7)
    assert api.post(path, json={"query": "SELECT 1; SELECT 2"}).json()["field"] == "query"


def test_analyzing_a_change_changes_nothing(api: httpx.Client, ids: Ids) -> None:
    for connection in ids.values():
        done(api, connection, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    asked = {"query": "DELETE FROM t", "analyze": True}
    found = api.post(f"/connections/{ids['postgresql']}/query/explain", json=asked).json()
    assert "Delete" in found["tree"]["title"]
    assert api.post(f"/connections/{ids['mysql']}/query/explain", json=asked).json()["field"] == "analyze"
    for connection in ids.values():
        assert done(api, connection, "SELECT count(*) FROM t")["rows"] == [["1"]]


@BOTH
def test_a_whole_result_is_exported_once(api: httpx.Client, ids: Ids, kind: str) -> None:
    many = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    binary = {"mysql": "x'00ff'", "postgresql": "'\\x00ff'::bytea"}[kind]
    query = f"{many} SELECT i, 'a\"b' AS \"q,1\", '' AS e, NULL AS n, {binary} AS b FROM n ORDER BY i"
    query = query.replace('"q,1"', "`q,1`") if kind == "mysql" else query
    ticket = api.post(f"/connections/{ids[kind]}/query/export", json={"query": query}).json()
    site = str(api.base_url).removesuffix("/api/v1/")
    answer = api.get(f"{site}{ticket['url']}")
    assert (answer.headers["content-type"], ticket["name"]) == ("text/csv; charset=utf-8", "result.csv")
    assert "attachment" in answer.headers["content-disposition"]
    lines = answer.text.split("\r\n")
    assert lines[:2] == ['i,"q,1",e,n,b', '1,"a""b","",,\\x00ff']
    assert len(lines) == 902
    assert api.get(f"{site}{ticket['url']}").status_code == 404
    ticket = api.post(f"/connections/{ids[kind]}/query/export", json={"query": query, "format": "json"}).json()
    rows = api.get(f"{site}{ticket['url']}").json()
    assert (len(rows), rows[0]) == (900, {"i": 1, "q,1": 'a"b', "e": "", "n": None, "b": {"base64": "AP8="}})


@BOTH
def test_an_export_of_what_changes_or_fails_is_refused(api: httpx.Client, ids: Ids, kind: str) -> None:
    path = f"/connections/{ids[kind]}/query/export"
    for query in ("DROP TABLE t", "SELECT 1; SELECT 2", ""):
        assert api.post(path, json={"query": query}).json()["field"] == "query"
    ticket = api.post(path, json={"query": "SELECT nope"}).json()
    answer = api.get(f"{str(api.base_url).removesuffix('/api/v1/')}{ticket['url']}")
    assert (answer.status_code, answer.json()["code"]) == (400, "statement_refused")


@BOTH
def test_names_for_completion_are_kept_until_something_changes(api: httpx.Client, ids: Ids, kind: str) -> None:
    path = f"/connections/{ids[kind]}/names"
    assert api.get(path).json()["tables"] == []
    other = api.put(f"/connections/{ids[kind]}/clone").json()["id"]
    done(api, other, "CREATE TABLE u (a int)")  # the same system by another connection
    for refresh in (False, True):
        assert len(api.get(path, params={"refresh": refresh}).json()["tables"]) == 1
    done(api, ids[kind], "DROP TABLE u; CREATE TABLE t (a int, b int)")
    found = api.get(path).json()
    assert [(table["name"], table["columns"]) for table in found["tables"]] == [("t", ["a", "b"])]
    assert (found["whole"], found["defaultSchema"] in found["schemas"]) == (True, True)


def test_the_history_has_what_was_run_without_passwords(api: httpx.Client, ids: Ids) -> None:
    api.delete("/query-history")
    connection = ids["postgresql"]
    done(api, connection, "SELECT 1 AS remembered")
    refused(api, connection, "ALTER USER nobody PASSWORD 'hunter2'; SELECT 1")
    newest, oldest = api.get("/query-history", params={"connection_id": connection}).json()["items"]
    assert (oldest["query"], oldest["status"], oldest["rows"]) == ("SELECT 1 AS remembered", "ok", 1)
    assert (newest["status"], "hunter2" in str(newest), "nobody" in newest["query"]) == ("failed", False, True)
    found = api.get("/query-history", params={"search": "REMEMBERED"}).json()
    assert [item["query"] for item in found["items"]] == ["SELECT 1 AS remembered"]
    assert api.put("/query-history/settings", json={"on": False}).json() == {"on": False}
    done(api, connection, "SELECT 2")
    assert api.get("/query-history").json()["on"] is False
    assert "SELECT 2" not in api.get("/query-history").text
    api.put("/query-history/settings", json={"on": True})
    assert api.delete("/query-history").status_code == 204
    assert api.get("/query-history").json() == {"items": [], "on": True}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "query"),
        ({"query": "  "}, "query"),
        ({"query": "-- nothing"}, "query"),
        ({"query": "SELECT 1", "limits": {"rows": 0}}, "limits.rows"),
        ({"query": "SELECT 1", "limits": {"seconds": "soon"}}, "limits.seconds"),
        ({"query": "SELECT 1", "queryId": "a b"}, "queryId"),
        ({"query": "SELECT\0 1"}, "query"),
    ],
)
def test_a_query_that_cannot_be_run_names_its_field(
    api: httpx.Client, ids: Ids, wrong: dict[str, Any], field: str
) -> None:
    answer = api.post(f"/connections/{ids['postgresql']}/query", json=wrong)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_server_that_is_not_there_is_told(api: httpx.Client) -> None:
    nowhere = body(ConnectionSettings("mysql", "127.0.0.1", 1, "u", "p", "d"))
    answer = ask(api, api.post("/connections", json=nowhere).json()["id"], "SELECT 1")
    assert (answer.status_code, answer.json()["code"]) == (503, "refused")
    assert ask(api, "conn_000000000000000000000000000", "SELECT 1").status_code == 404


BARRED = {
    "mysql": ["DELETE FROM t", "DROP TABLE t", "CALL p()",
              "SET SESSION TRANSACTION READ WRITE", "COMMIT; DELETE FROM t",
              "/*! DELETE FROM t */", "SELECT 1 INTO OUTFILE '/tmp/x'", "INSERT INTO t VALUES (1)"],
    "postgresql": ["DELETE FROM t", "DROP TABLE t", "DO $$ BEGIN DELETE FROM t; END $$", "COMMIT; DROP TABLE t",
                   "SET TRANSACTION READ WRITE; DELETE FROM t", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
                   "SELECT * INTO u FROM t", "COPY t TO PROGRAM 'true'", "EXPLAIN ANALYZE DELETE FROM t"],
}  # fmt: skip


@BOTH
def test_a_read_only_connection_changes_nothing(api: httpx.Client, ids: Ids, kind: str) -> None:
    connection = ids[kind]
    done(api, connection, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    shown = api.put(f"/connections/{connection}", json={"readOnly": True}).json()
    assert (shown["readOnly"], api.get(f"/connections/{connection}").json()["readOnly"]) == (True, True)
    assert api.put(f"/connections/{connection}/clone").json()["readOnly"] is True
    for script in BARRED[kind]:
        found = refused(api, connection, script, readOnly=False)
        assert (found["code"], bool(found.get("remedy"))) == ("read_only", True), (script, found)
    found = done(api, connection, "SELECT a FROM t")
    assert (found["rows"], found["readOnly"]) == ([["1"]], True)
    api.put(f"/connections/{connection}", json={"readOnly": False})
    assert refused(api, connection, "DELETE FROM t", readOnly=True)["code"] == "read_only"
    done(api, connection, "DELETE FROM t")
