"""SQL of a MySQL database with other names for what it qualifies: by its tokens, so that nothing else changes. Pure.

Source: MySQL manual, "Schema Object Names", "Comments", "String Literals".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, Column, DefaultKind, Table

_DIALECT = MysqlDialect()
_TOKEN = re.compile(
    r"""(?P<skip>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|\#[^\n]*|--(?=\s)[^\n]*|/\*(?!M?!).*?\*/|\s+)
    |(?P<quoted>`(?:[^`]|``)+`)
    |(?P<word>[0-9A-Za-z_$\u0080-\uffff]+)
    |(?P<mark>.)""",
    re.X | re.S,
)


@dataclass(frozen=True, slots=True)
class _Token:
    """A name or a mark, with where it stands."""

    text: str
    start: int
    end: int
    name: bool


def _tokens(sql: str) -> Iterator[_Token]:
    """Names (unquoted) and marks, without strings, comments and space."""
    for found in _TOKEN.finditer(sql):
        if found["quoted"]:
            yield _Token(found["quoted"][1:-1].replace("``", "`"), *found.span(), name=True)
        elif found["word"]:
            yield _Token(found["word"], *found.span(), name=True)
        elif found["mark"]:
            yield _Token(found["mark"], *found.span(), name=False)


def _qualified(sql: str) -> Iterator[tuple[_Token, _Token]]:
    """The first two parts of each name of several parts."""
    tokens = list(_tokens(sql))
    for number in range(len(tokens) - 2):
        first, point, second = tokens[number : number + 3]
        if not (first.name and point.text == "." and not point.name and second.name):
            continue
        behind = number > 0 and tokens[number - 1].text == "." and not tokens[number - 1].name
        if not behind and first.end == point.start and point.end == second.start:
            yield first, second


def relocate(sql: str, names: Mapping[TableId, TableId]) -> str:
    """The SQL with the new names of what it names with its database. Names without one are left as they are."""
    parts, at = [], 0
    for first, second in _qualified(sql):
        target = names.get(TableId(first.text, second.text))
        if target is not None:
            parts += [sql[at : first.start], _DIALECT.qualified(target)]
            at = second.end
    return "".join([*parts, sql[at:]])


def relocate_catalog(catalog: Catalog, names: Mapping[TableId, TableId]) -> Catalog:
    """The catalog with the new names in all of its texts; its ids stay."""

    def moved(sql: str) -> str:
        return relocate(sql, names) if sql else sql

    return replace(
        catalog,
        tables=tuple(_table(table, moved) for table in catalog.tables),
        views=tuple(replace(view, definition=moved(view.definition)) for view in catalog.views),
        objects=tuple(replace(item, statements=tuple(map(moved, item.statements))) for item in catalog.objects),
    )


def _table(table: Table, moved: Callable[[str], str]) -> Table:
    return replace(
        table,
        columns=tuple(_column(column, moved) for column in table.columns),
        checks=tuple(replace(check, expression=moved(check.expression)) for check in table.checks),
        indexes=tuple(
            replace(index, parts=tuple(replace(part, expression=moved(part.expression)) for part in index.parts))
            for index in table.indexes
        ),
    )


def _column(column: Column, moved: Callable[[str], str]) -> Column:
    default, generated = column.default, column.generated
    if default is not None and default.kind is DefaultKind.EXPRESSION:
        column = replace(column, default=replace(default, text=moved(default.text)))
    if generated is not None:
        column = replace(column, generated=replace(generated, expression=moved(generated.expression)))
    return column


def used(sql: str, known: Iterable[TableId]) -> tuple[TableId, ...]:
    """Which of the tables and views a query names, each with its database."""
    wanted = set(known)
    found = (TableId(first.text, second.text) for first, second in _qualified(sql))
    return tuple(dict.fromkeys(id_ for id_ in found if id_ in wanted))


def in_order(uses: Mapping[TableId, Sequence[TableId]]) -> list[TableId]:
    """Each view after those that it uses; as they come where that leaves a choice, or where they go in a circle."""
    sorter = TopologicalSorter({id_: [other for other in others if other in uses] for id_, others in uses.items()})
    try:
        return list(sorter.static_order())
    except CycleError:
        return list(uses)
