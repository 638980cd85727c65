"""Keys that are different in the source and equal on the target are found before a row is moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.client import query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import Progress, RowErrorPolicy, RunOptions, RunState, SchemaPolicy, WriteMode

OPTIONS = RunOptions(schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.APPEND)
QUARANTINE = replace(OPTIONS, row_errors=RowErrorPolicy.QUARANTINE)
ROWS = "INSERT INTO t VALUES (1, 'Ann'), (2, 'ann'), (3, 'Bob'), (4, 'Bob '), (5, 'Cy')"


def run(source: ConnectionSettings, target: ConnectionSettings, options: RunOptions = OPTIONS) -> Progress:
    registry = Registry.installed()
    one, other = (Endpoint(registry.find(settings.type), settings) for settings in (source, target))
    return bootstrap.conversion(new_id(STREAM), one, other, options, lambda _: None).run()


def mysql(settings: ConnectionSettings, *statements: str) -> list[tuple[object, ...]]:
    with mysql_connect(settings) as connection:
        return [query(connection, statement) for statement in statements][-1]


@pytest.fixture
def other_mysql(mysql_db: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """A second database of the same server, whose table compares names as MySQL does by default."""
    name = f"{mysql_db.database}_b"
    mysql(mysql_db, f"CREATE DATABASE {name}")
    other = replace(mysql_db, database=name)
    mysql(other, "CREATE TABLE t (id int PRIMARY KEY, name varchar(20) COLLATE utf8mb4_general_ci UNIQUE)")
    yield other
    mysql(mysql_db, f"DROP DATABASE {name}")


@pytest.fixture(params=["mysql_db", "postgres_db"])
def source(request: pytest.FixtureRequest) -> ConnectionSettings:
    """A table whose names are all different there."""
    settings: ConnectionSettings = request.getfixturevalue(request.param)
    if settings.type == "mysql":
        mysql(settings, "CREATE TABLE t (id int UNIQUE, name varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY)", ROWS)
    else:
        with postgres_connect(settings) as connection:
            connection.execute("CREATE TABLE t (id int UNIQUE, name varchar(20) PRIMARY KEY)")
            connection.execute(ROWS.encode())
    return settings


def test_a_key_of_the_target_that_collides_ends_the_run_before_a_row_is_moved(
    source: ConnectionSettings, other_mysql: ConnectionSettings
) -> None:
    progress = run(source, other_mysql)
    assert (progress.state, progress.error_code, progress.stage) == (RunState.FAILED, "plan", "planning")
    assert "unique key name (name)" in progress.error
    assert "2 keys" in progress.error
    assert "Ann" not in progress.error
    assert mysql(other_mysql, "SELECT COUNT(*) FROM t") == [(0,)]


def test_where_rows_may_be_put_aside_the_report_says_how_many_will_be(
    source: ConnectionSettings, other_mysql: ConnectionSettings
) -> None:
    progress = run(source, other_mysql, QUARANTINE)
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert [item.message.split(": ")[1][:6] for item in progress.report if item.code == "key_collision"] == ["2 keys"]
    assert len(progress.rejected) == 2
    assert mysql(other_mysql, "SELECT COUNT(*) FROM t") == [(3,)]


def test_a_filter_that_leaves_no_collision_lets_the_run_begin(
    source: ConnectionSettings, other_mysql: ConnectionSettings
) -> None:
    progress = run(source, other_mysql, replace(OPTIONS, filters={"t": "id NOT IN (2, 4) -- the equal ones"}))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")


def test_new_tables_compare_as_exactly_as_the_source(
    source: ConnectionSettings, other_mysql: ConnectionSettings
) -> None:
    progress = run(source, other_mysql, RunOptions(schema_policy=SchemaPolicy.DROP_AND_RECREATE))
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert mysql(other_mysql, "SELECT COUNT(*) FROM t") == [(5,)]


def test_a_collation_of_the_users_own_is_looked_at_too(
    source: ConnectionSettings, other_mysql: ConnectionSettings
) -> None:
    overridden = {"t.name": "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"}
    options = RunOptions(schema_policy=SchemaPolicy.DROP_AND_RECREATE, type_overrides=overridden)
    progress = run(source, other_mysql, options)
    assert (progress.state, progress.stage) == (RunState.FAILED, "planning")
    assert "2 keys of different rows" in progress.error
