from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainstem.cli.client import parse_events
from mainstem.cli.connections import body_of
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings
from tests.cli.conftest import Pair, Server, mainstem, url


def test_a_migration_by_the_client_commands(server: Server, pair: Pair, tmp_path: Path) -> None:
    made = server("connections", "create", "shop", url(pair.source), "--json")
    assert made.code == 0, made.err
    connection = made.document["id"]
    assert server("connections", "create", "warehouse", url(pair.target)).code == 0

    assert "shop" in server("connections", "list").out
    assert "password" not in server("connections", "show", "shop", "--json").document
    pinged = server("connections", "ping", connection)
    assert (pinged.code, pinged.out.split()[0]) == (0, "ok")
    assert server("connections", "tables", "shop").out.split() == ["customer", "purchase"]
    assert pair.source.database in server("connections", "databases", "shop").out

    config = tmp_path / "config.yaml"
    config.write_text("name: all\nsource: shop\ntarget: warehouse\nmode: convert\n")
    config_id = server("configs", "create", str(config), "--json").document["id"]
    assert config_id in server("configs", "list").out
    assert server("configs", "show", config_id, "--json").document["mode"] == "convert"
    planned = server("configs", "plan", config_id)
    assert 'CREATE TABLE "public"."customer"' in planned.out

    watched = server("streams", "start", config_id, "--watch", "--json")
    assert watched.code == 0, watched.out + watched.err
    stream = watched.document["id"]
    assert watched.document["totals"]["rowsWritten"] == 1200
    assert pair.postgres("SELECT count(*) FROM purchase") == [(1000,)]

    assert "FINISHED" in server("streams", "list").out
    assert server("streams", "show", stream, "--json").document["status"] == "FINISHED"
    assert "rows add up: 1,200 read" in server("streams", "stats", stream).out
    assert "FINISHED" in server("streams", "logs", stream).out
    assert "FINISHED" in server("streams", "logs", stream, "--follow").out
    assert stream in server("configs", "history", config_id).out

    paused = server("streams", "pause", stream, "--json")
    assert paused.code == 4
    assert paused.document["code"] == "conflict"
    assert server("streams", "stop", stream).code == 0  # what has ended may be stopped

    for collection, name in (("configs", config_id), ("connections", "shop")):
        assert server(collection, "delete", name).code == 0
        assert server(collection, "show", name).code == 2


def test_ping_of_a_system_that_is_not_there_is_3(server: Server) -> None:
    assert server("connections", "create", "gone", "mysql://root:x@127.0.0.1:9/db").code == 0
    assert server("connections", "ping", "gone").code == 3


def test_a_password_may_come_from_stdin(server: Server, pair: Pair) -> None:
    made = mainstem(
        "connections", "create", "whispered", url(pair.source, password=""), "--password-stdin",
        "--url", server.url, "--key", server.key, stdin=pair.source.password + "\n",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert server("connections", "ping", "whispered").code == 0


def test_a_name_that_two_have_is_4(server: Server) -> None:
    for _ in range(2):
        assert server("connections", "create", "twin", "mysql://root:x@127.0.0.1:9/db").code == 0
    assert server("connections", "show", "twin").code == 4


def test_a_wrong_key_is_3(server: Server) -> None:
    done = mainstem("connections", "list", "--url", server.url, "--key", "wrong", "--json")
    assert done.code == 3
    assert done.document["code"] == "unauthorized"


def test_keys_are_made_listed_and_revoked_beside_the_server(server: Server) -> None:
    home = ("--home", str(server.home))
    made = mainstem("key", "create", "--name", "ci", *home, "--json").document
    assert mainstem("connections", "list", "--url", server.url, "--key", made["key"]).code == 0
    listed = mainstem("key", "list", *home)
    assert made["id"] in listed.out
    assert made["key"] not in listed.out
    assert mainstem("key", "revoke", made["id"], *home).code == 0
    assert mainstem("key", "revoke", made["id"], *home).code == 2
    assert [key["revoked"] is None for key in mainstem("key", "list", *home, "--json").document] == [False]


def test_a_wrong_setting_names_its_variable(tmp_path: Path) -> None:
    done = mainstem("serve", "--home", str(tmp_path), MAINSTEM_LOG_LEVEL="loud")
    assert done.code == 2
    assert "MAINSTEM_LOG_LEVEL" in done.err


def test_events_are_read_from_lines() -> None:
    lines = ["event: log", 'data: {"a": 1}', "", ": ping", "", "data: {", 'data: "b": 2}', "", "data: text", ""]
    assert list(parse_events(iter(lines))) == [("log", {"a": 1}), ("message", {"b": 2})]


@pytest.mark.parametrize("schema", ["", "sales"])
def test_certificates_travel_as_base64(schema: str) -> None:
    settings = ConnectionSettings(
        "postgresql", "h", 5432, "u", schema=schema, ssl=SslSettings(SslMode.VERIFY_CA, ca=b"PEM")
    )
    body = body_of("n", settings)
    assert body["ssl"] == {"mode": "verify-ca", "ca": "UEVN"}
    assert body.get("schema", "") == schema
    json.dumps(body)
