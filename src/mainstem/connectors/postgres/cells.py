"""What a column is read as: the expression that the server prints, and what becomes of its text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.types import Kind
from mainstem.native.ops import CopyOp, LogOp

_MONEY = "money"
_SINGLE_BITS = 32
_BYTES = "bytea"
_PLAIN = frozenset({"text", "character varying", "character", _BYTES})  # whose binary form is the text cell
_PARAMETERS = re.compile(r"\(\d+\)")
_OPS: dict[Kind, CopyOp] = {
    Kind.BOOLEAN: CopyOp.BOOL,
    Kind.BINARY: CopyOp.BYTEA,
    Kind.BITS: CopyOp.BITS,
    Kind.FLOAT: CopyOp.FLOAT8,
    Kind.GEOMETRY: CopyOp.EWKB,
}


def copy_out_op(column: ColumnPlan) -> CopyOp:
    """What the decoder does with the column's text; every kind that is not listed travels as it is printed."""
    if column.type.kind is Kind.FLOAT and column.type.bits == _SINGLE_BITS:
        return CopyOp.FLOAT4
    return _OPS.get(column.type.kind, CopyOp.TEXT)


def expression(column: ColumnPlan, quoted: str) -> str:
    """What to select for a column, so that its text is the kind's text cell.

    Args:
        quoted: the column's name as an identifier.
    """
    if column.type.kind is Kind.INSTANT:
        return f"({quoted} AT TIME ZONE 'UTC')"  # infinities stay what they are
    if column.native == _MONEY and not passes_money(column):
        return f"{quoted}::pg_catalog.numeric"
    return quoted


def as_fields(table: TablePlan) -> bool:
    """Whether decoded rows are read in COPY's binary format: where there are bytes, which its text has in hex."""
    return not table.raw and any(column.native == _BYTES for column in table.columns)


def field(column: ColumnPlan, quoted: str) -> str:
    """What to select for a column of such a table: its text cell, or what its type's output function prints.

    The function ``concat`` calls that one, and is the only one to do so for any type; of null it makes an empty text.
    """
    printed = expression(column, quoted)
    if _is_plain(column):
        return printed
    return f"CASE pg_catalog.num_nulls({printed}) WHEN 0 THEN pg_catalog.concat({printed}) END"


def field_op(column: ColumnPlan) -> CopyOp:
    """What the decoder does with such a field."""
    return CopyOp.TEXT if _is_plain(column) else copy_out_op(column)


def _is_plain(column: ColumnPlan) -> bool:
    return _PARAMETERS.sub("", column.native) in _PLAIN


def passes_money(column: ColumnPlan) -> bool:
    """Whether the column goes from money to money: its text is then read and written by the same locale, ``C``.

    The number of digits behind the point is the locale's, so a number that leaves the type is made by the source's own.
    """
    return column.native == _MONEY and column.target_type == _MONEY


def log_op(column: ColumnPlan, money_digits: int) -> tuple[LogOp, int]:
    """What the log's decoder does with the column's text, and its parameter; the cell is the same as by COPY.

    Args:
        money_digits: how many digits of an amount lie behind its point, by the database's locale.
    """
    if column.type.kind is Kind.INSTANT:
        return LogOp.INSTANT, 0
    if column.native == _MONEY and not passes_money(column):
        return LogOp.MONEY, money_digits
    return LogOp(copy_out_op(column)), 0


def needs_money_digits(columns: Iterable[ColumnPlan]) -> bool:
    """Whether `log_op` asks for them."""
    return any(column.native == _MONEY and not passes_money(column) for column in columns)
