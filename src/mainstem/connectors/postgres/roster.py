"""Which tables there are: those that leave a stream while it runs, and those that come; the log tells of neither."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mainstem.connectors.postgres import rewrites
from mainstem.connectors.postgres.leaves import Become, Leaves
from mainstem.connectors.postgres.marks import UNSEEN, Stamp, stamp_of, stamped
from mainstem.connectors.postgres.partitions import Leaf
from mainstem.connectors.postgres.publishing import Published
from mainstem.connectors.postgres.rewrites import Seen
from mainstem.connectors.postgres.side import Side
from mainstem.connectors.postgres.tables import TAKEN, Tables, copied
from mainstem.errors import MainstemError
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable

LOOK_S = 10.0
_PARTLY = (
    "its publication tells only of some of its rows (WHERE): take the condition out (ALTER PUBLICATION … SET TABLE)"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream is about.

    Attributes:
        publications: that it reads.
        schemas: whose new tables are told of; empty is none.
        newest: tables with a higher oid are new.
        operations: those of a table that are wanted.
    """

    publications: Sequence[str]
    schemas: Sequence[str] = ()
    newest: int = 0
    operations: Callable[[TableId], Sequence[str]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be told, once the log is read up to a place.

    Attributes:
        oid, seen: only if that is still what is known of a table's rows; 0 is in any case.
        root, become: the same of a table's partitions.
    """

    end: int
    change: SchemaChange
    oid: int = 0
    seen: Stamp = UNSEEN
    root: int = 0
    become: Become | None = None


class Roster:
    """`look` is for one thread, `found` for another."""

    def __init__(self, side: Side, wanted: Wanted, tables: Tables) -> None:
        self._side, self._wanted, self._tables = side, wanted, tables
        self._looked_at = float("-inf")
        self._told: set[int] = set()
        self._waiting: deque[_Found] = deque()

    def look(self) -> None:
        """Ask the server, if it is time to; it may not answer."""
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        with suppress(MainstemError):
            self._look()

    def _look(self) -> None:
        followed, known = self._tables.followed_oids, self._tables.known
        published = self._side.published(self._wanted.publications)
        gone = set(followed) - set(published) - self._told
        waiting = {found.change.table for found in list(self._waiting)}
        untold = {oid for oid, id_ in followed.items() if id_ not in waiting}
        partly = dict.fromkeys(untold & self._side.filtered(self._wanted.publications), _PARTLY)
        partly |= self._lacking({oid: published[oid] for oid in untold if oid in published})
        new = {} if not self._wanted.schemas else self._side.newer(self._wanted.schemas, self._wanted.newest)
        came = {oid: id_ for oid, id_ in new.items() if id_ not in known and oid not in self._told}
        there = self._side.existing(sorted(followed))
        moved = self._moved(followed, there) - gone - self._told
        parts = self._parts(gone | moved)
        rewritten = self._rewritten(gone | moved)
        if not (gone or partly or came or moved or parts or rewritten):
            return
        changes = [_left(followed[oid], there=oid in there) for oid in sorted(gone)]
        changes += [SchemaChange(SchemaChangeKind.LOST, followed[oid], reason=TAKEN) for oid in sorted(moved)]
        changes += [SchemaChange(SchemaChangeKind.LOST, followed[oid], reason=partly[oid]) for oid in sorted(partly)]
        for _, id_ in sorted(came.items()):
            changes.append(SchemaChange(SchemaChangeKind.CREATED, id_, self._side.columns_of(id_)))
        end = self._side.end()
        if end is not None:
            self._told |= gone | moved | set(came)
            self._waiting.extend(_Found(end, change) for change in changes)
            self._waiting.extend(_Found(end, one.change, root=root, become=one) for root, one in parts)
            self._waiting.extend(_Found(end, change, oid, before) for oid, before, change in rewritten)

    def _lacking(self, published: Mapping[int, Published]) -> dict[int, str]:
        """By their oids, what publications do not tell of tables."""
        tables = {oid: self._tables.table(oid) for oid in published}
        found = {
            oid: published[oid].lacks(self._wanted.operations(table.source), wanted_columns(table, published[oid]))
            for oid, table in tables.items()
            if table is not None
        }
        return {oid: reason for oid, reason in found.items() if reason}

    def _rewritten(self, left: set[int]) -> list[tuple[int, Stamp, SchemaChange]]:
        """By their oid, and when they were last seen: tables whose rows may be others, and what is known now."""
        waiting = {found.oid for found in list(self._waiting)}
        tables = {oid: self._tables.table(oid) for oid in self._tables.followed_oids if oid not in left | waiting}
        known = {oid: table for oid, table in tables.items() if table is not None}
        before = {oid: self._tables.last_seen(oid, table) for oid, table in known.items()}
        changes = []
        for oid, now in self._side.seen(before).items():
            if not now.is_news(before[oid]):
                self._tables.fresh[oid] = now.stamp
                continue
            told = self._told_of_rows(oid, known[oid], before[oid], now)
            changes += [(oid, stamp_of(known[oid].layout), change) for change in told]
        return changes

    def _told_of_rows(self, oid: int, table: StreamTable, before: Stamp, now: Seen) -> list[SchemaChange]:
        suspect = now.is_suspect(before, copied(table))
        found = self._side.rewritten(oid, before, now.touched, table.layout) if suspect else []
        if rewrites.told_retyped(table.source, table.layout, found):  # the rest is told when that is done
            columns = self._side.columns_of(table.source)
            return [SchemaChange(SchemaChangeKind.COLUMNS, table.source, columns)]
        change = rewrites.told(table.source, table.layout, found)
        if change is not None and change.kind is SchemaChangeKind.LOST:
            return [change]
        stamp = SchemaChange(SchemaChangeKind.COLUMNS, table.source, stamped(table.layout, oid, now.stamp))
        return [stamp] if change is None else [change, stamp]

    def _parts(self, left: set[int]) -> list[tuple[int, Become]]:
        """By the oid of its root, what has become of partitions; no root of which something waits to be told."""
        others = {found.root for found in list(self._waiting)} | left | self._told
        tables = {oid: self._tables.table(oid) for oid in self._tables.partitioned if oid not in others}
        seen: dict[int, dict[int, Leaf]] = {oid: {} for oid, table in tables.items() if table is not None}
        for leaf in self._side.leaves(sorted(seen)):
            seen[leaf.root][leaf.oid] = leaf
        return [
            (oid, become)
            for oid, table in tables.items()
            if table is not None
            for become in Leaves(self._side, table, seen[oid]).become()
        ]

    def _moved(self, followed: Mapping[int, TableId], there: Mapping[int, TableId]) -> set[int]:
        """Tables that have another name now, while a table has theirs: rows of that one are not in the log."""
        renamed = {oid for oid, id_ in there.items() if id_ != followed[oid]}
        taken = self._side.oids([followed[oid] for oid in sorted(renamed)]) if renamed else {}
        return {oid for oid in renamed if followed[oid] in taken}

    def found(self, position: int, *, within: bool) -> Iterator[SchemaChange]:
        """What was found, once all that was written before is read."""
        while self._waiting and not within and self._waiting[0].end <= position:
            found = self._waiting[0]
            if self._is_news(found):
                yield found.change
            self._waiting.popleft()

    def _is_news(self, found: _Found) -> bool:
        """Whether a table is still as it was when this was found out."""
        if found.become is not None:
            whole = self._tables.table(found.root)
            return whole is not None and whole.memo == found.become.memo
        table = self._tables.table(found.oid) if found.oid else None
        return not found.oid or (table is not None and stamp_of(table.layout) == found.seen)


def _left(table: TableId, *, there: bool) -> SchemaChange:
    if there:
        reason = (
            "it is not in the publication: it was taken out, or was made again without a primary key, so that UPDATE"
            " and DELETE do not say which row they are about (ALTER TABLE … REPLICA IDENTITY FULL helps); or its"
            " partitions are published in its place (ALTER PUBLICATION … SET (publish_via_partition_root = true))"
        )
        return SchemaChange(SchemaChangeKind.LOST, table, reason=reason)
    return SchemaChange(SchemaChangeKind.DROPPED, table)


def wanted_columns(table: StreamTable, published: Published) -> set[str]:
    """Those that have to be told: what is copied, and what is new."""
    return copied(table) | ({*published.left_out} - {column.name for column in table.layout})
