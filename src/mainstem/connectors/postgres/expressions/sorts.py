"""What kind of value an expression yields, and how one kind is turned into another where MySQL does it unasked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum

from sqlglot import exp

from mainstem.connectors.postgres.types import base_name, is_array
from mainstem.contract.dialect import ColumnType, Use
from mainstem.errors import PlanError
from mainstem.model.types import Kind


class Sort(StrEnum):
    """Coarse types: as many as decide whether PostgreSQL needs a conversion. STRING is an untyped string literal."""

    UNKNOWN = "a value of unknown type"
    NULL = "null"
    STRING = "a string literal"
    BOOLEAN = "a truth value"
    NUMBER = "a number"
    FLOAT = "a floating-point number"
    TEXT = "text"
    ENUM = "an enum"
    SET = "a set"
    JSON = "JSON"
    BINARY = "bytes"
    BITS = "bits"
    DATE = "a date"
    TIME = "a time"
    TIMESTAMP = "a timestamp"
    INSTANT = "a timestamp with time zone"
    INTERVAL = "an interval"
    OTHER = "a UUID or address"


Rule = Callable[[exp.Expr, Use], exp.Expr]
"""Turns a node whose operands are translated into what PostgreSQL says; `PlanError` if it cannot."""

NUMBERS = frozenset({Sort.NUMBER, Sort.FLOAT})
TIMES = frozenset({Sort.DATE, Sort.TIME, Sort.TIMESTAMP, Sort.INSTANT, Sort.INTERVAL})
_LOOSE = frozenset({Sort.UNKNOWN, Sort.NULL})
_META = "sort"
_NUMERAL = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")

_BY_TYPE: dict[str, Sort] = {
    **dict.fromkeys(("boolean", "bool"), Sort.BOOLEAN),
    **dict.fromkeys(("smallint", "integer", "int", "bigint", "numeric", "decimal"), Sort.NUMBER),
    **dict.fromkeys(("real", "double precision", "float4", "float8"), Sort.FLOAT),
    **dict.fromkeys(("text", "varchar", "char", "character varying", "character", "citext"), Sort.TEXT),
    **dict.fromkeys(("jsonb", "json"), Sort.JSON),
    **dict.fromkeys(("bit", "bit varying", "varbit"), Sort.BITS),
    **dict.fromkeys(("uuid", "inet", "cidr"), Sort.OTHER),
    "bytea": Sort.BINARY,
    "date": Sort.DATE,
    "time": Sort.TIME,
    "interval": Sort.INTERVAL,
}


def sort_of_column(type_: ColumnType) -> Sort:
    """The sort of a column by its type on the target."""
    base = base_name(type_.sql)
    if type_.type.kind is Kind.SET and is_array(type_.sql):
        return Sort.SET
    if type_.type.kind is Kind.ENUM and '"' in type_.sql:
        return Sort.ENUM
    if base == "timestamp" or base == "timestamptz":
        return Sort.INSTANT if "with time zone" in type_.sql or base == "timestamptz" else Sort.TIMESTAMP
    return _BY_TYPE.get(base, Sort.UNKNOWN)


def column_type(node: exp.Expr) -> ColumnType | None:
    """What is known of a column node's type."""
    found: ColumnType | None = node.meta.get(ColumnType.META)
    return found


def mark(node: exp.Expr, sort: Sort) -> exp.Expr:
    """The node, remembered to yield this sort."""
    node.meta[_META] = sort
    return node


def sort_of(node: exp.Expr) -> Sort:
    """What the node yields; UNKNOWN if nobody has said."""
    found: Sort = node.meta.get(_META, Sort.UNKNOWN)
    return found


def cast(node: exp.Expr, sql_type: str, sort: Sort) -> exp.Expr:
    """CAST(node AS type)."""
    return mark(exp.Cast(this=node, to=exp.DataType.build(sql_type, dialect="postgres")), sort)


def call(name: str, sort: Sort, *arguments: exp.Expr) -> exp.Expr:
    """A call of a function of PostgreSQL's."""
    return mark(exp.Anonymous(this=name, expressions=list(arguments)), sort)


def grouped(node: exp.Expr) -> exp.Expr:
    """The node, in brackets where an operator beside it could tear it apart."""
    if isinstance(node, (exp.Binary, exp.Unary, exp.Between, exp.In)) and not isinstance(node, exp.Paren):
        return mark(exp.Paren(this=node), sort_of(node))
    return node


def number(value: int | str) -> exp.Expr:
    """A number literal."""
    return mark(exp.Literal.number(value), Sort.NUMBER)


def string(text: str) -> exp.Expr:
    """A string literal."""
    return mark(exp.Literal.string(text), Sort.STRING)


def unpadded(node: exp.Expr) -> exp.Expr:
    """CHAR as text, without the spaces at its end, where the server would not take them off by itself."""
    known = column_type(node) if isinstance(node, exp.Column) else None
    return cast(node, "text", Sort.TEXT) if known and base_name(known.sql) in ("char", "character", "bpchar") else node


def each(rule: Rule, *types: type[exp.Expr]) -> dict[type[exp.Expr], Rule]:
    """The same rule for all of these."""
    return dict.fromkeys(types, rule)


