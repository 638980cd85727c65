"""Functions: which neutral ones PostgreSQL has, what they take and give, and how others are said."""

from __future__ import annotations

import json

from sqlglot import exp

from mainstem.connectors.postgres.expressions.sorts import (
    NUMBERS,
    Rule,
    Sort,
    call,
    cast,
    coerce,
    each,
    grouped,
    is_null,
    mark,
    refuse_stored,
    sort_of,
    string,
    unpadded,
)
from mainstem.contract.dialect import Use
from mainstem.errors import PlanError


def name_of(node: exp.Expr) -> str:
    """A function's name as people write it."""
    return node.sql_name().lower() if isinstance(node, exp.Func) else node.key


def _takes(takes: Sort, gives: Sort, *, stable: bool = False) -> Rule:
    """A function that is spelled alike; its text or number operands are coerced.

    Args:
        stable: the server does not promise the same result for ever.
    """

    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        if stable:
            refuse_stored(f"the function {name_of(node)}", use)
        for key in ("this", "expression", "substr", "fill_pattern", "replacement"):
            value = node.args.get(key)
            own = Sort.TEXT if takes is Sort.TEXT else takes
            if isinstance(value, exp.Expr) and (key == "this" or sort_of(value) not in NUMBERS):
                node.set(key, coerce(value, own, use))
        if node.expressions and takes is not Sort.UNKNOWN:
            node.set("expressions", [coerce(item, takes, use) for item in node.expressions])
        return mark(node, gives)

    return rule


def _same(node: exp.Expr, use: Use) -> exp.Expr:
    """Gives what it is given."""
    return mark(node, sort_of(node.this))


def _concat(node: exp.Expr, use: Use) -> exp.Expr:
    """``||`` is NULL when an operand is, as MySQL's CONCAT; PostgreSQL's own CONCAT leaves nulls out."""
    texts = [grouped(coerce(item, Sort.TEXT, use)) for item in node.expressions]
    made = texts[0]
    for text in texts[1:]:
        made = mark(exp.DPipe(this=made, expression=text), Sort.TEXT)
    return made if len(texts) == 1 else mark(exp.Paren(this=made), Sort.TEXT)


def _length(node: exp.Expr, use: Use) -> exp.Expr:
    if sort_of(node.this) is Sort.BINARY:
        return call("OCTET_LENGTH", Sort.NUMBER, node.this)
    text = coerce(node.this, Sort.TEXT, use)
    return call("OCTET_LENGTH" if node.args.get("binary") else "CHAR_LENGTH", Sort.NUMBER, text)


def _extreme(node: exp.Expr, use: Use) -> exp.Expr:
    """GREATEST and LEAST are NULL there when an operand is, and leave nulls out here."""
    values = [node.this, *node.expressions]
    sorts = {sort_of(value) for value in values} - {Sort.NULL, Sort.UNKNOWN, Sort.STRING}
    want = next(iter(sorts), Sort.UNKNOWN) if len(sorts) <= 1 else Sort.NUMBER
    values = [coerce(value, want, use) for value in values]
    name = "GREATEST" if isinstance(node, exp.Greatest) else "LEAST"
    nullable = [value for value in values if not isinstance(value, exp.Literal)]
    if not nullable:
        return call(name, want, *values)
    condition = exp.or_(*map(is_null, nullable))
    return mark(exp.Case(ifs=[exp.If(this=condition, true=exp.Null())], default=call(name, want, *values)), want)


def _hex(node: exp.Expr, use: Use) -> exp.Expr:
    if sort_of(node.this) in NUMBERS:
        return call("UPPER", Sort.TEXT, call("TO_HEX", Sort.TEXT, node.this))
    return call("UPPER", Sort.TEXT, call("ENCODE", Sort.TEXT, _bytes(node.this, use), string("hex")))


def _bytes(node: exp.Expr, use: Use) -> exp.Expr:
    if sort_of(node) is Sort.BINARY:
        return node
    refuse_stored("a conversion of text to bytes", use)
    return call("CONVERT_TO", Sort.BINARY, coerce(node, Sort.TEXT, use), string("UTF8"))


def _unhex(node: exp.Expr, use: Use) -> exp.Expr:
    return call("DECODE", Sort.BINARY, coerce(node.this, Sort.TEXT, use), string("hex"))


