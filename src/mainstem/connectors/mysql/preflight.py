"""Named checks of a MySQL or MariaDB server before a run: those for its role as a source, and the way to the others.

Source of facts: MySQL manual, "Privileges Provided by MySQL" and "Consistent Nonlocking Reads"; MariaDB manual,
"Enhancements for START TRANSACTION WITH CONSISTENT SNAPSHOT".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pymysql

from mainstem.connectors.mysql import client, rights, source_log_checks
from mainstem.connectors.mysql.config import NOT_OF_THE_LEDGER
from mainstem.connectors.mysql.consistency import START
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.contract.denials import denial_findings
from mainstem.contract.inspector import Finding, Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity
from mainstem.model.run import Mode, RunOptions, TableSelection

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_DIALECT = MysqlDialect()
_OLDEST = {"mysql": (5, 7), "mariadb": (10, 3)}
_TITLES = {"mysql": "MySQL", "mariadb": "MariaDB"}
_LARGE_ROWS = 100_000
_TRANSACTIONAL = ("InnoDB", "ROCKSDB", "TokuDB", "ndbcluster")
_TABLES = (
    "SELECT table_name, engine, COALESCE(table_rows, 0) FROM information_schema.tables"
    f" WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'){NOT_OF_THE_LEDGER}"
    " ORDER BY table_name"
)
_VIEWS = "SELECT table_name FROM information_schema.views WHERE table_schema = %s"
# Tables that can be read piece by piece: by a primary key, or by a unique key without nulls.
_KEYED = (
    "SELECT DISTINCT table_name FROM (SELECT table_name FROM information_schema.statistics"
    " WHERE table_schema = %s AND non_unique = 0 GROUP BY table_name, index_name HAVING MAX(nullable = 'YES') = 0) AS k"
)
_PRIMARY = (
    "SELECT DISTINCT table_name FROM information_schema.statistics WHERE table_schema = %s AND index_name = 'PRIMARY'"
)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that will be read."""

    id: TableId
    engine: str
    rows: int
    keyed: bool
    selection: TableSelection


@dataclass(frozen=True, slots=True)
class _Look:
    """What the checks work with."""

    connection: Connection[Cursor]
    settings: ConnectionSettings
    options: RunOptions
    tables: tuple[_Table, ...]

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows of a query; raises the driver's errors."""
        return client.query(self.connection, sql, arguments or None)


def run(connection: Connection[Cursor], settings: ConnectionSettings, role: Role, options: RunOptions) -> list[Finding]:
    """All findings, in the order of the checks."""
    if role is Role.TARGET:
        from mainstem.connectors.mysql import target_checks

        return target_checks.run(connection, settings.database, options)
    look = _Look(connection, settings, options, tuple(_selected(connection, settings.database, options)))
    found = [finding for check in _CHECKS for finding in check(look)]
    return found if options.mode is not Mode.CDC else [*found, *_log(look)]


def _log(look: _Look) -> Iterator[Finding]:
    """Those of a server whose log is to be followed."""
    names = [table.id.name for table in look.tables]
    keyed = {name for (name,) in look.rows(_PRIMARY, look.settings.database)}
    yield from source_log_checks.checks(
        source_log_checks.look(
            look.rows,
            look.settings.database,
            names,
            [name for name in names if name not in keyed],
            look.options,
            mariadb=client.flavor(look.connection) == "mariadb",
        )
    )


def _selected(connection: Connection[Cursor], database: str, options: RunOptions) -> Iterator[_Table]:
    """The tables that will be read; those that do not exist are told of elsewhere."""
    wanted = {item.name.removeprefix(f"{database}."): item for item in options.tables if not item.query}
    excluded = {name.removeprefix(f"{database}.") for name in options.exclude}
    keyed = {name for (name,) in client.query(connection, _KEYED, (database,))} if database else set()
    for name, engine, rows in client.query(connection, _TABLES, (database,)) if database else []:
        if name not in excluded and (name in wanted or not options.tables):
            selection = wanted.get(name, TableSelection(name))
            yield _Table(TableId(database, name), engine or "", int(rows), name in keyed, selection)


def _version(look: _Look) -> Iterator[Finding]:
    flavor = client.flavor(look.connection)
    text = str(look.rows("SELECT VERSION()")[0][0])
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < _OLDEST[flavor]:
        oldest = ".".join(map(str, _OLDEST[flavor]))
        yield Finding(
            "my.version",
            Severity.WARNING,
            f"{_TITLES[flavor]} {text} is older than what is tested with",
            f"compare the rows after the run, or use {_TITLES[flavor]} {oldest} or newer",
        )


