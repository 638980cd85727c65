"""The clustered key of a table, and how values of its columns become literals and numbers.

Source: MySQL manual, "Clustered and Secondary Indexes", "SHOW INDEX Statement".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.model.names import TableId

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_DIALECT = MysqlDialect()
_TYPES = (
    "SELECT column_name, data_type, COALESCE(numeric_scale, datetime_precision, 0) FROM information_schema.columns"
    " WHERE table_schema = %s AND table_name = %s"
)
_FIRST_DAY = datetime(1, 1, 1)
_MICROSECOND_DIGITS = 6
_BINARY_BYTES = 8  # as many as take part in cutting; longer keys are cut by their first bytes


@dataclass(frozen=True, slots=True)
class Numbers:
    """Key values as integers in the same order, so that a range of them can be halved without reading rows.

    Attributes:
        ask: SQL around MIN and MAX; ``read`` takes its text, and gives None for a value that is no such number.
        exact: each integer is one value of the column (and not all that begin alike).
    """

    ask: str
    read: Callable[[str], int | None]
    write: Callable[[int], str]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of a key.

    Attributes:
        literal: SQL that makes a literal of the value; ``{}`` is the quoted column. A string compared with a column
            takes the column's collation, so that ranges follow the index's own order.
        numbers: None where values have no order that is known here (text), or too few digits to gain by it.
    """

    name: str
    literal: str
    numbers: Numbers | None = None

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return _DIALECT.quote(self.name)


@dataclass(frozen=True, slots=True)
class Key:
    """An index, and its first columns as far as a table can be cut by them."""

    index: str
    columns: tuple[KeyColumn, ...]


def _moments(unit: timedelta, write: Callable[[datetime], str]) -> Numbers:
    """Steps of the column's own precision: a finer literal would be rounded. A zero date is no number."""

    def read(text: str) -> int | None:
        try:
            return (datetime.fromisoformat(text) - _FIRST_DAY) // unit
        except ValueError:
            return None

    return Numbers("CAST({} AS CHAR)", read, lambda number: f"'{write(_FIRST_DAY + unit * number)}'")


def _read_bytes(text: str) -> int:
    return int(text[: 2 * _BINARY_BYTES].ljust(2 * _BINARY_BYTES, "0"), 16)


def _decimals(scale: int) -> Numbers:
    return Numbers(
        "CAST({} AS CHAR)",
        lambda text: int(Decimal(text).scaleb(scale)),
        lambda number: format(Decimal(number).scaleb(-scale), "f"),
    )


_INTEGERS = Numbers("{}", int, str)
_DAYS = _moments(timedelta(days=1), lambda moment: moment.date().isoformat())
_BYTES = Numbers("HEX({})", _read_bytes, lambda number: f"_binary 0x{number:0{2 * _BINARY_BYTES}X}", exact=False)
_AS_NUMBER, _AS_STRING = "CAST({} AS CHAR)", "QUOTE(CAST({} AS CHAR))"
# X'…' may be empty, as a key may; 0x alone is no literal.
_AS_TEXT, _AS_BYTES = "CONCAT('_', CHARSET({0}), ' X''', HEX({0}), '''')", "CONCAT('_binary X''', HEX({}), '''')"
# Left out: float and double, whose text is not their value; enum and set, which are compared as text and ordered as
# numbers. A year's numbers up to 99 would be read as years of this century and the last.
_COLUMNS: dict[str, tuple[str, Numbers | None]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), (_AS_NUMBER, _INTEGERS)),
    **dict.fromkeys(("char", "varchar"), (_AS_TEXT, None)),
    **dict.fromkeys(("binary", "varbinary"), (_AS_BYTES, _BYTES)),
    **dict.fromkeys(("year", "time", "uuid", "inet4", "inet6"), (_AS_STRING, None)),
    "date": (_AS_STRING, _DAYS),
    "bit": ("CAST({} + 0 AS CHAR)", None),
}


def clustered_key(cursor: Cursor, table: TableId) -> Key | None:
    """The index that the rows lie in: the primary key, or the first unique one without nulls. None: there is none."""
    cursor.execute(f"SHOW INDEX FROM {_DIALECT.qualified(table)}")
    names = [column[0].lower() for column in cursor.description or ()]
    lines = [dict(zip(names, line, strict=True)) for line in cursor.fetchall()]
    unusable = {line["key_name"] for line in lines if not _may_cluster(line)}
    index = next((line["key_name"] for line in lines if line["key_name"] not in unusable), None)
    if index is None:
        return None
    cursor.execute(_TYPES, (table.schema, table.name))
    types = {str(name): (str(type_).lower(), int(digits)) for name, type_, digits in cursor.fetchall()}
    own = [line for line in lines if line["key_name"] == index]
    # What an index can be read in the order of: whole columns, all in one direction.
    cut = takewhile(lambda line: line["sub_part"] is None and line["collation"] == own[0]["collation"], own)
    columns = takewhile(lambda column: column is not None, (_column(line["column_name"], types) for line in cut))
    usable = tuple(column for column in columns if column is not None)
    return Key(str(index), usable) if usable else None


def _may_cluster(line: dict[str, object]) -> bool:
    hidden = line.get("visible") == "NO" or line.get("ignored") == "YES"
    plain = line["index_type"] == "BTREE" and line["column_name"] is not None
    return plain and not hidden and str(line["non_unique"]) == "0" and line["null"] != "YES"


def _column(name: str, types: dict[str, tuple[str, int]]) -> KeyColumn | None:
    type_, digits = types.get(name, ("", 0))
    if type_ == "decimal":
        return KeyColumn(name, _AS_NUMBER, _decimals(digits))
    if type_ in ("datetime", "timestamp"):
        unit = timedelta(microseconds=10 ** (_MICROSECOND_DIGITS - digits))
        return KeyColumn(name, _AS_STRING, _moments(unit, lambda moment: moment.isoformat(" ")))
    literal, numbers = _COLUMNS.get(type_, ("", None))
    return KeyColumn(name, literal, numbers) if literal else None
