"""XA transactions: told when they are committed, not when they are prepared, over any restart between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mainstem.connectors.mysql.client import connect, query
from mainstem.contract.changes import GroupLimits
from mainstem.errors import PositionLostError
from mainstem.model.connection import ConnectionSettings
from tests.connectors.mysql.following import Source, run

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor


@pytest.fixture
def source(mysql_db: ConnectionSettings) -> Source:
    run(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))", "CREATE TABLE u (id INT PRIMARY KEY)")
    return Source(mysql_db, "t", "u")


class Xa:
    """One after the other on a connection of its own."""

    def __init__(self, connection: Connection[Cursor], database: str) -> None:
        self._connection = connection
        self._database = database

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        return query(self._connection, sql)

    def prepare(self, name: str, *sql: str) -> str:
        xid = f"'{self._database}','{name}'"
        for statement in (f"XA START {xid}", *sql, f"XA END {xid}", f"XA PREPARE {xid}"):
            self.run(statement)
        return xid


@contextmanager
def xa(source: Source) -> Iterator[Xa]:
    with connect(source.settings) as connection:
        yield Xa(connection, source.settings.database)


def test_rows_come_with_the_commit_and_go_with_the_rollback(source: Source) -> None:
    with xa(source) as one, xa(source) as two:
        first = one.prepare("1", "INSERT INTO t VALUES (1, 'a')", "INSERT INTO u VALUES (1)")
        second = two.prepare("2", "INSERT INTO t VALUES (2, 'b')")
        source.run("INSERT INTO t VALUES (3, 'c')")
        assert set(source.follow().tables["t"]) == {(b"3",)}
        two.run(f"XA ROLLBACK {second}")
        one.run(f"XA COMMIT {first}")
    seen = source.follow()
    assert set(seen.tables["t"]) == {(b"1",), (b"3",)} == set(source.rows("t"))
    assert set(seen.tables["u"]) == {(b"1",)}
    assert seen.groups[-1].whole
    assert seen.groups[-1].transactions == 1


def test_one_phase_is_a_transaction_like_others(source: Source) -> None:
    with xa(source) as one:
        for statement in ("XA START 'p'", "INSERT INTO t VALUES (1, 'a')", "XA END 'p'", "XA COMMIT 'p' ONE PHASE"):
            one.run(statement)
    assert set(source.follow().tables["t"]) == {(b"1",)}


def test_a_transaction_that_is_prepared_outlives_restarts_of_the_stream(source: Source) -> None:
    """What was read after it is not told again."""
    with xa(source) as one:
        first = one.prepare("1", "INSERT INTO t VALUES (1, 'a')")
        source.run("INSERT INTO t VALUES (2, 'b')")
        source.follow()
        source.run("FLUSH BINARY LOGS", "UPDATE t SET v = 'c' WHERE id = 2")
        seen = source.follow()
        assert seen.events["t"] == [("insert", (b"2", b"b"), None), ("update", (b"2", b"c"), (b"2",))]
        one.run(f"XA COMMIT {first}")
    seen = source.follow()
    assert seen.events["t"][2:] == [("insert", (b"1", b"a"), None)]
    assert "prepared" not in seen.position
    source.run("INSERT INTO t VALUES (5, 'e')")
    assert len(source.follow().events["t"]) == 4


def test_a_large_prepared_transaction_comes_in_pieces(source: Source) -> None:
    with xa(source) as one:
        first = one.prepare(
            "1", "INSERT INTO t SELECT seq, REPEAT('x', 20) FROM seq_1_to_10000", "UPDATE t SET v = 'y' WHERE id = 7"
        )
        source.run("INSERT INTO u VALUES (1)")
        with source.stream(GroupLimits(max_bytes=50_000)) as stream:
            source.read(stream, source.changes.end_position())
            one.run(f"XA COMMIT {first}")
            seen = source.read(stream, source.changes.end_position())
    assert [group.whole for group in seen.groups][:2] == [True, False]
    assert seen.groups[-1].whole
    assert seen.tables["t"] == source.rows("t")


def test_what_is_in_the_copy_is_not_told_again(source: Source) -> None:
    """A table's copy has what was committed before it, whenever that was prepared."""
    with xa(source) as one, xa(source) as two:
        first = one.prepare("1", "INSERT INTO t VALUES (1, 'a')")
        second = two.prepare("2", "INSERT INTO t VALUES (2, 'b')")
        one.run(f"XA COMMIT {first}")
        with source.changes.snapshot(source.origin, 1) as snapshot:
            since = snapshot.position
        two.run(f"XA COMMIT {second}")
    source.copied("t", since)
    assert set(source.follow().tables["t"]) == {(b"2",)}


def test_a_stream_that_begins_sees_what_is_prepared_meanwhile(source: Source) -> None:
    """It waits for what was prepared before, so that each is committed before its position, or known to it."""
    with xa(source) as one, xa(source) as two, xa(source) as three:
        first = one.prepare("1", "INSERT INTO t VALUES (1, 'a')")

        def meanwhile() -> None:
            second = two.prepare("2", "INSERT INTO t VALUES (2, 'b')")
            three.prepare("3", "INSERT INTO t VALUES (3, 'c')")
            one.run(f"XA COMMIT {first}")
            source.changes.end_position()
            two.run(f"XA COMMIT {second}")

        timer = threading.Timer(0.3, meanwhile)
        timer.start()
        fresh = Source(source.settings, "t")
        timer.join()
        assert b'"xid": ""'.replace(b" ", b"") in fresh.position.encode()
        three.run("XA COMMIT " + f"'{source.settings.database}','3'")
    told = set(fresh.follow().tables["t"])
    assert (b"3",) in told
    assert (b"1",) not in told
    assert "prepared" not in fresh.seen.position


def test_rows_that_were_prepared_before_the_stream_began_are_missed_loudly(source: Source) -> None:
    with xa(source) as one:
        first = one.prepare("1", "INSERT INTO t VALUES (1, 'a')")
        source.seen.position = source.changes.end_position()
        one.run(f"XA COMMIT {first}")
    with pytest.raises(PositionLostError, match="prepared before the stream began"):
        source.follow()
