"""Partitions that come with rows, go with them, or lose them: the log tells nothing of it.

A published root tells of rows in its partitions as of its own. So that a table was attached, detached, dropped or
truncated by itself is seen in the catalog alone, compared with what was written down of it (`StreamTable.memo`). What
is asked takes no lock that a change of a partition could hold, but for queries of its rows.
Source: PostgreSQL manual, "pg_inherits", "System Columns" (xmin, cmin), "pg_class" (relfilenode, reltuples), "CREATE
PUBLICATION" (publish_via_partition_root).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId, listed

_DIALECT = PostgresDialect()
_SAMPLE = 1000
_BOUND = 200  # characters of a bound that are kept

# Whoever made a table has made the row of its column tableoid, which nothing changes later.
LEAVES = """
WITH RECURSIVE tree AS (
    SELECT c.oid AS root, c.oid, NULL::xid AS attached, 0::bigint AS command FROM pg_catalog.pg_class c
    WHERE c.oid = ANY(%(roots)s::oid[]) AND c.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid, CASE WHEN n.younger THEN i.xmin ELSE t.attached END,
        CASE WHEN n.younger THEN i.cmin::text::bigint ELSE t.command END
    FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
        AND NOT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::bool, false)
    CROSS JOIN LATERAL (SELECT t.attached IS NULL OR pg_catalog.age(i.xmin) < pg_catalog.age(t.attached)
        OR i.xmin = t.attached AND i.cmin::text::bigint > t.command AS younger) n)
SELECT t.root, c.oid, n.nspname, c.relname, t.attached::text, t.command,
    pg_catalog.age(o.xmin) > pg_catalog.age(t.attached),
    CASE WHEN c.relreplident <> 'f' THEN ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index x
        JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY(x.indkey)
        WHERE x.indrelid = c.oid AND (c.relreplident = 'i' AND x.indisreplident
            OR c.relreplident = 'd' AND x.indisprimary AND x.indisvalid AND x.indimmediate)) END,
    coalesce(pg_catalog.pg_get_expr(c.relpartbound, 0), ''), c.relfilenode::bigint
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind <> 'p'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute o ON o.attrelid = c.oid AND o.attname = 'tableoid'
ORDER BY t.root, c.oid
"""
# TRUNCATE gives new files to all of a table, and leaves no estimate of its rows, from 14 on.
MOVED = """
SELECT c.oid, made.xmin::text, pg_catalog.age(made.xmin), c.reltuples >= 0 AND
    pg_catalog.pg_stat_get_tuples_inserted(c.oid) = 0,
    EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.xmin = made.xmin)
FROM pg_catalog.pg_class c CROSS JOIN LATERAL (SELECT x.xmin FROM pg_catalog.pg_class x
    WHERE x.oid IN (c.oid, c.reltoastrelid) OR x.oid IN
        (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid)
    ORDER BY pg_catalog.age(x.xmin) DESC LIMIT 1) made
WHERE c.oid = ANY(%s::oid[])
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
        file: that they lie in; 0 is none of its own.
    """

    root: int
    oid: int
    id: TableId
    attached: str
    command: int
    earlier: bool
    keys: tuple[str, ...] | None
    bound: str
    file: int

    @classmethod
    def read(cls, row: Sequence[Any]) -> Leaf:
        """What `LEAVES` found."""
        root, oid, schema, name, attached, command, earlier, keys, bound, file = row
        known = None if keys is None else tuple(keys)
        return cls(root, oid, TableId(schema, name), attached, command, earlier, known, bound, file)


@dataclass(frozen=True, slots=True)
class Known:
    """What is written down of a partition; as of `Leaf`."""

    id: TableId
    bound: str
    attached: str
    file: int

    @classmethod
    def of(cls, leaf: Leaf) -> Known:
        """What is to be written down."""
        return cls(leaf.id, leaf.bound[:_BOUND], leaf.attached, leaf.file)


@dataclass(frozen=True, slots=True)
class Moved:
    """A partition whose rows lie in another file than before.

    Attributes:
        maker: the transaction that made it, as far as is seen.
        age: of that one.
        unused: the server knows of no row that was ever in it.
        altered: that transaction has done something to its columns, too.
    """

    oid: int
    maker: str
    age: int
    unused: bool
    altered: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of a partition that has moved.

    Attributes:
        any: there are some.
        older: some are from before it moved: they were not taken away.
        made: all were written by the transaction that moved it.
    """

    any: bool
    older: bool
    made: bool


