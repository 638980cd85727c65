"""Tables that the source's login may not read: the end of the run, or left out, told of, and never silently short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import DeniedPolicy, Progress, RunOptions, RunState, TableSelection, TableState
from tests.e2e.conftest import Pair

Ends = tuple[ConnectionSettings, ConnectionSettings]
SKIP = RunOptions(denied=DeniedPolicy.SKIP)


@pytest.fixture
def poor(pair: Pair) -> Iterator[Pair]:
    """A source with parent and child tables of which the login may read the child alone."""
    pair.mysql(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id))",
        "CREATE VIEW v AS SELECT id FROM parent",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1, 1), (2, 1)",
        f"CREATE USER u{pair.source.settings.database}@'%' IDENTIFIED BY 'pw'",
        f"GRANT SELECT ON child TO u{pair.source.settings.database}@'%'",
        f"GRANT SHOW VIEW ON {pair.source.settings.database}.* TO u{pair.source.settings.database}@'%'",
    )
    admin, user = pair.source, f"u{pair.source.settings.database}"
    pair.source = Endpoint(admin.spec, replace(admin.settings, username=user, password="pw"))
    yield pair
    pair.source = admin
    pair.mysql(f"DROP USER {user}@'%'")


def test_a_table_that_cannot_be_read_ends_the_run_before_anything_is_made(poor: Pair) -> None:
    progress = poor.conversion().run()
    assert (progress.state, progress.error_code) == (RunState.FAILED, "denied")
    assert "parent" in progress.error
    assert f"GRANT SELECT ON `{poor.source.settings.database}`.`parent` TO" in progress.remedy
    assert poor.postgres("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize("tables", [(), (TableSelection("child"), TableSelection("parent"))])
def test_skipped_it_is_told_with_the_grant_and_the_others_are_copied(
    poor: Pair, tables: tuple[TableSelection, ...]
) -> None:
    progress = poor.conversion(replace(SKIP, tables=tables, renames={"parent.id": "no"})).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert {table.source.name: table.state for table in progress.tables} == {
        "child": TableState.FINISHED, "parent": TableState.SKIPPED,
    }  # fmt: skip
    item = next(item for item in progress.report if item.code == "table_skipped")
    assert item.object.endswith(".parent")
    assert item.remedy.startswith("GRANT SELECT ON")
    assert "foreign_key_left_out" in {item.code for item in progress.report}
    assert poor.postgres("SELECT count(*) FROM child") == [(2,)]
    assert poor.postgres("SELECT to_regclass('parent')::text") == [(None,)]


def test_nothing_to_read_is_no_success(poor: Pair) -> None:
    progress = poor.conversion(replace(SKIP, tables=(TableSelection("parent"),))).run()
    assert (progress.state, progress.error_code) == (RunState.FAILED, "denied")


def test_a_right_that_is_lost_after_planning_leaves_the_table_out(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan finds all tables readable; the reader is refused."""
    from mainstem.connectors.mysql import snapshot

    pair.fill("kept", 10)
    pair.fill("lost", 10)
    pair.mysql("ALTER TABLE kept ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES lost (id)")
    user = f"u{pair.source.settings.database}"
    pair.mysql(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'", f"GRANT SELECT ON kept TO {user}@'%'",
               f"GRANT SELECT ON lost TO {user}@'%'", f"GRANT SHOW VIEW ON {user[1:]}.* TO {user}@'%'")  # fmt: skip
    admin = pair.source
    pair.source = Endpoint(admin.spec, replace(admin.settings, username=user, password="pw"))
    plan_chunks = snapshot.MysqlReader.plan_chunks

    def revoke_first(self: snapshot.MysqlReader, *arguments: object) -> object:
        with connect(admin.settings) as connection:
            held = query(connection, f"SHOW GRANTS FOR {user}@'%'")
            if any("`lost`" in text for (text,) in held):
                query(connection, f"REVOKE SELECT ON lost FROM {user}@'%'")
        return plan_chunks(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshot.MysqlReader, "plan_chunks", revoke_first)
    try:
        progress = pair.conversion(replace(SKIP, jobs=1)).run()
    finally:
        pair.source = admin
        pair.mysql(f"DROP USER {user}@'%'")
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert {table.source.name: table.state for table in progress.tables} == {
        "kept": TableState.FINISHED, "lost": TableState.SKIPPED,
    }  # fmt: skip
    assert {"table_skipped", "foreign_key_refused"} <= {item.code for item in progress.report}


