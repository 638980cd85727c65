"""Neutral expressions and queries as PostgreSQL's SQL: operators, conditions and the shape of queries.

Only node types that stand in a rule table are let through. A translator that writes down whatever it knows no rule
for makes SQL that fails, or worse, that means something else.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from mainstem.connectors.postgres.expressions import arithmetic, dates, functions, grouping, texts
from mainstem.connectors.postgres.expressions.sorts import (
    NUMBERS,
    TIMES,
    Rule,
    Sort,
    call,
    cast,
    coerce,
    column_type,
    each,
    folds,
    grouped,
    mark,
    number,
    refuse_folding,
    sort_of,
    sort_of_column,
    string,
    unpadded,
)
from mainstem.contract.dialect import ColumnType, Use
from mainstem.errors import PlanError


def render(tree: exp.Expr, use: Use, wanted: ColumnType | None) -> str:
    """The SQL, fit for the wanted column if there is one; `PlanError` when PostgreSQL cannot say it."""
    try:
        made = _convert(tree.copy(), use)
        if use is Use.CONDITION:
            made = coerce(made, Sort.BOOLEAN, use)
        elif wanted is not None:
            made = _fit(made, wanted, use)
        return made.sql("postgres", identify=True, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError) as exc:
        raise PlanError("the expression cannot be written for PostgreSQL") from exc


def _fit(node: exp.Expr, wanted: ColumnType, use: Use) -> exp.Expr:
    """The node as a value for a column; PostgreSQL assigns within numbers, and text to text, by itself."""
    have, want = sort_of(node), sort_of_column(wanted)
    if have is Sort.TEXT and want in (Sort.ENUM, Sort.OTHER):
        if want is Sort.ENUM and use is Use.STORED:
            raise PlanError("text becomes an enum only when it is written, not for ever")
        return cast(node, wanted.sql, want)
    if have is want is Sort.ENUM and _type_text(node) != wanted.sql:
        return _fit(coerce(node, Sort.TEXT, use), wanted, use)
    return coerce(node, want, use)


def _convert(node: exp.Expr, use: Use) -> exp.Expr:
    if isinstance(node, _OPAQUE):
        return node
    for key, value in list(node.args.items()):
        if isinstance(value, exp.Expr):
            node.set(key, _convert(value, use))
        elif isinstance(value, list):
            node.set(key, [_convert(item, use) if isinstance(item, exp.Expr) else item for item in value])
    rule = next((rules[type(node)] for rules in _rules() if type(node) in rules), None)
    if rule is None:
        raise PlanError(f"{_name(node)} has no translation")
    return rule(node, use)


def _name(node: exp.Expr) -> str:
    return f"the function {functions.name_of(node)}" if isinstance(node, exp.Func) else f"{node.key} syntax"


def _rules() -> Iterable[dict[type[exp.Expr], Rule]]:
    return _RULES, arithmetic.RULES, texts.RULES, functions.RULES, dates.RULES


_OPAQUE = (exp.JSONPath, exp.DataType, exp.Identifier, exp.Var, exp.TableAlias, exp.Star)


_HEX = "hex"  # what bytes that are written out are as a number

# leaves


def _column(node: exp.Expr, use: Use) -> exp.Expr:
    known = node.meta.get(ColumnType.META)
    return mark(node, sort_of_column(known) if known else Sort.UNKNOWN)


def _literal(node: exp.Expr, use: Use) -> exp.Expr:
    return mark(node, Sort.STRING if node.args.get("is_string") else Sort.NUMBER)


def _hex(node: exp.Expr, use: Use) -> exp.Expr:
    digits = node.name if len(node.name) % 2 == 0 else f"0{node.name}"
    made = cast(exp.Literal.string(f"\\x{digits}"), "bytea", Sort.BINARY)
    made.meta[_HEX] = int(digits or "0", 16)
    return made


def _constant(sort: Sort) -> Rule:
    return lambda node, use: mark(node, sort)


def _inner(node: exp.Expr, use: Use) -> exp.Expr:
    """Yields what its operand yields."""
    return arithmetic.keep_scale(mark(node, sort_of(node.this)), arithmetic.scale_of(node.this), node.this)


def _interval(node: exp.Expr, use: Use) -> exp.Expr:
    if node.args.get("unit") is None:
        raise PlanError("the function interval has no translation")
    return mark(node, Sort.INTERVAL)


def _next_value(node: exp.Expr, use: Use) -> exp.Expr:
    if use is Use.STORED:
        raise PlanError("a sequence's next value cannot be stored as an expression")
    return call("NEXTVAL", Sort.NUMBER, string(node.this.sql("postgres", identify=True)))


# operators


def _connector(node: exp.Expr, use: Use) -> exp.Expr:
    for key in ("this", "expression"):
        if isinstance(node.args.get(key), exp.Expr):
            node.set(key, coerce(node.args[key], Sort.BOOLEAN, use))
    return mark(node, Sort.BOOLEAN)


def _compare(node: exp.Expr, use: Use) -> exp.Expr:
    left, right = unify([node.this, node.expression], use)
    node.set("this", exp.Paren(this=left) if isinstance(left, exp.Predicate) else left)
    node.set("expression", exp.Paren(this=right) if isinstance(right, exp.Predicate) else right)
    return mark(node, Sort.BOOLEAN)


def _between(node: exp.Expr, use: Use) -> exp.Expr:
    for key, value in zip(
        ("this", "low", "high"), unify([node.this, node.args["low"], node.args["high"]], use), strict=True
    ):
        node.set(key, value)
    return mark(node, Sort.BOOLEAN)


def _in(node: exp.Expr, use: Use) -> exp.Expr:
    if node.expressions:
        first, *rest = unify([node.this, *node.expressions], use)
        node.set("this", first)
        node.set("expressions", rest)
    return mark(node, Sort.BOOLEAN)


def _nullif(node: exp.Expr, use: Use) -> exp.Expr:
    left, right = unify([node.this, node.expression], use)
    node.set("this", left)
    node.set("expression", right)
    return mark(node, sort_of(left))


def _is(node: exp.Expr, use: Use) -> exp.Expr:
    if isinstance(node.expression, exp.Boolean):
        node.set("this", grouped(coerce(node.this, Sort.BOOLEAN, use)))
    return mark(node, Sort.BOOLEAN)


def _like(node: exp.Expr, use: Use) -> exp.Expr:
    for key in ("this", "expression"):
        node.set(key, unpadded(coerce(node.args[key], Sort.TEXT, use)))
    sides = [node.this, node.expression]
    refuse_folding(sides, use)
    if any(folds(side) for side in sides):
        node = _WITHOUT_CASE[type(node)](this=node.this, expression=node.expression)
    return mark(node, Sort.BOOLEAN)


_WITHOUT_CASE: dict[type[exp.Expr], type[exp.Expr]] = {exp.Like: exp.ILike, exp.RegexpLike: exp.RegexpILike}


def _xor(node: exp.Expr, use: Use) -> exp.Expr:
    left, right = (grouped(coerce(side, Sort.BOOLEAN, use)) for side in (node.this, node.expression))
    return mark(exp.NEQ(this=left, expression=right), Sort.BOOLEAN)


def unify(nodes: list[exp.Expr], use: Use) -> list[exp.Expr]:
    """The nodes as what PostgreSQL can compare with each other."""
    nodes = _labels(_numbers_of_hex(nodes), use)
    refuse_folding(nodes, use)
    sorts = {sort_of(node) for node in nodes if sort_of(node) not in (Sort.NULL, Sort.UNKNOWN)}
    if Sort.BITS in sorts:
        return _same_length(nodes, use)
    if Sort.BOOLEAN in sorts and all(_is_truth(node) for node in nodes):
        return [coerce(node, Sort.BOOLEAN, use) for node in nodes]
    want = _common(sorts, nodes)
    if want is None:
        return nodes
    return [coerce(node, want, use) for node in nodes]


def _numbers_of_hex(nodes: list[exp.Expr]) -> list[exp.Expr]:
    """``0x01`` beside a number or bits is a number."""
    if not any(sort_of(node) in (Sort.BOOLEAN, Sort.BITS, *NUMBERS) for node in nodes):
        return nodes
    return [number(node.meta[_HEX]) if _HEX in node.meta else node for node in nodes]


def _labels(nodes: list[exp.Expr], use: Use) -> list[exp.Expr]:
    """Literals beside an enum in the spelling of its labels; all as text when one of them is no label."""
    labels = {
        label.lower(): label
        for node in nodes
        if sort_of(node) is Sort.ENUM and (known := column_type(node))
        for label in known.type.members
    }
    literals = [node for node in nodes if sort_of(node) is Sort.STRING]
    if not labels or not literals:
        return nodes
    if any(node.name.lower() not in labels for node in literals):
        return [coerce(node, Sort.TEXT, use) for node in nodes]
    return [string(labels[node.name.lower()]) if sort_of(node) is Sort.STRING else node for node in nodes]


def _is_truth(node: exp.Expr) -> bool:
    """A truth value, or 0 or 1 written out."""
    known = sort_of(node)
    return known in (Sort.BOOLEAN, Sort.NULL) or (known is Sort.NUMBER and node.name in ("0", "1"))


def _common(sorts: set[Sort], nodes: list[exp.Expr]) -> Sort | None:
    typed = sorts - {Sort.STRING}
    if typed == {Sort.ENUM} and len({_type_text(node) for node in nodes if sort_of(node) is Sort.ENUM}) > 1:
        return Sort.TEXT
    if typed == {Sort.SET} and Sort.STRING in sorts:
        return Sort.TEXT
    if typed == {Sort.JSON} and Sort.STRING in sorts:
        raise PlanError("the expression compares JSON with text")
    if len(typed) <= 1:
        return next(iter(typed), None)
    if Sort.BINARY in typed:
        return Sort.BINARY
    if typed <= {Sort.BOOLEAN, *NUMBERS}:
        return Sort.NUMBER
    if typed <= TIMES:
        return None
    if Sort.TEXT in typed and not typed & (NUMBERS | TIMES | {Sort.BOOLEAN}):
        return Sort.TEXT
    names = " with ".join(sorted(sort.value for sort in typed))
    raise PlanError(f"the expression compares {names}")


def _type_text(node: exp.Expr) -> str:
    known = node.meta.get(ColumnType.META)
    return known.sql if known else ""


def _same_length(nodes: list[exp.Expr], use: Use) -> list[exp.Expr]:
    """Bit strings compare by value in MySQL and only at equal length here, so literals get the column's length."""
    lengths = {
        known.type.length or 1 for node in nodes if (known := node.meta.get(ColumnType.META)) and known.type.length
    }
    if len(lengths) == 1 and all(
        isinstance(node, (exp.Column, exp.BitString)) or node.name.isdigit() for node in nodes
    ):
        return [_bits(node, lengths.copy().pop()) for node in nodes]
    return [coerce(node, Sort.NUMBER, use) for node in nodes]


