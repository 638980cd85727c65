"""Numbers: arithmetic in MySQL's widths and scales, bits, rounding, logarithms.

MySQL computes integers in 64 bits, divides exact numbers to four digits more than the dividend has, gives NULL where
PostgreSQL gives an error (division by zero, the logarithm of zero), and takes bits as unsigned 64-bit numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from mainstem.connectors.postgres.expressions import dates
from mainstem.connectors.postgres.expressions.sorts import (
    TIMES,
    Rule,
    Sort,
    call,
    cast,
    coerce,
    column_type,
    each,
    grouped,
    mark,
    number,
    sort_of,
)
from mainstem.connectors.postgres.types import base_name
from mainstem.contract.dialect import Use
from mainstem.errors import PlanError
from mainstem.model.types import Kind

_NARROW = frozenset({"smallint", "integer", "int"})
_DIVISION_DIGITS = 4  # div_precision_increment
_SCALE, _DIVIDED = "scale", "divided"


# scales


def scale_of(node: exp.Expr) -> int | None:
    """How many digits MySQL keeps after the point; None where that is not known, or not exact."""
    if isinstance(node, exp.Column):
        known = column_type(node)
        if known is None or known.type.kind not in (Kind.INTEGER, Kind.DECIMAL, Kind.YEAR, Kind.BOOLEAN):
            return None
        return known.type.scale or 0
    if isinstance(node, exp.Literal):
        return None if node.args.get("is_string") or "e" in node.name.lower() else len(node.name.partition(".")[2])
    found: int | None = node.meta.get(_SCALE)
    return found


def keep_scale(node: exp.Expr, scale: int | None, *operands: exp.Expr, divided: bool = False) -> exp.Expr:
    """The node, remembered to have this scale, and whether a division is in it."""
    node.meta[_SCALE] = scale
    node.meta[_DIVIDED] = divided or any(operand.meta.get(_DIVIDED) for operand in operands)
    return node


def widest_scale(node: exp.Expr, choices: Sequence[exp.Expr]) -> exp.Expr:
    """The node, which yields one of these, with the scale of all."""
    known = [scale for choice in choices if (scale := scale_of(choice)) is not None]
    wanted = [choice for choice in choices if sort_of(choice) is not Sort.NULL]
    return keep_scale(node, max(known) if known and len(known) == len(wanted) else None, *choices)


def settle_scale(projection: exp.Expr) -> None:
    """What a query returns of a division has MySQL's digits; within an expression both keep more than they show."""
    inner = projection.unalias()
    scale = scale_of(inner)
    if inner.meta.get(_DIVIDED) and scale is not None and sort_of(inner) is Sort.NUMBER:
        holder = mark(exp.Paren(this=exp.Null()), Sort.NUMBER)
        inner.replace(holder)
        holder.replace(call("ROUND", Sort.NUMBER, inner, number(scale)))


# operators


def _wide(node: exp.Expr) -> exp.Expr:
    known = column_type(node) if isinstance(node, exp.Column) else None
    return cast(node, "bigint", Sort.NUMBER) if known and base_name(known.sql) in _NARROW else node


def _operand(node: exp.Expr, use: Use) -> exp.Expr:
    """The node as a number, in 64 bits if it is an integer."""
    scale = scale_of(node)
    made = _wide(coerce(node, Sort.NUMBER, use))
    return made if made is node else keep_scale(made, scale, node)


def _gives(*nodes: exp.Expr) -> Sort:
    return Sort.FLOAT if any(sort_of(node) is Sort.FLOAT for node in nodes) else Sort.NUMBER


def _sum(node: exp.Expr, use: Use) -> exp.Expr:
    """``+`` and ``-`` of numbers, or of a date and an interval."""
    if isinstance(node.expression, exp.Interval) or any(
        sort_of(side) in TIMES for side in (node.this, node.expression)
    ):
        return dates.shift(node, use)
    return _binary(node, use, max)


def _product(node: exp.Expr, use: Use) -> exp.Expr:
    return _binary(node, use, lambda left, right: left + right)


def _binary(node: exp.Expr, use: Use, scale: Callable[[int, int], int]) -> exp.Expr:
    left, right = _operand(node.this, use), _operand(node.expression, use)
    node.set("this", left)
    node.set("expression", right)
    scales = scale_of(left), scale_of(right)
    known = None if scales[0] is None or scales[1] is None else scale(scales[0], scales[1])
    return keep_scale(mark(node, _gives(left, right)), known, left, right)


