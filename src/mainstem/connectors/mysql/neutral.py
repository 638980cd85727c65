"""What only MySQL and MariaDB know of SQL, said in forms that every system's translator understands."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from mainstem.ddl.trees import rebuild
from mainstem.errors import PlanError

_READABLE = frozenset({"_utf8", "_utf8mb3", "_utf8mb4", "_ascii"})


def neutral(tree: exp.Expr) -> exp.Expr:
    """The tree without charset introducers, collations and charset conversions, and with SQL's own casts.

    Text is UTF-8 and collations are the target's own matter: both are dropped (the report tells of collations).
    """
    return rebuild(tree, _change)


def _change(node: exp.Expr) -> exp.Expr:
    change = _CHANGES.get(type(node))
    return change(node) if change else node


def _introducer(node: exp.Expr) -> exp.Expr:
    charset, value = str(node.this).lower(), node.expression
    if isinstance(value, exp.Literal):
        return value
    if isinstance(value, exp.HexString) and charset == "_binary":
        return value
    if isinstance(value, exp.HexString) and charset in _READABLE:
        return exp.Literal.string(bytes.fromhex(value.name).decode())
    raise PlanError(f"a literal in the character set {charset} is not understood")


def _collate(node: exp.Expr) -> exp.Expr:
    inner: exp.Expr = node.this
    return inner


def _cast(node: exp.Expr) -> exp.Expr:
    to = node.args["to"]
    parameters = [parameter.copy() for parameter in to.expressions]
    if to.this == exp.DType.CHARACTER_SET and to.args.get("kind") and to.args["kind"].name.lower() == "binary":
        raise PlanError("a cast to binary text is not understood")
    if to.this == exp.DType.CHARACTER_SET and not parameters:
        source: exp.Expr = node.this  # CONVERT(x USING y)
        return exp.Cast(this=source, to=exp.DataType.build("text"))
    kind = _CAST_TYPES.get(to.this)
    if kind is not None:
        name, default = kind
        made = exp.DataType(this=name, expressions=parameters or default())
        if not made.expressions and name is exp.DType.VARCHAR:
            made = exp.DataType.build("text")
        node.set("to", made)
    return node


def _digits(*numbers: int) -> Callable[[], list[exp.Expr]]:
    return lambda: [exp.DataTypeParam(this=exp.Literal.number(number)) for number in numbers]


_CAST_TYPES = {
    exp.DType.CHARACTER_SET: (exp.DType.VARCHAR, _digits()),
    exp.DType.CHAR: (exp.DType.VARCHAR, _digits()),
    exp.DType.NCHAR: (exp.DType.VARCHAR, _digits()),
    exp.DType.DECIMAL: (exp.DType.DECIMAL, _digits(10, 0)),
}


def _join(node: exp.Expr) -> exp.Expr:
    """A join without a condition, which MySQL also writes for a comma."""
    if not any(node.args.get(key) for key in ("on", "using", "kind", "side", "method")):
        node.set("kind", "CROSS")
    return node


def _anonymous(node: exp.Expr) -> exp.Expr:
    change = _FUNCTIONS.get(node.name.lower())
    return change(node) if change else node


def _next_value(node: exp.Expr) -> exp.Expr:
    column = node.expressions[0]
    return exp.NextValueFor(this=exp.to_table(column.name, quoted=True) if not column.table else _table(column))


def _table(column: exp.Expr) -> exp.Table:
    return exp.Table(this=column.this.copy(), db=column.args["table"].copy())


def _substring(node: exp.Expr) -> exp.Expr:
    start, *length = node.expressions[1:]
    return exp.Substring(this=node.expressions[0], start=start, length=length[0] if length else None)


def _now(node: exp.Expr) -> exp.Expr:
    return exp.CurrentTimestamp(this=node.expressions[0] if node.expressions else None)


def _json_unquote(node: exp.Expr) -> exp.Expr:
    inner = node.expressions[0]
    if isinstance(inner, exp.JSONExtract) and not isinstance(inner, exp.JSONExtractScalar):
        return exp.JSONExtractScalar(this=inner.this, expression=inner.expression, expressions=inner.expressions)
    return node


def _byte_length(node: exp.Expr) -> exp.Expr:
    return exp.Length(this=node.expressions[0], binary=True)


def _add_days(sign: type[exp.Expr]) -> Callable[[exp.Expr], exp.Expr]:
    def change(node: exp.Expr) -> exp.Expr:
        start, days = node.expressions
        if isinstance(days, exp.Interval):
            return sign(this=start, expression=days.this, unit=days.args.get("unit"))
        return sign(this=start, expression=days, unit=exp.var("DAY"))

    return change


_FUNCTIONS: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "nextval": _next_value,
    "mid": _substring,
    "now": _now,
    "localtime": _now,
    "localtimestamp": _now,
    "json_unquote": _json_unquote,
    "octet_length": _byte_length,
    "adddate": _add_days(exp.DateAdd),
    "subdate": _add_days(exp.DateSub),
}
_CHANGES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Introducer: _introducer,
    exp.Collate: _collate,
    exp.Cast: _cast,
    exp.Join: _join,
    exp.Anonymous: _anonymous,
}
