"""From the copy to the stream: no row is lost or doubled, whatever is written meanwhile and whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mainstem import failpoints
from mainstem.connectors.postgres.book import PostgresBook
from mainstem.errors import StatementError
from tests.e2e.routes import CROSSING, MYSQL, POSTGRES, Route
from tests.e2e.streams import following, wait_until

FIRST = ("handover.opened",)
POINTS = (*FIRST, "reader.batch", "loader.after_commit", "handover.saved")
NTH = {"reader.batch": 4, "loader.after_commit": 3}


@contextmanager
def hammered(route: Route) -> Iterator[None]:
    """Transactions with everything in them, one after the other, all the time."""
    over = threading.Event()
    words = "START TRANSACTION" if route.source.settings.type == MYSQL else "BEGIN"

    def write() -> None:
        number = 1_000_000
        while not over.is_set():
            number += 10
            old = number % 5000 + 1
            route.source.run(
                words,
                f"INSERT INTO a VALUES ({number}, 1), ({number + 1}, 2)",
                f"INSERT INTO keyless VALUES ({number}, 1), ({number}, 1)",
                f"UPDATE a SET v = v + 1 WHERE id BETWEEN {old} AND {old + 20}",
                f"DELETE FROM a WHERE id = {old + 7}",
                f"UPDATE a SET id = {number + 5} WHERE id = {old + 3}",
                "SAVEPOINT s",
                f"INSERT INTO a VALUES ({number + 7}, 7)",
                "ROLLBACK TO SAVEPOINT s",
                "COMMIT" if number % 30 else "ROLLBACK",
            )

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _make(route: Route) -> None:
    source = route.source
    source.run(
        "CREATE TABLE a (id BIGINT PRIMARY KEY, v BIGINT)",
        "CREATE TABLE keyless (id BIGINT, v BIGINT)",
        f"INSERT INTO a SELECT seq, 0 FROM {source.rows(60_000)}",
        f"INSERT INTO keyless SELECT seq, 0 FROM {source.rows(5_000)}",
    )
    if source.settings.type == POSTGRES:
        source.run("ALTER TABLE keyless REPLICA IDENTITY FULL")
    for table in ("a", "keyless"):
        source.analyze(table)


def test_what_is_written_during_the_copy_arrives_once(route: Route) -> None:
    _make(route)
    with following(route) as stream:
        with hammered(route), stream.running() as replication:
            wait_until(lambda: replication.progress().changes.transactions > 20)  # type: ignore[union-attr]
        with stream.running() as replication:
            stream.wait_equal()
            assert sum(table.missing for table in replication.progress().tables) == 0


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
@pytest.mark.parametrize("point", POINTS)
def test_a_connection_that_is_lost_on_the_way_loses_and_doubles_nothing(
    route: Route, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(route)
    monkeypatch.setattr(failpoints, "_points", {point: ("error", NTH.get(point, 1))})
    monkeypatch.setattr(failpoints, "_passes", {})
    with following(route) as stream:
        with hammered(route):
            if point in FIRST:  # the stream is not known yet: the run fails, and another begins
                assert stream.replication().run().error_code == "connection_lost"
            with stream.running() as replication:
                wait_until(lambda: replication.progress().changes.transactions > 3, stream.said)  # type: ignore[union-attr]
        with stream.running():
            stream.wait_equal()


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_foreign_keys_wait_until_tables_are_of_one_moment(route: Route) -> None:
    kept = "CREATE TABLE parents (id BIGINT PRIMARY KEY, v BIGINT)"
    for end in (route.source, route.target):
        end.run(kept, "INSERT INTO parents VALUES (1, 1)")
    route.source.run(
        "CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT, FOREIGN KEY (parent) REFERENCES parents (id))"
    )
    with following(route) as stream:
        route.source.run("INSERT INTO children VALUES (1, 1)")
        with stream.running():
            route.source.run("INSERT INTO parents VALUES (2, 2)", "INSERT INTO children VALUES (2, 2)")
            stream.wait_equal()
            wait_until(lambda: _foreign_keys(route) == 1, stream.said)
            assert [item for item in stream.said() if "foreign key was not made" in item] == []


def _foreign_keys(route: Route) -> int:
    schema = "DATABASE()" if route.target.settings.type == MYSQL else "'public'"
    question = (
        "SELECT COUNT(*) FROM information_schema.table_constraints"
        f" WHERE constraint_type = 'FOREIGN KEY' AND table_schema = {schema}"
    )
    return int(route.target.run(question)[0][0])


@pytest.mark.parametrize("route", [(POSTGRES, POSTGRES)], indirect=True)
def test_a_stream_whose_book_is_refused_leaves_nothing_at_its_source(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StatementError("no right to make tables")

    monkeypatch.setattr(PostgresBook, "create", refuse)
    route.source.run("CREATE TABLE a (id int PRIMARY KEY)")
    with following(route) as stream:
        assert stream.replication().run().error_code == StatementError.code
        left = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        assert route.source.run(left) == []


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_a_table_that_is_dropped_while_a_stream_begins_hinders_no_other(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    hit, dropping = failpoints.hit, ["DROP TABLE gone"]

    def drop(point: str) -> None:
        if point == "handover.planned" and dropping:
            route.source.run(dropping.pop())
        hit(point)

    monkeypatch.setattr(failpoints, "hit", drop)
    route.source.run("CREATE TABLE a (id BIGINT PRIMARY KEY)", "CREATE TABLE gone (id BIGINT PRIMARY KEY)")
    with following(route) as stream, stream.running() as replication:
        wait_until(lambda: replication.progress().stage == "streaming", stream.said)
        route.source.run("INSERT INTO a VALUES (1)")
        wait_until(lambda: route.target.run("SELECT id FROM a") == [(1,)], stream.said)
