"""Changes into PostgreSQL: few are applied by single statements, many by sets, and either way the same comes out."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from hashlib import md5
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import segment as module
from mainstem.connectors.postgres.client import connect
from mainstem.errors import CancelledError, RowError, TransientError
from mainstem.model.change import Op, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import ChangeOptions, TableState
from tests.connectors.postgres.applying import WAYS, Stream, database_of, rows, streaming
from tests.connectors.postgres.conftest import MakePlan
from tests.native.net_oracle import Cell, Event

INSERT, UPDATE, DELETE = Op.INSERT, Op.UPDATE, Op.DELETE


@pytest.fixture(params=WAYS)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConnectionSettings:
    """An empty database of this test, for either way."""
    return database_of(request, monkeypatch)


def insert(*row: Cell) -> Event:
    return Event(INSERT, None, row)


def update(key: Cell, *row: Cell, absent: frozenset[int] = frozenset()) -> Event:
    return Event(UPDATE, (key,), row, absent)


def delete(*key: Cell) -> Event:
    return Event(DELETE, key)


@pytest.fixture
def stream(database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan) -> Iterator[Stream]:
    """Of a table ``t`` whose second column is unique and third may be large."""
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text);")
    with streaming(database, [make_plan("t")]) as made:
        yield made


TRUTH: list[tuple[str, list[Event], dict[int, tuple[Any, ...] | None], int]] = [
    ("an insert", [insert(b"4", b"d", None)], {4: ("d", None)}, 0),
    ("an update", [update(b"1", b"1", b"A", b"x")], {1: ("A", "x")}, 0),
    ("an update that lacks a cell", [update(b"1", b"1", b"A", None, absent=frozenset({2}))], {1: ("A", "one")}, 0),
    ("a delete", [delete(b"1")], {1: None}, 0),
    ("a delete of a row that is missing", [delete(b"9")], {}, 1),
    ("an update of a row that is missing", [update(b"9", b"9", b"z", b"zz")], {9: ("z", "zz")}, 1),
    ("a part of a row that is missing", [update(b"9", b"9", b"z", None, absent=frozenset({2}))], {}, 1),
    ("an insert of a row that is there", [insert(b"1", b"A", b"new")], {1: ("A", "new")}, 0),
    ("a key that moves", [update(b"1", b"7", b"a", b"one")], {1: None, 7: ("a", "one")}, 0),
    (
        "a key that moves and lacks a cell", [update(b"1", b"7", b"a", None, absent=frozenset({2}))],
        {1: None, 7: ("a", "one")}, 0,
    ),
    (
        "keys that are swapped",
        [update(b"1", b"9", b"a", b"1"), update(b"2", b"1", b"b", b"2"), update(b"9", b"2", b"a", b"1")],
        {1: ("b", "2"), 2: ("a", "1")}, 0,
    ),
    (
        "unique values that are swapped",
        [update(b"1", b"1", b"tmp", b"x"), update(b"2", b"2", b"a", b"y"), update(b"1", b"1", b"b", b"x")],
        {1: ("b", "x"), 2: ("a", "y")}, 0,
    ),
    (
        "unique values that are swapped, with cells that are lacking",
        [
            update(b"1", b"1", b"tmp", None, absent=frozenset({2})),
            update(b"2", b"2", b"a", None, absent=frozenset({2})),
            update(b"1", b"1", b"b", None, absent=frozenset({2})),
        ],
        {1: ("b", "one"), 2: ("a", "two")}, 0,
    ),
    (
        "a unique value that is taken over", [delete(b"1"), insert(b"4", b"a", b"x"), update(b"2", b"2", b"e", b"y")],
        {1: None, 4: ("a", "x"), 2: ("e", "y")}, 0,
    ),
    ("a delete and an insert", [delete(b"1"), insert(b"1", b"a", b"again")], {1: ("a", "again")}, 0),
    ("an insert and a delete", [insert(b"4", b"d", b"x"), delete(b"4")], {}, 0),
    (
        "an insert and updates that lack cells",
        [insert(b"4", b"d", b"big"), update(b"4", b"4", b"e", None, absent=frozenset({2}))], {4: ("e", "big")}, 0,
    ),
]  # fmt: skip


def test_a_segment_leaves_the_table_as_its_events_would(stream: Stream, sql: psycopg.Connection[Any]) -> None:
    for name, events, changed, missing in TRUTH:
        sql.execute("DELETE FROM t")
        sql.execute("INSERT INTO t VALUES (1, 'a', 'one'), (2, 'b', 'two'), (3, 'c', 'three')")
        expected = {1: ("a", "one"), 2: ("b", "two"), 3: ("c", "three")} | changed
        applied = stream.events(*(("t", event) for event in events))
        found = {id_: tuple(rest) for id_, *rest in rows(sql, "SELECT id, u, v FROM t")}
        assert found == {id_: row for id_, row in expected.items() if row is not None}, name
        assert sum(applied.missing.values()) == missing, name


BAG: list[tuple[str, list[Event], list[tuple[int | None, str]], int]] = [
    ("one of two equal rows is deleted", [delete(b"1", b"x")], [(1, "x"), (2, "y"), (None, "")], 0),
    ("both are", [delete(b"1", b"x"), delete(b"1", b"x")], [(2, "y"), (None, "")], 0),
    ("a third is not there", [delete(b"1", b"x")] * 3, [(2, "y"), (None, "")], 1),
    (
        "one of two equal rows is changed", [Event(UPDATE, (b"1", b"x"), (b"1", b"z"))],
        [(1, "x"), (1, "z"), (2, "y"), (None, "")], 0,
    ),
    ("null and empty are told apart", [delete(None, b"")], [(1, "x"), (1, "x"), (2, "y")], 0),
    ("and null from what is not there", [delete(b"2", None)], [(1, "x"), (1, "x"), (2, "y"), (None, "")], 1),
    (
        "an update of a row that is missing puts it in", [Event(UPDATE, (b"7", b"q"), (b"8", b"q"))],
        [(1, "x"), (1, "x"), (2, "y"), (8, "q"), (None, "")], 1,
    ),
    ("insert and delete", [insert(b"1", b"x"), delete(b"1", b"x")], [(1, "x"), (1, "x"), (2, "y"), (None, "")], 0),
    (
        "of rows that are not there one changes and one stays away",
        [insert(b"3", b"z"), Event(UPDATE, (b"3", b"z"), (b"2", b"y")), delete(b"2", b"y")],
        [(1, "x"), (1, "x"), (2, "y"), (None, "")], 0,
    ),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["", "PARTITION BY LIST (v)"], ids=["plain", "partitioned"])
def test_each_event_of_a_table_without_a_key_is_about_one_row(
    kind: str, database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute(f"CREATE TABLE t (id int, v text) {kind}".encode())
    if kind:
        sql.execute("CREATE TABLE t1 PARTITION OF t FOR VALUES IN ('x'); CREATE TABLE t2 PARTITION OF t DEFAULT")
    with streaming(database, [make_plan("t")]) as stream:
        for name, events, expected, missing in BAG:
            sql.execute("DELETE FROM t")
            sql.execute("INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y'), (NULL, '')")
            applied = stream.events(*(("t", event) for event in events))
            assert rows(sql, "SELECT id, v FROM t ORDER BY id, v") == expected, name
            assert sum(applied.missing.values()) == missing, name


def test_rows_of_types_that_cannot_be_compared_are_told_apart_by_their_text(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute(
        "CREATE TABLE t (a json, b point, c numeric, d jsonb, e double precision, f char(4), g interval, h bit(3))"
    )
    for number in (1, 2, 2):
        sql.execute(
            "INSERT INTO t VALUES (json_build_object('n', %(n)s), point(%(n)s, 0), 1.0 * %(n)s, '[1]',"
            " 0.1 * %(n)s, 'c', '1 day', b'101')", {"n": number},
        )  # fmt: skip
    with streaming(database, [make_plan("t")]) as stream:
        (first,) = rows(sql, "SELECT a::text, b::text, c::text, d::text FROM t LIMIT 1")
        row = (*(cell.encode() for cell in first), struct.pack("<d", 0.1), b"c", b"1 day", b"\x05")
        applied = stream.events(("t", delete(*row)))
        assert applied.missing == {}
        assert rows(sql, "SELECT count(*) FROM t") == [(2,)]
        wrong = (row[0], row[1], b"1.00", *row[3:])
        assert stream.events(("t", delete(*wrong))).missing == {TableId("public", "t"): 1}


def test_columns_that_the_server_fills_are_written_over(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute(
        "CREATE DOMAIN small AS numeric(5,1) CHECK (VALUE < 100);"
        "CREATE TYPE mood AS ENUM ('sad', 'glad');"
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int GENERATED ALWAYS AS (id * 2) STORED,"
        " d small, m mood, v varchar(3), b bytea, a int[])"
    )
    plan = make_plan("t")
    plan = replace(plan, columns=tuple(column for column in plan.columns if column.source != "n"))
    with streaming(database, [plan]) as stream:
        row = (b"7", b"1.5", b"sad", b"abc", b"\0\\\xff", b"{1,NULL}")
        stream.events(("t", insert(*row)), ("t", insert(b"8", *row[1:])))
        stream.events(("t", update(b"7", b"9", b"2.0", b"glad", b"a\t\\", None, b"{}")), ("t", delete(b"8")))
        assert rows(sql, "SELECT * FROM t") == [(9, 18, Decimal("2.0"), "glad", "a\t\\", None, [])]
        with pytest.raises(RowError, match="too long") as caught:
            stream.events(("t", update(b"9", b"9", b"2.0", b"glad", b"abcd", None, b"{}")))
        assert caught.value.where["table"] == "public.t"
        with pytest.raises(RowError, match="check"):
            stream.events(("t", insert(b"10", b"100", b"glad", None, None, None)))


def test_a_column_that_takes_no_other_value_changes_with_its_row(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v text)")
    with streaming(database, [make_plan("t")]) as stream:
        stream.events(("t", insert(b"1", b"10", b"x")), ("t", insert(b"2", b"20", b"y")))
        stream.events(
            ("t", update(b"1", b"1", b"11", b"X")),
            ("t", update(b"2", b"2", b"21", None, absent=frozenset({2}))),
        )
        assert rows(sql, "SELECT * FROM t ORDER BY id") == [(1, 11, "X"), (2, 21, "y")]


def test_keys_that_only_the_target_takes_to_be_equal_do_not_write_over_each_other(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    try:  # on either way where the distribution's server has them
        sql.execute("CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server knows no such collations")
    sql.execute("CREATE TABLE t (k text COLLATE any_case PRIMARY KEY, v int)")
    with streaming(database, [make_plan("t")]) as stream:
        stream.events(("t", insert(b"a", b"1")))
        with pytest.raises(RowError, match="another row"):
            stream.events(("t", insert(b"A", b"2")))
        assert stream.events(("t", delete(b"A"))).missing == {TableId("public", "t"): 1}
        stream.events(("t", update(b"a", b"A", b"3")))
        stream.events(("t", update(b"A", b"A", b"4")))
        assert rows(sql, "SELECT * FROM t") == [("A", 4)]


def test_a_refused_event_is_named_and_leaves_the_rest_as_it_was(stream: Stream, sql: psycopg.Connection[Any]) -> None:
    stream.applier.begin()
    stream.applier.apply(stream.parts(("t", insert(b"1", b"a", b"x"))), stream.tables)
    bad = [("t", insert(b"2", b"b", b"y")), ("t", insert(b"3", b"a", b"z"))]
    with pytest.raises(RowError, match="another row") as caught:
        stream.applier.apply(stream.parts(*bad), stream.tables)
    assert (caught.value.where["table"], caught.value.where["seq"]) == ("public.t", 1)
    stream.applier.apply(stream.parts(("t", insert(b"4", b"d", b"w"))), stream.tables)
    stream.commit()
    assert rows(sql, "SELECT id FROM t ORDER BY id") == [(1,), (4,)]


def test_only_the_events_in_need_of_their_order_are_taken_one_by_one(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY", 100)
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text)")
    sql.execute("INSERT INTO t SELECT n, n, 'big ' || n FROM generate_series(1, 1000) n")
    swap = [(b"500", b"tmp"), (b"501", b"500"), (b"500", b"501")]
    changes = [update(b"%d" % number, b"%d" % number, b"u%d" % number, b"v") for number in range(1, 400)]
    changes += [update(key, key, value, None, absent=frozenset({2})) for key, value in swap]
    changes += [update(b"%d" % number, b"%d" % number, b"u%d" % number, b"v") for number in range(600, 1001)]
    taken: list[int] = []
    made = module.Segments._make
    monkeypatch.setattr(
        module.Segments, "_make", lambda self, steps, applied: (taken.append(len(steps)), made(self, steps, applied))
    )
    with streaming(database, [make_plan("t")]) as stream:
        assert stream.events(*(("t", event) for event in changes)).missing == {}
        with pytest.raises(RowError) as caught:
            stream.events(*(("t", event) for event in changes), ("t", update(b"3", b"3", b"u4", b"v")))
        assert caught.value.where["seq"] == len(changes)
    assert rows(sql, "SELECT id, u, v FROM t WHERE id IN (499, 500, 501, 600) ORDER BY id") == [
        (499, "499", "big 499"), (500, "501", "big 500"), (501, "500", "big 501"), (600, "u600", "v"),
    ]  # fmt: skip
    assert rows(sql, "SELECT count(*) FROM t WHERE v = 'v'") == [(800,)]
    assert module.FEW or max(taken) <= 200  # of fewer than 100 events, two steps each


def test_a_lock_that_is_held_is_a_reason_to_try_again(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
    with streaming(database, [make_plan("t")], ChangeOptions(lock_timeout_s=1)) as stream:
        stream.applier.begin()
        with sql.transaction():
            sql.execute("LOCK TABLE t")
            with pytest.raises(TransientError, match="lock"):
                stream.applier.apply(stream.parts(("t", update(b"1", b"1", b"2"))), stream.tables)
        stream.applier.apply(stream.parts(("t", update(b"1", b"1", b"3"))), stream.tables)
        stream.commit()
    assert rows(sql, "SELECT v FROM t") == [(3,)]


@pytest.mark.parametrize(("ours", "error"), [(True, CancelledError), (False, TransientError)])
def test_a_statement_that_is_cancelled_says_nothing_about_its_rows(
    *, ours: bool, error: type[Exception], database: ConnectionSettings, sql: psycopg.Connection[Any],
    make_plan: MakePlan,
) -> None:  # fmt: skip
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
    blocked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with streaming(database, [make_plan("t")]) as stream, ThreadPoolExecutor(1) as pool, connect(database) as other:
        stream.applier.begin()
        with sql.transaction():
            sql.execute("LOCK TABLE t")
            applying = pool.submit(stream.applier.apply, stream.parts(("t", update(b"1", b"1", b"2"))), stream.tables)
            deadline = time.monotonic() + 60
            while not (waiting := rows(other, blocked)) and time.monotonic() < deadline:
                pass
            if ours:
                stream.applier.interrupt()
            else:
                other.execute("SELECT pg_cancel_backend(%s)", waiting[0])
            with pytest.raises(error):
                applying.result(30)
        stream.applier.rollback()
        stream.events(("t", update(b"1", b"1", b"3")))
    assert rows(sql, "SELECT v FROM t") == [(3,)]


@pytest.mark.parametrize("limit", [0, 2**40], ids=["staged", "as parameters"])
def test_large_values_pass(
    limit: int, database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "FEW_BYTES", limit)
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    large = b"large " * 4_000_000
    with streaming(database, [make_plan("t")]) as stream:
        stream.events(("t", update(b"1", b"1", large)), ("t", update(b"2", b"2", b"z")), ("t", insert(b"3", large)))
    assert rows(sql, "SELECT id, md5(v) FROM t ORDER BY id") == [
        (1, md5(large).hexdigest()), (2, md5(b"z").hexdigest()), (3, md5(large).hexdigest()),
    ]  # fmt: skip


def test_rows_of_several_copies_are_caught_up_with(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    """Of events that the copy may have seen already, each leaves its row as it says."""
    sql.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'newer'), (2, 'newer'), (3, 'x')"
    )
    with streaming(database, [make_plan("t")], states={"t": TableState.CATCHING_UP}) as stream:
        stream.events(
            ("t", insert(b"1", b"old")), ("t", insert(b"2", b"old")), ("t", delete(b"2")), ("t", delete(b"4")),
            ("t", insert(b"3", b"old")), ("t", update(b"3", b"3", b"x")),
        )  # fmt: skip
        assert rows(sql, "SELECT * FROM t ORDER BY id") == [(1, "old"), (3, "x")]


def test_deleted_rows_are_kept_and_marked(
    database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE bag (v text)")
    with streaming(database, [make_plan("t"), make_plan("bag")], ChangeOptions(soft_delete="gone at")) as stream:
        stream.applier.begin()
        with pytest.raises(RowError):  # which takes the column that was made for it away again
            stream.applier.apply(stream.parts(("t", insert(b"x", b"a"))), stream.tables)
        stream.applier.apply(stream.parts(("t", insert(b"1", b"a"))), stream.tables)
        stream.commit()
        stream.events(("t", insert(b"2", b"b")), ("t", insert(b"3", b"c")))
        stream.events(("t", update(b"1", b"1", b"A")), ("t", delete(b"1")), ("t", delete(b"2")))
        stream.events(("t", insert(b"4", b"d")), ("t", delete(b"4")), ("t", insert(b"2", b"again")))
        stream.events(("bag", insert(b"x")), ("bag", insert(b"x")), ("bag", delete(b"x")))
        stream.events(("bag", delete(b"x")), ("bag", insert(b"y")))
        marked = "SELECT id, v, \"gone at\" > now() - interval '1 minute' FROM t ORDER BY id"
        assert rows(sql, marked) == [(1, "A", True), (2, "again", None), (3, "c", None), (4, "d", True)]
        bag = 'SELECT v, "gone at" IS NOT NULL FROM bag ORDER BY v'
        assert rows(sql, bag) == [("x", True), ("x", True), ("y", False)]
        stream.applier.begin()
        stream.applier.truncate(Truncate((TableId("public", "t"),)), stream.tables)
        stream.commit()
        assert rows(sql, 'SELECT count(*) FROM t WHERE "gone at" IS NULL') == [(0,)]
