"""What tables look like now, asked of the catalog when the log tells of a statement that may have changed them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from mainstem.connectors.mysql.catalog import read_catalog
from mainstem.connectors.mysql.client import as_text, translating
from mainstem.connectors.mysql.config import NOT_OF_THE_LEDGER
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.log_side import Side
from mainstem.errors import NotFoundError, StatementError
from mainstem.model.names import TableId
from mainstem.model.schema import Column, Default

_NAMES = (
    "SELECT table_name FROM information_schema.tables"
    f" WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'){NOT_OF_THE_LEDGER}"
)
_SHAPES = (
    "SELECT table_name, column_name, column_type, is_nullable, character_set_name, generation_expression,"
    " extra FROM information_schema.columns WHERE table_schema = %s AND table_name IN ({})"
    " ORDER BY table_name, ordinal_position"
)
_WAYS = (
    "SELECT table_schema, table_name, view_definition FROM information_schema.views",
    "SELECT event_object_schema, event_object_table, action_statement FROM information_schema.triggers",
    "SELECT routine_schema, routine_name, routine_definition FROM information_schema.routines",
)
_KEYS = (
    "SELECT index_name, column_name FROM information_schema.statistics WHERE non_unique = 0 AND table_schema = %s AND"
    " table_name = %s"
)
_ENGINE = "SELECT engine FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
_ASKED_AT_ONCE = 500
_DIALECT = MysqlDialect()
_UNION = re.compile(r"\) ENGINE=.* UNION=\((.*?)\)(?: |$)", re.S)
_WORD = re.compile(r"[\w$]+")
_NAME = re.compile(r"`((?:[^`]|``)+)`(?:\.`((?:[^`]|``)+)`)?")
MERGES = ("MRG_MYISAM", "MERGE")

Shape = tuple[tuple[str, str, bool, str, str, bool], ...]


def shape(columns: Iterable[Column]) -> Shape:
    """What matters of columns to whoever reads their rows: equal shapes are read alike."""
    return tuple(
        (
            column.name,
            column.native,
            column.nullable,
            column.charset,
            column.generated.expression if column.generated is not None else "",
            column.identity,
        )
        for column in columns
    )


def defaults(columns: Iterable[Column]) -> tuple[Default | None, ...]:
    """What new rows get where their images leave a column out (``binlog_row_image``)."""
    return tuple(column.default for column in columns)


class SchemaWatch:
    """Asks the catalog. For one thread at a time."""

    def __init__(self, side: Side) -> None:
        self._side = side

    def names(self, database: str) -> set[str]:
        """The tables of a database."""
        return {str(name) for (name,) in self._side.ask(_NAMES, (database,))}

    def ways(self, databases: Iterable[str]) -> list[tuple[str, str, str]]:
        """Views, tables with triggers and routines that may write to another database, if only by way of others.

        What the user does not see is not among them; of what is seen without its definition, all is assumed.

        Returns:
            Schema and name, and one of the databases.
        """
        definitions = [
            (as_text(schema), as_text(name), as_text(definition))
            for question in _WAYS
            for schema, name, definition in self._side.ask(question, ())
        ]
        return ways_to(tuple(databases), definitions)

    def shapes(self, tables: Sequence[TableId]) -> dict[TableId, Shape]:
        """The shapes of those of the tables that exist."""
        found: dict[TableId, list[tuple[str, str, bool, str, str, bool]]] = {}
        for database in sorted({table.schema for table in tables}):
            names = [table.name for table in tables if table.schema == database]
            for start in range(0, len(names), _ASKED_AT_ONCE):
                some = names[start : start + _ASKED_AT_ONCE]
                rows = self._side.ask(_SHAPES.format(", ".join(["%s"] * len(some))), (database, *some))
                for table, name, native, nullable, charset, expression, extra in rows:
                    found.setdefault(TableId(database, as_text(table)), []).append(
                        (
                            as_text(name),
                            as_text(native),
                            nullable == "YES",
                            as_text(charset),
                            _expression(as_text(expression)),
                            "auto_increment" in as_text(extra).lower(),
                        )
                    )
        return {table: tuple(parts) for table, parts in found.items()}

    def is_key(self, table: TableId, columns: Collection[str]) -> bool:
        """Whether no two rows of a table are alike in these columns; also if there is no such table."""
        rows = self._side.ask(_KEYS, (table.schema, table.name))
        keys: dict[str, set[str]] = {}
        for index, column in rows:
            keys.setdefault(as_text(index), set()).add(as_text(column).lower())
        wanted = {column.lower() for column in columns}
        return any(key <= wanted for key in keys.values()) or table.name not in self.names(table.schema)

    def merged(self, table: TableId) -> tuple[TableId, ...]:
        """The tables that one of the engine MERGE is made of; none for others, and for what the user may not see."""
        rows = self._side.ask(_ENGINE, (table.schema, table.name))
        if not rows or as_text(rows[0][0]).upper() not in MERGES:
            return ()
        with suppress(StatementError):
            ((_, text),) = self._side.ask(f"SHOW CREATE TABLE {_DIALECT.qualified(table)}")
            return merged_of(as_text(text), table.schema)
        return ()

    def columns(self, table: TableId, before: Sequence[Column] = ()) -> tuple[Column, ...]:
        """The columns of a table; empty if there is none such.

        Args:
            before: columns as they were: one that is what it was keeps its type, which may be narrower than what the
                catalog says (see `evidence`).
        """
        with translating(table=str(table)):
            try:
                (found,) = read_catalog(self._side.connection(), table.schema, [table], evidence=False).tables
            except NotFoundError:
                return ()
        known = {(column.name, column.native): column.type for column in before}
        return tuple(
            replace(column, type=known.get((column.name, column.native), column.type)) for column in found.columns
        )


def ways_to(databases: Sequence[str], definitions: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Of views, triggers' tables and routines (schema, name, definition), those that lead to databases.

    It is no grammar: one that only has such a name in its definition is a way, too.
    """
    read = [(schema, name, text.lower(), frozenset(_WORD.findall(text.lower()))) for schema, name, text in definitions]

    def says(text: str, words: frozenset[str], name: str) -> bool:
        return name.lower() in (words if _WORD.fullmatch(name) else text)

    found: list[tuple[str, str, str]] = []
    for target in databases:
        others = [one for one in read if one[0] != target]
        known = {(schema, name) for schema, name, text, words in others if not text or says(text, words, target)}
        size = 0
        while size < len(known):
            size = len(known)
            known |= {
                (schema, name)
                for schema, name, text, words in others
                if any(says(text, words, other) and (its == schema or says(text, words, its)) for its, other in known)
            }
        found += [(schema, name, target) for schema, name in sorted(known)]
    return found


def merged_of(text: str, schema: str) -> tuple[TableId, ...]:
    """The tables below one of the engine MERGE, by its CREATE TABLE."""
    union = _UNION.search(text)
    found = []
    for one in _NAME.finditer(union[1]) if union is not None else ():
        first, second = (one[1] or "").replace("``", "`"), (one[2] or "").replace("``", "`")
        found.append(TableId(first, second) if second else TableId(schema, first))
    return tuple(found)


def _expression(text: str) -> str:
    """As far as it makes a generated column. A server that spells it otherwise elsewhere is asked for the columns."""
    return "" if text.upper() in ("ROW START", "ROW END") else text
