"""Events as a MariaDB writes them."""

from __future__ import annotations

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
from mainstem.model.connection import ConnectionSettings
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
