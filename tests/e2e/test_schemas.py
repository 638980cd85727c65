"""Several schemas of a PostgreSQL source, by name, under other names, and views that are chosen as tables."""

from __future__ import annotations

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions, RunState, TableSelection
from tests.e2e.test_overrides import ask, run

Ends = tuple[ConnectionSettings, ConnectionSettings]


@pytest.fixture(params=["postgres15_db", "mysql_db"])
def ends(request: pytest.FixtureRequest, postgres_db: ConnectionSettings) -> Ends:
    """Tables of one name in three schemas, one with a point in its name; a target with schemas, and one without."""
    ask(
        postgres_db,
        "CREATE SCHEMA one",
        "CREATE SCHEMA two",
        "CREATE TABLE t AS SELECT 0 AS id",
        "CREATE TABLE one.t (id int PRIMARY KEY)",
        "CREATE TABLE two.t (id int PRIMARY KEY REFERENCES one.t)",
        "CREATE TYPE two.mood AS ENUM ('a')",
        """CREATE TABLE two."a.b" AS SELECT 7 AS id, 'a'::two.mood AS m""",
        "INSERT INTO one.t VALUES (1), (2)",
        "INSERT INTO two.t VALUES (1)",
        "CREATE VIEW v AS SELECT id FROM one.t",
    )
    return postgres_db, request.getfixturevalue(request.param)


CHOICES = [
    (RunOptions(), {"public.t": 1}),
    (RunOptions(source_schemas=("one", "two")), {"one.t": 2, "two.a.b": 1, "two.t": 1}),
    (RunOptions(source_schemas=("*",)), {"one.t": 2, "public.t": 1, "two.a.b": 1, "two.t": 1}),
    (RunOptions(source_schemas=("*",), exclude=("one.t", "two.t")), {"public.t": 1, "two.a.b": 1}),
    (RunOptions(tables=(TableSelection("two.a.b"), TableSelection("one.t"))), {"one.t": 2, "two.a.b": 1}),
    (RunOptions(tables=(TableSelection("v"),)), {"public.v": 2}),
    (RunOptions(source_schemas=("one",), filters={"one.t": "id > 1"}), {"one.t": 1}),
]


def test_tables_of_several_schemas_are_chosen_by_their_names(ends: Ends) -> None:
    for options, copied in CHOICES:
        ask(ends[1], *_drop_all(ends[1]))
        progress = run(*ends, options)
        assert (progress.state, progress.error) == (RunState.FINISHED, ""), options
        assert {str(table.source): table.rows_written for table in progress.tables} == copied


def _drop_all(target: ConnectionSettings) -> list[str]:
    if target.type == "mysql":
        return [f"DROP DATABASE {target.database}", f"CREATE DATABASE {target.database}"]
    return [f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in ("public", "one", "two")] + ["CREATE SCHEMA public"]


def test_a_schema_and_a_table_get_other_names(ends: Ends) -> None:
    source, target = ends
    options = RunOptions(
        source_schemas=("one", "two"), renames={"two.t": "u"},
        schema_names={"two": "zwei"} if target.type == "postgresql" else {},
    )  # fmt: skip
    progress = run(source, target, options)
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert ask(target, "SELECT id FROM zwei.u" if target.type == "postgresql" else "SELECT id FROM u") == [(1,)]


WRONG = [
    (RunOptions(source_schemas=("tow",)), "did you mean two"),
    (RunOptions(schema_names={"oen": "x"}), "did you mean one|holds no schemas"),
    (RunOptions(source_schemas=("*",), renames={"t": "u"}), "more than one"),
    (RunOptions(tables=(TableSelection("three.t"),)), "does not exist"),
]


def test_a_name_that_means_nothing_or_two_things_ends_the_run(ends: Ends) -> None:
    for options, told in WRONG:
        progress = run(*ends, options)
        assert (progress.state, progress.stage) == (RunState.FAILED, "planning")
        assert any(part in progress.error for part in told.split("|")), progress.error
