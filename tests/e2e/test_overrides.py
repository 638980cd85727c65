"""Renames, columns and rows left out, and types of the user's own, in every direction: what hangs on a name follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.client import query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import Progress, RunOptions, RunState, TableSelection
from mainstem.testing.databases import drops

Rows = list[tuple[Any, ...]]
_REGISTRY = Registry.installed()
_SOURCE = (
    "CREATE TABLE customer (id int PRIMARY KEY, name varchar(40) NOT NULL, secret varchar(40))",
    "CREATE TABLE purchase (id int PRIMARY KEY, customer_id int NOT NULL, total numeric(10,2), stars smallint,"
    " CONSTRAINT buyer FOREIGN KEY (customer_id) REFERENCES customer (id), CONSTRAINT positive CHECK (total >= 0))",
    "CREATE INDEX by_total ON purchase (total)",
    "CREATE UNIQUE INDEX by_secret ON customer (secret)",
    "CREATE VIEW spent AS SELECT c.name, p.total FROM customer c JOIN purchase p ON p.customer_id = c.id",
    "CREATE VIEW secrets AS SELECT secret FROM customer",
    "INSERT INTO customer VALUES (1, 'Ann', 'x'), (2, 'Bob', 'y')",
    "INSERT INTO purchase VALUES (1, 1, 10.50, 5), (2, 1, 20, 4), (3, 2, 30, NULL)",
)
OPTIONS = RunOptions(
    renames={"customer": "client", "customer.name": "full name", "purchase.total": "sum_total", "purchase": "Order"},
    exclude_columns=("customer.secret",),
    filters={"purchase": "total < 30"},
    type_overrides={"smallint": "bigint", "smallint(6)": "bigint"},
)


def ask(settings: ConnectionSettings, *statements: str) -> Rows:
    """Run statements; the rows of the last one."""
    if settings.type == "mysql":
        with mysql_connect(settings) as connection:
            query(connection, "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
            return [query(connection, statement) for statement in statements][-1]
    with postgres_connect(settings) as postgres:
        cursors = [postgres.execute(statement.encode()) for statement in statements]
        return cursors[-1].fetchall() if cursors[-1].description else []


def run(source: ConnectionSettings, target: ConnectionSettings, options: RunOptions) -> Progress:
    one, other = (Endpoint(_REGISTRY.find(settings.type), settings) for settings in (source, target))
    return bootstrap.conversion(new_id(STREAM), one, other, options, lambda _: None).run()


@pytest.fixture
def second() -> Iterator[Callable[[ConnectionSettings], ConnectionSettings]]:
    """Makes another database on the server of one."""
    made: list[ConnectionSettings] = []

    def make(settings: ConnectionSettings) -> ConnectionSettings:
        ask(settings, f"CREATE DATABASE {settings.database}_b")
        made.append(settings)
        return replace(settings, database=f"{settings.database}_b")

    yield make
    for settings in made:
        server = replace(settings, database="" if settings.type == "mysql" else "postgres")
        name = f"{settings.database}_b"
        for statement in drops(name) if settings.type == "postgresql" else (f"DROP DATABASE {name}",):
            ask(server, statement)


WITH_ALL = ["mysql-mysql", "mysql-postgres", "postgres-mysql", "postgres-postgres"]


@pytest.fixture(params=["mysql-mysql", "mysql-postgres", "postgres-mysql", "postgres-postgres"])
def ends(
    request: pytest.FixtureRequest, second: Callable[[ConnectionSettings], ConnectionSettings]
) -> tuple[ConnectionSettings, ConnectionSettings]:
    """A filled source and an empty target of each direction."""
    one, other = request.param.split("-")
    source: ConnectionSettings = request.getfixturevalue(f"{one}_db")
    target = second(source) if one == other else request.getfixturevalue(f"{other}_db")
    ask(source, *_SOURCE)
    return source, target


@pytest.mark.parametrize("ends", WITH_ALL, indirect=True)
def test_what_hangs_on_a_name_follows_it(ends: tuple[ConnectionSettings, ConnectionSettings]) -> None:
    source, target = ends
    progress = run(source, target, OPTIONS)
    assert (progress.state, progress.error) == (RunState.FINISHED, ""), progress.report
    assert {table.target.name: table.rows_written for table in progress.tables} == {"client": 2, "Order": 2}
    assert ask(target, 'SELECT id, "full name" FROM client ORDER BY id') == [(1, "Ann"), (2, "Bob")]
    assert [float(total) for (total,) in ask(target, 'SELECT sum_total FROM "Order" ORDER BY id')] == [10.5, 20]
    if source.type == target.type:  # such views are copied as they are written
        assert "spent" in {item.object.rpartition(".")[2] for item in progress.report if item.code == "view_left_out"}
    else:
        spent = ask(target, "SELECT * FROM spent ORDER BY 2")
        assert [(name, float(total)) for name, total in spent] == [("Ann", 10.5), ("Ann", 20)]
    for wrong in ('INSERT INTO "Order" VALUES (9, 7, 1, 1)', 'INSERT INTO "Order" VALUES (9, 1, -1, 1)'):
        with pytest.raises(Exception, match=r"buyer|positive"):  # the foreign key, then the check
            ask(target, wrong)
    ask(target, f'INSERT INTO "Order" VALUES (9, 1, 1, {2**40})')


@pytest.mark.parametrize("ends", WITH_ALL, indirect=True)
def test_what_uses_a_column_that_is_left_out_is_left_out_and_reported(
    ends: tuple[ConnectionSettings, ConnectionSettings],
) -> None:
    progress = run(*ends, OPTIONS)
    told = {(item.code, item.object.rpartition(".")[2]) for item in progress.report}
    assert {("index_left_out", "by_secret"), ("view_left_out", "secrets")} <= told
    renamed = [item.message.rpartition(" ")[2] for item in progress.report if item.code == "renamed"]
    assert sorted(renamed) == ["Order", "client", "name", "sum_total"]


def test_a_wish_at_a_table_of_the_selection_is_the_same(ends: tuple[ConnectionSettings, ConnectionSettings]) -> None:
    source, target = ends
    wish = TableSelection(
        "purchase", columns=("id", "total", "stars"), exclude_columns=("stars",), where="total > 10.50",
        target="o", renames={"total": "t"},
    )  # fmt: skip
    progress = run(source, target, RunOptions(tables=(wish,)))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert [(id_, float(total)) for id_, total in ask(target, "SELECT * FROM o ORDER BY id")] == [(2, 20), (3, 30)]


def test_a_view_that_is_named_becomes_a_table_of_its_rows(ends: tuple[ConnectionSettings, ConnectionSettings]) -> None:
    source, target = ends
    progress = run(source, target, RunOptions(tables=(TableSelection("spent", where="total < 30", target="sums"),)))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert [name for name, _ in ask(target, "SELECT * FROM sums ORDER BY total")] == ["Ann", "Ann"]
    assert any("becomes a plain table" in item.message for item in progress.report)


@pytest.mark.parametrize("ends", ["mysql-postgres"], indirect=True)
def test_a_parent_of_which_rows_are_left_out_is_told_of(ends: tuple[ConnectionSettings, ConnectionSettings]) -> None:
    progress = run(*ends, RunOptions(filters={"customer": "id = 1"}, skip_data=True))
    told = [item.object.rpartition(".")[2] for item in progress.report if item.code == "foreign_key_filtered"]
    assert told == ["buyer"]


@pytest.mark.parametrize("ends", WITH_ALL, indirect=True)
def test_views_follow_the_tables_that_get_another_name(ends: tuple[ConnectionSettings, ConnectionSettings]) -> None:
    source, target = ends
    progress = run(source, target, RunOptions(renames={"customer": "Client", "purchase": "order"}))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    ask(source, "DROP VIEW spent, secrets", "DROP TABLE purchase", "DROP TABLE customer")
    spent = ask(target, "SELECT * FROM spent ORDER BY 2")
    assert [(name, float(total)) for name, total in spent] == [("Ann", 10.5), ("Ann", 20), ("Bob", 30)]
    assert ask(target, "SELECT * FROM secrets ORDER BY 1") == [("x",), ("y",)]
