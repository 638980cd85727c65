"""Text: parts of strings, positions, lists in strings; counted from the end, '' and NULL where MySQL does so."""

from __future__ import annotations

from sqlglot import exp

from mainstem.connectors.postgres.expressions.arithmetic import is_non_negative, literal_integer
from mainstem.connectors.postgres.expressions.sorts import (
    NUMBERS,
    Rule,
    Sort,
    call,
    coerce,
    column_type,
    grouped,
    is_null,
    mark,
    number,
    refuse_folding,
    refuse_stored,
    sort_of,
    string,
    unpadded,
)
from mainstem.contract.dialect import Use
from mainstem.errors import PlanError


def _when(condition: exp.Expr, value: exp.Expr, otherwise: exp.Expr, sort: Sort) -> exp.Expr:
    return mark(exp.Case(ifs=[exp.If(this=condition, true=value)], default=otherwise), sort)


def _count(node: exp.Expr, use: Use) -> exp.Expr:
    """A number of characters: none where it is below zero."""
    node = coerce(node, Sort.NUMBER, use)
    written = literal_integer(node)
    if written is not None:
        return number(max(written, 0))
    if is_non_negative(node):
        return node
    return _when(exp.LT(this=grouped(node), expression=number(0)), number(0), node.copy(), Sort.NUMBER)


def _end(name: str) -> Rule:
    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        return call(name, Sort.TEXT, coerce(node.this, Sort.TEXT, use), _count(node.expression, use))

    return rule


def _substring(node: exp.Expr, use: Use) -> exp.Expr:
    """Counts from 1, from the end below zero; from 0, or from before the beginning, there is nothing."""
    value = node.this if sort_of(node.this) is Sort.BINARY else coerce(node.this, Sort.TEXT, use)
    gives = sort_of(value) if sort_of(value) is Sort.BINARY else Sort.TEXT
    start = coerce(node.args["start"], Sort.NUMBER, use)
    length = node.args.get("length")
    rest = [] if length is None else [_count(length, use)]
    written = literal_integer(start)
    if (written is not None and written > 0) or _is_positive(start):
        return call("SUBSTRING", gives, value, start, *rest)
    if gives is Sort.BINARY:
        raise PlanError("a part of bytes that is counted from their end has no translation")
    size = call("CHAR_LENGTH", Sort.NUMBER, value.copy())
    if written is not None:
        tail = call("SUBSTRING", gives, call("RIGHT", gives, value.copy(), number(-written)), number(1), *rest)
        missing = exp.LT(this=size, expression=number(-written)) if written else exp.Not(this=is_null(value))
        return _when(missing, string(""), tail, gives) if written else _when(missing, string(""), exp.Null(), gives)
    from_end = exp.Add(this=exp.Add(this=size, expression=grouped(start.copy())), expression=number(1))
    ahead = exp.If(
        this=exp.GT(this=grouped(start), expression=number(0)),
        true=call("SUBSTRING", gives, value, start.copy(), *rest),
    )
    behind = exp.If(
        this=exp.and_(
            exp.LT(this=grouped(start.copy()), expression=number(0)), exp.GT(this=from_end, expression=number(0))
        ),
        true=call("SUBSTRING", gives, value.copy(), from_end.copy(), *(item.copy() for item in rest)),
    )
    known = exp.and_(*(exp.Not(this=is_null(item)) for item in (value, start, *rest)))
    return mark(exp.Case(ifs=[ahead, behind, exp.If(this=known, true=string(""))]), gives)


def _is_positive(node: exp.Expr) -> bool:
    if isinstance(node, exp.Paren):
        return _is_positive(node.this)
    if not isinstance(node, exp.Add) or not is_non_negative(node):
        return False
    return any((literal_integer(side) or 0) > 0 for side in (node.this, node.expression))


def _first_byte(node: exp.Expr, use: Use) -> exp.Expr:
    refuse_stored("a conversion of text to bytes", use)
    value = coerce(node.this, Sort.TEXT, use)
    encoded = call("CONVERT_TO", Sort.BINARY, value.copy(), string("UTF8"))
    return _when(
        exp.EQ(this=value, expression=string("")), number(0),
        call("GET_BYTE", Sort.NUMBER, encoded, number(0)), Sort.NUMBER,
    )  # fmt: skip


def _bit_length(node: exp.Expr, use: Use) -> exp.Expr:
    value = node.this if node.this is not None and isinstance(node.this, exp.Expr) else node.expressions[0]
    return call("BIT_LENGTH", Sort.NUMBER, value if sort_of(value) is Sort.BINARY else coerce(value, Sort.TEXT, use))


def _position(array: exp.Expr, label: exp.Expr) -> exp.Expr:
    found = call("ARRAY_POSITION", Sort.NUMBER, array, label)
    return mark(exp.Coalesce(this=found, expressions=[number(0)]), Sort.NUMBER)


