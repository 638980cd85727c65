"""What decoders and encoders do with a column. Cells are text cells (see `model.types`)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Wire(IntEnum):
    """How a column travels in a row of MySQL's binary protocol. Integers and times become text cells.

    Source: MySQL Internals, "Binary Protocol Value".
    """

    BYTES = 0
    """Length-encoded; the bytes are the cell."""
    INT = 1
    """Signed, little-endian; the width is the column's parameter (1, 2, 4 or 8 bytes)."""
    UINT = 2
    YEAR = 3
    """Two bytes; four digits."""
    FLOAT = 4
    """IEEE 754, little-endian; the width is the column's parameter (4 or 8 bytes). The bytes are the cell."""
    DATE = 5
    DATETIME = 6
    """The parameter is the number of digits behind the point; more than 6 when it is not known. Also `TIME`."""
    TIME = 7
    NULL = 8
    """A column that has nothing but nulls, and no bytes."""


class CopyOp(IntEnum):
    """What the decoder of COPY's text format makes of a cell: a text cell."""

    TEXT = 0
    """Without the escapes."""
    BOOL = 1
    """``t`` or ``f``: 1 or 0."""
    BYTEA = 2
    """Hex with the bytea prefix: the bytes."""
    BITS = 3
    """A string of 0 and 1: big-endian bytes, right-aligned."""
    FLOAT4 = 4
    """Digits, ``NaN`` or an infinity: IEEE 754, little-endian, four bytes; `FLOAT8`: eight."""
    FLOAT8 = 5
    EWKB = 6
    """Hex EWKB, as PostGIS prints it: SRID and WKB."""


class LogOp(IntEnum):
    """What the decoder of PostgreSQL's log makes of a value's text: a text cell. The first ones are `CopyOp`'s."""

    TEXT = 0
    BOOL = 1
    BYTEA = 2
    BITS = 3
    FLOAT4 = 4
    FLOAT8 = 5
    EWKB = 6
    INSTANT = 7
    """A timestamp in UTC with its offset ``+00``: without it."""
    MONEY = 8
    """An amount as the locale ``C`` prints it: a number; its digits behind the point are the column's parameter."""


class Op(IntEnum):
    """What the COPY TEXT encoder does with a cell."""

    RAW = 0
    """As it is: digits, dates without policy, UUIDs."""
    TEXT = 1
    """Escaped; NUL by policy."""
    BYTEA = 2
    """Hex with the bytea prefix."""
    BITS = 3
    """A string of 0 and 1, as long as the column's ``length``."""
    BIT_BOOLEAN = 4
    """One byte, zero or not: f or t."""
    SET_ARRAY = 5
    """Labels joined by commas: an array literal, every label quoted."""
    DATE = 6
    """A date or timestamp; zero month or day by policy."""
    EWKB = 7
    """SRID and WKB: hex EWKB (plain WKB when the SRID is 0), for PostGIS."""
    EWKB_BYTEA = 8
    """The same with the bytea prefix."""
    FLOAT = 9
    """IEEE 754, little-endian, four or eight bytes: the shortest digits that read back to the same value."""


class Refusal(IntEnum):
    """Why the encoder refused a cell."""

    ZERO_DATE = 1
    NUL_IN_TEXT = 2
    MALFORMED = 3
    SPECIAL_VALUE = 4
    NULL_VALUE = 5
    TOO_FINE = 6


class BinaryOp(IntEnum):
    """What the COPY BINARY encoder makes of a text cell: the bytes that the server's receive function wants."""

    INT2 = 0
    INT4 = 1
    INT8 = 2
    FLOAT4 = 3
    """IEEE 754, little-endian, four bytes; `FLOAT8`: eight."""
    FLOAT8 = 4
    NUMERIC = 5
    """Decimal digits without exponent."""
    BOOL = 6
    """``0`` or ``1``."""
    BIT_BOOL = 7
    """One byte, zero or not."""
    TEXT = 8
    """Bytes as they are; NUL by policy. Also json, enums."""
    JSONB = 9
    """A version byte, then text."""
    BYTEA = 10
    BITS = 11
    """As long as the column's parameter says, in bits."""
    SET_ARRAY = 12
    """Labels joined by commas: text[]."""
    DATE = 13
    """Zero dates by policy; an impossible date is refused. Also `TIMESTAMP`."""
    TIMESTAMP = 14
    """With and without time zone: cells are in UTC."""
    TIME = 15
    INTERVAL = 16
    UUID = 17
    EWKB = 18
    """As PostGIS and bytea take it."""


