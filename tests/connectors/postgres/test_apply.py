"""Changes into PostgreSQL: few are applied by single statements, many by sets, and either way the same comes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import apply as module
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from tests.connectors.postgres.applying import Stream, rows, streaming
from tests.connectors.postgres.conftest import MakePlan
from tests.native.net_oracle import Cell, Event

INSERT, UPDATE, DELETE = Op.INSERT, Op.UPDATE, Op.DELETE


@pytest.fixture(params=[0, 1000], ids=["by sets", "one by one"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many events are few."""
    limit: int = request.param
    monkeypatch.setattr(module, "FEW", limit)
    return limit


def insert(*row: Cell) -> Event:
    return Event(INSERT, None, row)


def update(key: Cell, *row: Cell, absent: frozenset[int] = frozenset()) -> Event:
    return Event(UPDATE, (key,), row, absent)


def delete(*key: Cell) -> Event:
    return Event(DELETE, key)


@pytest.fixture
def stream(
    few: int, database: ConnectionSettings, sql: psycopg.Connection[Any], make_plan: MakePlan
) -> Iterator[Stream]:
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
