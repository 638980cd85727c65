"""A server with something on every screen, whose names and values are markup wherever that is allowed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import KEY, Server, body
from tests.api.drive import finish, start

MARKUP = "<img src=x onerror=alert(1)>"
VALUE = "<script>alert(2)</script>"

# Every screen; braces name what `stocked` gives.
SCREENS = (
    "/", "/connections", "/connections/new", "/connections/{source}",
    "/streams", "/streams/new", "/streams/new?config={config}",
    "/streams/{finished}", "/streams/{finished}?tab=log", "/streams/{finished}?tab=schema",
    "/streams/{finished}?tab=config", "/streams/{failed}", "/streams/{failed}?tab=problems",
    "/configs/{config}/history", "/explorer", "/explorer/{source}", "/explorer/{target}/{database}",
    "/explorer/{target}/{database}?tab=diagram", "{table}", "{table}?tab=structure", "{table}?tab=ddl",
    "{table}?tab=statistics", "/sql", "/sql/{target}",
    "/settings", "/settings?tab=keys", "/settings?tab=about", "/no/such/page",
)  # fmt: skip


@contextmanager
def stocked(server: Server, mariadb: ConnectionSettings, postgres: ConnectionSettings) -> Iterator[dict[str, str]]:
    """Two connections, a run that has finished, and one that was refused; their ids."""
    name = f"stock_{secrets.token_hex(6)}"
    with mysql_connect(mariadb) as source, source.cursor() as cursor, postgres_connect(postgres) as target:
        cursor.execute(f"CREATE DATABASE {name}")
        target.execute(f"CREATE DATABASE {name}".encode())
        cursor.execute(f"USE {name}")
        cursor.execute(f"CREATE TABLE `{MARKUP}` (id INT PRIMARY KEY, `__proto__` TEXT, `b<i>` BLOB)")
        cursor.execute(f"INSERT INTO `{MARKUP}` VALUES (1, %s, NULL), (2, NULL, %s)", (VALUE, b"\0\1" + VALUE.encode()))
        cursor.execute("CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(40) COMMENT %s)", (VALUE,))
        cursor.execute("INSERT INTO customer SELECT seq, concat(%s, seq) FROM seq_1_to_200", (VALUE,))
        source.commit()
        with httpx.Client(base_url=server.url, headers={"X-API-Key": KEY}, timeout=60) as api:
            yield _made(api, replace(mariadb, database=name), replace(postgres, database=name))
        cursor.execute(f"DROP DATABASE {name}")
        target.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _made(api: httpx.Client, source: ConnectionSettings, target: ConnectionSettings) -> dict[str, str]:
    found = {
        "source": api.post("connections", json=body(source, f"source {MARKUP}")).json()["id"],
        "target": api.post("connections", json=body(target, f"target {MARKUP}")).json()["id"],
        "database": target.database,
    }
    found["table"] = f"/explorer/{found['target']}/{target.database}/table/public/{quote(MARKUP, safe='')}"
    for run, policy in (("finished", "create_missing_only"), ("failed", "fail_if_exists")):
        config: dict[str, Any] = {
            "name": f"{run} {MARKUP}", "mode": "convert", "schemaPolicy": policy,
            "source": found["source"], "target": found["target"],
        }  # fmt: skip
        made = api.post("stream-configs", json=config)
        assert made.status_code == 200, made.text
        found["config"] = made.json()["id"]
        found[run] = start(api, found["config"])
        assert finish(api, found[run])["status"] == run.upper()
    return found
