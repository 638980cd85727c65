"""What goes wrong while changes are applied: what it is told as, and what is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mainstem.connectors.mysql.apply import MysqlApplier
from mainstem.connectors.mysql.client import connect, query
from mainstem.errors import LostConnectionError, RowError, StatementError, TransientError
from mainstem.model.change import RowChanges
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.stream import Checkpoint, StreamTable
from tests.connectors.mysql.changing import (
    Event,
    applier_of,
    changes_of,
    deleted,
    inserted,
    streamed,
    tables_of,
    updated,
)
from tests.connectors.mysql.rows import plan_of, run_sql

DEADLINE_S = 40.0  # the server gives up a wait for a lock after 50 s
# An UPDATE that runs waits for a lock here. InnoDB's own table of locks is not renewed while it is read often.
WAITING = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE%'"


def two_tables(database: str) -> tuple[TablePlan, TablePlan]:
    first = plan_of(database, id="int", v="int")
    second = replace(first, source=TableId("there", "other"), target=TableId(database, "other"))
    return first, second


def many(*events: Event) -> list[Event]:
    return [*events, *(inserted(b"%d" % (100 + number), b"0") for number in range(20))]


REFUSED = {
    "a value out of range": [inserted(b"7", b"99999999999")],
    "NULL where there is none": [inserted(b"7", None)],
    "an update out of range": [updated([b"1"], b"1", b"99999999999")],
    "an update to NULL": [updated([b"1"], b"1", None)],
    "a unique value that another row has": [inserted(b"7", b"20")],
    "an update to a unique value that another row has": [updated([b"1"], b"1", b"20")],
    "a check that is not met": [inserted(b"7", b"-1")],
}


@pytest.mark.parametrize("events", REFUSED.values(), ids=REFUSED)
def test_a_refused_row_leaves_all_as_it_was_and_the_transaction_goes_on(
    mysql_db: ConnectionSettings, events: list[Event]
) -> None:
    first, second = two_tables(mysql_db.database)
    run_sql(
        mysql_db,
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        "CREATE TABLE other (id int PRIMARY KEY, v int NOT NULL, UNIQUE (v), CHECK (v >= 0))",
        "INSERT INTO other VALUES (1, 10), (2, 20)",
    )
    more = [updated([b"2"], b"2", b"20")] * 20
    tables = tables_of(streamed(first), streamed(second))
    with applier_of(mysql_db) as applier:
        applier.begin()
        applier.apply([changes_of(first, inserted(b"1", b"1"))], tables)
        for size in (0, len(more)):
            with pytest.raises(RowError) as caught:
                applier.apply([changes_of(first, *many()), changes_of(second, *events, *more[:size])], tables)
            assert caught.value.where["table"] == "there.other"
            assert "9999" not in str(caught.value)
        applier.apply([changes_of(first, inserted(b"2", b"2"))], tables)
        applier.commit(Checkpoint("1"))
    assert run_sql(mysql_db, "SELECT id FROM t ORDER BY id") == [("1",), ("2",)]
    assert run_sql(mysql_db, "SELECT id, v FROM other ORDER BY id") == [("1", "10"), ("2", "20")]


def test_a_table_that_is_not_there_or_has_no_transactions_is_said_so(mysql_db: ConnectionSettings) -> None:
    plan = plan_of(mysql_db.database, id="int")
    with applier_of(mysql_db) as applier:
        for create, told in [
            ("DO 0", "not in the target"),
            ("CREATE TABLE t (id int PRIMARY KEY) ENGINE = MyISAM", "no transactions"),
            ("CREATE OR REPLACE TABLE t (other int PRIMARY KEY)", "Unknown column"),
        ]:
            run_sql(mysql_db, create)
            applier.begin()
            with pytest.raises(StatementError, match=told):
                applier.apply([changes_of(plan, inserted(b"1"), deleted(b"1"))], tables_of(streamed(plan)))
            applier.rollback()


@contextmanager
def holding(settings: ConnectionSettings, *statements: str) -> Iterator[Callable[[str], None]]:
    """Another user of the target, in the middle of a transaction."""
    with connect(settings) as other:
        other.begin()
        for statement in statements:
            query(other, statement)
        yield lambda sql: (query(other, sql), None)[1]
        other.rollback()


def prepared(settings: ConnectionSettings) -> tuple[TablePlan, dict[TableId, StreamTable]]:
    plan = plan_of(settings.database, id="int", v="int")
    run_sql(settings, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    return plan, tables_of(streamed(plan))


def refuses_all_but_rollback(applier: MysqlApplier, change: RowChanges, tables: dict[TableId, StreamTable]) -> None:
    with pytest.raises(TransientError):
        applier.apply([change], tables)
    with pytest.raises(TransientError):
        applier.commit(Checkpoint("2"))
    applier.rollback()


def test_a_lock_that_is_not_granted_is_transient(mysql_db: ConnectionSettings) -> None:
    plan, tables = prepared(mysql_db)
    change = changes_of(plan, updated([b"1"], b"1", b"5"))
    with applier_of(mysql_db, lock_timeout_s=1) as applier:
        applier.begin()
        applier.apply([changes_of(plan, inserted(b"3", b"3"))], tables)
        with holding(mysql_db, "UPDATE t SET v = 9 WHERE id = 1"):
            with pytest.raises(TransientError, match="lock"):
                applier.apply([change], tables)
            refuses_all_but_rollback(applier, change, tables)
        applier.begin()
        with holding(mysql_db, "SELECT * FROM t"), pytest.raises(TransientError, match="lock"):
            applier.alter(["ALTER TABLE t ADD COLUMN more int"])
        applier.rollback()
        applier.begin()
        applier.apply([change], tables)
        applier.commit(Checkpoint("1"))
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [("1", "5"), ("2", "2")]


def test_a_deadlock_ends_the_transaction_and_is_told_so(mysql_db: ConnectionSettings) -> None:
    plan, tables = prepared(mysql_db)
    with applier_of(mysql_db) as applier:
        applier.begin()
        applier.apply([changes_of(plan, updated([b"1"], b"1", b"5"))], tables)
        # The server breaks off whoever has changed fewer rows.
        weight = ", ".join(f"({number}, 0)" for number in range(100, 300))
        with holding(mysql_db, f"INSERT INTO t VALUES {weight}", "UPDATE t SET v = 9 WHERE id = 2") as run:
            waiting = threading.Thread(target=run, args=("UPDATE t SET v = 9 WHERE id = 1",))
            waiting.start()
            wait_until(mysql_db, WAITING)
            with pytest.raises(TransientError, match="deadlock"):
                applier.apply([changes_of(plan, updated([b"2"], b"2", b"5"))], tables)
            refuses_all_but_rollback(applier, changes_of(plan, inserted(b"7", b"7")), tables)
            waiting.join(DEADLINE_S)
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [("1", "1"), ("2", "2")]


def wait_until(settings: ConnectionSettings, question: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while run_sql(settings, question) == [("0",)]:
        assert time.monotonic() < deadline


def test_a_server_that_is_read_only_is_transient(mysql_db: ConnectionSettings) -> None:
    plan, tables = prepared(mysql_db)
    with applier_of(mysql_db):
        pass
    run_sql(
        mysql_db,
        "CREATE OR REPLACE USER writer@'127.0.0.1' IDENTIFIED BY 'w'",
        f"GRANT ALL ON {mysql_db.database}.* TO writer@'127.0.0.1'",
    )
    try:
        with applier_of(replace(mysql_db, username="writer", password="w")) as applier:
            run_sql(mysql_db, "SET GLOBAL read_only = 1")
            applier.begin()
            with pytest.raises(TransientError, match="read-only"):
                applier.apply([changes_of(plan, inserted(b"7", b"7"))], tables)
            applier.rollback()
    finally:
        run_sql(mysql_db, "SET GLOBAL read_only = 0", "DROP USER writer@'127.0.0.1'")


@pytest.mark.parametrize("many_rows", [False, True])
def test_a_connection_that_is_killed_in_mid_apply_is_lost(mysql_db: ConnectionSettings, many_rows: bool) -> None:
    plan, tables = prepared(mysql_db)
    change = changes_of(plan, *(many(updated([b"1"], b"1", b"5")) if many_rows else [updated([b"1"], b"1", b"5")]))
    with applier_of(mysql_db) as applier, holding(mysql_db, "UPDATE t SET v = 9 WHERE id = 1"):
        number = applier._connection.thread_id()
        killer = threading.Thread(target=kill_when_waiting, args=(mysql_db, f"KILL {number}"))
        killer.start()
        applier.begin()
        with pytest.raises(LostConnectionError):
            applier.apply([change], tables)
        killer.join(DEADLINE_S)
        applier.rollback()
        for call in (applier.begin, lambda: applier.commit(Checkpoint("1")), lambda: applier.apply([change], tables)):
            with pytest.raises(LostConnectionError):
                call()
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [("1", "1"), ("2", "2")]


def kill_when_waiting(settings: ConnectionSettings, kill: str) -> None:
    wait_until(settings, WAITING)
    run_sql(settings, kill)


@pytest.mark.parametrize("size", [1, None])
def test_an_interrupt_breaks_off_what_runs(mysql_db: ConnectionSettings, size: int | None) -> None:
    plan, tables = prepared(mysql_db)
    with applier_of(mysql_db) as applier, holding(mysql_db, "UPDATE t SET v = 9 WHERE id = 1"):
        breaking = threading.Thread(target=interrupt_when_waiting, args=(mysql_db, applier))
        breaking.start()
        applier.begin()
        with pytest.raises(TransientError, match="broken off"):
            applier.apply([changes_of(plan, *many(updated([b"1"], b"1", b"5"))[:size])], tables)
        breaking.join(DEADLINE_S)
        applier.rollback()
        applier.begin()
        applier.apply([changes_of(plan, updated([b"2"], b"2", b"5"))], tables)
        applier.commit(Checkpoint("1"))
    assert run_sql(mysql_db, "SELECT v FROM t WHERE id = 2") == [("5",)]


def interrupt_when_waiting(settings: ConnectionSettings, applier: MysqlApplier) -> None:
    wait_until(settings, WAITING)
    applier.interrupt()
