"""Aggregates, windows and what else is a function."""

from __future__ import annotations

from sqlglot import exp

from mainstem.connectors.mysql.expressions.sorts import (
    EXACT,
    MOMENTS,
    NUMBERS,
    Context,
    Rule,
    Sort,
    call,
    each,
    like,
    mark,
    sort_of,
    want,
)
from mainstem.contract.dialect import Use
from mainstem.errors import PlanError

_ORDERED = frozenset({*NUMBERS, *MOMENTS, Sort.INSTANT, Sort.TIME})


def _uuid(node: exp.Expr, context: Context) -> exp.Expr:
    if context.use is not Use.VALUE:
        raise PlanError("a random UUID cannot stand in what is stored or checked")
    return call("UUID", Sort.UUID)


def _random(node: exp.Expr, context: Context) -> exp.Expr:
    if context.use is not Use.VALUE:
        raise PlanError("a random number cannot stand in what is stored or checked")
    return call("RAND", Sort.FLOAT)


def _count(node: exp.Expr, context: Context) -> exp.Expr:
    if isinstance(node.this, exp.Distinct):
        want(node.this.expressions[0], {*_ORDERED, Sort.TEXT, Sort.UUID, Sort.ENUM, Sort.BOOLEAN}, "counting values")
    return mark(node, Sort.INTEGER)


def _sum(node: exp.Expr, context: Context) -> exp.Expr:
    return like(node, want(node.this, EXACT, "a sum"))


def _extreme(node: exp.Expr, context: Context) -> exp.Expr:
    return like(node, want(node.this, _ORDERED, "the least or greatest"))


def _all(name: str) -> Rule:
    """bool_and and bool_or."""
    return lambda node, context: call(name, Sort.BOOLEAN, want(node.this, {Sort.BOOLEAN}, "the aggregate"))


def _filter(node: exp.Expr, context: Context) -> exp.Expr:
    """``count(x) FILTER (WHERE c)``: the aggregate of x where c, and of null elsewhere."""
    inner, condition = node.this, node.expression.this
    if not isinstance(inner, (exp.Count, exp.Sum, exp.Min, exp.Max)) or isinstance(inner.this, exp.Distinct):
        raise PlanError("FILTER of such an aggregate has no translation")
    value = exp.Literal.number(1) if isinstance(inner.this, exp.Star) else inner.this
    inner.set("this", exp.Case(ifs=[exp.If(this=condition, true=value)]))
    return inner


def _distinct(node: exp.Expr, context: Context) -> exp.Expr:
    if node.args.get("on") is not None:
        raise PlanError("DISTINCT ON has no translation")
    return node


def _window(node: exp.Expr, context: Context) -> exp.Expr:
    order = node.args.get("order")
    for item in order.expressions if order is not None else []:
        want(item, _ORDERED, "a window's order")
    for item in node.args.get("partition_by") or []:
        if sort_of(item) in (Sort.UNKNOWN, Sort.FOREIGN, Sort.JSON):
            raise PlanError("a window over such values has no translation")
    if node.args.get("spec") is not None:
        raise PlanError("a window's frame has no translation")
    return like(node, node.this)


def _rank(node: exp.Expr, context: Context) -> exp.Expr:
    return mark(node, Sort.INTEGER)


RULES: dict[type[exp.Expr], Rule] = {
    exp.Uuid: _uuid,
    exp.Rand: _random,
    exp.Count: _count,
    exp.Sum: _sum,
    exp.LogicalAnd: _all("MIN"),
    exp.LogicalOr: _all("MAX"),
    exp.Filter: _filter,
    exp.Distinct: _distinct,
    exp.Window: _window,
    **each(_extreme, exp.Min, exp.Max),
    **each(_rank, exp.RowNumber, exp.Rank, exp.DenseRank),
}