def _sha2(node: exp.Expr, use: Use) -> exp.Expr:
    bits = node.args["length"].name if node.args.get("length") is not None else "256"
    if bits not in ("224", "256", "384", "512"):
        raise PlanError("SHA2 of an unusual length has no translation")
    return call("ENCODE", Sort.TEXT, call(f"SHA{bits}", Sort.BINARY, _bytes(node.this, use)), string("hex"))


def _group_concat(node: exp.Expr, use: Use) -> exp.Expr:
    """STRING_AGG of text; with DISTINCT it can be ordered by nothing but what is collected."""
    order = node.this if isinstance(node.this, exp.Order) else None
    inner = order.this if order is not None else node.this
    distinct = inner if isinstance(inner, exp.Distinct) else None
    values = distinct.expressions if distinct is not None else [inner]
    text = coerce(values[0], Sort.TEXT, use)
    if len(values) > 1:
        text = _concat(exp.Concat(expressions=values), use)
    if distinct is not None:
        distinct.set("expressions", [text])
    elif order is not None:
        order.set("this", text)
    else:
        node.set("this", text)
    if order is not None and distinct is not None and any(item.this not in values for item in order.expressions):
        first = order.expressions[0]
        order.set(
            "expressions",
            [exp.Ordered(this=text.copy(), desc=first.args.get("desc"), nulls_first=first.args.get("nulls_first"))],
        )
    if node.args.get("separator") is None:
        node.set("separator", exp.Literal.string(","))
    return mark(node, Sort.TEXT)


# JSON: jsonb on the target


def json_path(path: exp.Expr) -> exp.Expr:
    """``$.a[0]`` as the array of keys that ``#>`` takes; `PlanError` for wildcards and the like."""
    keys = []
    for part in path.expressions if isinstance(path, exp.JSONPath) else [path]:
        if isinstance(part, exp.JSONPathRoot):
            continue
        if not isinstance(part, (exp.JSONPathKey, exp.JSONPathSubscript)) or not isinstance(part.this, (str, int)):
            raise PlanError("a JSON path with more than keys and indexes has no translation")
        keys.append(json.dumps(str(part.this), ensure_ascii=False))
    return string("{" + ",".join(keys) + "}")


def _extract(kind: type[exp.Expr], gives: Sort) -> Rule:
    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        path = node.args.get("path") or node.expression
        if node.expressions or not isinstance(path, exp.JSONPath):
            raise PlanError("a JSON function with several paths, or one that is computed, has no translation")
        return mark(kind(this=grouped(coerce(node.this, Sort.JSON, use)), expression=json_path(path)), gives)

    return rule


def _json_object(node: exp.Expr, use: Use) -> exp.Expr:
    refuse_stored("the function json_object", use)
    parts = []
    for pair in node.expressions:
        parts += [coerce(pair.this, Sort.TEXT, use), unpadded(pair.expression)]
    return call("JSONB_BUILD_OBJECT", Sort.JSON, *parts)


def _json_valid(node: exp.Expr, use: Use) -> exp.Expr:
    if sort_of(node.expressions[0]) is not Sort.JSON:
        raise PlanError("JSON_VALID of text has no translation that every version knows")
    there = exp.Not(this=is_null(node.expressions[0]))
    return mark(exp.Case(ifs=[exp.If(this=there, true=exp.Boolean(this=True))]), Sort.BOOLEAN)


def _json_unquote(node: exp.Expr, use: Use) -> exp.Expr:
    value = node.expressions[0]
    if sort_of(value) is not Sort.JSON:
        raise PlanError("JSON_UNQUOTE of text has no translation")
    return mark(exp.JSONBExtractScalar(this=grouped(value), expression=string("{}")), Sort.TEXT)


def _json_contains(node: exp.Expr, use: Use) -> exp.Expr:
    if len(node.expressions) != 2:
        raise PlanError("JSON_CONTAINS with a path has no translation")
    whole, part = (coerce(item, Sort.JSON, use) for item in node.expressions)
    part = cast(part, "jsonb", Sort.JSON) if sort_of(part) is Sort.STRING else part
    return mark(exp.ArrayContainsAll(this=grouped(whole), expression=grouped(part)), Sort.BOOLEAN)


