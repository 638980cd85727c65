"""The tables of a stream, and how the rows of each are read at the place where the stream is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from mainstem.connectors.mysql.charsets import AS_IS, Charsets
from mainstem.connectors.mysql.log_position import LogPosition, load
from mainstem.connectors.mysql.wire.changes import take_changes
from mainstem.connectors.mysql.wire.events import Rows
from mainstem.connectors.mysql.wire.forms import default_cells, fits, row_forms
from mainstem.connectors.mysql.wire.tablemap import MapColumn, TableMap
from mainstem.errors import WireError
from mainstem.model.cells import batch_of
from mainstem.model.change import RowChanges
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan
from mainstem.model.run import ACTIVE
from mainstem.model.schema import Column
from mainstem.model.stream import StreamTable
from mainstem.model.types import Kind
from mainstem.native.binlogrows import BinlogRows

_CHARACTERS = {Kind.TEXT, Kind.JSON}


class Mismatch(Exception):
    """The log's columns of a table are not those of its layout; the text says in what."""


class TableRows:
    """One table.

    Attributes:
        table: as the engine settled it.
        layout: all columns in the source's order, at this place of the log.
        since: its changes up to there are in its copy; None once the stream is past it.
        map: what the layout and the decoder were found to fit.
    """

    def __init__(self, table: StreamTable, layout: tuple[Column, ...] = ()) -> None:
        self.table = table
        self.layout = layout or table.layout
        self.since: LogPosition | None = load(table.since) if table.since else None
        self.map: TableMap | None = None
        self._decoder: BinlogRows | None = None
        self._wanted: list[ColumnPlan] = []
        self._missing: list[int] = []
        self._after_charsets: list[tuple[int, str]] = []
        self._before_charsets: list[tuple[int, str]] = []
        self._charsets: Charsets | None = None

    @property
    def read(self) -> bool:
        """Whether its rows are wanted."""
        return self.table.state in ACTIVE

    @property
    def rows(self) -> int:
        """Rows that are gathered."""
        return self._decoder.rows if self._decoder is not None else 0

    def fit(self, table: TableMap, charsets: Charsets, *, strict: bool = True, least: int = -1) -> None:
        """Make a decoder for rows as this TABLE_MAP describes them. No rows may be gathered.

        Args:
            strict: the columns must be the same; else, where the log tells names, those that it has are enough.
            least: without names, it may have the layout's first columns alone, at least so many; -1: all.

        Raises:
            Mismatch: the layout is not that of the moment.
        """
        columns = self._columns(table, strict, least)
        places = {column.name: index for index, column in enumerate(columns) if column is not None}
        plan = self.table.plan
        wanted = {column.source for column in plan.columns}
        for column, mapped in zip(columns, table.columns, strict=True):
            if column is not None and not fits(mapped, column.type):
                raise Mismatch(f"column {column.name} is of another type in the log than the table is known to have")
        try:
            forms = row_forms(
                table, [column if column is not None and column.name in wanted else None for column in columns]
            )
        except WireError as exc:
            raise Mismatch(exc.message) from exc
        there = [column for column in plan.columns if column.source in places]
        identity = [plan.columns[index] for index in plan.identity]
        lost = [column.source for column in identity if column.source not in places]
        if lost:
            raise Mismatch(f"the log does not hold column {lost[0]}, which rows are told by")
        self._missing = [index for index, column in enumerate(plan.columns) if column.source not in places]
        self._decoder = BinlogRows(
            forms,
            [places[column.source] for column in there],
            [places[column.source] for column in identity],
            default_cells(columns),
        )
        self._charsets = charsets
        self._after_charsets = self._conversions(there, places, table.columns, columns)
        self._before_charsets = self._conversions(identity, places, table.columns, columns)
        self.map = table

    def _columns(self, table: TableMap, strict: bool, least: int) -> Sequence[Column | None]:
        """The layout in the order of the log: by name where the log tells names, else as it is."""
        if table.full:
            known = {column.name: column for column in self.layout}
            names = [column.name or "" for column in table.columns]
            if strict and set(known) != {
                name for name, mapped in zip(names, table.columns, strict=True) if name in known or mapped.visible
            }:
                raise Mismatch("the log holds other columns than the table is known to have")
            return [known.get(name) for name in names]
        if 0 <= least <= len(table.columns) < len(self.layout):
            return self.layout[: len(table.columns)]
        if len(table.columns) != len(self.layout):
            raise Mismatch(
                f"the log holds {len(table.columns)} columns, and the table is known to have {len(self.layout)}"
            )
        return self.layout

    def _conversions(
        self,
        plans: Iterable[ColumnPlan],
        places: dict[str, int],
        mapped: Sequence[MapColumn],
        columns: Sequence[Column | None],
    ) -> list[tuple[int, str]]:
        """By index: the character set of columns whose text is to be converted."""
        found = []
        for index, plan in enumerate(plans):
            place = places[plan.source]
            column, told = columns[place], mapped[place].charset
            if column is None or plan.type.kind not in _CHARACTERS or column.type.kind not in _CHARACTERS:
                continue
            charset = column.charset
            if told is not None and self._charsets is not None and charset:
                charset = self._charsets.name(told)
            if charset not in AS_IS:
                found.append((index, charset))
        return found

    def feed(self, event: Rows, start: int, sequence: int, max_bytes: int) -> int:
        """Append images of an event; see `BinlogRows.feed`."""
        decoder = self._decoder
        if decoder is None:
            raise WireError("rows of a table come before its description", table=str(self.table.source))
        return decoder.feed(
            event.body, start, event.end, event.op, event.present, event.present_after, sequence, max_bytes
        )

    @property
    def size_bytes(self) -> int:
        """Of the cells that are gathered."""
        return self._decoder.size_bytes if self._decoder is not None else 0

    def take(self) -> RowChanges:
        """What is gathered, in UTF-8."""
        if self._decoder is None or self._charsets is None:
            raise ValueError("nothing is gathered")
        changes = take_changes(self._decoder, self.table.source)
        if not (self._after_charsets or self._missing or (changes.before is not None and self._before_charsets)):
            return changes
        after = _converted(changes.after, self._after_charsets, self._charsets)
        before = changes.before
        if before is not None:
            before = _converted(before, self._before_charsets, self._charsets)
        absent = dict(changes.absent)
        for index in self._missing:  # in ascending order, so that each is at its place when its turn comes
            after = _with_nulls(after, index)
            absent = {column + (column >= index): array for column, array in absent.items()}
        for index in self._missing:
            absent[index] = pa.array([True] * changes.count, pa.bool_())
        return RowChanges(changes.table, changes.ops, changes.seqs, after, before, absent, changes.size_bytes)


