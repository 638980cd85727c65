"""Large transactions between PostgreSQLs, applied while they are under way: as if they had come at their end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from tools.twins import send_early
from tools.workload import Session

from mainstem import failpoints
from mainstem.contract.changes import GroupLimits
from mainstem.engine import streaming
from mainstem.engine.handover import HandOver
from mainstem.engine.replication import Replication
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import TableState
from mainstem.testing.nats import nats
from tests.apart import apart
from tests.e2e.routes import POSTGRES, End, Route
from tests.e2e.streams import Following, cdc, following, wait_until

pytestmark = pytest.mark.parametrize("route", [(POSTGRES, POSTGRES)], indirect=True)
COMMITTED, ROLLED_BACK = "ahead.committed", "ahead.rolled_back"


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each place was passed; pieces are small."""
    passes: dict[str, int] = {}
    places = (COMMITTED, ROLLED_BACK, "ahead.applied")
    monkeypatch.setattr(failpoints, "_points", dict.fromkeys(places, ("count", 0)))
    monkeypatch.setattr(failpoints, "_passes", passes)
    monkeypatch.setattr(streaming, "GroupLimits", partial(GroupLimits, max_rows=100))
    monkeypatch.setattr("mainstem.engine.ahead.REST_S", 1000.0)
    return passes


@contextmanager
def two(route: Route) -> Iterator[tuple[Session, Session]]:
    """Two connections of users to the source."""
    with Session(route.source.settings) as one, Session(route.source.settings) as other:
        yield one, other


def rows(first: int, count: int) -> str:
    return f"SELECT i, i, repeat('x', 100) FROM generate_series({first}, {first + count - 1}) i"


def made(route: Route) -> None:
    send_early(route.source.settings)
    route.source.run(
        "CREATE TABLE t (id int PRIMARY KEY, u int, v text)", f"INSERT INTO t {rows(1, 500)}",
        "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE)",
        "INSERT INTO child SELECT i, i FROM generate_series(1, 500) i",
        "CREATE TABLE emptied (id int PRIMARY KEY)",
    )  # fmt: skip


@contextmanager
def streaming_all(stream: Following) -> Iterator[Replication]:
    """Until then a table's rows may be newer than what is applied, and nothing goes ahead."""
    with stream.running() as replication:
        stream.route.source.run("INSERT INTO t VALUES (0, 0, '')")
        wait_until(lambda: all(table.state is TableState.STREAMING for table in replication.progress().tables))
        stream.wait_rows("SELECT count(*) FROM t WHERE id = 0", [(1,)])
        yield replication


def test_others_commit_beside_it_and_all_is_as_at_the_source(route: Route, passed: dict[str, int]) -> None:
    made(route)
    generator = random.Random(5)
    with following(route) as stream, streaming_all(stream) as replication, two(route) as (one, other):
        for turn in range(4):
            first, before = 1000 * (turn + 1), passed.get("ahead.applied", 0)
            one.run("BEGIN", f"INSERT INTO t {rows(first, 400)}", "UPDATE t SET v = 'new' WHERE id % 7 = 0")
            one.run(f"UPDATE t SET id = -id WHERE id = {turn * 7 + 7}", f"DELETE FROM t WHERE id % 70 = {turn + 1}")
            wait_until(lambda before=before: passed.get("ahead.applied", 0) > before)  # type: ignore[misc]
            for number in range(20):
                key = generator.randrange(500)
                key += key % 7 == 0
                other.run(
                    f"UPDATE t SET u = u + 1 WHERE id = {key} AND id % 70 <> {turn + 1}",
                    f"INSERT INTO child VALUES ({first + number}, NULL)",
                )
            stream.wait_rows(f"SELECT count(*) FROM child WHERE id >= {first}", [(20,)])
            assert route.target.run(f"SELECT count(*) FROM t WHERE id >= {first}") == [(0,)]
            one.run(f"INSERT INTO t {rows(first + 400, 400)}", "ROLLBACK" if turn == 3 else "COMMIT")
            wait_until(lambda turn=turn: passed.get(COMMITTED, 0) + passed.get(ROLLED_BACK, 0) > turn)  # type: ignore[misc]
        stream.wait_equal()
        assert sum(table.missing for table in replication.progress().tables) == 0
        assert (passed[COMMITTED], passed[ROLLED_BACK]) == (3, 1)