def is_null(node: exp.Expr) -> exp.Expr:
    """``node IS NULL``, of a copy of the node."""
    return exp.Is(this=grouped(node.copy()), expression=exp.Null())


def refuse_stored(what: str, use: Use) -> None:
    """`PlanError` where the expression is stored: the function's result may change with settings or time."""
    if use is Use.STORED:
        raise PlanError(f"{what} cannot be stored: its result depends on the session")


def folds(node: exp.Expr) -> bool:
    """Whether text of the node compares without regard to case in the source."""
    return sort_of(node) is Sort.TEXT and any(
        known is not None and known.folds for known in map(column_type, node.find_all(exp.Column))
    )


def refuse_folding(nodes: Iterable[exp.Expr], use: Use) -> None:
    """`PlanError` where the result of a comparison that case matters to here, and not there, is stored."""
    if use is Use.STORED and any(folds(node) for node in nodes):
        raise PlanError("it compares text, without regard to case there and with regard to it here")


Convert = Callable[[exp.Expr], exp.Expr]


def _to_boolean(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal):
        return mark(exp.Boolean(this=float(node.name) != 0), Sort.BOOLEAN)
    return mark(exp.NEQ(this=grouped(node), expression=number(0)), Sort.BOOLEAN)


def _to_number(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Boolean):
        return number(int(node.this))
    return cast(node, "int", Sort.NUMBER)


def _numeral(node: exp.Expr) -> exp.Expr:
    if not _NUMERAL.fullmatch(node.name):
        raise PlanError("text is used as a number")
    return number(node.name.strip())


def _bytes_literal(node: exp.Expr) -> exp.Expr:
    return cast(exp.Literal.string("\\x" + node.name.encode().hex()), "bytea", Sort.BINARY)


def _text(node: exp.Expr) -> exp.Expr:
    return cast(node, "text", Sort.TEXT)


def _bits_to_number(node: exp.Expr) -> exp.Expr:
    return cast(node, "bigint", Sort.NUMBER)


def _same(node: exp.Expr) -> exp.Expr:
    return node


_STABLE_TEXT = frozenset({Sort.ENUM, Sort.SET, *TIMES})
_CONVERSIONS: dict[tuple[Sort, Sort], Convert] = {
    (Sort.BOOLEAN, Sort.NUMBER): _to_number,
    (Sort.BOOLEAN, Sort.TEXT): lambda node: _text(_to_number(node)),
    **{(sort, Sort.BOOLEAN): _to_boolean for sort in NUMBERS},
    **{(sort, Sort.TEXT): _text for sort in (Sort.NUMBER, Sort.ENUM, Sort.JSON, Sort.OTHER, *TIMES)},
    (Sort.SET, Sort.TEXT): lambda node: call("ARRAY_TO_STRING", Sort.TEXT, node, string(",")),
    (Sort.TEXT, Sort.SET): lambda node: call("STRING_TO_ARRAY", Sort.SET, node, string(",")),
    (Sort.BITS, Sort.NUMBER): _bits_to_number,
    (Sort.BITS, Sort.BOOLEAN): lambda node: _to_boolean(_bits_to_number(node)),
    (Sort.TEXT, Sort.JSON): lambda node: cast(node, "jsonb", Sort.JSON),
    (Sort.TEXT, Sort.BINARY): lambda node: call("CONVERT_TO", Sort.BINARY, node, string("UTF8")),
    (Sort.STRING, Sort.NUMBER): _numeral,
    (Sort.STRING, Sort.FLOAT): _numeral,
    (Sort.STRING, Sort.BINARY): _bytes_literal,
    (Sort.NUMBER, Sort.FLOAT): _same,
    (Sort.FLOAT, Sort.NUMBER): _same,
    **{(Sort.STRING, sort): _same for sort in (Sort.TEXT, Sort.ENUM, Sort.JSON, Sort.OTHER, Sort.BITS, *TIMES)},
    **{(Sort.DATE, sort): _same for sort in (Sort.TIMESTAMP, Sort.INSTANT)},
    (Sort.TIMESTAMP, Sort.DATE): lambda node: cast(node, "date", Sort.DATE),
    (Sort.TIMESTAMP, Sort.INSTANT): _same,
    (Sort.INSTANT, Sort.TIMESTAMP): lambda node: cast(node, "timestamp", Sort.TIMESTAMP),
    (Sort.INSTANT, Sort.DATE): lambda node: cast(node, "date", Sort.DATE),
    (Sort.TIME, Sort.INTERVAL): _same,
}


def coerce(node: exp.Expr, want: Sort, use: Use) -> exp.Expr:
    """The node as the wanted sort.

    Raises:
        PlanError: there is no conversion, or none that gives the same result for ever where ``use`` is STORED.
    """
    have = sort_of(node)
    if have is want or have in _LOOSE or want is Sort.UNKNOWN:
        return node
    convert = _CONVERSIONS.get((have, want))
    if convert is None:
        raise PlanError(f"the expression uses {have.value} as {want.value}")
    unstable = (want is Sort.TEXT and have in _STABLE_TEXT) or (
        Sort.INSTANT in (have, want) and have is not Sort.STRING
    )
    if unstable and use is Use.STORED:
        raise PlanError(f"what is stored cannot depend on how the server writes {have.value}")
    return convert(node)
