"""MySQL's literals: strings, bytes, bits, and column defaults as literals of the column's type."""

from __future__ import annotations

import re
from collections.abc import Callable

from mainstem.connectors.mysql.native import base_name
from mainstem.errors import PlanError
from mainstem.model.types import Kind, LogicalType

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NUMERIC = frozenset({
    "tinyint", "smallint", "mediumint", "int", "integer", "bigint", "decimal", "numeric", "float", "double", "year",
    "boolean", "bool",
})  # fmt: skip
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_ZONE = re.compile(r"\+00(?::?00)?$")
_MAX_FRACTION = 6


def string(text: str) -> str:
    """A string literal that reads the same with and without NO_BACKSLASH_ESCAPES.

    Text with a backslash or a control character is written in hex: whether a backslash escapes depends on the SQL mode.
    """
    if "\\" in text or any(ord(character) < 32 for character in text):
        return f"_utf8mb4 0x{text.encode().hex()}"
    return "'" + text.replace("'", "''") + "'"


def comment(text: str) -> str:
    """A string literal where the grammar takes nothing else (COMMENT, labels): backslashes are doubled.

    Our sessions do not run with NO_BACKSLASH_ESCAPES.
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0") + "'"


def literal(text: str, type_: LogicalType, target: str) -> str:
    """A default's literal (see `Default`) as SQL for a column of the target type; `PlanError` if there is none."""
    special = _BY_KIND.get(type_.kind)
    if special is not None:
        return special(text, type_, target)
    if base_name(target) in _NUMERIC and _NUMBER.fullmatch(text):
        return text
    return comment(text)


def now(digits: int) -> str:
    """The statement's time, to so many digits of a second."""
    return f"CURRENT_TIMESTAMP({min(digits, _MAX_FRACTION)})" if digits else "CURRENT_TIMESTAMP"


def fraction_of(sql: str) -> int:
    """Digits of a second that a type keeps: 3 for ``datetime(3)``."""
    found = re.search(r"\((\d+)\)", sql)
    return int(found[1]) if found else 0


def _boolean(text: str, type_: LogicalType, target: str) -> str:
    return "1" if text.lower() in _TRUE or (_NUMBER.fullmatch(text) and float(text)) else "0"


def _bits(text: str, type_: LogicalType, target: str) -> str:
    return f"b'{text}'" if base_name(target) == "bit" else comment(text.rjust(type_.length or 1, "0"))


def _bytes(text: str, type_: LogicalType, target: str) -> str:
    digits = text.removeprefix("\\x")
    return f"0x{digits}" if digits else "''"


def _instant(text: str, type_: LogicalType, target: str) -> str:
    """Our sessions are in UTC."""
    plain = _ZONE.sub("", text)
    if re.search(r"[-+]\d\d(?::?\d\d)?$", plain[10:]):
        raise PlanError("a time in another zone than UTC cannot be a default here")
    return comment(plain)


_BY_KIND: dict[Kind, Callable[[str, LogicalType, str], str]] = {
    Kind.BOOLEAN: _boolean,
    Kind.BITS: _bits,
    Kind.BINARY: _bytes,
    Kind.INSTANT: _instant,
}
