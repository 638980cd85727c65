"""Runs into MySQL: from both kinds of source, killed anywhere, broken off, with every write mode."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem import bootstrap, failpoints
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Conversion, Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import Progress, RowErrorPolicy, RunOptions, RunState, SchemaPolicy, WriteMode
from tests.e2e.conftest import Hold

MYSQL_TABLE = (
    "CREATE TABLE products (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL, price DECIMAL(10,2),"
    " weight DOUBLE, created TIMESTAMP NULL, KEY by_name (name), UNIQUE KEY by_weight (weight))"
)
POSTGRES_TABLE = (
    "CREATE TABLE products (id bigint PRIMARY KEY, name varchar(40) NOT NULL, price numeric(10,2),"
    " weight double precision UNIQUE, created timestamp); CREATE INDEX by_name ON products (name)"
)


@pytest.fixture
def mysql_target(mariadb_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """A second, empty database of this test."""
    name = f"t_{secrets.token_hex(6)}"
    with connect(mariadb_server) as connection:
        query(connection, f"CREATE DATABASE {name}")
        yield replace(mariadb_server, database=name)
        query(connection, f"DROP DATABASE IF EXISTS {name}")


class Way:
    """From a source into a MariaDB database."""

    def __init__(self, source: ConnectionSettings, target: ConnectionSettings) -> None:
        registry = Registry.installed()
        self.source = Endpoint(registry.find(source.type), source)
        self.target = Endpoint(registry.find("mysql"), target)

    def fill(self, rows: int) -> None:
        if self.source.spec.name == "mysql":
            with connect(self.source.settings) as connection:
                query(connection, MYSQL_TABLE)
                query(
                    connection,
                    "INSERT INTO products SELECT seq, CONCAT('Ünï-', seq), seq / 4, seq / 3,"
                    f" FROM_UNIXTIME(1600000000 + seq) FROM seq_1_to_{rows}",
                )
                query(connection, "ANALYZE TABLE products")
            return
        with postgres_connect(self.source.settings) as postgres:
            postgres.execute(POSTGRES_TABLE.encode())
            postgres.execute(
                "INSERT INTO products SELECT n, 'Ünï-' || n, n / 4.0, n::float8 / 3,"
                f" timestamp '2020-09-13' + n * interval '1 s' FROM generate_series(1, {rows}) n".encode()
            )
            postgres.execute("ANALYZE products")

    def run(self, options: RunOptions | None = None, run_id: str = "") -> Progress:
        return self.conversion(options, run_id).run()

    def conversion(self, options: RunOptions | None = None, run_id: str = "") -> Conversion:
        run_id = run_id or new_id(STREAM)
        return bootstrap.conversion(run_id, self.source, self.target, options or RunOptions(), lambda event: None)

    def there(self, sql: str) -> list[tuple[object, ...]]:
        with connect(self.target.settings) as connection:
            return query(connection, sql)

    def counted(self) -> object:
        return self.there("SELECT COUNT(*), COUNT(DISTINCT name), SUM(id) FROM products")[0]

    def leftovers(self) -> list[tuple[object, ...]]:
        return self.there("SHOW TABLES LIKE 'mainstem%'")

    def command(self) -> list[str]:
        urls = [
            f"{end.spec.name}://{s.username}:{s.password}@{s.host}:{s.port}/{s.database}"
            for end in (self.source, self.target)
            for s in (end.settings,)
        ]
        return [sys.executable, "-m", "mainstem", "copy", *urls, "--json"]


@pytest.fixture(params=["mysql", "postgresql"])
def way(request: pytest.FixtureRequest, mysql_target: ConnectionSettings) -> Way:
    source = request.getfixturevalue("mysql_db" if request.param == "mysql" else "postgres_db")
    return Way(source, mysql_target)


KILLED = [
    ("mysql", "loader.before_commit=kill@2"),
    ("postgresql", "loader.after_commit=kill@2"),
    ("postgresql", "reader.batch=kill@5"),
    ("mysql", "builder.begun=kill@1"),
    ("postgresql", "builder.ran=kill@1"),
    ("mysql", "builder.ran=kill@2"),
]


@pytest.mark.parametrize(("way", "failpoint"), KILLED, indirect=["way"])
def test_a_run_killed_anywhere_is_resumed_to_the_same_end(way: Way, failpoint: str, tmp_path: Path) -> None:
    way.fill(60_000)
    command = [*way.command(), "--resume", "stream_killed"]
    environment = {**os.environ, "MAINSTEM_FAILPOINTS": failpoint}
    first = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=tmp_path)
    assert first.returncode == -signal.SIGKILL, first.stdout.decode() + first.stderr.decode()
    second = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert second.returncode == 0, second.stdout.decode() + second.stderr.decode()
    assert way.counted() == (60_000, 60_000, 60_000 * 60_001 // 2)
    if way.source.spec.name == "mysql":
        assert len(way.there("SHOW INDEX FROM products")) == 3
    assert way.leftovers() == []


def test_a_connection_lost_in_the_middle_is_made_again(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "_points", {"loader.after_commit": ("error", 2)})
    monkeypatch.setattr(failpoints, "_passes", {})
    way.fill(60_000)
    progress = way.run(RunOptions(jobs=1))  # another lane might be done with all else
    assert progress.state is RunState.FINISHED
    assert "snapshot_renewed" in {item.code for item in progress.report}
    assert way.counted() == (60_000, 60_000, 60_000 * 60_001 // 2)
    assert way.leftovers() == []


def test_a_stopped_run_keeps_what_is_durable_and_goes_on_later(way: Way, hold: Hold) -> None:
    way.fill(200_000)
    conversion = way.conversion(RunOptions(batch_rows=200), "stream_stopped")
    outcome: list[Progress] = []
    thread = threading.Thread(target=lambda: outcome.append(conversion.run()), daemon=True)
    thread.start()
    hold.wait()
    conversion.stop()
    hold.let_go()
    thread.join(120)
    assert outcome[0].state is RunState.STOPPED
    assert way.there("SELECT COUNT(*) FROM products") == [(outcome[0].rows_written,)]
    assert way.run(run_id="stream_stopped").state is RunState.FINISHED
    assert way.counted() == (200_000, 200_000, 200_000 * 200_001 // 2)
    assert way.leftovers() == []


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        (WriteMode.FAIL_IF_NOT_EMPTY, RunState.FAILED),
        (WriteMode.TRUNCATE, RunState.FINISHED),
        (WriteMode.UPSERT, RunState.FINISHED),
    ],
)
def test_write_modes_on_a_table_that_has_rows(way: Way, mode: WriteMode, state: RunState) -> None:
    way.fill(10)
    assert way.run().state is RunState.FINISHED
    way.there("UPDATE products SET name = 'changed' WHERE id = 5")
    options = RunOptions(schema_policy=SchemaPolicy.CREATE_MISSING, write_mode=mode)
    assert way.run(options).state is state
    assert way.there("SELECT COUNT(*), SUM(name = 'changed') FROM products") == [(10, int(state is RunState.FAILED))]


def test_refused_rows_are_put_aside_and_kept(way: Way) -> None:
    way.fill(1200)
    way.there("CREATE TABLE products (id BIGINT PRIMARY KEY, name VARCHAR(7), price DECIMAL(10,2), weight DOUBLE,"
              " created DATETIME(6))")  # fmt: skip
    options = RunOptions(
        schema_policy=SchemaPolicy.VALIDATE, row_errors=RowErrorPolicy.QUARANTINE, row_error_limit=5000
    )
    progress = way.run(options)
    assert (progress.state, progress.rows_written, progress.rows_rejected) == (RunState.FINISHED, 999, 201)
    assert {(row.column, row.key) for row in progress.rejected} >= {("name", "id=1000"), ("name", "id=1200")}
    assert way.there("SELECT COUNT(*) FROM mainstem_rejected_row") == [(201,)]
