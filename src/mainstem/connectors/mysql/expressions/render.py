"""Neutral expressions and queries as MySQL's SQL: operators, conditions, casts and the shape of queries.

Only node types that stand in a rule table are let through, and of these only what gives the same value on a
PostgreSQL source and here; the rest is refused with its reason.
"""

from __future__ import annotations

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from mainstem.connectors.mysql.expressions import casts, dates, functions, numbers, queries, texts
from mainstem.connectors.mysql.expressions.sorts import (
    NUMBERS,
    Context,
    Rule,
    Sort,
    call,
    column_type,
    each,
    grouped,
    like,
    mark,
    scale_of,
    sort_of,
    sort_of_column,
    type_of,
)
from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import ColumnType, Use
from mainstem.errors import PlanError


def render(tree: exp.Expr, use: Use, wanted: ColumnType | None, traits: Traits) -> str:
    """The SQL, fit for the wanted column if there is one; `PlanError` when the server cannot say it."""
    context = Context(use, traits)
    try:
        made = convert(tree.copy(), context)
        if isinstance(tree, exp.Query):
            _tell_types(tree, made)
        if use is Use.CONDITION:
            made = truth(made)
        elif wanted is not None:
            made = _fit(made, wanted, context)
        return made.sql("mysql", identify=True, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError) as exc:
        raise PlanError("the expression cannot be written for MySQL") from exc


def convert(node: exp.Expr, context: Context) -> exp.Expr:
    """The node with all below it, translated."""
    if isinstance(node, _OPAQUE):
        return node
    for key, value in sorted(node.args.items(), key=lambda item: -_FIRST.index(item[0]) if item[0] in _FIRST else 1):
        if isinstance(value, exp.Expr):
            node.set(key, convert(value, context))
        elif isinstance(value, list):
            node.set(key, [convert(item, context) if isinstance(item, exp.Expr) else item for item in value])
    rule = next((rules[type(node)] for rules in _TABLES if type(node) in rules), None)
    if rule is None:
        raise PlanError(f"{_name(node)} has no translation")
    return rule(node, context)


# What the columns of a query's other parts are, is known once these are translated.
_FIRST = ("joins", "from_", "with_")


def _tell_types(tree: exp.Query, made: exp.Expr) -> None:
    """Write down what a query's computed columns are."""
    pairs = zip(tree.selects, made.selects, strict=True) if isinstance(made, exp.Query) else ()
    for projection, translated in pairs:
        node = projection.unalias()
        if column_type(node) is None and (computed := type_of(sort_of(translated), scale_of(translated))):
            node.meta[ColumnType.META] = computed


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.lower()}"
    return f"the function {node.sql_name().lower()}" if isinstance(node, exp.Func) else f"{node.key} syntax"


_OPAQUE = (exp.DataType, exp.Identifier, exp.Var, exp.TableAlias, exp.Star, exp.DataTypeParam)


def truth(node: exp.Expr) -> exp.Expr:
    """The node as a condition; `PlanError` unless it is a truth value."""
    if sort_of(node) not in (Sort.BOOLEAN, Sort.NULL):
        raise PlanError(f"{sort_of(node).value} stands where a truth value belongs")
    return node


def _fit(node: exp.Expr, wanted: ColumnType, context: Context) -> exp.Expr:
    """The node as a value for a column: what PostgreSQL assigns and MySQL does as well."""
    have, target = sort_of(node), sort_of_column(wanted)
    if have is Sort.INSTANT and target is Sort.TIMESTAMP and isinstance(node, exp.Anonymous):
        return call("NOW", Sort.TIMESTAMP, *node.expressions)  # the session's own time
    if have is Sort.INSTANT and target is Sort.DATE and isinstance(node, exp.Anonymous):
        return call("CURRENT_DATE", Sort.DATE)
    if (have, target) not in _ASSIGNED and have is not target and have is not Sort.NULL:
        raise PlanError(f"the column would get {have.value} and holds {target.value}")
    if target is Sort.BOOLEAN and isinstance(node, exp.Anonymous) and context.use is Use.STORED:
        return grouped(node)
    return node


_ASSIGNED = frozenset(
    {(Sort.STRING, sort) for sort in Sort if sort not in (Sort.BINARY, Sort.BITS)}
    | {(left, right) for left in (Sort.INTEGER, Sort.DECIMAL) for right in NUMBERS}
    | {(Sort.DATE, Sort.TIMESTAMP), (Sort.ENUM, Sort.TEXT), (Sort.TIMESTAMP, Sort.DATE)}
)


# leaves


def _column(node: exp.Expr, context: Context) -> exp.Expr:
    known = column_type(node)
    if known is None:
        projection = _derived(node)
        return mark(node, Sort.UNKNOWN) if projection is None else like(node, projection)
    scale = 0
    if known.type.kind.value == "decimal":
        scale = 30 if known.type.precision is None else max(known.type.scale or 0, 0)
    return mark(node, sort_of_column(known), scale)


