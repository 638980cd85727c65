"""Each of the two versions in turn, and plans made from what the catalog says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import ChangeOptions
from tests.connectors.postgres.changefeed import Feed

MakePlan = Callable[..., TablePlan]
MakeFeed = Callable[..., Feed]
Needs = Callable[[int, str], None]


@pytest.fixture(params=["postgres15_db", "postgres_db"])
def database(request: pytest.FixtureRequest) -> ConnectionSettings:
    """An empty database of this test, on either version."""
    settings: ConnectionSettings = request.getfixturevalue(request.param)
    return settings


@pytest.fixture
def sql(database: ConnectionSettings) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the application's."""
    with connect(database) as connection:
        yield connection


@pytest.fixture
def needs(sql: psycopg.Connection[Any]) -> Needs:
    """Passes the test over where the server is older than one that can do a thing."""

    def check(major: int, what: str) -> None:
        if sql.info.server_version < major * 10_000:
            pytest.skip(f"PostgreSQL {sql.info.server_version // 10_000} {what}")

    return check


@pytest.fixture
def cut(needs: Needs) -> None:
    """Tables are cut into ranges of blocks."""
    needs(14, "finds a range of blocks only by reading the whole table, which is not cut therefore")


@pytest.fixture
def roots(needs: Needs) -> None:
    """Partitioned tables can be followed."""
    needs(13, "publishes no partitioned table")


@pytest.fixture
def make_plan(database: ConnectionSettings) -> MakePlan:
    """The plan of a table that keeps its types; keywords change it."""

    def make(name: str, **changes: Any) -> TablePlan:
        id_ = TableId("public", name)
        with PostgresInspector(database) as inspector:
            (table,) = (table for table in inspector.catalog([id_]).tables if table.id == id_)
        columns = tuple(
            ColumnPlan(column.name, column.name, column.type, column.native, column.nullable, column.native)
            for column in table.columns
        )
        plan = TablePlan(
            id_, id_, columns, table.primary_key,
            rows_estimate=table.rows_estimate, bytes_estimate=table.bytes_estimate,
        )  # fmt: skip
        return replace(plan, **changes)

    return make


@pytest.fixture
def feed(database: ConnectionSettings) -> Iterator[MakeFeed]:
    """Makes streams of tables of the database; they end with the test."""
    made: list[Feed] = []

    def make(*names: str, options: ChangeOptions | None = None) -> Feed:
        made.append(Feed(database, *names, options=options))
        return made[-1]

    yield make
    for one in made:
        one.close()
