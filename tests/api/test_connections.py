from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import KEY, Server, body

MINIMAL = {"name": "mysql-source", "type": "MySQL", "host": "localhost", "port": "3306", "username": "root"}


def test_without_the_key_nothing_is_answered_but_the_open_paths(server: Server) -> None:
    for path in ("/connections", "/user", "/user/configs", "/stream-configs", "/streams", "/nowhere/at/all"):
        answer = httpx.get(server.url + path, headers={"X-API-Key": "wrong"})
        assert answer.status_code == 401, path
        assert answer.json()["status"] == "error"
    for path in ("/health", "/ready", "/services/status", "/system/defaults"):
        assert httpx.get(server.url + path).status_code == 200


def test_the_key_is_looked_at_before_the_body_and_before_the_id(server: Server) -> None:
    assert httpx.post(f"{server.url}/connections", content="not json").status_code == 401
    assert httpx.delete(f"{server.url}/connections/conn_id").status_code == 401


def test_a_connection_is_made_shown_changed_copied_and_forgotten(api: httpx.Client) -> None:
    made = api.post("/connections", json={**MINIMAL, "password": "pl4nted"}).json()
    assert re.fullmatch(r"conn_[0-9A-Za-z]{27}", made["id"])
    assert isinstance(made["created"], int)
    assert (made["type"], made["port"]) == ("mysql", 3306)
    assert "pl4nted" not in api.get(f"/connections/{made['id']}").text
    changed = api.put(f"/connections/{made['id']}", json={"name": "renamed", "password": ""}).json()
    assert (changed["name"], changed["host"], changed["created"]) == ("renamed", "localhost", made["created"])
    copy = api.put(f"/connections/{made['id']}/clone", content="null").json()
    assert copy["id"] != made["id"]
    for identity in (made["id"], copy["id"]):
        assert api.delete(f"/connections/{identity}").status_code == 204
        assert api.delete(f"/connections/{identity}").status_code == 404


def test_the_same_name_may_be_used_again_and_ids_differ(api: httpx.Client) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: api.post("/connections", json=MINIMAL), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 50
    listed = {item["id"] for item in api.get("/connections").json()}
    assert {answer.json()["id"] for answer in answers} <= listed


def test_the_nested_shape_means_the_same(api: httpx.Client) -> None:
    spec = {"host": "h", "port": 5433, "username": "u", "password": "p", "database": "d"}
    made = api.post("/connections", json={"name": "n", "type": "postgres", "spec": {"database": spec}}).json()
    assert (made["type"], made["host"], made["port"], made["schema"]) == ("postgresql", "h", 5433, "public")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"type": "oracle"}, {"type"}),
        ({"port": "abc"}, {"port"}),
        ({"port": 70000}, {"port"}),
        ({"host": None, "name": None}, {"host", "name"}),
        ({"ssl": {"mode": "verify-ca", "ca": "%%%"}}, {"ssl.ca"}),
        ({"ssl": {"mode": "sometimes"}}, {"ssl.mode"}),
    ],
)
def test_every_wrong_field_is_named(api: httpx.Client, change: dict[str, object], fields: set[str]) -> None:
    answer = api.post("/connections", json={**MINIMAL, **change})
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == fields


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'"x"', b"", b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(api: httpx.Client, content: bytes) -> None:
    answer = api.post("/connections", content=content, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_a_body_in_latin_1_is_read(api: httpx.Client) -> None:
    raw = b'{"name": "M\xfcller", "type": "mysql", "host": "h", "username": "u"}'
    assert api.post("/connections", content=raw).json()["name"] == "Müller"


@pytest.mark.parametrize("flavor", ["mysql", "postgresql"])
def test_ping_tells_version_or_reason(
    api: httpx.Client, flavor: str, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    settings = mysql_db if flavor == "mysql" else postgres_db
    cases = {
        "ok": settings,
        "login": replace(settings, password="n0t-this-one"),
        "no_database": replace(settings, database="nowhere"),
        "refused": replace(settings, port=1),
        "host_not_found": replace(settings, host="no-such-host.invalid"),
    }
    for expected, case in cases.items():
        identity = api.post("/connections", json=body(case)).json()["id"]
        posted, got = api.post(f"/connections/{identity}/ping"), api.get(f"/connections/{identity}/ping")
        assert posted.status_code == 200
        assert got.status_code == (200 if expected == "ok" else 503)
        found = posted.json()
        assert (found["ping"] if expected == "ok" else found["code"]) == expected, found
        assert "n0t-this-one" not in posted.text
        assert api.post("/connections/test", json=body(case)).json()["ping"] == found["ping"]


def test_what_is_behind_a_connection(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    from mainstem.connectors.mysql.client import connect

    with connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    source = api.post("/connections", json=body(mysql_db)).json()["id"]
    target = api.post("/connections", json=body(postgres_db)).json()["id"]
    assert mysql_db.database in {item["name"] for item in api.get(f"/connections/{source}/databases").json()}
    assert api.get(f"/connections/{source}/tables").json() == ["t"]
    assert api.get(f"/connections/{source}/meta").json()["tables"]["t"]["primaryKeys"] == ["id"]
    assert api.post(f"/connections/{target}/schemas", content="sales").status_code == 200
    assert api.post(f"/connections/{target}/schemas", json={"name": "sales"}).status_code == 409
    assert "sales" in api.get(f"/connections/{target}/schemas").json()
    assert api.post(f"/connections/{source}/schemas", content="x").status_code == 400


@pytest.mark.parametrize(
    "head",
    [
        "POST {path} HTTP/1.1\r\n",
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0\r\n",
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 4\r\nExpect: 100-continue\r\n",
        "POST {path}/ HTTP/1.1\r\n",
        "GET {path} HTTP/1.1\r\nContent-Type: application/json\r\n",
    ],
)
def test_what_old_clients_send_to_ping_is_taken(server: Server, head: str) -> None:
    """The placeholder id of the documented curl samples: 404 as JSON, whatever the body looks like."""
    request = head.format(path="/api/v1/connections/conn_id/ping")
    request += f"Host: x\r\nX-API-Key: {KEY}\r\nConnection: close\r\n\r\n" + ("null" if "Length: 4" in head else "")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
        raw.sendall(request.encode())
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    assert b" 404 " in answer
    assert b'"error"' in answer


def test_methods_paths_and_heads(api: httpx.Client) -> None:
    wrong = api.patch("/connections")
    assert wrong.status_code == 405
    assert wrong.json()["code"] == "method_not_allowed"
    assert wrong.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"
    assert api.head("/connections").status_code == 200
    assert api.get("/connections/").status_code == 200
    assert api.get("/connections?limit=1").json()["total"] >= 0
    assert api.get("/nowhere").json()["status"] == "error"
    assert "https://" not in httpx.get(str(api.base_url).replace("/api/v1/", "/docs")).text
