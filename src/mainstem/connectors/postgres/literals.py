"""PostgreSQL's literals: strings, arrays, and column defaults as literals of the column's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from mainstem.connectors.postgres.types import base_name, is_array
from mainstem.errors import PlanError
from mainstem.model.types import Kind, LogicalType

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_ZERO_DATE = re.compile(r"0000|\d{4}-00|\d{4}-\d{2}-00")
_NUMERIC = frozenset({
    "smallint", "integer", "int", "bigint", "numeric", "decimal", "real", "double precision", "int2", "int4", "int8",
    "float4", "float8",
})  # fmt: skip


def quoted(name: str) -> str:
    """A name as an identifier, always quoted: case is kept and reserved words need no list."""
    return '"' + name.replace('"', '""') + '"'


def string(text: str) -> str:
    """A string literal. Backslashes are themselves (standard_conforming_strings); `PlanError` for NUL."""
    if "\0" in text:
        raise PlanError("a literal holds a NUL character, which PostgreSQL cannot hold")
    return "'" + text.replace("'", "''") + "'"


def text_array(items: Iterable[str]) -> str:
    """``ARRAY['a','b']::text[]``."""
    return f"ARRAY[{', '.join(string(item) for item in items)}]::text[]"


def dollar_quoted(body: str) -> str:
    """A body between dollar quotes whose tag does not occur in it."""
    tag = "$mainstem$"
    while tag in body:
        tag = tag[:-1] + "_$"
    return f"{tag}{body}{tag}"


def literal(text: str, type_: LogicalType, target: str) -> str:
    """A default's literal (see `Default`) as SQL for a column of the target type.

    Raises:
        PlanError: there is no such value in PostgreSQL (a zero date, NUL in text).
    """
    base = base_name(target)
    if type_.kind is Kind.SET and is_array(target):
        return text_array(text.split(",") if text else [])
    special = _BY_KIND.get(type_.kind)
    if special is not None:
        return special(text, type_, base)
    if base in ("boolean", "bool"):
        return _boolean(text)
    if base in _NUMERIC and _NUMBER.fullmatch(text):
        return text
    return string(text)


def now(digits: int, sql_type: str) -> str:
    """The statement's time, to so many digits of a second, for a column of this type; empty if it is no timestamp."""
    zoned = "with time zone" in sql_type or "timestamptz" in sql_type
    if base_name(sql_type) not in ("timestamp", "timestamptz"):
        return ""
    return ("CURRENT_TIMESTAMP" if zoned else "LOCALTIMESTAMP") + (f"({digits})" if digits else "")


def _boolean(text: str) -> str:
    return "false" if _NUMBER.fullmatch(text) and float(text) == 0 else "true"


def _bits(text: str, type_: LogicalType, base: str) -> str:
    if base in ("boolean", "bool"):
        return "true" if "1" in text else "false"
    return f"B'{text.rjust(type_.length or 1, '0')}'"


def _bytes(text: str, type_: LogicalType, base: str) -> str:
    digits = text.ljust(2 * (type_.length or 0), "0") if type_.fixed else text
    return f"'\\x{digits}'::bytea"


def _date(text: str, type_: LogicalType, base: str) -> str:
    if _ZERO_DATE.match(text):
        raise PlanError("a zero date cannot be a default in PostgreSQL")
    return string(f"{text}+00" if type_.kind is Kind.INSTANT and " " in text else text)


_BY_KIND: dict[Kind, Callable[[str, LogicalType, str], str]] = {
    Kind.BITS: _bits,
    Kind.BINARY: _bytes,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _date,
    Kind.INSTANT: _date,
}
