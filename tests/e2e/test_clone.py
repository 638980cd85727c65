"""From PostgreSQL to PostgreSQL: rows pass undecoded, and a copy that was interrupted loses and doubles none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mainstem import bootstrap, failpoints
from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.stream import CopyStream
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import (
    Progress,
    RowErrorPolicy,
    RunOptions,
    RunState,
    SchemaPolicy,
    TableSelection,
    WriteMode,
)

DIGEST = "SELECT count(*), count(DISTINCT id), sum(hashtextextended(t::text, 0)) FROM t"
MOVE = "UPDATE t SET filler = 'moved' WHERE id % 1000 = 7"


class Clone:
    """Two databases, and runs from the one to the other."""

    def __init__(self, source: ConnectionSettings, target: ConnectionSettings) -> None:
        self.source, self.target = source, target
        self.at_retry = ""

    def fill(self, rows: int = 60_000) -> None:
        self.ask(self.source, "CREATE TABLE t (id bigint PRIMARY KEY, filler text, price numeric(10,2), raw bytea)")
        self.ask(
            self.source,
            "INSERT INTO t SELECT i, repeat('é', 200), i / 7.0, decode(md5(i::text), 'hex')"
            f" FROM generate_series(1, {rows}) i; ANALYZE t",
        )

    def ask(self, side: ConnectionSettings, sql: str) -> list[tuple[Any, ...]]:
        with connect(side) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def run(self, options: RunOptions | None = None) -> Progress:
        registry = Registry.installed()
        spec = registry.find("postgresql")
        ends = Endpoint(spec, self.source), Endpoint(spec, self.target)
        return bootstrap.conversion(new_id(STREAM), *ends, options or RunOptions(), self._listen).run()

    def _listen(self, event: Event) -> None:
        if self.at_retry and "trying again" in event.message:
            self.ask(self.source, self.at_retry)

    def equal(self) -> bool:
        return self.ask(self.source, DIGEST) == self.ask(self.target, DIGEST)


@pytest.fixture
def clone(postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings) -> Clone:
    return Clone(postgres15_db, postgres_db)


@pytest.fixture
def lose_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection to the target is lost once some chunks are durable."""
    monkeypatch.setattr(failpoints, "_points", {"loader.after_commit": ("error", 3)})
    monkeypatch.setattr(failpoints, "_passes", {})


def codes(progress: Progress) -> set[str]:
    return {item.code for item in progress.report}


