"""What each event of the binary log does to the group that is being gathered. Reads nothing by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from mainstem.connectors.mysql import statements
from mainstem.connectors.mysql.charsets import Charsets
from mainstem.connectors.mysql.log_again import Again
from mainstem.connectors.mysql.log_ahead import Ahead
from mainstem.connectors.mysql.log_group import Gathering, divided
from mainstem.connectors.mysql.log_held import Held
from mainstem.connectors.mysql.log_maps import MustFlushError, TableMaps
from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import Prepared
from mainstem.connectors.mysql.log_refusals import (
    incident,
    not_as_rows,
    prepared_before,
    rolled_back_late,
    structure_late,
    within_transaction,
)
from mainstem.connectors.mysql.log_schema import SchemaChanges
from mainstem.connectors.mysql.log_tables import TableRows, Tables
from mainstem.connectors.mysql.schema_watch import SchemaWatch
from mainstem.connectors.mysql.statements import Statement, What
from mainstem.connectors.mysql.wire import events as log
from mainstem.connectors.mysql.wire.gtid import Gtid, MariadbGtid
from mainstem.connectors.mysql.wire.tablemap import TableMap
from mainstem.contract.changes import GroupLimits
from mainstem.errors import WireError
from mainstem.model.change import ChangeGroup, Part, RowChanges, SchemaChange, Truncate
from mainstem.model.names import TableId

Groups = Iterable[ChangeGroup]
_TRIES = 100  # as many tables may lie below one of the engine MERGE
_DUMMY_TABLE = 0xFFFFFF
_MICROSECONDS = 1_000_000


class LogReading:
    """Gathers groups. For one thread at a time.

    Attributes:
        busy: a transaction is under way.
        since: when the first change of the present group was read, on the monotonic clock; 0 is "there is none".
    """

    def __init__(
        self, place: Place, tables: Tables, schema: SchemaChanges, watch: SchemaWatch, charsets: Charsets, ahead: Ahead,
        limits: GroupLimits, again: Again,
    ) -> None:  # fmt: skip
        self.place = place
        self._tables = tables
        self._schema = schema
        self._charsets = charsets
        self._maps = TableMaps(place, tables, watch, charsets, ahead)
        self._limits = limits
        self._gathered = Gathering()
        self._parts: list[Part] = []
        self._mapped: dict[int, TableRows | TableMap | None] = {}
        self.busy = False
        self.since = 0.0
        self._transactions = 0
        self._first_us = self._last_us = 0
        # Of the transaction that is under way:
        self._explicit = False
        self._skipping = False
        self._first_row = 0
        self._order = (0, 0)
        self._gtid: Gtid | MariadbGtid | None = None
        self._committed_us = 0
        self._begun = False  # some of it was handed on
        self._held: Held | None = None  # it is put aside
        self._xa_name = ""
        self._prepared: dict[str, Held] = {}
        self._again = again
        self._savepoints: dict[str, int] = {}
        self._handlers: dict[type, Callable[[Any], Groups | None]] = {
            log.Xid: self._xid,
            log.Rows: self._rows,
            log.TableMapped: self._table,
            log.GtidEvent: self._mysql_gtid,
            log.MariadbGtidEvent: self._mariadb_gtid,
            log.Query: self._query,
            log.XaPrepare: self._xa_prepare,
            log.Rotate: self._rotate,
            log.FormatDescription: self._format,
            log.PreviousGtids: self._previous,
            log.MariadbGtidList: self._gtid_list,
            log.Incident: self._incident,
            log.LoadQuery: self._load_query,
        }

    @property
    def gathered(self) -> bool:
        """Whether there is something to hand on."""
        return bool(self._gathered.rows or self._parts)

    def read(self, event: log.Event) -> Groups | None:
        """Take an event; what is full is handed on, or what must be before the next event is read."""
        handler = self._handlers.get(type(event))
        groups = handler(event) if handler is not None else None
        if not self.busy:
            self.place.rest()
        return groups

    def forget_maps(self) -> None:
        """Tables are read otherwise from here on."""
        self._maps.forget()

    def flush(self) -> ChangeGroup:
        """All that was gathered, as a whole group; no transaction may be under way."""
        parts = (*self._parts, *self._gathered.take())
        return self._group(parts)

    # Transactions.

    def _mysql_gtid(self, event: log.GtidEvent) -> Groups:
        return self._begin(event.gtid, event.committed_us or event.header.timestamp * _MICROSECONDS)

    def _mariadb_gtid(self, event: log.MariadbGtidEvent) -> Groups:
        groups = self._begin(event.gtid, 0)
        self._explicit = not event.standalone
        if event.prepares:
            self._hold(str(event.xid))
        return groups

    def _begin(self, gtid: Gtid | MariadbGtid | None, committed_us: int) -> Groups:
        if self.busy:
            raise WireError("a transaction begins in the log before the one before it has ended")
        self.busy = True
        self._explicit = self._begun = False
        self._skipping = self.place.passed_over
        self._first_row = self._gathered.sequence
        self._order = self.place.order
        self._gtid = gtid
        self._committed_us = committed_us
        if not self._maps.looked and not self._skipping:
            self._maps.look_ahead_of_all()
        if self._savepoints:
            self._savepoints.clear()
        groups = [group for table in self._again.unfit.get(self._order, ()) for group in self._found(table) or ()]
        if self._order in self._again.doomed:
            self._held = Held()
        return groups

    def _hold(self, xid: str) -> None:
        """An XA transaction begins, which another one commits or rolls back."""
        self._explicit = True
        self._xa_name = xid.lower()
        self._held = Held()
        self._skipping = False  # even if it was passed over: its commit may come

    def _xid(self, event: log.Xid) -> Groups | None:
        if not self.busy:
            raise within_transaction(self.place.where)
        return self._commit(event.header)

    def _commit(self, header: log.Header) -> Groups | None:
        """The transaction is whole."""
        if self._held is not None:
            return self._handed_back(self._held, header)
        self._end(header)
        gathered = self._gathered
        if self._begun or gathered.sequence > self._first_row:
            self._transactions += 1
            self._last_us = self._committed_us or header.timestamp * _MICROSECONDS
            self._first_us = self._first_us or self._last_us
        limits = self._limits
        if self._begun or gathered.size_bytes >= limits.max_bytes or gathered.rows >= limits.max_rows:
            self._begun = False
            return [self.flush()]
        return None

    def _end(self, header: log.Header) -> None:
        """No transaction is under way any more."""
        self.busy = False
        if self._gtid is not None and not self.place.passed_over_at(self._order):
            self.place.gtids.add(self._gtid)
        self.place.rest(header.timestamp)

    def _handed_back(self, held: Held, header: log.Header) -> Iterator[ChangeGroup]:
        """All of a transaction that was put aside is to be handed on."""
        head, tail = self._gathered.split(self._first_row)
        self._first_row = self._gathered.sequence
        held.add(tail)
        if head or self._parts:
            yield self._group((*self._parts, *head))
        self._held = None
        last: list[RowChanges] = []
        for piece in held.pieces():
            wanted = [changes for changes in piece if self._is_wanted(changes.table)]
            if last and wanted:
                yield ChangeGroup(tuple(last), whole=False)
            last = wanted or last
        held.close()
        self._begun = bool(last)
        self._parts = [*last]
        yield from self._commit(header) or ()

    def _is_wanted(self, table: TableId) -> bool:
        """Whether the stream reads the table's rows of a transaction that is committed here."""
        rows = self._tables.get(table.schema, table.name)
        return rows is not None and rows.read and self._is_beyond(rows)

    def _group(self, parts: Iterable[Part]) -> ChangeGroup:
        group = ChangeGroup(
            tuple(parts), True, self._transactions, self.place.position().dump(), self._first_us, self._last_us
        )
        self._transactions = self._first_us = self._last_us = 0
        self._parts = []
        self.since = 0.0
        return group

    def _piece(self, first: int | None = None) -> list[ChangeGroup]:
        """Hand on what was gathered though a transaction is under way: the whole ones before it, then its part.

        Args:
            first: forget the rows from this number on.
        """
        head, tail = self._gathered.split(self._first_row)
        if first is not None:
            tail, _ = divided(tail, first)
        groups = []
        if head or self._parts:
            groups.append(self._group((*self._parts, *head)))
        self._first_row = self._gathered.sequence
        if tail and self._held is not None:
            self._held.add(tail)
        elif tail:
            groups.append(self._part(tail))
        return groups

    def _part(self, changes: list[RowChanges]) -> ChangeGroup:
        """A piece of the transaction that is under way."""
        self._begun = True
        self._first_row = self._gathered.sequence
        return ChangeGroup(tuple(changes), whole=False)

    def _undo(self, sequence: int) -> Groups:
        """Rows from a number on have come to nothing.

        Raises:
            LostConnectionError: some of them were handed on. Read again from the last position, they are put aside.
        """
        if self._begun and sequence < self._first_row:
            self._again.doomed.add(self._order)
            raise rolled_back_late()
        groups = self._piece(sequence)
        if self._held is not None:
            self._held.cut(sequence)
        return groups

    def _undo_to(self, savepoint: str) -> Groups:
        """Rows behind a savepoint have come to nothing; it stays, and those that were set behind it do not."""
        sequence = self._savepoints.get(savepoint, self._first_row)
        groups = self._undo(sequence)
        self._savepoints = {name: first for name, first in self._savepoints.items() if first < sequence}
        self._savepoints[savepoint] = self._gathered.sequence
        return groups

    # Rows.

    def _table(self, event: log.TableMapped) -> Groups | None:
        table = event.table
        if not self.busy:
            raise within_transaction(self.place.where)
        if self._skipping:
            self._mapped[table.table_id] = None
            return None
        known = self._maps.known(table)
        if known is None:
            return self._found(table)
        self._mapped[table.table_id] = self._wanted(known[0])
        return None

    def _wanted(self, rows: TableRows | None) -> TableRows | None:
        """The table if its rows of this transaction are to be read; one that is put aside is asked when it comes."""
        if rows is None or rows.since is None or self._held is not None or self._is_beyond(rows):
            return rows
        return None

    def _found(self, table: TableMap) -> list[ChangeGroup] | None:
        """Map a table that was not mapped like this before; what is to be handed on, or settled, first."""
        groups: list[ChangeGroup] = []
        rows = self._tables.get(table.schema, table.name)
        if rows is not None and rows.read and self._wanted(rows) is None:
            self._mapped[table.table_id] = None
            return None
        try:
            found = self._maps.find(table, self._order)
        except MustFlushError:
            groups = self._piece()
            found = self._maps.find(table, self._order)
        if isinstance(found, SchemaChange):
            self._mapped[table.table_id] = table
            return [*groups, *self._before(found, table)]
        self._mapped[table.table_id] = found
        return groups or None

    def _before(self, change: SchemaChange, table: TableMap) -> list[ChangeGroup]:
        """A change of a table that is to be settled before rows of it are read."""
        if self._begun or self._held is not None:
            raise structure_late(change, is_new=self._again.is_new(self._order, table))
        head, tail = self._gathered.split(self._first_row)
        groups = [self._group((*self._parts, *head, change))]
        return [*groups, self._part(tail)] if tail else groups

    def _rows_later(self, event: log.Rows, table: TableMap) -> Iterator[ChangeGroup]:
        """Rows whose description had the engine asked how the table is read from here on."""
        for _ in range(_TRIES):
            yield from self._found(table) or ()
            if self._mapped[event.table_id] is not table:
                break
        else:
            name = f"{table.schema}.{table.name}"
            raise WireError("rows of a table cannot be read as they are in the log", table=name)
        yield from self._rows(event) or ()

    def _is_beyond(self, rows: TableRows) -> bool:
        """Whether the transaction came after the table's copy."""
        return self._maps.is_beyond(rows, self._order, self._gtid)

    def _rows(self, event: log.Rows) -> Groups | None:
        try:
            rows = self._mapped[event.table_id]
        except KeyError:
            if event.table_id == _DUMMY_TABLE:
                return None
            raise WireError("rows of a table come before its description") from None
        if isinstance(rows, TableMap):
            return self._rows_later(event, rows)
        if rows is None:
            return None
        gathered, limits = self._gathered, self._limits
        if not self.since:
            self.since = time.monotonic()
        groups: list[ChangeGroup] = []
        at = event.start
        while at < event.end:
            count, size = rows.rows, rows.size_bytes
            room = max(limits.max_bytes - gathered.size_bytes + size, 1)
            at = rows.feed(event, at, gathered.sequence, room)
            gathered.add(rows, rows.rows - count, rows.size_bytes - size)
            if gathered.size_bytes >= limits.max_bytes or gathered.rows >= limits.max_rows:
                groups += self._piece()
        return groups

    # Statements.

    def _query(self, event: log.Query) -> Groups | None:
        text = self._charsets.statement(event.statement, event.status.client_collation)
        statement = statements.read(text, event.database, folds=self.place.folds)
        groups = None
        what = statement.what
        if what is What.BEGIN:
            groups = None if self.busy else self._begin(None, 0)
            self._explicit = True
            return groups
        if what is What.COMMIT:
            return self._commit(event.header)
        if what is What.ROLLBACK:
            return self._roll_back(event.header)
        if what is What.SAVEPOINT:
            self._savepoints[statement.name.lower()] = self._gathered.sequence
            return None
        if what is What.ROLLBACK_TO:
            return self._undo_to(statement.name.lower())
        if what is What.XA:
            return self._xa(statement.name, event.header)
        if what is What.NOTHING:
            self._schema.forget_ways()
            if not self._skipping and (ours := self._truncated(statement)):  # a temporary one has the name of ours
                raise not_as_rows(ours[0].schema, self.place.where)
        elif not self._skipping:
            groups = self._statement(event, statement, text)
        if self.busy and not self._explicit:
            groups = [*(groups or []), *(self._commit(event.header) or [])]
        return groups

    def _statement(self, event: log.Query, statement: Statement, text: str) -> Groups | None:
        database = event.database.lower() if self.place.folds else event.database
        databases = self._schema.concerned(statement, database, event.status.databases)
        if not databases:
            return None
        if statement.what is What.DML:
            raise not_as_rows(", ".join(sorted(databases)), self.place.where)
        if statement.what is What.TRUNCATE:
            tables = self._truncated(statement)
            if tables:
                self._parts += self._gathered.take()
                self._parts.append(Truncate(tables, restart_identity=True))
                self._transactions += 1
                self.since = self.since or time.monotonic()
        changes = self._schema.after(
            statement, text, databases, lambda rows: rows.read and self._is_beyond(rows), event.status.sql_mode or 0,
            self._maps.later,
        )  # fmt: skip
        changes = self._maps.look_ahead(statement, changes)
        return self._told(changes, event.header) if changes else None

    def _truncated(self, statement: Statement) -> tuple[TableId, ...]:
        found = [self._tables.get(table.schema, table.name) for table in statement.tables]
        return tuple(rows.table.source for rows in found if rows is not None and rows.read and self._is_beyond(rows))

    def _told(self, changes: list[SchemaChange], header: log.Header) -> Groups:
        """A group for each; the last one's position is behind the statement, so that none is missed after a crash."""
        groups = []
        for change in changes[:-1]:
            groups.append(self._group((*self._parts, *self._gathered.take(), change)))
        if not self._explicit:
            self._commit(header)
        groups.append(self._group((*self._parts, *self._gathered.take(), changes[-1])))
        return groups

    def _load_query(self, event: log.LoadQuery) -> None:
        text = event.statement.decode("utf-8", "replace")
        statement = statements.read(text, event.database, folds=self.place.folds)
        if databases := self._schema.concerned(statement, event.database, None):
            raise not_as_rows(", ".join(sorted(databases)), self.place.where)

    def _roll_back(self, header: log.Header) -> Groups:
        """The transaction has come to nothing (a part of it could not be kept out of the log)."""
        first = 0 if self._begun else self._first_row
        if self._held is not None:
            self._held.cut(0)
        groups = self._undo(first)
        return [*groups, *(self._commit(header) or [])]

    # XA transactions.

    def _xa(self, text: str, header: log.Header) -> Groups | None:
        verb, _, xid = text.partition(" ")
        if verb in ("START", "BEGIN"):
            self._hold(xid)
        elif verb in ("COMMIT", "ROLLBACK"):
            return self._complete(xid.lower(), header, commit=verb == "COMMIT")
        return None

    def _xa_prepare(self, event: log.XaPrepare) -> Groups | None:
        held, self._held = self._held, None
        if event.one_phase or held is None:
            self._held = held
            return self._commit(event.header)
        groups = self._piece_of(held)
        self._prepared[self._xa_name] = held
        if self._xa_name not in self.place.prepared:
            gtid = "" if self._gtid is None else str(self._gtid)
            self.place.prepared[self._xa_name] = Prepared(self._xa_name, self.place.file, self._order[1], gtid)
        self._end(event.header)
        return groups

    def _piece_of(self, held: Held) -> list[ChangeGroup]:
        """Put the rest of the transaction aside, and hand on what came before it."""
        head, tail = self._gathered.split(self._first_row)
        held.add(tail)
        return [self._group((*self._parts, *head))] if head or self._parts else []

    def _complete(self, xid: str, header: log.Header, *, commit: bool) -> Groups | None:
        """A prepared transaction is committed or rolled back."""
        held = self._prepared.pop(xid, None)
        groups = [self.flush()] if self.gathered else []  # its position still needs what is prepared
        self.place.prepared.pop(xid, None)
        if commit and not self._skipping:
            if held is None:
                raise prepared_before(self.place.where)
            self._held = held
        elif held is not None:
            held.close()
        return chain(groups, self._commit(header) or ())

    # The log itself.

    def _rotate(self, event: log.Rotate) -> None:
        self.place.rotate(event)
        self._mapped.clear()

    def _format(self, event: log.FormatDescription) -> None:
        self.place.begin_file(event)
        self._mapped.clear()
        self._maps.forget()

    def _previous(self, event: log.PreviousGtids) -> None:
        self.place.gtids.reset(event.gtids)

    def _gtid_list(self, event: log.MariadbGtidList) -> None:
        if not event.header.artificial:
            self.place.gtids.reset(event.gtids)

    def _incident(self, event: log.Incident) -> None:
        raise incident(self.place.where)
