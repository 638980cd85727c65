"""What only PostgreSQL writes, said in forms that every system's translator understands."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from mainstem.ddl.trees import rebuild
from mainstem.errors import PlanError

_REGCLASS = re.compile(r'(?:(?:"((?:[^"]|"")+)"|(\w+))\.)?(?:"((?:[^"]|"")+)"|(\w+))')
_TEXTS = (exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.BPCHAR)


def neutral(tree: exp.Expr) -> exp.Expr:
    """The tree without casts of literals to text, ``= ANY (ARRAY…)``, ``regclass``, collations and the like.

    Collations decide the order of text, which no translator lets through.
    """
    return rebuild(tree, _change)


def _change(node: exp.Expr) -> exp.Expr:
    change = _CHANGES.get(type(node))
    return change(node) if change else node


def _cast(node: exp.Expr) -> exp.Expr:
    inner, to = node.this, node.args["to"]
    written = isinstance(inner, exp.Literal) and inner.is_string
    if written and isinstance(to, exp.DataType) and to.this in _TEXTS and not to.expressions:
        text: exp.Expr = inner
        return text
    return node


def _escaped(node: exp.Expr) -> exp.Expr:
    """``E'…'``."""
    return exp.Literal.string(node.name)


def _any(node: exp.Expr) -> exp.Expr:
    """``x = ANY (ARRAY[…])``."""
    items = _items(node.expression, exp.Any, "ANY")
    return node if items is None else exp.In(this=node.this, expressions=items)


def _all(node: exp.Expr) -> exp.Expr:
    """``x <> ALL (ARRAY[…])``."""
    items = _items(node.expression, exp.All, "ALL")
    return node if items is None else exp.Not(this=exp.In(this=node.this, expressions=items))


def _items(node: exp.Expr, quantifier: type[exp.Expr], name: str) -> list[exp.Expr] | None:
    """The elements of the array behind ANY or ALL, without the casts around it."""
    if isinstance(node, quantifier):
        inner = node.this
    elif isinstance(node, exp.Anonymous) and node.name.upper() == name and len(node.expressions) == 1:
        inner = node.expressions[0]
    else:
        return None
    while isinstance(inner, (exp.Paren, exp.Cast)):
        inner = inner.this
    return list(inner.expressions) if isinstance(inner, exp.Array) and inner.expressions else None


def _collate(node: exp.Expr) -> exp.Expr:
    inner: exp.Expr = node.this
    return inner


def _unit(node: exp.Expr) -> exp.Expr:
    """``date_part('year', x)`` and ``date_trunc('day', x)``: their units come as text."""
    key = "this" if isinstance(node, exp.Extract) else "unit"
    unit = node.args.get(key)
    if isinstance(unit, exp.Literal):
        node.set(key, exp.var(unit.name.upper()))
    return node


def _interval(node: exp.Expr) -> exp.Expr:
    """``'1 day'::interval`` as INTERVAL '1 day'."""
    if isinstance(node.this, exp.Literal) and isinstance(node.args["to"], exp.DataType):
        return exp.Interval(this=node.this)
    return node


def _casts(node: exp.Expr) -> exp.Expr:
    to = node.args["to"]
    if isinstance(to, exp.DataType) and to.this is exp.DType.INTERVAL:
        return _interval(node)
    return _cast(node)


def _anonymous(node: exp.Expr) -> exp.Expr:
    change = _FUNCTIONS.get(node.name.lower())
    return change(node) if change else node


def _next_value(node: exp.Expr) -> exp.Expr:
    name = node.expressions[0]
    while isinstance(name, exp.Cast):
        name = name.this
    found = _REGCLASS.fullmatch(name.name) if isinstance(name, exp.Literal) else None
    if found is None:
        raise PlanError("the sequence's name is not written out")
    schema, own = (found[1] or found[2] or ""), (found[3] or found[4])
    table = exp.to_table(own.replace('""', '"'), quoted=True) if not schema else None
    return exp.NextValueFor(
        this=table
        or exp.Table(
            this=exp.to_identifier(own.replace('""', '"'), quoted=True),
            db=exp.to_identifier(schema.replace('""', '"'), quoted=True),
        )
    )


def _zone(node: exp.Expr) -> exp.Expr:
    zone, moment = node.expressions
    return exp.AtTimeZone(this=moment, zone=zone)


def _byte_length(node: exp.Expr) -> exp.Expr:
    return exp.Length(this=node.expressions[0], binary=True)


def _moment(node: exp.Expr) -> exp.Expr:
    return exp.CurrentTimestamp()


def _uuid(node: exp.Expr) -> exp.Expr:
    return exp.Uuid()


def _row(node: exp.Expr) -> exp.Expr:
    return exp.Tuple(expressions=node.expressions)


_FUNCTIONS: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "nextval": _next_value,
    "timezone": _zone,
    "octet_length": _byte_length,
    "clock_timestamp": _moment,
    "statement_timestamp": _moment,
    "transaction_timestamp": _moment,
    "uuid_generate_v4": _uuid,
    "row": _row,
}
_CHANGES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Cast: _casts,
    exp.ByteString: _escaped,
    exp.EQ: _any,
    exp.NEQ: _all,
    exp.Collate: _collate,
    exp.Extract: _unit,
    exp.TimestampTrunc: _unit,
    exp.DateTrunc: _unit,
    exp.Anonymous: _anonymous,
}
