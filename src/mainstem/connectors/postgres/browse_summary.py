"""Figures per column of a PostgreSQL table, by one statement over all rows or over a sample of its pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstem.connectors.postgres.browse_objects import Ask
from mainstem.connectors.postgres.browse_spelling import PostgresSpelling
from mainstem.contract.browse import BrowseColumn, ColumnSummary, ObjectKind, Relation, Summary
from mainstem.contract.browse_sql import Sql
from mainstem.model.types import Kind

_SPELL = PostgresSpelling()
_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})
_TIMES = frozenset({Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.INSTANT})
_TEXTS = frozenset({"text", "character varying", "character", "citext"})
_SAMPLED = (ObjectKind.TABLE, ObjectKind.PARTITIONED, ObjectKind.MATERIALIZED)
_SHOWN = 200  # characters of a smallest and largest text
_AT_ONCE = 40  # columns in one statement, which may have no more than 1664


def summary(ask: Ask, relation: Relation, sample_rows: int) -> Summary:
    """Count, nulls, distinct values, range, mean and lengths, as far as the type has them."""
    sampled = 0 < sample_rows < relation.rows_estimate
    source = f"{_SPELL.qualified(relation.id)} AS t"
    if sampled and relation.kind in _SAMPLED:
        percent = min(100.0, 100 * sample_rows / relation.rows_estimate)
        source += f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"
    elif sample_rows:
        source = f"(SELECT * FROM {source} LIMIT {sample_rows}) AS t"
    rows, found = 0, list[ColumnSummary]()
    for start in range(0, len(relation.columns), _AT_ONCE):
        columns = relation.columns[start : start + _AT_ONCE]
        parts = [part for column in columns for part in _figures(column)]
        (values,) = ask(Sql(f"SELECT COUNT(*), {', '.join(parts)} FROM {source}", ()))
        rows, rest = values[0], list(values[1:])
        for column in columns:
            found.append(_summary(column, rows, [rest.pop(0) for _ in _figures(column)]))
    return Summary(rows, sampled, tuple(found))


def _figures(column: BrowseColumn) -> tuple[str, ...]:
    """Expressions in the order of `_summary`; each has a name of its own, since rows come as named tuples."""
    name = f"t.{_SPELL.quote(column.name)}"
    text = column.kind is Kind.TEXT and column.base in _TEXTS
    number, ordered = column.kind in _NUMBERS, column.kind in _NUMBERS or column.kind in _TIMES
    shown = name if column.binary else f"{name}::text"
    least = f"left(min({name})::text, {_SHOWN})" if ordered or text else "NULL"
    most = f"left(max({name})::text, {_SHOWN})" if ordered or text else "NULL"
    quarter = f"percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY {name})::text[]"
    length = f"octet_length({name})" if column.binary else f"char_length({shown})"
    sized = text or column.binary or column.kind is Kind.JSON
    return (
        f"COUNT({name})",
        f"COUNT(DISTINCT {shown})",
        least,
        most,
        f"round(avg({name})::numeric, 6)::text" if number and column.kind is not Kind.FLOAT else _mean(name, number),
        f"stddev_samp({name})::float8::text" if number else "NULL",
        quarter if ordered else "NULL",
        f"min({length})" if sized else "NULL",
        f"max({length})" if sized else "NULL",
        f"round(avg({length}), 2)::text" if sized else "NULL",
    )


def _mean(name: str, number: bool) -> str:
    return f"avg({name})::text" if number else "NULL"


def _summary(column: BrowseColumn, rows: int, values: Sequence[Any]) -> ColumnSummary:
    count, distinct, least, most, mean, deviation, quartiles, shortest, longest, length = values
    low, middle, high = quartiles or (None, None, None)
    return ColumnSummary(
        column.name, column.type, count, rows - count, distinct, least, most, mean, deviation, (low, middle, high),
        shortest, longest, length,
    )  # fmt: skip
