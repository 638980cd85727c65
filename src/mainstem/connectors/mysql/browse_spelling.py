"""How MySQL and MariaDB spell what the explorer asks. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.contract.browse import BrowseColumn, Value
from mainstem.contract.browse_sql import Sql
from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.types import Kind

_DIALECT = MysqlDialect()
_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.YEAR, Kind.BOOLEAN})
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LONG = frozenset({Kind.TEXT, Kind.JSON, Kind.SET, Kind.BINARY, Kind.GEOMETRY})
# In the order of their text, which is exact: labels are sorted by their number, and a FLOAT is printed rounded.
_RESUMABLE = frozenset(
    {Kind.INTEGER, Kind.DECIMAL, Kind.YEAR, Kind.TEXT, Kind.UUID, Kind.INET, Kind.BINARY, Kind.BITS, Kind.DATE,
     Kind.INTERVAL, Kind.TIMESTAMP, Kind.INSTANT}
)  # fmt: skip


class MysqlSpelling:
    """See `contract.browse_sql.Spelling`.

    Numbers are written as numbers: compared with a text, both sides would become floating-point numbers, which have
    fewer digits than a BIGINT. Bytes are written in hex, so that a statement can be shown.
    """

    sql_name = "mysql"
    like = "LIKE"

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return _DIALECT.quote(name).replace("%", "%%")

    def qualified(self, table: TableId) -> str:
        """A table with its database."""
        return _DIALECT.qualified(table).replace("%", "%%")

    def shown(self, column: BrowseColumn, sql: str) -> str:
        """The text that the server prints; of a BIT its digits."""
        if column.binary:
            return f"CAST({sql} AS BINARY)"
        if column.kind is Kind.BITS:
            return f"LPAD(BIN({sql} + 0), {column.length or 1}, '0')"
        return f"CONVERT({sql} USING utf8mb4)"

    def bound(self, column: BrowseColumn, value: Value) -> Sql:
        """A number, bits, bytes in hex, or a text."""
        if isinstance(value, bytes):
            return Sql("UNHEX(%s)", (value.hex().upper(),))
        if value is not None and column.kind is Kind.BITS:
            if not value or value.strip("01"):
                raise _unfit(column, "is not made of the digits 0 and 1")
            return Sql("%s", (int(value, 2),))
        if value is not None and column.kind in _NUMBERS:
            if not _NUMBER.fullmatch(value):
                raise _unfit(column, "is not a number")
            return Sql("%s", (int(value) if value.lstrip("+-").isdigit() else Decimal(value),))
        return Sql("%s", (value,))

    def same(self, column: BrowseColumn, sql: str, value: Value) -> Sql:
        """What is shown is compared byte by byte: collations take more than that for equal."""
        if value is None:
            return Sql(f"{sql} IS NULL")
        if isinstance(value, bytes):
            return Sql(f"CAST({sql} AS BINARY) = UNHEX(%s)", (value.hex().upper(),))
        return Sql(f"CAST({self.shown(column, sql)} AS BINARY) = CAST(%s AS BINARY)", (value,))

    def cut(self, column: BrowseColumn, sql: str, most: int) -> tuple[str, str]:
        """The beginning of a value, and its size."""
        if column.kind not in _LONG:
            return (self.shown(column, sql) if column.kind is Kind.BITS else sql), "NULL"
        text = f"CAST({sql} AS BINARY)" if column.kind is Kind.GEOMETRY else sql
        length = "OCTET_LENGTH" if column.binary else "CHAR_LENGTH"
        return f"LEFT({text}, {most})", f"IF({length}({text}) > {most}, OCTET_LENGTH({text}), NULL)"

    def resumable(self, column: BrowseColumn) -> bool:
        """See `_RESUMABLE`."""
        return column.kind in _RESUMABLE

    def empty_insert(self) -> str:
        """A row of defaults."""
        return " () VALUES ()"


def _unfit(column: BrowseColumn, told: str) -> InvalidError:
    return InvalidError(
        f"{column.name}: the value {told}",
        fields={column.name: told},
        remedy=f"give a value that {column.type} can hold",
    )
