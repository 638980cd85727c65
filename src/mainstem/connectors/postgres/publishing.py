"""What publications tell of a table while a stream of it runs: somebody may alter them.

Source: PostgreSQL manual, "pg_publication", "pg_publication_tables" (attnames: from 15 on), "ALTER PUBLICATION".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.names import listed

_DIALECT = PostgresDialect()
OPERATIONS = ("insert", "update", "delete", "truncate")
ALL = ", ".join(OPERATIONS)
COLUMN_LISTS = 150_000  # from here on a publication can leave out columns

PUBLISHED = """
SELECT c.oid, p.pubname, ARRAY[p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate], {left_out}
FROM pg_catalog.pg_publication_tables t JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname WHERE t.pubname = ANY(%s)
"""
_LEFT_OUT = (
    "ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
    " AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> ALL(t.attnames))"
)


@dataclass(frozen=True, slots=True)
class Published:
    """A table in a publication.

    Attributes:
        operations: that are told.
        left_out: columns that are not told, by a list of others.
    """

    name: str
    operations: frozenset[str]
    left_out: tuple[str, ...]

    def lacks(self, operations: Sequence[str], columns: set[str]) -> str:
        """What of these it does not tell, in words, with what to run; empty if it tells all."""
        quoted = _DIALECT.quote(self.name)
        missing = [
            operation for operation in OPERATIONS if operation in operations and operation not in self.operations
        ]
        if missing:
            return (
                f"its publication {self.name} does not tell of {', '.join(missing).upper()}: ALTER PUBLICATION {quoted}"
                f" SET (publish = '{ALL}')"
            )
        lacking = [column for column in self.left_out if column in columns]
        if lacking:
            return (
                f"its publication {self.name} leaves out columns ({listed(lacking)}): take the list of columns out"
                f" (ALTER PUBLICATION {quoted} SET TABLE …)"
            )
        return ""


def query(version: int) -> str:
    """Of a server of that version."""
    return PUBLISHED.format(left_out=_LEFT_OUT if version >= COLUMN_LISTS else "'{}'::text[]")


def read(row: Sequence[Any]) -> tuple[int, Published]:
    """What the query found, by the table's oid."""
    oid, name, flags, left_out = row
    told = frozenset(one for one, flag in zip(OPERATIONS, flags, strict=True) if flag)
    return int(oid), Published(str(name), told, tuple(left_out))
