"""What a stream of changes has at the server: its slot and publication, or those of the users."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import slot as slots
from mainstem.contract.changes import GroupLimits
from mainstem.errors import PositionLostError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import ChangeOptions
from tests.connectors.postgres.conftest import MakeFeed, Needs

Sql = psycopg.Connection[Any]


def test_a_slot_that_is_gone_is_not_made_anew(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    one.run()
    slot = json.loads(one.origin)["slot"]
    slots.drop(sql, slot)
    tables = [table.source for table in one.tables]
    for again in (lambda: one.source.open(one.id, tables, one.origin, ""), one.run):
        with pytest.raises(PositionLostError, match="is gone"):
            again()
    assert one.source.retention(one.origin, one.position).lost
    sql.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
    with pytest.raises(PositionLostError, match="made anew"):
        one.run()


def test_another_server_is_not_taken_for_the_source(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    other = json.dumps({**json.loads(one.origin), "system": "1"})
    with pytest.raises(PositionLostError, match="another server"):
        one.source.stream(other, one.position, one.tables, GroupLimits())


def test_close_leaves_nothing_behind(sql: Sql, database: ConnectionSettings, feed: MakeFeed) -> None:
    """Nor where nobody may write by default, as users arrange it before they move to the target."""
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    sql.execute(f"ALTER DATABASE {database.database} SET default_transaction_read_only = on".encode())
    one = feed("t")
    one.run()
    one.close()
    one.close()
    assert sql.execute("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()").fetchone() == (
        0,
    )
    assert sql.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)


def test_a_slot_and_a_publication_of_the_users_are_used_and_kept(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION mine FOR ALL TABLES")
    slot = f"mine_{sql.info.dbname}"
    sql.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
    sql.execute("INSERT INTO t VALUES (1)")
    try:
        one = feed("t", options=ChangeOptions(slot=slot, publication="mine"))
        assert sum(group.rows for group in one.run()) == 1
        one.close()
        assert sql.execute("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", (slot,)).fetchone() == (1,)
        assert sql.execute("SELECT pubname FROM pg_publication").fetchall() == [("mine",)]
    finally:
        slots.drop(sql, slot)


@pytest.mark.parametrize(
    ("publication", "words"),
    [
        ("CREATE PUBLICATION mine", "does not have public.t"),
        ("CREATE PUBLICATION mine FOR TABLE t WITH (publish = 'insert')", "leaves update, delete, truncate out"),
        ("CREATE PUBLICATION mine FOR TABLE t WHERE (id > 1)", r"only of some rows of public\.t"),
    ],
)
def test_a_publication_that_lacks_something_is_refused(
    sql: Sql, feed: MakeFeed, needs: Needs, publication: str, words: str
) -> None:
    if "WHERE" in publication:
        needs(15, "publishes all rows of a table")
    sql.execute(f"CREATE TABLE t (id int PRIMARY KEY); {publication}")
    with pytest.raises(StatementError, match=words):
        feed("t", options=ChangeOptions(publication="mine"))
