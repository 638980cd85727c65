"""Cutting a table into ranges of its clustered key. Every comparison of a boundary is made by the server.

A boundary is kept as JSON: the index and, for its first columns, literals of MySQL's SQL that go into a WHERE clause as
they are. ``{"index": "PRIMARY", "at": [["tenant", "7"], ["id", "9000"]]}`` stands behind every row up to that key; a
boundary of fewer columns stands behind all rows that begin with it. A partitioned table is cut by partitions first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainstem.connectors.mysql.cuts import Cutter, Piece
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.keys import clustered_key
from mainstem.connectors.mysql.ranges import Bound, between
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_DIALECT = MysqlDialect()
_PARTITIONS = (
    "SELECT partition_name, SUM(table_rows) FROM information_schema.partitions"
    " WHERE table_schema = %s AND table_name = %s AND partition_name IS NOT NULL"
    " GROUP BY partition_name ORDER BY MIN(partition_ordinal_position)"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """Partitions that are read together, as they stand in ``PARTITION (…)``; empty is the whole table."""

    sql: str
    rows: int


def plan_chunks(cursor: Cursor, table: TablePlan, rows: int) -> list[Chunk]:
    """Cut a table into chunks of about so many rows; one chunk where it is small, or has no key to cut it by."""
    if table.query or table.rows_estimate <= rows:
        return [Chunk(table.source, 0)]
    parts = _grouped(_partitions(cursor, table), rows) or [_Part("", table.rows_estimate)]
    key = clustered_key(cursor, table.source)
    chunks: list[Chunk] = []
    for part in parts:
        pieces = [Piece((), part.rows)]
        if key is not None and part.rows > rows:
            pieces = Cutter(cursor, _name(table, part.sql), key, rows).pieces()
        edges = [None, *(_text(key.index, piece.upper) for piece in pieces[:-1] if key), None]
        chunks += [
            Chunk(table.source, len(chunks) + number, edges[number], edges[number + 1], part.sql)
            for number in range(len(edges) - 1)
        ]
    return chunks


def read_from(table: TablePlan, chunk: Chunk) -> tuple[str, str]:
    """What stands behind FROM, and the chunk's range as a condition: empty for the whole table."""
    lower, upper = _bound(chunk.lower), _bound(chunk.upper)
    index = _index(chunk.lower or chunk.upper)
    hint = f" FORCE INDEX ({_DIALECT.quote(index)})" if index else ""
    return _name(table, chunk.part) + hint, between(lower, upper)


def same_parts(cursor: Cursor, table: TablePlan, chunks: Sequence[Chunk]) -> bool:
    """Whether the table has the partitions that it had when it was cut; a row may be in another one else."""
    cut = {name for chunk in chunks if chunk.part for name in chunk.part.split(", ")}
    return not cut or cut == {_DIALECT.quote(name) for name, _ in _partitions(cursor, table)}


def _name(table: TablePlan, part: str) -> str:
    return _DIALECT.qualified(table.source) + (f" PARTITION ({part})" if part else "")


def _text(index: str, bound: Bound) -> str:
    return json.dumps({"index": index, "at": bound}, ensure_ascii=False)


def _bound(text: str | None) -> Bound:
    return tuple((name, literal) for name, literal in json.loads(text)["at"]) if text else ()


def _index(text: str | None) -> str:
    return str(json.loads(text)["index"]) if text else ""


def _partitions(cursor: Cursor, table: TablePlan) -> list[tuple[str, int]]:
    """Names and estimated rows; empty for a table without partitions."""
    cursor.execute(_PARTITIONS, (table.source.schema, table.source.name))
    return [(str(name), int(rows or 0)) for name, rows in cursor.fetchall()]


def _grouped(partitions: Sequence[tuple[str, int]], rows: int) -> list[_Part]:
    """Neighbours that are small together, so that 500 empty partitions are not 500 chunks."""
    return [
        _Part(", ".join(_DIALECT.quote(name) for name, _ in group), sum(count for _, count in group))
        for group in _groups(partitions, rows)
    ]


def _groups(partitions: Sequence[tuple[str, int]], rows: int) -> Iterator[list[tuple[str, int]]]:
    group: list[tuple[str, int]] = []
    for partition in partitions:
        if group and sum(count for _, count in group) + partition[1] > rows:
            yield group
            group = []
        group.append(partition)
    if group:
        yield group