def test_keys_that_the_source_hides_from_a_login_with_select_alone_are_told_of(pair: Pair) -> None:
    """MariaDB shows foreign keys and checks to those only who have another right to the table."""
    user = f"u{pair.source.settings.database}"
    pair.mysql(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, CONSTRAINT to_parent FOREIGN KEY (id) REFERENCES parent (id))",
        f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'",
        f"GRANT SELECT ON {pair.source.settings.database}.* TO {user}@'%'",
    )
    admin = pair.source
    pair.source = Endpoint(admin.spec, replace(admin.settings, username=user, password="pw"))
    try:
        progress = pair.conversion().run()
    finally:
        pair.source = admin
        pair.mysql(f"DROP USER {user}@'%'")
    assert progress.state is RunState.FINISHED
    told = [(item.object, item.remedy) for item in progress.report if item.code == "hidden_structure_left_out"]
    assert told == [(f"{pair.source.settings.database}.child", "GRANT SHOW VIEW ON the database TO the user")]


@pytest.fixture
def guarded(postgres_db: ConnectionSettings, mysql_db: ConnectionSettings) -> Iterator[Ends]:
    """PostgreSQL with an open table, a closed one, and one whose policy hides a row; an empty MariaDB."""
    role = f"r_{postgres_db.database}"
    with postgres_connect(postgres_db) as connection:
        for statement in (
            "CREATE TABLE open AS SELECT 1 AS id",
            "CREATE TABLE closed AS SELECT 1 AS id",
            "CREATE TABLE guarded AS SELECT generate_series(1, 3) AS id",
            "CREATE POLICY few ON guarded USING (id < 3)",
            "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
            f"CREATE ROLE {role} LOGIN PASSWORD 'pw'",
            f"GRANT SELECT ON open, guarded TO {role}",
        ):
            connection.execute(statement.encode())
        yield replace(postgres_db, username=role, password="pw"), mysql_db
        connection.execute(f"DROP OWNED BY {role} CASCADE")
        connection.execute(f"DROP ROLE {role}")


def run(ends: Ends, options: RunOptions) -> Progress:
    source, target = (Endpoint(Registry.installed().find(settings.type), settings) for settings in ends)
    return bootstrap.conversion(new_id(STREAM), source, target, options, lambda _: None).run()


def test_rows_that_a_policy_hides_are_never_missed_in_silence(guarded: Ends) -> None:
    only = RunOptions(tables=(TableSelection("guarded"),))
    progress = run(guarded, only)
    assert (progress.state, progress.error_code) == (RunState.FAILED, "denied")
    assert "row-level security may hide rows" in progress.error
    query = replace(only, tables=(TableSelection("q", query="SELECT id FROM guarded"),))
    assert "row-level security" in run(guarded, query).error


def test_on_postgresql_closed_and_guarded_tables_are_skipped_with_the_way_to_get_them(guarded: Ends) -> None:
    progress = run(guarded, SKIP)
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert {table.source.name: table.state for table in progress.tables} == {
        "open": TableState.FINISHED, "closed": TableState.SKIPPED, "guarded": TableState.SKIPPED,
    }  # fmt: skip
    remedies = {item.object: item.remedy for item in progress.report if item.code == "table_skipped"}
    assert remedies["public.closed"].startswith('GRANT SELECT ON "public"."closed" TO')
    assert "BYPASSRLS" in remedies["public.guarded"]
