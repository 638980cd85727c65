from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem import bootstrap, failpoints
from mainstem.errors import ConflictError, NotFoundError
from mainstem.model.run import (
    NulPolicy,
    RowErrorPolicy,
    RunOptions,
    RunState,
    SchemaPolicy,
    TableProgress,
    TableSelection,
    TableState,
    WriteMode,
    ZeroDatePolicy,
)
from tests.e2e.conftest import Hold, Pair

QUARANTINE = RunOptions(row_errors=RowErrorPolicy.QUARANTINE)


def sums(pair: Pair, table: str) -> tuple[object, object]:
    """Counts and sums by each server's own SQL."""
    query = f"SELECT COUNT(*), SUM(id), SUM(price), SUM(CHAR_LENGTH(name)) FROM {table}"
    return pair.mysql(query)[0], pair.postgres(query)[0]


def test_every_row_arrives_and_nothing_of_ours_stays(pair: Pair) -> None:
    pair.fill("products", 30_000)
    progress = pair.conversion().run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    source, target = sums(pair, "products")
    assert source == target
    assert pair.leftovers() == []
    assert pair.postgres("SELECT nextval(pg_get_serial_sequence('products', 'id'))") == [(30_001,)]


def test_a_table_is_cut_into_chunks_by_its_key(pair: Pair) -> None:
    pair.fill("products", 60_000)
    pair.mysql("ANALYZE TABLE products")
    progress = pair.conversion(RunOptions(jobs=2)).run()
    assert progress.state is RunState.FINISHED
    assert progress.tables[0].chunks_total > 1
    source, target = sums(pair, "products")
    assert source == target


def test_tables_without_rows_or_without_a_key_arrive(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE empty_one (id INT PRIMARY KEY)",
        "CREATE TABLE heap (a INT, b TEXT)",
        "INSERT INTO heap VALUES (1, 'a\\tb\\\\n'), (1, 'a\\tb\\\\n'), (NULL, NULL), (2, '')",
    )
    progress = pair.conversion().run()
    assert progress.state is RunState.FINISHED
    assert pair.postgres("SELECT count(*) FROM empty_one") == [(0,)]
    assert pair.postgres("SELECT a, b FROM heap ORDER BY a NULLS LAST, b") == [
        (1, "a\tb\\n"), (1, "a\tb\\n"), (2, ""), (None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["VARCHAR(20) COLLATE utf8mb4_general_ci", "VARBINARY(20)", "DECIMAL(20,3)"])
def test_chunks_of_other_keys_lose_and_double_nothing(pair: Pair, key: str) -> None:
    pair.mysql(
        f"CREATE TABLE t (k {key} PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT seq * 7, seq FROM seq_1_to_45000",
        "ANALYZE TABLE t",
    )
    progress = pair.conversion().run()
    assert progress.state is RunState.FINISHED
    assert progress.tables[0].chunks_total > 1
    assert pair.postgres("SELECT count(*), count(DISTINCT k), sum(v) FROM t") == [
        tuple(map(int, row)) for row in pair.mysql("SELECT COUNT(*), COUNT(DISTINCT k), SUM(v) FROM t")
    ]


def test_a_row_that_the_target_cannot_hold_fails_its_table_and_no_other(pair: Pair) -> None:
    pair.fill("good", 100)
    pair.mysql(
        "CREATE TABLE bad (id INT PRIMARY KEY, d DATE)", "INSERT INTO bad VALUES (1, '2024-01-01'), (2, '0000-00-00')"
    )
    progress = pair.conversion().run()
    assert progress.state is RunState.FAILED
    states = {table.source.name: table.state.value for table in progress.tables}
    assert states == {"good": "finished", "bad": "failed"}
    assert "zero" in progress.error
    assert pair.postgres("SELECT count(*) FROM bad") == [(0,)]


def test_refused_rows_are_put_aside_with_key_and_reason(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, d DATE, note TEXT)",
        "INSERT INTO t SELECT seq, '2024-05-05', 'fine' FROM seq_1_to_1000",
        "UPDATE t SET d = '0000-00-00' WHERE id IN (3, 700)",
        "UPDATE t SET note = CONCAT('a', CHAR(0), 'b') WHERE id = 500",
    )
    progress = pair.conversion(QUARANTINE).run()
    assert progress.state is RunState.FINISHED
    table = progress.tables[0]
    assert (table.rows_read, table.rows_written, table.rows_rejected) == (1000, 997, 3)
    assert {(row.key, row.column) for row in progress.rejected} == {("id=3", "d"), ("id=700", "d"), ("id=500", "note")}
    assert pair.postgres("SELECT count(*) FROM t WHERE id IN (3, 500, 700)") == [(0,)]
    assert pair.postgres("SELECT count(*) FROM mainstem.rejected_row") == [(3,)]


