"""Named checks of a PostgreSQL server before changes are applied to it: what stays active meanwhile, and what is slow.

Source of facts: PostgreSQL manual, "Client Connection Defaults" (session_replication_role), "ALTER TABLE" (ENABLE
TRIGGER), release notes 15 (rights to parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg

from mainstem.connectors.postgres.ask import of_version
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.look import REMEDIES, Look
from mainstem.contract.inspector import Finding
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity

_DIALECT = PostgresDialect()
_RIGHTS_TO_PARAMETERS = 150_000
# Not by to_regclass, which fails where the login may not use the schema.
_OIDS = (
    "ARRAY(SELECT w.oid FROM pg_catalog.pg_class w JOIN pg_catalog.pg_namespace s ON s.oid = w.relnamespace WHERE"
    """ '"' || replace(s.nspname, '"', '""') || '"."' || replace(w.relname, '"', '""') || '"' = ANY(%s::text[]))"""
)
_TRIGGERS = f"""
SELECT DISTINCT n.nspname, c.relname, t.tgname FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND {{top_trigger}} AND t.tgrelid = ANY({_OIDS}) AND t.tgenabled::text = ANY(%s)
ORDER BY 1, 2, 3
"""
_KEYS = f"""
SELECT c.relname || '.' || k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY({_OIDS}) OR k.confrelid = ANY({_OIDS})) ORDER BY 1
"""
_OUTSIDE = f"""
SELECT c.relname || '.' || k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid <> ALL({_OIDS}) AND k.confrelid = ANY({_OIDS}) ORDER BY 1
"""
_ACTING = f"""
SELECT c.relname || '.' || k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = ANY({_OIDS}) AND k.confdeltype IN ('c', 'n', 'd')
ORDER BY 1
"""
_UNIQUE = f"""
SELECT c.relname || '.' || x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = ANY({_OIDS}) AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary ORDER BY 1
"""
_NO_KEY = f"""
SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid = ANY({_OIDS}) AND NOT EXISTS
    (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL) ORDER BY 1
"""
_GRANT = "GRANT SET ON PARAMETER session_replication_role TO {user} (as a superuser)"
_OLD = "use a superuser's login, or PostgreSQL 15 or newer, where this right can be granted"


def checks(look: Look, kept: Sequence[TableId]) -> Iterator[Finding]:
    """All findings.

    Args:
        kept: tables that are there already and that changes will be applied to.
    """
    names = [_DIALECT.qualified(table) for table in kept]
    switches = may_switch(look.connection)
    if not switches:
        yield from _role(look)
    for check in _CHECKS:
        yield from check(look, names, switches)


def may_switch(connection: psycopg.Connection[Any]) -> bool:
    """Whether the login may set session_replication_role. Raises the driver's errors."""
    by_right = (
        " OR pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
        if connection.info.server_version >= _RIGHTS_TO_PARAMETERS
        else ""
    )
    sql = f"SELECT rolsuper{by_right} FROM pg_catalog.pg_roles WHERE rolname = current_user"
    row = connection.execute(sql.encode()).fetchone()
    return row is not None and bool(row[0])


def _role(look: Look) -> Iterator[Finding]:
    newer = look.connection.info.server_version >= _RIGHTS_TO_PARAMETERS
    yield Finding(
        "tgt.replica_role",
        Severity.WARNING,
        f"{look.user} may not switch triggers and foreign keys off while changes are applied"
        " (session_replication_role): triggers fire at the target too, and changes of tables that refer to each other"
        " may have to be applied one by one",
        _GRANT.format(user=_DIALECT.quote(look.user)) if newer else _OLD,
    )


def _triggers(look: Look, names: Sequence[str], switches: bool) -> Iterator[Finding]:
    fired = ["A", "R"] if switches else ["A", "O"]
    query = of_version(_TRIGGERS, look.connection.info.server_version)
    found = [(TableId(schema, table), trigger) for schema, table, trigger in look.rows(query, names, fired)]
    if found:
        told = listed([f"{table.name}.{trigger}" for table, trigger in found])
        rest = [
            f"ALTER TABLE {_DIALECT.qualified(table)} DISABLE TRIGGER {_DIALECT.quote(trigger)}"
            for table, trigger in found[:REMEDIES]
        ]
        yield Finding(
            "tgt.triggers",
            Severity.WARNING,
            f"{told}: triggers of the target that fire for every change that is applied, beside what the source's have"
            " done already",
            f"{'; '.join(rest)} (until the target takes over)",
        )


def _foreign_keys(look: Look, names: Sequence[str], switches: bool) -> Iterator[Finding]:
    if not switches:
        found = [name for (name,) in look.rows(_KEYS, names, names)]
        if found:
            yield Finding(
                "tgt.fks",
                Severity.WARNING,
                f"{listed(found)}: foreign keys are checked for every change; one that refers to a table that is not"
                " replicated, or a change out of order, is refused",
                "let the user switch them off (tgt.replica_role), make them DEFERRABLE, or drop them until the target"
                " takes over",
            )
        return
    outside = [name for (name,) in look.rows(_OUTSIDE, names, names)]
    if outside:
        yield Finding(
            "tgt.fks",
            Severity.WARNING,
            f"{listed(outside)}: tables that are not replicated refer to some that are; foreign keys are not checked"
            " while changes are applied",
            "replicate these tables too, or drop their foreign keys",
        )
    acting = [name for (name,) in look.rows(_ACTING, names)] if look.options.changes.soft_delete else []
    if acting:
        yield Finding(
            "tgt.fks",
            Severity.WARNING,
            f"{listed(acting)}: rows that the source's foreign keys delete, where its log does not tell of them"
            " (InnoDB), are not marked as deleted",
            "delete such rows at the source by statements of their own",
        )


def _unique(look: Look, names: Sequence[str], switches: bool) -> Iterator[Finding]:
    found = [name for (name,) in look.rows(_UNIQUE, names)]
    if found:
        yield Finding(
            "tgt.unique_secondary",
            Severity.INFO,
            f"{listed(found)}: unique keys beside the primary key; changes that hand a value from row to row are"
            " applied by deleting and inserting, or one by one",
            "drop unique keys that the source does not have",
        )


def _no_key(look: Look, names: Sequence[str], switches: bool) -> Iterator[Finding]:
    found = [name for (name,) in look.rows(_NO_KEY, names)]
    if found:
        yield Finding(
            "tgt.no_key",
            Severity.WARNING,
            f"{listed(found)}: tables without a primary key or unique index: every UPDATE and DELETE reads all of them",
            "add the source's key, or an index on a column that tells rows apart",
        )


_CHECKS: tuple[Callable[[Look, Sequence[str], bool], Iterator[Finding]], ...] = (
    _triggers, _foreign_keys, _unique, _no_key,
)  # fmt: skip
