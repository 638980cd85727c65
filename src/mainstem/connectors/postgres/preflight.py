"""Named checks of a PostgreSQL server before a run: those for its role as a target, and who makes the others.

Source of facts: PostgreSQL manual, "Access Privilege Inquiry Functions", "Connections and Authentication",
"Generated Columns", release notes 12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from mainstem.connectors.postgres import apply_checks, source_checks
from mainstem.connectors.postgres.config import DEFAULT_SCHEMA
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.fence import SCHEMA as LEDGER_SCHEMA
from mainstem.connectors.postgres.look import REMEDIES, Look
from mainstem.connectors.postgres.pooling import pooled, shares_sessions
from mainstem.contract.inspector import Finding, Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity
from mainstem.model.run import Mode, RunOptions, SchemaPolicy, WriteMode

_DIALECT = PostgresDialect()
_OLDEST, _OLDEST_SUPPORTED = 12, 14


def run(
    connection: psycopg.Connection[Any], settings: ConnectionSettings, role: Role, options: RunOptions
) -> list[Finding]:
    """All findings, in the order of the checks."""
    own = settings.schema or DEFAULT_SCHEMA
    if shares_sessions(connection, settings):
        return [pooled("pg.pooler" if role is Role.SOURCE else "tgt.pooler")]
    if role is Role.SOURCE:
        return list(source_checks.checks(Look(connection, options, own), settings))
    look = Look(connection, options, options.target_schema or own)
    found = [finding for check in _TARGET_CHECKS for finding in check(look)]
    if options.mode is Mode.CDC:
        found += apply_checks.checks(look, [table for table, kept in _named(look) if kept])
    return found


def _version(look: Look) -> Iterator[Finding]:
    major = look.connection.info.server_version // 10_000
    if major < _OLDEST:
        yield Finding(
            "tgt.version",
            Severity.ERROR,
            f"PostgreSQL {major} is too old: it has no generated columns",
            f"use PostgreSQL {_OLDEST_SUPPORTED} or newer",
        )
    elif major < _OLDEST_SUPPORTED:
        yield Finding(
            "tgt.version",
            Severity.WARNING,
            f"PostgreSQL {major} gets no repairs from its makers",
            f"use PostgreSQL {_OLDEST_SUPPORTED} or newer",
        )


def _read_only(look: Look) -> Iterator[Finding]:
    if look.value("SELECT pg_catalog.pg_is_in_recovery()"):
        yield Finding(
            "tgt.read_only",
            Severity.ERROR,
            "the server is a standby, which takes no writes",
            "connect to the primary server",
        )
    elif look.value("SHOW transaction_read_only") == "on":
        yield Finding(
            "tgt.read_only",
            Severity.ERROR,
            "transactions are read-only here (default_transaction_read_only is on)",
            _writable(look),
        )


def _writable(look: Look) -> str:
    """What takes the setting back, where it was made."""
    name, user = "default_transaction_read_only", _DIALECT.quote(look.user)
    database = _DIALECT.quote(look.connection.info.dbname)
    made = look.value("SELECT source FROM pg_catalog.pg_settings WHERE name = %s", name)
    resets = {
        "database": f"ALTER DATABASE {database} RESET {name}",
        "user": f"ALTER ROLE {user} RESET {name}",
        "database user": f"ALTER ROLE {user} IN DATABASE {database} RESET {name}",
    }
    return resets.get(str(made), f"ALTER SYSTEM SET {name} = off; SELECT pg_reload_conf()")


def _encoding(look: Look) -> Iterator[Finding]:
    encoding = look.value("SHOW server_encoding")
    if encoding == "UTF8":
        return
    told = (
        "the database's encoding is SQL_ASCII: it stores any bytes and checks none"
        if encoding == "SQL_ASCII"
        else f"the database's encoding is {encoding}: rows with characters that it does not have are refused"
    )
    yield Finding("tgt.encoding", Severity.WARNING, told, "use a database made with ENCODING 'UTF8' TEMPLATE template0")


def _letters(look: Look) -> Iterator[Finding]:
    """With libc's locale C (manual, "Locale Support") the server knows the case of ASCII letters alone."""
    row = look.value(
        "SELECT datctype FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
        " AND datctype IN ('C', 'POSIX')"
        + (" AND datlocprovider = 'c'" if look.connection.info.server_version >= 150_000 else "")
    )
    if row and look.value("SHOW server_encoding") == "UTF8":
        yield Finding(
            "tgt.ctype",
            Severity.WARNING,
            f"the database's LC_CTYPE is {row}: LOWER, UPPER and comparisons without case know ASCII letters alone",
            "use a database made with a UTF-8 locale (LOCALE 'C.UTF-8' or your language's) and TEMPLATE template0",
        )


