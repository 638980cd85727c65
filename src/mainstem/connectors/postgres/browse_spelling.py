"""How PostgreSQL spells what the explorer asks. Pure."""

from __future__ import annotations

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.contract.browse import BrowseColumn, Value
from mainstem.contract.browse_sql import Sql
from mainstem.model.names import TableId
from mainstem.model.types import Kind

_DIALECT = PostgresDialect()
# Their texts have a bound of their own, so that nothing need be cut.
_SHORT = frozenset(
    {Kind.BOOLEAN, Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.UUID, Kind.DATE, Kind.TIME, Kind.TIMESTAMP,
     Kind.INSTANT, Kind.ENUM, Kind.INET}
)  # fmt: skip
# Their order is not that of their text, or there is none.
_NO_ORDER = frozenset({Kind.JSON, Kind.GEOMETRY, Kind.SET})
_TEXTS = frozenset({"text", "character varying", "character", "name", "citext"})


class PostgresSpelling:
    """See `contract.browse_sql.Spelling`.

    Values are sent without a type, so that the server takes each for one of the column's.
    """

    sql_name = "postgres"
    like = "ILIKE"

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return _DIALECT.quote(name).replace("%", "%%")

    def qualified(self, table: TableId) -> str:
        """A table with its schema."""
        return _DIALECT.qualified(table).replace("%", "%%")

    def shown(self, column: BrowseColumn, sql: str) -> str:
        """The text that the server prints. A cast to text would take the blanks off a ``character(n)``."""
        if column.binary:
            return sql
        return f"concat({sql})" if column.base == "character" and not column.nullable else self._text(column, sql)

    def _text(self, column: BrowseColumn, sql: str) -> str:
        if column.base == "character":
            return f"CASE WHEN {sql} IS NOT NULL THEN concat({sql}) END"
        return f"{sql}::text"

    def bound(self, column: BrowseColumn, value: Value) -> Sql:
        """A placeholder."""
        return Sql("%s", (value,))

    def same(self, column: BrowseColumn, sql: str, value: Value) -> Sql:
        """What is shown is compared, which works for every type."""
        if value is None:
            return Sql(f"{sql} IS NULL")
        return Sql(f"{self.shown(column, sql)} = %s", (value,))

    def cut(self, column: BrowseColumn, sql: str, most: int) -> tuple[str, str]:
        """The beginning of a value, and its size."""
        if column.binary:
            size = f"CASE WHEN octet_length({sql}) > {most} THEN octet_length({sql}) END"
            return f"substring({sql} FROM 1 FOR {most})", size
        text = self.shown(column, sql)
        if column.kind in _SHORT:
            return text, "NULL::int"
        # a value of no more bytes has no more characters; only the others are counted
        longer = f"octet_length({text}) > {most} AND char_length({text}) > {most}"
        return f"left({text}, {most})", f"CASE WHEN {longer} THEN octet_length({text}) END"

    def resumable(self, column: BrowseColumn) -> bool:
        """All types with an order, of which the text is exact."""
        return column.kind not in _NO_ORDER and (column.kind is not Kind.TEXT or column.base in _TEXTS)

    def empty_insert(self) -> str:
        """A row of defaults."""
        return " DEFAULT VALUES"
