"""The shape of queries."""

from __future__ import annotations

from sqlglot import exp

from mainstem.connectors.mysql.expressions.sorts import Context, Rule, Sort, each, like, mark, sort_of
from mainstem.errors import PlanError

_NO_LIMIT = "18446744073709551615"  # MySQL has no OFFSET without a LIMIT


def _condition(node: exp.Expr, context: Context) -> exp.Expr:
    if sort_of(node.this) not in (Sort.BOOLEAN, Sort.NULL):
        raise PlanError(f"{sort_of(node.this).value} stands where a condition belongs")
    return node


def _join(node: exp.Expr, context: Context) -> exp.Expr:
    if (node.args.get("side") or "").upper() == "FULL" or node.args.get("method"):
        raise PlanError("FULL and NATURAL joins have no translation")
    condition = node.args.get("on")
    if condition is not None and sort_of(condition) is not Sort.BOOLEAN:
        raise PlanError("a join's condition is no truth value")
    return node


def _select(node: exp.Expr, context: Context) -> exp.Expr:
    """A select; rows that are cut off by their order must be in the same order on both servers."""
    for projection in node.expressions:
        if sort_of(projection) is Sort.QUOTIENT:
            raise PlanError("a quotient that is not rounded has other digits here")
    order = node.args.get("order")
    limited = node.args.get("limit") is not None or node.args.get("offset") is not None
    if limited and order is not None and any(sort_of(item) in _LOOSE for item in order.expressions):
        raise PlanError("rows are cut off in an order of text, which the servers differ in")
    if node.args.get("offset") is not None and node.args.get("limit") is None:
        node.set("limit", exp.Limit(expression=exp.Literal.number(_NO_LIMIT)))
    if node.args.get("locks") or node.args.get("into") or node.args.get("laterals"):
        raise PlanError("such a query has no translation")
    return node


_LOOSE = (Sort.TEXT, Sort.ENUM, Sort.UNKNOWN, Sort.FOREIGN, Sort.JSON)


def _subquery(node: exp.Expr, context: Context) -> exp.Expr:
    projections = getattr(node.this, "selects", [])
    return like(node, projections[0]) if len(projections) == 1 else mark(node, Sort.UNKNOWN)


def _table(node: exp.Expr, context: Context) -> exp.Expr:
    if node.args.get("sample") is not None or node.args.get("only"):
        raise PlanError("such a table reference has no translation")
    return node


def _set_operation(node: exp.Expr, context: Context) -> exp.Expr:
    if not isinstance(node, exp.Union) and not context.traits.since(mariadb=(10, 3, 0), mysql=(8, 0, 31)):
        raise PlanError("this server has neither EXCEPT nor INTERSECT")
    return node


def _plain(node: exp.Expr, context: Context) -> exp.Expr:
    return node


RULES: dict[type[exp.Expr], Rule] = {
    exp.Select: _select,
    exp.Join: _join,
    exp.Subquery: _subquery,
    exp.Table: _table,
    **each(_condition, exp.Where, exp.Having),
    **each(_set_operation, exp.Union, exp.Except, exp.Intersect),
    **each(_plain, exp.From, exp.Group, exp.Order, exp.Limit, exp.Offset, exp.With, exp.CTE, exp.Tuple, exp.WindowSpec),
}