def _negative(node: exp.Expr, use: Use) -> exp.Expr:
    node.set("this", _operand(node.this, use))
    return keep_scale(mark(node, _gives(node.this)), scale_of(node.this), node.this)


def _divisor(node: exp.Expr) -> exp.Expr:
    """What divides by zero gives NULL."""
    if isinstance(node, exp.Literal) and float(node.name) != 0:
        return node
    return mark(exp.Nullif(this=node, expression=number(0)), sort_of(node))


def _divide(node: exp.Expr, use: Use) -> exp.Expr:
    left, right = coerce(node.this, Sort.NUMBER, use), coerce(node.expression, Sort.NUMBER, use)
    scale = scale_of(node.this)
    gives = _gives(left, right)
    dividend = left if gives is Sort.FLOAT else _dividend(node.this, left, scale)
    made = exp.Div(this=grouped(dividend), expression=_divisor(right), typed=True, safe=False)
    known = None if scale is None or gives is Sort.FLOAT else scale + _DIVISION_DIGITS
    return keep_scale(mark(made, gives), known, divided=True)


def _dividend(node: exp.Expr, value: exp.Expr, scale: int | None) -> exp.Expr:
    """As numeric, with more digits than MySQL shows: a quotient has 16 digits in all, or as many as its dividend."""
    made = cast(value, "numeric", Sort.NUMBER)
    known = column_type(node) if isinstance(node, exp.Column) else None
    short = isinstance(node, exp.Literal) or (known is not None and (known.type.bits or 64) <= 32)
    return made if short or scale is None else call("ROUND", Sort.NUMBER, made, number(scale + 2 * _DIVISION_DIGITS))


def _exact_pair(node: exp.Expr, use: Use, what: str) -> tuple[exp.Expr, exp.Expr]:
    left, right = coerce(node.this, Sort.NUMBER, use), coerce(node.expression, Sort.NUMBER, use)
    if _gives(left, right) is Sort.FLOAT:
        raise PlanError(f"{what} of floating-point numbers has no translation")
    return left, right


def _whole_quotient(node: exp.Expr, use: Use) -> exp.Expr:
    left, right = _exact_pair(node, use, "DIV")
    return keep_scale(cast(call("DIV", Sort.NUMBER, left, _divisor(right)), "bigint", Sort.NUMBER), 0)


def _remainder(node: exp.Expr, use: Use) -> exp.Expr:
    left, right = _exact_pair(node, use, "the remainder")
    return mark(exp.Mod(this=grouped(left), expression=grouped(_divisor(right))), Sort.NUMBER)


# bits


def is_non_negative(node: exp.Expr) -> bool:
    """Whether the node, already translated, can be seen never to be below zero."""
    if isinstance(node, (exp.Paren, exp.Cast)):
        return is_non_negative(node.this)
    if isinstance(node, exp.Column):
        known = column_type(node)
        return known is not None and (known.type.unsigned or known.type.kind in (Kind.YEAR, Kind.BOOLEAN, Kind.BITS))
    if isinstance(node, exp.BitwiseAnd):
        return is_non_negative(node.this) or is_non_negative(node.expression)
    if isinstance(node, (exp.Add, exp.Mul, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseRightShift)):
        return is_non_negative(node.this) and is_non_negative(node.expression)
    if isinstance(node, exp.Literal):
        return not node.args.get("is_string")
    return isinstance(node, (exp.StrPosition, exp.Count, exp.Boolean)) or node.name in ("CHAR_LENGTH", "OCTET_LENGTH")


def _bit_operand(node: exp.Expr, use: Use) -> exp.Expr:
    made = _operand(node, use)
    known = column_type(node) if isinstance(node, exp.Column) else None
    if sort_of(made) is Sort.FLOAT or scale_of(made) not in (None, 0) or (known and base_name(known.sql) == "numeric"):
        raise PlanError("an operator of bits needs integers of up to 63 bits")
    return made


def _bit_binary(node: exp.Expr, use: Use) -> exp.Expr:
    sides = [_bit_operand(node.this, use), _bit_operand(node.expression, use)]
    positive = [is_non_negative(side) for side in sides]
    if not (any(positive) if isinstance(node, exp.BitwiseAnd) else all(positive)):
        raise PlanError("operators of bits give unsigned numbers there, and a value that may be negative is used")
    node.set("this", grouped(sides[0]))
    node.set("expression", grouped(sides[1]))
    return mark(node, Sort.NUMBER)


