"""Each named check of a MySQL or MariaDB source, both ways where a server can be brought into that state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mainstem.connectors.mysql import SPEC, preflight
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.snapshot import MysqlSource
from mainstem.contract.inspector import Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import RunOptions, TableSelection


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


def test_as_a_target_there_are_no_checks_yet(mysql_db: ConnectionSettings) -> None:
    with SPEC.inspector(mysql_db) as inspector:
        assert inspector.preflight(Role.TARGET, RunOptions()) == []


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
