"""Transactions that PostgreSQL sends while they are under way, told ahead of their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres.client import connect
from mainstem.contract.changes import GroupLimits
from mainstem.errors import CancelledError
from mainstem.model.change import ChangeGroup, Idle, SchemaChange
from mainstem.model.connection import ConnectionSettings
from tests.connectors.postgres.changefeed import Feed
from tests.connectors.postgres.conftest import Needs

Sql = psycopg.Connection[Any]
LIMITS = GroupLimits(max_rows=200, ahead=True)


@pytest.fixture
def feed(database: ConnectionSettings, sql: Sql, needs: Needs) -> Iterator[Feed]:
    """Three tables: t has rows, u and v have none."""
    needs(14, "sends a transaction once it has ended")
    sql.execute(f"ALTER DATABASE {database.database} SET logical_decoding_work_mem = '64kB'")
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    sql.execute("INSERT INTO t SELECT i, 'old' FROM generate_series(1, 9) i")
    sql.execute("CREATE TABLE u (id int PRIMARY KEY, a text); CREATE TABLE v (id int PRIMARY KEY, a text)")
    one = Feed(database, "t", "u", "v")
    one.twin.rows["t"] = [(b"%d" % number, b"old") for number in range(1, 10)]
    yield one
    one.close()


@pytest.fixture
def other(database: ConnectionSettings) -> Iterator[Sql]:
    """Another connection of the application's."""
    with connect(database) as connection:
        yield connection


def many(table: str, first: int, last: int) -> str:
    return f"INSERT INTO {table} SELECT i, repeat('x', 50) FROM generate_series({first}, {last}) i"


def is_told(group: ChangeGroup | Idle) -> bool:
    """A piece of one that goes ahead."""
    return isinstance(group, ChangeGroup) and bool(group.ahead) and bool(group.parts)


def is_forgotten(group: ChangeGroup | Idle) -> bool:
    return isinstance(group, ChangeGroup) and bool(group.ahead) and not group.parts and not group.whole


def told(groups: list[ChangeGroup]) -> int:
    """Rows of what went ahead."""
    return sum(group.rows for group in groups if group.ahead)


def test_a_transaction_is_told_before_its_end_and_others_in_between(sql: Sql, other: Sql, feed: Feed) -> None:
    with feed.stream(LIMITS) as stream:
        with other.transaction():
            other.execute(many("u", 1, 1000))
            other.execute("UPDATE t SET a = 'new' WHERE id = 1; UPDATE t SET id = 20 WHERE id = 2")
            other.execute("DELETE FROM t WHERE id = 3")
            groups = feed.until(stream, is_told)
            sql.execute("UPDATE t SET a = 'others' WHERE id = 4; DELETE FROM t WHERE id = 5")
            sql.execute("INSERT INTO v VALUES (-1, 'others')")
            other.execute("INSERT INTO t VALUES (5, 'again')")
            other.execute(many("v", 1, 1000))
            other.execute("UPDATE u SET a = 'y' WHERE id % 2 = 0; DELETE FROM u WHERE id % 3 = 0")
        groups += feed.follow(stream)
        assert feed.answered == {1: True}
        feed.check()
        assert {group.position for group in groups if not group.whole} == {""}
        assert told(groups) == 1000 + 3 + 1 + 1000 + 500 + 333
        assert all(group.rows <= 200 for group in groups if group.ahead)
        assert sum(group.transactions for group in groups) == 3
        # The server takes what it said of the tables in there for known.
        sql.execute("INSERT INTO u VALUES (-1, 'behind'); INSERT INTO v VALUES (-2, 'behind')")
        sql.execute(many("v", 2001, 3000))
        feed.follow(stream)
        feed.check()
    assert feed.answered == {1: True, 2: True}


def test_what_is_rolled_back_at_the_source_is_forgotten(sql: Sql, feed: Feed) -> None:
    with feed.stream(LIMITS) as stream:
        with sql.transaction(force_rollback=True):
            sql.execute(many("u", 1, 1000))
            feed.until(stream, is_told)
        groups = feed.until(stream, is_forgotten)
        sql.execute(many("v", 1, 1000))  # the next one is not told ahead
        groups += feed.follow(stream)
        feed.check()
        assert told(groups) <= 1000
        sql.execute(many("v", 1001, 2000))
        feed.follow(stream)
        feed.check()
    assert feed.answered == {2: True}


