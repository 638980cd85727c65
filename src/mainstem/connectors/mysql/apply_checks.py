"""Named checks of a MySQL or MariaDB server that changes will be applied to: what tables that are there will do.

Source: MySQL manual, "Trigger Syntax and Examples", "FOREIGN KEY Constraints", "Replication Formats".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainstem.connectors.mysql import client
from mainstem.contract.inspector import Finding
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity
from mainstem.model.run import RunOptions

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_TRIGGERS = (
    "SELECT DISTINCT event_object_table FROM information_schema.triggers WHERE event_object_schema = %s ORDER BY 1"
)
_UNIQUE = (
    "SELECT DISTINCT table_name FROM information_schema.statistics WHERE table_schema = %s AND non_unique = 0"
    " AND index_name <> 'PRIMARY' ORDER BY 1"
)
# A primary key, or a unique one without nulls.
_KEYED = (
    "SELECT DISTINCT table_name FROM (SELECT table_name FROM information_schema.statistics"
    " WHERE table_schema = %s AND non_unique = 0 GROUP BY table_name, index_name HAVING MAX(nullable = 'YES') = 0) AS k"
)
_REFERENCES = (
    "SELECT DISTINCT table_name, referenced_table_name, delete_rule, update_rule"
    " FROM information_schema.referential_constraints WHERE constraint_schema = %s ORDER BY 1, 2"
)
_QUIET = frozenset({"RESTRICT", "NO ACTION"})


@dataclass(frozen=True, slots=True)
class _Look:
    """What the checks work with. ``tables``: those that are there under the names of those to be replicated."""

    connection: Connection[Cursor]
    database: str
    tables: frozenset[str]
    options: RunOptions
    variables: Mapping[str, str]

    def names(self, sql: str) -> list[str]:
        """Tables of a query that are ours."""
        return [name for (name,) in client.query(self.connection, sql, (self.database,)) if name in self.tables]


def run(
    connection: Connection[Cursor],
    database: str,
    tables: Sequence[TableId],
    options: RunOptions,
    variables: Mapping[str, str],
) -> list[Finding]:
    """All findings, in the order of the checks. Raises the driver's errors."""
    look = _Look(connection, database, frozenset(table.name for table in tables), options, variables)
    return [finding for check in _CHECKS for finding in check(look)]


def _triggers(look: _Look) -> Iterator[Finding]:
    found = look.names(_TRIGGERS)
    if found:
        yield Finding(
            "tgt.triggers",
            Severity.WARNING,
            f"{listed(found)}: triggers of the target fire for every change that is applied, beside what the source's"
            " own did",
            "DROP TRIGGER on the target until it takes over from the source",
        )


def _foreign_keys(look: _Look) -> Iterator[Finding]:
    rows = client.query(look.connection, _REFERENCES, (look.database,))
    outside = sorted({child for child, parent, *_ in rows if parent in look.tables and child not in look.tables})
    if outside:
        yield Finding(
            "tgt.fks",
            Severity.WARNING,
            f"{listed(outside)}: tables that are not replicated refer to some that are; foreign keys are not checked"
            " while changes are applied, so that their rows may lose their parents",
            "replicate these tables too, or drop their foreign keys",
        )
    effects = sorted({child for child, parent, *rules in rows if parent in look.tables and set(rules) - _QUIET})
    if effects and look.options.changes.soft_delete:
        yield Finding(
            "tgt.fks",
            Severity.WARNING,
            f"{listed(effects)}: rows that the source's foreign keys delete, without telling its log, are not marked"
            " as deleted",
            "leave softDelete out, or delete rows of these tables by statements of their own at the source",
        )


def _unique_keys(look: _Look) -> Iterator[Finding]:
    found = look.names(_UNIQUE)
    if found:
        yield Finding(
            "tgt.unique_secondary",
            Severity.INFO,
            f"{listed(found)}: unique keys beside the primary key; changes that hand a value from row to row are"
            " applied by deleting and inserting these rows, and one that the source does not have refuses rows",
            "drop unique keys that the source does not have",
        )


def _no_key(look: _Look) -> Iterator[Finding]:
    keyed = {name for (name,) in client.query(look.connection, _KEYED, (look.database,))}
    found = sorted(look.tables - keyed)
    if found:
        yield Finding(
            "tgt.no_key",
            Severity.WARNING,
            f"{listed(found)}: neither a primary key nor a unique key without nulls; every UPDATE and DELETE reads the"
            " whole table",
            "ALTER TABLE … ADD PRIMARY KEY with the source's key, or add an index on a column that tells rows apart",
        )


def _binary_log(look: _Look) -> Iterator[Finding]:
    if look.variables.get("log_bin") == "ON" and look.variables.get("binlog_format") == "STATEMENT":
        yield Finding(
            "tgt.binlog",
            Severity.WARNING,
            "the target logs statements (binlog_format is STATEMENT): its replicas would repeat merges from temporary"
            " tables, and other sessions wait for more locks",
            "SET GLOBAL binlog_format = 'ROW'",
        )


_CHECKS: tuple[Callable[[_Look], Iterator[Finding]], ...] = (
    _triggers, _foreign_keys, _unique_keys, _no_key, _binary_log,
)  # fmt: skip
