"""Named checks of a PostgreSQL server as a source.

Source of facts: PostgreSQL manual, "Hot Standby", "Row Security Policies", "Access Privilege Inquiry Functions",
"pg_sequences".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mainstem.connectors.postgres import rights
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.look import Look
from mainstem.contract.denials import denial_findings
from mainstem.contract.inspector import Finding
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity
from mainstem.model.run import Mode, TableSelection

_DIALECT = PostgresDialect()
_OLDEST, _OLDEST_SUPPORTED = 12, 14
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_RELATIONS = """
SELECT n.nspname, c.relname, c.relkind, c.relpersistence FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE CASE WHEN %(all)s THEN c.relkind IN ('r', 'p') AND NOT c.relispartition AND (n.nspname = ANY(%(schemas)s)
        OR '*' = ANY(%(schemas)s) AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'mainstem'))
    ELSE c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND (n.nspname || '.' || c.relname = ANY(%(names)s)
            OR n.nspname = ANY(%(schemas)s) AND c.relname = ANY(%(names)s)) END
ORDER BY n.nspname, c.relname
"""
# A counter that belongs to a column (serial, identity) goes along with its table.
_COUNTERS = """
SELECT DISTINCT n.nspname, s.relname FROM pg_catalog.pg_class s
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_depend d ON d.objid = s.oid AND d.classid = 'pg_catalog.pg_class'::regclass
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
JOIN pg_catalog.pg_namespace o ON o.oid = t.relnamespace
JOIN unnest(%s::text[], %s::text[]) AS wanted(schema, name) ON wanted.schema = o.nspname AND wanted.name = t.relname
WHERE CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'SELECT, USAGE') END
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class _Table:
    """A relation that will be read."""

    id: TableId
    kind: str
    unlogged: bool
    selection: TableSelection


def checks(look: Look, settings: ConnectionSettings) -> Iterator[Finding]:
    """All findings about the server as a source, in the order of the checks."""
    tables = list(_selected(look))
    yield from _version(look)
    yield from _grants(look, tables)
    yield from _kinds(tables)
    yield from _standby(look, tables)
    yield from _encoding(look)
    yield from _connections(look)
    if look.options.mode is Mode.CDC:
        from mainstem.connectors.postgres import source_log_checks  # a copy needs none of it

        subjects = [source_log_checks.Subject(table.id, table.kind, table.unlogged) for table in tables]
        yield from source_log_checks.checks(look, settings, subjects)


def _selected(look: Look) -> Iterator[_Table]:
    """What will be read; names of what does not exist are told of elsewhere."""
    options = look.options
    named = {item.name: item for item in options.tables if not item.query}
    schemas = list(options.source_schemas) or [look.schema]
    found = look.connection.execute(
        _RELATIONS.encode(), {"all": not options.tables, "schemas": schemas, "names": list(named)}
    ).fetchall()
    for schema, name, kind, persistence in found:
        id_ = TableId(schema, name)
        if str(id_) in options.exclude or name in options.exclude:
            continue
        selection = named.get(str(id_)) or named.get(name) or TableSelection(name)
        yield _Table(id_, kind, persistence == "u", replace(selection, name=str(id_)))


def _version(look: Look) -> Iterator[Finding]:
    major = look.connection.info.server_version // 10_000
    if major < _OLDEST_SUPPORTED:
        yield Finding(
            "pg.version",
            Severity.ERROR if major < _OLDEST else Severity.WARNING,
            f"PostgreSQL {major} {'is too old to be read' if major < _OLDEST else 'gets no repairs from its makers'}",
            f"use PostgreSQL {_OLDEST_SUPPORTED} or newer",
        )


def _grants(look: Look, tables: list[_Table]) -> Iterator[Finding]:
    denied = rights.denials(look.connection, look.schema, [table.selection for table in tables])
    yield from denial_findings({table.id: denied[table.id] for table in tables if table.id in denied}, look.options)
    readable = [table.id for table in tables if table.id not in denied]
    lacking = look.rows(_COUNTERS, [table.schema for table in readable], [table.name for table in readable])
    if lacking and look.options.structure.tables:
        names = [str(TableId(schema, name)) for schema, name in lacking]
        sequences = ", ".join(_DIALECT.qualified(TableId(schema, name)) for schema, name in lacking)
        yield Finding(
            rights.GRANTS,
            Severity.WARNING,
            f"{look.user} may not see where these counters stand; on the target they go on behind the largest value"
            f" of their column: {listed(names)}",
            f"GRANT SELECT ON SEQUENCE {sequences} TO {_DIALECT.quote(look.user)}",
        )


def _kinds(tables: list[_Table]) -> Iterator[Finding]:
    others = [table for table in tables if table.kind in _KINDS]
    if others:
        told = listed([f"{table.id} is {_KINDS[table.kind]}" for table in others])
        foreign = any(table.kind == "f" for table in others)
        yield Finding(
            "pg.not_table",
            Severity.WARNING if foreign else Severity.INFO,
            f"{told}; its rows become a plain table" + "; a foreign table's rows are not of the snapshot" * foreign,
            "copy foreign tables from the server that they are on" if foreign else "",
        )


def _standby(look: Look, tables: list[_Table]) -> Iterator[Finding]:
    if not look.value("SELECT pg_catalog.pg_is_in_recovery()"):
        return
    unlogged = [str(table.id) for table in tables if table.unlogged]
    if unlogged:
        yield Finding(
            "pg.standby",
            Severity.ERROR,
            f"the server is a standby, which cannot read unlogged tables: {listed(unlogged)}",
            "connect to the primary server, or leave these tables out",
        )
    if look.value("SHOW hot_standby_feedback") != "on" and look.value("SHOW max_standby_streaming_delay") != "-1":
        yield Finding(
            "pg.standby",
            Severity.WARNING,
            "the server is a standby, which may cancel long queries when the primary removes old rows",
            "set hot_standby_feedback = on (or max_standby_streaming_delay = -1) there, or connect to the primary",
        )


def _encoding(look: Look) -> Iterator[Finding]:
    if look.value("SHOW server_encoding") == "SQL_ASCII":
        yield Finding(
            "pg.encoding",
            Severity.WARNING,
            "the database's encoding is SQL_ASCII: rows whose text is not UTF-8 are refused by a target that checks",
            "mend such rows at the source, or put them aside with the policy quarantine",
        )


def _connections(look: Look) -> Iterator[Finding]:
    needed, free = look.options.jobs + 1, look.free_connections()
    if free is not None and free < needed:
        yield Finding(
            "pg.connections",
            Severity.ERROR if free < 1 else Severity.WARNING,
            f"the run opens {needed} connections, and the server has about {max(free, 0)} to give",
            "run with fewer jobs, close other connections, or raise the limit (max_connections, CONNECTION LIMIT)",
        )