def test_rows_that_only_the_server_refuses_are_found_one_by_one(pair: Pair) -> None:
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_500")
    pair.postgres("CREATE TABLE t (id INT PRIMARY KEY, v INT CHECK (v NOT IN (1, 250, 500)))")
    options = replace(QUARANTINE, schema_policy=SchemaPolicy.VALIDATE)
    progress = pair.conversion(options).run()
    assert progress.state is RunState.FINISHED
    assert sorted(row.key for row in progress.rejected) == ["id=1", "id=250", "id=500"]
    assert pair.postgres("SELECT count(*) FROM t") == [(497,)]


def test_more_refused_rows_than_the_limit_fail_the_table(pair: Pair) -> None:
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY, d DATE)", "INSERT INTO t SELECT seq, '0000-00-00' FROM seq_1_to_50")
    progress = pair.conversion(replace(QUARANTINE, row_error_limit=10)).run()
    assert progress.state is RunState.FAILED
    assert "rowErrors.limit" in progress.error
    assert pair.postgres("SELECT count(*) FROM t") == [(0,)]


def test_policies_change_values_and_count_them(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, d DATETIME, note TEXT)",
        "INSERT INTO t VALUES (1, '0000-00-00 00:00:00', CONCAT('a', CHAR(0), 'b')), (2, '2024-02-29 12:00:00', 'x')",
    )
    options = RunOptions(zero_dates=ZeroDatePolicy.NULL, nul_text=NulPolicy.STRIP)
    progress = pair.conversion(options).run()
    assert progress.state is RunState.FINISHED
    assert progress.tables[0].coerced == {"d: zero_date_null": 1, "note: nul_stripped": 1}
    assert pair.postgres("SELECT d IS NULL, note FROM t WHERE id = 1") == [(True, "ab")]


def test_a_row_limit_is_kept_exactly(pair: Pair) -> None:
    pair.fill("products", 5_000)
    progress = pair.conversion(RunOptions(max_rows=1_234)).run()
    assert progress.state is RunState.EVENT_LIMIT_REACHED
    assert pair.postgres("SELECT count(*) FROM products") == [(1_234,)]


def test_after_a_limit_each_table_tells_whether_it_is_whole(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE first_one (id INT PRIMARY KEY, v TEXT)",
        "CREATE TABLE second_one (id INT PRIMARY KEY)",
        "CREATE TABLE third_one (id INT PRIMARY KEY)",
        "INSERT INTO first_one SELECT seq, REPEAT('x', 500) FROM seq_1_to_2000",
        "INSERT INTO second_one SELECT seq FROM seq_1_to_1000",
        "INSERT INTO third_one VALUES (1)",
        "ANALYZE TABLE first_one, second_one, third_one",
    )
    progress = pair.conversion(RunOptions(max_rows=2_500, jobs=1)).run()
    assert progress.state is RunState.EVENT_LIMIT_REACHED
    states = {table.source.name: (table.state.value, table.rows_written) for table in progress.tables}
    assert states == {
        "first_one": ("finished", 2000), "second_one": ("event_limit_reached", 500),
        "third_one": ("event_limit_reached", 0),
    }  # fmt: skip


def test_a_table_that_a_limit_of_time_cut_short_does_not_say_that_it_is_finished(pair: Pair) -> None:
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_300")
    query = "SELECT id, SLEEP(0.02) AS s FROM t"
    progress = pair.conversion(RunOptions(max_seconds=1, batch_rows=10, tables=(TableSelection("q", query),))).run()
    assert progress.state is RunState.TIME_LIMIT_REACHED
    assert [table.state.value for table in progress.tables] == ["time_limit_reached"]
    assert pair.postgres("SELECT count(*) FROM q") == [(progress.rows_written,)]


