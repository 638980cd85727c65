"""Turns the row filters of a table's selection into a condition of the source's SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from mainstem.control.config_body import Filter

Value = str | int | float | bool
_ESCAPE = "!"  # not the backslash: the two systems disagree on whether that needs doubling


def condition_of(filters: Sequence[Filter], sql_dialect: str) -> str:
    """All filters joined by AND; empty without filters.

    Args:
        sql_dialect: the source's name in sqlglot, which decides how names and texts are quoted.

    Raises:
        ValueError: an operator that is not known, or a value that does not fit it; the text begins with the path of
            the offending member.
    """
    conditions = [_condition(item, number) for number, item in enumerate(filters)]
    if not conditions:
        return ""
    return exp.and_(*conditions).sql(dialect=sql_dialect or None)


def _condition(item: Filter, number: int) -> exp.Condition:
    build = _OPERATORS.get(" ".join(item.operator.upper().replace("_", " ").split()))
    if build is None:
        raise ValueError(f"filters[{number}].operator must be one of {', '.join(_OPERATORS)}")
    try:
        return build(exp.column(exp.to_identifier(item.column, quoted=True)), item.value)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"filters[{number}].value {exc}") from exc


def _literal(value: object) -> exp.Condition:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, (int, float)):
        return exp.Literal.number(str(value))
    if isinstance(value, str):
        return exp.Literal.string(value)
    raise ValueError("must be a text or a number")


def _compare(kind: type[exp.Binary]) -> Callable[[exp.Column, object], exp.Condition]:
    return lambda column, value: kind(this=column, expression=_literal(value))


def _negated(
    build: Callable[[exp.Column, object], exp.Condition],
) -> Callable[[exp.Column, object], exp.Condition]:
    return lambda column, value: exp.Not(this=exp.Paren(this=build(column, value)))


def _part(before: str, after: str) -> Callable[[exp.Column, object], exp.Condition]:
    """LIKE with the value's own wildcards taken literally."""

    def build(column: exp.Column, value: object) -> exp.Condition:
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise ValueError("must be a text")
        text = str(value)
        for special in (_ESCAPE, "%", "_"):
            text = text.replace(special, _ESCAPE + special)
        like = exp.Like(this=_as_text(column), expression=exp.Literal.string(before + text + after))
        return exp.Escape(this=like, expression=exp.Literal.string(_ESCAPE))

    return build


def _like(column: exp.Column, value: object) -> exp.Condition:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return exp.Like(this=_as_text(column), expression=exp.Literal.string(value))


def _as_text(column: exp.Column) -> exp.Condition:
    return exp.cast(column, "text")


def _listed(value: object) -> list[object]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, list):
        return list(value)
    raise ValueError("must be a list, or text with commas")


def _in(column: exp.Column, value: object) -> exp.Condition:
    values = _listed(value)
    if not values:
        raise ValueError("must hold at least one value")
    return exp.In(this=column, expressions=[_literal(one) for one in values])


def _between(column: exp.Column, value: object) -> exp.Condition:
    values = _listed(value)
    if len(values) != 2:
        raise ValueError("must hold two values")
    return exp.Between(this=column, low=_literal(values[0]), high=_literal(values[1]))


def _is_null(column: exp.Column, _value: object) -> exp.Condition:
    return exp.Is(this=column, expression=exp.Null())


_OPERATORS: dict[str, Callable[[exp.Column, object], exp.Condition]] = {
    "=": _compare(exp.EQ),
    "!=": _compare(exp.NEQ),
    "<": _compare(exp.LT),
    "<=": _compare(exp.LTE),
    ">": _compare(exp.GT),
    ">=": _compare(exp.GTE),
    "CONTAINS": _part("%", "%"),
    "NOT CONTAINS": _negated(_part("%", "%")),
    "STARTS WITH": _part("", "%"),
    "ENDS WITH": _part("%", ""),
    "LIKE": _like,
    "NOT LIKE": _negated(_like),
    "IN": _in,
    "NOT IN": _negated(_in),
    "BETWEEN": _between,
    "IS NULL": _is_null,
    "IS NOT NULL": _negated(_is_null),
}
