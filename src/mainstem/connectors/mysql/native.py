"""Logical types → MySQL's and MariaDB's types, and what can be written to which. The other direction is in `types`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mainstem.connectors.mysql.traits import Traits
from mainstem.errors import PlanError
from mainstem.model.schema import Column
from mainstem.model.types import Kind, LogicalType

_MAX_DIGITS, _MAX_SCALE = 65, 30
_MAX_CHAR, _MAX_VARCHAR, _MAX_BINARY, _MAX_VARBINARY = 255, 16_383, 255, 65_532
_MAX_BITS, _MAX_FRACTION = 64, 6
_MAX_LABELS, _MAX_LABEL = 65_535, 255
_INTEGERS = {8: "tinyint", 16: "smallint", 24: "mediumint", 32: "int", 64: "bigint"}
_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_INET = "varchar(43)"  # an IPv6 address of 39 characters with its prefix length


@dataclass(frozen=True, slots=True)
class Native:
    """A type, and the code of a remark (see `remarks`) about what changes with it; empty if nothing does."""

    sql: str
    code: str = ""


def native_type(column: Column, traits: Traits) -> Native:
    """The type that holds every value of a column, or refuses what it cannot hold."""
    return _TYPES[column.type.kind](column, traits)


def base_name(sql: str) -> str:
    """A type's own name: ``varchar(20) CHARACTER SET latin1`` → ``varchar``."""
    found = re.match(r"\s*(?:(double)\s+precision|(character)\s+varying|([a-z][a-z0-9_]*))", sql.lower())
    if found is None:
        return sql.lower().strip()
    return "double" if found[1] else "varchar" if found[2] else found[3]


def _simple(sql: str, code: str = "") -> Callable[[Column, Traits], Native]:
    return lambda column, traits: Native(sql, code)


def _integer(column: Column, traits: Traits) -> Native:
    return Native(_INTEGERS[column.type.bits or 64] + (" unsigned" if column.type.unsigned else ""))


def _decimal(column: Column, traits: Traits) -> Native:
    precision, scale = column.type.precision, column.type.scale or 0
    if precision is None:
        return Native(f"decimal({_MAX_DIGITS},{_MAX_SCALE})", "numeric_limited")
    if scale < 0:  # numeric(3,-2) holds 12300
        precision, scale = precision - scale, 0
    precision = max(precision, scale)  # numeric(2,5) holds 0.00012
    if precision > _MAX_DIGITS or scale > _MAX_SCALE:
        return Native("longtext", "numeric_as_text")
    return Native(f"decimal({precision},{scale})" + (" unsigned" if column.type.unsigned else ""))


def _float(column: Column, traits: Traits) -> Native:
    return Native(("float" if column.type.bits == 32 else "double") + (" unsigned" if column.type.unsigned else ""))


_PLAIN_TEXT = frozenset({
    "text", "character varying", "character", "varchar", "char", "bpchar", "name", "tinytext", "mediumtext", "longtext",
})  # fmt: skip


def is_plain_text(native: str) -> bool:
    """Whether a source's type, as it spells it, is text and nothing that is only written as text."""
    lowered = native.lower()
    return lowered.split("(")[0].strip() in _PLAIN_TEXT and not lowered.endswith("]")


def _text(column: Column, traits: Traits) -> Native:
    length, native = column.type.length, column.built_in.lower()
    code = "" if is_plain_text(native) else "citext" if native.endswith("citext") else "kept_as_text"
    if length is None or length > _MAX_VARCHAR:
        return Native("longtext", code)
    if column.type.fixed and length <= _MAX_CHAR:
        return Native(f"char({length})", code)
    return Native(f"varchar({length})", code)


def _enum(column: Column, traits: Traits) -> Native:
    labels = column.type.members
    stripped = {label.rstrip(" ") for label in labels}
    fits = len(stripped) == len(labels) <= _MAX_LABELS and stripped == set(labels)
    if not labels or not fits or any(len(label) > _MAX_LABEL or "\0" in label for label in labels):
        return Native(f"varchar({max([1, *map(len, labels)])})", "enum_as_text")
    return Native(f"enum({_labels(labels)})")


def _set(column: Column, traits: Traits) -> Native:
    return Native(f"set({_labels(column.type.members)})")


def _labels(members: tuple[str, ...]) -> str:
    quoted = (label.replace("\\", "\\\\").replace("'", "''") for label in members)
    return ",".join(f"'{label}'" for label in quoted)


def _json(column: Column, traits: Traits) -> Native:
    return Native("json", "json_parsed" if traits.native_json else "")


def _uuid(column: Column, traits: Traits) -> Native:
    return Native("uuid") if traits.uuid else Native(f"char(36) {_ASCII}")


def _binary(column: Column, traits: Traits) -> Native:
    length = column.type.length
    if length is None or length > _MAX_VARBINARY:
        return Native("longblob")
    return Native(f"binary({length})" if column.type.fixed and length <= _MAX_BINARY else f"varbinary({length})")