@dataclass(frozen=True, slots=True)
class Memo:
    """What is written down of a table (`StreamTable.memo`).

    Attributes:
        parts: its partitions by their oids; None is not known, or it has none.
        emptied: how often the log has told since that the table was, with all its partitions.
        published: of its publications, as `publishing` has it; empty is not known.
    """

    parts: Mapping[int, Known] | None = None
    emptied: int = 0
    published: str = ""

    @classmethod
    def read(cls, text: str) -> Memo:
        """What `str` wrote; nothing is known from anything else."""
        try:
            found = json.loads(text)
            parts = None if found["parts"] is None else {
                int(oid): Known(TableId(schema, name), *rest) for oid, (schema, name, *rest) in found["parts"].items()
            }  # fmt: skip
            return cls(parts, int(found["emptied"]), str(found["published"]))
        except (ValueError, TypeError, AttributeError, KeyError):
            return cls()

    def __str__(self) -> str:
        """As JSON."""
        parts = None if self.parts is None else {
            oid: [one.id.schema, one.id.name, one.bound, one.attached, one.file] for oid, one in self.parts.items()
        }  # fmt: skip
        return json.dumps({"parts": parts, "emptied": self.emptied, "published": self.published})


class Held(Enum):
    """Whether a partition had rows before it was one, or was emptied."""

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


def came(root: TableId, leaf: Leaf, held: Held, memo: str) -> SchemaChange | None:
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
        return SchemaChange(SchemaChangeKind.NOTED, root, statement=statement, reason=reason, memo=memo)
    return None


def first_rows(leaf: Leaf, moved: Moved) -> str:
    """A query for `Rows`; after VACUUM FULL and CLUSTER, too, old ones lie at the start."""
    xid = f"'{int(moved.maker)}'::xid"
    return (
        f"SELECT count(*) > 0, coalesce(bool_or(pg_catalog.age(r.xmin) > pg_catalog.age({xid})), false),"
        f" coalesce(bool_and(r.xmin = {xid}), false)"
        f" FROM (SELECT xmin FROM ONLY {_DIALECT.qualified(leaf.id)} LIMIT {_SAMPLE}) r"
    )


def emptied(moved: Moved, rows: Rows | None, *, rewritten: bool) -> Held:
    """Whether a partition was emptied by itself or with the others.

    Args:
        rows: None where they may not be read.
        rewritten: the transaction has written all rows of another partition anew, as ALTER TABLE of their root does.
    """
    if rows is None:
        return Held.UNTOLD
    anew = rewritten and (rows.made or not rows.any)
    kept = rows.older or anew or (moved.unused and not rows.any)
    return Held.NO if kept else Held.YES


def lost_rows(root: TableId, leaves: Sequence[TableId], memo: str, *, told: bool) -> SchemaChange:
    """What is told of partitions that were emptied.

    Args:
        told: it is certain.
    """
    names, many = listed(leaves), len(leaves) > 1
    if told:
        reason = (
            f"its partition{'s' * many} {names} {'were' if many else 'was'} emptied (TRUNCATE), which the log does not"
            " tell; what rows they had are still in the target: delete them there, or copy the table anew (resync)"
        )
    else:
        reason = (
            f"whether its partition{'s' * many} {names} {'were' if many else 'was'} emptied (TRUNCATE) is not told; if"
            " so, what rows they had are still in the target: copy the table anew (resync)"
        )
    return SchemaChange(SchemaChangeKind.NOTED, root, statement=f"TRUNCATE {names}", reason=reason, memo=memo)


def again(root: TableId, leaf: Leaf) -> SchemaChange:
    """What is told of a partition that was none for a while."""
    reason = (
        f"its partition {leaf.id} was detached and attached again; what became of its rows meanwhile is not in the log"
    )
    return SchemaChange(SchemaChangeKind.LOST, root, statement=f"ATTACH PARTITION {leaf.id}", reason=reason)


def went(root: TableId, leaf: Known, memo: str, *, there: bool) -> SchemaChange:
    """What is told of a partition that is one no more."""
    what = "detached" if there else "dropped"
    reason = (
        f"its partition {leaf.id} ({leaf.bound}) was {what}; what rows it had are still in the target: delete them"
        " there if they are not wanted, or copy the table anew (resync)"
    )
    statement = f"{'DETACH' if there else 'DROP'} PARTITION {leaf.id}"
    return SchemaChange(SchemaChangeKind.NOTED, root, statement=statement, reason=reason, memo=memo)


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
