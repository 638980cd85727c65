"""SELECTs whose GROUP BY leaves columns open: MySQL takes a value from any row, PostgreSQL wants to be told."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from mainstem.connectors.postgres.expressions.sorts import TIMES, Sort, mark, sort_of
from mainstem.contract.dialect import PRIMARY_KEY

_ORDERED = frozenset({Sort.NUMBER, Sort.FLOAT, Sort.TEXT, Sort.ENUM, Sort.OTHER, *TIMES})


def settle(select: exp.Expr) -> exp.Expr:
    """The SELECT with an aggregate around each column that is neither grouped nor determined by a grouped key."""
    group = select.args.get("group")
    keys = list(group.expressions) if group is not None else []
    parts = [*select.expressions, *_order(select), *([select.args["having"]] if select.args.get("having") else [])]
    if not keys and not any(_own_aggregates(part) for part in select.expressions):
        return select
    determined = _determined(select, keys)
    for part in parts:
        _wrap(part, keys, determined)
    return select


def _order(select: exp.Expr) -> list[exp.Expr]:
    order = select.args.get("order")
    if order is None:
        return []
    names = {projection.alias for projection in select.expressions if projection.alias}
    return [item for item in order.expressions if not _is_alias(item.this, names)]


def _is_alias(node: exp.Expr, names: set[str]) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name in names


def _own_aggregates(node: exp.Expr) -> bool:
    """Whether this SELECT aggregates in the node, subqueries left aside."""
    if isinstance(node, (exp.Select, exp.Window)):
        return False
    if isinstance(node, exp.AggFunc):
        return True
    return any(_own_aggregates(child) for child in _children(node))


def _children(node: exp.Expr) -> Iterable[exp.Expr]:
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, exp.Expr))


def tables_of(select: exp.Expr) -> Iterable[exp.Expr]:
    """The tables and derived tables that a SELECT's own FROM names, through brackets and joins."""
    for key in ("from_", "joins"):
        for item in _items(select.args.get(key)):
            yield from _sources(item.this)


def _items(value: object) -> list[exp.Expr]:
    if isinstance(value, exp.Expr):
        return [value]
    return [item for item in value if isinstance(item, exp.Expr)] if isinstance(value, list) else []


def _sources(node: exp.Expr) -> Iterable[exp.Expr]:
    """A table, a derived table, or a bracketed join of such."""
    bracket = isinstance(node, exp.Subquery)
    if bracket and (not isinstance(node.this, exp.Query) or (isinstance(node.this, exp.Subquery) and not node.alias)):
        yield from _sources(node.this)
    else:
        yield node
    for join in _items(node.args.get("joins")):
        yield from _sources(join.this)


def _determined(select: exp.Expr, keys: list[exp.Expr]) -> set[str]:
    """Names of the tables whose whole primary key is grouped by."""
    grouped = {(key.table, key.name) for key in keys if isinstance(key, exp.Column)}
    found = set()
    for table in tables_of(select):
        name = table.alias_or_name
        key = table.meta.get(PRIMARY_KEY, ())
        if key and all((name, column) in grouped for column in key):
            found.add(name)
    return found


def _wrap(node: exp.Expr, keys: list[exp.Expr], determined: set[str]) -> None:
    if isinstance(node, (exp.AggFunc, exp.Select, exp.Subquery)) or node in keys:
        return
    if isinstance(node, exp.Column):
        if node.table not in determined:
            node.replace(_any_value(node))
        return
    for child in list(_children(node)):
        _wrap(child, keys, determined)


def _any_value(node: exp.Expr) -> exp.Expr:
    """Any row's value; PostgreSQL has ANY_VALUE only since 16, and MIN only for what has an order."""
    sort = sort_of(node)
    if sort in _ORDERED:
        return mark(exp.Min(this=node.copy()), sort)
    collected = exp.Paren(this=exp.ArrayAgg(this=node.copy()))
    return mark(exp.Bracket(this=collected, expressions=[exp.Literal.number(1)], offset=1), sort)
