"""Named checks of a PostgreSQL target, each with its remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from mainstem.contract.inspector import Finding, Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import RunOptions

MIN_VERSION = 120000
Connection = psycopg.Connection[Any]
Check = Callable[[Connection, ConnectionSettings, RunOptions], Finding | None]


def _value(connection: Connection, sql: str, *arguments: object) -> Any:
    row = connection.execute(sql.encode(), arguments or None).fetchone()
    return None if row is None else row[0]


def _schema(settings: ConnectionSettings, options: RunOptions) -> str:
    return options.target_schema or settings.schema or "public"


def version(connection: Connection, settings: ConnectionSettings, options: RunOptions) -> Finding | None:
    """The server is one that we know."""
    number = connection.info.server_version
    if number >= MIN_VERSION:
        return None
    return Finding(
        "tgt.version", Severity.ERROR, f"PostgreSQL {number // 10000} is older than 12", "use PostgreSQL 12 or later"
    )


def encoding(connection: Connection, settings: ConnectionSettings, options: RunOptions) -> Finding | None:
    """The database can hold every character."""
    found = _value(connection, "SHOW server_encoding")
    if found == "UTF8":
        return None
    return Finding(
        "tgt.encoding", Severity.ERROR, f"the database's encoding is {found}",
        "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and use that",
    )  # fmt: skip


def read_only(connection: Connection, settings: ConnectionSettings, options: RunOptions) -> Finding | None:
    """The server takes writes."""
    if _value(connection, "SELECT pg_is_in_recovery()"):
        return Finding("tgt.read_only", Severity.ERROR, "the server is a standby", "connect to the primary")
    if _value(connection, "SHOW default_transaction_read_only") == "on":
        return Finding(
            "tgt.read_only", Severity.ERROR, "transactions are read-only by default here",
            "ALTER DATABASE … SET default_transaction_read_only = off, or the same for the role",
        )  # fmt: skip
    return None


def grants(connection: Connection, settings: ConnectionSettings, options: RunOptions) -> Finding | None:
    """The login may create what a run creates: tables in the schema, and the ledger's schema for its duration."""
    schema = _schema(settings, options)
    exists = _value(connection, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)", schema)
    if not _value(connection, "SELECT has_database_privilege(current_database(), 'CREATE')"):
        return Finding(
            "tgt.grants", Severity.ERROR, "the login may not create schemas (the run's ledger is one)",
            f'GRANT CREATE ON DATABASE "{settings.database}" TO "{settings.username}"',
        )  # fmt: skip
    if exists and not _value(connection, "SELECT has_schema_privilege(%s, 'CREATE')", schema):
        return Finding(
            "tgt.grants", Severity.ERROR, f"the login may not create tables in schema {schema}",
            f'GRANT CREATE, USAGE ON SCHEMA "{schema}" TO "{settings.username}"',
        )  # fmt: skip
    return None


def connections(connection: Connection, settings: ConnectionSettings, options: RunOptions) -> Finding | None:
    """There is room for the run's own connections."""
    limit = int(_value(connection, "SHOW max_connections"))
    used = int(_value(connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))
    needed = 2 * options.jobs + 2
    if limit - used >= needed:
        return None
    return Finding(
        "tgt.connections", Severity.WARNING, f"{used} of {limit} connections are in use; the run needs {needed}",
        "raise max_connections, close idle sessions, or lower jobs",
    )  # fmt: skip


_TARGET_CHECKS: tuple[Check, ...] = (version, encoding, read_only, grants, connections)


def run(connection: Connection, settings: ConnectionSettings, role: Role, options: RunOptions) -> list[Finding]:
    """All findings for the role; as a source PostgreSQL is not supported yet and has no checks."""
    checks = _TARGET_CHECKS if role is Role.TARGET else ()
    return [finding for check in checks if (finding := check(connection, settings, options)) is not None]
