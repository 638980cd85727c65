"""What only SHOW CREATE TABLE tells: partitions, defaults of bytes, parsers of FULLTEXT indexes, periods.

It is asked for the tables that have such things and for no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from mainstem.connectors.mysql.dialect import MysqlDialect, quote
from mainstem.connectors.mysql.types import unquote
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, Column, Default, DefaultKind, Index, IndexMethod, OtherObject, Table

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_DIALECT = MysqlDialect()
_PARTITION = re.compile(rb"^(?:/\*!\d+)? ?(PARTITION BY .*?)(?: ?\*/)?\Z", re.M | re.S)
_DEFAULT = re.compile(rb" DEFAULT '((?:[^'\\]|''|\\.)*)'", re.S)
# An application-time period looks like a check of the same name to whoever asks the information schema.
_PERIOD = re.compile(rb"^  PERIOD FOR `((?:[^`]|``)+)` ", re.M)
_PERIOD_CHECK = re.compile(r"`(?:[^`]|``)+` < `(?:[^`]|``)+`")
_PARSER = re.compile(rb"WITH PARSER (`(?:[^`]|``)+`)")


def read_hidden(connection: Connection[Cursor], catalog: Catalog) -> Catalog:
    """The catalog with what was missing."""
    wanted = [table for table in catalog.tables if _hides(table)]
    if not wanted:
        return catalog
    made, periods = {}, list[OtherObject]()
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_results")
        ((charset,),) = cursor.fetchall()
        cursor.execute("SET character_set_results = binary")  # defaults of bytes come as they are
        try:
            for table in wanted:
                cursor.execute(f"SHOW CREATE TABLE {_DIALECT.qualified(table.id)}")
                definition = bytes(cursor.fetchall()[0][1])
                made[table.id] = with_definition(table, definition)
                periods += _periods(table, definition)
        finally:
            cursor.execute("SET character_set_results = %s", (charset,))
    tables = tuple(made.get(table.id, table) for table in catalog.tables)
    return replace(catalog, tables=tables, others=(*catalog.others, *periods))


def _hides(table: Table) -> bool:
    partitioned = "partitioned" in table.options.lower().split()
    return (
        partitioned
        or any(map(_is_hidden, table.columns))
        or any(_PERIOD_CHECK.fullmatch(check.expression) for check in table.checks)
        or any(index.method is IndexMethod.FULLTEXT for index in table.indexes)
    )


def _periods(table: Table, definition: bytes) -> Iterable[OtherObject]:
    for name in _PERIOD.findall(definition):
        yield OtherObject("period", TableId(table.id.schema, name.decode().replace("``", "`")), table.id.name)


def _is_hidden(column: Column) -> bool:
    return column.default is not None and column.default.kind is DefaultKind.HIDDEN


def with_definition(table: Table, definition: bytes) -> Table:
    """The table with what its SHOW CREATE TABLE says. Pure."""
    partition = _PARTITION.search(definition)
    return replace(
        table,
        columns=tuple(_column(column, definition) if _is_hidden(column) else column for column in table.columns),
        indexes=tuple(_index(index, definition) for index in table.indexes),
        partition_key=partition[1].decode() if partition else "",
    )


def _lines(definition: bytes, start: str) -> Iterable[bytes]:
    return (line for line in definition.split(b"\n") if line.startswith(start.encode()))


def _column(column: Column, definition: bytes) -> Column:
    for line in _lines(definition, f"  {quote(column.name)} "):
        found = _DEFAULT.search(line)
        if found is not None:
            text = unquote(found[1].decode("latin-1")).encode("latin-1")
            return replace(column, default=Default(DefaultKind.LITERAL, text.hex()))
    return column


def _index(index: Index, definition: bytes) -> Index:
    if index.method is not IndexMethod.FULLTEXT:
        return index
    for line in _lines(definition, f"  FULLTEXT KEY {quote(index.name)} "):
        found = _PARSER.search(line)
        if found is not None:
            return replace(index, definition=f"WITH PARSER {found[1].decode()}")
    return index
