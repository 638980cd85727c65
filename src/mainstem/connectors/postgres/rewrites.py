"""Rows that an ALTER TABLE computed anew: the log tells nothing of what they have become.

`ALTER COLUMN … TYPE … USING` writes all rows into another file, each as of its own transaction, and touches the row of
its column in pg_attribute. VACUUM FULL, CLUSTER and REINDEX leave rows with the transactions that they are of; TRUNCATE
and a new column leave the other columns alone, but for those that are `Mark.filled`; what touches a column otherwise
leaves the file. So a rewrite is told from all of these, without anything that runs in the source's transactions. All of
it is compared with what was last seen (`Stamp`), also where nobody looked meanwhile.
Source: PostgreSQL manual, "ALTER TABLE" (Notes), "pg_class" (relfilenode), "System Columns" (xmin); as seen on 15, 18.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.marks import Stamp, filled
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.schema import Column

_DIALECT = PostgresDialect()
_SAMPLE = 1000
_TOLD_APART = 2**31  # transactions; beyond, which one is older is not told
_OLD = 2**30  # what was seen is to be seen anew, long before

# Which columns were touched since, of tables that have another file, or none (partitioned ones).
TOUCHED = """
SELECT c.oid, c.relfilenode::bigint, pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()),
    CASE WHEN c.relfilenode = 0 OR c.relfilenode <> known.file THEN
        ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped AND pg_catalog.age(a.xmin) <= pg_catalog.age(known.seen)) ELSE '{}' END
FROM unnest(%s::oid[], %s::bigint[], %s::xid[]) AS known(oid, file, seen)
JOIN pg_catalog.pg_class c ON c.oid = known.oid
"""

# A table's index that was built again has another file than it was made with; a TOAST table is made anew.
EVIDENCE = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.xmin::text, EXISTS (
    SELECT FROM (SELECT t.relid::oid AS oid FROM pg_catalog.pg_partition_tree(%(oid)s) t WHERE t.isleaf
        UNION SELECT %(oid)s::oid) part JOIN pg_catalog.pg_class c ON c.oid = part.oid
    WHERE c.relkind = 'r' AND c.relfilenode <> c.oid AND (
        EXISTS (SELECT FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid AND t.xmin = a.xmin)
        OR EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
            WHERE x.indrelid = c.oid AND i.relfilenode <> i.oid AND i.xmin = a.xmin)))
FROM pg_catalog.pg_attribute a WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see of a table now.

    Attributes:
        touched: columns that something was done to since it was last seen.
    """

    stamp: Stamp
    touched: tuple[str, ...] = ()

    def is_suspect(self, before: Stamp, names: Iterable[str]) -> bool:
        """Whether a column of these may have been rewritten."""
        moved = not self.stamp.file or self.stamp.file != before.file
        return bool(before.seen and moved and not self._is_too_late(before) and {*self.touched} & {*names})

    def is_news(self, before: Stamp) -> bool:
        """Whether it is to be written down that there is nothing to be told."""
        moved = self.stamp.file != before.file
        touched = not self.stamp.file and bool(self.touched)
        return not before.seen or moved or touched or self.stamp.seen - before.seen > _OLD

    def _is_too_late(self, before: Stamp) -> bool:
        return self.stamp.seen - before.seen >= _TOLD_APART


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of a table.

    Attributes:
        older: there are some that were there when the table was last seen: they were not written anew.
        writers: the transactions that wrote them.
    """

    older: bool
    writers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A column as it is in the catalog.

    Attributes:
        native: its type.
        toucher: the transaction that did something to it last.
        rebuilt: that one has also given a new file to an index or TOAST table of the table.
    """

    name: str
    native: str
    toucher: str
    rebuilt: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A column whose values may have been computed anew.

    Attributes:
        native: its type now.
        certain: the transaction that touched it has written rows, too.
    """

    name: str
    native: str
    certain: bool

    @property
    def statement(self) -> str:
        """What has been run, as far as is known."""
        return f"ALTER COLUMN {self.name} TYPE {self.native}"


def asked(stamps: Iterable[Stamp]) -> tuple[list[int], list[str]]:
    """Files and transactions, as `TOUCHED` takes them."""
    found = list(stamps)
    return [stamp.file for stamp in found], [str(stamp.seen % 2**32) for stamp in found]


def rows_of(table: TableId, before: Stamp, *, partitioned: bool) -> str:
    """A query for `Rows`."""
    seen, only = f"'{before.seen % 2**32}'::xid", "" if partitioned else "ONLY "
    return (
        f"SELECT coalesce(bool_or(pg_catalog.age(r.xmin) > pg_catalog.age({seen})), false),"
        " coalesce(array_agg(DISTINCT r.xmin::text), '{}')"
        f" FROM (SELECT xmin FROM {only}{_DIALECT.qualified(table)} LIMIT {_SAMPLE}) r"
    )


def judge(
    columns: Sequence[Found], touched: Iterable[str], rows: Rows | None, layout: Sequence[Column]
) -> list[Rewritten]:
    """Which of the columns that were touched hold other values now, as far as can be seen.

    Args:
        columns: all of the table.
        rows: None where they may not be read.
        layout: the columns as they were.
    """
    if rows is not None and (rows.older or not rows.writers):
        return []
    writers = rows.writers if rows is not None else frozenset()
    types, moved = {column.name: column.native for column in layout}, filled(layout)
    # what else such a transaction did, for which all rows are written anew
    others = {column.toucher for column in columns if types.get(column.name) != column.native}
    found = []
    for column in columns:
        if column.name not in touched or column.name not in types:
            continue
        by_the_way = column.name in moved and types[column.name] == column.native
        if by_the_way and (column.toucher in others or (column.rebuilt and column.toucher not in writers)):
            continue
        certain = column.toucher in writers or (column.rebuilt and not by_the_way)
        found.append(Rewritten(column.name, column.native, certain))
    return found


def told(table: TableId, layout: Sequence[Column], found: Sequence[Rewritten]) -> SchemaChange | None:
    """What is told of columns that kept their types, if there is anything."""
    types = {column.name: column.native for column in layout}
    same = sorted((one for one in found if types.get(one.name) == one.native), key=lambda one: not one.certain)
    if not same:
        return None
    if same[0].certain:
        reason = f"rows that are there got other values of column {same[0].name} (ALTER … TYPE … USING), which are not"
        return SchemaChange(SchemaChangeKind.LOST, table, statement=same[0].statement, reason=f"{reason} in the log")
    reason = (
        f"whether column {same[0].name} got other values in rows that are there (ALTER … TYPE … USING) is not told: if"
        " so, copy the table anew (resync)"
    )
    return SchemaChange(SchemaChangeKind.NOTED, table, statement=same[0].statement, reason=reason)


def told_retyped(table: TableId, layout: Sequence[Column], found: Sequence[Rewritten]) -> SchemaChange | None:
    """The same of those that have another type.

    Args:
        layout: as it was before.
    """
    types = {column.name: column.native for column in layout}
    other = [one for one in found if types.get(one.name, one.native) != one.native]
    if not other:
        return None
    reason = (
        f"rows that are there were written anew as column {other[0].name} became {other[0].native}: if that was done"
        " with USING, their values are not in the log: copy the table anew (resync)"
    )
    return SchemaChange(SchemaChangeKind.NOTED, table, statement=other[0].statement, reason=reason)
