"""Named checks of a MySQL or MariaDB server that is to be written to.

Source of facts: MySQL manual, "Privileges Provided by MySQL", "Security Considerations for LOAD DATA LOCAL",
"GRANT Statement" (patterns in names of databases), "Server System Variables"; MariaDB manual, "GRANT".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pymysql

from mainstem.connectors.mysql import apply_checks, client
from mainstem.connectors.mysql.config import NOT_OF_THE_LEDGER
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.load import TRANSACTIONAL
from mainstem.connectors.mysql.rights import WHO, account
from mainstem.contract.inspector import Finding
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity
from mainstem.model.run import Mode, RowErrorPolicy, RunOptions, SchemaPolicy, WriteMode

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_DIALECT = MysqlDialect()
_SMALL_PACKET_BYTES = 4 * 1024 * 1024
_GRANT = re.compile(r"GRANT (.*?) ON (?:(\*)\.\*|`((?:[^`]|``)*)`\.\*) TO ", re.IGNORECASE)
_ALL = {"ALL", "ALL PRIVILEGES"}
_EXEMPT = {"SUPER", "READ ONLY ADMIN", "READ_ONLY ADMIN", "CONNECTION_ADMIN", *_ALL}
_BOOK = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP")
_STRUCTURE = ("ALTER", "INDEX", "REFERENCES")
_VARIABLES = (
    "read_only", "super_read_only", "innodb_read_only", "local_infile", "max_allowed_packet", "max_connections",
    "max_user_connections", "sql_require_primary_key", "innodb_force_primary_key", "log_bin", "binlog_format",
)  # fmt: skip
_TABLES = (
    "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = %s"
    f" AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'){NOT_OF_THE_LEDGER} ORDER BY table_name"
)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the checks work with.

    Attributes:
        kept: tables that are there already under the names of those to be copied, with their engines.
        rights: those to the whole database, upper case; None where the grants do not tell (roles, partial revokes).
        server_rights: the same of those to the whole server.
    """

    connection: Connection[Cursor]
    database: str
    options: RunOptions
    variables: dict[str, str]
    kept: tuple[tuple[TableId, str], ...]
    rights: frozenset[str] | None
    server_rights: frozenset[str] | None

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows of a query; raises the driver's errors."""
        return client.query(self.connection, sql, arguments or None)

    def on(self, *variables: str) -> bool:
        """Whether one of these variables is set."""
        return any(self.variables.get(name, "OFF") not in ("OFF", "0") for name in variables)

    @property
    def makes_tables(self) -> bool:
        """Whether the run makes tables, rather than filling those that are there."""
        return self.options.structure.tables and self.options.schema_policy is not SchemaPolicy.VALIDATE


def run(connection: Connection[Cursor], database: str, options: RunOptions) -> list[Finding]:
    """All findings, in the order of the checks. Raises the driver's errors."""
    database = options.target_schema or database
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    variables = client.query(connection, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    grants = [str(text) for (text,) in client.query(connection, "SHOW GRANTS")]
    wanted = {item.target or (item.name if item.query else item.name.rsplit(".", 1)[-1]) for item in options.tables}
    kept = [
        (TableId(database, name), engine or "")
        for name, engine in client.query(connection, _TABLES, (database,))
        if name in wanted or not wanted
    ]
    known = {str(name).lower(): str(value).upper() for name, value in variables}
    on_server = database_rights(database, [line for line in grants if " ON *.* " in line or " ON " not in line])
    look = _Look(connection, database, options, known, tuple(kept), database_rights(database, grants), on_server)
    found = [finding for check in _CHECKS for finding in check(look)]
    if options.mode is Mode.CDC:
        found += apply_checks.run(connection, database, [table for table, _ in kept], options, known)
    return found


def database_rights(database: str, grants: Iterable[str]) -> frozenset[str] | None:
    """Rights to the whole database by the lines of SHOW GRANTS; None if these do not tell. Pure."""
    found: set[str] = set()
    for line in grants:
        grant = _GRANT.match(line)
        if grant is None and (line.upper().startswith("REVOKE") or " ON " not in line.upper()):
            return None
        if grant is not None and (grant[2] or _pattern(grant[3]).fullmatch(database)):
            found |= {right.strip().upper() for right in grant[1].split(",")}
    return frozenset(found)


def _pattern(name: str) -> re.Pattern[str]:
    """A database's name in a grant: ``%`` and ``_`` stand for others unless a backslash is before them."""
    parts = re.findall(r"\\.|.", name.replace("``", "`"), re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(part, re.escape(part.removeprefix("\\"))) for part in parts), re.DOTALL)


def _read_only(look: _Look) -> Iterator[Finding]:
    exempt = look.server_rights is None or bool(look.server_rights & _EXEMPT)
    if look.on("super_read_only", "innodb_read_only") or (look.on("read_only") and not exempt):
        yield Finding(
            "my.read_only",
            Severity.ERROR,
            "the server takes no writes (read_only is on): it is a replica, or was set so",
            "connect to the primary server, or SET GLOBAL read_only = 0",
        )


