"""How the columns of a TABLE_MAP are decoded: its types, with what only the schema of that moment tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mainstem.connectors.mysql.wire.codes import ColumnType as T
from mainstem.connectors.mysql.wire.tablemap import MapColumn, TableMap
from mainstem.errors import WireError
from mainstem.model.schema import Column, DefaultKind
from mainstem.model.types import Kind, LogicalType
from mainstem.native.ops import BinlogForm, BinlogOp

_UTF8_COLLATIONS = frozenset({
    *(11, 33, 45, 46, 63, 65, 76, 83, 223),  # ascii, binary, utf8mb3, utf8mb4
    *range(192, 216), *range(224, 248), *range(255, 324), *range(576, 579), *range(608, 611),
    *range(2048, 2560),  # of Unicode 14, in MariaDB
})  # fmt: skip
_PERIOD, _PERIOD_TYPES = ["row_start", "row_end"], (T.TIMESTAMP2, T.LONGLONG)
_NO_PAD, _UCA_1400 = 1024, 2048  # MariaDB counts collations that do not pad from here on
_PLAIN_DEFAULTS = {Kind.INTEGER, Kind.ENUM, Kind.DATE}
_INTEGER_BYTES = {T.TINY: 1, T.SHORT: 2, T.INT24: 3, T.LONG: 4, T.LONGLONG: 8}
_UUID_BYTES, _INET4_BYTES, _INET6_BYTES = 16, 4, 16


class Described(Protocol):
    """A column of the schema: `model.schema.Column`, `model.plan.ColumnPlan`."""

    @property
    def type(self) -> LogicalType:
        """What its cells are."""
        ...

    @property
    def native(self) -> str:
        """The server's own type text."""
        ...


def row_forms(table: TableMap, columns: Sequence[Described | None]) -> tuple[BinlogForm, ...]:
    """The forms of all columns, for `native.binlogrows.BinlogRows`.

    Args:
        columns: in the table's order; None for one that is not wanted, whose values are passed over.
    Raises:
        WireError: the log's columns are others than these: ``column`` tells which. The schema is not that of the
            moment.
    """
    if len(columns) != len(table.columns):
        raise WireError(
            f"the log has {len(table.columns)} columns of a table, its schema {len(columns)}",
            table=f"{table.schema}.{table.name}",
        )
    _refuse_history(table, columns)
    return tuple(
        _unwanted(mapped) if column is None else _form(table, index, mapped, column)
        for index, (mapped, column) in enumerate(zip(table.columns, columns, strict=True))
    )


def _refuse_history(table: TableMap, columns: Sequence[Described | None]) -> None:
    """MariaDB logs rows of a system-versioned table's past like others, and a DELETE as an UPDATE of its hidden end."""
    hidden = [column.name for column, wanted in zip(table.columns, columns, strict=True) if wanted is None]
    ends = table.columns[-2:]
    if hidden[-2:] != _PERIOD or [column.name for column in ends] != _PERIOD:
        return
    if not any(column.nullable for column in ends) and all(column.type in _PERIOD_TYPES for column in ends):
        raise WireError(
            "the log holds the history of a system-versioned table as if its rows were like others",
            remedy="leave the table out, or ALTER TABLE … DROP SYSTEM VERSIONING and copy it again",
            table=f"{table.schema}.{table.name}",
        )


def default_cells(columns: Sequence[Column | None]) -> dict[int, bytes | None]:
    """The cells of columns that an INSERT did not name, as far as their defaults are as good as written in the log.

    For `BinlogRows`, by index: the NULL of a column without a default, and literals whose text is the cell.
    """
    cells: dict[int, bytes | None] = {}
    for index, column in enumerate(columns):
        if column is None or column.generated is not None:
            continue
        if column.default is None:
            if column.nullable:
                cells[index] = None
        elif column.default.kind is DefaultKind.LITERAL and column.type.kind in _PLAIN_DEFAULTS:
            cells[index] = column.default.text.encode()
    return cells


def fits(mapped: MapColumn, type_: LogicalType) -> bool:
    """Whether values of a column of the log can be those of a column of this type."""
    check = _FITS.get(mapped.type)
    return check is not None and check(mapped, type_)


def _form(table: TableMap, index: int, mapped: MapColumn, column: Described) -> BinlogForm:
    if not fits(mapped, column.type):
        raise WireError(
            f"a column is {T(mapped.type).name} in the log, which is not {column.native or column.type.kind.value}",
            table=f"{table.schema}.{table.name}",
            column=mapped.name or index + 1,
        )
    return _FORMS[mapped.type](mapped, column)


