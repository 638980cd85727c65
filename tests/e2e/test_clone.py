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
from mainstem.connectors.mysql.client import connect as mysql_connect
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

    def run(self, options: RunOptions | None = None, target: Endpoint | None = None) -> Progress:
        spec = Registry.installed().find("postgresql")
        ends = Endpoint(spec, self.source), target or Endpoint(spec, self.target)
        return bootstrap.conversion(new_id(STREAM), *ends, options or RunOptions(), self._listen).run()

    def _listen(self, event: Event) -> None:
        if self.at_retry and "trying again" in event.message:
            self.ask(self.source, self.at_retry)

    def equal(self) -> bool:
        return self.ask(self.source, DIGEST) == self.ask(self.target, DIGEST)


@pytest.fixture
def clone(postgres15_db: ConnectionSettings, postgres_db: ConnectionSettings) -> Clone:
    return Clone(postgres15_db, postgres_db)


ONE_LANE = RunOptions(jobs=1)  # so that what is durable at a loss is known: another lane might be done with all else


@pytest.fixture
def lose_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection to the target is lost once three chunks are durable."""
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
    progress = clone.run(ONE_LANE)
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert ("table_cut_anew" in codes(progress)) is anew
    assert progress.tables[0].rows_written == 60_000
    assert clone.equal()


@pytest.mark.usefixtures("lose_once")
def test_rows_that_moved_are_copied_anew_to_other_systems_too(clone: Clone, mysql_db: ConnectionSettings) -> None:
    clone.fill()
    clone.at_retry = MOVE
    spec = Registry.installed().find("mysql")
    progress = clone.run(ONE_LANE, Endpoint(spec, mysql_db))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert "table_cut_anew" in codes(progress)
    with mysql_connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COUNT(DISTINCT id), SUM(filler = 'moved'), SUM(price) FROM t")
        found = cursor.fetchone()
    question = "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE filler = 'moved'), sum(price) FROM t"
    assert [found] == clone.ask(clone.source, question)


@pytest.mark.usefixtures("lose_once")
def test_moved_rows_fail_a_table_that_holds_other_rows_too(clone: Clone) -> None:
    clone.fill()
    clone.ask(clone.target, "CREATE TABLE t (id bigint, filler text, price numeric(10,2), raw bytea)")
    clone.ask(clone.target, "INSERT INTO t VALUES (0)")
    clone.at_retry = MOVE
    options = replace(ONE_LANE, schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.APPEND)
    progress = clone.run(options)
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


EVERY_TYPE = {
    "bool": ["true"], "int2": ["-32768"], "int8": ["9223372036854775807"], "oid": ["4294967295"],
    "numeric": ["'NaN'", "1e100", "-0.00010"], "numeric(12,3)": ["-1.5"], "numeric(5,-2)": ["12345"],
    "real": ["'NaN'", "1e-45", "0.1"], "float8": ["'-Infinity'", "5e-324", "-0.0"], "money": ["-12.34"],
    "text": [r"E'a\tb\\c\r\nd é😀'", r"E'\\N'", "''"], "varchar(9)": ["'é '"], "char(4)": ["'ab'"],
    '"char"': ["'x'"], "name": ["'n'"], "bytea": [r"'\x00ff5c0a'", "''"], "bit(10)": ["B'1000000001'"],
    "varbit": ["B'001'", "B''"], "date": ["'infinity'", "'0044-03-15 BC'", "'5874897-12-31'"],
    "time(3)": ["'24:00'"], "timetz": ["'12:00:00.000001+05:30'"], "timestamp": ["'-infinity'", "'294276-12-31 23:59'"],
    "timestamptz(3)": ["'2024-02-29 23:00:00.123-05'", "'0044-03-15 12:00+00 BC'"],
    "interval": ["'1 year -2 mons 3 days -04:05:06.7'"], "interval year to month": ["'1-2'"],
    "uuid": ["gen_random_uuid()"],
    "json": ["'{\"a\":  1}'"], "jsonb": ["'{\"a\": [1, null]}'"],
    "inet": ["'10.0.0.1/8'"], "cidr": ["'10.0.0.0/8'"], "macaddr": ["'08:00:2b:01:02:03'"], "point": ["'(1,2)'"],
    "polygon": ["'((0,0),(1,1),(1,0.1))'"], "tsvector": ["'a:1 b:2A'"], "tsquery": ["'a & b'"],
    "pg_lsn": ["'16/B374D848'"],
    "text[]": [r"ARRAY['a', NULL, 'b\"c', E'\\']", "'{}'", "'[2:3]={x,y}'"], "int[][]": ["'{{1,2},{3,NULL}}'"],
    "int4range": ["'[1,5)'", "'empty'"], "tstzrange": ["'[2024-01-01 00:00+00,)'"], "nummultirange": ["'{[1,2),[3,)}'"],
    "mood": ["'very happy'"], "mood[]": ["'{sad,NULL}'"], "age": ["7"], "pair": ["ROW(1, 'a,\"b')"],
    "regclass": ["'pg_class'"],
}  # fmt: skip


@pytest.mark.parametrize("options", [RunOptions(), RunOptions(max_rows=1000)], ids=["raw", "decoded"])
def test_values_of_every_type_survive(clone: Clone, options: RunOptions) -> None:
    clone.ask(
        clone.source,
        "CREATE TYPE mood AS ENUM ('sad', 'very happy'); CREATE DOMAIN age AS int CHECK (VALUE > 0);"
        " CREATE TYPE pair AS (n int, t text)",
    )
    columns = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(EVERY_TYPE))
    clone.ask(clone.source, f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
    for row in range(3):
        values = ", ".join(values[row % len(values)] for values in EVERY_TYPE.values())
        clone.ask(clone.source, f"INSERT INTO t VALUES ({row}, {values})")
    clone.ask(clone.source, "INSERT INTO t VALUES (9)")
    progress = clone.run(options)
    assert (progress.state, progress.error, [item.message for item in progress.report]) == (RunState.FINISHED, "", [])
    for number, type_ in enumerate(EVERY_TYPE):
        question = f"SELECT id, c{number}::text FROM t ORDER BY id"
        assert (type_, clone.ask(clone.target, question)) == (type_, clone.ask(clone.source, question))


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


def test_rows_of_a_parent_and_of_its_children_are_told_apart(clone: Clone) -> None:
    clone.ask(clone.source, "CREATE TABLE animal (id int PRIMARY KEY); CREATE TABLE cat (name text) INHERITS (animal)")
    clone.ask(clone.source, "INSERT INTO animal VALUES (1); INSERT INTO cat VALUES (2, 'a'), (3, 'b')")
    own = "SELECT tableoid::regclass::text, count(*) FROM animal GROUP BY 1 ORDER BY 1"
    for options in (RunOptions(), RunOptions(schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.TRUNCATE)):
        progress = clone.run(options)
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        assert clone.ask(clone.target, own) == [("animal", 1), ("cat", 2)]


def test_a_parent_without_rows_of_its_own_is_empty(clone: Clone) -> None:
    clone.ask(clone.source, "CREATE TABLE animal (id int); INSERT INTO animal VALUES (1)")
    clone.ask(clone.target, "CREATE TABLE animal (id int); CREATE TABLE cat () INHERITS (animal)")
    clone.ask(clone.target, "INSERT INTO cat VALUES (2)")
    progress = clone.run(RunOptions(schema_policy=SchemaPolicy.VALIDATE))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert clone.ask(clone.target, "SELECT id FROM animal ORDER BY id") == [(1,), (2,)]