def _bit_not(node: exp.Expr, use: Use) -> exp.Expr:
    holder = node.parent
    while isinstance(holder, exp.Paren):
        holder = holder.parent
    if not isinstance(holder, exp.BitwiseAnd):
        raise PlanError("~ gives an unsigned number of 64 bits, which no integer holds")
    node.set("this", grouped(_bit_operand(node.this, use)))
    return mark(node, Sort.NUMBER)


def _shift(node: exp.Expr, use: Use) -> exp.Expr:
    value, by = _bit_operand(node.this, use), node.expression
    known = column_type(node.this) if isinstance(node.this, exp.Column) else None
    width = (known.type.bits or 64) if known else int(value.name).bit_length() if isinstance(value, exp.Literal) else 64
    steps = int(by.name) if isinstance(by, exp.Literal) and by.name.isdigit() else 64
    if not is_non_negative(value) or steps + (width if isinstance(node, exp.BitwiseLeftShift) else 0) > 63:
        raise PlanError("a shift that may touch the 64th bit has no translation")
    node.set("this", grouped(cast(value, "bigint", Sort.NUMBER) if isinstance(value, exp.Literal) else value))
    return mark(node, Sort.NUMBER)


def _bit_aggregate(node: exp.Expr, use: Use) -> exp.Expr:
    """Of no rows BIT_OR and BIT_XOR are 0 there, and BIT_AND is a number that no integer holds."""
    inner = _bit_operand(node.this, use)
    if isinstance(node, exp.BitwiseAndAgg) or not is_non_negative(inner):
        raise PlanError("an aggregate of bits that may fill all 64 has no translation")
    node.set("this", inner)
    return mark(exp.Coalesce(this=node, expressions=[number(0)]), Sort.NUMBER)


def _unsigned(node: exp.Expr) -> exp.Expr:
    """CAST(… AS UNSIGNED): a negative integer becomes what its 64 bits say."""
    known = column_type(node) if isinstance(node, exp.Column) else None
    made = cast(node, "numeric(20, 0)", Sort.NUMBER)
    if is_non_negative(node):
        return made
    if known is None or known.type.kind is not Kind.INTEGER:
        raise PlanError("a cast to UNSIGNED of what may be negative has no translation")
    past = exp.Add(this=made.copy(), expression=number(2**64))
    below = exp.LT(this=node.copy(), expression=number(0))
    return mark(exp.Case(ifs=[exp.If(this=below, true=past)], default=made), Sort.NUMBER)


def to_unsigned(node: exp.Expr, use: Use) -> exp.Expr:
    """See `_unsigned`; refuses text and floating-point numbers."""
    if sort_of(node) not in (Sort.NUMBER, Sort.BOOLEAN, Sort.BITS, Sort.NULL):
        raise PlanError(f"a cast of {sort_of(node).value} to UNSIGNED has no translation")
    return _unsigned(coerce(node, Sort.NUMBER, use))


# functions