def _unwanted(mapped: MapColumn) -> BinlogForm:
    """The form of a column of which nothing but the size matters."""
    if mapped.type in (T.ENUM, T.SET):
        return BinlogForm(BinlogOp.UINT, mapped.length)
    if mapped.type in _PREFIXED or mapped.type in (T.VARCHAR, T.VAR_STRING, T.STRING, T.VARCHAR_COMPRESSED):
        return BinlogForm(BinlogOp.BYTES, _prefix(mapped))
    make = _FORMS.get(mapped.type)
    if make is None:
        raise WireError(f"a column is {T(mapped.type).name} in the log, whose size is not known", column=mapped.name)
    return make(mapped, None)


def _prefix(mapped: MapColumn) -> int:
    """Bytes of the length in front of a value."""
    if mapped.type in _PREFIXED:
        return mapped.length
    return 1 if mapped.length < 256 else 2


def _integer(mapped: MapColumn, column: Described | None) -> BinlogForm:
    unsigned = mapped.unsigned
    if unsigned is None:
        unsigned = column is not None and column.type.unsigned
    return BinlogForm(BinlogOp.UINT if unsigned else BinlogOp.INT, _INTEGER_BYTES[T(mapped.type)])


def _string(mapped: MapColumn, column: Described | None) -> BinlogForm:
    kind = column.type.kind if column is not None else Kind.BINARY
    if kind is Kind.UUID:
        return BinlogForm(BinlogOp.UUID, _prefix(mapped), int("old" in (column.native if column else "")))
    if kind is Kind.INET:
        return BinlogForm(BinlogOp.INET4 if mapped.length == _INET4_BYTES else BinlogOp.INET6, _prefix(mapped))
    if kind is Kind.BINARY and column is not None and column.native.lower().startswith("binary"):
        return BinlogForm(BinlogOp.PADDED, _prefix(mapped), mapped.length)
    return BinlogForm(BinlogOp.BYTES, _prefix(mapped))


def in_utf8(collation: int) -> bool:
    """Whether text of a collation, by its number, can be taken for UTF-8: it is that, ASCII, or bytes."""
    padded = collation - _NO_PAD if _NO_PAD < collation < _UCA_1400 else collation
    return padded in _UTF8_COLLATIONS


def _labels(mapped: MapColumn, column: Described | None) -> tuple[bytes, ...]:
    """The labels of the event itself where they are in UTF-8, else those of the schema; as many there must be."""
    own = mapped.members
    known = tuple(member.encode() for member in column.type.members) if column is not None else ()
    if own is not None and (mapped.charset is None or in_utf8(mapped.charset)):
        return own
    if own is not None and known and len(own) != len(known):
        raise WireError("an ENUM or SET has other labels in the log than in its schema", column=mapped.name)
    if not known:
        raise WireError("the labels of an ENUM or SET are not known", column=mapped.name)
    return known


def _labelled(op: BinlogOp) -> Callable[[MapColumn, Described | None], BinlogForm]:
    return lambda mapped, column: BinlogForm(op, mapped.length, 0, _labels(mapped, column))


def _fixed(op: BinlogOp, width: int = 0) -> Callable[[MapColumn, Described | None], BinlogForm]:
    return lambda mapped, column: BinlogForm(op, width, mapped.scale)


def _sized(op: BinlogOp) -> Callable[[MapColumn, Described | None], BinlogForm]:
    return lambda mapped, column: BinlogForm(op, _prefix(mapped))


def _old_time(op: BinlogOp) -> Callable[[MapColumn, Described | None], BinlogForm]:
    """The log does not tell the digits behind the point of these."""
    return lambda mapped, column: BinlogForm(op, 0, (column.type.fraction or 0) if column is not None else 0)