# functions that sqlglot knows by their name alone


def _renamed(name: str, gives: Sort, *, stable: bool = True) -> Rule:
    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        if stable:
            refuse_stored(f"the function {node.name.lower()}", use)
        return call(name, gives, *map(unpadded, node.expressions))

    return rule


def _uuid_to_bin(node: exp.Expr, use: Use) -> exp.Expr:
    if len(node.expressions) > 1:
        raise PlanError("UUID_TO_BIN with swapped parts has no translation")
    value = node.expressions[0]
    uuid = value if isinstance(value, exp.Uuid) else cast(value, "uuid", Sort.OTHER)
    return call("UUID_SEND", Sort.BINARY, uuid)


def _bin_to_uuid(node: exp.Expr, use: Use) -> exp.Expr:
    if len(node.expressions) > 1:
        raise PlanError("BIN_TO_UUID with swapped parts has no translation")
    text = call("ENCODE", Sort.TEXT, coerce(node.expressions[0], Sort.BINARY, use), string("hex"))
    return cast(text, "uuid", Sort.OTHER)


def _anonymous(node: exp.Expr, use: Use) -> exp.Expr:
    from mainstem.connectors.postgres.expressions import dates, texts

    name = node.name.lower()
    rule = _BY_NAME.get(name) or texts.BY_NAME.get(name) or dates.BY_NAME.get(name)
    if rule is None:
        raise PlanError(f"the function {node.name.lower()} has no translation")
    return rule(node, use)


_BY_NAME: dict[str, Rule] = {
    "json_array": _renamed("JSONB_BUILD_ARRAY", Sort.JSON),
    "json_arrayagg": _renamed("JSONB_AGG", Sort.JSON),
    "json_objectagg": _renamed("JSONB_OBJECT_AGG", Sort.JSON),
    "json_valid": _json_valid,
    "json_unquote": _json_unquote,
    "json_contains": _json_contains,
    "json_compact": _renamed("TO_JSONB", Sort.JSON),
    "uuid_to_bin": _uuid_to_bin,
    "bin_to_uuid": _bin_to_uuid,
    "sys_guid": _renamed("GEN_RANDOM_UUID", Sort.OTHER),
}


def _volatile(gives: Sort) -> Rule:
    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        refuse_stored(f"the function {name_of(node)}", use)
        return mark(node, gives)

    return rule


_TEXT_TO_TEXT = (
    exp.Lower, exp.Upper, exp.Trim, exp.Replace, exp.Repeat, exp.Reverse, exp.Pad, exp.MD5,
)  # fmt: skip

RULES: dict[type[exp.Expr], Rule] = {
    **each(_takes(Sort.TEXT, Sort.TEXT), *_TEXT_TO_TEXT),
    **each(_takes(Sort.TEXT, Sort.NUMBER), exp.StrPosition),
    exp.Space: _takes(Sort.NUMBER, Sort.TEXT),
    exp.Concat: _concat,
    exp.Length: _length,
    exp.Greatest: _extreme,
    exp.Least: _extreme,
    exp.Hex: _hex,
    exp.Unhex: _unhex,
    exp.SHA2: _sha2,
    exp.JSONExtract: _extract(exp.JSONBExtract, Sort.JSON),
    exp.JSONExtractScalar: _extract(exp.JSONBExtractScalar, Sort.TEXT),
    exp.JSONValue: _extract(exp.JSONBExtractScalar, Sort.TEXT),
    exp.JSONObject: _json_object,
    exp.JSONKeyValue: _same,
    exp.Anonymous: _anonymous,
    exp.Uuid: _volatile(Sort.OTHER),
    exp.Rand: _volatile(Sort.FLOAT),
    exp.CurrentUser: _volatile(Sort.TEXT),
    # aggregates and windows
    exp.GroupConcat: _group_concat,
    exp.Count: _takes(Sort.UNKNOWN, Sort.NUMBER),
    **each(_same, exp.Min, exp.Max, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead, exp.Window),
    **each(_takes(Sort.NUMBER, Sort.FLOAT), exp.StddevPop, exp.StddevSamp, exp.Stddev, exp.Variance, exp.VariancePop),
    **each(_takes(Sort.UNKNOWN, Sort.NUMBER), exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile),
}
