"""PostgreSQL's type names → logical types: one simple table. The other direction is in `types`.

What no kind holds in full travels as text: an interval has months and days apart, a time with time zone its zone, and
of varying bits the number is part of the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mainstem.model.types import Kind, LogicalType

_FORM = re.compile(
    r"(?P<name>[^(\[]+?)\s*(?:\((?P<arguments>[-\d,\s]+)\))?(?P<zone> with(?:out)? time zone)?(?P<array>(?:\[\])*)"
)
_Maker = Callable[[list[int]], LogicalType]
_MICROSECONDS = 6


def _plain(kind: Kind) -> _Maker:
    return lambda arguments: LogicalType(kind)


def _integer(bits: int) -> _Maker:
    return lambda arguments: LogicalType(Kind.INTEGER, bits=bits)


def _float(bits: int) -> _Maker:
    return lambda arguments: LogicalType(Kind.FLOAT, bits=bits)


def _text(*, fixed: bool = False) -> _Maker:
    return lambda arguments: LogicalType(Kind.TEXT, length=arguments[0] if arguments else None, fixed=fixed)


def _bits(arguments: list[int]) -> LogicalType:
    return LogicalType(Kind.BITS, length=arguments[0] if arguments else None)


def _numeric(arguments: list[int]) -> LogicalType:
    if not arguments:
        return LogicalType(Kind.DECIMAL)
    return LogicalType(Kind.DECIMAL, precision=arguments[0], scale=arguments[1] if len(arguments) > 1 else 0)


def _fractional(kind: Kind) -> _Maker:
    return lambda arguments: LogicalType(kind, fraction=arguments[0] if arguments else _MICROSECONDS)


_TYPES: dict[str, _Maker] = {
    "boolean": _plain(Kind.BOOLEAN),
    "smallint": _integer(16),
    "integer": _integer(32),
    "bigint": _integer(64),
    "oid": lambda arguments: LogicalType(Kind.INTEGER, bits=32, unsigned=True),
    "numeric": _numeric,
    "real": _float(32),
    "double precision": _float(64),
    "text": _text(),
    "character varying": _text(),
    "character": _text(fixed=True),
    "json": _plain(Kind.JSON),
    "jsonb": _plain(Kind.JSON),
    "uuid": _plain(Kind.UUID),
    "inet": _plain(Kind.INET),
    "bytea": _plain(Kind.BINARY),
    "bit": _bits,
    "date": _plain(Kind.DATE),
    "time without time zone": _fractional(Kind.TIME),
    "timestamp without time zone": _fractional(Kind.TIMESTAMP),
    "timestamp with time zone": _fractional(Kind.INSTANT),
    "geometry": _plain(Kind.GEOMETRY),
    "geography": _plain(Kind.GEOMETRY),
}


def logical_type(native: str, labels: tuple[str, ...] = ()) -> LogicalType:
    """Read a type as ``format_type`` spells it; one that has no kind of its own travels as text.

    Args:
        labels: those of an enumerated type, in order.
    """
    if labels:
        return LogicalType(Kind.ENUM, members=labels)
    found = _FORM.fullmatch(native)
    if found is None or found["array"]:
        return LogicalType(Kind.TEXT)
    make = _TYPES.get(found["name"].split(".")[-1] + (found["zone"] or ""))
    arguments = [int(part) for part in (found["arguments"] or "").split(",") if part.strip()]
    return make(arguments) if make else LogicalType(Kind.TEXT)
