"""Changes of tables that refer to each other, by logins that may switch keys and triggers off, and by others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import segment
from mainstem.errors import RowError
from mainstem.model.change import Op, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from tests.connectors.postgres.applying import WAYS, Stream, database_of, rows, streaming
from tests.connectors.postgres.conftest import MakePlan
from tests.native.net_oracle import Cell, Event

_TABLES = """
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON UPDATE CASCADE, up int REFERENCES child);
CREATE TABLE late (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE);
"""
_CASCADES = """
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE grandchild (id int PRIMARY KEY, child int REFERENCES child ON DELETE CASCADE);
CREATE TABLE friend (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE SET NULL ON UPDATE SET NULL);
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE);
"""
_FORBIDS = """
CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fired'; END$$;
CREATE TRIGGER forbid BEFORE INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION forbid();
"""


def insert(*row: Cell) -> Event:
    return Event(Op.INSERT, None, row)


def update(key: Cell, *row: Cell) -> Event:
    return Event(Op.UPDATE, (key,), row)


def delete(key: Cell) -> Event:
    return Event(Op.DELETE, (key,))


@pytest.fixture(params=WAYS)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConnectionSettings:
    """An empty database of this test, for either way."""
    return database_of(request, monkeypatch)


@pytest.fixture
def owner(database: ConnectionSettings, sql: psycopg.Connection[Any]) -> Iterator[ConnectionSettings]:
    """A login that owns the database and may not switch triggers off."""
    name = f"owner_{database.database}"
    sql.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'; ALTER DATABASE {database.database} OWNER TO {name};"
                f" ALTER SCHEMA public OWNER TO {name}".encode())  # fmt: skip
    yield replace(database, username=name, password="x")
    deadline = time.monotonic() + 60  # a session that has ended still drops what it has staged
    while rows(sql, f"SELECT FROM pg_stat_activity WHERE usename = '{name}'") and time.monotonic() < deadline:
        pass
    sql.execute(f"REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name}; DROP ROLE {name}".encode())


@pytest.fixture(params=["may", "may not"])
def login(request: pytest.FixtureRequest, database: ConnectionSettings) -> ConnectionSettings:
    """One that may switch triggers off, and one that may not."""
    settings: ConnectionSettings = database if request.param == "may" else request.getfixturevalue("owner")
    return settings


def _fill(sql: psycopg.Connection[Any], login: ConnectionSettings, tables: str) -> None:
    sql.execute(f"SET ROLE {login.username}; {tables}; RESET ROLE".encode())


def test_parents_and_children_hold_together_in_any_order(
    login: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    _fill(sql, login, _TABLES)
    with streaming(login, [make_plan("child"), make_plan("parent"), make_plan("late")]) as stream:
        stream.events(
            ("parent", insert(b"1", b"a")), ("parent", insert(b"2", b"b")), ("child", insert(b"1", b"1", None)),
            ("child", insert(b"2", b"1", b"1")), ("late", insert(b"1", b"3")), ("parent", insert(b"3", b"c")),
        )  # fmt: skip
        stream.events(
            ("child", update(b"1", b"1", b"2", None)), ("child", update(b"2", b"2", b"2", None)),
            ("parent", delete(b"1")), ("parent", insert(b"4", b"d")), ("child", update(b"2", b"2", b"4", None)),
            ("child", delete(b"1")), ("parent", delete(b"2")),
        )  # fmt: skip
        stream.events(("parent", update(b"4", b"5", b"d")), ("child", update(b"2", b"2", b"5", None)))
        assert rows(sql, "SELECT id FROM parent ORDER BY id") == [(3,), (5,)]
        assert rows(sql, "SELECT * FROM child") == [(2, 5, None)]
        assert rows(sql, "SELECT * FROM late") == [(1, 3)]


def test_a_child_without_a_parent_is_refused_where_keys_cannot_be_switched_off(
    owner: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    _fill(sql, owner, _TABLES)
    with streaming(owner, [make_plan("child"), make_plan("late")]) as stream:
        for name, row in (("child", insert(b"1", b"9", None)), ("late", insert(b"1", b"9"))):
            with pytest.raises(RowError, match="a reference to a row that is not there"):
                stream.events((name, row))


@pytest.mark.parametrize("granted", [False, True])
def test_triggers_do_not_fire_where_they_can_be_switched_off(
    *, granted: bool, database: ConnectionSettings, owner: ConnectionSettings, sql: psycopg.Connection[Any],
    make_plan: MakePlan,
) -> None:  # fmt: skip
    if granted and sql.info.server_version < 150_000:
        pytest.skip("before PostgreSQL 15 that right cannot be granted")
    login = owner if granted else database
    _fill(sql, login, _TABLES + _FORBIDS)
    if granted:
        sql.execute(f"GRANT SET ON PARAMETER session_replication_role TO {owner.username}".encode())
    with streaming(login, [make_plan("parent")]) as stream:
        stream.events(("parent", insert(b"1", b"a")), ("parent", update(b"1", b"1", b"b")))
        stream.events(("parent", update(b"1", b"2", b"b")), ("parent", insert(b"1", b"a")), ("parent", delete(b"2")))
        assert rows(sql, "SELECT * FROM parent") == [(1, "a")]
    if granted:
        sql.execute(f"REVOKE SET ON PARAMETER session_replication_role FROM {owner.username}".encode())


@pytest.mark.parametrize(("silent", "many"), [(True, 2000), (True, 3), (False, 2000)])
def test_what_the_source_s_keys_do_and_its_log_leaves_out_the_target_s_keys_do(
    *, silent: bool, many: int, database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(segment, "MANY", many)
    sql.execute(_CASCADES.encode())
    plans = [make_plan(name) for name in ("parent", "child", "grandchild", "friend", "tree")]
    with streaming(database, plans) as stream:
        stream.tables = {name: replace(table, cascades=silent) for name, table in stream.tables.items()}
        stream.events(
            *(("parent", insert(b"%d" % number, b"x")) for number in (1, 2, 3)),
            *(("child", insert(b"%d" % number, b"%d" % number)) for number in (1, 2, 3)),
            *(("grandchild", insert(b"%d" % number, b"%d" % number)) for number in (1, 2, 3)),
            *(("friend", insert(b"%d" % number, b"%d" % number)) for number in (1, 2, 3)),
            ("tree", insert(b"1", None)), ("tree", insert(b"2", b"1")), ("tree", insert(b"3", b"2")),
        )  # fmt: skip
        stream.events(
            ("child", update(b"1", b"1", b"2")), ("parent", delete(b"1")), ("parent", update(b"2", b"4", b"x")),
            ("child", insert(b"4", b"3")), ("parent", delete(b"3")), ("parent", insert(b"3", b"again")),
            ("child", insert(b"5", b"3")), ("tree", delete(b"1")),
        )  # fmt: skip
        if silent:
            assert rows(sql, "SELECT * FROM child ORDER BY id") == [(1, 4), (2, 4), (5, 3)]
            assert rows(sql, "SELECT id FROM grandchild ORDER BY id") == [(1,), (2,)]
            assert rows(sql, "SELECT * FROM friend ORDER BY id") == [(1, None), (2, None), (3, None)]
            assert rows(sql, "SELECT * FROM tree") == []
        else:
            assert rows(sql, "SELECT * FROM child ORDER BY id") == [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]
            assert rows(sql, "SELECT count(*) FROM friend WHERE parent IS NOT NULL") == [(3,)]
            assert rows(sql, "SELECT id FROM tree ORDER BY id") == [(2,), (3,)]


@pytest.mark.parametrize("tables", [("parent",), ("parent", "child", "late")])
def test_tables_are_emptied_whatever_refers_to_them(
    tables: tuple[str, ...], database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute(_TABLES.encode())
    sql.execute("INSERT INTO parent VALUES (1, 'x'); INSERT INTO child VALUES (1, 1, NULL), (2, 1, 1)")
    with streaming(database, [make_plan(name) for name in ("parent", "child", "late")]) as stream:
        _truncate(stream, *tables)
        left = 0 if "child" in tables else 2
        assert rows(sql, "SELECT (SELECT count(*) FROM parent), (SELECT count(*) FROM child)") == [(0, left)]


def test_a_counter_begins_anew_with_its_table_where_the_source_s_did(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'), ('b')")
    with streaming(database, [make_plan("t")]) as stream:
        _truncate(stream, "t")
        assert rows(sql, "SELECT nextval('t_id_seq')") == [(3,)]
        _truncate(stream, "t", restart_identity=True)
        assert rows(sql, "SELECT nextval('t_id_seq')") == [(1,)]


def test_rows_of_tables_that_inherit_are_not_the_table_s_own(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE heir () INHERITS (t)")
    sql.execute("INSERT INTO t VALUES (1, 'a'); INSERT INTO heir VALUES (1, 'heir'), (2, 'heir')")
    with streaming(database, [make_plan("t")]) as stream:
        stream.events(("t", delete(b"2")), ("t", update(b"1", b"1", b"b")), ("t", insert(b"3", b"c")))
        assert rows(sql, "SELECT * FROM heir ORDER BY id") == [(1, "heir"), (2, "heir")]
        assert rows(sql, "SELECT * FROM ONLY t ORDER BY id") == [(1, "b"), (3, "c")]
        _truncate(stream, "t")
        assert rows(sql, "SELECT count(*) FROM t") == [(2,)]


def _truncate(stream: Stream, *tables: str, restart_identity: bool = False) -> None:
    stream.applier.begin()
    ids = tuple(TableId("public", name) for name in tables)
    stream.applier.truncate(Truncate(ids, restart_identity), stream.tables)
    stream.commit()
