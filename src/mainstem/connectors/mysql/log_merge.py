"""Tables of the engine MERGE: what is written through one is logged under its name, and lies in other tables."""

from __future__ import annotations

from collections.abc import Iterator

from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_tables import TableRows, Tables
from mainstem.connectors.mysql.schema_watch import SchemaWatch
from mainstem.connectors.mysql.wire.tablemap import TableMap
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId

_MERGED = "rows were written by way of {} (ENGINE=MERGE), and in which of its tables they are is not told by the log"


class Merges:
    """Knows which tables lie below others. For one thread at a time.

    A table is looked up once; what makes it another one (ALTER, DROP and CREATE) gives it another number in the log.
    """

    def __init__(self, place: Place, tables: Tables, watch: SchemaWatch) -> None:
        self._place = place
        self._tables = tables
        self._watch = watch
        self._known: dict[TableId, tuple[int, tuple[TableId, ...]]] = {}

    def lost(self, table: TableMap, order: tuple[int, int]) -> SchemaChange | None:
        """For rows of a table that is not of the stream: a table of it that they may have come into, if it is read.

        Args:
            order: where their transaction begins.
        """
        name = TableId(table.schema, table.name)
        known = self._known.get(name)
        if known is None or known[0] != table.table_id:
            known = self._known[name] = table.table_id, self._watch.merged(name)
        for rows in self._read(known[1]):
            since = rows.since
            if since is None or not self._place.is_ours(since) or order >= since.order:
                return _lost(rows, name, "")
        return None

    def _read(self, tables: tuple[TableId, ...]) -> Iterator[TableRows]:
        for table in tables:
            rows = self._tables.get(table.schema, table.name)
            if rows is not None and rows.read:
                yield rows


def emptied(table: TableId, below: tuple[TableId, ...], ours: list[TableRows], text: str) -> list[SchemaChange]:
    """What a TRUNCATE of a table does to those of the stream that lie below it."""
    return [_lost(rows, table, text) for rows in ours if rows.table.source in below]


def _lost(rows: TableRows, by: TableId, text: str) -> SchemaChange:
    reason = _MERGED.format(by)
    return SchemaChange(SchemaChangeKind.LOST, rows.table.source, statement=text, reason=reason)
