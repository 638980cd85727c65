"""Each named check of a PostgreSQL target, both ways where a server can be brought into that state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from mainstem.connectors.postgres import SPEC
from mainstem.connectors.postgres.client import connect
from mainstem.contract.inspector import Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import ChangeOptions, Mode, RunOptions, SchemaPolicy, TableSelection, WriteMode


def findings(settings: ConnectionSettings, options: RunOptions | None = None) -> dict[str, tuple[Severity, str, str]]:
    with SPEC.inspector(settings) as inspector:
        found = inspector.preflight(Role.TARGET, options or RunOptions())
    return {item.check: (item.severity, item.message, item.remedy) for item in found}


def run(settings: ConnectionSettings, *statements: str) -> None:
    with connect(settings) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def login(settings: ConnectionSettings, name: str, options: str = "") -> Iterator[ConnectionSettings]:
    """A role of this test, named after its database so that no other test has it."""
    role = f"{name}_{settings.database}"
    run(settings, f"CREATE ROLE {role} LOGIN PASSWORD 'pw' {options}")
    try:
        yield replace(settings, username=role, password="pw")
    finally:
        run(settings, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_an_empty_database_of_our_own_gives_nothing_to_say(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    assert findings(postgres_db) == {}
    assert findings(postgres15_db) == {}


def test_a_login_without_rights_is_told_which_it_needs(postgres_db: ConnectionSettings) -> None:
    with login(postgres_db, "poor") as poor:
        severity, _, remedy = findings(poor)["tgt.grants"]
        assert severity is Severity.ERROR
        assert "GRANT" in remedy
        run(
            postgres_db,
            f"GRANT CREATE ON DATABASE {postgres_db.database} TO {poor.username}",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {poor.username}",
        )
        assert "tgt.grants" not in findings(poor)
        assert "tgt.grants" not in findings(poor, RunOptions(target_schema="made by the run"))


def obey(settings: ConnectionSettings, remedy: str) -> None:
    """Run a remedy as it is printed, but for what is said in brackets or offered besides."""
    run(settings, *remedy.partition(" (")[0].partition(", or ")[0].split("; "))


@pytest.mark.parametrize("server", ["postgres_db", "postgres15_db"])
def test_remedies_can_be_run_as_they_are_printed(request: pytest.FixtureRequest, server: str) -> None:
    database: ConnectionSettings = request.getfixturevalue(server)
    run(
        database,
        'CREATE SCHEMA "Shut"', 'CREATE TABLE "Shut"."Order ""Items""" (id int PRIMARY KEY)',
        'CREATE TABLE "Shut".child (id int PRIMARY KEY REFERENCES "Shut"."Order ""Items""")',
        "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        'CREATE TRIGGER "No op" BEFORE INSERT ON "Shut".child FOR EACH ROW EXECUTE FUNCTION noop()',
        'ALTER TABLE "Shut".child ENABLE ALWAYS TRIGGER "No op"',
    )  # fmt: skip
    run(database, 'ALTER TABLE "Shut".child ENABLE ROW LEVEL SECURITY')
    cdc = RunOptions(mode=Mode.CDC, schema_policy=SchemaPolicy.CREATE_MISSING, target_schema="Shut")
    told = set()
    with login(database, "poor") as poor:
        run(database, f"ALTER ROLE {poor.username} SET default_transaction_read_only = on")
        for _ in range(12):
            with SPEC.inspector(poor) as inspector:
                found = inspector.preflight(Role.TARGET, cdc)
            if not found:
                break
            told.add(found[0].check)
            obey(database, found[0].remedy)
    assert not found
    assert told == {"tgt.read_only", "tgt.grants", "tgt.row_security", "tgt.replica_role", "tgt.triggers"}


def test_a_table_that_must_not_be_written_to_is_named(postgres_db: ConnectionSettings) -> None:
    run(postgres_db, 'CREATE TABLE "Order" (id int)')
    options = RunOptions(
        tables=(TableSelection("Order"),), schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.APPEND
    )
    with login(postgres_db, "reader") as reader:
        run(postgres_db, f"GRANT CREATE ON DATABASE {postgres_db.database} TO {reader.username}")
        assert "Order" in findings(reader, options)["tgt.grants"][1]
        run(postgres_db, f'GRANT SELECT, INSERT ON "Order" TO {reader.username}')
        assert "tgt.grants" not in findings(reader, options)
        upsert = replace(options, write_mode=WriteMode.UPSERT)
        assert "Order" in findings(reader, upsert)["tgt.grants"][1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"write_mode": WriteMode.TRUNCATE}, "emptied"),
        ({"schema_policy": SchemaPolicy.DROP_AND_RECREATE}, "dropped"),
        ({"tables": (TableSelection("held"),)}, "refuse"),
        ({"write_mode": WriteMode.APPEND}, ""),
        ({"skip_data": True}, ""),
    ],
)
def test_rows_that_are_there_are_spoken_of(
    postgres_db: ConnectionSettings, change: dict[str, object], told: str
) -> None:
    run(postgres_db, "CREATE TABLE held (id int)", "CREATE TABLE bare (id int)")
    options = replace(RunOptions(), **change)  # type: ignore[arg-type]
    assert "tgt.not_empty" not in findings(postgres_db, options)
    run(postgres_db, "INSERT INTO held VALUES (1)")
    found = findings(postgres_db, options)
    assert ("tgt.not_empty" in found) is bool(told)
    if told:
        assert told in found["tgt.not_empty"][1]
        assert "held" in found["tgt.not_empty"][1]
        assert "bare" not in found["tgt.not_empty"][1]


