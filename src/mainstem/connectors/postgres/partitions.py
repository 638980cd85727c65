"""Partitions that come with rows, and go with them: the log tells nothing of it.

A published root tells of rows in its partitions as of its own. So that a table was attached, detached or dropped is
seen in the catalog alone. What is asked takes no lock that a change of a partition could hold, but for `rows_of`.
Source: PostgreSQL manual, "pg_inherits", "System Columns" (xmin, cmin), "CREATE PUBLICATION"
(publish_via_partition_root).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId

_DIALECT = PostgresDialect()
_SAMPLE = 1000

# Whoever made a table has made the row of its column tableoid, which nothing changes later.
LEAVES = """
WITH RECURSIVE tree AS (
    SELECT c.oid AS root, c.oid, NULL::xid AS attached, 0::bigint AS command FROM pg_catalog.pg_class c
    WHERE c.oid = ANY(%s::oid[]) AND c.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid, CASE WHEN n.younger THEN i.xmin ELSE t.attached END,
        CASE WHEN n.younger THEN i.cmin::text::bigint ELSE t.command END
    FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
    CROSS JOIN LATERAL (SELECT t.attached IS NULL OR pg_catalog.age(i.xmin) < pg_catalog.age(t.attached)
        OR i.xmin = t.attached AND i.cmin::text::bigint > t.command AS younger) n)
SELECT t.root, c.oid, n.nspname, c.relname, t.attached::text, t.command,
    pg_catalog.age(o.xmin) > pg_catalog.age(t.attached),
    CASE WHEN c.relreplident <> 'f' THEN ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index x
        JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY(x.indkey)
        WHERE x.indrelid = c.oid AND (c.relreplident = 'i' AND x.indisreplident
            OR c.relreplident = 'd' AND x.indisprimary AND x.indisvalid AND x.indimmediate)) END,
    coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), '')
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind <> 'p'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute o ON o.attrelid = c.oid AND o.attname = 'tableoid'
ORDER BY t.root, c.oid
"""
SIZE = "SELECT coalesce(pg_catalog.pg_relation_size(%s::oid), 0)"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A partition that rows lie in.

    Attributes:
        attached: the transaction that made it, or the youngest one above it, a partition.
        command: of that transaction.
        earlier: it was a table before that.
        keys: columns of its replica identity; None where it is all of them.
        bound: which rows are its own.
    """

    root: int
    oid: int
    id: TableId
    attached: str
    command: int
    earlier: bool
    keys: tuple[str, ...] | None
    bound: str


class Held(Enum):
    """Whether a partition had rows before it was one."""

    NO = 0
    YES = 1
    UNTOLD = 2


def rows_of(leaf: Leaf) -> str:
    """A query: whether a partition has rows from before it was one.

    They lie at its start: so many are enough. A row of a transaction that began before, and came later, is of a table
    that was made as a partition.
    """
    xid, before = f"'{int(leaf.attached)}'::xid", f"r.cmin::text::bigint < {leaf.command}"
    older = f"pg_catalog.age(r.xmin) > pg_catalog.age({xid})" if leaf.earlier else "false"
    return (
        f"SELECT coalesce(bool_or({older} OR r.xmin = {xid} AND {before}), false)"
        f" FROM (SELECT xmin, cmin FROM ONLY {_DIALECT.qualified(leaf.id)} LIMIT {_SAMPLE}) r"
    )


def came(root: TableId, leaf: Leaf, held: Held) -> SchemaChange | None:
    """What is told of a new partition; None for one that had no rows."""
    statement = f"ATTACH PARTITION {leaf.id}"
    if held is Held.YES:
        reason = f"its partition {leaf.id} was attached with rows, which are not in the log"
        return SchemaChange(SchemaChangeKind.LOST, root, statement=statement, reason=reason)
    if held is Held.UNTOLD:
        reason = (
            f"whether its new partition {leaf.id} had rows before it was attached is not told; if so, they are not in"
            " the target: copy the table anew (resync)"
        )
        return SchemaChange(SchemaChangeKind.NOTED, root, statement=statement, reason=reason)
    return None


def went(root: TableId, leaf: Leaf, *, there: bool) -> SchemaChange:
    """What is told of a partition that is one no more."""
    what = "detached" if there else "dropped"
    reason = (
        f"its partition {leaf.id} ({leaf.bound}) was {what}; what rows it had are still in the target: delete them"
        " there if they are not wanted, or copy the table anew (resync)"
    )
    return SchemaChange(
        SchemaChangeKind.NOTED, root, statement=f"{'DETACH' if there else 'DROP'} PARTITION {leaf.id}", reason=reason
    )


def unidentified(leaf: TableId, keys: tuple[str, ...] | None, identity: list[str]) -> str:
    """Why UPDATE and DELETE in a partition do not tell the root's row, in words; empty if they do, or are refused.

    What is logged goes by the partition's own identity, and is sent as if it were the root's.
    """
    lacking = [name for name in identity if keys and name not in keys]
    if not lacking:
        return ""
    return (
        f"UPDATE and DELETE in its partition {leaf} do not say which row they are about: column {lacking[0]} is not of"
        " that one's replica identity (ALTER TABLE … REPLICA IDENTITY FULL on it helps)"
    )