def test_what_only_the_target_forbids_is_waited_for_shortly_and_then_given_way_to(
    route: Route, passed: dict[str, int]
) -> None:
    made(route)
    with following(route) as stream, streaming_all(stream), two(route) as (one, other):
        route.target.run("CREATE UNIQUE INDEX only_here ON t (u)")
        one.run("BEGIN", "DELETE FROM t WHERE id = 1", f"INSERT INTO t {rows(1000, 400)}")
        wait_until(lambda: passed.get("ahead.applied", 0) > 0)
        other.run("INSERT INTO t VALUES (-1, 1000, 'the same in u')")
        stream.wait_rows("SELECT u FROM t WHERE id = -1", [(1000,)])
        assert passed[ROLLED_BACK] == 1
        route.target.run("DROP INDEX only_here")
        one.run(f"INSERT INTO t {rows(2000, 400)}", "COMMIT")
        stream.wait_equal()
        assert COMMITTED not in passed


def test_a_table_that_is_emptied_meanwhile_is_not_waited_for(route: Route, passed: dict[str, int]) -> None:
    made(route)
    with following(route) as stream, streaming_all(stream), two(route) as (one, other):
        one.run("BEGIN", "INSERT INTO emptied SELECT i FROM generate_series(1, 2000) i")
        wait_until(lambda: passed.get("ahead.applied", 0) > 0)
        other.run("TRUNCATE child")
        stream.wait_rows("SELECT count(*) FROM child", [(0,)])
        assert passed[ROLLED_BACK] == 1
        one.run("COMMIT")
        stream.wait_equal()


def test_what_another_process_reads_goes_ahead_too(route: Route, passed: dict[str, int]) -> None:
    made(route)
    ends, options = (route.source.endpoint, route.target.endpoint), cdc()
    with nats() as server, apart(server.url, *ends, options, "reader") as parts:
        led, stream_id = Route(End(route.source.settings), End(route.target.settings)), new_id(STREAM)
        led.source.endpoint, led.target.endpoint = parts.leading(stream_id)
        with following(led, options) as stream, two(route) as (one, other):
            stream.stream_id = stream_id
            with streaming_all(stream):
                one.run("BEGIN", f"INSERT INTO t {rows(1000, 400)}")
                wait_until(lambda: passed.get("ahead.applied", 0) > 0)
                other.run("UPDATE t SET v = 'others' WHERE id = 1")
                stream.wait_rows("SELECT v FROM t WHERE id = 1", [("others",)])
                one.run(f"INSERT INTO t {rows(2000, 400)}", "COMMIT")
                stream.wait_equal()
                assert (passed[COMMITTED], passed.get(ROLLED_BACK, 0)) == (1, 0)


def test_structure_is_not_finished_beside_it(
    route: Route, passed: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another connection makes the foreign keys, which lock a table that this one has written to."""
    copy = HandOver.copy
    parent = "CREATE TABLE parent (id int PRIMARY KEY, u int, v text)"
    send_early(route.source.settings)
    route.source.run(
        parent, "INSERT INTO parent VALUES (1)", "CREATE TABLE child (id int PRIMARY KEY REFERENCES parent)"
    )
    route.target.run(parent, "INSERT INTO parent VALUES (1)")
    with two(route) as (one, other), following(route) as stream:

        def copied(*arguments: Any) -> Any:
            done = copy(*arguments)
            one.run("BEGIN", f"INSERT INTO parent {rows(10, 2000)}")
            return done

        monkeypatch.setattr(HandOver, "copy", copied)
        with stream.running():
            wait_until(lambda: passed.get("ahead.applied", 0) > 0)
            other.run("INSERT INTO child VALUES (1)")
            stream.wait_rows("SELECT count(*) FROM pg_constraint WHERE contype = 'f'", [(1,)])
            one.run("COMMIT")
            stream.wait_equal()
