"""The book of a stream on a real server, and what of it moves with the rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from mainstem import failpoints
from mainstem.connectors.mysql import apply as applying
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.inspector import MysqlInspector
from mainstem.connectors.mysql.target import MysqlTarget
from mainstem.errors import ConflictError, LostConnectionError, StatementError, TransientError
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from mainstem.model.letters import pack, unpack
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StoredStream
from tests.connectors.mysql.changing import STREAM, applier_of, changes_of, inserted, streamed, tables_of, target_of
from tests.connectors.mysql.rows import plan_of, run_sql

OURS = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'mainstem%'"
)
ADD = "ALTER TABLE t ADD COLUMN more int NULL"


def test_a_stream_is_known_as_it_was_created_and_saved(mysql_db: ConnectionSettings) -> None:
    table = streamed(plan_of(mysql_db.database, id="int"))
    stored = StoredStream('{"server": "é"}', Checkpoint("12", 3, 4, 5), (table,))
    with target_of(mysql_db).book(STREAM) as book, MysqlInspector(mysql_db) as inspector:
        assert (book.load(), book.letters(), book.count_letters(), book.changes()) == (None, [], {}, [])
        book.discard([1])
        book.drop()
        book.create(stored)
        assert book.load() == stored
        with pytest.raises(ConflictError, match="already"):
            book.create(stored)
        paused = streamed(table.plan, state=TableState.PAUSED, error="why")
        book.save(paused)
        assert book.load() == StoredStream(stored.origin, stored.checkpoint, (paused,))
        assert inspector.tables() == []
        assert inspector.catalog().tables == ()


def test_what_belongs_to_a_transaction_is_there_only_after_it(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    table = streamed(plan_of(mysql_db.database, id="int"))
    change = changes_of(table.plan, inserted(b"1"))
    letter = DeadLetter(table.source, Op.INSERT, "id=1", "7", "id", "why", pack(change))
    line = SchemaRecord(table.source, "a column", "7", "applied", ADD, 99)
    with applier_of(mysql_db) as applier, target_of(mysql_db).book(STREAM) as book:
        for end in (applier.rollback, lambda: applier.commit(Checkpoint("8", 1, 2, 3))):
            applier.begin()
            applier.apply([change], tables_of(table))
            applier.save(table)
            applier.reject(letter)
            applier.record(line)
            stored = book.load()
            assert stored is not None
            assert (stored.checkpoint, stored.tables, book.letters(), book.changes()) == (Checkpoint("0"), (), [], [])
            end()
        stored, letters = book.load(), book.letters()
        assert stored is not None
        assert (stored.checkpoint, stored.tables, book.changes()) == (Checkpoint("8", 1, 2, 3), (table,), [line])
        assert [(found.key, found.op, unpack(found.event).count) for found in letters] == [("id=1", Op.INSERT, 1)]
        assert book.count_letters() == {table.source: 1}
        for kept in (True, False):
            applier.begin()
            assert applier.discard(letters[0].table, 0) == 0
            assert applier.discard(letters[0].table, letters[0].number if kept else None) == 1
            assert applier.discard(letters[0].table) == 0
            applier.rollback() if kept else applier.commit(Checkpoint("8", 1, 2, 3))
            assert len(book.letters()) == kept
        book.discard([found.number for found in letters])
        applier.begin()
        applier.forget(table.source)
        applier.commit(Checkpoint("9"))
        stored = book.load()
        assert stored is not None
        assert stored.tables == ()
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("1",)]


def test_the_last_stream_leaves_nothing_and_a_run_leaves_streams_alone(mysql_db: ConnectionSettings) -> None:
    target = target_of(mysql_db)
    with target.book(STREAM) as book, target.book("another") as other:
        book.create(StoredStream("{}", Checkpoint("1"), ()))
        other.create(StoredStream("{}", Checkpoint("1"), ()))
        with MysqlTarget(mysql_db, RunOptions()).ledger("a-run") as ledger:
            ledger.open("{}")
            ledger.finish(keep=False)
        other.drop()
        assert book.load() is not None
        book.drop()
        assert book.load() is None
    assert run_sql(mysql_db, OURS) == []


def test_a_checkpoint_that_somebody_moved_is_a_conflict(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    table = streamed(plan_of(mysql_db.database, id="int"))
    with applier_of(mysql_db) as applier:
        run_sql(mysql_db, "UPDATE mainstem_stream SET revision = revision + 1")
        applier.begin()
        applier.apply([changes_of(table.plan, inserted(b"1"))], tables_of(table))
        with pytest.raises(ConflictError, match="another process"):
            applier.commit(Checkpoint("2"))
        applier.rollback()
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]


def test_a_stream_has_one_applier(mysql_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    with applier_of(mysql_db), monkeypatch.context() as hasty:
        hasty.setattr(applying, "_OTHER_WAIT_S", 0)
        with pytest.raises(ConflictError, match="connection"):
            target_of(mysql_db).applier(STREAM)
    with applier_of(mysql_db):
        pass


def test_counters_are_set_past_the_highest_value(mysql_db: ConnectionSettings) -> None:
    run_sql(
        mysql_db,
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO t VALUES (41)",
        "CREATE TABLE tiny (id tinyint AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO tiny VALUES (100)",
        "CREATE TABLE plain (id int PRIMARY KEY)",
    )
    tables = [streamed(plan_of(mysql_db.database, id="int"))]
    for name in ("tiny", "plain"):
        plan = plan_of(mysql_db.database, id="int")
        tables.append(streamed(replace(plan, target=TableId(mysql_db.database, name))))
    with target_of(mysql_db).book(STREAM) as book:
        told = book.advance_counters(tables)
    assert told == [f"{mysql_db.database}.t.id = 1041", f"{mysql_db.database}.tiny.id = 103"]
    run_sql(mysql_db, "INSERT INTO t () VALUES ()", "INSERT INTO tiny () VALUES ()")
    assert run_sql(mysql_db, "SELECT MAX(t.id), MAX(tiny.id) FROM t, tiny") == [("1041", "103")]


def test_structure_changes_at_once_where_nothing_came_before(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with applier_of(mysql_db) as applier:
        applier.begin()
        applier.alter([ADD])
        applier.commit(Checkpoint("1"))
        run_sql(mysql_db, "ALTER TABLE t DROP COLUMN more")
        applier.begin()
        applier.alter([ADD])  # the same again, later
        applier.commit(Checkpoint("2"))
    assert len(run_sql(mysql_db, "SHOW COLUMNS FROM t LIKE 'more'")) == 1
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM mainstem_stream_step") == [("0",)]


def test_structure_changes_ahead_of_rows_that_then_come_again(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    table = streamed(plan_of(mysql_db.database, id="int"))
    with applier_of(mysql_db) as applier:
        for attempt in range(2):
            applier.begin()
            applier.apply([changes_of(table.plan, inserted(b"1"))], tables_of(table))
            if attempt == 0:
                with pytest.raises(TransientError, match="structure"):
                    applier.alter([ADD])
                with pytest.raises(TransientError):
                    applier.commit(Checkpoint("1"))
                applier.rollback()
                assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]
        applier.alter([ADD])
        applier.commit(Checkpoint("1"))
    assert run_sql(mysql_db, "SELECT id, more FROM t") == [("1", None)]


@pytest.mark.parametrize("rows_before", [False, True])
def test_structure_that_is_refused_leaves_the_transaction(mysql_db: ConnectionSettings, rows_before: bool) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    table = streamed(plan_of(mysql_db.database, id="int"))
    with applier_of(mysql_db) as applier:
        for attempt in range(2 if rows_before else 1):
            applier.begin()
            if rows_before:
                applier.apply([changes_of(table.plan, inserted(b"1"))], tables_of(table))
            with pytest.raises(TransientError if rows_before and attempt == 0 else StatementError):
                applier.alter(["ALTER TABLE t ADD COLUMN id int", ADD])
            if rows_before and attempt == 0:
                applier.rollback()
        applier.save(table)
        applier.commit(Checkpoint("1"))
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("1" if rows_before else "0",)]
    assert run_sql(mysql_db, "SHOW COLUMNS FROM t LIKE 'more'") == []
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM mainstem_stream_step") == [("0",)]


CRASHED = """
import json, sys
from mainstem.model.connection import ConnectionSettings
from tests.connectors.mysql.changing import applier_of, changes_of, inserted, streamed, tables_of
from tests.connectors.mysql.rows import plan_of
from mainstem.model.stream import Checkpoint
from mainstem.errors import TransientError
settings = ConnectionSettings(**json.loads(sys.argv[1]))
table = streamed(plan_of(settings.database, id="int"))
with applier_of(settings) as applier:
    for _ in range(2):
        applier.begin()
        applier.apply([changes_of(table.plan, inserted(b"1"))], tables_of(table))
        try:
            applier.alter(["ALTER TABLE t ADD COLUMN more int NULL"])
        except TransientError:
            applier.rollback()
            continue
        applier.commit(Checkpoint("1"))
        break
