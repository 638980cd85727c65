"""Every type: a value's cell through the log is its cell through a copy, whatever the database's own settings are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import psycopg
import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import ColumnPlan
from tests.connectors.postgres.changefeed import Feed
from tests.types.cases import Case, Value
from tests.types.matrix import Database, Server, cases_between, database, fill, odd_settings


def _as_number(column: ColumnPlan) -> ColumnPlan:
    return replace(column, target_type="numeric") if column.native == "money" else column


def _known(source: Database, cases: Sequence[Case]) -> list[Case]:
    """Those that an older server knows, with the values that it takes: 12 and 13 have no numeric infinity, say."""
    found = []
    for case in cases:
        with suppress(psycopg.Error):
            if case.setup:
                source.run(case.setup)
            source.run(f"CREATE TABLE probe (v {case.native})")
            found.append(replace(case, setup="", values=tuple(filter(partial(_is_taken, source), case.values))))
            source.run("DROP TABLE probe")
    assert len(found) > len(cases) * 9 // 10
    return found


def _is_taken(source: Database, value: Value) -> bool:
    with suppress(psycopg.Error):
        source.run(f"INSERT INTO probe VALUES ({value.sql})")
        return True
    return False


@pytest.mark.parametrize("name", ["pg15", "pg18"])
def test_the_log_and_a_copy_give_the_same_cells(name: str, request: pytest.FixtureRequest) -> None:
    settings: ConnectionSettings = request.getfixturevalue(f"postgres{name.removeprefix('pg')}_server")
    cases = cases_between(name)
    with database(Server(name, settings)) as source:
        if int(source.run("SHOW server_version_num")[0][0]) < 150_000:
            cases = _known(source, cases)
        fill(source, cases)
        source.run("CREATE TABLE sums (id int PRIMARY KEY, v money)")
        with odd_settings(source):
            feed = Feed(source.settings, *(prefix + case.name for case in cases for prefix in ("v_", "k_")), "sums")
            sums = feed.tables[-1]
            columns = tuple(map(_as_number, sums.plan.columns))
            feed.tables[-1] = replace(sums, plan=replace(sums.plan, columns=columns))
            feed.copy()
            source.run("INSERT INTO sums VALUES (1, '-12345.6'), (2, 0.05), (3, '-92233720368547758.08'), (4, NULL)")
            for case in cases:
                source.run(f"INSERT INTO v_{case.name} SELECT id + 1000, v FROM v_{case.name}")
                source.run(f"UPDATE v_{case.name} SET id = id + 5000 WHERE id % 2 = 0")
                source.run(f"UPDATE k_{case.name} SET f = f + 1; DELETE FROM k_{case.name} WHERE id % 2 = 0")
            feed.run()
            feed.check()
            feed.close()