def _bits(node: exp.Expr, length: int) -> exp.Expr:
    if isinstance(node, exp.Column):
        return node
    digits = node.name if isinstance(node, exp.BitString) else format(int(node.name), "b")
    return mark(exp.BitString(this=digits.rjust(length, "0")), Sort.BITS)


def _bit_string(node: exp.Expr, use: Use) -> exp.Expr:
    """``b'1'`` and ``b'0'`` are as often truth values as they are bits: a column beside it decides."""
    return mark(node, Sort.BITS if len(node.name) > 1 else Sort.UNKNOWN)


# choices


def _case(node: exp.Expr, use: Use) -> exp.Expr:
    branches = node.args.get("ifs") or []
    if node.this is None or not isinstance(node.this, exp.Expr):
        for branch in branches:
            branch.set("this", coerce(branch.this, Sort.BOOLEAN, use))
    else:
        value, *cases = unify([node.this, *(branch.this for branch in branches)], use)
        node.set("this", value)
        for branch, case in zip(branches, cases, strict=True):
            branch.set("this", case)
    default = node.args.get("default")
    values = alike([branch.args["true"] for branch in branches] + ([default] if default is not None else []), use)
    for branch, value in zip(branches, values, strict=False):
        branch.set("true", value)
    if default is not None:
        node.set("default", values[-1])
    return arithmetic.widest_scale(mark(node, sort_of(values[0]) if values else Sort.UNKNOWN), values)


