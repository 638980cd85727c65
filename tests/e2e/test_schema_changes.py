"""Changes of structure while a stream runs: carried over where they only add, told of and waited for where not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tools.workload import Session

from mainstem.connectors.postgres import inspector
from mainstem.ddl.evolution import RUN
from mainstem.engine.typesbehind import TypesBehind
from mainstem.model.run import ChangeErrorPolicy, SchemaChangePolicy, TableState
from tests.e2e.routes import CROSSING, MYSQL, POSTGRES, ROUTES, Route
from tests.e2e.streams import cdc, following, wait_until

CROSS = pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)


def test_what_only_adds_is_carried_over(route: Route) -> None:
    source = route.source
    source.run(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, small SMALLINT NOT NULL, name VARCHAR(10), gone INTEGER NOT NULL)",
        "INSERT INTO t VALUES (1, 1, 'a', 1), (2, 2, 'b', 2)",
    )
    with following(route) as stream:
        with stream.running() as replication:
            source.run("INSERT INTO t VALUES (3, 3, 'c', 3)")
            for change, row in (
                ("ADD COLUMN plain INTEGER", "(4, 4, 'd', 4, 44)"),
                ("ADD COLUMN filled VARCHAR(20) DEFAULT 'it''s' NOT NULL", "(5, 5, 'e', 5, 55, 'f')"),
                ("ADD COLUMN number DECIMAL(10,2) DEFAULT 1.50", "(6, 6, 'f', 6, 66, 'g', 9.25)"),
                (_type(route, "small", "BIGINT NOT NULL"), f"(7, {2**40}, 'g', 7, 77, 'h', NULL)"),
                (_type(route, "name", "VARCHAR(100)"), f"(8, 8, '{'x' * 90}', 8, 88, 'i', NULL)"),
            ):
                source.run(f"ALTER TABLE t {change}", f"INSERT INTO t VALUES {row}", "UPDATE t SET gone = gone + 1")
                stream.wait_equal()
            source.run("ALTER TABLE t DROP COLUMN gone", "INSERT INTO t (id, small) VALUES (9, 9)")
            stream.wait_rows("SELECT COUNT(*) FROM t WHERE gone IS NULL", [(1,)])
            outcomes = {record.outcome for record in replication.schema_changes()}
            state = next(t.state for t in replication.progress().tables if t.source.name == "t")
        noted = {"ignored"} if source.settings.type == POSTGRES else set()  # as it cannot tell values from a USING
        assert (outcomes, state) == ({"applied"} | noted, TableState.STREAMING)
        source.run("ALTER TABLE t ADD COLUMN late INTEGER DEFAULT 5", "INSERT INTO t (id, small) VALUES (10, 10)")
        with stream.running():  # the change was made while nobody read
            stream.wait_rows("SELECT COUNT(*) FROM t WHERE late = 5", [(10,)])


@CROSS
def test_a_column_that_comes_back_has_no_values_of_before(route: Route) -> None:
    """The target's column stays when the source drops it, with what rows had in it."""
    source = route.source
    source.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v INTEGER, w INTEGER)", "INSERT INTO t VALUES (1, 1, 1)")
    with following(route) as stream:
        with stream.running():
            source.run("ALTER TABLE t DROP COLUMN v", "INSERT INTO t VALUES (2, 2)")
            stream.wait_rows("SELECT COUNT(*) FROM t", [(2,)])
        with stream.running() as replication:
            source.run("ALTER TABLE t ADD COLUMN v INTEGER", "INSERT INTO t VALUES (3, 3, 3)")
            wait_until(lambda: replication.progress().tables[0].state is TableState.PAUSED, stream.said)
            replication.resync(["t"])
            stream.wait_equal()


