"""What is asked of the servers does not grow with the number of tables, but for what is done to each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pymysql.connections
import pytest

from mainstem.control import preflight
from mainstem.engine.planner import make_plan
from mainstem.model.run import RunOptions
from tests.e2e.routes import Route


class Statements:
    """Counts what either driver sends."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        mysql, postgres = pymysql.connections.Connection.query, psycopg.Cursor.execute

        def ask_mysql(connection: Any, sql: Any, *rest: Any, **named: Any) -> Any:
            self.texts.append(str(sql))
            return mysql(connection, sql, *rest, **named)

        def ask_postgres(cursor: Any, sql: Any, *rest: Any, **named: Any) -> Any:
            self.texts.append(str(sql))
            return postgres(cursor, sql, *rest, **named)

        patch.setattr(pymysql.connections.Connection, "query", ask_mysql)
        patch.setattr(psycopg.Cursor, "execute", ask_postgres)

    def take(self) -> Counter[str]:
        """What was sent since the last time, by its beginning."""
        taken, self.texts = Counter(text[:60] for text in self.texts), []
        return taken


def make(route: Route, first: int, last: int) -> None:
    for number in range(first, last):
        route.source.run(
            f"CREATE TABLE t{number} (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, parent INT, at TIMESTAMP NULL)",
            f"CREATE INDEX i{number} ON t{number} (name)",
        )


def test_planning_asks_no_more_for_twice_the_tables(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    statements = Statements(monkeypatch)
    asked = []
    for first, last in ((0, 40), (40, 80)):
        make(route, first, last)
        statements.take()
        plan = make_plan(route.source.endpoint, route.target.endpoint, RunOptions())
        preflight.look(route.source.endpoint, route.target.endpoint, RunOptions())
        asked.append(statements.take())
        assert len(plan.tables) == last
    more = asked[1] - asked[0]
    assert sum(more.values()) <= 6, more  # many tables are asked for at once, some at a time


def test_a_table_takes_a_handful_of_statements(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    statements = Statements(monkeypatch)
    make(route, 0, 40)
    statements.take()
    progress = route.conversion(RunOptions(jobs=1)).run()
    assert progress.error == ""
    asked = statements.take()
    assert sum(asked.values()) <= 100 + 40 * 25, asked