def _if(node: exp.Expr, use: Use) -> exp.Expr:
    """IF() itself; the branches of a CASE are of the same node type and are settled by the CASE."""
    if isinstance(node.parent, exp.Case):
        return node
    node.set("this", coerce(node.this, Sort.BOOLEAN, use))
    otherwise = node.args.get("false")
    values = alike([node.args["true"], *([otherwise] if otherwise is not None else [])], use)
    node.set("true", values[0])
    if otherwise is not None:
        node.set("false", values[1])
    return arithmetic.widest_scale(mark(node, sort_of(values[0])), values)


def _coalesce(node: exp.Expr, use: Use) -> exp.Expr:
    first, *rest = alike([node.this, *node.expressions], use)
    node.set("this", first)
    node.set("expressions", rest)
    return arithmetic.widest_scale(mark(node, sort_of(first)), [first, *rest])


def alike(nodes: list[exp.Expr], use: Use) -> list[exp.Expr]:
    """The values of one CASE or COALESCE as one type; the first tells which."""
    sorts = {sort_of(node) for node in nodes} - {Sort.NULL, Sort.UNKNOWN}
    if sorts == {Sort.STRING}:
        return [mark(node, Sort.TEXT) for node in nodes]
    if sorts <= {Sort.BOOLEAN, Sort.NUMBER} and Sort.BOOLEAN in sorts and all(_is_truth(node) for node in nodes):
        return [coerce(node, Sort.BOOLEAN, use) for node in nodes]
    if sorts <= {Sort.BOOLEAN, *NUMBERS}:
        return [coerce(node, Sort.NUMBER, use) for node in nodes] if Sort.BOOLEAN in sorts else _first_known(nodes)
    if len(sorts) == 1 or (sorts <= TIMES and use is not Use.STORED):
        return _first_known(nodes)
    return [coerce(node, Sort.TEXT, use) for node in nodes]


