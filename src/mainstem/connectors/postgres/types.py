"""PostgreSQL's types for logical types, and how the loader writes a column of each."""

from __future__ import annotations

import re
from collections.abc import Callable

from mainstem.errors import PlanError
from mainstem.model.plan import ColumnPlan
from mainstem.model.schema import Column
from mainstem.model.types import Kind, LogicalType
from mainstem.native.ops import Op

_SIGNED = {8: "smallint", 16: "smallint", 24: "integer", 32: "integer", 64: "bigint"}
_UNSIGNED = {8: "smallint", 16: "integer", 24: "integer", 32: "bigint", 64: "numeric(20,0)"}
_MAX_VARCHAR = 10_485_760


def _integer(type_: LogicalType) -> str:
    return (_UNSIGNED if type_.unsigned else _SIGNED)[type_.bits or 64]


def _decimal(type_: LogicalType) -> str:
    return "numeric" if type_.precision is None else f"numeric({type_.precision},{type_.scale or 0})"


def _text(type_: LogicalType) -> str:
    if not type_.length or type_.length > _MAX_VARCHAR:  # CHAR(0) is allowed there and not here
        return "text"
    return f"char({type_.length})" if type_.fixed else f"varchar({type_.length})"


def _bits(type_: LogicalType) -> str:
    return "boolean" if type_.length == 1 else f"bit({type_.length or 1})"


def _fractional(name: str, suffix: str = "") -> Callable[[LogicalType], str]:
    def render(type_: LogicalType) -> str:
        digits = "" if type_.fraction is None else f"({type_.fraction})"
        return f"{name}{digits}{suffix}"

    return render


def _constant(sql: str) -> Callable[[LogicalType], str]:
    return lambda type_: sql


_TYPES: dict[Kind, Callable[[LogicalType], str]] = {
    Kind.BOOLEAN: _constant("boolean"),
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: lambda type_: "real" if type_.bits == 32 else "double precision",
    Kind.YEAR: _constant("smallint"),
    Kind.TEXT: _text,
    Kind.ENUM: _constant("text"),  # unless the dialect has made a type for it
    Kind.SET: _constant("text[]"),
    Kind.JSON: _constant("jsonb"),
    Kind.UUID: _constant("uuid"),
    Kind.INET: _constant("inet"),
    Kind.BINARY: _constant("bytea"),
    Kind.BITS: _bits,
    Kind.DATE: _constant("date"),
    Kind.TIME: _fractional("time"),
    Kind.INTERVAL: _constant("interval"),
    Kind.TIMESTAMP: _fractional("timestamp"),
    Kind.INSTANT: _fractional("timestamp", " with time zone"),
    Kind.GEOMETRY: _constant("bytea"),
}


def native_type(type_: LogicalType) -> str:
    """The type that holds every value of a logical type; text for ENUM and bytea for GEOMETRY."""
    return _TYPES[type_.kind](type_)


def base_name(sql: str) -> str:
    """A type's own name without length, zone and array: ``timestamp(3) with time zone`` → ``timestamp``."""
    return re.sub(r"\(.*?\)|\[\]", "", sql).split(" with")[0].strip().lower()


def is_array(sql: str) -> bool:
    """Whether the type is an array."""
    return sql.rstrip().endswith("]")


_TEXT_TARGETS = frozenset({"text", "varchar", "character varying", "char", "character", "citext", "name", "bpchar"})
_RAW_KINDS = frozenset(
    {Kind.BOOLEAN, Kind.INTEGER, Kind.DECIMAL, Kind.YEAR, Kind.UUID, Kind.INET, Kind.TIME, Kind.INTERVAL}
)
_DATE_KINDS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT})
_BYTES_OPS: dict[Kind, dict[str, Op]] = {
    Kind.BINARY: {"bytea": Op.BYTEA},
    Kind.BITS: {
        "boolean": Op.BIT_BOOLEAN, "bool": Op.BIT_BOOLEAN, "bit": Op.BITS, "bit varying": Op.BITS, "varbit": Op.BITS,
        "text": Op.BITS, "varchar": Op.BITS,
    },
    Kind.GEOMETRY: {"bytea": Op.EWKB_BYTEA, "geometry": Op.EWKB, "geography": Op.EWKB},
}  # fmt: skip


# Texts of numbers that the server reads as something else: 26.5 seconds, a date 20200102, a time 0405.
_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.YEAR})
_OTHERS = frozenset({"bytea", "interval", "date", "time", "timetz", "timestamp", "timestamptz"})


def check_meaning(column: Column, wanted: str) -> None:
    """`PlanError` where the server would take a number for something else."""
    if column.type.kind in _NUMBERS and base_name(wanted) in _OTHERS:
        raise PlanError(
            f"column {column.name} holds {column.type.kind} values, which {wanted} would take for something else",
            remedy="choose a type of numbers, or text",
            column=column.name,
        )


def copy_op(column: ColumnPlan) -> Op:
    """How the loader writes a column, by the text cell that it gets and the type that it goes to.

    Raises:
        PlanError: raw bytes cannot be written as the (overridden) type.
    """
    kind, target = column.type.kind, base_name(column.target_type).rsplit(".", 1)[-1]
    if kind in _BYTES_OPS:
        op = _BYTES_OPS[kind].get(target)
        if op is None:
            possible = ", ".join(_BYTES_OPS[kind])
            raise PlanError(
                f"column {column.source} holds raw {kind} values, which cannot be written as {column.target_type}",
                remedy=f"choose one of {possible}",
                column=column.source,
            )
        return op
    if kind is Kind.SET and is_array(column.target_type):
        return Op.SET_ARRAY
    if kind is Kind.FLOAT:
        return Op.FLOAT
    if kind in _DATE_KINDS and target not in _TEXT_TARGETS:
        return Op.DATE
    return Op.RAW if kind in _RAW_KINDS or kind in _DATE_KINDS else Op.TEXT