def test_a_read_only_database_is_refused(postgres_db: ConnectionSettings) -> None:
    run(postgres_db, f"ALTER DATABASE {postgres_db.database} SET default_transaction_read_only = on")
    severity, message, _ = findings(postgres_db)["tgt.read_only"]
    assert severity is Severity.ERROR
    assert "read-only" in message


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_another_encoding_than_utf8_is_named(postgres_db: ConnectionSettings, encoding: str) -> None:
    other = f"{postgres_db.database}_enc"
    run(postgres_db, f"CREATE DATABASE {other} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        assert encoding in findings(replace(postgres_db, database=other))["tgt.encoding"][1]
    finally:
        run(postgres_db, f"DROP DATABASE {other} WITH (FORCE)")


def test_a_locale_that_knows_ascii_letters_alone_is_named(postgres_db: ConnectionSettings) -> None:
    other = f"{postgres_db.database}_c"
    run(postgres_db, f"CREATE DATABASE {other} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    try:
        severity, message, _ = findings(replace(postgres_db, database=other))["tgt.ctype"]
        assert (severity, "LC_CTYPE is C" in message) == (Severity.WARNING, True)
    finally:
        run(postgres_db, f"DROP DATABASE {other} WITH (FORCE)")


@pytest.mark.parametrize("type_", ["no_such_type", "numeric(", "1 2 3", "citexd"])
@pytest.mark.parametrize("server", ["postgres_db", "postgres15_db"])
def test_an_override_to_an_unknown_type_is_refused(request: pytest.FixtureRequest, server: str, type_: str) -> None:
    settings: ConnectionSettings = request.getfixturevalue(server)
    options = RunOptions(type_overrides={"t.a": "numeric(10,2)", "t.b": type_})
    severity, message, _ = findings(settings, options)["tgt.extensions"]
    assert severity is Severity.ERROR
    assert type_ in message
    assert "numeric(10,2)" not in message


def test_an_override_finds_the_extension_that_has_the_type(postgres_db: ConnectionSettings) -> None:
    options = RunOptions(type_overrides={"t.a": "citext"})
    found = findings(postgres_db, options)
    assert "citext" in found["tgt.extensions"][1]
    try:
        run(postgres_db, "CREATE EXTENSION citext")
    except psycopg.errors.Error:
        pytest.skip("this server has no contrib modules")
    assert "CREATE EXTENSION citext" in found["tgt.extensions"][2]
    assert "tgt.extensions" not in findings(postgres_db, options)


def test_too_few_connections_are_told_of(postgres_db: ConnectionSettings) -> None:
    assert "tgt.connections" in findings(postgres_db, RunOptions(jobs=500))
    with login(postgres_db, "narrow", "CONNECTION LIMIT 3") as narrow:
        assert "tgt.connections" in findings(narrow, RunOptions(jobs=1))
        assert "tgt.connections" not in findings(postgres_db, RunOptions(jobs=1))


def test_what_stays_active_while_changes_are_applied_is_told(postgres_db: ConnectionSettings) -> None:
    cdc = RunOptions(mode=Mode.CDC, schema_policy=SchemaPolicy.CREATE_MISSING)
    run(
        postgres_db,
        "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "CREATE TABLE child (id int PRIMARY KEY, parent int UNIQUE REFERENCES parent ON DELETE CASCADE)",
        "CREATE TABLE bag (id int)",
        "CREATE TRIGGER plain AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION noop()",
        "CREATE TRIGGER always AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION noop()",
        "ALTER TABLE parent ENABLE ALWAYS TRIGGER always",
    )
    kept = findings(postgres_db, replace(cdc, write_mode=WriteMode.APPEND))
    assert set(kept) == {"tgt.triggers", "tgt.unique_secondary", "tgt.no_key"}
    assert all(remedy for _, _, remedy in kept.values())
    assert "parent.always" in kept["tgt.triggers"][1]
    assert "plain" not in kept["tgt.triggers"][1]
    assert "child.child_parent_key" in kept["tgt.unique_secondary"][1]
    assert "bag" in kept["tgt.no_key"][1]
    some = replace(cdc, tables=(TableSelection("parent"),))
    assert "child.child_parent_fkey" in findings(postgres_db, some)["tgt.fks"][1]
    soft = replace(cdc, changes=ChangeOptions(soft_delete="gone"))
    assert "not marked" in findings(postgres_db, soft)["tgt.fks"][1]
    assert findings(postgres_db, RunOptions(schema_policy=SchemaPolicy.CREATE_MISSING)) == {}


def test_a_login_that_may_not_switch_triggers_off_is_told_how_it_may(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    cdc = RunOptions(mode=Mode.CDC, schema_policy=SchemaPolicy.CREATE_MISSING)
    for database in (postgres_db, postgres15_db):
        run(
            database,
            "CREATE TABLE parent (id int PRIMARY KEY)",
            "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)",
        )
        with login(database, "plain") as plain:
            found = findings(plain, cdc)
            assert found["tgt.replica_role"][0] is Severity.WARNING
            assert "tgt.fks" in found
            run(database, f"GRANT SET ON PARAMETER session_replication_role TO {plain.username}")
            assert {"tgt.replica_role", "tgt.fks"}.isdisjoint(findings(plain, cdc))
