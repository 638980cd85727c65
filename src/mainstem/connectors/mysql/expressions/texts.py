"""Text: joining, cutting, searching and matching, where both servers give the same."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from mainstem.connectors.mysql.expressions.casts import as_text
from mainstem.connectors.mysql.expressions.sorts import (
    Context,
    Rule,
    Sort,
    call,
    each,
    grouped,
    literal_text,
    mark,
    number,
    sort_of,
    string,
    want,
    whole_number,
)
from mainstem.errors import PlanError

_TEXTS = frozenset({Sort.TEXT, Sort.STRING})
# Letters, digits, brackets, repetition and choice: what both regular expression engines read alike.
_PATTERN = re.compile(r"(?:[A-Za-z0-9 _@%#&=:;,!<>/~'\"-]|[.*+?|()]|\[\^?[A-Za-z0-9_@%.+ -]+\]|\{\d+(?:,\d*)?\})+")


def _join(node: exp.Expr, context: Context) -> exp.Expr:
    """``||``, which is null when one side is."""
    sides: list[exp.Expr] = []
    for side in (node.this, node.expression):
        joined = isinstance(side, exp.Anonymous) and side.name == "CONCAT"
        sides += side.expressions if joined else [as_text(side)]
    return call("CONCAT", Sort.TEXT, *sides)


def _concat(node: exp.Expr, context: Context) -> exp.Expr:
    """The function, which leaves nulls out."""
    parts = [exp.Coalesce(this=as_text(part), expressions=[string("")]) for part in node.expressions]
    return call("CONCAT", Sort.TEXT, *parts)


def _concat_ws(node: exp.Expr, context: Context) -> exp.Expr:
    return call("CONCAT_WS", Sort.TEXT, *(as_text(part) for part in node.expressions))


def _same(sort: Sort) -> Rule:
    def rule(node: exp.Expr, context: Context) -> exp.Expr:
        want(node.this, _TEXTS, f"the function {node.key}")
        return mark(node, sort)

    return rule


def _length(node: exp.Expr, context: Context) -> exp.Expr:
    sort = sort_of(want(node.this, {*_TEXTS, Sort.BINARY}, "a length"))
    octets = node.args.get("binary") or sort is Sort.BINARY
    return call("OCTET_LENGTH" if octets else "CHAR_LENGTH", Sort.INTEGER, node.this)


def _trim(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, _TEXTS, "trimming")
    characters = node.expression
    if characters is not None and len(literal_text(characters, "what is trimmed")) != 1:
        raise PlanError("trimming a set of characters has no translation")
    if characters is None:
        node.set("expression", string(" "))
    if not node.args.get("position"):
        node.set("position", "BOTH")
    return mark(node, Sort.TEXT)


def _substring(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, _TEXTS, "a part")
    length = node.args.get("length")
    parts = [number(whole_number(node.args.get("start"), "where a part begins", 1))]
    if length is not None:
        parts.append(number(whole_number(length, "a part's length")))
    return call("SUBSTRING", Sort.TEXT, node.this, *parts)


def _end(node: exp.Expr, context: Context) -> exp.Expr:
    """LEFT and RIGHT; a negative length means another thing there."""
    want(node.this, _TEXTS, "a part")
    whole_number(node.expression, "a part's length")
    return mark(node, Sort.TEXT)


def _position(node: exp.Expr, context: Context) -> exp.Expr:
    place = [want(node.args["substr"], _TEXTS, "a search"), want(node.this, _TEXTS, "a search")]
    if node.args.get("position") is not None or node.find(exp.Column) is None:
        raise PlanError("such a search has no translation")
    return call("LOCATE", Sort.INTEGER, *place)


def _replace(node: exp.Expr, context: Context) -> exp.Expr:
    parts = [want(node.args[key], _TEXTS, "replacing") for key in ("this", "expression", "replacement")]
    return call("REPLACE", Sort.TEXT, *parts)


def _pad(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, _TEXTS, "padding")
    length = number(whole_number(node.expression, "the length"))
    fill = literal_text(node.args.get("fill_pattern") or string(" "), "what fills up")
    if not fill:
        raise PlanError("padding with nothing has no translation")
    return call("LPAD" if node.args.get("is_left") else "RPAD", Sort.TEXT, node.this, length, string(fill))


def _repeat(node: exp.Expr, context: Context) -> exp.Expr:
    want(node.this, _TEXTS, "repeating")
    return call("REPEAT", Sort.TEXT, node.this, want(node.args["times"], {Sort.INTEGER}, "a number of times"))


def _like(fold: Callable[[exp.Expr], exp.Expr]) -> Rule:
    def rule(node: exp.Expr, context: Context) -> exp.Expr:
        value, pattern = (want(side, _TEXTS, "LIKE") for side in (node.this, node.expression))
        if value.find(exp.Column) is None:
            raise PlanError("LIKE of literals has no translation")
        if literal_text(pattern, "the pattern of LIKE").endswith("\\"):
            raise PlanError("the pattern of LIKE ends in a backslash")
        made = mark(exp.Like(this=fold(grouped(value)), expression=fold(pattern)), Sort.BOOLEAN)
        return mark(exp.Not(this=grouped(made)), Sort.BOOLEAN) if node.args.get("negate") else made

    return rule


def _lower(node: exp.Expr) -> exp.Expr:
    return mark(exp.Lower(this=node), Sort.TEXT)


def _matches(node: exp.Expr, context: Context) -> exp.Expr:
    """``~``: the point takes line ends too, and ``$`` only the very end."""
    want(node.this, {Sort.TEXT}, "a regular expression")
    pattern = literal_text(node.expression, "the regular expression")
    begins, body = pattern.startswith("^"), pattern.removeprefix("^")
    ends, body = body.endswith("$"), body.removesuffix("$")
    if body and not _PATTERN.fullmatch(body):
        raise PlanError("the servers may read the regular expression differently")
    if "|" in body and (begins or ends) and not (body.startswith("(") and body.endswith(")")):
        raise PlanError("the servers may read the regular expression differently")
    made = "(?s)" + ("^" if begins else "") + body + (r"\z" if ends else "")
    place = call("REGEXP_INSTR", Sort.INTEGER, node.this, exp.Literal.string(made))
    return mark(exp.GT(this=place, expression=number(0)), Sort.BOOLEAN)


RULES: dict[type[exp.Expr], Rule] = {
    exp.DPipe: _join,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.Length: _length,
    exp.Trim: _trim,
    exp.Substring: _substring,
    exp.StrPosition: _position,
    exp.Replace: _replace,
    exp.Pad: _pad,
    exp.Repeat: _repeat,
    exp.Like: _like(lambda node: node),
    exp.ILike: _like(_lower),
    exp.RegexpLike: _matches,
    **each(_end, exp.Left, exp.Right),
    **each(_same(Sort.TEXT), exp.Lower, exp.Upper, exp.Reverse, exp.MD5),
}
