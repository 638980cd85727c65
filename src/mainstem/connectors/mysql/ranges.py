"""Ranges of a key as conditions of MySQL's SQL. Pure."""

from __future__ import annotations

from mainstem.connectors.mysql.dialect import MysqlDialect

Bound = tuple[tuple[str, str], ...]
"""Column and literal, for the first columns of a key; empty is no bound."""

_DIALECT = MysqlDialect()


def between(lower: Bound, upper: Bound) -> str:
    """Rows behind ``lower`` up to ``upper``, as a condition; empty when there is no bound.

    A bound of fewer columns stands behind all rows that begin with it. Columns in which both agree become equalities,
    and the rest is nested: of this form the optimizer makes ranges of all columns, which it does not of
    ``(a, b) > (x, y)`` (MySQL manual, "Range Optimization of Row Constructor Expressions").
    """
    same = 0
    while same < min(len(lower), len(upper)) and lower[same] == upper[same]:
        same += 1
    parts = [f"{_DIALECT.quote(name)} = {literal}" for name, literal in lower[:same]]
    parts += [_nested(">", lower[same:])] if lower[same:] else []
    parts += [_nested("<=", upper[same:])] if upper[same:] else []
    return " AND ".join(parts)


def _nested(sign: str, bound: Bound) -> str:
    (name, literal), *rest = bound
    column = _DIALECT.quote(name)
    if not rest:
        return f"{column} {sign} {literal}"
    return f"({column} {sign[0]} {literal} OR ({column} = {literal} AND {_nested(sign, tuple(rest))}))"
