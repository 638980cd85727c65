"""Each named check of a MySQL or MariaDB source, both ways where a server can be brought into that state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mainstem.connectors.mysql import SPEC, preflight, rights
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.snapshot import MysqlSource
from mainstem.contract.inspector import Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import DeniedPolicy, RunOptions, StructureOptions, TableSelection


def findings(settings: ConnectionSettings, options: RunOptions | None = None) -> dict[str, tuple[Severity, str, str]]:
    with SPEC.inspector(settings) as inspector:
        found = inspector.preflight(Role.SOURCE, options or RunOptions())
    return {item.check: (item.severity, item.message, item.remedy) for item in found}


def run(settings: ConnectionSettings, *statements: str) -> None:
    with connect(settings) as connection:
        for statement in statements:
            query(connection, statement)


@contextmanager
def login(settings: ConnectionSettings, *grants: str) -> Iterator[ConnectionSettings]:
    """A user of this test with these rights, which name the database ``{db}``."""
    name = f"u{settings.database}"
    run(settings, f"CREATE USER {name}@'%' IDENTIFIED BY 'pw'")
    try:
        run(settings, *(f"GRANT {grant.format(db=settings.database)} TO {name}@'%'" for grant in grants))
        yield replace(settings, username=name, password="pw")
    finally:
        run(settings, f"DROP USER {name}@'%'")


def test_a_plain_source_gives_nothing_to_say(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM a")
    assert findings(mysql_db) == {}


def test_tables_that_cannot_be_read_are_named(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE open_one (id INT, b INT)", "CREATE TABLE `closed one` (id INT, b INT)")
    with login(mysql_db, "SELECT ON {db}.open_one", "INSERT ON {db}.`closed one`") as user:
        severity, message, remedy = findings(user)["my.grants"]
        assert severity is Severity.ERROR
        assert "closed one" in message
        assert "open_one" not in message
        assert "GRANT SELECT" in remedy
        assert "my.grants" not in findings(user, RunOptions(tables=(TableSelection("open_one"),)))
        assert "my.grants" not in findings(user, RunOptions(exclude=("closed one",)))


def test_a_right_to_some_columns_is_enough_for_these(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE t (id INT, secret INT)")
    with login(mysql_db, "SELECT (id), INSERT (secret) ON {db}.t") as user:
        assert "my.grants" in findings(user)
        assert "my.grants" not in findings(user, RunOptions(tables=(TableSelection("t", columns=("id",)),)))


def test_views_whose_definition_is_hidden_are_named(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE VIEW seen AS SELECT id FROM a")
    with login(mysql_db, "SELECT ON {db}.*") as user:
        severity, message, remedy = findings(user)["my.grants"]
        assert severity is Severity.WARNING
        assert "seen" in message
        assert "SHOW VIEW" in remedy
    with login(mysql_db, "SELECT, SHOW VIEW ON {db}.*") as user:
        assert "my.grants" not in findings(user)


def test_an_engine_without_snapshots_is_named(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE old (id INT) ENGINE = MyISAM", "CREATE TABLE new (id INT) ENGINE = InnoDB")
    message = findings(mysql_db)["my.engine"][1]
    assert "old" in message
    assert "MyISAM" in message
    assert ".new" not in message
    assert "my.engine" not in findings(mysql_db, RunOptions(tables=(TableSelection("new"),)))


def test_a_large_table_without_a_key_is_named(mysql_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(
        mysql_db,
        "CREATE TABLE heap (id INT)",
        "INSERT INTO heap SELECT seq FROM seq_1_to_500",
        "CREATE TABLE keyed (id INT PRIMARY KEY)",
        "INSERT INTO keyed SELECT seq FROM seq_1_to_500",
        "ANALYZE TABLE heap, keyed",
    )
    assert "my.no_pk" not in findings(mysql_db)
    monkeypatch.setattr(preflight, "_LARGE_ROWS", 100)
    message = findings(mysql_db)["my.no_pk"][1]
    assert "heap" in message
    assert "keyed" not in message


def test_too_few_connections_are_told_of(mysql_db: ConnectionSettings) -> None:
    assert "my.connections" in findings(mysql_db, RunOptions(jobs=10_000))
    assert "my.connections" not in findings(mysql_db, RunOptions(jobs=1))


@pytest.mark.parametrize("right", ["", "RELOAD ON *.*", "BINLOG MONITOR ON *.*"])
def test_what_is_said_of_readers_is_what_they_do(mysql_db: ConnectionSettings, right: str) -> None:
    with login(mysql_db, "SELECT ON {db}.*", *([right] if right else [])) as user:
        told = "my.snapshot" in findings(user, RunOptions(jobs=3))
        with MysqlSource(user).snapshot(3) as snapshot:
            assert (len(snapshot.readers) == 1) is told
        assert "my.snapshot" not in findings(user, RunOptions(jobs=1))


def test_foreign_keys_and_checks_that_are_hidden_are_told_of(mysql_db: ConnectionSettings) -> None:
    run(
        mysql_db,
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES a (id))",
        "CREATE TABLE c (id INT PRIMARY KEY, d INT, CONSTRAINT positive CHECK (d > 0))",
    )
    with login(mysql_db, "SELECT ON {db}.*") as user:
        severity, message, remedy = findings(user)["my.grants"]
        assert severity is Severity.WARNING
        assert (".a" in message, ".b" in message, ".c" in message) == (False, True, True)
        assert "SHOW VIEW" in remedy
        assert "my.grants" not in findings(user, RunOptions(structure=StructureOptions(tables=False)))
    with login(mysql_db, "SELECT, SHOW VIEW ON {db}.*") as user:
        assert "my.grants" not in findings(user)


def test_denied_tables_are_a_warning_where_they_may_be_left_out(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE a (id INT)", "CREATE TABLE b (id INT)")
    with login(mysql_db, "SELECT ON {db}.a", "INSERT ON {db}.b") as user:
        severity, message, remedy = findings(user, RunOptions(denied=DeniedPolicy.SKIP))["my.grants"]
        assert severity is Severity.WARNING
        assert message.startswith("not copied")
        assert remedy == f"GRANT SELECT ON `{mysql_db.database}`.`b` TO '{user.username}'@'%'"


@pytest.mark.parametrize(
    ("grants", "reads", "sees"),
    [
        (["GRANT USAGE ON *.* TO `u`@`%`"], False, False),
        (["GRANT SELECT ON *.* TO `u`@`%`"], True, False),
        (["GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION"], True, True),
        (["GRANT RELOAD, SELECT, BINLOG MONITOR ON *.* TO `u`@`%`"], True, True),
        (["GRANT USAGE ON *.* TO `u`@`%`", r"GRANT SELECT ON `a\_b`.* TO `u`@`%`"], True, False),
        (["GRANT SELECT, SHOW VIEW ON `a_b`.* TO `u`@`%`"], True, True),
        (["GRANT SELECT ON `axb`.* TO `u`@`%`"], False, False),
        (["GRANT SELECT, INSERT ON `a_b`.`t` TO `u`@`%`"], False, False),
        (["GRANT SELECT (id) ON `a_b`.`t` TO `u`@`%`"], False, False),
        (["GRANT SELECT ON *.* TO `u`@`%`", "REVOKE SELECT ON `a_b`.* FROM `u`@`%`"], False, False),
        (["GRANT `reader`@`%` TO `u`@`%`"], False, False),
    ],
)
def test_grants_tell_whether_all_may_be_read_and_structure_seen(grants: list[str], reads: bool, sees: bool) -> None:
    assert rights.reads_all("a_b", grants) is reads
    assert rights.sees_structure("a_b", grants) is sees


def test_a_view_is_told_of_when_it_is_chosen(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM a")
    assert findings(mysql_db) == {}
    severity, message, _ = findings(mysql_db, RunOptions(tables=(TableSelection("v"), TableSelection("a"))))[
        "my.not_table"
    ]
    assert (severity, f"{mysql_db.database}.v: a view" in message) == (Severity.INFO, True)