def _grants(look: _Look) -> Iterator[Finding]:
    if look.rights is None or look.rights & _ALL:
        return
    views = ("CREATE VIEW",) if look.options.structure.views else ()
    needed = [*_BOOK, *((*_STRUCTURE, *views) if look.makes_tables else ())]
    staged = look.options.write_mode is WriteMode.UPSERT or look.options.mode is Mode.CDC
    needed += ["CREATE TEMPORARY TABLES"] if staged else []
    lacking = [right for right in needed if right not in look.rights]
    if lacking:
        user = account(look.rows(WHO))
        yield Finding(
            "my.target_grants",
            Severity.ERROR,
            f"{user} lacks rights to database {look.database}: {', '.join(lacking)}"
            " (the run keeps its book there, in tables of its own)",
            f"GRANT {', '.join(lacking)} ON {_DIALECT.quote(look.database)}.* TO {user}",
        )


def _local_infile(look: _Look) -> Iterator[Finding]:
    if not look.on("local_infile") and not look.options.skip_data:
        yield Finding(
            "my.local_infile",
            Severity.WARNING,
            "the server takes no LOAD DATA LOCAL; rows are written by INSERT, which takes it more time",
            "SET GLOBAL local_infile = 1",
        )


def _packet(look: _Look) -> Iterator[Finding]:
    inserts = not look.on("local_infile") or look.options.row_errors is RowErrorPolicy.QUARANTINE
    bytes_ = int(look.variables["max_allowed_packet"])
    if inserts and bytes_ < _SMALL_PACKET_BYTES and not look.options.skip_data:
        yield Finding(
            "my.max_allowed_packet",
            Severity.WARNING,
            f"max_allowed_packet is {bytes_:,} bytes: a row that is larger cannot be written by INSERT",
            "SET GLOBAL max_allowed_packet = 1073741824",
        )


def _primary_key(look: _Look) -> Iterator[Finding]:
    if look.makes_tables and look.on("sql_require_primary_key", "innodb_force_primary_key"):
        yield Finding(
            "my.require_primary_key",
            Severity.WARNING,
            "the server makes no tables without a primary key; such tables will fail",
            "add primary keys at the source, leave these tables out, or set sql_require_primary_key"
            " (MariaDB: innodb_force_primary_key) to OFF",
        )


def _engine(look: _Look) -> Iterator[Finding]:
    if look.options.schema_policy is SchemaPolicy.DROP_AND_RECREATE or look.options.skip_data:
        return
    others = [table.name for table, engine in look.kept if engine and engine.lower() not in TRANSACTIONAL]
    if others:
        yield Finding(
            "my.target_engine",
            Severity.ERROR,
            f"{listed(others)}: the table's engine has no transactions, so that a run that is broken off could not"
            " tell which rows are in",
            "ALTER TABLE … ENGINE = InnoDB",
        )


def _not_empty(look: _Look) -> Iterator[Finding]:
    lost = {
        SchemaPolicy.DROP_AND_RECREATE: "the tables are dropped and made anew",
        WriteMode.TRUNCATE: "the tables are emptied first",
    }
    policy: SchemaPolicy | WriteMode = look.options.schema_policy
    what = lost.get(policy if policy in lost else look.options.write_mode)
    adds = look.options.write_mode is WriteMode.FAIL_IF_NOT_EMPTY and bool(look.options.tables)
    if not (what or adds) or (look.options.skip_data and policy is not SchemaPolicy.DROP_AND_RECREATE):
        return
    filled = [table.name for table, _ in look.kept if _has_rows(look, table)]
    if filled and what:
        about = f"those of {listed(filled)} that the run writes to lose their rows: {what}"
        told, remedy = f"database {look.database}: {about}", "choose another database to keep them"
    else:
        told = f"database {look.database} has rows already in {listed(filled)}; the run will refuse to add to them"
        remedy = "empty them, or choose writeMode append, truncate_and_load or upsert"
    if filled:
        yield Finding("my.not_empty", Severity.WARNING, told, remedy)


def _has_rows(look: _Look, table: TableId) -> bool:
    try:
        return bool(look.rows(f"SELECT 1 FROM {_DIALECT.qualified(table)} LIMIT 1"))
    except pymysql.Error:  # a missing right is told of elsewhere
        return False


def _connections(look: _Look) -> Iterator[Finding]:
    # Each job holds one connection for rows and one for keys; the ledger and the structure hold one each.
    needed = 2 * look.options.jobs + 2
    used = int(look.rows("SHOW STATUS LIKE 'Threads_connected'")[0][1])
    free = int(look.variables["max_connections"]) - used + 1  # ours ends before the run begins
    if int(look.variables.get("max_user_connections", "0")):
        free = min(free, int(look.variables["max_user_connections"]))
    if free < needed:
        yield Finding(
            "my.target_connections",
            Severity.WARNING,
            f"the run opens {needed} connections, and the server has about {max(free, 0)} to give",
            "run with fewer jobs, close other connections, or raise max_connections",
        )


_CHECKS: tuple[Callable[[_Look], Iterator[Finding]], ...] = (
    _read_only, _grants, _local_infile, _packet, _primary_key, _engine, _not_empty, _connections,
)  # fmt: skip