def _first_known(nodes: list[exp.Expr]) -> list[exp.Expr]:
    known = next((sort_of(node) for node in nodes if sort_of(node) not in (Sort.NULL, Sort.UNKNOWN)), Sort.UNKNOWN)
    if sort_of(nodes[0]) is Sort.NULL:
        mark(nodes[0], known)
    return nodes


def _cast(node: exp.Expr, use: Use) -> exp.Expr:
    to: exp.Expr = node.args["to"]
    if to.this in (exp.DType.BINARY, exp.DType.VARBINARY, exp.DType.ARRAY):
        raise PlanError("a cast to binary or to an array has no translation")
    if to.this is exp.DType.UBIGINT:
        return arithmetic.to_unsigned(node.this, use)
    if to.this is exp.DType.JSON:
        to.set("this", exp.DType.JSONB)
    want = _CASTS.get(to.this, Sort.UNKNOWN)
    have = sort_of(node.this)
    if want in (Sort.TIME, Sort.TIMESTAMP) and have in (Sort.TIME, Sort.TIMESTAMP, Sort.INSTANT) and not to.expressions:
        known = column_type(node.this)
        if known is None or known.type.fraction:
            raise PlanError("a cast to fewer digits of a second is rounded here and may be cut off there")
    unstable = Sort.INSTANT in (have, want) or (want is Sort.TEXT and have in (Sort.ENUM, Sort.SET, *TIMES))
    if have is Sort.FLOAT and want is Sort.TEXT:
        raise PlanError("the servers write floating-point numbers differently")
    if use is Use.STORED and (unstable or (have is Sort.STRING and want in TIMES)):
        raise PlanError("a cast that depends on settings of the session cannot be stored")
    if have in (Sort.TEXT, Sort.STRING) and want in NUMBERS and not isinstance(node.this, exp.Literal):
        raise PlanError("a cast of text to a number takes what it can there and fails here")
    if have in (Sort.BOOLEAN, Sort.BITS, Sort.SET) and want in (*NUMBERS, Sort.TEXT):
        node.set("this", coerce(node.this, Sort.TEXT if have is Sort.SET else Sort.NUMBER, use))
    return mark(node, want)


