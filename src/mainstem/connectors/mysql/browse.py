"""The explorer's connection to a MySQL or MariaDB database."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from pymysql import converters
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor, SSCursor

from mainstem.connectors.mysql import browse_objects, browse_overview, browse_summary, client
from mainstem.connectors.mysql.browse_spelling import MysqlSpelling
from mainstem.connectors.mysql.session import SQL_MODE
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
from mainstem.contract.browse_sql import Selection, Sql
from mainstem.errors import ConflictError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.shown import ShownCell

_SPELL = MysqlSpelling()
_TOO_LONG = {1969, 3024}
PAGE_BYTES = 16 * 1024 * 1024
# Values are taken as the server prints them: the driver's own types hold neither all dates nor all times.
_ENCODERS = {kind: make for kind, make in converters.conversions.items() if not isinstance(kind, int)}


class MysqlBrowser(Browser):
    """See `contract.browse.Browser`. Making one connects."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._limit_s = 0.0
        self._connection: Any = client.connect(
            settings, use_unicode=False, conv=_ENCODERS, client_flag=CLIENT.FOUND_ROWS
        )
        self._mariadb = client.flavor(self._connection) == "mariadb"
        self.ask(Sql(f"SET sql_mode = '{SQL_MODE}'"))
        self.ask(Sql("SET SESSION TRANSACTION READ ONLY"))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # closing what has gone already
            self._connection.close()

    def limit(self, seconds: float) -> None:
        """The server's own limit; MySQL's is one for SELECT."""
        self._limit_s = seconds
        variable = (
            f"max_statement_time = {seconds:g}" if self._mariadb else f"max_execution_time = {seconds * 1000:.0f}"
        )
        self.ask(Sql(f"SET {variable}"))

    def ask(self, sql: Sql) -> list[tuple[Any, ...]]:
        """The rows of a statement, their values as text."""
        return [tuple(_text(value) for value in row) for row in self._raw(sql)]

    def _raw(self, sql: Sql) -> list[tuple[Any, ...]]:
        try:
            with client.translating(), self._connection.cursor(Cursor) as cursor:
                cursor.execute(sql.text, sql.arguments)
                return list(cursor.fetchall())
        except StatementError as exc:
            raise self._timed(exc) from exc

    def objects(self, schemas: Sequence[str] = (), *, include_system: bool = False) -> list[ObjectInfo]:
        """All that the database holds, by three questions."""
        return browse_objects.objects(self.ask)

    def relation(self, id_: TableId) -> Relation:
        """A table or view."""
        return browse_objects.relation(self.ask, id_)

    def definition(self, kind: ObjectKind, id_: TableId, signature: str = "") -> str:
        """What SHOW CREATE prints."""
        return browse_objects.definition(self.ask, kind, id_)

    def page(self, relation: Relation, query: RowQuery) -> Page:
        """Some rows; it ends early when they are more than `PAGE_BYTES`."""
        selection = browse_sql.select(_SPELL, relation, query)
        rows = list[tuple[Any, ...]]()
        size, full = 0, False
        for row in self._stream(selection.sql):
            size += sum(len(value) for value in row if value is not None)
            if rows and size > PAGE_BYTES:
                full = True
                break
            rows.append(_decoded(selection, row))
        return browse_sql.paged(selection, rows, query, full=full)

    def rows(self, relation: Relation, query: RowQuery) -> Iterator[tuple[ShownCell, ...]]:
        """All rows, one after the other."""
        selection = browse_sql.select(_SPELL, relation, query)
        for row in self._stream(selection.sql):
            yield browse_sql.shown_cells(_decoded(selection, row), len(selection.columns))

    def cell(self, relation: Relation, query: RowQuery) -> Iterator[bytes]:
        """The value in pieces, all of one snapshot."""
        self.ask(Sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"))
        yield from browse_sql.value_in_pieces(_SPELL, relation, query, self._raw)

    def count(self, relation: Relation, query: RowQuery, *, exact: bool) -> RowCount:
        """COUNT(*), or what the optimizer expects."""
        if exact:
            return RowCount(int(self.ask(browse_sql.count(_SPELL, relation, query))[0][0]), exact=True)
        if not browse_sql.is_filtered(query) and relation.rows_estimate >= 0:
            return RowCount(relation.rows_estimate, exact=False)
        where = browse_sql.conditions(_SPELL, relation, query)
        plan = self.ask(Sql(f"EXPLAIN SELECT 1 FROM {_SPELL.qualified(relation.id)} AS t{where.text}", where.arguments))
        found = [row[-3 if not self._mariadb else -2] for row in plan]
        return RowCount(max((int(rows) for rows in found if rows and rows.isdigit()), default=0), exact=False)

    def apply(self, relation: Relation, changes: Sequence[RowChange]) -> None:
        """All of the changes in one transaction."""
        statements = [browse_sql.change(_SPELL, relation, item) for item in changes]
        self.ask(Sql("START TRANSACTION READ WRITE"))
        try:
            for item, sql in zip(changes, statements, strict=True):
                with client.translating(change=item.place), self._connection.cursor(Cursor) as cursor:
                    touched = cursor.execute(sql.text, sql.arguments)
                if touched != 1:
                    raise self._conflict(relation, item)
            with client.translating():
                self._connection.commit()
        except StatementError as exc:
            raise self._timed(exc) from exc
        finally:
            with suppress(Exception):  # a lost connection has no transaction left
                self._connection.rollback()

    def preview(self, relation: Relation, changes: Sequence[RowChange]) -> list[str]:
        """The statements with their values in them."""
        with self._connection.cursor(Cursor) as cursor:
            made = (browse_sql.change(_SPELL, relation, item) for item in changes)
            return [str(cursor.mogrify(sql.text, sql.arguments)) for sql in made]

    def summary(self, relation: Relation, sample_rows: int) -> Summary:
        """Figures per column."""
        return browse_summary.summary(self.ask, relation, sample_rows)

    def overview(self) -> Overview:
        """The database at a glance."""
        return browse_overview.overview(self.ask, mariadb=self._mariadb)

    def _stream(self, sql: Sql) -> Generator[tuple[Any, ...]]:
        cursor = self._connection.cursor(SSCursor)
        whole = False
        try:
            with client.translating():
                cursor.execute(sql.text, sql.arguments)
                while row := cursor.fetchone():
                    yield row
            whole = True
        except StatementError as exc:
            raise self._timed(exc) from exc
        finally:
            if not whole:  # the rest of the rows would have to be read before anything else
                self._connection._force_close()

    def _conflict(self, relation: Relation, item: RowChange) -> ConflictError:
        found = self.ask(browse_sql.compare(_SPELL, relation, item)) if item.key else []
        return browse_sql.conflict(item, [value == "1" for value in found[0]] if found else None)

    def _timed(self, error: StatementError) -> StatementError:
        if error.where.get("error") not in _TOO_LONG or not self._limit_s:
            return error
        return browse_sql.too_slow(self._limit_s)


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _decoded(selection: Selection, row: Sequence[Any]) -> tuple[Any, ...]:
    """Text where it is text; what is none in UTF-8 stays bytes."""
    ordered = {column.name: column for column in selection.columns}
    columns = [column for column in selection.columns for _ in range(2)]
    binary = [column.binary and number % 2 == 0 for number, column in enumerate(columns)]
    binary += [by.column in ordered and ordered[by.column].binary for by in selection.order if selection.resumable]
    return tuple(value if keep else _lenient(value) for value, keep in zip(row, binary, strict=True))


def _lenient(value: bytes | None) -> str | bytes | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
