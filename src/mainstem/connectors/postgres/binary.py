"""Which columns can be sent in COPY's binary format, and how.

A binary field must be exactly what the receiving type's own function expects, so only combinations that are known for
sure are listed; a table with any other column is sent as text, which every type reads.
"""

from __future__ import annotations

from mainstem.connectors.postgres.types import base_name, is_array
from mainstem.model.plan import ColumnPlan
from mainstem.model.types import Kind
from mainstem.native.ops import BinaryOp

_TEXTS = dict.fromkeys(("text", "varchar", "character varying", "char", "character"), BinaryOp.TEXT)
_INTEGERS = {
    "smallint": BinaryOp.INT2,
    "integer": BinaryOp.INT4,
    "int": BinaryOp.INT4,
    "bigint": BinaryOp.INT8,
    "numeric": BinaryOp.NUMERIC,
    "decimal": BinaryOp.NUMERIC,
}
_OPS: dict[Kind, dict[str, BinaryOp]] = {
    Kind.BOOLEAN: {"boolean": BinaryOp.BOOL},
    Kind.INTEGER: _INTEGERS,
    Kind.YEAR: _INTEGERS,
    Kind.DECIMAL: {"numeric": BinaryOp.NUMERIC, "decimal": BinaryOp.NUMERIC},
    Kind.FLOAT: {"real": BinaryOp.FLOAT4, "double precision": BinaryOp.FLOAT8},
    Kind.TEXT: _TEXTS,
    Kind.ENUM: _TEXTS,
    Kind.SET: _TEXTS,
    Kind.JSON: {"jsonb": BinaryOp.JSONB, "json": BinaryOp.TEXT, **_TEXTS},
    Kind.UUID: {"uuid": BinaryOp.UUID},
    Kind.BINARY: {"bytea": BinaryOp.BYTEA},
    Kind.BITS: {"boolean": BinaryOp.BIT_BOOL, "bit": BinaryOp.BITS},
    Kind.DATE: {"date": BinaryOp.DATE},
    Kind.TIME: {"time": BinaryOp.TIME},
    Kind.INTERVAL: {"interval": BinaryOp.INTERVAL},
    Kind.TIMESTAMP: {"timestamp": BinaryOp.TIMESTAMP},
    Kind.INSTANT: {"timestamp": BinaryOp.TIMESTAMP},
    Kind.GEOMETRY: {"bytea": BinaryOp.EWKB, "geometry": BinaryOp.EWKB},
}


def binary_op(column: ColumnPlan) -> BinaryOp | None:
    """How the column is sent in binary format; None when only text will do."""
    kind, written = column.type.kind, column.target_type
    target = base_name(written)
    if kind is Kind.SET and is_array(written):
        return BinaryOp.SET_ARRAY if target == "text" else None
    if is_array(written):
        return None
    if kind is Kind.ENUM and '"' in written:  # a quoted name: the enum type that the plan makes for this column
        return BinaryOp.TEXT
    return _OPS.get(kind, {}).get(target.rsplit(".", 1)[-1])
