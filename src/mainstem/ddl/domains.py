"""Columns of domains for a target that has none: what the domain says is said of the column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from mainstem.model.schema import Catalog, Check, Column, Table

_VALUE = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\bVALUE\b""")


def without_domains(catalog: Catalog, quote: Callable[[str], str]) -> Catalog:
    """The catalog with checks, defaults and NOT NULL of domains as those of the tables' own.

    Args:
        quote: a column's name in the owner's SQL.
    """
    return replace(catalog, tables=tuple(_table(table, quote) for table in catalog.tables))


def _table(table: Table, quote: Callable[[str], str]) -> Table:
    if all(column.domain is None for column in table.columns):
        return table
    checks = [
        Check(f"{column.name}_{name}", _about(condition, quote(column.name)))
        for column in table.columns
        if column.domain is not None
        for name, condition in column.domain.conditions
    ]
    return replace(table, columns=tuple(map(_column, table.columns)), checks=(*table.checks, *checks))


def _about(condition: str, column: str) -> str:
    return _VALUE.sub(lambda found: found[1] or column, condition)


def _column(column: Column) -> Column:
    if column.domain is None:
        return column
    default = column.default if column.generated or column.default else column.domain.default
    return replace(column, nullable=column.nullable and column.domain.nullable, default=default)