def _derived(node: exp.Expr) -> exp.Expr | None:
    """What a column of a derived table or common table expression is there; None if that is not found."""
    select = node.find_ancestor(exp.Select)
    while select is not None:
        parts = [part for part in (select.args.get("from_"), *(select.args.get("joins") or [])) if part]
        sources = [  # those of joins in brackets too
            item
            for part in parts
            for item in part.find_all(exp.Table, exp.Subquery)
            if item.find_ancestor(exp.Select) is select and isinstance(item.this, (exp.Identifier, exp.Query))
        ]
        for source in sources:
            if source.alias_or_name == node.text("table") or (not node.text("table") and len(sources) == 1):
                query = source.this if isinstance(source, exp.Subquery) else _common(source, select)
                return _projection(query, node.name)
        select = select.find_ancestor(exp.Select)
    return None


def _common(table: exp.Expr, select: exp.Expr) -> exp.Expr | None:
    """The query of the common table expression that a table's name means."""
    holder: exp.Expr | None = select
    while holder is not None:
        found = holder.args.get("with_")
        for item in found.expressions if found is not None else []:
            if item.alias == table.name and not table.args.get("db"):
                query: exp.Expr = item.this
                return query if not item.args["alias"].columns else None
        holder = holder.parent
    return None


def _projection(query: exp.Expr | None, name: str) -> exp.Expr | None:
    """A column of a SELECT's list; nothing of a UNION, whose branches may differ."""
    selects = query.selects if isinstance(query, exp.Select) else []
    return next((item for item in selects if item.alias_or_name == name), None)


def _literal(node: exp.Expr, context: Context) -> exp.Expr:
    if node.is_string:
        return mark(node, Sort.STRING)
    if "e" in node.name.lower():
        raise PlanError("a number with an exponent is decimal there and floating-point here")
    scale = len(node.name.partition(".")[2])
    return mark(node, Sort.DECIMAL if "." in node.name else Sort.INTEGER, scale)


def _bits(node: exp.Expr, context: Context) -> exp.Expr:
    return mark(node, Sort.BITS)


def _constant(sort: Sort) -> Rule:
    return lambda node, context: mark(node, sort)


def _inner(node: exp.Expr, context: Context) -> exp.Expr:
    return like(node, node.this)


def _next_value(node: exp.Expr, context: Context) -> exp.Expr:
    if not context.traits.sequences:
        raise PlanError(f"{context.traits.title} has no sequences")
    if context.use is Use.STORED:
        raise PlanError("a sequence's next value cannot be stored as an expression")
    return mark(exp.Anonymous(this="NEXTVAL", expressions=[node.this]), Sort.INTEGER)


# operators


def _connector(node: exp.Expr, context: Context) -> exp.Expr:
    for key in ("this", "expression"):
        if isinstance(node.args.get(key), exp.Expr):
            truth(node.args[key])
    if isinstance(node, exp.Not):
        node.set("this", grouped(node.this))
    return mark(node, Sort.BOOLEAN)


def comparable(nodes: list[exp.Expr], *, ordered: bool) -> None:
    """`PlanError` unless both servers compare these values with the same outcome."""
    sorts = {sort_of(node) for node in nodes} - {Sort.NULL}
    typed = sorts - {Sort.STRING}
    if not typed:
        raise PlanError("it compares literals, by the session's collation here")
    if typed <= NUMBERS and Sort.STRING not in sorts:
        return
    if len(typed) > 1 and typed not in ({Sort.TEXT, Sort.ENUM}, {Sort.DATE, Sort.TIMESTAMP}):
        raise PlanError(f"it compares {' with '.join(sorted(sort.value for sort in typed))}")
    if typed & _INCOMPARABLE or (ordered and typed & _UNORDERED):
        what = next(iter(typed)).value
        raise PlanError(f"the servers {'order' if ordered else 'compare'} {what} differently")
    if typed & {Sort.TEXT} and not any(
        sort_of(node) is Sort.TEXT and node.find(exp.Column) is not None for node in nodes
    ):
        raise PlanError("it compares text that is no column's, by the session's collation here")
    if Sort.STRING in sorts:
        _check_literals(nodes, typed)


_INCOMPARABLE = frozenset({Sort.UNKNOWN, Sort.QUOTIENT, Sort.JSON, Sort.FOREIGN, Sort.INTERVAL, Sort.BITS})
_UNORDERED = frozenset({Sort.TEXT, Sort.ENUM, Sort.BOOLEAN, Sort.UUID})


def _check_literals(nodes: list[exp.Expr], typed: set[Sort]) -> None:
    literals = [node.name for node in nodes if sort_of(node) is Sort.STRING]
    padded = any(
        (known := column_type(column)) is not None and known.type.fixed
        for node in nodes
        for column in node.find_all(exp.Column)
    )
    if typed & {Sort.TEXT} and padded and any(text.endswith(" ") for text in literals):
        raise PlanError("it compares CHAR with spaces at the end")
    if typed & {Sort.BINARY, Sort.BOOLEAN} or typed & NUMBERS:
        raise PlanError(f"it compares {next(iter(typed)).value} with a string")
    if typed & {Sort.DATE, Sort.TIMESTAMP, Sort.INSTANT, Sort.TIME}:
        for text in literals:
            casts.check_moment(text)