def literal_integer(node: exp.Expr | None) -> int | None:
    """The value of a whole number that is written out, else None."""
    if isinstance(node, exp.Neg):
        inner = literal_integer(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.args.get("is_string") and node.name.isdigit():
        return int(node.name)
    return None


def _double(node: exp.Expr) -> exp.Expr:
    return node if sort_of(node) is Sort.FLOAT else cast(node, "double precision", Sort.FLOAT)


def _round(node: exp.Expr, use: Use) -> exp.Expr:
    """Both servers round exact numbers away from zero and floating-point ones to even; only numeric takes digits."""
    value, digits = coerce(node.this, Sort.NUMBER, use), node.args.get("decimals")
    name = "ROUND" if isinstance(node, exp.Round) else "TRUNC"
    if sort_of(value) is not Sort.FLOAT:
        return call(name, Sort.NUMBER, value, *([digits] if digits is not None else []))
    places = 0 if digits is None else literal_integer(digits)
    if places is None:
        raise PlanError(f"{name} of a floating-point number to a computed number of digits has no translation")
    if places == 0:
        return call(name, Sort.FLOAT, value)
    power = cast(number(10 ** abs(places)), "double precision", Sort.FLOAT)
    there, back = (exp.Mul, exp.Div) if places > 0 else (exp.Div, exp.Mul)
    scaled = call(name, Sort.FLOAT, there(this=grouped(value), expression=power))
    return mark(exp.Paren(this=back(this=scaled, expression=power.copy())), Sort.FLOAT)


def _magnitude(node: exp.Expr, use: Use) -> exp.Expr:
    """ABS, SIGN, CEIL and FLOOR; an integer would become a double in the last two."""
    value = _operand(node.this, use)
    whole = isinstance(node, (exp.Ceil, exp.Floor)) and sort_of(value) is Sort.NUMBER
    node.set("this", cast(value, "numeric", Sort.NUMBER) if whole else value)
    return mark(node, sort_of(value))


def _floating(node: exp.Expr, use: Use) -> exp.Expr:
    """A function of doubles; numeric has versions of its own with other digits."""
    for key in ("this", "expression"):
        if isinstance(node.args.get(key), exp.Expr):
            node.set(key, _double(coerce(node.args[key], Sort.NUMBER, use)))
    return mark(node, Sort.FLOAT)


def _within(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The value where the condition holds, else NULL."""
    return mark(exp.Case(ifs=[exp.If(this=condition, true=value)]), Sort.FLOAT)


def _square_root(node: exp.Expr, use: Use) -> exp.Expr:
    value = coerce(node.this, Sort.NUMBER, use)
    condition = exp.GTE(this=grouped(value.copy()), expression=number(0))
    return _within(condition, call("SQRT", Sort.FLOAT, _double(value)))


def _logarithm(node: exp.Expr, use: Use) -> exp.Expr:
    """LN, LOG(x), LOG(base, x), LOG2 and LOG10, which are NULL outside of their domain."""
    base = node.this if node.args.get("expression") is not None else None
    value = coerce(node.expression if base is not None else node.this, Sort.NUMBER, use)
    positive: exp.Expr = exp.GT(this=grouped(value.copy()), expression=number(0))
    if base is None:
        return _within(positive, call("LN", Sort.FLOAT, _double(value)))
    if base.name == "10" and isinstance(base, exp.Literal):
        return _within(positive, call("LOG", Sort.FLOAT, _double(value)))
    base = coerce(base, Sort.NUMBER, use)
    if not isinstance(base, exp.Literal):
        valid = exp.GT(this=grouped(base.copy()), expression=number(0))
        positive = exp.and_(positive, valid, exp.NEQ(this=grouped(base.copy()), expression=number(1)))
    made = exp.Div(
        this=call("LN", Sort.FLOAT, _double(value)), expression=call("LN", Sort.FLOAT, _double(base)),
        typed=True, safe=False,
    )  # fmt: skip
    return _within(positive, made)


def _pi(node: exp.Expr, use: Use) -> exp.Expr:
    return call("PI", Sort.FLOAT)


def _average(node: exp.Expr, use: Use) -> exp.Expr:
    scale = scale_of(_distinct_inner(node))
    made = _aggregate(node, use)
    known = None if scale is None or sort_of(made) is Sort.FLOAT else scale + _DIVISION_DIGITS
    return keep_scale(made, known, divided=True)


def _aggregate(node: exp.Expr, use: Use) -> exp.Expr:
    holder = node.this if isinstance(node.this, exp.Distinct) else None
    inner = _distinct_inner(node)
    scale = scale_of(inner)
    value = coerce(inner, Sort.NUMBER, use)
    if holder is not None:
        holder.set("expressions", [value])
    else:
        node.set("this", value)
    return keep_scale(mark(node, _gives(value)), scale, inner)


def _distinct_inner(node: exp.Expr) -> exp.Expr:
    inner: exp.Expr = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    return inner


RULES: dict[type[exp.Expr], Rule] = {
    **each(_sum, exp.Add, exp.Sub),
    exp.Mul: _product,
    exp.Neg: _negative,
    exp.Div: _divide,
    exp.IntDiv: _whole_quotient,
    exp.Mod: _remainder,
    **each(_bit_binary, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor),
    exp.BitwiseNot: _bit_not,
    **each(_shift, exp.BitwiseLeftShift, exp.BitwiseRightShift),
    **each(_bit_aggregate, exp.BitwiseOrAgg, exp.BitwiseAndAgg, exp.BitwiseXorAgg),
    **each(_round, exp.Round, exp.Trunc),
    **each(_magnitude, exp.Abs, exp.Ceil, exp.Floor, exp.Sign),
    **each(_floating, exp.Exp, exp.Pow, exp.Sin, exp.Cos, exp.Tan, exp.Radians, exp.Degrees),
    exp.Sqrt: _square_root,
    **each(_logarithm, exp.Ln, exp.Log),
    exp.Pi: _pi,
    exp.Sum: _aggregate,
    exp.Avg: _average,
}
