"""Whether rows may lie elsewhere than when a table was cut into chunks."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.snapshot import PostgresSource
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk

from .conftest import MakePlan
from .test_snapshot import numbers

KEPT = ["SELECT", "DELETE FROM t WHERE id = 5", "VACUUM t", "INSERT INTO other VALUES (1, '')"]
MOVED = ["UPDATE t SET filler = '' WHERE id = 5", "INSERT INTO t VALUES (0)", "VACUUM FULL t", "TRUNCATE t"]


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize(("change", "moved"), [*((sql, False) for sql in KEPT), *((sql, True) for sql in MOVED)])
def test_rows_have_moved_only_if_some_were_written_anew(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan, change: str, moved: bool
) -> None:
    numbers(sql, 9000)
    numbers(sql, 1, "other")
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as earlier:
        chunks = earlier.readers[0].plan_chunks(plan, 1000)
        since = earlier.position
    sql.execute(change.encode())
    with PostgresSource(database).snapshot(1) as later:
        assert later.moved(plan, chunks, since) is moved
        assert later.moved(plan, [Chunk(plan.source, 0)], since) is False


@pytest.mark.usefixtures("cut")
def test_rows_of_a_transaction_that_was_under_way_have_moved(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 9000)
    plan = make_plan("t")
    with connect(database) as other:
        other.execute("BEGIN; SAVEPOINT inner_one; INSERT INTO t VALUES (0)")
        sql.execute("CREATE TABLE later ()")
        with PostgresSource(database).snapshot(1) as earlier:
            chunks = earlier.readers[0].plan_chunks(plan, 1000)
            since = earlier.position
        other.execute("COMMIT")
    with PostgresSource(database).snapshot(1) as later:
        assert later.moved(plan, chunks, since)


def test_a_new_partition_is_a_move(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)")
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as earlier:
        chunks = earlier.readers[0].plan_chunks(plan, 1000)
        assert not earlier.moved(plan, chunks, earlier.position)
    sql.execute("CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2)")
    with PostgresSource(database).snapshot(1) as later:
        assert later.moved(plan, chunks, earlier.position)