def _equal(node: exp.Expr, context: Context) -> exp.Expr:
    comparable([node.this, node.expression], ordered=False)
    return _compared(node)


def _order(node: exp.Expr, context: Context) -> exp.Expr:
    comparable([node.this, node.expression], ordered=True)
    return _compared(node)


def _compared(node: exp.Expr) -> exp.Expr:
    for key in ("this", "expression"):
        if isinstance(node.args[key], exp.Predicate):
            node.set(key, grouped(node.args[key]))
    return mark(node, Sort.BOOLEAN)


def _distinct_from(node: exp.Expr, context: Context) -> exp.Expr:
    comparable([node.this, node.expression], ordered=False)
    same = mark(exp.NullSafeEQ(this=node.this, expression=node.expression), Sort.BOOLEAN)
    return mark(exp.Not(this=grouped(same)), Sort.BOOLEAN)


def _between(node: exp.Expr, context: Context) -> exp.Expr:
    if node.args.get("symmetric"):
        raise PlanError("BETWEEN SYMMETRIC has no translation")
    comparable([node.this, node.args["low"], node.args["high"]], ordered=True)
    return mark(node, Sort.BOOLEAN)


def _in(node: exp.Expr, context: Context) -> exp.Expr:
    query = node.args.get("query")
    others = node.expressions or ([query] if query is not None else [])
    if not others:
        raise PlanError("IN of such a list has no translation")
    for other in others:
        comparable([node.this, other], ordered=False)
    return mark(node, Sort.BOOLEAN)


def _is(node: exp.Expr, context: Context) -> exp.Expr:
    if isinstance(node.expression, exp.Boolean):
        node.set("this", grouped(truth(node.this)))
    elif not isinstance(node.expression, exp.Null):
        raise PlanError("such an IS has no translation")
    return mark(node, Sort.BOOLEAN)


# choices


def _case(node: exp.Expr, context: Context) -> exp.Expr:
    branches = node.args.get("ifs") or []
    for branch in branches:
        if node.this is None:
            truth(branch.this)
        else:
            comparable([node.this, branch.this], ordered=False)
    default = node.args.get("default")
    values = [branch.args["true"] for branch in branches] + ([default] if default is not None else [])
    return alike(node, values)


def _if(node: exp.Expr, context: Context) -> exp.Expr:
    """A branch of a CASE, which the CASE settles."""
    if not isinstance(node.parent, exp.Case):
        raise PlanError("IF has no translation")
    return node


def _coalesce(node: exp.Expr, context: Context) -> exp.Expr:
    return alike(node, [node.this, *node.expressions])


def _nullif(node: exp.Expr, context: Context) -> exp.Expr:
    comparable([node.this, node.expression], ordered=False)
    return like(node, node.this)


def alike(node: exp.Expr, values: list[exp.Expr]) -> exp.Expr:
    """The node, which yields one of these values; `PlanError` where the servers would settle on different types."""
    sorts = {sort_of(value) for value in values} - {Sort.NULL}
    scale = max([0, *map(scale_of, values)])
    if sorts == {Sort.STRING}:
        return mark(node, Sort.TEXT)
    typed = sorts - {Sort.STRING}
    if typed <= NUMBERS and Sort.STRING not in sorts:
        widest = next((sort for sort in (Sort.FLOAT, Sort.DECIMAL, Sort.INTEGER) if sort in typed), Sort.NULL)
        return mark(node, widest, scale)
    if len(typed) == 1 and (Sort.STRING not in sorts or typed <= {Sort.TEXT}):
        return mark(node, typed.pop(), scale)
    raise PlanError(f"it chooses between {' and '.join(sorted(sort.value for sort in sorts))}")


_RULES: dict[type[exp.Expr], Rule] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.BitString: _bits,
    exp.HexString: _constant(Sort.BINARY),
    exp.Null: _constant(Sort.NULL),
    exp.Boolean: _constant(Sort.BOOLEAN),
    exp.NextValueFor: _next_value,
    exp.NullSafeNEQ: _distinct_from,
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Exists: _constant(Sort.BOOLEAN),
    **each(_inner, exp.Paren, exp.Alias, exp.Ordered),
    **each(_connector, exp.And, exp.Or, exp.Not),
    **each(_equal, exp.EQ, exp.NEQ, exp.NullSafeEQ),
    **each(_order, exp.GT, exp.GTE, exp.LT, exp.LTE),
}
_TABLES = (_RULES, casts.RULES, numbers.RULES, texts.RULES, dates.RULES, functions.RULES, queries.RULES)
