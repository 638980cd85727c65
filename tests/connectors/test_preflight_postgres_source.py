"""Each named check of a PostgreSQL source, both ways where a server can be brought into that state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mainstem.connectors.postgres import SPEC
from mainstem.connectors.postgres.client import connect
from mainstem.contract.inspector import Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Severity
from mainstem.model.run import DeniedPolicy, RunOptions, StructureOptions, TableSelection

Found = dict[str, tuple[Severity, str, str]]


def findings(settings: ConnectionSettings, options: RunOptions | None = None) -> Found:
    with SPEC.inspector(settings) as inspector:
        found = inspector.preflight(Role.SOURCE, options or RunOptions())
    return {item.check: (item.severity, item.message, item.remedy) for item in found}


def run(settings: ConnectionSettings, *statements: str) -> None:
    with connect(settings) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def only(*names: str, **members: object) -> RunOptions:
    return replace(RunOptions(tables=tuple(map(TableSelection, names))), **members)  # type: ignore[arg-type]


@contextmanager
def login(settings: ConnectionSettings, *grants: str, options: str = "") -> Iterator[ConnectionSettings]:
    """A role of this test with these rights."""
    role = f"r_{settings.database}"
    run(settings, f"CREATE ROLE {role} LOGIN PASSWORD 'pw' {options}")
    try:
        run(settings, *(f"GRANT {grant} TO {role}" for grant in grants))
        yield replace(settings, username=role, password="pw")
    finally:
        run(settings, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_an_owner_of_plain_tables_hears_nothing(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    for settings in (postgres_db, postgres15_db):
        run(settings, "CREATE TABLE a (id serial PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM a")
        assert findings(settings) == {}


def test_tables_and_counters_that_cannot_be_read_are_named_with_their_grants(postgres_db: ConnectionSettings) -> None:
    run(
        postgres_db,
        "CREATE TABLE a (id serial PRIMARY KEY, secret int)",
        'CREATE TABLE "B c" (id int)',
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (id int)",
    )
    with login(postgres_db, "SELECT ON a") as user:
        severity, message, remedy = findings(user, RunOptions(exclude=("a",)))["pg.grants"]
        assert severity is Severity.ERROR
        assert "public.B c; " in message
        assert remedy == f'GRANT SELECT ON "public"."B c" TO "{user.username}"'
        severity, message, remedy = findings(user, only("a"))["pg.grants"]
        assert (severity, "public.a_id_seq" in message) == (Severity.WARNING, True)
        assert remedy == f'GRANT SELECT ON SEQUENCE "public"."a_id_seq" TO "{user.username}"'
        assert "pg.grants" not in findings(user, only("a", structure=StructureOptions(tables=False)))
        remedy = findings(user, only("other.t"))["pg.grants"][2]
        assert remedy.startswith('GRANT USAGE ON SCHEMA "other" TO')
        assert findings(user, RunOptions(exclude=("a",), denied=DeniedPolicy.SKIP))["pg.grants"][0] is Severity.WARNING
        run(postgres_db, f"GRANT SELECT ON SEQUENCE a_id_seq TO {user.username}")
        assert "pg.grants" not in findings(user, only("public.a"))


def test_a_right_to_the_wanted_columns_is_enough(postgres_db: ConnectionSettings) -> None:
    run(postgres_db, "CREATE TABLE t (id int, name text, secret int)")
    with login(postgres_db, "SELECT (id, name) ON t") as user:
        assert "pg.grants" in findings(user)
        wanted = TableSelection("t", columns=("id",))
        assert "pg.grants" not in findings(user, RunOptions(tables=(wanted,)))
        but = TableSelection("t", exclude_columns=("secret",))
        assert "pg.grants" not in findings(user, RunOptions(tables=(but,)))
        remedy = findings(user, RunOptions(tables=(replace(wanted, columns=("id", "secret")),)))["pg.grants"][2]
        assert remedy.startswith('GRANT SELECT ("secret") ON')


def test_a_partition_has_rights_of_its_own(postgres_db: ConnectionSettings) -> None:
    run(
        postgres_db,
        "CREATE TABLE p (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
    )
    with login(postgres_db, "SELECT ON p") as user:
        assert "public.p1" in findings(user)["pg.grants"][1]
        run(postgres_db, f"GRANT SELECT ON p1 TO {user.username}")
        assert findings(user) == {}


@pytest.mark.parametrize("server", ["postgres_db", "postgres15_db"])
def test_row_level_security_that_may_hide_rows_is_an_error(request: pytest.FixtureRequest, server: str) -> None:
    settings: ConnectionSettings = request.getfixturevalue(server)
    run(
        settings,
        "CREATE TABLE t (id int)",
        "CREATE POLICY few ON t USING (id < 10)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    )
    assert findings(settings) == {}  # the owner sees all rows
    with login(settings, "SELECT ON t") as user:
        severity, message, remedy = findings(user)["pg.row_security"]
        assert severity is Severity.ERROR
        assert "may hide rows of public.t" in message
        assert "BYPASSRLS" in remedy
        assert findings(user, RunOptions(denied=DeniedPolicy.SKIP))["pg.row_security"][0] is Severity.WARNING
        run(settings, f"ALTER ROLE {user.username} BYPASSRLS")
        assert findings(user) == {}


def test_what_is_no_table_is_told_when_it_is_chosen(postgres_db: ConnectionSettings) -> None:
    run(
        postgres_db,
        "CREATE TABLE t (id int)",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE FOREIGN TABLE f (id int) SERVER s",
    )
    assert findings(postgres_db) == {}
    severity, message, _ = findings(postgres_db, only("t", "v", "public.m"))["pg.not_table"]
    assert (severity, "public.v is a view" in message, "public.m is a" in message) == (Severity.INFO, True, True)
    severity, message, remedy = findings(postgres_db, only("f"))["pg.not_table"]
    assert (severity, "not of the snapshot" in message, bool(remedy)) == (Severity.WARNING, True, True)


def test_a_database_that_checks_no_text_is_named(postgres_db: ConnectionSettings) -> None:
    other = f"{postgres_db.database}_enc"
    run(postgres_db, f"CREATE DATABASE {other} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        assert "SQL_ASCII" in findings(replace(postgres_db, database=other))["pg.encoding"][1]
    finally:
        run(postgres_db, f"DROP DATABASE {other} WITH (FORCE)")


def test_too_few_connections_are_told_of(postgres_db: ConnectionSettings) -> None:
    assert "pg.connections" in findings(postgres_db, RunOptions(jobs=500))
    with login(postgres_db, options="CONNECTION LIMIT 2") as narrow:
        assert "pg.connections" in findings(narrow, RunOptions(jobs=2))
        assert "pg.connections" not in findings(narrow, RunOptions(jobs=1))


def test_what_cannot_be_read_is_known_for_tables_of_any_schema_in_one_query(postgres_db: ConnectionSettings) -> None:
    run(
        postgres_db,
        'CREATE SCHEMA "a.b"',
        'CREATE TABLE "a.b"."c.d" (id int)',
        "CREATE TABLE seen (id int)",
        "CREATE TABLE hidden (id int)",
    )
    with login(postgres_db, 'USAGE ON SCHEMA "a.b"', "SELECT ON seen") as user, SPEC.inspector(user) as inspector:
        names = ("a.b.c.d", "public.seen", "hidden", "nowhere")
        found = inspector.denials(list(map(TableSelection, names)))
    assert set(found) == {TableId("a.b", "c.d"), TableId("public", "hidden")}
