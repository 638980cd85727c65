"""Casts that both servers do alike."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from mainstem.connectors.mysql.expressions.sorts import (
    EXACT,
    Context,
    Rule,
    Sort,
    call,
    column_type,
    grouped,
    like,
    mark,
    scale_of,
    sort_of,
)
from mainstem.errors import PlanError

_NUMERAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")
_MOMENT = re.compile(r"(?!0000)\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?(\+00(?::?00)?|Z)?")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?")
_HEX = re.compile(r"\\x((?:[0-9A-Fa-f]{2})*)")
_DIGITS_OF_TEXT = {Sort.INTEGER, Sort.DATE, Sort.UUID, Sort.TEXT, Sort.ENUM}


def check_moment(text: str) -> None:
    """`PlanError` for a literal that the servers may read differently, or that is no moment here."""
    if not _MOMENT.fullmatch(text) and not _TIME.fullmatch(text):
        raise PlanError("a date is written in a form that the servers may read differently")


def _cast(node: exp.Expr, context: Context) -> exp.Expr:
    inner: exp.Expr = node.this
    to: exp.Expr = node.args["to"]
    if not isinstance(to, exp.DataType):
        raise PlanError("such a cast has no translation")
    if sort_of(inner) is Sort.NULL:
        return inner
    make = _CASTS.get(to.this)
    if make is None:
        raise PlanError(f"a cast to {to.sql('postgres').lower()} has no translation")
    return make(inner, to)


def _refused(node: exp.Expr, to: exp.Expr) -> PlanError:
    return PlanError(f"a cast of {sort_of(node).value} to {to.sql('postgres').lower()} has no translation")


def _to_text(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    length = to.expressions[0].this if to.expressions else None
    made = as_text(node, to)
    return call("LEFT", Sort.TEXT, made, length) if length is not None else made


def as_text(node: exp.Expr, to: exp.Expr | None = None) -> exp.Expr:
    """The node as the text that both servers write for it; `PlanError` where they write it differently."""
    sort = sort_of(node)
    if sort in (Sort.STRING, Sort.TEXT, Sort.NULL):
        return mark(node, Sort.TEXT)
    if sort is Sort.BOOLEAN:
        branches = [exp.If(this=node, true=exp.Literal.string("true"))]
        negative = exp.If(this=exp.Not(this=grouped(node.copy())), true=exp.Literal.string("false"))
        return mark(exp.Case(ifs=[*branches, negative]), Sort.TEXT)
    known = column_type(node)
    if sort in _DIGITS_OF_TEXT or (sort is Sort.DECIMAL and known is not None and known.type.precision is not None):
        return mark(exp.Cast(this=node, to=exp.DataType.build("char")), Sort.TEXT)
    raise PlanError(f"the servers write {sort.value} as text differently")


def _to_integer(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    sort = sort_of(node)
    if sort is Sort.STRING and re.fullmatch(r"[-+]?\d+", node.name):
        return _numeral(node.name, Sort.INTEGER)
    if sort in (Sort.INTEGER, Sort.BOOLEAN):
        return mark(node, Sort.INTEGER)
    if sort is Sort.DECIMAL:
        return mark(exp.Cast(this=node, to=exp.DataType.build("bigint", dialect="mysql")), Sort.INTEGER)
    raise _refused(node, to)


def _numeral(text: str, sort: Sort) -> exp.Expr:
    made = exp.Literal.number(text.lstrip("+-"))
    scale = len(text.partition(".")[2])
    mark(made, sort, scale)
    return mark(exp.Neg(this=made), sort, scale) if text.startswith("-") else made


def _to_decimal(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    sort = sort_of(node)
    if sort is Sort.STRING and _NUMERAL.fullmatch(node.name):
        node = _numeral(node.name, Sort.DECIMAL)
        sort = Sort.DECIMAL
    if sort not in EXACT:
        raise _refused(node, to)
    if not to.expressions:
        return mark(node, Sort.DECIMAL, scale_of(node))
    digits = [int(part.name) for part in to.expressions]
    scale = digits[1] if len(digits) > 1 else 0
    if digits[0] > 65 or not 0 <= scale <= min(30, digits[0]):
        raise _refused(node, to)
    return mark(exp.Cast(this=node, to=exp.DataType.build(f"decimal({digits[0]},{scale})")), Sort.DECIMAL, scale)


def _to_double(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    sort = sort_of(node)
    if sort is Sort.FLOAT:
        return node
    if sort is Sort.STRING and _NUMERAL.fullmatch(node.name):
        node, sort = _numeral(node.name, Sort.DECIMAL), Sort.DECIMAL
    if sort not in EXACT:
        raise _refused(node, to)
    return mark(exp.Cast(this=node, to=exp.DataType.build("double")), Sort.FLOAT)


def _to_boolean(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    sort = sort_of(node)
    if sort is Sort.STRING and node.name.lower() in ("t", "true", "f", "false"):
        return mark(exp.Boolean(this=node.name.lower().startswith("t")), Sort.BOOLEAN)
    if sort is Sort.INTEGER:
        return mark(exp.NEQ(this=grouped(node), expression=exp.Literal.number(0)), Sort.BOOLEAN)
    if sort is Sort.BOOLEAN:
        return node
    raise _refused(node, to)


def _to_date(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    sort = sort_of(node)
    if sort is Sort.STRING and re.fullmatch(r"(?!0000)\d{4}-\d\d-\d\d", node.name):
        return mark(exp.Cast(this=node, to=exp.DataType.build("date")), Sort.DATE)
    if sort is Sort.TIMESTAMP:
        return call("DATE", Sort.DATE, node)
    if sort is Sort.DATE:
        return node
    if sort is Sort.INSTANT and isinstance(node, exp.Anonymous):  # now()
        return call("CURRENT_DATE", Sort.DATE)
    raise _refused(node, to)


def _to_moment(target: Sort) -> Callable[[exp.Expr, exp.Expr], exp.Expr]:
    def convert(node: exp.Expr, to: exp.Expr) -> exp.Expr:
        sort = sort_of(node)
        found = _MOMENT.fullmatch(node.name) if sort is Sort.STRING else None
        if found and bool(found[1]) == (target is Sort.INSTANT):
            text = node.name[: found.start(1)] if found[1] else node.name
            return mark(exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build("datetime(6)", "mysql")), target)
        if sort is target and not to.expressions:
            return node
        if sort is Sort.DATE and target is Sort.TIMESTAMP:
            return call("TIMESTAMP", Sort.TIMESTAMP, node)
        if sort is Sort.INSTANT and isinstance(node, exp.Anonymous):
            return call("NOW", Sort.TIMESTAMP, *node.expressions)
        raise _refused(node, to)

    return convert


def _to_time(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    if sort_of(node) is Sort.STRING and _TIME.fullmatch(node.name):
        return mark(exp.Cast(this=node, to=exp.DataType.build("time(6)", "mysql")), Sort.TIME)
    if sort_of(node) is Sort.TIME and not to.expressions:
        return node
    raise _refused(node, to)


def _to_bytes(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    found = _HEX.fullmatch(node.name) if sort_of(node) is Sort.STRING else None
    if found is None:
        raise _refused(node, to)
    return mark(exp.HexString(this=found[1]), Sort.BINARY) if found[1] else mark(exp.Literal.string(""), Sort.BINARY)


def _to_label(sort: Sort) -> Callable[[exp.Expr, exp.Expr], exp.Expr]:
    """What is written out as a string stays one: an enum's label, JSON, a UUID, an array."""

    def convert(node: exp.Expr, to: exp.Expr) -> exp.Expr:
        if sort_of(node) in (Sort.STRING, sort):
            return node
        raise _refused(node, to)

    return convert


