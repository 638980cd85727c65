"""Figures per column of a MySQL table, by one statement over all rows or over the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstem.connectors.mysql.browse_objects import Ask
from mainstem.connectors.mysql.browse_spelling import MysqlSpelling
from mainstem.contract.browse import BrowseColumn, ColumnSummary, Relation, Summary
from mainstem.contract.browse_sql import Sql
from mainstem.model.types import Kind

_SPELL = MysqlSpelling()
_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.YEAR})
_ORDERED = _NUMBERS | {Kind.DATE, Kind.TIME, Kind.INTERVAL, Kind.TIMESTAMP, Kind.INSTANT, Kind.TEXT}
_SHOWN = 200  # characters of a smallest and largest text
_AT_ONCE = 100  # columns in one statement


def summary(ask: Ask, relation: Relation, sample_rows: int) -> Summary:
    """Count, nulls, distinct values, range, mean and lengths, as far as the type has them. There are no quartiles."""
    source = f"{_SPELL.qualified(relation.id)} AS t"
    if sample_rows:
        source = f"(SELECT * FROM {source} LIMIT {sample_rows}) AS t"
    rows, found = 0, list[ColumnSummary]()
    for start in range(0, len(relation.columns), _AT_ONCE):
        columns = relation.columns[start : start + _AT_ONCE]
        parts = [part for column in columns for part in _figures(column)]
        (values,) = ask(Sql(f"SELECT COUNT(*), {', '.join(parts)} FROM {source}"))
        rows, rest = int(values[0]), list(values[1:])
        for column in columns:
            found.append(_summary(column, rows, [rest.pop(0) for _ in _figures(column)]))
    return Summary(rows, bool(sample_rows) and rows >= sample_rows, tuple(found))


def _figures(column: BrowseColumn) -> tuple[str, ...]:
    """Expressions in the order of `_summary`."""
    name = f"t.{_SPELL.quote(column.name)}"
    number, ordered = column.kind in _NUMBERS, column.kind in _ORDERED
    sized = column.binary or column.kind in (Kind.TEXT, Kind.JSON)
    length = f"OCTET_LENGTH({name})" if column.binary else f"CHAR_LENGTH({name})"
    return (
        f"COUNT({name})",
        f"COUNT(DISTINCT {name})",
        f"LEFT(MIN({name}), {_SHOWN})" if ordered else "NULL",
        f"LEFT(MAX({name}), {_SHOWN})" if ordered else "NULL",
        f"AVG({name})" if number else "NULL",
        f"STDDEV_SAMP({name})" if number else "NULL",
        f"MIN({length})" if sized else "NULL",
        f"MAX({length})" if sized else "NULL",
        f"ROUND(AVG({length}), 2)" if sized else "NULL",
    )


def _summary(column: BrowseColumn, rows: int, values: Sequence[Any]) -> ColumnSummary:
    count, distinct, least, most, mean, deviation, shortest, longest, length = values
    return ColumnSummary(
        column.name, column.type, int(count), rows - int(count), int(distinct), least, most, mean, deviation,
        shortest=None if shortest is None else int(shortest), longest=None if longest is None else int(longest),
        average_length=length,
    )  # fmt: skip