def test_rows_arrive_as_they_were_and_are_not_decoded(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        raise MainstemError("decoded")

    clone.fill()
    monkeypatch.setattr(CopyStream, "batches", decoded)
    progress = clone.run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert progress.tables[0].chunks_total > 3
    assert clone.equal()


def test_rows_that_are_put_aside_are_found_by_decoding(clone: Clone) -> None:
    clone.fill(1000)
    clone.ask(clone.target, "CREATE TABLE t (id bigint, filler text, price numeric(10,2), raw bytea)")
    clone.ask(clone.target, "ALTER TABLE t ADD CHECK (id NOT IN (5, 999))")
    options = RunOptions(schema_policy=SchemaPolicy.VALIDATE, row_errors=RowErrorPolicy.QUARANTINE)
    progress = clone.run(options)
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert sorted(row.key for row in progress.rejected) == ["id=5", "id=999"]
    assert clone.ask(clone.target, "SELECT count(*) FROM t") == [(998,)]


def test_rows_are_merged_undecoded_too(clone: Clone) -> None:
    clone.fill(1000)
    clone.run()
    clone.ask(clone.source, "UPDATE t SET filler = 'changed' WHERE id < 10")
    options = RunOptions(schema_policy=SchemaPolicy.CREATE_MISSING, write_mode=WriteMode.UPSERT)
    assert clone.run(options).state is RunState.FINISHED
    assert clone.equal()


@pytest.mark.parametrize(("meanwhile", "anew"), [("SELECT", False), (MOVE, True), ("VACUUM FULL t", True)])
@pytest.mark.usefixtures("lose_once")
def test_after_a_lost_connection_a_table_is_cut_anew_only_if_its_rows_may_have_moved(
    clone: Clone, meanwhile: str, anew: bool
) -> None:
    clone.fill()
    clone.at_retry = meanwhile
    progress = clone.run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert ("table_cut_anew" in codes(progress)) is anew
    assert progress.tables[0].rows_written == 60_000
    assert clone.equal()


@pytest.mark.usefixtures("lose_once")
def test_moved_rows_fail_a_table_that_holds_other_rows_too(clone: Clone) -> None:
    clone.fill()
    clone.ask(clone.target, "CREATE TABLE t (id bigint, filler text, price numeric(10,2), raw bytea)")
    clone.ask(clone.target, "INSERT INTO t VALUES (0)")
    clone.at_retry = MOVE
    progress = clone.run(RunOptions(schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.APPEND))
    assert progress.state is RunState.FAILED
    assert "may now lie in other chunks" in progress.error
    assert clone.ask(clone.target, "SELECT count(*) FROM t WHERE id = 0") == [(1,)]


def _url(settings: ConnectionSettings) -> str:
    return f"postgresql://{settings.username}:{settings.password}@{settings.host}:{settings.port}/{settings.database}"


@pytest.mark.parametrize("meanwhile", ["SELECT", MOVE])
def test_a_run_that_was_killed_is_resumed_to_the_same_end(clone: Clone, meanwhile: str, tmp_path: Path) -> None:
    clone.fill()
    urls = _url(clone.source), _url(clone.target)
    command = [sys.executable, "-m", "mainstem", "copy", *urls, "--json", "--resume", "stream_killed"]
    environment = {**os.environ, "MAINSTEM_FAILPOINTS": "loader.before_commit=kill@4"}
    first = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=tmp_path)
    assert first.returncode == -signal.SIGKILL, first.stderr.decode()
    clone.ask(clone.source, meanwhile)
    second = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert second.returncode == 0, second.stderr.decode()
    assert clone.equal()
    assert clone.ask(clone.target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'mainstem'") == [(0,)]


def test_what_a_row_limit_cuts_off_is_exact(clone: Clone) -> None:
    clone.fill(5000)
    progress = clone.run(RunOptions(max_rows=1234))
    assert progress.state is RunState.EVENT_LIMIT_REACHED
    assert clone.ask(clone.target, "SELECT count(*) FROM t") == [(1234,)]


def test_wide_values_of_dates_survive_being_decoded(clone: Clone) -> None:
    clone.ask(clone.source, "CREATE TABLE t (id int, d date, at timestamp, atz timestamptz)")
    values = "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-02-03'", "'4713-01-01 BC'", "'0001-01-01'"
    for number, value in enumerate(values):
        clone.ask(clone.source, f"INSERT INTO t VALUES ({number}, {value}, {value}, {value})")
    progress = clone.run(RunOptions(max_rows=1000))  # a limit of rows has them decoded
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert clone.equal()


def test_a_query_is_copied(clone: Clone) -> None:
    clone.fill(100)
    query = TableSelection("few", query="SELECT id, price FROM t WHERE id < 8")
    progress = clone.run(replace(RunOptions(), tables=(query,)))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert clone.ask(clone.target, "SELECT count(*) FROM few") == [(7,)]


def test_a_source_that_is_cut_off_while_it_is_read_is_read_again(clone: Clone) -> None:
    clone.fill()
    killed = []

    def kill(event: Event) -> None:
        if not killed and "snapshot with" in event.message:
            killed.append(True)
            clone.ask(
                clone.source,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )

    clone._listen = kill  # type: ignore[method-assign]
    progress = clone.run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert killed
    assert clone.equal()


def test_both_servers_are_free_of_transactions_of_ours_afterwards(clone: Clone) -> None:
    clone.fill(1000)
    clone.run()
    idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mainstem' AND xact_start IS NOT NULL"
    with psycopg.connect(_url(clone.source), application_name="test") as connection:
        assert connection.execute(idle).fetchone() == (0,)
