"""TABLE_MAP: which columns the images of the following row events have.

Source: MySQL source documentation, "Table_map_event"; MariaDB documentation, "TABLE_MAP_EVENT".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mainstem.connectors.mysql.wire.codes import ColumnType
from mainstem.connectors.mysql.wire.cursor import Cursor, text
from mainstem.errors import WireError

T = ColumnType
_PREFIXED = (T.BLOB, T.TINY_BLOB, T.MEDIUM_BLOB, T.LONG_BLOB, T.BLOB_COMPRESSED, T.JSON, T.GEOMETRY, T.VECTOR)
_METADATA_BYTES: dict[int, int] = {
    **dict.fromkeys((*_PREFIXED, T.FLOAT, T.DOUBLE, T.TIMESTAMP2, T.DATETIME2, T.TIME2), 1),
    **dict.fromkeys((T.VARCHAR, T.VARCHAR_COMPRESSED, T.BIT, T.NEWDECIMAL, T.STRING, T.VAR_STRING, T.ENUM, T.SET), 2),
}
_KNOWN = frozenset(int(member) for member in T)
_NUMERIC = {
    *(T.TINY, T.SHORT, T.INT24, T.LONG, T.LONGLONG, T.NEWDECIMAL, T.FLOAT, T.DOUBLE, T.YEAR, T.DECIMAL),
}
_CHARACTER = {
    *(T.STRING, T.VAR_STRING, T.VARCHAR, T.VARCHAR_COMPRESSED),
    *(T.BLOB, T.TINY_BLOB, T.MEDIUM_BLOB, T.LONG_BLOB, T.BLOB_COMPRESSED),
}
_LABELLED = {T.ENUM, T.SET}
_MAX_COLUMNS = 4096
_LENGTHS: dict[int, Sequence[int]] = {
    **dict.fromkeys(_PREFIXED, range(1, 5)),
    T.FLOAT: (4,),
    T.DOUBLE: (8,),
    T.ENUM: (1, 2),
    T.SET: range(1, 9),
}


@dataclass(frozen=True, slots=True)
class MapColumn:
    """A column as a TABLE_MAP describes it. What only full metadata tell is None where they are not there.

    Attributes:
        type: of `ColumnType`; that of an ENUM or SET, not the STRING that carries it.
        length: by type: VARCHAR, STRING: most bytes; BIT: bits; NEWDECIMAL: digits; ENUM, SET: bytes of the number;
            FLOAT, DOUBLE: bytes; BLOB, JSON, GEOMETRY, VECTOR: bytes of the length in front of a value.
        scale: NEWDECIMAL: digits behind the point; times: digits of fractional seconds.
        charset: collation id of text, ENUM and SET; 63 is binary.
        members: labels of an ENUM or SET, in UTF-8 or the column's character set, as the server has written them.
        visible: False of an invisible column.
        dimensions: of a VECTOR.
    """

    type: int
    length: int = 0
    scale: int = 0
    nullable: bool = True
    unsigned: bool | None = None
    charset: int | None = None
    name: str | None = None
    members: tuple[bytes, ...] | None = None
    geometry: int | None = None
    visible: bool | None = None
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class TableMap:
    """A table at one point of the log.

    Attributes:
        primary_key: index of each column, and bytes of it that count (0: all); None where full metadata are not there,
            and of a table without.
    """

    table_id: int
    flags: int
    schema: str
    name: str
    columns: tuple[MapColumn, ...] = field(repr=False)
    primary_key: tuple[tuple[int, int], ...] | None = None

    @property
    def full(self) -> bool:
        """Whether it was written with ``binlog_row_metadata=FULL``: columns have names."""
        return bool(self.columns) and self.columns[0].name is not None


def _string(column_type: int, meta: bytes) -> MapColumn:
    """CHAR and BINARY; ENUM and SET hide behind the same type. Lengths above 255 have two bits in the first byte."""
    first, second = meta
    if not first:
        first = column_type
    if first & 0x30 != 0x30:
        return MapColumn(first | 0x30, second | (first & 0x30 ^ 0x30) << 4)
    return MapColumn(first, second)


def _plain(column_type: int, meta: bytes) -> MapColumn:
    return MapColumn(column_type, int.from_bytes(meta, "little"))


def _fractional(column_type: int, meta: bytes) -> MapColumn:
    if meta[0] > 6:
        raise WireError("a table map has a time with more than six digits behind the point")
    return MapColumn(column_type, scale=meta[0])


def _decimal(column_type: int, meta: bytes) -> MapColumn:
    if not 1 <= meta[0] <= 65 or meta[1] > 30 or meta[1] > meta[0]:
        raise WireError("a table map has a DECIMAL of impossible size")
    return MapColumn(column_type, meta[0], meta[1])


def _bits(column_type: int, meta: bytes) -> MapColumn:
    bits = meta[1] * 8 + meta[0]
    if meta[0] > 7 or not 1 <= bits <= 64:
        raise WireError("a table map has a BIT of impossible size")
    return MapColumn(column_type, bits)


_READ: dict[int, Callable[[int, bytes], MapColumn]] = {
    T.STRING: _string,
    T.VAR_STRING: _string,
    T.ENUM: _string,
    T.SET: _string,
    T.TIMESTAMP2: _fractional,
    T.DATETIME2: _fractional,
    T.TIME2: _fractional,
    T.NEWDECIMAL: _decimal,
    T.BIT: _bits,
}


def parse(data: bytes | memoryview, table_id_bytes: int = 6, *, mariadb: bool = False) -> TableMap:
    """Read the body of a TABLE_MAP, without header and checksum.

    Args:
        mariadb: which has GEOMETRY among the columns that it tells character sets of.

    Raises:
        WireError: bytes that break the format, or a column type that is not known.
    """
    cursor = Cursor(data)
    table_id, flags = cursor.integer(table_id_bytes), cursor.integer(2)
    schema, name = _name(cursor), _name(cursor)
    count = cursor.lenenc()
    if not 1 <= count <= _MAX_COLUMNS:
        raise WireError("a table map has an impossible number of columns", table=f"{schema}.{name}")
    types = cursor.take(count)
    metadata = Cursor(cursor.lenenc_bytes())
    columns = [_column(column_type, metadata) for column_type in types]
    if metadata.left:
        raise WireError("a table map has more metadata than columns", table=f"{schema}.{name}")
    nulls = cursor.take((count + 7) // 8)
    columns = [
        replace(column, nullable=bool(nulls[index >> 3] >> (index & 7) & 1)) for index, column in enumerate(columns)
    ]
    reader = _Optional(columns, _CHARACTER | {T.GEOMETRY} if mariadb else _CHARACTER)
    while cursor.left:
        kind = cursor.integer(1)
        reader.read(kind, Cursor(cursor.lenenc_bytes()))
    return TableMap(table_id, flags, schema, name, reader.columns(), reader.primary_key)


def _name(cursor: Cursor) -> str:
    """A name with its length in front and a zero byte behind."""
    name = cursor.short_text()
    if cursor.integer(1) != 0:
        raise WireError("a name in a table map has no zero byte behind it")
    return name


def _column(column_type: int, metadata: Cursor) -> MapColumn:
    if column_type not in _KNOWN:
        raise WireError(f"a table map has a column of type {column_type}, which is not known")
    if column_type == T.TYPED_ARRAY:
        raise WireError("a table map has a typed array, which no table has")
    meta = metadata.take(_METADATA_BYTES.get(column_type, 0))
    column = _READ.get(column_type, _plain)(column_type, meta)
    if column.type not in _KNOWN:
        raise WireError(f"a table map has a column of type {column.type}, which is not known")
    if column.length not in _LENGTHS.get(column.type, (column.length,)):
        raise WireError(f"a table map has a {T(column.type).name} of impossible size")
    return column


class _Optional:
    """Optional metadata: fields of type, length, value, each about some of the columns."""

    def __init__(self, columns: list[MapColumn], character: set[ColumnType]) -> None:
        self._columns = columns
        self.character = character
        self._found: list[dict[str, object]] = [{} for _ in columns]
        self.primary_key: tuple[tuple[int, int], ...] | None = None

    def columns(self) -> tuple[MapColumn, ...]:
        """With all that was read."""
        return tuple(
            replace(column, **found) if found else column  # type: ignore[arg-type]
            for column, found in zip(self._columns, self._found, strict=True)
        )

    def read(self, kind: int, value: Cursor) -> None:
        """Read one field; one of a kind that is not known says nothing that is needed, and its length is told."""
        reader = _FIELDS.get(kind)
        if reader is None:
            return
        reader(self, value)
        if value.left:
            raise WireError("optional metadata of a table map have bytes after their end")

    def _of(self, types: set[ColumnType]) -> list[int]:
        return [index for index, column in enumerate(self._columns) if column.type in types]

    def _bits(self, value: Cursor, indexes: list[int], name: str) -> None:
        bits = value.take((len(indexes) + 7) // 8)
        for number, index in enumerate(indexes):
            self._found[index][name] = bool(bits[number >> 3] << (number & 7) & 0x80)

    def signedness(self, value: Cursor) -> None:
        self._bits(value, self._of(_NUMERIC), "unsigned")

    def visibility(self, value: Cursor) -> None:
        self._bits(value, list(range(len(self._columns))), "visible")

    def default_charset(self, value: Cursor, types: set[ColumnType]) -> None:
        default, indexes = value.lenenc(), self._of(types)
        for index in indexes:
            self._found[index]["charset"] = default
        while value.left:
            number, charset = value.lenenc(), value.lenenc()
            if number >= len(indexes):
                raise WireError("a table map tells the character set of a column that it does not have")
            self._found[indexes[number]]["charset"] = charset

    def each(self, value: Cursor, indexes: list[int], name: str, read: Callable[[Cursor], object]) -> None:
        for index in indexes:
            self._found[index][name] = read(value)

    def key(self, value: Cursor, prefixes: bool) -> None:
        parts = []
        while value.left:
            parts.append((value.lenenc(), value.lenenc() if prefixes else 0))
        if any(index >= len(self._columns) for index, _ in parts):
            raise WireError("a table map has a key on a column that it does not have")
        self.primary_key = tuple(parts)


def _labels(value: Cursor) -> tuple[bytes, ...]:
    count = value.lenenc()
    if count > value.left:
        raise WireError("an event ends before its last field")
    return tuple(value.lenenc_bytes() for _ in range(count))


_Reader = Callable[[_Optional, Cursor], None]
_FIELDS: dict[int, _Reader] = {
    1: _Optional.signedness,
    2: lambda self, value: self.default_charset(value, self.character),
    3: lambda self, value: self.each(value, self._of(self.character), "charset", Cursor.lenenc),
    4: lambda self, value: self.each(
        value, list(range(len(self._columns))), "name", lambda cursor: text(cursor.lenenc_bytes())
    ),
    5: lambda self, value: self.each(value, self._of({T.SET}), "members", _labels),
    6: lambda self, value: self.each(value, self._of({T.ENUM}), "members", _labels),
    7: lambda self, value: self.each(value, self._of({T.GEOMETRY}), "geometry", Cursor.lenenc),
    8: lambda self, value: self.key(value, prefixes=False),
    9: lambda self, value: self.key(value, prefixes=True),
    10: lambda self, value: self.default_charset(value, _LABELLED),
    11: lambda self, value: self.each(value, self._of(_LABELLED), "charset", Cursor.lenenc),
    12: _Optional.visibility,
    13: lambda self, value: self.each(value, self._of({T.VECTOR}), "dimensions", Cursor.lenenc),
}
