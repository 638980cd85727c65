"""A PostgreSQL's log, read as changes; what comes of them is compared with a copy of the rows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import walsender
from mainstem.connectors.postgres.changes import PostgresChanges
from mainstem.connectors.postgres.client import connect
from mainstem.contract.changes import GroupLimits
from mainstem.errors import CancelledError, StatementError
from mainstem.model.change import Idle, RowChanges, SchemaChange, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan
from mainstem.model.run import ChangeOptions, Mode, RunOptions
from tests.connectors.postgres.changefeed import DEADLINE_S, Feed, parts_of, snapshot_rows, stream_table
from tests.connectors.postgres.conftest import MakeFeed, Needs

Sql = psycopg.Connection[Any]
BIG = "repeat(md5(random()::text), 4000)"  # stored out of line, and not compressed to less than a page


def test_every_operation_arrives_in_its_transaction(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text, n numeric); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    sql.execute("INSERT INTO t VALUES (1, 'a', 1.50), (2, NULL, NULL), (3, '', 0)")
    with sql.transaction():
        sql.execute("UPDATE t SET a = 'b' WHERE id = 1")
        sql.execute("INSERT INTO u VALUES (7)")
        sql.execute("UPDATE t SET id = 20 WHERE id = 2")
        sql.execute("DELETE FROM t WHERE id = 3")
    with sql.transaction(), sql.transaction(force_rollback=True):
        sql.execute("DELETE FROM t")
    sql.execute("CREATE TABLE of_others (id int); INSERT INTO of_others VALUES (1)")
    groups = one.run()  # one, unless the server takes its time
    assert all(group.whole for group in groups)
    assert [sum(getattr(group, name) for group in groups) for name in ("transactions", "rows")] == [2, 7]
    assert groups[0].first_committed_us < groups[-1].committed_us
    one.check()


def test_a_truncate_stands_between_the_rows(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY REFERENCES t)")
    one = feed("t", "u")
    with sql.transaction():
        sql.execute("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); TRUNCATE t, u RESTART IDENTITY")
        sql.execute("INSERT INTO t VALUES (2)")
    parts = parts_of(one.run())
    assert [type(part) for part in parts] == [RowChanges, RowChanges, Truncate, RowChanges]
    assert parts[2] == Truncate(parts[2].tables, restart_identity=True)
    assert sorted(table.name for table in parts[2].tables) == ["t", "u"]
    one.check()


def test_logical_messages_are_passed(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    with sql.transaction():
        sql.execute("INSERT INTO t VALUES (1)")
        sql.execute("SELECT pg_logical_emit_message(true, 'ours', 'with a transaction')")
        sql.execute("INSERT INTO t VALUES (2)")
    sql.execute("SELECT pg_logical_emit_message(true, 'ours', 'alone')")
    sql.execute("SELECT pg_logical_emit_message(false, 'ours', 'at once')")
    assert sum(group.rows for group in one.run()) == 2
    one.check()


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_what_was_stored_out_of_line_and_not_changed_keeps_its_value(sql: Sql, feed: MakeFeed, identity: str) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, big text, n int)")
    sql.execute(f"ALTER TABLE t ALTER big SET STORAGE EXTERNAL, REPLICA IDENTITY {identity}")
    one = feed("t")
    sql.execute(f"INSERT INTO t SELECT i, {BIG}, i FROM generate_series(1, 20) i")
    sql.execute("UPDATE t SET n = -n WHERE id <= 10")
    sql.execute("UPDATE t SET id = id + 100 WHERE id = 3")
    sql.execute("UPDATE t SET big = NULL WHERE id = 4")
    absent = {column for changes in parts_of(one.run()) for column in changes.absent}
    assert absent == ({1} if identity == "DEFAULT" else set())
    one.check()


def test_rows_without_a_key_are_told_by_all_their_columns(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL")
    one = feed("t")
    sql.execute("INSERT INTO t VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (2, 'y')")
    sql.execute("DELETE FROM t WHERE a IS NULL; UPDATE t SET b = 'z' WHERE a = 1")
    one.run()
    one.check()


def test_an_index_as_identity_serves_when_it_is_the_key(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, other int NOT NULL UNIQUE)")
    sql.execute("ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey")
    one = feed("t")
    sql.execute("INSERT INTO t VALUES (1, 1), (2, 2); UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t WHERE id = 2")
    one.run()
    one.check()


def test_a_table_without_identity_is_refused_unless_only_inserts_are_wanted(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (a int)")
    with pytest.raises(StatementError, match=r"public\.t.*REPLICA IDENTITY FULL"):
        feed("t")
    one = feed("t", options=ChangeOptions(table_operations={"t": ("insert", "truncate")}))
    sql.execute("INSERT INTO t VALUES (1), (2)")
    sql.execute("UPDATE t SET a = 3 WHERE a = 1")  # is not refused because of us
    sql.execute("DELETE FROM t WHERE a = 2")
    one.run()
    assert one.twin.rows["t"] == [(b"1",), (b"2",)]


_PARTED = (
    "CREATE TABLE t (a int{}) PARTITION BY RANGE (a); CREATE TABLE one PARTITION OF t FOR VALUES FROM (0) TO (9); "
)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("CREATE TABLE t (a int PRIMARY KEY DEFERRABLE)", r"public\.t do not say.*checked at once"),
        (_PARTED.format("") + "ALTER TABLE t REPLICA IDENTITY FULL", r"public\.one do not say"),
        (
            _PARTED.format("") + "ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE one ADD PRIMARY KEY (a)",
            r"public\.one do not say",
        ),
        (_PARTED.format(" PRIMARY KEY") + "ALTER TABLE one REPLICA IDENTITY NOTHING", r"public\.one do not say"),
        (_PARTED.format(" PRIMARY KEY").replace("E TABLE one", "E UNLOGGED TABLE one"), "does not tell.*in one"),
    ],
)
def test_a_table_that_the_server_would_not_let_its_owner_change_is_refused(
    sql: Sql, feed: MakeFeed, needs: Needs, made: str, told: str
) -> None:
    needs(13, "does not publish partitioned tables")
    sql.execute(made)
    with pytest.raises(StatementError, match=told):
        feed("t")


def test_a_table_does_not_bring_those_along_that_inherit_from_it(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (PRIMARY KEY (a)) INHERITS (t)")
    sql.execute("CREATE TABLE v () INHERITS (t); INSERT INTO v VALUES (1)")
    one = feed("t", "u")
    sql.execute("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); UPDATE t SET a = a + 1")  # v has no key
    one.run()
    assert one.twin.rows == {"t": [(b"2",)], "u": [(b"2",)]}


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("rows", [3, 1_500])
def test_a_transaction_that_is_streamed_loses_what_was_rolled_back(sql: Sql, feed: MakeFeed, rows: int) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    with sql.transaction():
        sql.execute(f"INSERT INTO t SELECT i, repeat('x', 50) FROM generate_series(1, {rows}) i")
        with sql.transaction(force_rollback=True):
            sql.execute(f"INSERT INTO u SELECT i FROM generate_series(1, {rows}) i")
            sql.execute(f"UPDATE t SET a = 'gone' WHERE id <= {rows}")
            with sql.transaction():
                sql.execute(f"INSERT INTO u SELECT -i FROM generate_series(1, {rows}) i")
        with sql.transaction():
            sql.execute(f"UPDATE t SET a = 'kept' WHERE id % 2 = 0; INSERT INTO u VALUES ({rows + 1})")
        sql.execute("DELETE FROM t WHERE id % 3 = 0")
    with sql.transaction(force_rollback=True):
        sql.execute(f"INSERT INTO u SELECT 100000 + i FROM generate_series(1, {rows}) i")
    groups = one.run(GroupLimits(max_rows=500))
    one.check()
    assert sum(group.transactions for group in groups) == 1
    assert [group.whole for group in groups][-1:] == [True]
    assert len(groups) > 1 or rows == 3
    assert all(group.rows <= 500 for group in groups)
    assert not any(group.transactions for group in groups[:-1])


@pytest.fixture
def streamed(sql: Sql, needs: Needs) -> Iterator[None]:
    """Transactions are sent while they are under way."""
    needs(14, "sends no transaction before it has ended")
    before = _memory(sql)
    _change_memory(sql, "SET logical_decoding_work_mem = '64kB'", "64kB")
    yield
    _change_memory(sql, "RESET logical_decoding_work_mem", before)


def _memory(sql: Sql) -> str:
    (setting,) = sql.execute("SHOW logical_decoding_work_mem").fetchone() or ("",)
    return str(setting)


def _change_memory(sql: Sql, change: str, wanted: str) -> None:
    """Sessions hear of it from the server, which by then gives it to new ones."""
    sql.execute(f"ALTER SYSTEM {change}".encode())
    sql.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + DEADLINE_S
    while _memory(sql) != wanted:
        assert time.monotonic() < deadline


@pytest.mark.usefixtures("streamed")
def test_columns_may_change_within_a_transaction_that_is_streamed(
    sql: Sql, database: ConnectionSettings, feed: MakeFeed
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY, a text)")
    one = feed("t", "u")
    with sql.transaction():
        sql.execute("INSERT INTO t SELECT i, 'before' FROM generate_series(1, 800) i")
        with sql.transaction(force_rollback=True):
            sql.execute("ALTER TABLE u ADD gone int; INSERT INTO u SELECT i, 'x', i FROM generate_series(1, 800) i")
        sql.execute("ALTER TABLE t ADD b int DEFAULT 5; INSERT INTO u SELECT i, 'y' FROM generate_series(1, 800) i")
        sql.execute("INSERT INTO t SELECT i, 'behind', i FROM generate_series(801, 1600) i")
    with one.stream(GroupLimits(max_rows=300)) as stream:
        while True:
            groups = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
            (change,) = (part for part in groups[-1].parts if isinstance(part, SchemaChange))
            if change.table.name == "t":
                break
            stream.settle(None)
        one.tables[0] = stream_table(database, "t")
        one.twin.rows["t"] = [(*row, b"5") for row in one.twin.rows["t"]]
        stream.settle(one.tables[0])
        one.follow(stream)
    one.check()


def test_a_large_transaction_comes_in_pieces_that_hold_nothing_of_others(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    one = feed("t")
    sql.execute("INSERT INTO t VALUES (-1, 'before')")
    sql.execute("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) i")
    sql.execute("INSERT INTO t VALUES (-2, 'behind')")
    groups = one.run(GroupLimits(max_rows=100))
    one.check()
    assert [group.whole for group in groups[:2]] == [True, False]
    assert groups[0].rows == 1
    assert {group.position for group in groups if not group.whole} == {""}
    assert sum(group.transactions for group in groups) == 3


@pytest.mark.parametrize(
    "value", ["repeat('x', 9000000)", "string_agg(md5(i::text || random()::text), '')"], ids=["at the end", "streamed"]
)
def test_large_values_come_through(sql: Sql, feed: MakeFeed, value: str) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b bytea)")
    one = feed("t")
    with sql.transaction():
        if sql.info.server_version >= 130_000:
            sql.execute("SET LOCAL logical_decoding_work_mem = '64kB'")
        sql.execute("INSERT INTO t VALUES (0, 'first', 'x')")
        for number in (1, 2):
            sql.execute(
                f"INSERT INTO t SELECT {number}, a, convert_to(a, 'UTF8')"
                f" FROM (SELECT {value} AS a FROM generate_series(1, {300_000 if 'md5' in value else 1}) i) made"
            )
        sql.execute("INSERT INTO t VALUES (3, 'last', 'y')")
    one.run()
    one.check()


def test_the_oldest_protocol_gives_the_same(sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walsender, "_STREAMED", 1_000_000)
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    one = feed("t")
    with sql.transaction():
        sql.execute("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 3000) i")
        with sql.transaction(force_rollback=True):
            sql.execute("DELETE FROM t")
        sql.execute("UPDATE t SET a = 'y' WHERE id < 100; TRUNCATE t; INSERT INTO t VALUES (1, 'z')")
    one.run(GroupLimits(max_rows=1000))
    one.check()


def test_a_condition_on_rows_is_refused(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    source = PostgresChanges(database, RunOptions(mode=Mode.CDC, filters={"t": "id > 5"}))
    with pytest.raises(StatementError, match="only some rows"):
        source.open("st_1", [TableId("public", "t")], "", "")


def test_stored_generated_columns_come_from_18_on(sql: Sql, database: ConnectionSettings, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, a text)")
    one = feed("t")
    sql.execute("INSERT INTO t (id, a) VALUES (1, 'x')")
    one.run()
    one.check()
    table = one.tables[0]
    twice = next(column for column in table.layout if column.name == "twice")
    wanted = ColumnPlan("twice", "twice", twice.type, "integer", native="integer")
    one.tables = [replace(table, plan=replace(table.plan, columns=(*table.plan.columns, wanted)))]
    sql.execute("UPDATE t SET a = 'y'")
    one.twin.rows["t"] = [(b"1", b"x", None)]
    if sql.info.server_version >= 180_000:
        one.run()
        assert one.twin.rows["t"] == [(b"1", b"y", b"2")]
    else:
        with pytest.raises(StatementError, match="does not hold its column twice"):
            one.run()


def test_a_stream_goes_on_where_the_last_one_ended(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    for start in range(0, 40, 10):
        sql.execute(f"INSERT INTO t SELECT i FROM generate_series({start}, {start + 9}) i")
        assert sum(group.rows for group in one.run()) == 10
    one.origin, oldest = one.source.open(one.id, [table.source for table in one.tables], one.origin, "")
    assert json.loads(oldest)["lsn"]
    assert one.run() == []
    one.check()


def test_what_a_table_was_copied_with_is_left_out(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    for name, number in (("t", 0), ("u", 1)):
        sql.execute(f"INSERT INTO t VALUES ({number}); INSERT INTO u VALUES ({number})")
        with one.source.snapshot(one.origin, 2) as snapshot:
            one.twin.rows[name] = snapshot_rows(snapshot, one.tables[number])
            one.tables[number] = replace(one.tables[number], since=snapshot.position)
    sql.execute("INSERT INTO t VALUES (2); INSERT INTO u VALUES (2)")
    assert sum(group.rows for group in one.run()) == 3  # in one group, unless the server takes its time
    one.check()


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("last", [2, 3000], ids=["whole", "streamed"])
def test_a_shape_that_the_log_tells_of_only_before_the_snapshot_is_a_change_behind_it(
    sql: Sql, feed: MakeFeed, last: int
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    one = feed("t")
    sql.execute("ALTER TABLE t ADD COLUMN n int; INSERT INTO t VALUES (1, 'x', 1)")
    one.copy()
    sql.execute(f"INSERT INTO t SELECT i, repeat('y', 100), i FROM generate_series(2, {last}) i")
    sql.execute("UPDATE t SET a = 'z' WHERE id = 2; DELETE FROM t WHERE id = 1")
    changes = [part for part in parts_of(one.run()) if isinstance(part, SchemaChange)]
    assert [[column.name for column in change.columns] for change in changes] == [["id", "a", "n"]]
    assert len(one.twin.rows["t"]) == last - 1
    one.check()


def test_the_snapshot_and_the_stream_are_the_source_while_it_is_written_to(
    sql: Sql, database: ConnectionSettings, feed: MakeFeed
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, n int, a text)")
    sql.execute("INSERT INTO t SELECT i, 0, 'x' FROM generate_series(1, 500) i")
    one = feed("t")
    ended = threading.Event()
    with connect(database) as writer, connect(database) as other:
        threads = [
            threading.Thread(target=_hammer, args=(connection, number, ended))
            for number, connection in enumerate((writer, other))
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                with one.source.snapshot(one.origin, 1) as snapshot:
                    one.twin.rows["t"] = snapshot_rows(snapshot, one.tables[0])
                    one.tables = [replace(one.tables[0], since=snapshot.position)]
            with one.stream() as stream:
                one.follow(stream)
                ended.set()
                for thread in threads:
                    thread.join()
                one.follow(stream)
        finally:
            ended.set()
    one.check()


def _hammer(connection: Sql, number: int, ended: threading.Event) -> None:
    step = 0
    while not ended.is_set():
        step += 1
        with connection.transaction(force_rollback=step % 7 == 0):
            connection.execute(f"UPDATE t SET n = n + 1 WHERE id % 100 = {step % 100} AND id % 2 = {number}")
            with connection.transaction(force_rollback=step % 3 == 0):
                connection.execute(f"INSERT INTO t VALUES ({10_000 + 2 * step + number}, 0, 'new')")
            connection.execute(f"DELETE FROM t WHERE id = {10_000 + 2 * (step - 9) + number}")
            if step % 5 == 0:
                connection.execute(f"UPDATE t SET id = -id WHERE id = {10_000 + 2 * (step - 4) + number}")


def test_the_slot_moves_on_while_others_write(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE of_others (a text)")
    one = feed("t")
    with one.stream() as stream:
        for _ in range(3):
            sql.execute("INSERT INTO of_others SELECT repeat('x', 100) FROM generate_series(1, 10000)")
            assert one.follow(stream) == []
        confirmed = json.loads(one.position)["lsn"]
        one.until(stream, lambda _: _confirmed(sql, one) >= _lsn(sql, confirmed))


def _lsn(sql: Sql, text: str) -> int:
    row = sql.execute("SELECT pg_wal_lsn_diff(%s, '0/0')", (text,)).fetchone()
    assert row
    return int(row[0])


def _confirmed(sql: Sql, one: Feed) -> int:
    row = sql.execute(
        "SELECT pg_wal_lsn_diff(confirmed_flush_lsn, '0/0') FROM pg_replication_slots WHERE slot_name = %s",
        (json.loads(one.origin)["slot"],),
    ).fetchone()
    assert row
    return int(row[0])


def test_partitions_arrive_as_their_table(sql: Sql, feed: MakeFeed, needs: Needs) -> None:
    needs(13, "publishes no partitioned table")
    sql.execute("CREATE TABLE t (id int, part int, a text, PRIMARY KEY (id, part)) PARTITION BY LIST (part)")
    sql.execute("CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)")
    sql.execute("CREATE TABLE t2 (a text, part int NOT NULL, gone int, id int NOT NULL, PRIMARY KEY (id, part))")
    sql.execute("ALTER TABLE t2 DROP gone; ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2)")
    one = feed("t")
    sql.execute("INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y'); UPDATE t SET a = 'z'")
    sql.execute("UPDATE t SET part = 2 WHERE id = 1; DELETE FROM t WHERE id = 2")
    one.run()
    one.check()


def test_a_stream_can_be_interrupted_from_another_thread(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    with one.stream() as stream:
        groups = stream.groups()
        assert isinstance(next(groups), Idle)
        stream.interrupt()
        with pytest.raises(CancelledError):
            list(groups)