def _part_of_it(sql: Sql) -> None:
    with sql.transaction(force_rollback=True):
        sql.execute(many("u", 2001, 3000))


OBSTACLES: dict[str, Callable[[Sql], object]] = {
    "a part of it that is rolled back": _part_of_it,
    "a table that is emptied": lambda sql: sql.execute("TRUNCATE v; " + many("v", 1, 1000)),
    "a large value": lambda sql: sql.execute(
        "INSERT INTO v SELECT 1, string_agg(md5(i::text || random()::text), '') FROM generate_series(1, 200000) i"
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_what_stands_in_the_way_leaves_it_to_the_time_behind_its_commit(
    obstacle: Callable[[Sql], object], sql: Sql, feed: Feed
) -> None:
    with feed.stream(LIMITS) as stream:
        with sql.transaction():
            sql.execute(many("u", 1, 1000))
            feed.until(stream, is_told)
            obstacle(sql)
            sql.execute(many("u", 4001, 4500))
        groups = feed.follow(stream)
    assert any(is_forgotten(group) for group in groups)
    feed.check()
    assert feed.answered == {}


def test_a_change_of_columns_within_it_is_told_behind_its_commit(sql: Sql, feed: Feed) -> None:
    with feed.stream(LIMITS) as stream:
        with sql.transaction():
            sql.execute(many("u", 1, 1000))
            feed.until(stream, is_told)
            sql.execute("ALTER TABLE v ADD more int")
            sql.execute("INSERT INTO v SELECT i, 'x', i FROM generate_series(1, 1000) i")
        groups = feed.follow(stream)
    changed = next(n for n, group in enumerate(groups) if any(isinstance(part, SchemaChange) for part in group.parts))
    assert any(is_forgotten(group) for group in groups[:changed])
    assert len(feed.twin.rows["u"]) == 1000
    assert feed.answered == {}


@pytest.mark.parametrize("early", [True, False], ids=["at once", "at its end"])
def test_what_the_target_does_not_take_comes_behind_its_commit(early: bool, sql: Sql, feed: Feed) -> None:
    feed.takes = False
    with feed.stream(LIMITS) as stream:
        with sql.transaction():
            sql.execute(many("u", 1, 1000))
            feed.until(stream, is_told)
            if early:
                stream.answer(1, False)
                sql.execute(many("u", 1001, 2000))
                feed.until(stream, is_forgotten)
        groups = feed.follow(stream)
        feed.check()
        assert sum(group.transactions for group in groups if not group.ahead) == 1
        assert feed.answered == ({} if early else {1: False})
        feed.takes = True
        for first in (3001, 5001):
            sql.execute(many("v", first, first + 1000))
        feed.follow(stream)
    feed.check()
    assert feed.answered[2]


def test_a_table_that_is_read_in_another_way_from_here_on_ends_it(sql: Sql, feed: Feed) -> None:
    with feed.stream(LIMITS) as stream:
        with sql.transaction():
            sql.execute(many("u", 1, 1000))
            feed.until(stream, is_told)
            stream.settle(feed.tables[1])
            sql.execute(many("u", 1001, 2000))
            feed.until(stream, is_forgotten)
        feed.follow(stream)
    feed.check()
    assert feed.answered == {}


def test_whoever_waits_for_the_answer_can_be_interrupted(sql: Sql, feed: Feed) -> None:
    with feed.stream(LIMITS) as stream:
        sql.execute(many("u", 1, 1000))
        found: list[ChangeGroup] = []
        errors: list[BaseException] = []

        def read() -> None:
            try:
                for group in stream.groups():
                    if isinstance(group, ChangeGroup):
                        found.append(group)
                        if group.ahead and group.whole:
                            waits.set()
            except CancelledError as exc:
                errors.append(exc)

        waits = threading.Event()
        thread = threading.Thread(target=read)
        thread.start()
        assert waits.wait(30)
        stream.interrupt()
        thread.join(30)
        assert not thread.is_alive()
        assert len(errors) == 1
    feed.run(LIMITS)
    feed.check()
