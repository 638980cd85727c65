"""The explorer's calls, on both systems: what is told, what is refused, and what lands in the database."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import body

NASTY = "<img src=x onerror=alert(1)>"
LONG = "é" * 5000


@dataclass(frozen=True, slots=True)
class Place:
    """A database with the tables of `_fill`, seen through the API."""

    api: httpx.Client
    settings: ConnectionSettings
    connection: str

    @property
    def is_postgres(self) -> bool:
        return self.settings.type == "postgresql"

    @property
    def base(self) -> str:
        return f"/connections/{self.connection}/databases/{self.settings.database}"

    def get(self, path: str, **params: Any) -> Any:
        answer = self.api.get(self.base + path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, table: str, **params: Any) -> list[list[Any]]:
        found: list[list[Any]] = self.get(f"/tables/{table}/data", **params)["rows"]
        return found

    def change(self, table: str, **sent: Any) -> httpx.Response:
        return self.api.post(f"{self.base}/tables/{table}/rows/apply", json=sent)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        connect: Any = postgres_connect if self.is_postgres else mysql_connect
        with connect(self.settings) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


_SERIES = {
    "postgresql": "SELECT i, 'n' || i, i % 7 FROM generate_series(1, 5000) AS i",
    "mysql": "SELECT seq, CONCAT('n', seq), seq % 7 FROM seq_1_to_5000",
}
_BYTES = {"postgresql": "bytea", "mysql": "blob"}


def _fill(place: Place) -> None:
    name, quote = place.settings.type, '"' if place.is_postgres else "`"
    for statement in (
        "CREATE TABLE parent (id INT PRIMARY KEY, label VARCHAR(20))",
        "INSERT INTO parent VALUES (1, 'one')",
        "CREATE TABLE many (id BIGINT PRIMARY KEY, name VARCHAR(40), part INT, parent_id INT,"
        " CONSTRAINT to_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE)",
        "CREATE INDEX by_part ON many (part, name)",
        f"INSERT INTO many (id, name, part) {_SERIES[name]}",
        f"CREATE TABLE odd (id BIGINT PRIMARY KEY, {quote}__proto__{quote} TEXT, raw {_BYTES[name]}, n NUMERIC(40,10),"
        " d DATE)",
        "INSERT INTO odd VALUES (9007199254740993, NULL, NULL, 12345678901234567890.0000000001, '2024-02-29'),"
        " (9007199254740992, '', '', -0.5, NULL)",
        f"INSERT INTO odd VALUES (3, '{LONG}', '{'x' * 400}', 0, NULL)",
        f"CREATE TABLE {quote}{NASTY}{quote} (id INT, {quote}a b%{quote} TEXT)",
        f"INSERT INTO {quote}{NASTY}{quote} VALUES (1, '<script>alert(1)</script>')",
        "CREATE VIEW few AS SELECT id, name FROM many WHERE id < 4",
        "ANALYZE" if place.is_postgres else "ANALYZE TABLE many",
    ):
        place.sql(statement)


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def place(request: pytest.FixtureRequest, server: Any) -> Iterator[Place]:
    from tests.conftest import _postgres_database

    if request.param == "postgresql":
        made = _postgres_database(request.getfixturevalue("postgres18_server"))
    else:
        made = _mysql_database(request.getfixturevalue("mariadb_server"))
    settings = next(made)
    with server.client() as api:
        connection = api.post("/connections", json=body(settings)).json()["id"]
        found = Place(api, settings, connection)
        _fill(found)
        yield found
    next(made, None)


def _mysql_database(server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    from dataclasses import replace

    with mysql_connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE DATABASE explored")
        yield replace(server, database="explored")
        cursor.execute("DROP DATABASE explored")


def test_the_tree_names_what_the_database_holds(place: Place) -> None:
    found = {(item["kind"], item["name"]) for item in place.get("/objects")["objects"]}
    assert {("table", "many"), ("table", "odd"), ("table", NASTY), ("view", "few")} <= found
    assert {"many", "odd", "parent", NASTY} <= set(place.get("/tables"))
    assert place.get("/views") == ["few"]


def test_values_are_told_apart_and_never_altered(place: Place) -> None:
    found = place.get("/tables/odd/data", order_by="id")
    by_id = {row[0]: row for row in found["rows"]}
    assert by_id["9007199254740993"][1:] == [None, None, "12345678901234567890.0000000001", "2024-02-29"]
    assert by_id["9007199254740992"][1:] == ["", {"base64": "", "length": 0}, "-0.5000000000", None]
    long, raw = by_id["3"][1], by_id["3"][2]
    assert long == {"text": "é" * 1000, "length": 10_000}
    assert (base64.b64decode(raw["base64"]), raw["length"]) == (b"x" * 400, 400)
    assert [column["name"] for column in found["columns"]] == ["id", "__proto__", "raw", "n", "d"]
    assert [column["kind"] for column in found["columns"]] == ["number", "text", "binary", "number", "time"]
    assert found["total_count"] == 3
    cut = place.rows("odd", order_by="id", max_cell=10)[0]
    assert cut[2] == {"base64": base64.b64encode(b"x" * 10).decode(), "length": 400}


def test_a_long_value_comes_whole_when_asked_for(place: Place) -> None:
    base = f"{place.base}/tables/odd/cell"
    text = place.api.get(base, params={"column": "__proto__", "key": '{"id": 3}'})
    assert text.text == LONG
    assert text.headers["content-disposition"].startswith("attachment")
    raw = place.api.get(base, params={"column": "raw", "key": '{"id": "3"}'})
    assert (raw.content, raw.headers["content-type"]) == (b"x" * 400, "application/octet-stream")
    assert place.api.get(base, params={"column": "__proto__", "key": '{"id": 4}'}).status_code == 404
    assert place.api.get(base, params={"column": "nowhere", "key": '{"id": 3}'}).status_code == 400


def test_pages_go_on_from_positions(place: Place) -> None:
    first = place.get("/tables/many/data", limit=100, order_by="part,name", order_dir="desc,asc", skip_count=True)
    assert (first["count"], first["total_count"]) == (100, -1)
    asked = {"limit": 100, "order_by": "id", "skip_count": True}
    start = place.get("/tables/many/data", **asked)
    assert [row[0] for row in start["rows"]] == [str(number) for number in range(1, 101)]
    following = place.get("/tables/many/data", **asked, after=start["last"])
    assert following["rows"][0][0] == "101"
    back = place.get("/tables/many/data", **asked, before=following["first"])
    assert back["rows"] == start["rows"]
    assert place.rows("many", **asked, before="end")[-1][0] == "5000"
    assert place.rows("many", **asked, after=start["last"], skip=300)[0][0] == "401"
    assert place.rows("many", **asked, offset=4000)[0][0] == "4001"
    falling = place.get("/tables/many/data", limit=2, order_by="id", order_dir="desc")
    assert [row[0] for row in place.rows("many", limit=2, order_by="id", order_dir="desc", after=falling["last"])] == [
        "4998", "4997",
    ]  # fmt: skip


def test_filters_narrow(place: Place) -> None:
    def ids(**params: Any) -> list[str]:
        return [row[0] for row in place.rows("many", order_by="id", limit=10, **params)]

    def by(column: str, operator: str, value: Any = None) -> str:
        return json.dumps({"column": column, "operator": operator, "value": value})

    assert ids(filter=by("id", "between", [5, 7])) == ["5", "6", "7"]
    assert ids(filter=by("name", "=", "n42")) == ["42"]
    assert ids(filter=by("name", "contains", "N499"))[:2] == ["499", "4990"]
    assert ids(filter=by("name", "contains", "%")) == []
    assert ids(filter=by("id", "in", ["1", "5000"])) == ["1", "5000"]
    both = [{"column": "part", "operator": "=", "value": 0}, {"column": "id", "operator": "<=", "value": 14}]
    tree = {"any": [{"column": "id", "operator": "<", "value": 2}, {"all": both}]}
    assert ids(filter=json.dumps(tree)) == ["1", "7", "14"]
    assert ids(where="id < 100 AND name LIKE '%9'")[:2] == ["9", "19"]
    assert ids(filter=by("parent_id", "is not null")) == []
    assert place.get("/tables/many/count", filter=by("part", "=", 3))["count"] == len(range(3, 5001, 7))
    guess = place.get("/tables/many/count", exact=False)
    assert guess["exact"] is False
    assert guess["count"] > 0


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"filter": "{"}, "filter"),
        ({"filter": '{"column": "nowhere", "operator": "=", "value": 1}'}, "filter"),
        ({"filter": '{"column": "id", "operator": "~~~", "value": 1}'}, "filter"),
        ({"filter": '{"column": "id", "operator": "between", "value": 1}'}, "filter"),
        ({"filter": '{"column": "id"}'}, "filter"),
        ({"filter": '{"any":[' * 30 + "]}" * 30}, "filter"),
        ({"where": "1=1; DROP TABLE many"}, "where"),
        ({"where": "1=1) UNION SELECT 1 --"}, "where"),
        ({"where": "id = 1 -- x"}, "where"),
        ({"order_by": "id;drop"}, "order_by"),
        ({"order_by": "id", "order_dir": "sideways"}, "order_dir"),
        ({"after": "%%%"}, "after"),
        ({"after": "WzFd", "before": "end"}, "before"),
        ({"limit": 100_000}, "limit"),
        ({"offset": -1}, "offset"),
        ({"columns": "nowhere"}, "column"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(place: Place, params: dict[str, Any], field: str) -> None:
    answer = place.api.get(f"{place.base}/tables/many/data", params=params)
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["fields"], answer.text


def test_a_value_that_no_number_is_is_refused(place: Place) -> None:
    sent = json.dumps({"column": "id", "operator": "=", "value": "1 OR 1=1"})
    answer = place.api.get(f"{place.base}/tables/many/data", params={"filter": sent})
    assert answer.status_code == 400
    assert "1 OR 1=1" not in answer.text


def test_a_condition_of_ones_own_cannot_write_nor_last(place: Place) -> None:
    nap = "pg_sleep(20) IS NOT NULL" if place.is_postgres else "SLEEP(20) = 0"
    answer = place.api.get(
        f"{place.base}/tables/parent/data", params={"where": nap, "timeout": 0.3, "skip_count": True}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "time_limit"), answer.text
    assert "remedy" in answer.json()
    if place.is_postgres:
        wrong = place.api.get(f"{place.base}/tables/many/data", params={"where": "setval('nowhere', 1) = 1"})
        assert wrong.status_code >= 400
    missing = place.api.get(f"{place.base}/tables/nowhere/data")
    assert missing.status_code == 404


def test_names_with_markup_are_names(place: Place) -> None:
    found = place.get(f"/tables/{NASTY}/data")
    assert found["rows"] == [["1", "<script>alert(1)</script>"]]
    assert found["columns"][1]["name"] == "a b%"
    assert not found["isEditable"]
    assert "key" in found["editabilityReason"]
    assert place.get(f"/tables/{NASTY}/structure")["name"] == NASTY
    asked = json.dumps({"column": "a b%", "operator": "contains", "value": "script"})
    assert len(place.rows(NASTY, filter=asked, order_by='["a b%"]')) == 1
    assert place.change(NASTY, deletes=[{"keys": {"id": 1}}]).status_code == 409


def test_rows_are_changed_in_one_transaction(place: Place) -> None:
    sent: dict[str, Any] = {
        "edits": [{"keys": {"id": 1}, "changes": {"label": 'it\'s \\ "2"'}, "old": {"label": "one"}}],
        "inserts": [{"values": {"id": 2, "label": ""}}, {"values": {"id": 3, "label": None}}],
    }
    dry = place.change("parent", **sent, dryRun=True).json()
    assert (dry["dryRun"], len(dry["statements"]), dry["inserted"], dry["updated"]) == (True, 3, 2, 1)
    assert dry["statements"][0].startswith("UPDATE ")
    assert place.sql("SELECT COUNT(*) FROM parent") == [(1,)]
    done = place.change("parent", **sent)
    assert done.status_code == 200, done.text
    assert done.json()["statements"] == dry["statements"]
    assert place.sql("SELECT id, label FROM parent ORDER BY id") == [(1, 'it\'s \\ "2"'), (2, ""), (3, None)]
    stale = place.change(
        "parent",
        deletes=[{"keys": {"id": 3}}],
        edits=[{"keys": {"id": 1}, "changes": {"label": "x"}, "old": {"label": "one"}}],
    )
    assert (stale.status_code, stale.json()["details"]["found"]) == (409, "changed")
    assert "label" in stale.json()["error"]
    gone = place.change("parent", deletes=[{"keys": {"id": 77}}])
    assert (gone.status_code, gone.json()["details"]["found"]) == (409, "gone")
    assert len(place.sql("SELECT 1 FROM parent")) == 3, "a change that cannot be made takes the others with it"
    again = place.change("parent", inserts=[{"values": {"id": 2}}])
    assert (again.status_code, "key" in again.json()["error"]) == (400, True)
    rest = place.change(
        "parent", deletes=[{"keys": {"id": 2}, "old": {"label": ""}}, {"keys": {"id": 3}, "old": {"label": None}}]
    )
    assert rest.json()["deleted"] == 2
    back = place.change("parent", edits=[{"keys": {"id": 1}, "changes": {"label": "one"}, "old": {}}])
    assert back.status_code == 200
    assert place.sql("SELECT id, label FROM parent") == [(1, "one")]


def test_a_read_only_connection_changes_nothing(place: Place) -> None:
    copy = place.api.put(f"/connections/{place.connection}/clone").json()["id"]
    assert place.api.put(f"/connections/{copy}", json={"readOnly": True}).json()["readOnly"] is True
    locked = Place(place.api, place.settings, copy)
    found = locked.get("/tables/parent/data")
    assert (found["isEditable"], found["editabilityReason"]) == (False, "the connection is read-only")
    answer = locked.change("parent", deletes=[{"keys": {"id": 1}}])
    assert (answer.status_code, "read-only" in answer.json()["error"]) == (409, True)
    assert place.sql("SELECT id FROM parent") == [(1,)]


def test_bytes_and_great_numbers_are_changed_exactly(place: Place) -> None:
    place.sql("DELETE FROM odd WHERE id < 3")
    sent = {
        "id": "1",
        "__proto__": "p",
        "raw": {"base64": base64.b64encode(b"\0\xff'\\").decode()},
        "n": "0.0000000001",
    }
    api, base = place.api, f"{place.base}/tables/odd/rows"
    assert api.post(f"{base}/insert", json={"inserts": [{"values": sent}]}).json()["inserted"] == 1
    edit = {"keys": {"id": 1}, "changes": {"raw": None, "n": 7}, "old": {"raw": sent["raw"], "n": sent["n"]}}
    edited = api.patch(f"{base}/edit", json={"edits": [edit]})
    assert edited.status_code == 200, edited.text
    assert place.rows("odd", filter='{"column":"id","operator":"=","value":1}') == [
        ["1", "p", None, "7.0000000000", None]
    ]
    assert api.request("DELETE", f"{base}/delete", json={"deletes": [{"keys": {"id": 1}}]}).json()["deleted"] == 1


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"edits": []},
        {"edits": [{"keys": {}, "changes": {"label": "x"}}]},
        {"edits": [{"keys": {"id": None}, "changes": {"label": "x"}}]},
        {"edits": [{"keys": {"id": 1}, "changes": {}}]},
        {"edits": [{"keys": {"id": 1}, "changes": {"nowhere": 1}}]},
        {"edits": [{"keys": {"id": 1}, "changes": {"label": {"base64": "%%"}}}]},
        {"deletes": [{"keys": {"id": {"default": True}}}]},
        {"inserts": [{"values": {"id": [1]}}]},
        {"inserts": "x"},
    ],
)
def test_changes_that_make_no_sense_are_refused(place: Place, sent: dict[str, Any]) -> None:
    answer = place.change("parent", **sent)
    assert answer.status_code == 400, answer.text
    assert place.sql("SELECT label FROM parent") == [("one",)]


def test_views_are_read_and_not_written(place: Place) -> None:
    found = place.get("/views/few/data", order_by="id")
    assert [row[0] for row in found["rows"]] == ["1", "2", "3"]
    assert not found["isEditable"]
    assert place.get("/tables/few/structure")["kind"] == "view"
    assert "many" in place.get("/definition", kind="view", name="few")["sql"]


def test_files_hold_every_row(place: Place) -> None:
    answer = place.api.get(f"{place.base}/tables/many/export", params={"order_by": "id"})
    read = list(csv.reader(io.StringIO(answer.text)))
    assert (len(read), read[0], read[-1][:2]) == (5001, ["id", "name", "part", "parent_id"], ["5000", "n5000"])
    odd = place.api.get(f"{place.base}/tables/odd/export", params={"order_by": "id", "columns": "id,__proto__,raw"})
    assert odd.text.splitlines()[-2:] == ['9007199254740992,"",\\x', "9007199254740993,,"]
    lines = place.api.get(f"{place.base}/tables/odd/export", params={"format": "jsonl", "order_by": "id"}).text
    first, *_, last = map(json.loads, lines.splitlines())
    assert (first["id"], first["__proto__"]) == (3, LONG)
    assert last["id"] == 9007199254740993
    assert '"n": 12345678901234567890.0000000001' in lines.splitlines()[-1]
    whole = place.api.get(f"{place.base}/tables/odd/export", params={"format": "json", "limit": 2, "order_by": "id"})
    assert len(whole.json()) == 2
    assert place.api.get(f"{place.base}/tables/odd/export", params={"format": "xlsx"}).status_code == 400
    assert place.api.get(f"{place.base}/tables/odd/export", params={"order_by": "nowhere"}).status_code == 400


def test_the_structure_has_keys_indexes_and_ddl(place: Place) -> None:
    found = place.get("/tables/many/structure")
    assert found["primaryKey"] == ["id"]
    assert (found["isEditable"], found["editKeyColumns"]) == (True, ["id"])
    assert ["part", "name"] in [index["columns"] for index in found["indexes"]]
    [key] = found["foreignKeys"]
    assert (key["columns"], key["referencedTable"], key["onDelete"]) == (["parent_id"], "parent", "CASCADE")
    for part in ("CREATE TABLE", "PRIMARY KEY", "by_part", "to_parent"):
        assert part in found["ddl"], found["ddl"]


def test_the_document_of_a_database_is_kept_for_a_while(place: Place) -> None:
    url = f"{place.base}/meta"
    first = place.api.get(url, params={"refresh": True})
    assert first.headers["x-cache"] == "MISS"
    again = place.api.get(url)
    assert (again.headers["x-cache"], again.headers["etag"]) == ("HIT", first.headers["etag"])
    assert place.api.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    found = first.json()
    assert found["tables"]["many"]["foreignKeys"][0]["referencedTable"] == "parent"
    assert (found["tables"]["many"]["isEditable"], found["tables"][NASTY]["isEditable"]) == (True, False)
    assert "few" in found["views"]
    short = place.get("/meta", summary=True)
    assert {"many", "odd"} <= {table["name"] for table in short["tables"]}


def test_figures_of_columns_and_of_the_database(place: Place) -> None:
    found = place.api.post(f"{place.base}/tables/many/summary").json()
    columns = {column["name"]: column for column in found["columns"]}
    assert (found["rowCount"], found["sampled"]) == (5000, False)
    assert (columns["id"]["min"], columns["id"]["max"], columns["part"]["approxUnique"]) == ("1", "5000", 7)
    assert columns["parent_id"]["nullPercentage"] == 100
    assert float(columns["id"]["avg"]) == 2500.5
    assert place.api.post(f"{place.base}/tables/odd/summary", json={"samplePercent": 100}).status_code == 200
    assert place.api.post(f"{place.base}/tables/odd/summary", json={"samplePercent": 0}).status_code == 400
    seen = place.get("/overview", refresh=True)
    assert seen["engine"] == ("postgres" if place.is_postgres else "mysql")
    assert {"many"} <= {table["name"] for table in seen["allTablesBySize"]}
    assert seen["activity"]["connections"]["used"] >= 1
    assert (seen["health"]["wal"] is None) is not place.is_postgres
