"""Arithmetic that both servers do alike: integers, decimals of limited scale, and floating-point numbers."""

from __future__ import annotations

from sqlglot import exp

from mainstem.connectors.mysql.expressions.dates import shifted
from mainstem.connectors.mysql.expressions.sorts import (
    EXACT,
    MAX_SCALE,
    MOMENTS,
    NUMBERS,
    Context,
    Rule,
    Sort,
    call,
    each,
    grouped,
    mark,
    scale_of,
    sort_of,
    want,
    whole_number,
)
from mainstem.errors import PlanError

_ROUNDED = 6  # digits up to which a quotient of 30 digits is rounded as one of PostgreSQL's 16 and more


def _widest(node: exp.Expr, *operands: exp.Expr, scale: int) -> exp.Expr:
    if scale > MAX_SCALE:
        raise PlanError(f"a decimal of more than {MAX_SCALE} digits behind the point would be cut off here")
    sorts = {sort_of(operand) for operand in operands}
    widest = next((sort for sort in (Sort.FLOAT, Sort.DECIMAL) if sort in sorts), Sort.INTEGER)
    return mark(node, widest, scale)


def _add(node: exp.Expr, context: Context) -> exp.Expr:
    left, right = node.this, node.expression
    if {sort_of(left), sort_of(right)} & {*MOMENTS, Sort.INSTANT}:
        return shifted(node, left, right)
    for operand in (left, right):
        want(operand, NUMBERS, "arithmetic")
    return _widest(node, left, right, scale=max(scale_of(left), scale_of(right)))


def _multiply(node: exp.Expr, context: Context) -> exp.Expr:
    left, right = (want(operand, NUMBERS, "arithmetic") for operand in (node.this, node.expression))
    return _widest(node, left, right, scale=scale_of(left) + scale_of(right))


def _divide(node: exp.Expr, context: Context) -> exp.Expr:
    left, right = (want(operand, NUMBERS, "division") for operand in (node.this, node.expression))
    if sort_of(left) is sort_of(right) is Sort.INTEGER:
        return mark(exp.IntDiv(this=grouped(left), expression=grouped(right)), Sort.INTEGER)
    if Sort.FLOAT in (sort_of(left), sort_of(right)):
        return mark(exp.Div(this=grouped(left), expression=grouped(right), typed=True), Sort.FLOAT)
    made = exp.Div(this=_long(left), expression=grouped(right))
    return mark(made, Sort.QUOTIENT, MAX_SCALE)


def _long(node: exp.Expr) -> exp.Expr:
    """A dividend whose quotient has 30 digits behind the point."""
    return mark(exp.Cast(this=node, to=exp.DataType.build(f"decimal(65,{MAX_SCALE})")), Sort.DECIMAL, MAX_SCALE)


def _modulo(node: exp.Expr, context: Context) -> exp.Expr:
    left, right = (want(operand, EXACT, "a remainder") for operand in (node.this, node.expression))
    node.set("this", grouped(left))
    node.set("expression", grouped(right))
    return _widest(node, left, right, scale=max(scale_of(left), scale_of(right)))


def _negative(node: exp.Expr, context: Context) -> exp.Expr:
    return _widest(node, want(node.this, NUMBERS, "arithmetic"), scale=scale_of(node.this))


def _average(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, EXACT, "an average")
    made = exp.Div(this=_long(exp.Sum(this=node.this)), expression=exp.Count(this=node.this.copy()))
    return mark(made, Sort.QUOTIENT, MAX_SCALE)


def _round(node: exp.Expr, context: Context) -> exp.Expr:
    inner, decimals = node.this, node.args.get("decimals")
    digits = whole_number(decimals, "the number of digits") if decimals is not None else 0
    want(inner, {*EXACT, Sort.QUOTIENT}, "rounding")
    if sort_of(inner) is Sort.QUOTIENT and digits > _ROUNDED:
        raise PlanError("a quotient is rounded to so many digits that the servers may differ")
    made = exp.Round(this=inner, decimals=exp.Literal.number(digits))
    return mark(made, Sort.DECIMAL, min(digits, scale_of(inner)))


def _truncate(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, EXACT, "truncation")
    digits = whole_number(node.args["decimals"], "the number of digits") if node.args.get("decimals") else 0
    return call("TRUNCATE", Sort.DECIMAL, node.this, exp.Literal.number(digits), scale=digits)


def _whole(node: exp.Expr, context: Context) -> exp.Expr:
    """CEIL and FLOOR."""
    sort = sort_of(want(node.this, NUMBERS, "rounding"))
    return mark(node, sort)


def _absolute(node: exp.Expr, context: Context) -> exp.Expr:
    return _widest(node, want(node.this, NUMBERS, "an absolute value"), scale=scale_of(node.this))


def _sign(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, NUMBERS, "a sign")
    return mark(node, Sort.DECIMAL)


def _extreme(node: exp.Expr, context: Context) -> exp.Expr:
    """GREATEST and LEAST: PostgreSQL leaves nulls out, so each argument falls back on the others."""
    values = [node.this, *node.expressions]
    sorts = {sort_of(value) for value in values} - {Sort.NULL}
    if not (sorts <= NUMBERS or (len(sorts) == 1 and sorts <= {*MOMENTS, Sort.INSTANT, Sort.TIME})):
        raise PlanError("GREATEST and LEAST of such values have no translation")
    filled = [
        exp.Coalesce(this=value.copy(), expressions=[other.copy() for other in values if other is not value])
        for value in values
    ]
    made = type(node)(this=filled[0], expressions=filled[1:])
    return mark(made, next(iter(sorts), Sort.NULL), max(map(scale_of, values)))


RULES: dict[type[exp.Expr], Rule] = {
    exp.Mul: _multiply,
    exp.Div: _divide,
    exp.Mod: _modulo,
    exp.Neg: _negative,
    exp.Round: _round,
    exp.Trunc: _truncate,
    exp.Avg: _average,
    exp.Abs: _absolute,
    exp.Sign: _sign,
    **each(_add, exp.Add, exp.Sub),
    **each(_whole, exp.Ceil, exp.Floor),
    **each(_extreme, exp.Greatest, exp.Least),
}
