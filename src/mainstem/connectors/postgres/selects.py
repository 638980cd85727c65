"""The statements that read a table's rows. Pure."""

from __future__ import annotations

from mainstem.connectors.postgres.cells import as_fields, expression, field
from mainstem.connectors.postgres.chunks import condition
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.raw import BINARY
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan

_DIALECT = PostgresDialect()
_ALONE = ("r", "f")  # relations whose heirs' rows are not theirs


def select(table: TablePlan, chunk: Chunk, kind: str) -> str:
    """The COPY that sends a chunk's rows.

    Args:
        kind: pg_class.relkind of the table; empty for a query.
    """
    quoted = [_DIALECT.quote(column.source) for column in table.columns]
    if not table.raw:
        written = field if as_fields(table) else expression
        quoted = [written(column, name) for column, name in zip(table.columns, quoted, strict=True)]
    form = " (FORMAT binary)" if table.raw == BINARY or as_fields(table) else ""
    return f"COPY (SELECT {', '.join(quoted)} FROM {_relation(table, chunk, kind)}) TO STDOUT{form}"


def _relation(table: TablePlan, chunk: Chunk, kind: str) -> str:
    if table.query:  # which may end in a comment
        return f"({table.query}\n) AS mainstem_query"
    only = "ONLY " if chunk.part or kind in _ALONE else ""
    name = chunk.part or _DIALECT.qualified(table.source)
    alias = f" AS {_DIALECT.quote(table.source.name)}" if chunk.part else ""  # the user's condition may name the table
    where = " AND ".join(part for part in (f"({table.where}\n)" if table.where else "", condition(chunk)) if part)
    return f"{only}{name}{alias}{f' WHERE {where}' if where else ''}"
