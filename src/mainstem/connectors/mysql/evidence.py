"""What the rows say that no catalog does: what a type is used for, and characters that would be lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstem.connectors.mysql.dialect import MysqlDialect, quote
from mainstem.connectors.mysql.own import has_gaps
from mainstem.connectors.mysql.types import as_boolean, as_time_of_day, is_boolean_candidate
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, Column, OtherObject, Table
from mainstem.model.types import Kind

Ask = Callable[[str, Sequence[object]], list[dict[str, Any]]]

_DIALECT = MysqlDialect()
_COUNTED = "CHAR_LENGTH({0}) - CHAR_LENGTH(REPLACE({0}, '?', ''))"


def with_evidence(ask: Ask, catalog: Catalog) -> Catalog:
    """The catalog with types by what their columns hold; one query for each table that has such columns.

    A column whose text would become question marks as Unicode is among ``others``, as ``unmapped_characters``.
    """
    tables, others = [], list(catalog.others)
    for table in catalog.tables:
        asked = _questions(table)
        if not asked:
            tables.append(table)
            continue
        selected = ", ".join(f"{question} AS c{number}" for number, question in enumerate(asked.values()))
        answer = ask(f"SELECT {selected} FROM {_DIALECT.qualified(table.id)}", [])[0]
        held = {name: bool(answer[f"c{number}"]) for number, name in enumerate(asked)}
        tables.append(replace(table, columns=tuple(_narrowed(column, held) for column in table.columns)))
        others += [
            OtherObject("unmapped_characters", TableId(table.id.schema, column.name), table.id.name)
            for column in table.columns
            if column.type.kind is Kind.TEXT and held.get(column.name)
        ]
    return replace(catalog, tables=tuple(tables), others=tuple(others))


def _questions(table: Table) -> dict[str, str]:
    """By column; an empty table, or nothing but NULL, speaks against no type and loses nothing."""
    found = {}
    for column in table.columns:
        quoted = quote(column.name)
        if is_boolean_candidate(column.native) and not column.identity:
            found[column.name] = f"COALESCE(MIN({quoted}) >= 0 AND MAX({quoted}) <= 1, 1)"
        elif column.type.kind is Kind.INTERVAL:
            within = f"MIN({quoted}) >= TIME'00:00:00' AND MAX({quoted}) <= TIME'24:00:00'"
            found[column.name] = f"COALESCE({within}, 1)"
        elif column.type.kind is Kind.TEXT and has_gaps(column.charset):
            as_bytes, as_unicode = f"CAST({quoted} AS BINARY)", f"CONVERT({quoted} USING utf8mb4)"
            lost = f"({_COUNTED.format(as_bytes)}) < ({_COUNTED.format(as_unicode)})"
            found[column.name] = f"COALESCE(MAX({lost}), 0)"
    return found


def _narrowed(column: Column, held: Mapping[str, bool]) -> Column:
    if not held.get(column.name) or column.type.kind is Kind.TEXT:
        return column
    narrow = as_time_of_day if column.type.kind is Kind.INTERVAL else as_boolean
    return replace(column, type=narrow(column.type))