def _bits(column: Column, traits: Traits) -> Native:
    length = column.type.length
    if length is None:
        return Native("longblob", "bits_as_bytes")
    return Native(f"bit({length})") if length <= _MAX_BITS else Native(f"binary({-(-length // 8)})", "bits_as_bytes")


def _fractional(name: str, code: str = "") -> Callable[[Column, Traits], Native]:
    def render(column: Column, traits: Traits) -> Native:
        digits = _MAX_FRACTION if column.type.fraction is None else min(column.type.fraction, _MAX_FRACTION)
        return Native(f"{name}({digits})" if digits else name, code)

    return render


def _interval(column: Column, traits: Traits) -> Native:
    """A MySQL source's TIME; PostgreSQL's interval has months, days and times that TIME cannot hold."""
    if column.built_in.lower().startswith("time"):
        return _fractional("time")(column, traits)
    return Native("varchar(255)", "kept_as_text")


def _geometry(column: Column, traits: Traits) -> Native:
    return Native(column.type.subtype or "geometry")


_TYPES: dict[Kind, Callable[[Column, Traits], Native]] = {
    Kind.BOOLEAN: _simple("tinyint(1)"),
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.YEAR: _simple("year"),
    Kind.TEXT: _text,
    Kind.ENUM: _enum,
    Kind.SET: _set,
    Kind.JSON: _json,
    Kind.UUID: _uuid,
    Kind.INET: _simple(_INET),
    Kind.BINARY: _binary,
    Kind.BITS: _bits,
    Kind.DATE: _simple("date"),
    Kind.TIME: _fractional("time"),
    Kind.INTERVAL: _interval,
    Kind.TIMESTAMP: _fractional("datetime"),
    Kind.INSTANT: _fractional("datetime", "zone_as_utc"),
    Kind.GEOMETRY: _geometry,
}

TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
BLOBS = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
LARGE = frozenset({"tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob", "json"})
_INTEGERS_BY_NAME = frozenset({"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "bool", "boolean"})
_NUMBERS = _INTEGERS_BY_NAME | {"decimal", "numeric", "float", "double", "year"}
_ADDRESSES = frozenset({"inet4", "inet6"})
SHAPES = frozenset({
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
    "geometrycollection", "geomcollection",
})  # fmt: skip
_WRITABLE: dict[Kind, frozenset[str]] = {
    Kind.BINARY: BLOBS,
    Kind.BITS: BLOBS | _INTEGERS_BY_NAME | {"bit"},
    Kind.GEOMETRY: SHAPES,
    Kind.BOOLEAN: _NUMBERS | TEXTS | {"bit"},
    Kind.INTEGER: _NUMBERS | TEXTS,
    Kind.YEAR: _NUMBERS | TEXTS,
    Kind.DECIMAL: _NUMBERS | TEXTS,
    Kind.FLOAT: TEXTS | {"float", "double", "decimal", "numeric"},  # an integer would round
    Kind.DATE: TEXTS | {"date", "datetime", "timestamp"},
    Kind.TIMESTAMP: TEXTS | {"date", "datetime", "timestamp"},
    Kind.INSTANT: TEXTS | {"date", "datetime", "timestamp"},
    Kind.TIME: TEXTS | {"time"},
    Kind.INTERVAL: TEXTS | {"time"},
    Kind.JSON: TEXTS | {"json"},
    Kind.UUID: TEXTS | {"uuid"},
    Kind.INET: TEXTS | _ADDRESSES,
    Kind.SET: TEXTS | {"set"},
    Kind.ENUM: TEXTS | {"enum"},
    Kind.TEXT: TEXTS | _NUMBERS | _ADDRESSES | {"json", "uuid", "enum", "set", "date", "datetime", "timestamp", "time"},
}  # fmt: skip


def check_writable(column: Column, override: str) -> None:
    """`PlanError` when values of the column's kind cannot be written as the type that the user wants."""
    possible = _WRITABLE[column.type.kind]
    if base_name(override) not in possible:
        raise PlanError(
            f"column {column.name} holds {column.type.kind} values, which cannot be written as {override}",
            remedy=f"choose one of {', '.join(sorted(possible))}",
            column=column.name,
        )


def bytes_of(sql: str) -> int:
    """At most so many bytes a value of the type takes in an index or a row, on the generous side."""
    name = base_name(sql)
    found = re.search(r"\((\d+)", sql)
    size = int(found[1]) if found else 1
    if name in ("char", "varchar"):
        return size * (1 if "ascii" in sql.lower() else 4) + 2
    if name in ("binary", "varbinary"):
        return size + 2
    if name in ("decimal", "numeric"):
        return size // 2 + 4
    if name == "bit":
        return size // 8 + 1
    return _BYTES.get(name, 12 if name in LARGE else 8)


_BYTES = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "float": 4, "date": 3, "year": 1, "enum": 2,
          "uuid": 16, "inet6": 16, "inet4": 4, "time": 6}  # fmt: skip


def with_length(type_: LogicalType, room: int) -> str:
    """A text or binary type of limited length for a key, in so many bytes."""
    return f"varbinary({room})" if type_.kind is Kind.BINARY else f"varchar({room // 4})"
