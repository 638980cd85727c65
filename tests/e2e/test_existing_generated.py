"""Generated columns where the target has the table already: copied, computed, or refused; never left empty."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.ddl.expressions import same_expression
from mainstem.model.run import RunOptions, RunState, SchemaPolicy, WriteMode
from tests.e2e.conftest import Pair

OPTIONS = RunOptions(schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.APPEND)


@pytest.fixture
def source(pair: Pair) -> Pair:
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT AS (a * 2) STORED)",
        "INSERT INTO t (id, a) VALUES (1, 10), (2, NULL)",
    )
    return pair


def test_values_go_into_a_column_that_is_plain_there(source: Pair) -> None:
    source.postgres("CREATE TABLE t (id int PRIMARY KEY, a int, b int)")
    progress = source.conversion(OPTIONS).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert source.postgres("SELECT b FROM t ORDER BY id") == [(20,), (None,)]


def test_an_expression_of_the_targets_own_is_told_of(source: Pair) -> None:
    source.postgres("CREATE TABLE t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 3) STORED)")
    progress = source.conversion(OPTIONS).run()
    assert progress.state is RunState.FINISHED
    told = next(item for item in progress.report if item.code == "generated_there")
    assert told.object.endswith("t.b")
    assert "(a * 3)" in told.message
    assert source.postgres("SELECT b FROM t ORDER BY id") == [(30,), (None,)]


def test_nothing_is_said_of_the_expression_that_a_run_has_made_itself(source: Pair) -> None:
    assert source.conversion(RunOptions(skip_data=True)).run().state is RunState.FINISHED
    progress = source.conversion(OPTIONS).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert "generated_there" not in {item.code for item in progress.report}
    assert source.postgres("SELECT b FROM t ORDER BY id") == [(20,), (None,)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a*2", '(("a") * 2)', True),
        ("(a + b) * c", "((a + b) * c)", True),
        ("(a + b) * c", "a + b * c", False),
        ("lower(a)", "upper(a)", False),
        ("a ~~", "a ~~", True),
    ],
)
def test_expressions_are_the_same_but_for_what_changes_nothing(one: str, other: str, same: bool) -> None:
    assert same_expression(one, other, PostgresDialect()) is same


def test_a_column_that_the_target_computes_cannot_be_written(pair: Pair) -> None:
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t VALUES (1, 10, 7)")
    pair.postgres("CREATE TABLE t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED)")
    progress = pair.conversion(OPTIONS).run()
    assert (progress.state, progress.error_code, progress.stage) == (RunState.FAILED, "plan", "planning")
    assert "computes column b itself" in progress.error
    assert "excludeColumns" in progress.remedy
    progress = pair.conversion(replace(OPTIONS, exclude_columns=("t.b",))).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert pair.postgres("SELECT b FROM t") == [(20,)]
