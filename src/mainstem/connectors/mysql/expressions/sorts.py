"""What kind of value an expression yields, as far as it decides whether two servers compute the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from mainstem.connectors.mysql.native import TEXTS, base_name, is_plain_text
from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import ColumnType, Use
from mainstem.errors import PlanError
from mainstem.model.types import Kind, LogicalType

_SORT, _SCALE = "sort", "scale"
MAX_SCALE = 30


class Sort(StrEnum):
    """Coarse types.

    STRING is an untyped string literal. QUOTIENT has more digits than the servers agree on. FOREIGN is what only stands
    here as text.
    """

    UNKNOWN = "a value of unknown type"
    NULL = "null"
    STRING = "a string literal"
    BOOLEAN = "a truth value"
    INTEGER = "an integer"
    DECIMAL = "a decimal"
    FLOAT = "a floating-point number"
    TEXT = "text"
    ENUM = "an enum"
    UUID = "a UUID"
    JSON = "JSON"
    BINARY = "bytes"
    BITS = "bits"
    DATE = "a date"
    TIME = "a time"
    TIMESTAMP = "a timestamp"
    INSTANT = "a timestamp with time zone"
    INTERVAL = "an interval"
    QUOTIENT = "a quotient that is not rounded"
    FOREIGN = "a value that is only kept as text here"


NUMBERS = frozenset({Sort.INTEGER, Sort.DECIMAL, Sort.FLOAT})
EXACT = frozenset({Sort.INTEGER, Sort.DECIMAL})
MOMENTS = frozenset({Sort.DATE, Sort.TIMESTAMP})
_SORTS: dict[Kind, tuple[Sort, frozenset[str]]] = {
    Kind.BOOLEAN: (Sort.BOOLEAN, frozenset({"tinyint"})),
    Kind.INTEGER: (Sort.INTEGER, frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})),
    Kind.DECIMAL: (Sort.DECIMAL, frozenset({"decimal"})),
    Kind.FLOAT: (Sort.FLOAT, frozenset({"double"})),
    Kind.TEXT: (Sort.TEXT, TEXTS),
    Kind.ENUM: (Sort.ENUM, frozenset({"enum", "varchar"})),
    Kind.UUID: (Sort.UUID, frozenset({"uuid", "char"})),
    Kind.JSON: (Sort.JSON, frozenset({"json"})),
    Kind.BINARY: (Sort.BINARY, frozenset({"longblob", "varbinary", "binary"})),
    Kind.BITS: (Sort.BITS, frozenset({"bit"})),
    Kind.DATE: (Sort.DATE, frozenset({"date"})),
    Kind.TIME: (Sort.TIME, frozenset({"time"})),
    Kind.TIMESTAMP: (Sort.TIMESTAMP, frozenset({"datetime"})),
    Kind.INSTANT: (Sort.INSTANT, frozenset({"datetime"})),
}


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression is for, and where."""

    use: Use
    traits: Traits


Rule = Callable[[exp.Expr, Context], exp.Expr]
"""Turns a node whose operands are translated into what the server says; `PlanError` if it cannot."""


def sort_of_column(known: ColumnType) -> Sort:
    """The sort of a column by its type on both sides."""
    sort, names = _SORTS.get(known.type.kind, (Sort.FOREIGN, frozenset[str]()))
    if base_name(known.sql) not in names or (sort is Sort.TEXT and not is_plain_text(known.native)):
        return Sort.FOREIGN
    return sort


def type_of(sort: Sort, scale: int) -> ColumnType | None:
    """A type that yields this sort as a column, or None for one that has none."""
    found = _TYPES.get(sort)
    if sort is Sort.DECIMAL:
        return ColumnType(LogicalType(Kind.DECIMAL, precision=65, scale=scale), "decimal(65,30)", native="numeric")
    return found and ColumnType(found[0], found[1], native=found[1])


_TYPES: dict[Sort, tuple[LogicalType, str]] = {
    Sort.BOOLEAN: (LogicalType(Kind.BOOLEAN), "tinyint(1)"),
    Sort.INTEGER: (LogicalType(Kind.INTEGER, bits=64), "bigint"),
    Sort.FLOAT: (LogicalType(Kind.FLOAT, bits=64), "double"),
    Sort.TEXT: (LogicalType(Kind.TEXT), "longtext"),
    Sort.STRING: (LogicalType(Kind.TEXT), "longtext"),
    Sort.DATE: (LogicalType(Kind.DATE), "date"),
    Sort.TIME: (LogicalType(Kind.TIME, fraction=6), "time(6)"),
    Sort.TIMESTAMP: (LogicalType(Kind.TIMESTAMP, fraction=6), "datetime(6)"),
    Sort.INSTANT: (LogicalType(Kind.INSTANT, fraction=6), "datetime(6)"),
}


def column_type(node: exp.Expr) -> ColumnType | None:
    """What is known of a column node's type."""
    found: ColumnType | None = node.meta.get(ColumnType.META)
    return found


def mark(node: exp.Expr, sort: Sort, scale: int = 0) -> exp.Expr:
    """The node, remembered to yield this sort, with so many digits behind the point."""
    node.meta[_SORT], node.meta[_SCALE] = sort, scale
    return node


def like(node: exp.Expr, other: exp.Expr) -> exp.Expr:
    """The node, remembered to yield what the other yields."""
    return mark(node, sort_of(other), scale_of(other))


def sort_of(node: exp.Expr) -> Sort:
    """What the node yields; UNKNOWN if nobody has said."""
    found: Sort = node.meta.get(_SORT, Sort.UNKNOWN)
    return found


def scale_of(node: exp.Expr) -> int:
    """Digits behind the point that the node's value may have."""
    found: int = node.meta.get(_SCALE, 0)
    return found


def call(name: str, sort: Sort, *arguments: exp.Expr, scale: int = 0) -> exp.Expr:
    """A call of a function of MySQL's."""
    return mark(exp.Anonymous(this=name, expressions=list(arguments)), sort, scale)


def number(value: int) -> exp.Expr:
    """A number literal."""
    return mark(exp.Literal.number(value), Sort.INTEGER)


def string(text: str) -> exp.Expr:
    """A string literal."""
    return mark(exp.Literal.string(text), Sort.STRING)


def grouped(node: exp.Expr) -> exp.Expr:
    """The node, in brackets where an operator beside it could tear it apart."""
    loose = isinstance(node, (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Is)) and not isinstance(node, exp.Paren)
    return like(exp.Paren(this=node), node) if loose else node


def each(rule: Rule, *types: type[exp.Expr]) -> dict[type[exp.Expr], Rule]:
    """The same rule for all of these."""
    return dict.fromkeys(types, rule)


def want(node: exp.Expr, allowed: Iterable[Sort], what: str) -> exp.Expr:
    """The node; `PlanError` unless it yields one of these (or null)."""
    have = sort_of(node)
    if have is not Sort.NULL and have not in allowed:
        raise PlanError(f"{what} of {have.value} has no translation that is sure to give the same")
    return node


def whole_number(node: exp.Expr | None, what: str, least: int = 0) -> int:
    """A literal whole number; `PlanError` for anything else, or less."""
    if not (isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit() and int(node.name) >= least):
        raise PlanError(f"{what} is not a whole number that is written out")
    return int(node.name)


def literal_text(node: exp.Expr | None, what: str) -> str:
    """A string literal's text; `PlanError` for anything else."""
    if not (isinstance(node, exp.Literal) and node.is_string):
        raise PlanError(f"{what} is not written out")
    return node.name