def _find_in_set(node: exp.Expr, use: Use) -> exp.Expr:
    """The position in a list in text; for a SET column, in the list of its members."""
    label, labels = node.expressions
    refuse_folding([label, labels], use)
    label = coerce(label, Sort.TEXT, use)
    members: tuple[str, ...] = ()
    if sort_of(labels) is Sort.SET:
        refuse_stored("a search in a set", use)
        known = column_type(labels)
        if known is None:
            raise PlanError("FIND_IN_SET in a computed set has no translation")
        members = known.type.members
    array = coerce(labels, Sort.SET, use)
    unknown = exp.or_(*(is_null(side) for side in (label, labels) if not isinstance(side, exp.Literal)))
    if not members:
        return _when(unknown, exp.Null(), _position(array, label), Sort.NUMBER)
    definition = exp.Array(expressions=[string(member) for member in members])
    absent = exp.Is(this=call("ARRAY_POSITION", Sort.NUMBER, array, label.copy()), expression=exp.Null())
    chosen = [exp.If(this=unknown, true=exp.Null()), exp.If(this=absent, true=number(0))]
    return mark(exp.Case(ifs=chosen, default=_position(definition, label)), Sort.NUMBER)


def _field(node: exp.Expr, use: Use) -> exp.Expr:
    value, *others = node.expressions
    sorts = {sort_of(item) for item in node.expressions} - {Sort.STRING}
    want = Sort.NUMBER if sorts <= NUMBERS and sorts else Sort.TEXT
    refuse_folding(node.expressions, use)
    array = exp.Array(expressions=[coerce(item, want, use) for item in others])
    return _position(array, coerce(value, want, use))


def _strcmp(node: exp.Expr, use: Use) -> exp.Expr:
    refuse_folding(node.expressions, use)
    left, right = (grouped(coerce(item, Sort.TEXT, use)) for item in node.expressions)
    less = exp.If(this=exp.LT(this=left, expression=right), true=exp.Literal.number(-1))
    same = exp.If(this=exp.EQ(this=left.copy(), expression=right.copy()), true=exp.Literal.number(0))
    more = exp.If(this=exp.GT(this=left.copy(), expression=right.copy()), true=exp.Literal.number(1))
    return mark(exp.Case(ifs=[less, same, more]), Sort.NUMBER)


def _joined(node: exp.Expr, use: Use) -> exp.Expr:
    """CONCAT_WS takes values of any type and would write CHAR with its padding."""
    refuse_stored("the function concat_ws", use)
    return call("CONCAT_WS", Sort.TEXT, *(unpadded(coerce(item, Sort.TEXT, use)) for item in node.expressions))


def _substring_index(node: exp.Expr, use: Use) -> exp.Expr:
    """Up to the first delimiter, or from the last; others have no short form."""
    value, delimiter, count = node.this, node.args.get("delimiter"), node.args.get("count")
    written = literal_integer(count)
    if written not in (1, -1) or not isinstance(delimiter, exp.Literal) or not delimiter.name:
        raise PlanError("SUBSTRING_INDEX with another count than 1 and -1 has no translation")
    return call("SPLIT_PART", Sort.TEXT, coerce(value, Sort.TEXT, use), delimiter, number(written))


def _elt(node: exp.Expr, use: Use) -> exp.Expr:
    index, *texts = node.expressions if node.this is None else [node.this, *node.expressions]
    branches = [
        exp.If(this=exp.EQ(this=grouped(index.copy()), expression=number(place)), true=coerce(text, Sort.TEXT, use))
        for place, text in enumerate(texts, 1)
    ]
    return mark(exp.Case(ifs=branches), Sort.TEXT)


def _grouped_digits(node: exp.Expr, use: Use) -> exp.Expr:
    """FORMAT(x, d): commas between thousands."""
    digits = literal_integer(node.args.get("format"))
    if digits is None or not 0 <= digits <= 30 or sort_of(node.this) is not Sort.NUMBER:
        raise PlanError("FORMAT with a locale, of a floating-point number or to computed digits has no translation")
    refuse_stored("the function format", use)
    pattern = "FM" + "999," * 9 + "990" + ("." + "0" * digits if digits else "")
    return call("TO_CHAR", Sort.TEXT, call("ROUND", Sort.NUMBER, node.this, number(digits)), string(pattern))


def _json_length(node: exp.Expr, use: Use) -> exp.Expr:
    if len(node.expressions) != 1 or sort_of(node.expressions[0]) is not Sort.JSON:
        raise PlanError("JSON_LENGTH of text, or with a path, has no translation")
    value = grouped(node.expressions[0])
    kind = call("JSONB_TYPEOF", Sort.TEXT, value)
    members = exp.Select(expressions=[exp.Count(this=exp.Star())]).from_(
        exp.Table(this=exp.Anonymous(this="JSONB_OBJECT_KEYS", expressions=[value.copy()]))
    )
    refuse_stored("a count of a JSON object's keys", use)
    branches = [
        exp.If(this=string("array"), true=call("JSONB_ARRAY_LENGTH", Sort.NUMBER, value.copy())),
        exp.If(this=string("object"), true=exp.Subquery(this=members)),
    ]
    counted = exp.Case(this=kind, ifs=branches, default=number(1))
    return _when(exp.Not(this=is_null(value)), counted, exp.Null(), Sort.NUMBER)


RULES: dict[type[exp.Expr], Rule] = {
    exp.Left: _end("LEFT"),
    exp.Right: _end("RIGHT"),
    exp.Substring: _substring,
    exp.SubstringIndex: _substring_index,
    exp.Ascii: _first_byte,
    exp.BitLength: _bit_length,
    exp.Elt: _elt,
    exp.NumberToStr: _grouped_digits,
    exp.ConcatWs: _joined,
}
BY_NAME: dict[str, Rule] = {
    "find_in_set": _find_in_set,
    "field": _field,
    "strcmp": _strcmp,
    "json_length": _json_length,
}