_CASTS = {
    **dict.fromkeys((exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.CHAR), Sort.TEXT),
    **dict.fromkeys((exp.DType.BIGINT, exp.DType.INT, exp.DType.DECIMAL, exp.DType.SMALLINT), Sort.NUMBER),
    **dict.fromkeys((exp.DType.DOUBLE, exp.DType.FLOAT), Sort.FLOAT),
    **dict.fromkeys((exp.DType.TIMESTAMP, exp.DType.DATETIME), Sort.TIMESTAMP),
    exp.DType.DATE: Sort.DATE,
    exp.DType.TIME: Sort.TIME,
    exp.DType.JSONB: Sort.JSON,
}


# queries


def _condition(node: exp.Expr, use: Use) -> exp.Expr:
    node.set("this", coerce(node.this, Sort.BOOLEAN, use))
    return node


def _join(node: exp.Expr, use: Use) -> exp.Expr:
    if node.args.get("on") is not None:
        node.set("on", coerce(node.args["on"], Sort.BOOLEAN, use))
    if (node.args.get("kind") or "").upper() == "STRAIGHT":
        node.set("kind", None)
    return node


def _subquery(node: exp.Expr, use: Use) -> exp.Expr:
    projections = getattr(node.this, "selects", [])
    return mark(node, sort_of(projections[0]) if len(projections) == 1 else Sort.UNKNOWN)


def _select(node: exp.Expr, use: Use) -> exp.Expr:
    for projection in list(node.expressions):
        arithmetic.settle_scale(projection)
    return grouping.settle(node)


def _plain(node: exp.Expr, use: Use) -> exp.Expr:
    return node


_RULES: dict[type[exp.Expr], Rule] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.HexString: _hex,
    exp.BitString: _bit_string,
    exp.Null: _constant(Sort.NULL),
    exp.Boolean: _constant(Sort.BOOLEAN),
    exp.NextValueFor: _next_value,
    exp.Cast: _cast,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Is: _is,
    exp.In: _in,
    exp.Nullif: _nullif,
    exp.Between: _between,
    exp.Xor: _xor,
    exp.Join: _join,
    exp.Subquery: _subquery,
    exp.Select: _select,
    exp.Exists: _constant(Sort.BOOLEAN),
    exp.Escape: _constant(Sort.BOOLEAN),
    exp.Interval: _interval,
    **each(_inner, exp.Paren, exp.Alias, exp.Ordered, exp.Any, exp.All),
    **each(_connector, exp.And, exp.Or, exp.Not),
    **each(_compare, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ),
    **each(_like, exp.Like, exp.RegexpLike),
    **each(_condition, exp.Where, exp.Having),
    **each(
            _plain, exp.From, exp.Table, exp.Group, exp.Order, exp.Limit, exp.Offset, exp.Union, exp.Except,
            exp.Intersect, exp.With, exp.CTE, exp.Tuple, exp.Distinct, exp.WindowSpec, exp.Values,
        ),
}  # fmt: skip
