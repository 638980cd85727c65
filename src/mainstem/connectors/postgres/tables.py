"""The tables of a stream: which are followed, how their rows are read, and what has changed of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from mainstem.connectors.postgres import partitions, rewrites
from mainstem.connectors.postgres.cells import needs_money_digits
from mainstem.connectors.postgres.lsn import read_place
from mainstem.connectors.postgres.marks import (
    UNSEEN,
    Marks,
    Stamp,
    exchange,
    known_marks,
    marked,
    stamp_of,
    stamped,
    table_oid,
)
from mainstem.connectors.postgres.partitions import Memo
from mainstem.connectors.postgres.relations import (
    SentTable,
    change_rows,
    differs,
    identity_columns,
    missing_columns,
    no_identity,
    relation,
)
from mainstem.connectors.postgres.rewrites import Rewritten
from mainstem.connectors.postgres.side import Side
from mainstem.errors import StatementError
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.run import ACTIVE, TableState
from mainstem.model.stream import StreamTable
from mainstem.native.changerows import ChangeRows
from mainstem.native.pgoutput import LogDecoder

_FOR_EVER = 2**64
_NO_KEY = "its key ({}) tells rows apart no more, and the target's still does: give the target's table the same key"
_NO_COLUMNS = "the log holds none of its columns, and so nothing of its rows"
_UNREAD = (
    "it was dropped and made again, or its publication was altered, while the stream did not run: what was done to it"
    " meanwhile may not be in the log"
)
_OTHER = "it is another table than the one that was copied: it was dropped and made again, or tables have changed names"
TAKEN = "tables have changed names; whether the one that has its name now holds the same rows is not told by the log"


class Tables:
    """For one thread at a time.

    Args:
        added: see `Publications.added`.
        start: where in the log the stream begins.
        inserts_only: whether neither UPDATE nor DELETE of a table are wanted.

    Attributes:
        missing: what is to be told before more is read.
        known: the stream's tables, but for those that were dropped: another one of such a name is new.
        followed_oids: of those that are followed now. These are made anew and not changed, so that any thread may look.
        partitioned: the oids of those that are.
        fresh: by oid, when a table was last seen to be as its layout has it; any thread may add to it.
    """

    def __init__(
        self,
        side: Side,
        tables: Sequence[StreamTable],
        added: Mapping[int, int],
        start: int,
        inserts_only: Callable[[TableId], bool],
    ) -> None:
        self._side = side
        self._inserts_only = inserts_only
        self._tables = {table.source: table for table in tables}
        now = side.oids(list(self._tables))
        self._oids = {oid: table for table, oid in now.items()}
        self._rows: dict[TableId, ChangeRows] = {}
        self._sent: dict[int, SentTable] = {}
        self._accepted: dict[TableId, SentTable] = {}
        there = side.marks(list(self._oids))
        self._marks = there | {
            now[id_]: known_marks(table.layout)
            for id_, table in self._tables.items()
            if id_ in now and table_oid(table.layout)
        }
        self._money_digits: int | None = None
        self.partitioned = side.partitioned(list(self._oids))
        self.missing = deque(self._missing(added, start, now, there))
        self.followed_oids: dict[int, TableId] = {}
        self.fresh: dict[int, Stamp] = {}
        self._list_followed()

    def _list_followed(self) -> None:
        tables, oids = self._tables, self._oids.items()
        self.known = frozenset(id_ for id_, table in tables.items() if table.state is not TableState.SKIPPED)
        self.followed_oids = {oid: id_ for oid, id_ in oids if id_ in tables and tables[id_].state in ACTIVE}

    def _missing(
        self, added: Mapping[int, int], start: int, now: Mapping[TableId, int], there: Mapping[int, Marks]
    ) -> Iterator[SchemaChange]:
        """Tables that are followed and are there no more, or are others: made again while nobody read the log.

        What an earlier version has not written down of a table is told, too, so that it is known from here on.
        """
        for id_, table in self._tables.items():
            if table.state not in ACTIVE:
                continue
            oid = now.get(id_)
            if oid is None:
                yield SchemaChange(SchemaChangeKind.DROPPED, id_)
                continue
            reason = _become(table, oid, there.get(oid, {}))
            if added.get(oid, 0) > max(start, read_place(table.since).lsn):
                reason = reason or _UNREAD
            if reason:
                yield SchemaChange(SchemaChangeKind.LOST, id_, reason=reason)
            elif lacking := self._unidentified(table, oid):
                yield SchemaChange(SchemaChangeKind.LOST, id_, reason=lacking)
            elif oid in there and not table_oid(table.layout) and _names(table) == there[oid].keys():
                yield SchemaChange(SchemaChangeKind.COLUMNS, id_, marked(table.layout, oid, there[oid]))

    def gathered(self) -> Iterator[tuple[TableId, ChangeRows]]:
        """Where the rows of each table are."""
        yield from self._rows.items()

    def followed(self, oids: Sequence[int], commit_lsn: int) -> tuple[TableId, ...]:
        """Those of them whose changes in a transaction are told of."""
        named = [self._oids.get(oid) for oid in oids]
        found = [self._tables[id_] for id_ in named if id_ in self._tables]
        return tuple(
            table.source for table in found if table.state in ACTIVE and commit_lsn >= read_place(table.since).lsn
        )

    def of(self, sent: SentTable) -> StreamTable | None:
        """The table that the server tells of, if it is followed."""
        table = self._tables.get(self._oids.get(sent.oid, sent.id))
        return table if table is not None and table.state in ACTIVE else None

    def sent(self, oid: int) -> SentTable:
        """What the server last said of a table."""
        return self._sent[oid]

    def settle(self, table: StreamTable, decoder: LogDecoder) -> None:
        """How a table's rows are read from here on; those that were gathered have been taken."""
        before = self._tables.get(table.source)
        if before is not None and table.state in ACTIVE and before.layout != table.layout:
            self._note_retyped(before, table)
        self._tables[table.source] = table
        if table.state in ACTIVE:
            self._bind(table, anew=before is None or before.state not in ACTIVE or before.layout != table.layout)
        self._list_followed()
        self._rows.pop(table.source, None)
        self._accepted.pop(table.source, None)
        for sent in list(self._sent.values()):
            if self._oids.get(sent.oid) == table.source:
                try:
                    self.relate(sent, decoder)
                except StatementError:  # it has changed since; the server describes it again before the next row
                    decoder.forget(sent.oid)

    def _note_retyped(self, before: StreamTable, table: StreamTable) -> None:
        """Its columns are others now, and the stream goes on with it: whether its rows are as the target makes them."""
        if before.state not in ACTIVE or before.since != table.since:
            return
        oid = table_oid(before.layout)
        found = self._rewritten(oid, before) if oid else []
        told = (
            rewrites.told_retyped(table.source, before.layout, found),
            rewrites.told(table.source, before.layout, found),
        )
        self.missing.extend(change for change in told if change is not None)

    def table(self, oid: int) -> StreamTable | None:
        """One that is followed, by its oid; for any thread."""
        id_ = self.followed_oids.get(oid)
        return self._tables.get(id_) if id_ is not None else None

    def last_seen(self, oid: int, table: StreamTable) -> Stamp:
        """Of a table, before it was rewritten, if it was."""
        known, fresh = stamp_of(table.layout), self.fresh.get(oid)
        return fresh if fresh is not None and fresh.file == known.file and fresh.seen > known.seen else known

    def _rewritten(self, oid: int, table: StreamTable) -> list[Rewritten]:
        """Columns of a table that hold other values now, as far as can be seen."""
        before = self.last_seen(oid, table)
        now = self._side.seen({oid: before}).get(oid) if before.seen else None
        if now is None or not now.is_suspect(before, copied(table)):
            return []
        return self._side.rewritten(oid, before, now.touched, table.layout)

    def emptied(self, oids: Sequence[int]) -> None:
        """The log tells that tables are: their partitions lie in other files, which is no news when that is seen."""
        for table in filter(None, map(self.table, self.partitioned.intersection(oids))):
            memo = Memo.read(table.memo)
            kept = str(replace(memo, emptied=memo.emptied + 1))
            self.missing.append(SchemaChange(SchemaChangeKind.KEPT, table.source, memo=kept))

    def note(self, sent: SentTable) -> None:
        """What was found out of a table's rows was told, and is not to be told again."""
        table = self.of(sent)
        if table is not None and (now := self._side.seen({sent.oid: UNSEEN}).get(sent.oid)):
            columns = stamped(table.layout, sent.oid, now.stamp)
            self.missing.append(SchemaChange(SchemaChangeKind.COLUMNS, table.source, columns))

    def _bind(self, table: StreamTable, *, anew: bool) -> None:
        """Have a table's rows known by their oid: that of the table which its layout is of, whatever its name is now.

        Args:
            anew: it was not followed, or had other columns.
        """
        named = self._side.oids([table.source]).get(table.source, 0)
        oid = table_oid(table.layout) or named
        if not oid:
            return
        self._oids = {known: id_ for known, id_ in self._oids.items() if id_ != table.source} | {oid: table.source}
        if not anew:
            return
        self.partitioned = self.partitioned | self._side.partitioned([oid])
        now = self._side.marks([oid]).get(oid, {})
        self._marks[oid] = known_marks(table.layout) or now
        reason = _become(table, named or oid, now) or self._unidentified(table, oid)
        if reason:
            self.missing.append(SchemaChange(SchemaChangeKind.LOST, table.source, reason=reason))

    def describe(self, sent: SentTable, commit_lsn: int) -> SchemaChange | None:
        """What has changed of a table, by what the server says of it now; None: nothing, or it is not followed.

        Args:
            commit_lsn: of the transaction; what a table's snapshot holds already is no change.
        """
        known = self._oids.get(sent.oid)
        table = self._tables.get(known or sent.id)
        if table is None or table.state not in ACTIVE or commit_lsn < read_place(table.since).lsn:
            return None
        if known is None:  # another table has this name now
            return SchemaChange(SchemaChangeKind.LOST, sent.id, reason=TAKEN)
        accepted = self._accepted.get(known)
        if accepted is not None and (accepted.id, accepted.columns) == (sent.id, sent.columns):
            return self._exchanged(sent, table)
        if known != sent.id and self._is_of_another(sent):
            return SchemaChange(SchemaChangeKind.LOST, known, reason=TAKEN)
        if known != sent.id:
            return self._exchanged(sent, table, numbers_only=True) or SchemaChange(
                SchemaChangeKind.RENAMED, known, self._side.columns(sent), sent.id
            )
        if differs(sent, self._side.types(sent), table.layout):
            return self._exchanged(sent, table, numbers_only=True) or SchemaChange(
                SchemaChangeKind.COLUMNS, known, self._side.columns(sent)
            )
        return self._exchanged(sent, table)

    def _exchanged(self, sent: SentTable, table: StreamTable, *, numbers_only: bool = False) -> SchemaChange | None:
        """Whether a column has become another one of the same name, of which the log tells nothing.

        By the catalog of today, which may be ahead of the log: then it is told before it happens.

        Args:
            numbers_only: other columns have changed, too.
        """
        now = self._side.marks([sent.oid]).get(sent.oid, {})
        made = (column.name for column in table.layout if column.generated is not None)
        plain = next((name for name in made if name in now and now[name][1] is None), None)
        if plain is not None and not numbers_only:
            reason = f"its column {plain} is not generated any more: alter the target's, too"
        else:
            both = copied(table) & {column.name for column in sent.columns}
            reason = exchange(self._marks.get(sent.oid, {}), now, both, numbers_only=numbers_only)
        if reason:
            return SchemaChange(SchemaChangeKind.LOST, table.source, reason=reason)
        told = rewrites.told(table.source, table.layout, self._rewritten(sent.oid, table))
        return told if told is None or told.kind is SchemaChangeKind.LOST or not numbers_only else None

    def _is_followed(self, id_: TableId) -> bool:
        table = self._tables.get(id_)
        return table is not None and table.state in ACTIVE

    def _is_of_another(self, sent: SentTable) -> bool:
        """Whether the name that a table has now is that of another one of the stream."""
        other = self._tables.get(sent.id)
        return other is not None and other.state is not TableState.SKIPPED

    def obstacle(self, sent: SentTable, commit_lsn: int) -> SchemaChange | None:
        """Why a table's rows cannot be read as they are sent now, if they cannot."""
        table = self.of(sent)
        if table is None:
            return self._obstacle_of_part(sent, commit_lsn)
        if commit_lsn < read_place(table.since).lsn:
            return None
        reason = (
            missing_columns(sent, table)
            or _NO_COLUMNS * (not table.plan.columns)
            or ("" if self._inserts_only(table.source) else no_identity(sent, table))
            or self._no_key(sent, table)
        )
        return SchemaChange(SchemaChangeKind.LOST, table.source, reason=reason) if reason else None

    def _no_key(self, sent: SentTable, table: StreamTable) -> str:
        """Whether the source may have rows that are one at the target; by the catalog of today, as `_exchanged`."""
        key = table.plan.key if table.plan.keyed else ()
        unique = sent.identity in "di" and {column.name for column in sent.columns if column.key} <= {*key}
        if not key or unique or self._side.is_key(sent.oid, key):
            return ""
        return _NO_KEY.format(", ".join(key))

    def _obstacle_of_part(self, sent: SentTable, commit_lsn: int) -> SchemaChange | None:
        """Why a partition hinders its root, if it does: the server describes both, and tells rows as the root's."""
        root = self._oids.get(self._side.root(sent.oid)) if self.partitioned else None
        table = self._tables.get(root) if root is not None else None
        if table is None or table.state not in ACTIVE or commit_lsn < read_place(table.since).lsn:
            return None
        if sent.identity == "f" or self._inserts_only(table.source):
            return None
        keys = tuple(column.name for column in sent.columns if column.key)
        reason = partitions.unidentified(sent.id, keys, [column.source for column in identity_columns(table)])
        return SchemaChange(SchemaChangeKind.LOST, table.source, reason=reason) if reason else None

    def _unidentified(self, table: StreamTable, oid: int) -> str:
        """The same by the catalog, before any row."""
        if oid not in self.partitioned or self._inserts_only(table.source):
            return ""
        identity = [column.source for column in identity_columns(table)]
        found = (partitions.unidentified(leaf.id, leaf.keys, identity) for leaf in self._side.leaves([oid]))
        return next(filter(None, found), "")

    def relate(self, sent: SentTable, decoder: LogDecoder, commit_lsn: int | None = None) -> None:
        """Have the table's rows decoded by what the server says of it now.

        Args:
            commit_lsn: of the transaction; rows that a table's snapshot holds already may be of another shape. If it
                is still that shape behind the snapshot, the server does not say so again: the first row there is left
                to the caller (`sent`).
        """
        id_ = self._oids.get(sent.oid)
        if id_ is not None and id_ != sent.id and self._is_followed(id_) and sent.id in self._tables:
            id_ = self._oids[sent.oid] = sent.id
        table = self._tables.get(id_) if id_ is not None else None
        self._sent[sent.oid] = sent
        if table is None or table.state not in ACTIVE:
            decoder.relate(relation(sent, None, None, 0))
            return
        since = read_place(table.since).lsn
        early = commit_lsn is not None and commit_lsn < since
        if early and (self.describe(sent, _FOR_EVER) or self.obstacle(sent, _FOR_EVER)):
            decoder.relate(relation(sent, None, None, since))
            return
        self._accepted[table.source] = sent
        if table.source not in self._rows:
            self._rows[table.source] = change_rows(table, self.digits(table))
        decoder.relate(relation(sent, table, self._rows[table.source], since))

    def digits(self, table: StreamTable) -> int:
        """As `change_rows` wants them."""
        if not needs_money_digits(table.plan.columns):
            return 0
        if self._money_digits is None:
            self._money_digits = self._side.money_digits()
        return self._money_digits


def _names(table: StreamTable) -> set[str]:
    return {column.name for column in table.layout}


def copied(table: StreamTable) -> set[str]:
    """The columns whose values the target has."""
    return {column.source for column in table.plan.columns}


def _become(table: StreamTable, oid: int, now: Marks) -> str:
    """How the table that has its name now is another one than is known, in words; empty if it is the same.

    Args:
        oid, now: of that one.
    """
    known = table_oid(table.layout)
    if known and known != oid:
        return _OTHER
    return exchange(known_marks(table.layout), now, copied(table))