def _grants(look: Look) -> Iterator[Finding]:
    user = look.connection.info.user
    for schema, always in ((look.schema, look.makes_tables), (LEDGER_SCHEMA, True)):
        held = look.value(
            "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') AND (pg_catalog.has_schema_privilege(oid, 'CREATE')"
            " OR NOT %s) FROM pg_catalog.pg_namespace WHERE nspname = %s",
            always,
            schema,
        )
        if held is False:
            rights = "USAGE, CREATE" if always else "USAGE"
            yield _no_right(f"{user} may not {'make tables in' if always else 'use'} schema {schema}",
                            f"GRANT {rights} ON SCHEMA {_DIALECT.quote(schema)} TO {_DIALECT.quote(user)}")  # fmt: skip
        elif held is None and not look.value(
            "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
        ):
            why = " (the run keeps its book there)" if schema == LEDGER_SCHEMA else ""
            database = _DIALECT.quote(look.connection.info.dbname)
            yield _no_right(f"{user} may not make schema {schema}{why}",
                            f"GRANT CREATE ON DATABASE {database} TO {_DIALECT.quote(user)}")  # fmt: skip
    lacking = [table for table, _ in _named(look) if not _may(look, table, *_needed(look))]
    if lacking:
        tables = ", ".join(map(_DIALECT.qualified, lacking[:REMEDIES]))
        yield _no_right(f"{user} may not write to {listed([_shown(look, table) for table in lacking])}",
                        f"GRANT {', '.join(_needed(look))} ON {tables} TO {_DIALECT.quote(user)}")  # fmt: skip


def _no_right(message: str, remedy: str) -> Finding:
    return Finding("tgt.grants", Severity.ERROR, message, remedy)


def _needed(look: Look) -> tuple[str, ...]:
    by_mode: dict[WriteMode, tuple[str, ...]] = {
        WriteMode.UPSERT: ("SELECT", "INSERT", "UPDATE"),
        WriteMode.TRUNCATE: ("SELECT", "INSERT", "TRUNCATE"),
    }
    needed = by_mode.get(look.options.write_mode, ("SELECT", "INSERT"))
    if look.options.mode is Mode.CDC:
        needed = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    return needed


def _may(look: Look, table: TableId, *rights: str) -> bool:
    """By its oid: a name cannot even be asked about where the login may not use the schema."""
    sql = (
        "SELECT bool_and(pg_catalog.has_table_privilege(c.oid, needed)) FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, unnest(%s::text[]) AS needed"
        " WHERE n.nspname = %s AND c.relname = %s"
    )
    return bool(look.value(sql, list(rights), table.schema, table.name))


def _named(look: Look) -> Iterator[tuple[TableId, bool]]:
    """The tables of the selection that are there already, and whether each is kept; all of a schema without one."""
    names = [item.name for item in look.options.tables]
    rows = look.rows(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND (n.nspname = %s AND (c.relname = ANY(%s) OR %s) OR n.nspname || '.' || c.relname = ANY(%s))"
        " ORDER BY n.nspname, c.relname",
        look.schema, names, not names, names,
    )  # fmt: skip
    kept = look.options.schema_policy is not SchemaPolicy.DROP_AND_RECREATE
    for schema, name in rows:
        yield TableId(schema, name), kept


def _shown(look: Look, table: TableId) -> str:
    return table.name if table.schema == look.schema else str(table)