@pytest.mark.parametrize("route", ROUTES[2:3], indirect=True, ids="-".join)
def test_nobody_waits_for_the_writer_while_it_asks(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its questions come by connections of their own, which wait for whoever wants a table alone."""
    look = TypesBehind.look
    altered: list[str] = []

    def looked(*arguments: Any) -> object:
        if not altered:
            altered.append("ALTER TABLE t ADD COLUMN own INTEGER")
            route.target.run("SET lock_timeout = '30s'", *altered)
        return look(*arguments)

    route.source.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v INTEGER)", "INSERT INTO t VALUES (1, 1)")
    with following(route, cdc(row_errors=ChangeErrorPolicy.QUARANTINE)) as stream, stream.running() as replication:
        route.target.run("ALTER TABLE t ADD CHECK (v < 100)")
        monkeypatch.setattr(TypesBehind, "look", looked)
        route.source.run("INSERT INTO t VALUES (2, 2), (3, 300), (4, 4)")
        stream.wait_rows("SELECT id FROM t ORDER BY id", [(1,), (2,), (4,)])
        assert len(replication.letters()) == 1
        assert altered


@pytest.mark.parametrize("route", ROUTES[2:3], indirect=True, ids="-".join)
def test_what_the_writer_keeps_to_itself_it_does_not_wait_for(route: Route) -> None:
    """A TRUNCATE locks its table to the end of the transaction; what comes behind it asks about tables."""
    source = route.source
    for table in ("t", "emptied"):
        source.run(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v INTEGER)", f"INSERT INTO {table} VALUES (1, 1)")
    with following(route, cdc(row_errors=ChangeErrorPolicy.QUARANTINE)) as stream, stream.running() as replication:
        route.target.run("ALTER TABLE t ADD CHECK (v < 100)")
        source.run(
            "BEGIN", "TRUNCATE t, emptied", "INSERT INTO t VALUES (2, 200), (3, 3)",
            "INSERT INTO emptied VALUES (3, 3)",
            "ALTER TABLE t ADD COLUMN a INTEGER", "INSERT INTO t VALUES (4, 4, 4)", "TRUNCATE emptied",
            "INSERT INTO t VALUES (5, 500, 5)", "ALTER TABLE t ADD COLUMN b INTEGER",
            "INSERT INTO t VALUES (6, 6, 6, 6)", "ALTER TABLE emptied ADD COLUMN c INTEGER",
            "INSERT INTO emptied VALUES (7, 7, 7)", "COMMIT",
        )  # fmt: skip
        stream.wait_rows("SELECT * FROM t ORDER BY id", [(3, 3, None, None), (4, 4, 4, None), (6, 6, 6, 6)])
        stream.wait_rows("SELECT * FROM emptied", [(7, 7, 7)])
        assert sorted(letter.key for letter in replication.letters()) == ["id=2", "id=5"]
        added = [record.detail for record in replication.schema_changes()]
        assert [detail.split()[-2] for detail in added] == ['"a"', '"b"', '"c"'], added
        assert not [line for line in stream.said() if "lock" in line]


@pytest.mark.parametrize("route", ROUTES[:1], indirect=True, ids="-".join)
def test_a_locked_table_is_waited_for_and_whoever_has_it_is_told_of(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "LOCK_WAIT_S", 1)
    source, target = route.source, route.target
    source.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v INTEGER)", "INSERT INTO t VALUES (1, 1)")
    source.run("CREATE TABLE u (id BIGINT PRIMARY KEY)")
    with following(route, replace(cdc(), retry_seconds=1)) as stream, stream.running() as replication:
        stream.wait_equal()
        with Session(target.settings) as holder:
            holder.run("BEGIN", "LOCK TABLE t")
            source.run("ALTER TABLE t ADD COLUMN a INTEGER", "INSERT INTO t VALUES (2, 2, 2)")
            wait_until(lambda: any("trying again" in line for line in stream.said()), stream.said)
            source.run("INSERT INTO u VALUES (1)")
            replication.pause_table("t")  # is heard meanwhile
            stream.wait_rows("SELECT id FROM u", [(1,)])
            asked = len([line for line in stream.said() if "lock" in line])
            holder.run("COMMIT")
        replication.resume_table("t")
        stream.wait_equal()
    assert asked == 1


def _type(route: Route, column: str, type_: str) -> str:
    if route.source.settings.type == MYSQL:
        return f"MODIFY COLUMN {column} {type_}"
    return f"ALTER COLUMN {column} TYPE {type_.removesuffix(' NOT NULL')}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("RENAME COLUMN v TO w", "RENAME COLUMN"),
        ("ADD COLUMN at TIMESTAMP DEFAULT CURRENT_TIMESTAMP", "not in the log"),
    ],
)
def test_what_the_log_does_not_tell_pauses_the_table_and_no_other(route: Route, change: str, told: str) -> None:
    source = route.source
    for table in ("t", "other"):
        source.run(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v INTEGER)", f"INSERT INTO {table} VALUES (1, 1)")
    with following(route) as stream, stream.running() as replication:
        source.run(f"ALTER TABLE t {change}", "INSERT INTO t (id) VALUES (2)", "INSERT INTO other VALUES (2, 2)")
        stream.wait_rows("SELECT COUNT(*) FROM other", [(2,)])
        wait_until(lambda: len(replication.schema_changes()) > 0)
        t = next(table for table in replication.progress().tables if table.source.name == "t")
        assert t.state is TableState.PAUSED
        assert told in t.error
        assert [(line.outcome, line.table.name) for line in replication.schema_changes()] == [("paused", "t")]
        assert route.target.run("SELECT COUNT(*) FROM t") == [(1,)]


@CROSS
def test_changes_are_ignored_where_that_is_asked_for(route: Route) -> None:
    source = route.source
    source.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v INTEGER)", "INSERT INTO t VALUES (1, 1)")
    options = cdc(schema_changes=SchemaChangePolicy.IGNORE)
    with following(route, options) as stream, stream.running() as replication:
        source.run("ALTER TABLE t ADD COLUMN more INTEGER", "INSERT INTO t VALUES (2, 2, 2)")
        stream.wait_rows("SELECT COUNT(*) FROM t", [(2,)])
        assert [line.outcome for line in replication.schema_changes()] == ["ignored"]
        assert len(route.target.run("SELECT * FROM t")[0]) == 2
        source.run(f"ALTER TABLE t {_type(route, 'v', 'DECIMAL(3,1)')}")
        source.run("INSERT INTO t (id, v) VALUES (3, 3)")
        wait_until(lambda: len(replication.schema_changes()) > 1)
        t = replication.progress().tables[0]
        assert (t.state, "not in the log" in t.error) == (TableState.PAUSED, True)


@pytest.mark.parametrize("route", ROUTES[1:3], indirect=True, ids="-".join)
def test_what_types_of_the_source_get_is_carried_over_where_a_row_has_it(route: Route) -> None:
    source, own = route.source, route.target.settings.type == POSTGRES
    source.run(
        "CREATE TYPE mood AS ENUM ('ok', 'sad')", "CREATE TYPE place AS (x int)",
        "CREATE TABLE t (id BIGINT PRIMARY KEY, m mood, a mood[], p place)", "INSERT INTO t VALUES (1, 'ok')",
        "CREATE TABLE u (id BIGINT PRIMARY KEY, m mood)",
    )  # fmt: skip
    with following(route) as stream, stream.running() as replication:
        source.run("ALTER TYPE mood ADD VALUE 'it''s fine' BEFORE 'ok'", "ALTER TYPE mood ADD VALUE 'happy'")
        source.run(
            "BEGIN", "INSERT INTO t SELECT n, 'ok' FROM generate_series(2, 9) n", "INSERT INTO u VALUES (1, 'happy')",
            "UPDATE t SET m = 'it''s fine' WHERE id = 2", "COMMIT", "INSERT INTO t VALUES (20, 'happy', '{happy}')",
        )  # fmt: skip
        stream.wait_equal()
        stream.wait_rows("SELECT id FROM t WHERE m IS NOT NULL ORDER BY m, id LIMIT 2", [(2,), (1,)])
        if own:
            source.run("ALTER TYPE mood ADD VALUE 'more'", "INSERT INTO t VALUES (21, NULL, '{ok,more}')")
            source.run("ALTER TYPE place ADD ATTRIBUTE y text", "INSERT INTO t (id, p) VALUES (22, '(1,a)')")
            source.run("CREATE TYPE late AS ENUM ('a')", "ALTER TABLE t ADD COLUMN l late DEFAULT 'a'")
            source.run("INSERT INTO t (id) VALUES (23)")
            stream.wait_equal()
        told = replication.schema_changes()
        assert {line.outcome for line in told} == {"applied"}, told
        assert sum(table.letters for table in replication.progress().tables) == 0


@pytest.mark.parametrize("route", ROUTES[2:3], indirect=True, ids="-".join)
def test_what_of_a_type_is_not_carried_over_is_told_with_what_to_run(route: Route) -> None:
    source = route.source
    source.run(
        "CREATE DOMAIN few AS int CHECK (VALUE < 5)", "CREATE TYPE mood AS ENUM ('ok', 'sad')",
        "CREATE TABLE t (id BIGINT PRIMARY KEY, v few)", "CREATE TABLE u (id BIGINT PRIMARY KEY, m mood)",
        "INSERT INTO u VALUES (1, 'sad')",
    )  # fmt: skip
    with following(route) as stream, stream.running() as replication:
        source.run(
            "ALTER DOMAIN few DROP CONSTRAINT few_check", "ALTER DOMAIN few ADD CONSTRAINT less CHECK (VALUE < 50)",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'bad'", "INSERT INTO t VALUES (1, 20)",
            "INSERT INTO u VALUES (2, 'bad')",
        )  # fmt: skip
        wait_until(lambda: [table.state for table in replication.progress().tables] == [TableState.FAILED] * 2)
        errors = [table.error for table in replication.progress().tables]
        assert all(RUN in error for error in errors), errors
        for error in errors:
            route.target.run(*error.partition(RUN)[2].split("; "))
        replication.resync(["t", "u"])
        wait_until(lambda: {table.state for table in replication.progress().tables} == {TableState.STREAMING})
        stream.wait_equal()
