"""Each named check of a server whose binary log is to be followed, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mainstem.connectors.mysql import source_log_checks
from mainstem.connectors.mysql.client import connect, query
from mainstem.contract.inspector import Finding
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import ChangeOptions, Mode, RunOptions, StructureOptions
from mainstem.testing import servers
from tests.connectors.mysql.following import Source
from tests.connectors.test_preflight_mysql import findings, login, run

CDC = RunOptions(mode=Mode.CDC)
QUIET = {"my.row_metadata", "my.server_uuid"}  # what is told of a server as it comes


@pytest.fixture(scope="module")
def sparse() -> Iterator[ConnectionSettings]:
    """A server with all that can be set the wrong way, and the database ``shop``."""
    options = {
        "binlog-format": "MIXED", "binlog-row-image": "MINIMAL", "log-bin-compress": "ON", "expire-logs-days": "0.5",
        "max-allowed-packet": "1M", "innodb-buffer-pool-size": "64M", "innodb-log-file-size": "64M", "server-id": "9",
        "binlog-ignore-db": "shop", "init-connect": "SET sql_log_bin = 0",
    }  # fmt: skip
    with servers.mariadb(options) as server:
        run(server.settings, "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT CHARACTER SET gbk)")  # fmt: skip
        yield replace(server.settings, database="shop")


def test_a_server_that_is_ready_is_told_of_little(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE a (id INT PRIMARY KEY)")
    found = findings(mysql_db, CDC)
    assert set(found) <= {*QUIET, "my.xa", "maria.gtid_domain"}
    assert {found[name][0] for name in QUIET} == {Severity.INFO}
    assert findings(mysql_db) == {}


def test_settings_that_do_not_suffice_are_named(sparse: ConnectionSettings) -> None:
    found = findings(sparse, CDC)
    expected = {
        "my.binlog_format": (Severity.ERROR, "MIXED", "binlog_format = 'ROW'"),
        "my.row_image": (Severity.WARNING, "MINIMAL", "binlog_row_image = 'FULL'"),
        "maria.log_bin_compress": (Severity.INFO, "compressed", ""),
        "my.retention": (Severity.WARNING, "12.0 hours", "binlog_expire_logs_seconds"),
        "my.packet": (Severity.WARNING, "gbk", "max_allowed_packet"),
        "my.log_filter": (Severity.ERROR, "database shop out of its log", "restart"),
        "my.init_connect": (Severity.ERROR, "sql_log_bin", "init_connect = ''"),
    }
    for name, (severity, message, remedy) in expected.items():
        assert found[name][0] is severity
        assert message in found[name][1]
        assert remedy in found[name][2]
    assert "my.server_uuid" not in found


def test_a_server_without_a_log_is_refused() -> None:
    options = {"skip-log-bin": "1", "innodb-buffer-pool-size": "64M", "innodb-log-file-size": "64M"}
    with servers.mariadb(options) as server:
        run(server.settings, "CREATE DATABASE shop")
        found = findings(replace(server.settings, database="shop"), CDC)
    assert found["my.log_bin"][0] is Severity.ERROR
    assert "my.binlog_format" not in found


@pytest.mark.parametrize(
    ("grants", "missing"),
    [
        (("REPLICATION SLAVE ON *.*", "BINLOG MONITOR ON *.*"), []),
        (("REPLICATION SLAVE ON *.*",), ["BINLOG MONITOR"]),
        (("BINLOG MONITOR ON *.*",), ["REPLICATION SLAVE"]),
        ((), ["REPLICATION SLAVE", "BINLOG MONITOR"]),
    ],
)
def test_rights_that_are_missing_are_named(
    mysql_db: ConnectionSettings, grants: tuple[str, ...], missing: list[str]
) -> None:
    run(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY)")
    with login(mysql_db, "SELECT, SHOW VIEW ON {db}.*", *grants) as user:
        remedies = [item.remedy for item in _found(user) if item.check == "my.grants"]
        assert [remedy.removeprefix("GRANT ").partition(" ON *.* TO '")[0] for remedy in remedies] == missing
        run(mysql_db, *remedies)  # as they are printed; and then they are enough
        source = Source(user, "t")
        run(mysql_db, "INSERT INTO t VALUES (1)")
        assert source.follow().tables["t"] == source.rows("t")


def _found(settings: ConnectionSettings, options: RunOptions = CDC) -> list[Finding]:
    from mainstem.connectors.mysql import SPEC
    from mainstem.contract.inspector import Role

    with SPEC.inspector(settings) as inspector:
        return inspector.preflight(Role.SOURCE, options)


def test_tables_that_are_hard_to_follow_are_named(mysql_db: ConnectionSettings) -> None:
    run(
        mysql_db,
        "CREATE TABLE heap (id INT)",
        "CREATE TABLE history (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
        "CREATE TABLE keyed (id INT PRIMARY KEY, hidden INT INVISIBLE)",
        "CREATE TABLE part (id INT) ENGINE = MyISAM",
        "CREATE TABLE both_parts (id INT) ENGINE = MERGE UNION = (part)",
    )
    found = _found(mysql_db)
    keyless = next(item.message for item in found if item.check == "my.no_pk")
    assert "heap" in keyless
    assert "keyed" not in keyless
    merged = [(item.severity, "both_parts" in item.message) for item in found if item.check == "my.merge_tables"]
    assert merged == [(Severity.ERROR, True), (Severity.WARNING, True)]
    special = [(item.severity, item.message) for item in found if item.check == "my.special_cols"]
    assert [severity for severity, _ in special] == [Severity.ERROR, Severity.INFO]
    assert "history" in special[0][1]
    assert "keyed.hidden" in special[1][1]
    assert not {"my.special_cols", "my.no_pk"} & {item.check for item in _found_in(mysql_db, "keyed2")}


def _found_in(settings: ConnectionSettings, table: str) -> list[Finding]:
    from mainstem.connectors.mysql import SPEC
    from mainstem.contract.inspector import Role
    from mainstem.model.run import TableSelection

    run(settings, f"CREATE TABLE {table} (id INT PRIMARY KEY)")
    with SPEC.inspector(settings) as inspector:
        return inspector.preflight(Role.SOURCE, replace(CDC, tables=(TableSelection(table),)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (CDC, [(Severity.INFO, "other, t")]),
        (replace(CDC, structure=StructureOptions(foreign_keys=False)), [(Severity.WARNING, "other, t")]),
        (replace(CDC, exclude=("t",)), [(Severity.WARNING, "other")]),
        (replace(CDC, exclude=("other", "t")), []),
    ],
)
def test_rows_that_foreign_keys_change_are_told_of(
    mysql_db: ConnectionSettings, options: RunOptions, expected: list[tuple[Severity, str]]
) -> None:
    run(
        mysql_db,
        "CREATE TABLE t (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES t (id) ON UPDATE SET NULL)",
        "CREATE TABLE other (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES t (id) ON DELETE CASCADE)",
        "CREATE TABLE quiet (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES t (id))",
    )
    found = [item for item in _found(mysql_db, options) if item.check == "my.fk_effects"]
    named = [item.message.partition(":")[0].replace(f"{mysql_db.database}.", "") for item in found]
    assert list(zip([item.severity for item in found], named, strict=True)) == expected


def test_prepared_transactions_are_told_of(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY)")
    with connect(mysql_db) as connection:
        for sql in ("XA START 'told'", "INSERT INTO t VALUES (1)", "XA END 'told'", "XA PREPARE 'told'"):
            query(connection, sql)
        assert "XA COMMIT" in findings(mysql_db, CDC)["my.xa"][2]
        query(connection, "XA ROLLBACK 'told'")
    assert "my.xa" not in findings(mysql_db, CDC)


def test_a_server_id_that_is_taken_is_refused(mysql_db: ConnectionSettings) -> None:
    def told(server_id: int) -> bool:
        found = findings(mysql_db, replace(CDC, changes=ChangeOptions(server_id=server_id)))
        return "my.server_id" in found

    source = Source(mysql_db, options=RunOptions(changes=ChangeOptions(server_id=4711)))
    assert told(1)
    assert not told(4711)
    with source.stream():
        assert told(4711)


# What only MySQL has, by answers as it gives them.

_READY = {
    "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL",
    "binlog_row_value_options": "", "binlog_transaction_compression": "OFF", "gtid_mode": "ON", "server_id": "5",
    "max_allowed_packet": "67108864", "binlog_expire_logs_seconds": "2592000", "expire_logs_days": "0",
    "binlog_expire_logs_auto_purge": "ON",
}  # fmt: skip
_RIGHTS = ("GRANT SELECT, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `u`@`%`",)


def scripted(variables: Mapping[str, str], grants: tuple[str, ...] = _RIGHTS, **more: Any) -> list[Finding]:
    """The findings of a MySQL 8 with one plain table."""
    answers: dict[str, list[tuple[Any, ...]]] = {
        "SHOW GLOBAL VARIABLES": list(variables.items()),
        "SHOW GRANTS": [(line,) for line in grants],
        **{name.replace("_", " "): answer for name, answer in more.items()},
    }

    def rows(sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return next((answer for begin, answer in answers.items() if sql.startswith(begin)), [])

    look = source_log_checks.look(rows, "shop", ["t"], [], CDC, mariadb=False)
    return list(source_log_checks.checks(look))


def test_a_mysql_that_is_ready_gives_nothing_to_say() -> None:
    assert scripted(_READY) == []
    assert scripted({name: value for name, value in _READY.items() if name != "binlog_row_metadata"}) == []  # 5.7


@pytest.mark.parametrize(
    ("name", "value", "check", "severity"),
    [
        ("log_bin", "OFF", "my.log_bin", Severity.ERROR),
        ("binlog_format", "STATEMENT", "my.binlog_format", Severity.ERROR),
        ("binlog_row_image", "NOBLOB", "my.row_image", Severity.WARNING),
        ("binlog_row_metadata", "MINIMAL", "my.row_metadata", Severity.INFO),
        ("binlog_row_value_options", "PARTIAL_JSON", "my.partial_json", Severity.ERROR),
        ("binlog_transaction_compression", "ON", "my.tx_compression", Severity.INFO),
        ("gtid_mode", "OFF_PERMISSIVE", "my.gtid_mode", Severity.WARNING),
        ("server_id", "0", "my.server_id", Severity.ERROR),
        ("binlog_expire_logs_seconds", "3600", "my.retention", Severity.WARNING),
    ],
)
def test_a_setting_of_mysql_is_named(name: str, value: str, check: str, severity: Severity) -> None:
    (found,) = scripted({**_READY, name: value})
    assert (found.check, found.severity) == (check, severity)
    assert found.remedy or severity is Severity.INFO


@pytest.mark.parametrize(
    ("only", "never", "severity"),
    [
        ("shop,other", "", Severity.WARNING),
        ("other", "", Severity.ERROR),
        ("", "other, shop", Severity.ERROR),
        ("", "other", Severity.WARNING),
        ("", "", None),
    ],
)
def test_what_the_server_keeps_out_of_its_log_is_told(only: str, never: str, severity: Severity | None) -> None:
    found = scripted(_READY, SHOW_MASTER_STATUS=[("binlog.000001", 4, only, never)])
    assert [item.severity for item in found] == ([] if severity is None else [severity])
    assert all(item.check == "my.log_filter" for item in found)


def test_a_replica_that_logs_nothing_of_its_source_is_refused() -> None:
    silent = {**_READY, "log_slave_updates": "OFF"}
    assert scripted(silent) == []
    (found,) = scripted(silent, SHOW_ALL_SLAVES_STATUS=[("Waiting",)])
    assert (found.check, found.severity) == ("my.log_updates", Severity.ERROR)
    assert scripted({**_READY, "log_replica_updates": "ON"}, SHOW_ALL_SLAVES_STATUS=[("Waiting",)]) == []


def test_a_log_that_is_never_purged_is_not_told_of() -> None:
    purged = {**_READY, "binlog_expire_logs_seconds": "60"}
    assert scripted({**purged, "binlog_expire_logs_auto_purge": "OFF"}) == []
    assert scripted({**purged, "binlog_expire_logs_seconds": "0"}) == []


@pytest.mark.parametrize(
    ("grants", "remedies"),
    [
        (("GRANT SELECT ON *.* TO `u`@`%`",), ["REPLICATION SLAVE", "REPLICATION CLIENT", "RELOAD"]),
        (("GRANT ALL PRIVILEGES ON *.* TO `u`@`%`",), []),
        (("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `u`@`%`",), ["RELOAD"]),
        ((_RIGHTS[0].replace("RELOAD, ", ""), "GRANT FLUSH_TABLES ON *.* TO `u`@`%`"), []),
    ],
)
def test_rights_of_mysql_that_are_missing_are_named(grants: tuple[str, ...], remedies: list[str]) -> None:
    found = scripted(_READY, grants)
    assert [item.remedy for item in found] == [f"GRANT {right} ON *.* TO the user" for right in remedies]
    assert all(item.severity is Severity.ERROR for item in found)
    assert all(item.severity is Severity.WARNING for item in scripted(_READY, (*grants, "GRANT `r`@`%` TO `u`@`%`")))
