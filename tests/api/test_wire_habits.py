"""What known HTTP clients really send, byte by byte: curl, requests, axios, and PowerShell 5.1 and 7."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

import pytest

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import KEY, Server, body

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JSON = ["Content-Type: application/json"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came: status, headers with lower-case names, body; whether "100 Continue" came first."""

    status: int
    headers: dict[str, str]
    body: bytes
    continued: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def call(self, method: str, path: str, headers: list[str] | None = None, content: bytes = b"") -> Answer:
        """Send a request and read its answer; with ``Expect`` the body waits for the server's word, whatever it is."""
        head = [f"{method} /api/v1{path} HTTP/1.1", "Host: 127.0.0.1", f"X-API-Key: {KEY}", *(headers or [])]
        self._socket.sendall("\r\n".join([*head, "", ""]).encode())
        expects = any(line.lower().startswith("expect:") for line in head)
        continued = False
        if content and expects:
            status, fields = self._head()
            continued = status == 100
            if not continued:
                answer = Answer(status, fields, self._body(fields))
                self._socket.sendall(content)
                return answer
        self._socket.sendall(content)
        status, fields = self._head()
        return Answer(status, fields, self._body(fields), continued)

    def _head(self) -> tuple[int, dict[str, str]]:
        status = int(self._file.readline().split()[1])
        fields = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return status, fields

    def _body(self, fields: dict[str, str]) -> bytes:
        return self._file.read(int(fields.get("content-length", "0")))


@pytest.fixture
def wire(server: Server) -> Any:
    with Wire(server.port) as opened:
        yield opened


def made(wire: Wire, settings: ConnectionSettings) -> str:
    content = json.dumps(body(settings, "mysql-source")).encode()
    answer = wire.call("POST", "/connections", [*JSON, f"Content-Length: {len(content)}"], content)
    assert answer.status == 200
    return str(answer.json["id"])


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ([], b""),  # curl -X POST: neither length nor type
        ([*JSON, "Content-Length: 0"], b""),  # requests and PowerShell, with the header of the session
        ([*JSON, "Content-Length: 4"], b"null"),  # axios.post(url, null)
        ([*JSON, "Content-Length: 2"], b"{}"),
        (["Content-Type: application/x-www-form-urlencoded", "Content-Length: 0"], b""),  # PowerShell without a type
        ([*JSON, "Content-Length: 2", "Expect: 100-continue"], b"{}"),
    ],
)
def test_a_ping_needs_no_body_and_minds_none(
    wire: Wire, mysql_db: ConnectionSettings, headers: list[str], content: bytes
) -> None:
    connection = made(wire, mysql_db)
    pinged = wire.call("POST", f"/connections/{connection}/ping", headers, content)
    assert (pinged.status, pinged.json["ping"]) == (200, "ok")
    assert wire.call("GET", "/connections").status == 200  # the connection is still in step


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("headers", [JSON, [*JSON, "Content-Length: 0"]])
def test_get_and_delete_may_claim_json_and_send_none(
    wire: Wire, mysql_db: ConnectionSettings, method: str, headers: list[str]
) -> None:
    connection = made(wire, mysql_db)
    assert wire.call(method, f"/connections/{connection}", headers).status == (200 if method == "GET" else 204)


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "text/plain", ""],
)
def test_a_body_is_read_as_json_whatever_its_type_says(wire: Wire, kind: str) -> None:
    content = '{"name": "Grüße", "type": "mysql", "host": "h", "username": "u"}'.encode()
    headers = [f"Content-Length: {len(content)}", *([f"Content-Type: {kind}"] if kind else [])]
    assert wire.call("POST", "/connections", headers, content).json["name"] == "Grüße"


def test_a_chunked_body_is_read(wire: Wire) -> None:
    content = b'{"name": "n", "type": "mysql", "host": "h", "username": "u"}'
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (content[:7], content[7:])) + b"0\r\n\r\n"
    assert wire.call("POST", "/connections", [*JSON, "Transfer-Encoding: chunked"], pieces).status == 200


def test_expect_is_answered_before_the_body_is_read(wire: Wire) -> None:
    content = b'{"name": "n", "type": "mysql", "host": "h", "username": "u"}'
    headers = [*JSON, f"Content-Length: {len(content)}", "Expect: 100-continue"]
    answer = wire.call("POST", "/connections", headers, content)
    assert (answer.continued, answer.status) == (True, 200)


def test_a_wrong_key_is_told_without_waiting_for_the_body(server: Server) -> None:
    with Wire(server.port) as wire:
        headers = ["X-API-Key: wrong", *JSON, "Content-Length: 10", "Expect: 100-continue"]
        wire._socket.sendall(
            "\r\n".join(["POST /api/v1/connections HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()
        )
        assert wire._head()[0] == 401


def powershell_body(settings: ConnectionSettings, name: str) -> str:
    """As ``ConvertTo-Json`` writes a hashtable: any order, CRLF, four spaces and two after the colon."""
    lines = [f"    {json.dumps(key)}:  {json.dumps(value, ensure_ascii=False)}" for key, value in
             reversed(body(settings, name).items())]  # fmt: skip
    return "{\r\n" + ",\r\n".join(lines) + "\r\n}"


@pytest.mark.parametrize("version", ["5.1", "7"])
def test_the_requests_of_invoke_restmethod(server: Server, version: str, mysql_db: ConnectionSettings) -> None:
    """Windows PowerShell sends Latin-1 and waits for "100 Continue"; PowerShell 7 gives every request a length."""
    agent = "User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1"
    common = [agent, *JSON] if version == "5.1" else ["User-Agent: PowerShell/7.4.1", "Accept-Encoding: gzip", *JSON]
    empty = [*common, "Content-Length: 0"]
    get = common if version == "5.1" else empty
    text = powershell_body(mysql_db, "Quelle-für-PS")
    content = text.encode("latin-1" if version == "5.1" else "utf-8")
    post = [*common, f"Content-Length: {len(content)}", *(["Expect: 100-continue"] if version == "5.1" else [])]
    with Wire(server.port) as wire:
        loaded = wire.call("GET", "/user/configs", get)
        assert loaded.status == 200
        created = wire.call("POST", "/connections", post, content)
        assert created.status == 200
        assert created.continued is (version == "5.1")
        assert created.json["name"] == "Quelle-für-PS"
        assert re.fullmatch(r"conn_[0-9A-Za-z]{27}", created.json["id"])
        listed = wire.call("GET", "/connections", get)
        assert created.json["id"] in [item["id"] for item in listed.json]
        pinged = wire.call("POST", f"/connections/{created.json['id']}/ping", empty)
        assert pinged.json["ping"] == "ok"
        deleted = wire.call("DELETE", f"/connections/{created.json['id']}", get)
        assert (deleted.status, deleted.body) == (204, b"")
        assert wire.call("DELETE", f"/connections/{created.json['id']}", get).status == 404
        for answer in (loaded, created, listed, pinged):
            assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_empty_lists_are_arrays(own_server: Server) -> None:
    own_server.start()
    with Wire(own_server.port) as wire:
        for path in ("/connections", "/stream-configs", "/streams"):
            answer = wire.call("GET", path, JSON)
            assert (answer.status, answer.body) == (200, b"[]")
        found = wire.call("GET", "/user/configs").json
        assert (found["connections"], found["streamConfigs"]) == ([], [])
        for path in ("/connections", "/stream-configs", "/streams"):
            page = wire.call("GET", path, ["X-Install-ID: x"]).json
            assert (page["items"], page["total"], page["filtered"]) == ([], 0, 0)