def test_a_limit_that_was_reached_stays_so_when_the_run_goes_on_after_a_failure(pair: Pair, tmp_path: Path) -> None:
    """A chunk that a limit cut short is durable and cannot be read again: such a run is never FINISHED."""
    pair.fill("products", 5_000)
    command = [*copy_command(pair), "--resume", "stream_limited"]
    first = killed_at("keys.before=kill", [*command, "--limit-rows", "1234"], tmp_path)
    assert first.returncode == -signal.SIGKILL, first.stderr.decode()
    second = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert json.loads(second.stdout)["status"] == "EVENT_LIMIT_REACHED"
    assert pair.postgres("SELECT count(*) FROM products") == [(1_234,)]


def test_a_table_that_is_paused_waits_while_others_are_copied(
    pair: Pair, hold: Hold, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    for table in ("first", "second"):
        pair.fill(table, 400_000)
    pair.mysql("ANALYZE TABLE first, second")
    run = pair.conversion(RunOptions(jobs=2, batch_rows=500))
    thread = threading.Thread(target=run.run)
    thread.start()

    def table(name: str) -> TableProgress:
        return next(table for table in run.progress().tables if table.source.name == name)

    hold.wait()
    run.pause_table("second")
    run.pause_table("second")
    hold.let_go()
    wait_until(lambda: table("first").state is TableState.FINISHED)
    assert (table("second").state, table("second").rows_written < 400_000) == (TableState.PAUSED, True)
    with pytest.raises(ConflictError):
        run.pause_table("first")
    with pytest.raises(ConflictError):
        run.resume_table("first")
    with pytest.raises(NotFoundError):
        run.pause_table("third")
    run.resume_table("second")
    thread.join(120)
    assert run.progress().state is RunState.FINISHED
    source, target = sums(pair, "second")
    assert source == target


def test_stop_leaves_whole_chunks_only(pair: Pair, hold: Hold) -> None:
    pair.fill("products", 200_000)
    conversion = pair.conversion(RunOptions(batch_rows=200))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(conversion.run()), daemon=True)
    thread.start()
    hold.wait()
    conversion.stop()
    hold.let_go()
    thread.join(120)
    assert outcome[0].state is RunState.STOPPED
    assert [table.state.value for table in outcome[0].tables] == ["stopped"]
    assert pair.postgres("SELECT count(*) FROM products") == [(outcome[0].rows_written,)]


def test_a_paused_run_goes_on_and_ends_complete(pair: Pair, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    pair.fill("products", 200_000)
    conversion = pair.conversion(RunOptions(batch_rows=200))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(conversion.run()), daemon=True)
    thread.start()
    wait_until(lambda: conversion.progress().rows_read > 0)
    conversion.pause()
    assert conversion.progress().state is RunState.PAUSED
    conversion.resume()
    thread.join(120)
    assert outcome[0].state is RunState.FINISHED
    source, target = sums(pair, "products")
    assert source == target


def copy_command(pair: Pair) -> list[str]:
    source, target = pair.source.settings, pair.target.settings
    urls = [
        f"mysql://{source.username}:{source.password}@{source.host}:{source.port}/{source.database}",
        f"postgresql://{target.username}:{target.password}@{target.host}:{target.port}/{target.database}",
    ]
    return [sys.executable, "-m", "mainstem", "copy", *urls, "--json"]


def killed_at(failpoint: str, command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "MAINSTEM_FAILPOINTS": failpoint}
    return subprocess.run(command, env=environment, capture_output=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    "failpoint",
    [
        "loader.before_commit=kill@2",
        "loader.after_commit=kill@2",
        "reader.batch=kill@5",
        "keys.before=kill",
        "keys.after=kill",
    ],
)
def test_a_run_killed_anywhere_is_resumed_to_the_same_end(pair: Pair, failpoint: str, tmp_path: Path) -> None:
    pair.fill("products", 60_000)
    pair.mysql("ANALYZE TABLE products")
    command = [*copy_command(pair), "--resume", "stream_killed"]
    first = killed_at(failpoint, command, tmp_path)
    assert first.returncode == -signal.SIGKILL, first.stderr.decode()
    second = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert second.returncode == 0, second.stderr.decode()
    here, there = sums(pair, "products")
    assert here == there
    assert pair.leftovers() == []