"""
POINTS = {
    "applier.alter_begun": 0,
    "applier.alter_ran": 0,
    "applier.alter_done": 0,
    "applier.before_checkpoint": 0,
    "applier.before_commit": 0,
    "applier.after_commit": 1,
}


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_anywhere_leaves_what_the_next_one_goes_on_with(
    mysql_db: ConnectionSettings, point: str
) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    settings = json.dumps({name: getattr(mysql_db, name) for name in ("type", "host", "port", "username", "password",
                                                                      "database")})  # fmt: skip
    command = [sys.executable, "-c", CRASHED, settings]
    killed = subprocess.run(command, env={**os.environ, "MAINSTEM_FAILPOINTS": f"{point}=kill"}, check=False)
    assert killed.returncode == -9
    with target_of(mysql_db).book(STREAM) as book:
        stored = book.load()
    assert stored is not None
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [(str(POINTS[point]),)]
    assert stored.checkpoint.position == str(POINTS[point])
    if not POINTS[point]:
        subprocess.run(command, check=True)
    assert run_sql(mysql_db, "SELECT id, more FROM t") == [("1", None)]
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM mainstem_stream_step") == [("0",)]


def test_a_commit_whose_connection_breaks_is_told_as_such(
    mysql_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with applier_of(mysql_db) as applier:
        monkeypatch.setattr(failpoints, "_points", {"applier.before_commit": ("error", 1)})
        monkeypatch.setattr(failpoints, "_passes", {})
        applier.begin()
        with pytest.raises(LostConnectionError):
            applier.commit(Checkpoint("1"))
        with connect(mysql_db) as other:
            query(other, f"KILL {applier._connection.thread_id()}")
        applier.rollback()
        with pytest.raises(LostConnectionError):
            applier.begin()