def _grants(look: _Look) -> Iterator[Finding]:
    denied = rights.denials(look.connection, look.settings.database, [table.selection for table in look.tables])
    yield from denial_findings(denied, look.options)
    if not look.options.structure.tables:
        return
    blind = rights.hidden_structure(look.connection, look.settings.database, [table.id.name for table in look.tables])
    if blind:
        tables = listed([TableId(look.settings.database, name) for name in blind])
        yield _hidden(look, f"see the foreign keys and checks of {tables}, which would not be made")
    hidden = look.rows(
        "SELECT table_name FROM information_schema.views WHERE table_schema = %s AND view_definition = ''"
        " ORDER BY table_name",
        look.settings.database,
    )
    if hidden and look.options.structure.views and not look.options.tables:
        views = listed([TableId(look.settings.database, name) for (name,) in hidden])
        yield _hidden(look, f"see how these views are defined: {views}")


def _hidden(look: _Look, what: str) -> Finding:
    return Finding(
        rights.CHECK,
        Severity.WARNING,
        f"{look.settings.username} may not {what}",
        f"GRANT SHOW VIEW ON {_DIALECT.quote(look.settings.database)}.* TO {rights.account(look.rows(rights.WHO))}",
    )


def _snapshot(look: _Look) -> Iterator[Finding]:
    if look.options.jobs > 1 and not _has_log_position(look) and not _may_lock(look):
        yield Finding(
            "my.snapshot",
            Severity.WARNING,
            "only one reader can be used: several readers need a right to start at the same point in time",
            f"GRANT RELOAD ON *.* TO {rights.account(look.rows(rights.WHO))} (on MariaDB with its binary log,"
            " BINLOG MONITOR is enough)",
        )


def _has_log_position(look: _Look) -> bool:
    """Whether the server tells, inside a snapshot, where its log stood: then no lock is needed."""
    try:
        look.rows(START)
        return any(value for _, value in look.rows("SHOW STATUS LIKE 'binlog_snapshot_file'"))
    except pymysql.Error:
        return False
    finally:
        with suppress(pymysql.Error):
            look.connection.rollback()


def _may_lock(look: _Look) -> bool:
    grants = [str(text).upper() for (text,) in look.rows("SHOW GRANTS")]
    everywhere = [text.partition(" ON *.* ")[0] for text in grants if " ON *.* " in text]
    return any(right in text for text in everywhere for right in ("RELOAD", "ALL PRIVILEGES", "FLUSH_TABLES"))


def _engine(look: _Look) -> Iterator[Finding]:
    known = {engine.lower() for engine in _TRANSACTIONAL}
    others = [table for table in look.tables if table.engine and table.engine.lower() not in known]
    if others:
        engines = ", ".join(sorted({table.engine for table in others}))
        yield Finding(
            "my.engine",
            Severity.WARNING,
            f"{listed([table.id for table in others])}: {engines} has no snapshots, so that rows changed during the"
            " copy may come in their old or their new form",
            "write to these tables only after the run, or ALTER TABLE … ENGINE = InnoDB",
        )


def _no_primary_key(look: _Look) -> Iterator[Finding]:
    large = [table.id for table in look.tables if not table.keyed and table.rows >= _LARGE_ROWS]
    if large:
        yield Finding(
            "my.no_pk",
            Severity.WARNING,
            f"{listed(large)} has neither a primary key nor a unique key without nulls: it is read in one piece, by"
            " one reader, and begun anew when broken off",
            "add a primary key, if it can be",
        )


def _views(look: _Look) -> Iterator[Finding]:
    names = [item.name.removeprefix(f"{look.settings.database}.") for item in look.options.tables if not item.query]
    there = {name for (name,) in look.rows(_VIEWS, look.settings.database)} if names else set()
    chosen = [TableId(look.settings.database, name) for name in names if name in there]
    if chosen:
        told = f"{listed(chosen)}: a view is chosen, whose rows become a plain table"
        yield Finding("my.not_table", Severity.INFO, told)


def _connections(look: _Look) -> Iterator[Finding]:
    values = {
        str(name).lower(): int(value)
        for name, value in look.rows(
            "SHOW VARIABLES WHERE Variable_name IN ('max_connections', 'max_user_connections')"
        )
    }
    used = int(look.rows("SHOW STATUS LIKE 'Threads_connected'")[0][1])
    needed = look.options.jobs + 1
    free = values["max_connections"] - used + 1  # ours ends before the run begins
    if values.get("max_user_connections"):
        free = min(free, values["max_user_connections"])
    if free < needed:
        yield Finding(
            "my.connections",
            Severity.WARNING,
            f"the run opens {needed} connections, and the server has about {max(free, 0)} to give",
            "run with fewer jobs, close other connections, or raise max_connections",
        )


_CHECKS: tuple[Callable[[_Look], Iterator[Finding]], ...] = (
    _version, _grants, _snapshot, _engine, _no_primary_key, _views, _connections,
)  # fmt: skip