def test_a_connection_lost_in_the_middle_is_made_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "_points", {"loader.after_commit": ("error", 2)})
    monkeypatch.setattr(failpoints, "_passes", {})
    pair.fill("products", 60_000)
    pair.mysql("ANALYZE TABLE products")
    progress = pair.conversion(RunOptions(jobs=1)).run()  # another lane might be done with all else
    assert progress.state is RunState.FINISHED
    assert "snapshot_renewed" in {item.code for item in progress.report}
    source, target = sums(pair, "products")
    assert source == target


def test_a_table_that_is_there_already_is_refused_unless_the_policy_allows_it(pair: Pair) -> None:
    pair.fill("products", 10)
    pair.postgres("CREATE TABLE products (id BIGINT)")
    refused = pair.conversion().run()
    assert (refused.state, refused.error_code) == (RunState.FAILED, "schema_conflict")
    assert pair.leftovers() == []
    replaced = pair.conversion(RunOptions(schema_policy=SchemaPolicy.DROP_AND_RECREATE)).run()
    assert replaced.state is RunState.FINISHED


@pytest.mark.parametrize(
    ("mode", "state", "rows"),
    [
        (WriteMode.FAIL_IF_NOT_EMPTY, RunState.FAILED, 10),
        (WriteMode.TRUNCATE, RunState.FINISHED, 10),
        (WriteMode.UPSERT, RunState.FINISHED, 10),
    ],
)
def test_write_modes_on_a_table_that_has_rows(pair: Pair, mode: WriteMode, state: RunState, rows: int) -> None:
    pair.fill("products", 10)
    assert pair.conversion().run().state is RunState.FINISHED
    pair.mysql("UPDATE products SET name = 'changed' WHERE id = 5")
    options = RunOptions(schema_policy=SchemaPolicy.CREATE_MISSING, write_mode=mode)
    assert pair.conversion(options).run().state is state
    assert pair.postgres("SELECT count(*) FROM products") == [(rows,)]
    changed = "changed" if state is RunState.FINISHED else "Ünï-5"
    assert pair.postgres("SELECT name FROM products WHERE id = 5") == [(changed,)]


def test_an_upsert_makes_tables_that_are_not_there(pair: Pair) -> None:
    pair.fill("products", 10)
    progress = pair.conversion(RunOptions(write_mode=WriteMode.UPSERT)).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert pair.postgres("SELECT count(*) FROM products") == [(10,)]


def test_a_query_becomes_a_table(pair: Pair) -> None:
    pair.fill("products", 100)
    query = "SELECT id, price * 2 AS twice FROM products WHERE id <= 7"
    progress = pair.conversion(RunOptions(tables=(TableSelection("cheap", query=query),))).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert pair.postgres("SELECT count(*), sum(twice) FROM cheap") == [
        tuple(pair.mysql(f"SELECT COUNT(*), SUM(twice) FROM ({query}) q")[0])
    ]


