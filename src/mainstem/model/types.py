"""Logical types: the closed set that every connector maps its native types to and from.

Each kind also fixes the *text cell*: the bytes in which a value travels in a `ChangeBatch` whose columns are not
parsed (design: typed lazily). Decoders produce it, encoders consume it; a null is a null in the Arrow validity.

==========  ==================================================================================================
kind        text cell
==========  ==================================================================================================
BOOLEAN     ``0`` or ``1``
INTEGER     decimal digits with an optional ``-``
DECIMAL     decimal digits, ``-`` and one point
FLOAT       IEEE 754, little-endian: four bytes (``bits`` 32) or eight
YEAR        four digits
TEXT        UTF-8
ENUM        the label, UTF-8 (MySQL's error value, index 0, is empty)
SET         labels joined by ``,``
JSON        the JSON text, UTF-8
UUID, INET  their usual text
BINARY      the raw bytes
BITS        big-endian raw bytes, right-aligned, ``ceil(length / 8)`` of them
DATE        ``YYYY-MM-DD``
TIME        ``HH:MM:SS[.ffffff]`` within a day
INTERVAL    ``[-]HHH:MM:SS[.ffffff]``
TIMESTAMP   ``YYYY-MM-DD HH:MM:SS[.ffffff]``, no zone
INSTANT     the same, in UTC
GEOMETRY    four bytes SRID, little-endian, then WKB
==========  ==================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The closed set. A new member needs a text cell above and an entry in every connector's type table."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    YEAR = "year"
    TEXT = "text"
    ENUM = "enum"
    SET = "set"
    JSON = "json"
    UUID = "uuid"
    INET = "inet"
    BINARY = "binary"
    BITS = "bits"
    DATE = "date"
    TIME = "time"
    INTERVAL = "interval"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"
    GEOMETRY = "geometry"


@dataclass(frozen=True, slots=True)
class LogicalType:
    """A kind with its parameters; a parameter that a kind does not have stays None (or False, or empty).

    Attributes:
        kind: which of the closed set.
        bits: width of INTEGER (8, 16, 24, 32, 64) and FLOAT (32, 64).
        unsigned: INTEGER, DECIMAL and FLOAT declared unsigned.
        precision: DECIMAL digits in all.
        scale: DECIMAL digits after the point.
        length: TEXT in characters, BINARY in bytes, BITS in bits; None is "no limit of its own".
        fixed: TEXT and BINARY of fixed length (CHAR, BINARY).
        fraction: digits of fractional seconds, 0 to 6, of TIME, INTERVAL, TIMESTAMP, INSTANT.
        members: labels of ENUM and SET, in order.
        subtype: GEOMETRY's kind (``point``, ``polygon``, …), lower case; empty is any.
    """

    kind: Kind
    bits: int | None = None
    unsigned: bool = False
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    fixed: bool = False
    fraction: int | None = None
    members: tuple[str, ...] = ()
    subtype: str = ""
