"""MySQL's and MariaDB's types as logical types."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from mainstem.errors import PlanError
from mainstem.model.types import Kind, LogicalType

_NATIVE = re.compile(r"(?P<name>[a-z][a-z0-9]*(?: precision)?)\s*(?:\((?P<arguments>.*)\))?(?P<rest>[^)]*)", re.S)
_QUOTED = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.S)
_ESCAPED = re.compile(r"''|\\(.)", re.S)
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "Z": "\x1a"}


def unquote(literal: str) -> str:
    """The characters of a string literal, given without its outer quotes: ``''`` and backslash escapes undone."""
    return _ESCAPED.sub(lambda found: "'" if found[1] is None else _ESCAPES.get(found[1], found[1]), literal)


def members(arguments: str) -> tuple[str, ...]:
    """The labels in the brackets of an ENUM or SET."""
    return tuple(unquote(found[1]) for found in _QUOTED.finditer(arguments))


def _number(arguments: list[int], index: int) -> int | None:
    return arguments[index] if index < len(arguments) else None


_Maker = Callable[[list[int], bool], LogicalType]


def _integer(bits: int) -> _Maker:
    return lambda arguments, unsigned: LogicalType(Kind.INTEGER, bits=bits, unsigned=unsigned)


def _float(bits: int) -> _Maker:
    return lambda arguments, unsigned: LogicalType(Kind.FLOAT, bits=bits, unsigned=unsigned)


def _decimal(arguments: list[int], unsigned: bool) -> LogicalType:
    precision, scale = _number(arguments, 0) or 10, _number(arguments, 1) or 0
    return LogicalType(Kind.DECIMAL, precision=precision, scale=scale, unsigned=unsigned)


def _sized(kind: Kind, *, fixed: bool = False, default: int | None = None) -> _Maker:
    def make(arguments: list[int], unsigned: bool) -> LogicalType:
        length = _number(arguments, 0)
        return LogicalType(kind, length=default if length is None else length, fixed=fixed)

    return make


def _plain(kind: Kind) -> _Maker:
    return lambda arguments, unsigned: LogicalType(kind)


def _fractional(kind: Kind) -> _Maker:
    return lambda arguments, unsigned: LogicalType(kind, fraction=_number(arguments, 0) or 0)


def _geometry(subtype: str) -> _Maker:
    return lambda arguments, unsigned: LogicalType(Kind.GEOMETRY, subtype=subtype)


_TYPES: dict[str, _Maker] = {
    "tinyint": _integer(8),
    "smallint": _integer(16),
    "mediumint": _integer(24),
    "int": _integer(32),
    "bigint": _integer(64),
    "decimal": _decimal,
    "float": _float(32),
    "double": _float(64),
    "year": _plain(Kind.YEAR),
    "bit": _sized(Kind.BITS, default=1),
    "char": _sized(Kind.TEXT, fixed=True, default=1),
    "varchar": _sized(Kind.TEXT),
    "binary": _sized(Kind.BINARY, fixed=True, default=1),
    "varbinary": _sized(Kind.BINARY),
    **{f"{size}text": _plain(Kind.TEXT) for size in ("tiny", "", "medium", "long")},
    **{f"{size}blob": _plain(Kind.BINARY) for size in ("tiny", "", "medium", "long")},
    "json": _plain(Kind.JSON),
    "uuid": _plain(Kind.UUID),
    "inet4": _plain(Kind.INET),
    "inet6": _plain(Kind.INET),
    "date": _plain(Kind.DATE),
    "time": _fractional(Kind.INTERVAL),
    "datetime": _fractional(Kind.TIMESTAMP),
    "timestamp": _fractional(Kind.INSTANT),
    "geometry": _geometry(""),
    **{
        name: _geometry(name)
        for name in ("point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon")
    },
    "geometrycollection": _geometry("geometrycollection"),
    "geomcollection": _geometry("geometrycollection"),
    "vector": _plain(Kind.BINARY),  # sent as its bytes: little-endian 32-bit floats
    "xmltype": _plain(Kind.TEXT),
}


def logical_type(native: str) -> LogicalType:
    """Read a column type as ``information_schema.columns.column_type`` spells it.

    What depends on rows is left at its safe reading: ``tinyint(1)`` is INTEGER and ``time`` is INTERVAL.

    Raises:
        PlanError: a type that is not known.
    """
    found = _NATIVE.match(native.strip())
    name = found["name"].lower() if found else ""
    if found and name in ("enum", "set"):
        return LogicalType(Kind(name), members=members(found["arguments"] or ""))
    make = _TYPES.get(name)
    if found is None or make is None:
        raise PlanError(f"the type {native} is not known", remedy="leave the table or the column out of the selection")
    arguments = [int(part) for part in (found["arguments"] or "").split(",") if part.strip().isdigit()]
    return make(arguments, "unsigned" in found["rest"].lower())


def is_boolean_candidate(native: str) -> bool:
    """Whether a column is declared as BOOLEAN is: ``tinyint(1)``, signed or not. Its rows decide."""
    return native.lower().startswith("tinyint(1)")


def as_boolean(_: LogicalType) -> LogicalType:
    """The type of a ``tinyint(1)`` whose rows hold nothing but 0 and 1."""
    return LogicalType(Kind.BOOLEAN)


def as_time_of_day(type_: LogicalType) -> LogicalType:
    """The type of a ``time`` whose rows all lie within one day."""
    return replace(type_, kind=Kind.TIME)
