"""Runs ``mainstem`` as a user does: a process with arguments, an exit code, and two streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.servers import free_port

DEADLINE_S = 300
_SCHEMA = (
    "CREATE TABLE customer (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL, born DATE NULL)",
    "CREATE TABLE purchase (id INT PRIMARY KEY AUTO_INCREMENT, customer_id INT NOT NULL, total DECIMAL(10,2),"
    " KEY by_customer (customer_id), CONSTRAINT buyer FOREIGN KEY (customer_id) REFERENCES customer (id))",
    "INSERT INTO customer SELECT seq, concat('Zoë ☕ ', seq), '1990-01-01' + INTERVAL seq DAY FROM seq_1_to_200",
    "INSERT INTO purchase SELECT seq, 1 + seq % 200, seq / 4 FROM seq_1_to_1000",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its one JSON document."""
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would change the command, and wide enough that no line is folded."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAINSTEM_") and name not in {"MYSQL_PWD", "PGPASSWORD"}
    }
    return {**kept, "COLUMNS": "200", **more}


def mainstem(*arguments: str, stdin: str = "", **more: str) -> Outcome:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "mainstem", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        env=environment(**more),
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def url(settings: ConnectionSettings, *, password: str | None = None) -> str:
    """The URL of a system; with ``password=""`` it has none."""
    secret = settings.password if password is None else password
    login = f"{settings.username}:{secret}" if secret else settings.username
    return f"{settings.type}://{login}@{settings.host}:{settings.port}/{settings.database}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A small shop in MariaDB and an empty PostgreSQL database."""

    source: ConnectionSettings
    target: ConnectionSettings

    @property
    def urls(self) -> tuple[str, str]:
        """Source and target."""
        return url(self.source), url(self.target)

    def mysql(self, *statements: str) -> None:
        """Run statements on the source."""
        with mysql_connect(self.source) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def postgres(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the target."""
        with postgres_connect(self.target) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def pair(mysql_db: ConnectionSettings, postgres_db: ConnectionSettings) -> Pair:
    made = Pair(mysql_db, postgres_db)
    made.mysql(*_SCHEMA)
    return made


@dataclass(frozen=True, slots=True)
class Server:
    """A ``mainstem serve`` of this file's."""

    url: str
    key: str
    home: Path

    def __call__(self, *arguments: str, **more: str) -> Outcome:
        """Run a client command against it."""
        return mainstem(*arguments, MAINSTEM_URL=self.url, MAINSTEM_API_KEY=self.key, **more)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, key, folder = free_port(), "a-key-for-this-test", tmp_path_factory.mktemp("served")
    home = folder / "home"
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mainstem", "serve", "--port", str(port), "--home", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(MAINSTEM_API_KEY=key),
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, folder / "serve.log")
        yield Server(f"http://127.0.0.1:{port}", key, home)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            if httpx.get(f"{address}/api/v1/ready", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
