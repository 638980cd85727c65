"""What tests do with a server over and over: make a config, start it, wait for its end, look at the target."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import body

# What comes ends a wait, so that this is for machines with much other work.
DEADLINE_S = 90
ENDED = {"FINISHED", "FAILED", "STOPPED", "TIME_LIMIT_REACHED", "EVENT_LIMIT_REACHED"}


def mysql(settings: ConnectionSettings, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on the source; the rows of the last one."""
    with mysql_connect(settings) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def postgres(settings: ConnectionSettings, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement on the target; its rows."""
    with postgres_connect(settings) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def fill(settings: ConnectionSettings, rows: int) -> None:
    """A table ``products`` of so many rows, with a key and an index."""
    mysql(
        settings,
        "CREATE TABLE products (id BIGINT PRIMARY KEY, name VARCHAR(40), KEY by_name (name))",
        f"INSERT INTO products SELECT seq, CONCAT('p', seq) FROM seq_1_to_{rows}",
        "ANALYZE TABLE products",
    )


def count(settings: ConnectionSettings, table: str = "products") -> int:
    """Rows of a table of the target."""
    return int(postgres(settings, f"SELECT count(*) FROM {table}")[0][0])


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until the condition is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def connect_both(api: httpx.Client, source: ConnectionSettings, target: ConnectionSettings) -> tuple[str, str]:
    """Save both connections; their ids."""
    made = [api.post("/connections", json=body(settings)).json()["id"] for settings in (source, target)]
    return made[0], made[1]


def make(api: httpx.Client, source: ConnectionSettings, target: ConnectionSettings, **more: Any) -> str:
    """Save both connections and a config of the early shape; the config's id."""
    ends = connect_both(api, source, target)
    config = {"name": "copy", "source": ends[0], "target": ends[1], "mode": "convert", **more}
    answer = api.post("/stream-configs", json=config)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def start(api: httpx.Client, config: str) -> str:
    """Start a stream of a config; its id."""
    answer = api.post(f"/stream-configs/{config}/start")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def finish(api: httpx.Client, stream: str) -> dict[str, Any]:
    """Wait for a stream's end; its stats."""
    wait_for(lambda: api.get(f"/streams/{stream}").json()["status"] in ENDED, "the stream did not end")
    stats: dict[str, Any] = api.get(f"/streams/{stream}/stats").json()
    return stats


def run(api: httpx.Client, source: ConnectionSettings, target: ConnectionSettings, **more: Any) -> dict[str, Any]:
    """A stream of a new config, from its start to its end; its stats."""
    return finish(api, start(api, make(api, source, target, **more)))
