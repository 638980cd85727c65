"""The binary log as a source of changes: rows and transactions."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest

from mainstem.connectors.mysql.client import connect, query
from mainstem.contract.changes import GroupLimits
from mainstem.errors import InvalidError, PositionLostError, StatementError
from mainstem.model.change import RowChanges, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from tests.connectors.mysql.following import DEADLINE_S, Source, run


@pytest.fixture
def source(mysql_db: ConnectionSettings) -> Source:
    """A table ``t`` (id, v) and one without a key ``bag`` (v) that are followed."""
    run(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))", "CREATE TABLE bag (v VARCHAR(20))")
    return Source(mysql_db, "t", "bag")


def test_every_operation_is_told_with_the_row_and_its_key(source: Source) -> None:
    source.run(
        "INSERT INTO t VALUES (1, 'a'), (2, NULL)",
        "UPDATE t SET v = 'b' WHERE id = 2",
        "UPDATE t SET id = 5 WHERE id = 2",
        "DELETE FROM t WHERE id = 1",
        "REPLACE INTO t VALUES (5, 'c')",
        "INSERT INTO t VALUES (5, 'd') ON DUPLICATE KEY UPDATE v = 'e'",
    )
    assert source.follow().events["t"] == [
        ("insert", (b"1", b"a"), None),
        ("insert", (b"2", None), None),
        ("update", (b"2", b"b"), (b"2",)),
        ("update", (b"5", b"b"), (b"2",)),
        ("delete", None, (b"1",)),
        ("update", (b"5", b"c"), (b"5",)),
        ("update", (b"5", b"e"), (b"5",)),
    ]


def test_a_table_without_a_key_tells_rows_by_all_columns(source: Source) -> None:
    source.run(
        "INSERT INTO bag VALUES ('x'), ('x'), (NULL)", "UPDATE bag SET v = 'y' LIMIT 1", "DELETE FROM bag LIMIT 1"
    )
    seen = source.follow()
    assert seen.events["bag"][3:] == [("update", (b"y",), (b"x",)), ("delete", None, (b"y",))]
    assert +seen.bags["bag"] == Counter({(b"x",): 1, (None,): 1})


def test_transactions_stay_whole_and_are_counted(source: Source) -> None:
    with connect(source.settings) as connection:
        for number in range(10):
            connection.begin()
            query(connection, f"INSERT INTO t VALUES ({number}, 'a')")
            query(connection, f"INSERT INTO bag VALUES ('{number}')")
            connection.commit()
    seen = source.follow()
    assert all(group.whole for group in seen.groups)
    assert sum(group.transactions for group in seen.groups) == 10
    assert sum(group.rows for group in seen.groups) == 20
    assert all(0 < group.first_committed_us <= group.committed_us for group in seen.groups)
    assert len(seen.groups) <= 3


def test_what_is_rolled_back_is_not_told(source: Source) -> None:
    with connect(source.settings) as connection:
        query(connection, "CREATE TABLE plain (id INT) ENGINE = MyISAM")
        connection.begin()
        query(connection, "INSERT INTO t VALUES (1, 'kept')")
        query(connection, "SAVEPOINT s")
        query(connection, "INSERT INTO t VALUES (2, 'undone')")
        query(connection, "INSERT INTO plain VALUES (1)")
        query(connection, "ROLLBACK TO s")
        query(connection, "INSERT INTO t VALUES (3, 'kept')")
        connection.commit()
        connection.begin()
        query(connection, "INSERT INTO t VALUES (4, 'undone')")
        query(connection, "INSERT INTO plain VALUES (2)")
        query(connection, "CREATE TEMPORARY TABLE passing (id INT)")
        query(connection, "DROP TEMPORARY TABLE passing")
        connection.rollback()
    assert set(source.follow().tables["t"]) == {(b"1",), (b"3",)} == set(source.rows("t"))


def test_a_table_of_an_engine_without_transactions_is_told_statement_by_statement(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE m (id INT PRIMARY KEY) ENGINE = MyISAM")
    source = Source(mysql_db, "m")
    with connect(mysql_db) as connection:
        connection.begin()
        query(connection, "INSERT INTO m VALUES (1), (2)")
        query(connection, "INSERT INTO m VALUES (3)")
        connection.rollback()
    seen = source.follow()
    assert set(seen.tables["m"]) == {(b"1",), (b"2",), (b"3",)}
    assert sum(group.transactions for group in seen.groups) == 2


def test_a_huge_transaction_comes_in_pieces(source: Source) -> None:
    source.run(
        "INSERT INTO bag VALUES ('before')",
        "INSERT INTO t SELECT seq, REPEAT('x', 20) FROM seq_1_to_20000",
        "INSERT INTO bag VALUES ('after')",
    )
    seen = source.follow(GroupLimits(max_bytes=100_000))
    pieces = [group for group in seen.groups if not group.whole]
    assert len(pieces) >= 4
    assert all(group.size_bytes < 120_000 for group in seen.groups)
    assert all((group.position, group.transactions, group.committed_us) == ("", 0, 0) for group in pieces)
    assert {part.table.name for group in pieces for part in group.parts if isinstance(part, RowChanges)} == {"t"}
    first, last = seen.groups.index(pieces[0]), seen.groups.index(pieces[-1])
    assert [group.whole for group in seen.groups[first : last + 2]] == [False] * len(pieces) + [True]
    assert sum(group.transactions for group in seen.groups) == 3
    assert len(seen.tables["t"]) == 20000
    assert +seen.bags["bag"] == Counter({(b"before",): 1, (b"after",): 1})


def test_a_large_value_comes_whole(mysql_db: ConnectionSettings) -> None:
    """Of more than one packet of the protocol."""
    run(mysql_db, "CREATE TABLE wide (id INT PRIMARY KEY, v LONGTEXT)")
    source = Source(mysql_db, "wide")
    source.run(
        "INSERT INTO wide VALUES (1, REPEAT('abc', 12000000)), (2, 'small')",
        "INSERT INTO wide VALUES (3, 'small')",
        "UPDATE wide SET id = 4 WHERE id = 1",
    )
    seen = source.follow()
    assert {key: len(row[1] or b"") for key, row in seen.tables["wide"].items()} == {
        (b"4",): 36_000_000, (b"2",): 5, (b"3",): 5,
    }  # fmt: skip


def test_truncate_stands_between_what_came_before_and_after(source: Source) -> None:
    source.run("INSERT INTO t VALUES (1, 'a')", "TRUNCATE TABLE t", "INSERT INTO t VALUES (2, 'b')", "truncate `bag`")
    seen = source.follow()
    assert [type(part).__name__ for part in seen.parts] == ["RowChanges", "Truncate", "RowChanges", "Truncate"]
    truncated = [part.tables for part in seen.parts if isinstance(part, Truncate)]
    assert truncated == [(TableId(source.settings.database, name),) for name in ("t", "bag")]
    assert set(seen.tables["t"]) == {(b"2",)}


def test_noise_of_others_moves_the_position(source: Source) -> None:
    source.run("CREATE TABLE other (id INT)", "INSERT INTO other SELECT seq FROM seq_1_to_1000")
    before = source.seen.position
    seen = source.follow()
    assert seen.events == {}
    assert source.seen.position != before
    source.run("INSERT INTO t VALUES (1, 'a')")
    assert source.follow().tables["t"] == {(b"1",): (b"1", b"a")}


def test_a_statement_that_is_not_logged_as_rows_is_refused(source: Source) -> None:
    source.run("INSERT INTO t VALUES (1, 'a')", "SET SESSION binlog_format = 'STATEMENT'")
    with connect(source.settings) as connection:
        query(connection, "SET SESSION binlog_format = 'STATEMENT'")
        query(connection, "UPDATE t SET v = 'b'")
    with pytest.raises(StatementError, match="not as rows") as caught:
        source.follow()
    assert "binlog_format = 'ROW'" in caught.value.remedy


def test_a_statement_that_reaches_rows_from_another_database_is_refused(source: Source) -> None:
    ours = source.settings.database
    other = f"{ours}_o"
    source.run(
        f"CREATE DATABASE {other}",
        f"CREATE TABLE {other}.x (id INT)",
        f"CREATE TABLE {other}.y (id INT)",
        f"CREATE TRIGGER {other}.tr AFTER INSERT ON {other}.x FOR EACH ROW INSERT INTO {ours}.t VALUES (NEW.id, 'x')",
        f"CREATE VIEW {other}.v AS SELECT * FROM {ours}.t",
        f"CREATE VIEW {other}.v2 AS SELECT * FROM {other}.v",
        f"CREATE TABLE {other}.z (id INT)",
        f"CREATE TRIGGER {other}.tz AFTER INSERT ON {other}.z FOR EACH ROW INSERT INTO x VALUES (NEW.id)",
        f"CREATE FUNCTION {other}.writes(n INT) RETURNS INT DETERMINISTIC"
        " BEGIN INSERT INTO z VALUES (n); RETURN n; END",
        f"CREATE PROCEDURE {other}.calls() INSERT INTO v2 VALUES (77, 'x')",
    )
    try:
        with connect(replace(source.settings, database=other)) as connection:
            query(connection, "SET SESSION binlog_format = 'STATEMENT'")
            query(connection, "INSERT INTO y VALUES (1)")
            assert source.follow().events == {}
            for statement in (
                "INSERT INTO x VALUES (1)", "UPDATE v SET v = 'b'",
                "UPDATE v2 SET v = 'c'", "INSERT INTO z VALUES (2)", "DO writes(3)", "CALL calls()",
                "INSERT INTO y VALUES (writes(4))", f"CREATE TEMPORARY TABLE {ours}.t (id INT)",
            ):  # fmt: skip
                fresh = Source(source.settings, "t")
                query(connection, statement)
                with pytest.raises(StatementError, match=f"database {ours} .* not as rows"):
                    fresh.follow()
    finally:
        source.run(f"DROP DATABASE {other}")


def test_temporary_tables_are_not_told(source: Source) -> None:
    source.run(
        "CREATE TEMPORARY TABLE t (id INT, w INT)", "INSERT INTO t VALUES (9, 9)", "DROP TEMPORARY TABLE t",
        "DROP TEMPORARY TABLE IF EXISTS bag",
    )  # fmt: skip
    assert source.follow().events == {}


@pytest.mark.parametrize("setting", ["log_bin_compress = ON", "binlog_row_metadata = FULL", "binlog_checksum = NONE"])
def test_rows_are_the_same_under_other_settings(source: Source, setting: str) -> None:
    name = setting.split(" ")[0]
    ((before,),) = _ask(source.settings, f"SELECT @@GLOBAL.{name}")
    try:
        source.run(f"SET GLOBAL {setting}", "INSERT INTO t VALUES (1, REPEAT('x', 20))", "UPDATE t SET v = 'é'")
        assert source.follow().tables["t"] == {(b"1",): (b"1", "é".encode())}
    finally:
        source.run(f"SET GLOBAL {name} = '{before}'" if isinstance(before, str) else f"SET GLOBAL {name} = {before}")


def purge(settings: ConnectionSettings, file: str) -> None:
    """A file that someone still reads is not purged; whoever hung up a moment ago still counts."""
    deadline = time.monotonic() + DEADLINE_S
    while _ask(settings, "SHOW BINARY LOGS")[0][0] != file:
        assert time.monotonic() < deadline
        run(settings, f"PURGE BINARY LOGS TO '{file}'")


def _ask(settings: ConnectionSettings, sql: str) -> list[tuple[object, ...]]:
    with connect(settings) as connection:
        return query(connection, sql)


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
def test_cells_that_the_log_lacks_are_absent_and_not_null(mysql_db: ConnectionSettings, image: str) -> None:
    run(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), b TEXT)")
    source = Source(mysql_db, "t")
    with connect(mysql_db) as connection:
        query(connection, f"SET SESSION binlog_row_image = '{image}'")
        query(connection, "INSERT INTO t VALUES (1, 'a', 'b'), (2, NULL, NULL)")
        query(connection, "UPDATE t SET v = 'c'")
        query(connection, "UPDATE t SET id = 3 WHERE id = 2")
        query(connection, "DELETE FROM t WHERE id = 1")
    seen = source.follow()
    assert seen.tables["t"] == {(b"3",): (b"3", b"c", None)}
    lacking = {"MINIMAL": (b"1", b"c", b"(absent)"), "NOBLOB": (b"1", b"c", b"(absent)")}[image]
    assert ("update", lacking, (b"1",)) in seen.events["t"]


def test_generated_and_invisible_columns_are_told(mysql_db: ConnectionSettings) -> None:
    run(
        mysql_db,
        "CREATE TABLE g (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED,"
        " c VARCHAR(20) AS (CONCAT('x', a)) VIRTUAL, i INT INVISIBLE DEFAULT 4)",
        "CREATE TABLE h (a INT, v INT AS (a + 1) VIRTUAL)",
    )
    source = Source(mysql_db, "g", "h")
    source.run(
        "INSERT INTO g (id, a) VALUES (1, 1), (2, 2)", "UPDATE g SET a = 5 WHERE id = 1",
        "UPDATE g SET id = 7 WHERE id = 2", "INSERT INTO h (a) VALUES (1), (2)", "DELETE FROM h WHERE a = 1",
    )  # fmt: skip
    seen = source.follow()
    assert seen.tables["g"] == source.rows("g")
    assert +seen.bags["h"] == Counter({(b"2", b"3"): 1})


def test_a_position_that_is_not_reached_is_told_by_its_name(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE far (id INT PRIMARY KEY)")
    source = Source(mysql_db, "far")
    _, source.seen.position = source.changes.open("test", [TableId(mysql_db.database, "far")], "", "0-1-999999")
    with pytest.raises(PositionLostError, match=r"no 0-1-999999: it was purged, or was not written yet"):
        source.follow()


def test_a_system_versioned_table_is_refused(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE h (id INT PRIMARY KEY) WITH SYSTEM VERSIONING")
    with pytest.raises(InvalidError, match=r"system-versioned tables cannot be replicated: .*\.h "):
        Source(mysql_db, "h")


def test_a_position_of_before_is_gone_when_its_file_was_purged(source: Source) -> None:
    source.run("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    (last,) = [row[0] for row in _ask(source.settings, "SHOW MASTER STATUS")]
    assert source.changes.retention(source.origin, source.position).lost is False
    purge(source.settings, str(last))
    with pytest.raises(PositionLostError, match="no longer holds"):
        source.follow()
    assert source.changes.retention(source.origin, source.position).lost is True