def _converted(rows: pa.RecordBatch, conversions: Sequence[tuple[int, str]], charsets: Charsets) -> pa.RecordBatch:
    if not conversions:
        return rows
    columns: list[pa.Array[Any]] = list(rows.columns)
    for index, charset in conversions:
        columns[index] = charsets.converted(columns[index], charset)
    return batch_of(columns)


def _with_nulls(rows: pa.RecordBatch, index: int) -> pa.RecordBatch:
    columns: list[pa.Array[Any]] = list(rows.columns)
    columns.insert(index, pa.nulls(rows.num_rows, pa.binary()))
    return batch_of(columns)


class Tables:
    """All tables of a stream, by name."""

    def __init__(self, tables: Iterable[StreamTable]) -> None:
        self._tables: dict[TableId, TableRows] = {}
        for table in tables:
            self.put(table)

    def get(self, schema: str, name: str) -> TableRows | None:
        """The table of that name, if it is one of the stream's."""
        return self._tables.get(TableId(schema, name))

    def put(self, table: StreamTable) -> TableRows:
        """A table is new, or is read otherwise from here on."""
        before = self._tables.get(table.source)
        layout = before.layout if before is not None and before.table.layout == table.layout else ()
        rows = self._tables[table.source] = TableRows(table, layout)
        return rows

    def forget(self, table: TableId) -> None:
        """It is none of the stream's any more."""
        self._tables.pop(table, None)

    def reshape(self, table: TableId, columns: tuple[Column, ...]) -> None:
        """A table has other columns, of which the same are read as before."""
        before = self._tables.get(table)
        if before is not None:
            self._tables[table] = TableRows(before.table, columns)
            self._tables[table].since = before.since

    def all(self) -> list[TableRows]:
        """Every one."""
        return list(self._tables.values())

    def databases(self) -> set[str]:
        """Where they are."""
        return {table.schema for table in self._tables}