def _row_security(look: Look) -> Iterator[Finding]:
    """COPY into such a table is refused, and its rows may be unseen (manual, "Row Security Policies")."""
    sql = (
        "SELECT pg_catalog.row_security_active(c.oid) FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"
    )
    found = [table for table, kept in _named(look) if kept and look.value(sql, table.schema, table.name)]
    if found:
        yield Finding(
            "tgt.row_security",
            Severity.ERROR,
            f"row-level security applies to {look.user} in {listed([_shown(look, table) for table in found])}, whose"
            " rows could be neither written nor seen as a whole",
            f"ALTER ROLE {_DIALECT.quote(look.user)} BYPASSRLS, or connect as the tables' owner",
        )


def _not_empty(look: Look) -> Iterator[Finding]:
    lost = {
        SchemaPolicy.DROP_AND_RECREATE: "the tables are dropped and made anew",
        WriteMode.TRUNCATE: "the tables are emptied first",
    }
    policy: SchemaPolicy | WriteMode = look.options.schema_policy
    what = lost.get(policy if policy in lost else look.options.write_mode)
    if look.options.skip_data and policy is not SchemaPolicy.DROP_AND_RECREATE:
        return
    filled = [_shown(look, table) for table, _ in _named(look) if _has_rows(look, table)]
    if filled and what:
        about = f"those of {listed(filled)} that the run writes to lose their rows: {what}"
        yield Finding(
            "tgt.not_empty", Severity.WARNING, f"schema {look.schema}: {about}", "choose another schema to keep them"
        )
    elif filled and look.options.write_mode is WriteMode.FAIL_IF_NOT_EMPTY and look.options.tables:
        yield Finding(
            "tgt.not_empty",
            Severity.WARNING,
            f"schema {look.schema} has rows already in {listed(filled)}; the run will refuse to add to them",
            "empty them, or choose writeMode append, truncate_and_load or upsert",
        )


def _has_rows(look: Look, table: TableId) -> bool:
    """Whether there are some; not where the login may not look, which is told of elsewhere."""
    enters = look.value("SELECT pg_catalog.has_schema_privilege(%s::text, 'USAGE')", table.schema)
    return (
        bool(enters)
        and _may(look, table, "SELECT")
        and look.value(f"SELECT 1 FROM {_DIALECT.qualified(table)} LIMIT 1") is not None
    )


def _extensions(look: Look) -> Iterator[Finding]:
    for type_ in sorted(set(look.options.type_overrides.values())):
        if _knows_type(look, type_):
            continue
        extension = look.value(
            "SELECT name FROM pg_catalog.pg_available_extensions WHERE name = %s", _EXTENSION_OF.get(type_.lower())
        )
        yield Finding(
            "tgt.extensions",
            Severity.ERROR,
            f"the database has no type {type_}, which a type override asks for",
            f"run CREATE EXTENSION {extension} in the target database" if extension else "correct the type's name",
        )


_EXTENSION_OF = {
    "citext": "citext", "hstore": "hstore", "geometry": "postgis", "geography": "postgis", "ltree": "ltree",
    "cube": "cube", "vector": "vector", "isbn": "isn", "ean13": "isn",
}  # fmt: skip


def _knows_type(look: Look, type_: str) -> bool:
    try:
        return look.value("SELECT pg_catalog.to_regtype(%s::text)", type_) is not None
    except psycopg.errors.ProgrammingError:  # before 16 a text that cannot be a type is an error
        return False
    except psycopg.errors.DataError:
        return False


def _connections(look: Look) -> Iterator[Finding]:
    # Each job holds one connection for rows and one for keys; the ledger and the structure hold one each.
    needed = 2 * look.options.jobs + 2
    free = look.free_connections()
    if free is not None and free < needed:
        yield Finding(
            "tgt.connections",
            Severity.WARNING,
            f"the run opens {needed} connections, and the server has about {max(free, 0)} to give",
            "run with fewer jobs, close other connections, or raise the limit (max_connections, CONNECTION LIMIT)",
        )


_TARGET_CHECKS: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    _version, _read_only, _encoding, _letters, _grants, _row_security, _not_empty, _extensions, _connections,
)  # fmt: skip