class LoadOp(IntEnum):
    """What the encoder for MySQL does with a text cell. A parameter is the column's ``length``."""

    TEXT = 0
    """Escaped: text, JSON, labels, digits of a kind that the server checks."""
    DIGITS = 1
    """Digits with an optional sign, which are checked: the server would round others."""
    DECIMAL = 2
    """Digits; NaN and the infinities by policy."""
    FLOAT = 3
    """IEEE 754, little-endian, four or eight bytes: digits that read back to the same value; NaN and the infinities by
    policy. As few digits as do, which takes longer, unless the parameter is not 0. As a parameter it is sent as it
    is where that is 4 or 8: all have so many bytes."""
    DATE = 4
    """A date or timestamp; what is not a year of four digits by policy. The parameter is `TIME`'s, or -1: no time."""
    TIME = 5
    """The parameter is the number of digits behind the point; finer ones are refused. More than 6 refuses none."""
    HEX = 6
    """Bytes in hex, for UNHEX."""
    UUID_HEX = 7
    """A UUID's 32 hex digits, for UNHEX."""
    GEOMETRY = 8
    """SRID and WKB in little-endian order, which is the server's own form, in hex."""
    ENUM = 9
    """A label; the parameter is not 0 where the empty cell is none, but the error value."""


class LoadForm(IntEnum):
    """What the encoder for MySQL makes of its rows."""

    FILE = 0
    """For LOAD DATA: fields ended by a tab, escaped by a backslash, lines ended by a newline."""
    LITERALS = 1
    """For INSERT: ``(1,'text',x'00'),`` for each row, the comma also after the last."""
    PARAMETERS = 2
    """For MariaDB's arrays of parameters: of each cell 1 for NULL; or 0, length as the protocol has it, its bytes."""


class BinlogOp(IntEnum):
    """How a column's value stands in a row image of MySQL's binary log, and so what becomes of it: a text cell.

    ``width`` and ``extra`` are those of `BinlogForm`. Source: MySQL source documentation, "Rows_event", and the
    server's `Field::pack` of each type.
    """

    INT = 0
    """Signed, little-endian, ``width`` bytes (1, 2, 3, 4, 8); `UINT`: unsigned."""
    UINT = 1
    FLOAT = 2
    """IEEE 754, little-endian, ``width`` bytes; they are the cell."""
    DECIMAL = 3
    """``width`` digits, ``extra`` of them behind the point."""
    YEAR = 4
    DATE = 5
    """Three bytes."""
    DATETIME2 = 6
    """With ``extra`` digits behind the point; likewise the other times."""
    TIMESTAMP2 = 7
    TIME2 = 8
    DATETIME = 9
    """Of servers before MySQL 5.6, and of MariaDB's own form where there are digits behind the point."""
    TIMESTAMP = 10
    TIME = 11
    BIT = 12
    """``width`` bytes, big-endian; they are the cell."""
    ENUM = 13
    """The number of a label in ``width`` bytes; 0 is the empty cell."""
    SET = 14
    """A bit for each label in ``width`` bytes."""
    BYTES = 15
    """The length in ``width`` bytes, then the cell."""
    PADDED = 16
    """The same; the cell has ``extra`` bytes, the missing ones are zeros."""
    JSON = 17
    """The same; MySQL's binary JSON, of which the cell is the text."""
    COMPRESSED = 18
    """The same; compressed by MariaDB."""
    UUID = 19
    """The same; MariaDB's form of a UUID. ``extra`` is 1 of columns that an older server made."""
    INET4 = 20
    INET6 = 21
    NULL = 22
    """No bytes."""


class BinlogForm(NamedTuple):
    """A column in a row image; see `BinlogOp`."""

    op: BinlogOp
    width: int = 0
    extra: int = 0
    labels: tuple[bytes, ...] = ()
