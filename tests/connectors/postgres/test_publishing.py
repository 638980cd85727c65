"""Publications of PostgreSQL that somebody alters: what they do not tell any more, or did not meanwhile, is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.model.run import ChangeOptions, TableState
from tests.connectors.postgres.changefeed import Feed
from tests.connectors.postgres.conftest import MakeFeed, Needs
from tests.connectors.postgres.taking import Taker

Sql = psycopg.Connection[Any]

_ALL = "insert, update, delete, truncate"
_MEANWHILE = {
    "ALTER PUBLICATION {0} SET (publish = 'insert'); ALTER PUBLICATION {0} SET (publish = '" + _ALL + "')": {"a", "p"},
    "ALTER PUBLICATION {0} DROP TABLE a; ALTER PUBLICATION {0} ADD TABLE a": {"a"},
    "DROP PUBLICATION {0}; CREATE PUBLICATION {0} FOR TABLE a, p WITH (publish_via_partition_root)": {"a", "p"},
    "ALTER PUBLICATION {0} OWNER TO CURRENT_USER; COMMENT ON TABLE a IS 'x'": set(),
    "ALTER PUBLICATION {0} SET (publish_via_partition_root = false)": {"a", "p"},
}
"""What is done while no stream runs, and which tables wait then."""


def _lost(one: Feed, told: Taker, *statements: str, sql: Sql) -> set[str]:
    """The tables that wait at the next start; they are copied anew then."""
    one.source.open(one.id, [table.source for table in one.tables], one.origin, "")
    with one.stream() as stream:
        for statement in statements:
            sql.execute(statement)
        while told.next(stream):
            pass
    waits = {table.source.name for table in one.tables if table.state is TableState.PAUSED}
    one.copy()
    one.tables = [replace(table, state=TableState.STREAMING) for table in one.tables]
    return waits


@pytest.mark.parametrize("database", ["postgres_db"], indirect=True)
def test_tables_wait_where_their_publication_was_another_one_while_no_stream_ran(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
    sql.execute("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id)")
    sql.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)")
    one = feed("a", "b", "p", options=ChangeOptions(table_operations={"b": ("insert",)}))
    (name,) = sql.execute("SELECT min(pubname) FROM pg_publication").fetchone() or ("",)
    told = Taker(one, monkeypatch)
    assert _lost(one, told, sql=sql) == set()
    for meanwhile, tables in _MEANWHILE.items():
        for statement in meanwhile.format(name).split("; "):
            sql.execute(statement)
        assert _lost(one, told, sql=sql) == tables, meanwhile
    sql.execute(f"ALTER PUBLICATION {name} SET (publish_via_partition_root)")
    _lost(one, told, sql=sql)
    assert _lost(one, told, sql=sql) == set()
    assert _lost(one, told, f"ALTER PUBLICATION {name} SET (publish = 'insert, delete')", sql=sql) == {"a", "p"}


@pytest.mark.parametrize("database", ["postgres15_db"], indirect=True)
def test_tables_wait_whose_own_publication_tells_less_than_at_the_start(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch, needs: Needs
) -> None:
    needs(15, "publishes all columns of a table")
    sql.execute("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY)")
    sql.execute("CREATE PUBLICATION mine FOR TABLE a, b")
    one = feed("a", "b", options=ChangeOptions(publication="mine"))
    told = Taker(one, monkeypatch)
    assert _lost(one, told, "ALTER PUBLICATION mine SET TABLE a (id), b", sql=sql) == {"a"}
    sql.execute("ALTER PUBLICATION mine SET TABLE a, b; ALTER PUBLICATION mine SET (publish = 'insert')")
    assert _lost(one, told, sql=sql) == {"a", "b"}
    sql.execute(f"ALTER PUBLICATION mine SET (publish = '{_ALL}')")
    assert _lost(one, told, sql=sql) == set()
