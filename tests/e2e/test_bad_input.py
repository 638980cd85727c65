"""Rows that the target cannot hold: put aside with their key and reason, or the end of their table, never lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import (
    ChangeErrorPolicy,
    NulPolicy,
    RowErrorPolicy,
    RunOptions,
    RunState,
    SchemaPolicy,
    WriteMode,
)
from mainstem.testing.databases import drops
from tests.e2e.conftest import Pair
from tests.e2e.routes import End, Route
from tests.e2e.streams import cdc, following

QUARANTINE = RunOptions(row_errors=RowErrorPolicy.QUARANTINE)
# A half of a surrogate pair in UTF-8: MariaDB stores it in a utf8mb4 column, RFC 3629 forbids it.
LONE_SURROGATE = "_utf8mb4 x'EDA080'"


def invalid_text(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET utf8mb4)",
        "INSERT INTO t SELECT seq, CONCAT('ok', seq) FROM seq_1_to_300",
        f"UPDATE t SET v = {LONE_SURROGATE} WHERE id = 123",
    )


def test_invalid_utf8_fails_its_table_and_the_reason_names_it(pair: Pair) -> None:
    invalid_text(pair)
    progress = pair.conversion().run()
    assert progress.state is RunState.FAILED
    assert "bytes that the database's encoding does not have" in progress.tables[0].error
    assert "quarantine" in progress.tables[0].remedy
    assert pair.postgres("SELECT count(*) FROM t") == [(0,)]


def test_invalid_utf8_is_put_aside_with_its_key_and_column(pair: Pair) -> None:
    invalid_text(pair)
    progress = pair.conversion(QUARANTINE).run()
    assert progress.state is RunState.FINISHED
    assert [(str(row.table), row.key, row.column) for row in progress.rejected] == [
        (f"{pair.source.settings.database}.t", "id=123", "v")
    ]
    assert pair.postgres("SELECT count(*), min(id) FILTER (WHERE id = 123) FROM t") == [(299, None)]


def test_what_is_put_aside_is_told_where_the_target_cannot_spell_its_key(
    mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    source, name = End(mysql_db), f"{postgres_db.database}_latin1"
    target = End(replace(postgres_db, database=name))
    source.run("CREATE TABLE k (id VARCHAR(9) CHARACTER SET utf8mb4 PRIMARY KEY, n INT)")
    source.run("INSERT INTO k VALUES ('é', 1), ('漢', 2)")
    End(postgres_db).run(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    options = replace(cdc(row_errors=ChangeErrorPolicy.QUARANTINE), row_errors=RowErrorPolicy.QUARANTINE)
    try:
        with following(Route(source, target), options) as stream, stream.running():
            source.run("INSERT INTO k VALUES ('字', 3)", "INSERT INTO k VALUES ('ü', 4)")
            stream.wait_rows("SELECT id FROM k ORDER BY n", [("é",), ("ü",)])
            keys = "SELECT row_key FROM mainstem.rejected_row UNION SELECT row_key FROM mainstem.dead_letter ORDER BY 1"
            assert target.run(keys) == [("id=\\u5b57",), ("id=\\u6f22",)]
    finally:
        End(postgres_db).run(*drops(name))


def test_bytes_of_other_charsets_arrive_as_text_or_as_bytes(pair: Pair) -> None:
    """Every byte is a character in latin1 and none is in binary; the server converts UTF-16."""
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, l VARCHAR(9) CHARACTER SET latin1, b VARCHAR(9) CHARACTER SET binary,"
        " u TEXT CHARACTER SET utf16)",
        "INSERT INTO t VALUES (1, _latin1 x'41E981FF', x'ff00c328', _utf8mb4 x'F09F9880')",
    )
    assert pair.conversion().run().state is RunState.FINISHED
    assert pair.postgres("SELECT l, b, u FROM t") == [("Aé\x81ÿ", b"\xff\x00\xc3\x28", "😀")]


@pytest.mark.parametrize(
    ("policy", "text"), [(NulPolicy.STRIP, "ab"), (NulPolicy.REPLACE, "a\N{REPLACEMENT CHARACTER}b")]
)
def test_nul_in_text_follows_the_policy(pair: Pair, policy: NulPolicy, text: str) -> None:
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, CONCAT('a', CHAR(0), 'b')), (2, '')"
    )
    refused = pair.conversion().run()
    assert refused.state is RunState.FAILED
    assert "NUL" in refused.error
    assert "nulText" in refused.remedy
    again = pair.conversion(RunOptions(nul_text=policy, schema_policy=SchemaPolicy.DROP_AND_RECREATE)).run()
    assert again.state is RunState.FINISHED
    assert sum(again.tables[0].coerced.values()) == 1
    assert pair.postgres("SELECT v FROM t WHERE id = 1") == [(text,)]


def test_a_number_too_large_for_an_overridden_type_is_put_aside(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (1, 32767), (2, 32768), (3, -32769), (4, NULL)",
    )
    progress = pair.conversion(replace(QUARANTINE, type_overrides={"t.v": "smallint"})).run()
    assert progress.state is RunState.FINISHED
    assert {(row.key, row.column) for row in progress.rejected} == {("id=2", "v"), ("id=3", "v")}
    assert pair.postgres("SELECT id, v FROM t ORDER BY id") == [(1, 32767), (4, None)]


def test_an_upsert_puts_aside_what_the_target_refuses_while_merging(pair: Pair) -> None:
    """The rows reach their table only when the batch is merged: the server then names no line."""
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_400")
    pair.postgres("CREATE TABLE t (id INT PRIMARY KEY, v INT CHECK (v NOT IN (1, 250, 400)))")
    pair.postgres("INSERT INTO t VALUES (2, -2), (1000, 1000)")
    options = replace(QUARANTINE, schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.UPSERT)
    progress = pair.conversion(options).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert sorted(row.key for row in progress.rejected) == ["id=1", "id=250", "id=400"]
    assert pair.postgres("SELECT count(*), sum(v) FILTER (WHERE id = 2) FROM t") == [(398, 2)]


@pytest.mark.parametrize("bad", [400, 401])
def test_the_limit_of_refused_rows_is_exact_over_all_lanes(pair: Pair, bad: int) -> None:
    """Several lanes put rows of several tables aside at the same time."""
    for name in "abcd":
        pair.mysql(
            f"CREATE TABLE {name} (id INT PRIMARY KEY, d DATE)",
            f"INSERT INTO {name} SELECT seq, '2024-01-01' FROM seq_1_to_40000",
            f"UPDATE {name} SET d = '0000-00-00' WHERE id % 400 = 0",
            f"ANALYZE TABLE {name}",
        )
    if bad > 400:
        pair.mysql("UPDATE a SET d = '0000-00-00' WHERE id = 1")
    progress = pair.conversion(replace(QUARANTINE, row_error_limit=400, jobs=4)).run()
    failed = [table for table in progress.tables if table.state.value == "failed"]
    kept = pair.postgres("SELECT count(*) FROM mainstem.rejected_row")
    if bad == 400:
        assert (progress.state, failed, kept) == (RunState.FINISHED, [], [(400,)])
    else:
        assert progress.state is RunState.FAILED
        assert all("rowErrors.limit" in table.error for table in failed)
        assert kept[0][0] <= 400
    assert progress.rows_rejected == kept[0][0]


def orphans(pair: Pair) -> None:
    pair.mysql(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT a_broken FOREIGN KEY (p) REFERENCES parent (id))",
        "CREATE TABLE other (id INT PRIMARY KEY, p INT, CONSTRAINT b_sound FOREIGN KEY (p) REFERENCES parent (id))",
        "INSERT INTO parent VALUES (1)",
        "SET foreign_key_checks = 0",
        "INSERT INTO child VALUES (1, 1), (2, 99)",
        "INSERT INTO other VALUES (1, 1)",
    )


def test_rows_without_their_parent_are_told_and_the_other_foreign_keys_are_made(pair: Pair) -> None:
    orphans(pair)
    run = pair.conversion()
    progress = run.run()
    assert progress.state is RunState.FAILED
    assert "a_broken" in progress.error
    assert progress.remedy
    assert pair.postgres("SELECT conname FROM pg_constraint WHERE contype = 'f'") == [("b_sound",)]
    pair.postgres("UPDATE child SET p = 1 WHERE id = 2")
    assert pair.conversion(run_id=run.run_id).run().state is RunState.FINISHED
    assert pair.postgres("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == [(2,)]


def test_quarantine_finishes_without_the_foreign_keys_that_rows_contradict(pair: Pair) -> None:
    """Whoever has rows put aside gets their children all the same, and reads in the report what is missing."""
    orphans(pair)
    progress = pair.conversion(QUARANTINE).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    left = [item for item in progress.report if item.code == "foreign_key_refused"]
    assert ["a_broken" in item.message + item.object for item in left] == [True]
    assert left[0].remedy
    assert pair.postgres("SELECT count(*) FROM child") == [(2,)]
