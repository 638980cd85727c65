"""From the descriptions of tables in the log to the tables of a stream, each with a decoder that fits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mainstem.connectors.mysql.charsets import Charsets
from mainstem.connectors.mysql.log_ahead import Ahead, Later
from mainstem.connectors.mysql.log_layout import is_known
from mainstem.connectors.mysql.log_merge import Merges
from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import Unsure
from mainstem.connectors.mysql.log_tables import Mismatch, TableRows, Tables
from mainstem.connectors.mysql.schema_watch import SchemaWatch, shape
from mainstem.connectors.mysql.statements import Statement
from mainstem.connectors.mysql.wire.gtid import Gtid, MariadbGtid
from mainstem.connectors.mysql.wire.tablemap import TableMap
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.schema import Column, Default, DefaultKind

_TWICE = (
    "its columns were changed more than once while the stream was behind, and the log does not name columns"
    " (binlog_row_metadata)"
)


_SETTING_DEFAULTS = frozenset({"default", "modify", "change"})


class MustFlushError(Exception):
    """Rows of the table were gathered as it was described before: they are to be handed on first."""


class TableMaps:
    """Finds tables. For one thread at a time.

    Attributes:
        looked: `look_ahead_of_all` was called.
    """

    def __init__(self, place: Place, tables: Tables, watch: SchemaWatch, charsets: Charsets, ahead: Ahead) -> None:
        self._place = place
        self._tables = tables
        self._watch = watch
        self._charsets = charsets
        self._ahead = ahead
        self.looked = False
        self._merges = Merges(place, tables, watch)
        self._resolved: dict[int, tuple[TableMap, TableRows | None]] = {}

    def forget(self) -> None:
        """Tables are read otherwise from here on."""
        self._resolved.clear()

    def known(self, table: TableMap) -> tuple[TableRows | None] | None:
        """What `find` found for this very description; None: it was not asked, or would find something else now."""
        found = self._resolved.get(id(table))
        if found is None or found[0] is not table or (found[1] is not None and found[1].map is not table):
            return None
        return (found[1],)

    def find(self, table: TableMap, order: tuple[int, int]) -> TableRows | SchemaChange | None:
        """The table of the stream, with a decoder that fits.

        Args:
            order: where the transaction begins.
        Returns:
            None for one that is not read; a `SchemaChange` that the engine has to settle before its rows can be read.

        Raises:
            MustFlushError: ask again when the rows that are gathered were taken.
        """
        rows = self._tables.get(table.schema, table.name)
        if rows is None or not rows.read:
            lost = self._merges.lost(table, order) if rows is None else None
            if lost is not None:
                return lost
            self._resolved[id(table)] = (table, None)
            return None
        was_doubted = rows.table.source in self._place.unsure
        doubt = self._place.doubt(rows.table.source, order)
        if rows.map is not None and rows.map.columns == table.columns and not was_doubted:
            rows.map = table
        else:
            if rows.rows:
                raise MustFlushError
            change = self._fitted(rows, table, doubt)
            if change is not None:
                return change
        self._resolved[id(table)] = (table, rows)
        return rows

    def _fitted(self, rows: TableRows, table: TableMap, doubt: Unsure | None) -> SchemaChange | None:
        """Give it a decoder; or say why there is none."""
        if doubt is not None and not table.full and doubt.columns < 0:
            return SchemaChange(SchemaChangeKind.LOST, rows.table.source, reason=_TWICE)
        least = doubt.columns if doubt is not None else -1
        try:
            rows.fit(table, self._charsets, strict=doubt is None, least=least)
        except Mismatch as exc:
            return self._reread(rows, table, str(exc))
        return None

    def _reread(self, rows: TableRows, table: TableMap, why: str) -> SchemaChange | None:
        """The log's columns are others than those that the table is known to have; None if they can be read even so."""
        source = rows.table.source
        columns = self._watch.columns(source, rows.layout)
        try:
            if not columns or shape(columns) == shape(rows.layout):  # it changed once more since
                rows.fit(table, self._charsets, strict=False)
                return None
            later = self._ahead.later(self._place.file, self._place.before, [source]).get(source)
            least = len(table.columns) if later is not None and later.appends else -1
            TableRows(rows.table, columns).fit(table, self._charsets, strict=later is None, least=least)
        except Mismatch:
            return SchemaChange(SchemaChangeKind.LOST, source, reason=why)
        if later is not None:
            if not table.full and least < 0:
                return SchemaChange(SchemaChangeKind.LOST, source, reason=_TWICE)
            self._doubt(source, later, least)
        return SchemaChange(SchemaChangeKind.COLUMNS, source, columns)

    def later(self, tables: Collection[TableId]) -> Mapping[TableId, Later]:
        """What comes behind the present statement, as `Ahead.later`."""
        return self._ahead.later(self._place.file, self._place.offset, tables)

    def look_ahead(self, statement: Statement, changes: Sequence[SchemaChange]) -> list[SchemaChange]:
        """Columns were taken from the catalog behind a statement: for how long do they not hold yet?

        Returns:
            The changes, without defaults that a later statement may have set.
        """
        fresh = {change.table for change in changes if change.kind is SchemaChangeKind.COLUMNS}
        later = self.later(fresh) if fresh else {}
        told = []
        for change in changes:
            rows = self._tables.get(change.table.schema, change.table.name)
            if change.kind is SchemaChangeKind.COLUMNS and change.table in later and rows is not None:
                last = later[change.table]
                if shape(rows.layout) != shape(change.columns) and not is_known(statement, change.columns, last.words):
                    self._doubt(change.table, last, -1)
                change = replace(change, columns=_hidden(change.columns, rows.layout, last))
            told.append(change)
        return told

    def look_ahead_of_all(self) -> None:
        """The stream begins, or goes on, where the catalog may know more of its tables than was so then."""
        self.looked = True
        chosen, self._place.chosen = self._place.chosen, False
        asked = [rows for rows in self._tables.all() if chosen or rows.table.source in self._place.unsure]
        if not asked:
            return
        later = self._ahead.later(self._place.file, self._place.before, [rows.table.source for rows in asked])
        for rows in asked:
            last = later.get(rows.table.source)
            if last is not None:
                rows.layout = _hidden(rows.layout, (), last)
                if chosen:
                    self._doubt(rows.table.source, last, 0 if last.appends else -1)

    def _doubt(self, table: TableId, last: Later, columns: int) -> None:
        self._place.unsure[table] = Unsure(table.schema, table.name, last.file, last.offset, columns)

    def is_beyond(self, rows: TableRows, order: tuple[int, int], gtid: Gtid | MariadbGtid | None) -> bool:
        """Whether a transaction that begins there came after the table's copy."""
        since = rows.since
        if since is None:
            return True
        if not self._place.is_beyond(since, order, gtid):
            return False
        if self._place.is_ours(since):
            rows.since = None
        return True


def _hidden(columns: Sequence[Column], before: Sequence[Column], later: Later) -> tuple[Column, ...]:
    """Columns whose defaults are not what they were before, and may be those of a later statement: nobody can tell."""
    known = {column.name: column for column in before}

    def hidden(column: Column) -> Column:
        old = known.get(column.name)
        set_later = later.words is None or (column.name.lower() in later.words and later.words & _SETTING_DEFAULTS)
        fresh = old is None or old.default != column.default
        return replace(column, default=Default(DefaultKind.HIDDEN, "")) if fresh and set_later else column

    return tuple(hidden(column) for column in columns)