def _to_bits(node: exp.Expr, to: exp.Expr) -> exp.Expr:
    if sort_of(node) is Sort.BITS:
        return like(node, node)
    raise _refused(node, to)


_T = exp.DType
_CASTS: dict[exp.DType, Callable[[exp.Expr, exp.Expr], exp.Expr]] = {
    **dict.fromkeys((_T.TEXT, _T.VARCHAR), _to_text),
    **dict.fromkeys((_T.SMALLINT, _T.INT, _T.BIGINT), _to_integer),
    _T.DECIMAL: _to_decimal,
    _T.DOUBLE: _to_double,
    _T.BOOLEAN: _to_boolean,
    _T.DATE: _to_date,
    _T.TIMESTAMP: _to_moment(Sort.TIMESTAMP),
    _T.TIMESTAMPTZ: _to_moment(Sort.INSTANT),
    _T.TIME: _to_time,
    _T.VARBINARY: _to_bytes,
    _T.BIT: _to_bits,
    _T.USERDEFINED: _to_label(Sort.ENUM),
    **dict.fromkeys((_T.JSON, _T.JSONB), _to_label(Sort.JSON)),
    _T.UUID: _to_label(Sort.UUID),
    **dict.fromkeys((_T.ARRAY, _T.INET, _T.INTERVAL, _T.MONEY, _T.XML), _to_label(Sort.FOREIGN)),
}
RULES: dict[type[exp.Expr], Rule] = {exp.Cast: _cast}
