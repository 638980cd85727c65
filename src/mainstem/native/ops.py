"""What the COPY TEXT encoder does with a column, by the text cell that it gets (see `model.types`)."""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """One per way of writing a cell."""

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


class Refusal(IntEnum):
    """Why the encoder refused a cell."""

    ZERO_DATE = 1
    NUL_IN_TEXT = 2
    MALFORMED = 3
