"""Each named check of a MySQL or MariaDB target, both ways where a server can be brought into that state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mainstem.connectors.mysql import SPEC
from mainstem.connectors.mysql.target_checks import database_rights
from mainstem.contract.inspector import Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import RowErrorPolicy, RunOptions, SchemaPolicy, TableSelection, WriteMode
from mainstem.testing import servers
from tests.connectors.mysql.rows import run_sql

T = (TableSelection("public.t"),)


def findings(settings: ConnectionSettings, **options: object) -> dict[str, tuple[Severity, str]]:
    with SPEC.inspector(settings) as inspector:
        found = inspector.preflight(Role.TARGET, RunOptions(**options))  # type: ignore[arg-type]
    return {item.check: (item.severity, item.message + " " + item.remedy) for item in found}


@contextmanager
def login(settings: ConnectionSettings, *rights: str) -> Iterator[ConnectionSettings]:
    """A user of this test with these rights, which name the database ``{db}``."""
    name = f"u{settings.database}"
    run_sql(settings, f"CREATE USER {name}@'%' IDENTIFIED BY 'pw'")
    try:
        run_sql(settings, *(f"GRANT {right.format(db=settings.database)} TO {name}@'%'" for right in rights))
        yield replace(settings, username=name, password="pw")
    finally:
        run_sql(settings, f"DROP USER {name}@'%'")


def test_a_plain_target_gives_nothing_to_say(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE other (id INT)", "INSERT INTO other VALUES (1)")
    assert findings(mysql_db, tables=T, schema_policy=SchemaPolicy.DROP_AND_RECREATE) == {}


def test_missing_rights_are_named(mysql_db: ConnectionSettings) -> None:
    with login(mysql_db, "SELECT, INSERT, UPDATE, DELETE, CREATE ON {db}.*") as user:
        severity, told = findings(user)["my.target_grants"]
        assert severity is Severity.ERROR
        assert f"lacks rights to database {user.database}: DROP, ALTER, INDEX, REFERENCES, CREATE VIEW" in told
        assert f"GRANT DROP, ALTER, INDEX, REFERENCES, CREATE VIEW ON `{user.database}`.* TO" in told
    with login(mysql_db, "ALL ON `t\\_%`.*") as user:
        assert findings(user) == {}


def test_filling_tables_that_are_there_needs_fewer_rights(mysql_db: ConnectionSettings) -> None:
    with login(mysql_db, "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON {db}.*") as user:
        assert findings(user, schema_policy=SchemaPolicy.VALIDATE) == {}
        upsert = findings(user, schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.UPSERT)
        assert "CREATE TEMPORARY TABLES" in upsert["my.target_grants"][1]


@pytest.mark.parametrize(
    ("grant", "rights"),
    [
        ("GRANT SELECT, INSERT ON *.* TO `u`@`%`", {"SELECT", "INSERT"}),
        ("GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%` WITH GRANT OPTION", {"ALL PRIVILEGES"}),
        ("GRANT ALL PRIVILEGES ON `sh%`.* TO `u`@`%`", {"ALL PRIVILEGES"}),
        ("GRANT ALL PRIVILEGES ON `sho_`.* TO `u`@`%`", {"ALL PRIVILEGES"}),
        ("GRANT ALL PRIVILEGES ON `sho\\_`.* TO `u`@`%`", set()),
        ("GRANT ALL PRIVILEGES ON `shop`.`t` TO `u`@`%`", set()),
        ("GRANT `reader`@`%` TO `u`@`%`", None),
        ("REVOKE INSERT ON `shop`.* FROM `u`@`%`", None),
    ],
)
def test_rights_are_read_from_grants(grant: str, rights: set[str] | None) -> None:
    assert database_rights("shop", [grant]) == rights


def test_tables_of_engines_without_transactions_are_refused(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id INT) ENGINE = MyISAM")
    severity, told = findings(mysql_db, tables=T, schema_policy=SchemaPolicy.VALIDATE)["my.target_engine"]
    assert (severity, "t: the table's engine has no transactions" in told) == (Severity.ERROR, True)
    assert findings(mysql_db, tables=(TableSelection("public.u"),)) == {}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schema_policy": SchemaPolicy.DROP_AND_RECREATE}, "lose their rows: the tables are dropped"),
        ({"write_mode": WriteMode.TRUNCATE}, "lose their rows: the tables are emptied"),
        ({}, "has rows already in t"),
        ({"write_mode": WriteMode.APPEND}, ""),
    ],
)
def test_rows_that_are_there_are_told_of(mysql_db: ConnectionSettings, options: dict[str, object], says: str) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
    told = findings(mysql_db, tables=T, **options).get("my.not_empty", (None, ""))[1]
    assert (says in told) if says else told == ""


def test_what_a_server_forbids_is_told_before_the_run() -> None:
    options = {
        "local-infile": "OFF", "max-allowed-packet": "1M", "innodb-force-primary-key": "ON", "max-connections": "10",
    }  # fmt: skip
    with servers.mariadb(options) as server:
        run_sql(server.settings, "CREATE DATABASE d")
        settings = replace(server.settings, database="d")
        found = findings(settings, jobs=8)
        assert set(found) == {
            "my.local_infile", "my.max_allowed_packet", "my.require_primary_key", "my.target_connections",
        }  # fmt: skip
        assert {severity for severity, _ in found.values()} == {Severity.WARNING}
        run_sql(settings, "SET GLOBAL local_infile = 1, read_only = 1")
        assert set(findings(settings, row_errors=RowErrorPolicy.QUARANTINE)) == {
            "my.max_allowed_packet", "my.require_primary_key",
        }  # fmt: skip
        with login(settings, "ALL ON {db}.*") as user:
            assert findings(user)["my.read_only"][0] is Severity.ERROR