_PREFIXED = {
    *(T.TINY_BLOB, T.BLOB, T.MEDIUM_BLOB, T.LONG_BLOB, T.BLOB_COMPRESSED, T.JSON, T.GEOMETRY, T.VECTOR),
}
_BLOBS = (T.TINY_BLOB, T.BLOB, T.MEDIUM_BLOB, T.LONG_BLOB)
_FORMS: dict[int, Callable[[MapColumn, Described | None], BinlogForm]] = {
    **dict.fromkeys(_INTEGER_BYTES, _integer),
    T.FLOAT: _fixed(BinlogOp.FLOAT, 4),
    T.DOUBLE: _fixed(BinlogOp.FLOAT, 8),
    T.NEWDECIMAL: lambda mapped, column: BinlogForm(BinlogOp.DECIMAL, mapped.length, mapped.scale),
    T.YEAR: _fixed(BinlogOp.YEAR),
    T.DATE: _fixed(BinlogOp.DATE),
    T.NEWDATE: _fixed(BinlogOp.DATE),
    T.DATETIME2: _fixed(BinlogOp.DATETIME2),
    T.TIMESTAMP2: _fixed(BinlogOp.TIMESTAMP2),
    T.TIME2: _fixed(BinlogOp.TIME2),
    T.DATETIME: _old_time(BinlogOp.DATETIME),
    T.TIMESTAMP: _old_time(BinlogOp.TIMESTAMP),
    T.TIME: _old_time(BinlogOp.TIME),
    T.BIT: lambda mapped, column: BinlogForm(BinlogOp.BIT, (mapped.length + 7) // 8),
    T.ENUM: _labelled(BinlogOp.ENUM),
    T.SET: _labelled(BinlogOp.SET),
    T.STRING: _string,
    T.VAR_STRING: _string,
    T.VARCHAR: _sized(BinlogOp.BYTES),
    **dict.fromkeys((*_BLOBS, T.GEOMETRY, T.VECTOR), _sized(BinlogOp.BYTES)),
    T.JSON: _sized(BinlogOp.JSON),
    T.VARCHAR_COMPRESSED: _sized(BinlogOp.COMPRESSED),
    T.BLOB_COMPRESSED: _sized(BinlogOp.COMPRESSED),
    T.NULL: _fixed(BinlogOp.NULL),
}

_Check = Callable[[MapColumn, LogicalType], bool]
_CHARACTERS = {Kind.TEXT, Kind.BINARY, Kind.JSON}


def _is(*kinds: Kind) -> _Check:
    return lambda mapped, type_: type_.kind in kinds


def _is_integer(mapped: MapColumn, type_: LogicalType) -> bool:
    if type_.kind is Kind.BOOLEAN:
        return mapped.type == T.TINY
    same_sign = mapped.unsigned is None or mapped.unsigned == type_.unsigned
    return type_.kind is Kind.INTEGER and type_.bits == _INTEGER_BYTES[T(mapped.type)] * 8 and same_sign


def _is_float(bits: int) -> _Check:
    return lambda mapped, type_: type_.kind is Kind.FLOAT and type_.bits == bits


def _is_decimal(mapped: MapColumn, type_: LogicalType) -> bool:
    return type_.kind is Kind.DECIMAL and (type_.precision, type_.scale or 0) == (mapped.length, mapped.scale)


def _is_time(*kinds: Kind) -> _Check:
    return lambda mapped, type_: type_.kind in kinds and (type_.fraction or 0) == mapped.scale


def _is_bits(mapped: MapColumn, type_: LogicalType) -> bool:
    return type_.kind is Kind.BOOLEAN or (type_.kind is Kind.BITS and (type_.length or 1) == mapped.length)


def _is_string(mapped: MapColumn, type_: LogicalType) -> bool:
    if type_.kind is Kind.UUID:
        return mapped.length == _UUID_BYTES
    if type_.kind is Kind.INET:
        return mapped.length in (_INET4_BYTES, _INET6_BYTES)
    return type_.kind in _CHARACTERS


_FITS: dict[int, _Check] = {
    **dict.fromkeys(_INTEGER_BYTES, _is_integer),
    T.FLOAT: _is_float(32),
    T.DOUBLE: _is_float(64),
    T.NEWDECIMAL: _is_decimal,
    T.YEAR: _is(Kind.YEAR),
    **dict.fromkeys((T.DATE, T.NEWDATE), _is(Kind.DATE)),
    T.DATETIME2: _is_time(Kind.TIMESTAMP),
    T.TIMESTAMP2: _is_time(Kind.INSTANT),
    T.TIME2: _is_time(Kind.TIME, Kind.INTERVAL),
    T.DATETIME: _is(Kind.TIMESTAMP),
    T.TIMESTAMP: _is(Kind.INSTANT),
    T.TIME: _is(Kind.TIME, Kind.INTERVAL),
    T.BIT: _is_bits,
    T.ENUM: _is(Kind.ENUM, Kind.TEXT),
    T.SET: _is(Kind.SET, Kind.TEXT),
    **dict.fromkeys((T.STRING, T.VAR_STRING), _is_string),
    **dict.fromkeys((T.VARCHAR, *_BLOBS, T.VARCHAR_COMPRESSED, T.BLOB_COMPRESSED), _is(*_CHARACTERS)),
    T.JSON: _is(Kind.JSON),
    T.GEOMETRY: _is(Kind.GEOMETRY),
    T.VECTOR: _is(Kind.BINARY),
}