@pytest.mark.parametrize(
    ("selection", "code"),
    [
        (TableSelection("nowhere"), "not_found"),
        (TableSelection("q", query="DELETE FROM products"), "invalid_data"),
        (TableSelection("q", query="SELECT 1; DROP TABLE products"), "invalid_data"),
    ],
)
def test_a_wrong_selection_is_refused_before_anything_is_touched(
    pair: Pair, selection: TableSelection, code: str
) -> None:
    pair.fill("products", 3)
    progress = pair.conversion(RunOptions(tables=(selection,))).run()
    assert (progress.state, progress.error_code) == (RunState.FAILED, code)
    assert pair.mysql("SELECT COUNT(*) FROM products") == [(3,)]
    assert pair.postgres("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_all_tables_are_of_one_point_in_time(pair: Pair, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    """A writer moves money between two tables all the time; the sum on the target is what it always was."""
    pair.mysql(
        "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE b (id INT PRIMARY KEY, v INT)",
        "INSERT INTO a SELECT seq, 100 FROM seq_1_to_20000", "INSERT INTO b SELECT seq, 100 FROM seq_1_to_20000",
    )  # fmt: skip
    done = threading.Event()
    moved = []

    def move() -> None:
        from mainstem.connectors.mysql.client import connect

        with connect(pair.source.settings) as connection, connection.cursor() as cursor:
            number = 0
            while not done.is_set():
                number = number % 20000 + 1
                connection.begin()
                cursor.execute("UPDATE a SET v = v - 1 WHERE id = %s", (number,))
                cursor.execute("UPDATE b SET v = v + 1 WHERE id = %s", (number,))
                connection.commit()
                moved.append(number)

    writer = threading.Thread(target=move, daemon=True)
    writer.start()
    wait_until(lambda: len(moved) > 10)
    try:
        progress = pair.conversion(RunOptions(batch_rows=500)).run()
    finally:
        done.set()
        writer.join(120)
    assert progress.state is RunState.FINISHED
    assert pair.postgres("SELECT (SELECT sum(v) FROM a) + (SELECT sum(v) FROM b)") == [(4_000_000,)]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("DELETE FROM products WHERE id <= 5", "holds {less} rows, but this run wrote {rows} into it: 5 are gone"),
        (
            "INSERT INTO products (id, name) VALUES (1000001, 'x'), (1000002, 'y')",
            "holds {more} rows, but this run wrote {rows} into it: 2 are not this run's",
        ),
        ("TRUNCATE products", "holds 0 rows, but this run wrote {rows} into it"),
        ("DROP TABLE products", "is gone from the target, with {rows} rows"),
    ],
)
def test_a_target_that_was_changed_by_hand_is_told_with_table_counts_and_remedy(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, edit: str, told: str
) -> None:
    pair.fill("products", 30_000)
    pair.fill("other", 10)
    monkeypatch.setattr(failpoints, "_points", {"keys.before": ("error", 2)})
    monkeypatch.setattr(failpoints, "_passes", {})
    run = pair.conversion(RunOptions(retry_seconds=0, jobs=1))
    assert run.run().state is RunState.FAILED
    pair.postgres(edit)
    resumed = pair.conversion(run_id=run.run_id).run()
    assert resumed.state is RunState.FAILED
    states = {table.source.name: (table.state.value, table.error) for table in resumed.tables}
    assert "drop_and_recreate" in resumed.remedy
    counts = {"rows": f"{30_000:,}", "less": f"{29_995:,}", "more": f"{30_002:,}"}
    assert (
        f"table public.products {'of the target ' * ('holds' in told)}{told.format(**counts)}" in states["products"][1]
    )
    assert states["other"] == ("finished", "")
    again = pair.conversion(RunOptions(schema_policy=SchemaPolicy.DROP_AND_RECREATE)).run()
    assert again.state is RunState.FINISHED


def test_a_run_whose_book_was_removed_from_the_target_writes_no_row_twice(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.fill("products", 1_000)
    monkeypatch.setattr(failpoints, "_points", {"keys.before": ("error", 1)})
    monkeypatch.setattr(failpoints, "_passes", {})
    options = RunOptions(retry_seconds=0, schema_policy=SchemaPolicy.CREATE_MISSING, write_mode=WriteMode.APPEND)
    run = pair.conversion(options)
    assert run.run().state is RunState.FAILED
    pair.postgres("DROP SCHEMA mainstem CASCADE")
    resumed = bootstrap.conversion(run.run_id, pair.source, pair.target, options, pair.events.append, begun=True).run()
    assert (resumed.state, resumed.error_code) == (RunState.FAILED, "target_changed")
    assert "drop_and_recreate" in resumed.remedy
    assert pair.postgres("SELECT count(*) FROM products") == [(1_000,)]


def test_a_run_that_was_lost_right_after_it_forgot_its_book_is_finished(pair: Pair) -> None:
    pair.fill("products", 100)
    run = pair.conversion()
    told: list[str] = []
    run._tracker._listen = lambda event: told.append(run.progress().stage)  # type: ignore[method-assign]
    assert run.run().state is RunState.FINISHED
    assert "done" in told
    options = RunOptions(closing=True)
    again = bootstrap.conversion(run.run_id, pair.source, pair.target, options, pair.events.append, begun=True).run()
    assert again.state is RunState.FINISHED
