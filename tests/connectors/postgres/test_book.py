"""What is durable of a stream: with its rows or not at all, and one process at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem import failpoints
from mainstem.connectors.postgres import apply as module
from mainstem.connectors.postgres.apply import PostgresChangeTarget
from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.ledger import PostgresLedger
from mainstem.errors import ConflictError, LostConnectionError, StatementError
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from mainstem.model.letters import pack
from mainstem.model.names import TableId
from mainstem.model.run import ChangeOptions, RunOptions, TableState
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StoredStream
from tests.connectors.postgres.applying import STREAM, rows, streaming
from tests.connectors.postgres.conftest import MakePlan
from tests.native.net_oracle import Event

_T = TableId("public", "t")


def insert(number: int) -> tuple[str, Event]:
    return "t", Event(Op.INSERT, None, (b"%d" % number, b"v"))


@pytest.fixture
def database(postgres15_db: ConnectionSettings) -> ConnectionSettings:
    """An empty database of this test."""
    return postgres15_db


@pytest.fixture(autouse=True)
def table(sql: psycopg.Connection[Any]) -> None:
    """A table ``t``."""
    sql.execute("CREATE TABLE t (id serial PRIMARY KEY, v text)")


def test_a_stream_is_read_back_as_it_was_written(database: ConnectionSettings, make_plan: MakePlan) -> None:
    target = PostgresChangeTarget(database, RunOptions())
    with target.book("none") as book:
        assert book.load() is None
        assert (book.letters(), book.count_letters(), book.changes()) == ([], {}, [])
        book.drop()
    with streaming(database, [make_plan("t")]) as stream:
        (first,) = stream.tables.values()
        assert stream.book.load() == StoredStream("{}", Checkpoint("0"), (first,))
        with pytest.raises(ConflictError, match="already"):
            stream.book.create(StoredStream("{}", Checkpoint("0"), ()))
        failed = replace(first, state=TableState.FAILED, error="why", remedy="what")
        stream.book.save(failed)
        stream.applier.begin()
        stream.applier.save(replace(first, plan=replace(first.plan, source=TableId("public", "u"))))
        stream.applier.commit(Checkpoint("p", 2, 3, 1_700_000_000_123_456))
        stored = stream.book.load()
        assert stored is not None
        assert stored.checkpoint == Checkpoint("p", 2, 3, 1_700_000_000_123_456)
        assert [(table.source.name, table.state) for table in stored.tables] == [
            ("t", TableState.FAILED), ("u", TableState.STREAMING),
        ]  # fmt: skip
        stream.applier.begin()
        stream.applier.forget(TableId("public", "u"))
        stream.applier.commit(Checkpoint("q"))
        stored = stream.book.load()
        assert stored is not None
        assert stored.tables == (failed,)


def test_letters_and_schema_changes_commit_with_the_rows(database: ConnectionSettings, make_plan: MakePlan) -> None:
    with streaming(database, [make_plan("t")]) as stream:
        (part,) = stream.parts(insert(1))
        letter = DeadLetter(_T, Op.INSERT, "id=1", "5", "v", "because", pack(part))
        line = SchemaRecord(_T, "columns", "6", "applied", "ALTER TABLE …", 1_700_000_000_000_001)
        for kept in (False, True):
            stream.applier.begin()
            stream.applier.reject(letter)
            stream.applier.record(line)
            stream.commit() if kept else stream.applier.rollback()
            assert len(stream.book.letters()) == kept
        (found,) = stream.book.letters()
        assert replace(found, number=0) == letter
        assert stream.book.changes() == [line]
        assert stream.book.count_letters() == {_T: 1}
        for kept in (True, False):
            stream.applier.begin()
            assert stream.applier.discard(found.table, 0) == 0
            assert stream.applier.discard(found.table, found.number if kept else None) == 1
            assert stream.applier.discard(found.table) == 0
            stream.applier.rollback() if kept else stream.commit()
            assert len(stream.book.letters()) == kept
        stream.book.discard([found.number])


def test_what_is_made_of_a_stream_goes_with_the_last_one(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'mainstem'"
    with streaming(database, [make_plan("t")]) as stream:
        with PostgresChangeTarget(database, RunOptions()).book("other") as other:
            other.create(StoredStream("{}", Checkpoint("0"), ()))
            with PostgresLedger(database, "run") as ledger:
                ledger.open("{}")
                ledger.finish(keep=False)
            stream.book.drop()
            assert other.load() is not None
            other.drop()
        assert rows(sql, schema) == [(0,)]


def test_one_process_at_a_time_runs_a_stream(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_WAIT_S", 1)
    with streaming(database, [make_plan("t")]) as stream:
        with pytest.raises(ConflictError, match="another process runs"):
            PostgresChangeTarget(database, RunOptions()).applier(STREAM)
        stream.events(insert(1))
        sql.execute("UPDATE mainstem.stream SET position = 'elsewhere'")
        with pytest.raises(ConflictError, match="moved the checkpoint"):
            stream.events(insert(2))
        stream.applier.rollback()
        assert rows(sql, "SELECT id FROM t") == [(1,)]
    with (
        PostgresChangeTarget(database, RunOptions()).applier("unknown") as applier,
        pytest.raises(ConflictError, match="does not know"),
    ):
        applier.begin()


@pytest.mark.parametrize("point", ["before_apply", "after_apply", "before_checkpoint", "before_commit", "after_commit"])
def test_rows_and_checkpoint_are_there_both_or_neither(
    point: str, database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(failpoints, "_points", {f"applier.{point}": ("error", 2)})
    monkeypatch.setattr(failpoints, "_passes", {})
    with streaming(database, [make_plan("t")]) as stream:
        stream.events(insert(1))
        with pytest.raises(LostConnectionError):
            stream.events(insert(2))
        stream.applier.rollback()
    done = point == "after_commit"
    assert rows(sql, "SELECT position FROM mainstem.stream") == [("2" if done else "1",)]
    assert rows(sql, "SELECT id FROM t ORDER BY id") == [(1,), (2,)][: 1 + done]


def test_structure_changes_in_the_same_transaction_as_rows(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    plan = make_plan("t")
    with streaming(database, [plan]) as stream:
        stream.events(insert(1))
        wide = ["ALTER TABLE t ALTER id TYPE bigint", "ALTER TABLE t ADD w text"]
        for kept in (False, True):
            stream.applier.begin()
            stream.applier.apply(stream.parts(insert(2)), stream.tables)
            stream.applier.alter(wide)
            stream.applier.apply(stream.parts(insert(3)), stream.tables)
            stream.commit() if kept else stream.applier.rollback()
        assert rows(sql, "SELECT id, w FROM t ORDER BY id") == [(1, None), (2, None), (3, None)]
        sql.execute("CREATE TABLE u (id int PRIMARY KEY, v text, w text)")
        (table,) = stream.tables.values()
        wider = replace(table, plan=replace(make_plan("t"), source=_T))
        stream.tables = {_T: wider}
        big = Event(Op.INSERT, None, (b"%d" % 2**40, b"v", b"w"))
        stream.events(("t", big))
        stream.applier.begin()
        with pytest.raises(StatementError, match="does not exist"):
            stream.applier.alter(["ALTER TABLE t ADD x int", "ALTER TABLE missing ADD w text"])
        stream.events(("t", Event(Op.DELETE, (b"%d" % 2**40,))))
        assert rows(sql, "SELECT count(*) FROM t") == [(3,)]


def test_a_table_that_has_changed_behind_our_back_is_looked_at_again(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    with streaming(database, [make_plan("t")]) as stream:
        stream.events(insert(1))
        sql.execute("ALTER TABLE t RENAME TO was")
        with pytest.raises(StatementError, match="t"):
            stream.events(insert(2))
        sql.execute("CREATE TABLE t (id bigint PRIMARY KEY, v text)")
        stream.events(insert(2))
        assert rows(sql, "SELECT id FROM t") == [(2,)]


def test_counters_are_set_past_what_is_in_use_and_never_back(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute(
        "CREATE TABLE i (id smallint GENERATED ALWAYS AS IDENTITY (MAXVALUE 60) PRIMARY KEY,"
        " down int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1 MINVALUE -1000 START -1));"
        "CREATE TABLE empty (id serial)"
    )
    with streaming(database, [make_plan(name) for name in ("t", "i", "empty")]) as stream:
        stream.events(insert(7), ("i", Event(Op.INSERT, None, (b"50", b"-9"))))
        told = stream.book.advance_counters(list(stream.tables.values()))
        assert told == ["public.t.id: 108", "public.i.id: 52", "public.i.down: -109"]
        assert rows(sql, "SELECT nextval('t_id_seq'), nextval('i_down_seq'), nextval('empty_id_seq')") == [
            (108, -109, 1)
        ]
        sql.execute("SELECT setval('t_id_seq', 5000)")
        assert stream.book.advance_counters(list(stream.tables.values())) == []


def test_no_timeout_of_the_database_ends_what_we_do(postgres_db: ConnectionSettings) -> None:
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
             "transaction_timeout"]  # fmt: skip
    with connect(postgres_db) as admin:
        for name in names:
            admin.execute(f"ALTER DATABASE {postgres_db.database} SET {name} = '30s'".encode())
    with connect(postgres_db) as session:
        found = session.execute("SELECT DISTINCT setting FROM pg_settings WHERE name = ANY(%s)", (names,)).fetchall()
    assert found == [("0",)]


def test_a_commit_is_on_disk_when_it_is_confirmed(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute(f"ALTER DATABASE {database.database} SET synchronous_commit = off".encode())
    with streaming(database, [make_plan("t")], ChangeOptions()) as stream:
        shown = stream.applier._connection.execute("SHOW synchronous_commit").fetchone()
        assert shown == ("on",)
