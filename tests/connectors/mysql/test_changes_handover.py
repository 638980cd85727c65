"""Snapshot and stream together are the source: each transaction is in one of them, and in no more than one."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest import mock

import pymysql
import pytest
from pymysql.constants import ER

from mainstem.connectors.mysql import consistency
from mainstem.connectors.mysql.client import connect, query
from mainstem.errors import StatementError
from mainstem.model.connection import ConnectionSettings
from tests.connectors.mysql.following import DEADLINE_S, Cells, Source, in_thread, read_all, run
from tests.connectors.test_preflight_mysql import login

WRITERS = 3


def writer(settings: ConnectionSettings, number: int, written: list[int]) -> Callable[[threading.Event], None]:
    """Inserts, updates, deletes, changes of keys, rollbacks and savepoints, on keys of its own."""
    chance, low = random.Random(number), number * 1_000_000

    def transaction(connection: Any) -> None:
        connection.begin()
        rows = 0
        for _ in range(chance.randint(1, 5)):
            key, other = low + chance.randrange(300), low + chance.randrange(300)
            statement = chance.choice(
                (
                    f"INSERT IGNORE INTO a VALUES ({key}, {key}, 'new'), ({other}, 1, NULL)",
                    f"UPDATE a SET n = n + 1, v = 'changed' WHERE id BETWEEN {key} AND {key + 5}",
                    f"DELETE FROM a WHERE id = {key}",
                    f"UPDATE IGNORE a SET id = {other} WHERE id = {key}",
                    f"REPLACE INTO b VALUES ({key}, {chance.randrange(1000)})",
                )
            )
            undone = chance.random() < 0.1
            if undone:
                query(connection, "SAVEPOINT s")
            with connection.cursor() as cursor:
                rows += cursor.execute(statement)
            if undone:
                query(connection, "ROLLBACK TO s")
        if chance.random() < 0.1:
            connection.rollback()
        else:
            connection.commit()
            written[number] += rows

    def work(stop: threading.Event) -> None:
        with connect(settings) as connection:
            while not stop.is_set():
                try:
                    transaction(connection)
                except pymysql.OperationalError as exc:  # of two writers at a gap, the server has rolled one back
                    if exc.args[0] != ER.LOCK_DEADLOCK:
                        raise

    return work


@pytest.mark.parametrize("way", ["without a lock", "under a lock"])
def test_nothing_is_missing_and_nothing_is_twice(mysql_db: ConnectionSettings, way: str) -> None:
    run(
        mysql_db,
        "CREATE TABLE a (id INT PRIMARY KEY, n INT, v VARCHAR(20))",
        "CREATE TABLE b (id INT PRIMARY KEY, n INT)",
    )
    source = Source(mysql_db, "a", "b")
    written = [0] * WRITERS
    threads = [in_thread(writer(mysql_db, number, written)) for number in range(WRITERS)]
    copies: dict[str, list[Cells]] = {}
    source.seen.strict = True
    try:
        for name in ("a", "b"):  # at two positions
            under_load(written)
            with told_by(way):
                snapshot_of(source, name, copies)
        under_load(written)
    finally:
        for thread, stop in threads:
            stop.set()
            thread.join(60)
    for name, rows in copies.items():
        source.seen.tables[name] = {row[:1]: row for row in rows}
    source.follow()
    for name in ("a", "b"):
        assert source.seen.tables[name] == source.rows(name)


def under_load(written: list[int]) -> None:
    """Let the writers change some rows more."""
    deadline, enough = time.monotonic() + DEADLINE_S, sum(written) + 1_000
    while sum(written) < enough:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def told_by(way: str) -> AbstractContextManager[object]:
    """MariaDB tells the position of a snapshot; MySQL, which does not, is locked for a moment."""
    return mock.patch.object(consistency, "_without_lock", return_value=None) if "under" in way else nullcontext()


def snapshot_of(source: Source, name: str, copies: dict[str, list[Cells]]) -> None:
    with source.changes.snapshot(source.origin, 3) as snapshot:
        source.copied(name, snapshot.position)
        plan = source.tables[name].plan
        seen = [sorted(read_all(reader, plan), key=repr) for reader in snapshot.readers]
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]
    copies[name] = seen[0]


def test_without_the_rights_for_an_exact_position_there_is_no_snapshot(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE a (id INT PRIMARY KEY)")
    source = Source(mysql_db, "a")
    with login(mysql_db, "SELECT ON {db}.*") as user:
        source.changes = type(source.changes)(user, source.changes._options)
        with (
            told_by("under a lock"),
            pytest.raises(StatementError, match="place of a snapshot"),
            source.changes.snapshot(source.origin, 1),
        ):
            raise AssertionError("there is a snapshot")


def test_changes_of_the_copy_are_checked_event_by_event(mysql_db: ConnectionSettings) -> None:
    """What was committed before the copy is not told, what came after it is, table by table."""
    run(mysql_db, "CREATE TABLE a (id INT PRIMARY KEY, n INT, v VARCHAR(20))", "CREATE TABLE b (id INT PRIMARY KEY)")
    source = Source(mysql_db, "a", "b")
    source.run("INSERT INTO a VALUES (1, 1, 'before')", "INSERT INTO b VALUES (1)")
    with connect(mysql_db) as connection:
        connection.begin()
        query(connection, "INSERT INTO a VALUES (2, 2, 'begun before, committed after')")
        with source.changes.snapshot(source.origin, 2) as snapshot:
            source.copied("a", snapshot.position)
        connection.commit()
    seen = source.follow()
    assert [row[0] for _, row, _ in seen.events["a"] if row] == [b"2"]
    assert [row[0] for _, row, _ in seen.events["b"] if row] == [b"1"]
