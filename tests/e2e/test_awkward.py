"""Tables that are large, wide, empty, oddly named or tied to each other, in every direction."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from mainstem.model.run import RunOptions
from tests.e2e.routes import MYSQL, POSTGRES, Route

MIB = 1024 * 1024


def test_a_table_of_a_thousand_columns(route: Route) -> None:
    types = ["INT", "VARCHAR(2)", "DECIMAL(9,2)", "BIGINT", "DATE"]
    values = ["seq", "'ü'", "seq / 4.0", "CAST(seq AS DECIMAL(20)) * 1000000007", "'2024-02-29'"]
    columns = ", ".join(f"c{number} {types[number % 5]}" for number in range(999))
    if route.source.settings.type == POSTGRES:
        values[4] = "DATE '2024-02-29'"
    row = ", ".join(values[number % 5] for number in range(999))
    route.source.run(
        f"CREATE TABLE wide (id INT PRIMARY KEY, {columns})",
        f"INSERT INTO wide SELECT seq, {row} FROM {route.source.rows(300)}",
    )
    assert route.copy().rows_written == 300


def test_tables_without_rows(route: Route) -> None:
    route.source.run("CREATE TABLE empty_one (id INT PRIMARY KEY, v TEXT)", "CREATE TABLE heap (v DATE)")
    assert route.copy().rows_written == 0


def test_a_table_without_columns_keeps_its_count_of_rows(route: Route) -> None:
    if (route.source.settings.type, route.target.settings.type) != (POSTGRES, POSTGRES):
        pytest.skip("only PostgreSQL has such tables")
    route.source.run("CREATE TABLE nothing ()", "INSERT INTO nothing SELECT FROM generate_series(1, 7)")
    assert route.copy().rows_written == 7


def test_rows_that_exceed_every_buffer(route: Route) -> None:
    words = route.source.words
    route.source.run(
        f"CREATE TABLE big (id INT PRIMARY KEY, t {words['text']}, b {words['bytes']}, n INT)",
        f"INSERT INTO big SELECT seq, REPEAT('né\t\\\\\\n', {MIB}), {words['any_bytes'].format(MIB)}, 1"
        f" FROM {route.source.rows(3)}",
        "INSERT INTO big VALUES (4, '', '', 2), (5, NULL, NULL, 3)",
    )
    progress = route.copy(RunOptions(memory_bytes=2 * MIB, jobs=2))
    assert progress.rows_written == 5
    assert progress.bytes_read > 30 * MIB


def test_reserved_and_odd_names(route: Route) -> None:
    quote = route.source.quote
    longest = 64 if route.source.settings.type == MYSQL else 63
    for table in ("select", "Order by", 'ünï`cödé"', "tab%s{0}le", "x" * longest, "日" * (longest // 3)):
        columns = [
            f"{quote(name)} INT" for name in ("from", "With Space", "a\"b`c'd", "ü", "%s", "N" * longest, "n" * 30)
        ]
        route.source.run(
            f"CREATE TABLE {quote(table)} ({quote('primary')} INT PRIMARY KEY, {', '.join(columns)})",
            f"INSERT INTO {quote(table)} SELECT seq, 1, 2, 3, 4, 5, 6, 7 FROM {route.source.rows(10)}",
            f"CREATE INDEX {quote('group by ' + table[:9])} ON {quote(table)} ({quote('from')}, {quote('ü')})",
        )
    progress = route.conversion().run()
    assert progress.error == ""
    assert [table.rows_written for table in progress.tables] == [10] * 6


def test_foreign_keys_in_circles_and_to_oneself(route: Route) -> None:
    route.source.run(
        "CREATE TABLE person (id INT PRIMARY KEY, boss INT, team INT, FOREIGN KEY (boss) REFERENCES person (id))",
        "CREATE TABLE team (id INT PRIMARY KEY, lead_id INT NOT NULL, FOREIGN KEY (lead_id) REFERENCES person (id))",
        f"INSERT INTO person SELECT seq, NULL, NULL FROM {route.source.rows(500)}",
        f"INSERT INTO team SELECT seq, 501 - seq FROM {route.source.rows(50)}",
        "UPDATE person SET boss = 501 - id, team = 1 + id % 50",
        "ALTER TABLE person ADD FOREIGN KEY (team) REFERENCES team (id)",
    )
    route.copy(RunOptions(jobs=2))
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        route.target.run("INSERT INTO team VALUES (1000, 1000)")


def test_a_foreign_key_that_nulls_what_may_not_be_null(route: Route) -> None:
    if route.source.settings.type == MYSQL:
        return  # which makes no such key
    route.source.run(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, up INT NOT NULL REFERENCES parent (id) ON DELETE SET NULL)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1, 1)",
    )
    route.copy()
    for end in (route.source, route.target):
        with pytest.raises(Exception, match=r"(?i)foreign key|not-null"):
            end.run("DELETE FROM parent")


def test_a_default_that_takes_the_next_value_of_a_sequence(route: Route) -> None:
    nextval = "NEXTVAL(counter)" if route.source.settings.type == MYSQL else "nextval('counter')"
    route.source.run(
        "CREATE SEQUENCE counter START WITH 7",
        f"CREATE TABLE t (id INT PRIMARY KEY DEFAULT {nextval}, v INT)",
        "INSERT INTO t (v) VALUES (1), (2)",
    )
    route.copy()
    route.target.run("INSERT INTO t (v) VALUES (3)")
    [(newest,)] = route.target.run("SELECT MAX(id) FROM t")
    assert newest >= 9


def test_five_hundred_partitions(route: Route) -> None:
    key = "a INT, id BIGINT, PRIMARY KEY (a, id)"
    if route.source.settings.type == MYSQL:
        parts = ", ".join(f"PARTITION p{number} VALUES LESS THAN ({number * 100 + 1})" for number in range(1, 501))
        route.source.run(f"CREATE TABLE parts ({key}) PARTITION BY RANGE (id) ({parts})")
    else:
        parts = [
            f"CREATE TABLE p{number} PARTITION OF parts FOR VALUES FROM ({number * 100 - 99}) TO ({number * 100 + 1})"
            for number in range(1, 501)
        ]
        route.source.run(f"CREATE TABLE parts ({key}) PARTITION BY RANGE (id)", *parts)
    route.source.run(f"INSERT INTO parts (id, a) SELECT seq, seq % 7 FROM {route.source.rows(50_000)}")
    route.source.analyze("parts")
    assert route.copy().rows_written == 50_000


@pytest.mark.parametrize("failpoint", ["loader.before_commit=kill@4", "loader.after_commit=kill@4"])
def test_a_run_that_was_killed_reads_no_finished_chunk_again(route: Route, failpoint: str, tmp_path: Path) -> None:
    route.source.run(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(80))",
        f"INSERT INTO t SELECT seq, REPEAT('x', 60) FROM {route.source.rows(150_000)}",
    )
    route.source.analyze("t")
    arguments = ("--jobs", "1", "--no-preflight", "--resume", "stream_killed")
    first = route.command(*arguments, failpoint=failpoint, folder=tmp_path)
    assert first.returncode == -signal.SIGKILL, first.stderr.decode()
    second = route.command(*arguments, folder=tmp_path)
    assert second.returncode == 0, second.stdout.decode()
    total = json.loads(second.stdout)["total"]
    assert total["rowsWritten"] == 150_000
    # Three chunks of at least eight were durable; a row is 66 bytes or more.
    assert total["bytes"] < 150_000 * 66
    [(count, distinct)] = route.target.run("SELECT COUNT(*), COUNT(DISTINCT id) FROM t")
    assert (count, distinct) == (150_000, 150_000)
