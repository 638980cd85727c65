"""Named checks of a target of changes, both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.connectors.mysql import SPEC, apply_checks
from mainstem.connectors.mysql.client import connect
from mainstem.contract.inspector import Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import ChangeOptions, Mode, RunOptions, TableSelection
from tests.connectors.mysql.rows import run_sql

OPTIONS = RunOptions(mode=Mode.CDC, tables=(TableSelection("t"),))


def found(settings: ConnectionSettings, options: RunOptions = OPTIONS) -> dict[str, tuple[Severity, str]]:
    with SPEC.inspector(settings) as inspector:
        findings = inspector.preflight(Role.TARGET, options)
    assert all(item.remedy for item in findings)
    return {item.check: (item.severity, item.message) for item in findings if item.check.startswith("tgt.")}


def test_a_plain_table_gives_nothing_to_say(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v int, KEY (v))")
    assert found(mysql_db) == {}


@pytest.mark.parametrize(
    ("check", "statements"),
    [
        ("tgt.triggers", ["CREATE TRIGGER x_{0} BEFORE INSERT ON {0} FOR EACH ROW SET @a = 1"]),
        ("tgt.unique_secondary", ["ALTER TABLE {0} ADD UNIQUE (v)"]),
        ("tgt.no_key", ["ALTER TABLE {0} DROP PRIMARY KEY, ADD UNIQUE (v)"]),
        ("tgt.fks", ["CREATE TABLE child (id int PRIMARY KEY, v int, FOREIGN KEY (v) REFERENCES {0} (id))"]),
    ],
)
def test_what_tables_that_are_there_will_do_is_told(
    mysql_db: ConnectionSettings, check: str, statements: list[str]
) -> None:
    for name in ("t", "other"):
        run_sql(mysql_db, f"CREATE TABLE {name} (id int PRIMARY KEY, v int)")
    run_sql(mysql_db, *(statement.format("other") for statement in statements))
    assert found(mysql_db) == {}
    run_sql(mysql_db, "DROP TABLE IF EXISTS child", *(statement.format("t") for statement in statements))
    assert check in found(mysql_db)
    assert found(mysql_db, RunOptions(tables=OPTIONS.tables)) == {}


def test_soft_deletes_do_not_reach_what_foreign_keys_delete(mysql_db: ConnectionSettings) -> None:
    run_sql(
        mysql_db,
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TABLE u (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES t (id) ON DELETE CASCADE)",
    )
    both = RunOptions(mode=Mode.CDC)
    assert found(mysql_db, both) == {}
    soft = RunOptions(mode=Mode.CDC, changes=ChangeOptions(soft_delete="gone"))
    assert found(mysql_db, soft)["tgt.fks"][0] is Severity.WARNING


def test_a_log_of_statements_is_told(mysql_db: ConnectionSettings) -> None:
    with connect(mysql_db) as connection:
        for log, form, told in [("ON", "STATEMENT", 1), ("ON", "ROW", 0), ("OFF", "STATEMENT", 0)]:
            variables = {"log_bin": log, "binlog_format": form}
            findings = apply_checks.run(connection, mysql_db.database, [], OPTIONS, variables)
            assert [item.check for item in findings] == ["tgt.binlog"] * told


def test_staging_needs_a_right(mysql_db: ConnectionSettings) -> None:
    name = f"u{mysql_db.database}"
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, CREATE VIEW"
    run_sql(mysql_db, f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'w'")
    run_sql(mysql_db, f"GRANT {rights} ON {mysql_db.database}.* TO {name}@'127.0.0.1'")
    try:
        settings = replace(mysql_db, username=name, password="w")
        with SPEC.inspector(settings) as inspector:
            assert "CREATE TEMPORARY TABLES" in " ".join(f.message for f in inspector.preflight(Role.TARGET, OPTIONS))
    finally:
        run_sql(mysql_db, f"DROP USER {name}@'127.0.0.1'")
