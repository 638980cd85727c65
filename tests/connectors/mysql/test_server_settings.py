"""What a server has set for everybody changes neither which rows are read nor which are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mainstem.connectors.mysql.client import connect, query
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunState
from tests.e2e.routes import End, Route


@contextmanager
def set_globally(settings: ConnectionSettings, assignment: str, default: str) -> Iterator[None]:
    """Inside, new sessions begin with the setting."""
    name = assignment.split(" = ")[0]
    with connect(settings) as connection:
        query(connection, f"SET GLOBAL {assignment}")
        try:
            yield
        finally:
            query(connection, f"SET GLOBAL {name} = {default}")


@pytest.mark.parametrize(
    ("assignment", "default"),
    [
        ("sql_select_limit = 2", "DEFAULT"),
        ("sql_safe_updates = 1", "DEFAULT"),
        ("sql_big_selects = 0", "DEFAULT"),
        ("completion_type = 2", "DEFAULT"),
        ("tx_read_only = 1", "DEFAULT"),
        ("autocommit = 0", "1"),
        ("system_versioning_asof = '2001-01-01 00:00:00'", "DEFAULT"),
    ],
)
def test_all_present_rows_are_read_and_written(mysql_db: ConnectionSettings, assignment: str, default: str) -> None:
    with set_globally(mysql_db, assignment, default), connect(mysql_db) as connection:
        query(connection, "CREATE TABLE kept (id INT) WITH SYSTEM VERSIONING")
        connection.begin()
        query(connection, "INSERT INTO kept SELECT seq FROM seq_1_to_5")
        connection.commit()
        assert query(connection, "SELECT id FROM kept ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]


@pytest.mark.parametrize(
    "name", ["foreign_key_checks", "unique_checks", "check_constraint_checks", "explicit_defaults_for_timestamp"]
)
def test_a_session_of_ours_has_it_on(mysql_db: ConnectionSettings, name: str) -> None:
    with set_globally(mysql_db, f"{name} = 0", "1"), connect(mysql_db) as connection:
        assert query(connection, f"SELECT @@SESSION.{name}") == [(1,)]


@pytest.mark.parametrize("kind", ["", "readonly_", "write_"])
def test_a_transaction_of_ours_may_rest(mysql_db: ConnectionSettings, kind: str) -> None:
    """While the source is read, or the other side waits: it would come again, and end again."""
    name = f"idle_{kind}transaction_timeout"
    with set_globally(mysql_db, f"{name} = 1", "0"), connect(mysql_db) as connection:
        assert query(connection, f"SELECT @@SESSION.{name}") == [(0,)]


def test_rows_are_loaded_where_packets_are_small(mysql_db: ConnectionSettings, postgres_db: ConnectionSettings) -> None:
    """The server resets the connection at a packet as large as max_allowed_packet."""
    ends = End(postgres_db), End(mysql_db)
    ends[0].run("CREATE TABLE wide (id INT PRIMARY KEY, t TEXT)", "INSERT INTO wide VALUES (1, repeat('x', 3000000))")
    with set_globally(mysql_db, "max_allowed_packet = 1048576", str(256 << 20)):
        progress = Route(*ends).conversion().run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert ends[1].run("SELECT length(t) FROM wide") == [(3000000,)]
