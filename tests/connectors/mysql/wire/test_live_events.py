"""Events as a MariaDB writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mainstem.connectors.mysql.wire.events import (
    MariadbGtidEvent,
    Query,
    Rows,
    RowsQuery,
    StatementContext,
    TableMapped,
    XaPrepare,
    Xid,
)
from mainstem.connectors.mysql.wire.reader import events_of_file
from mainstem.errors import WireError
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from tests.connectors.mysql.following import Source, run
from tests.connectors.mysql.wire.live import binlog
from tests.types.matrix import Database


def groups_of(settings: ConnectionSettings, *statements: str) -> list[list[str]]:
    """What is in the log of these statements, a list for each event group; statements by their text."""
    source = Database(settings)
    source.run("CREATE TABLE t (i INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20), r DOUBLE)")
    source.run("CREATE TABLE m (i INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20)) ENGINE = MyISAM")
    source.run("FLUSH BINARY LOGS")
    for statement in statements:
        source.run(statement)
    log = binlog(source.run)
    source.close()
    groups: list[list[str]] = []
    for event in events_of_file(log):
        match event:
            case MariadbGtidEvent():
                kinds = {"alone": event.standalone, "prepares": event.prepares, "completes": event.completes}
                groups.append([f"{' '.join(kind for kind, true in kinds.items() if true)} {event.xid or ''}".strip()])
            case Query():
                groups[-1].append(event.statement.decode())
            case XaPrepare():
                groups[-1].append(f"{'XA one phase' if event.one_phase else 'XA prepare'} {event.xid}")
            case Rows():
                groups[-1].append(event.op.name)
            case Xid() | StatementContext():
                groups[-1].append(type(event).__name__)
            case RowsQuery() | TableMapped():
                pass
    return groups


def test_xa_transactions(mysql_db: ConnectionSettings) -> None:
    begin = ("XA START 'a','b',3", "INSERT INTO t (v) VALUES ('x')", "XA END 'a','b',3")
    name = "X'61',X'62',3"
    prepared = [f"prepares {name}", "INSERT", f"XA END {name}", f"XA prepare {name}"]
    groups = groups_of(
        mysql_db, *begin, "XA PREPARE 'a','b',3", "XA COMMIT 'a','b',3",
        *begin, "XA PREPARE 'a','b',3", "XA ROLLBACK 'a','b',3", *begin, "XA COMMIT 'a','b',3 ONE PHASE",
    )  # fmt: skip
    assert groups == [
        prepared,
        [f"alone completes {name}", f"XA COMMIT {name}"],
        prepared,
        [f"alone completes {name}", f"XA ROLLBACK {name}"],
        ["", "INSERT", "Xid"],
    ]


def test_savepoints_engines_without_transactions_and_statements(mysql_db: ConnectionSettings) -> None:
    groups = groups_of(
        mysql_db, "BEGIN", "INSERT INTO t (v) VALUES ('a')", "SAVEPOINT s", "DELETE FROM t",
        "INSERT INTO m VALUES (1, 'b')",
        "ROLLBACK TO s", "COMMIT", "TRUNCATE t", "SET binlog_format = STATEMENT", "SET @x = 'é'",
        "INSERT INTO t (v, r) VALUES (@x, rand())",
    )  # fmt: skip
    assert groups == [
        ["", "INSERT", "COMMIT"],
        ["", "INSERT", "SAVEPOINT `s`", "DELETE", "ROLLBACK TO `s`", "Xid"],
        ["alone", "TRUNCATE t"],
        ["", *["StatementContext"] * 3, "INSERT INTO t (v, r) VALUES (@x, rand())", "Xid"],
    ]


def test_table_that_is_made_with_its_rows_is_one_group(mysql_db: ConnectionSettings) -> None:
    assert groups_of(mysql_db, "CREATE TABLE c AS SELECT 1 AS i") == [
        ["", "CREATE TABLE `c` (\n  `i` int(1) NOT NULL\n)", "INSERT", "Xid"]
    ]


@pytest.fixture
def key_file() -> Iterator[Path]:
    """A key for the server to encrypt with, where its own user can read it."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        keys = Path(folder) / "keys"
        keys.write_text("1;770A8A65DA156D24EE2A093277530142\n")
        yield keys


def test_log_that_is_encrypted_on_disk_is_read_from_the_server(key_file: Path) -> None:
    options = {
        "plugin-load-add": "file_key_management",
        "file-key-management-filename": str(key_file),
        "encrypt-binlog": "ON",
    }
    with servers.mariadb(options) as server:
        run(server.settings, "CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)")
        source = Source(replace(server.settings, database="d"), "t")
        source.run("INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2)")
        assert [event[1] for event in source.follow().events["t"]] == [(b"1",), (b"2",)]
        admin = Database(server.settings)
        with pytest.raises(WireError, match="encrypted"):
            list(events_of_file(binlog(admin.run)))
        admin.close()
