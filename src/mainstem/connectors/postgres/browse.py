"""The explorer's connection to a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.rows import RowFactory, namedtuple_row, tuple_row

from mainstem.connectors.postgres import browse_objects, browse_overview, browse_summary, client
from mainstem.connectors.postgres.browse_spelling import PostgresSpelling
from mainstem.contract import browse_sql
from mainstem.contract.browse import (
    Browser,
    ObjectInfo,
    ObjectKind,
    Overview,
    Page,
    Relation,
    RowChange,
    RowCount,
    RowQuery,
    Summary,
)
from mainstem.contract.browse_sql import Sql
from mainstem.errors import ConflictError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.shown import ShownCell

_SPELL = PostgresSpelling()
_CANCELLED = "57014"
PAGE_BYTES = 16 * 1024 * 1024


class _LenientText(Loader):
    """Text as text, and bytes where it is none in this encoding (a database of encoding SQL_ASCII)."""

    def load(self, data: Any) -> str | bytes:
        raw = bytes(data)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw


class PostgresBrowser(Browser):
    """See `contract.browse.Browser`. Making one connects."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._limit_s = 0.0
        self._connection = client.connect(settings)
        for name in ("text", "bpchar", "varchar", "name"):
            self._connection.adapters.register_loader(name, _LenientText)
        with client.translating():
            self._connection.execute("SET default_transaction_read_only = on")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def limit(self, seconds: float) -> None:
        """The server's own limit."""
        self._limit_s = seconds
        self.ask(Sql(f"SET statement_timeout = {round(seconds * 1000)}"))

    def ask(self, sql: Sql) -> list[Any]:
        """The rows of a statement, as named tuples."""
        return self._rows(sql, namedtuple_row)

    def values(self, sql: Sql) -> list[Any]:
        """The rows of a statement, whose columns may all have one name."""
        return self._rows(sql, tuple_row)

    def _rows(self, sql: Sql, form: RowFactory[Any]) -> list[Any]:
        try:
            with client.translating(), self._connection.cursor(row_factory=form) as cursor:
                cursor.execute(sql.text.encode(), sql.arguments)
                return cursor.fetchall() if cursor.description else []
        except StatementError as exc:
            raise self._timed(exc) from exc

    def objects(self, schemas: Sequence[str] = (), *, include_system: bool = False) -> list[ObjectInfo]:
        """All that the schemas hold, by four questions."""
        return browse_objects.objects(self.ask, schemas, include_system=include_system)

    def relation(self, id_: TableId) -> Relation:
        """A table or view."""
        return browse_objects.relation(self.ask, id_)

    def definition(self, kind: ObjectKind, id_: TableId, signature: str = "") -> str:
        """What pg_get_…def prints; nothing for tables."""
        return browse_objects.definition(self.ask, kind, id_, signature)

    def page(self, relation: Relation, query: RowQuery) -> Page:
        """Some rows; it ends early when they are more than `PAGE_BYTES`."""
        selection = browse_sql.select(_SPELL, relation, query)
        rows = list[tuple[Any, ...]]()
        size, full = 0, False
        with closing(self._stream(selection.sql)) as found:
            for row in found:
                size += sum(len(value) for value in row if isinstance(value, str | bytes))
                if rows and size > PAGE_BYTES:
                    full = True
                    break
                rows.append(row)
        return browse_sql.paged(selection, rows, query, full=full)

    def rows(self, relation: Relation, query: RowQuery) -> Iterator[tuple[ShownCell, ...]]:
        """All rows, one after the other."""
        selection = browse_sql.select(_SPELL, relation, query)
        with closing(self._stream(selection.sql)) as found:
            for row in found:
                yield browse_sql.shown_cells(row, len(selection.columns))

    def cell(self, relation: Relation, query: RowQuery) -> Iterator[bytes]:
        """The value in pieces, all of one snapshot."""
        self.ask(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield from browse_sql.value_in_pieces(_SPELL, relation, query, self.values)

    def count(self, relation: Relation, query: RowQuery, *, exact: bool) -> RowCount:
        """COUNT(*), or what the planner expects."""
        if exact:
            return RowCount(int(self.ask(browse_sql.count(_SPELL, relation, query))[0][0]), exact=True)
        if not browse_sql.is_filtered(query) and relation.rows_estimate >= 0:
            return RowCount(relation.rows_estimate, exact=False)
        where = browse_sql.conditions(_SPELL, relation, query)
        source = _SPELL.qualified(relation.id)
        plan = self.ask(Sql(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {source} AS t{where.text}", where.arguments))
        return RowCount(int(plan[0][0][0]["Plan"]["Plan Rows"]), exact=False)

    def apply(self, relation: Relation, changes: Sequence[RowChange]) -> None:
        """All of the changes in one transaction."""
        statements = [browse_sql.change(_SPELL, relation, item) for item in changes]
        try:
            with client.translating(), self._connection.transaction():
                self._connection.execute("SET TRANSACTION READ WRITE")
                for item, sql in zip(changes, statements, strict=True):
                    with client.translating(change=item.place):
                        touched = self._connection.execute(sql.text.encode(), sql.arguments).rowcount
                    if touched != 1:
                        raise self._conflict(relation, item)
        except StatementError as exc:
            raise self._timed(exc) from exc

    def preview(self, relation: Relation, changes: Sequence[RowChange]) -> list[str]:
        """The statements with their values in them."""
        cursor = psycopg.ClientCursor(self._connection)
        made = (browse_sql.change(_SPELL, relation, item) for item in changes)
        return [cursor.mogrify(sql.text.encode(), sql.arguments) for sql in made]

    def summary(self, relation: Relation, sample_rows: int) -> Summary:
        """Figures per column."""
        return browse_summary.summary(self.values, relation, sample_rows)

    def overview(self) -> Overview:
        """The database at a glance."""
        return browse_overview.overview(self.ask)

    def _stream(self, sql: Sql) -> Generator[tuple[Any, ...]]:
        try:
            with client.translating(), self._connection.cursor() as cursor:
                yield from cursor.stream(sql.text.encode(), sql.arguments)
        except StatementError as exc:
            raise self._timed(exc) from exc

    def _conflict(self, relation: Relation, item: RowChange) -> ConflictError:
        found = self.values(browse_sql.compare(_SPELL, relation, item)) if item.key else []
        return browse_sql.conflict(item, found[0] if found else None)

    def _timed(self, error: StatementError) -> StatementError:
        if error.where.get("sqlstate") != _CANCELLED or not self._limit_s:
            return error
        return browse_sql.too_slow(self._limit_s)
