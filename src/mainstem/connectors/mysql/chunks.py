"""Cutting a table into key ranges. Every boundary is computed, and every comparison made, by the server.

A boundary is kept as a literal of MySQL's SQL, so that it can be put into a WHERE clause as it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan
from mainstem.model.types import Kind

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

MAX_CHUNKS = 10_000
_DIALECT = MysqlDialect()

# How a key value is turned into a literal by the server; `{k}` is the quoted column. A string compared with a column
# takes the column's collation, so ranges follow the index's own order.
_LITERALS = {
    Kind.TEXT: "CONCAT('_', CHARSET({k}), ' 0x', HEX({k}))",
    Kind.BINARY: "CONCAT('_binary 0x', HEX({k}))",
    Kind.DECIMAL: "CAST({k} AS CHAR)",
    Kind.DATE: "QUOTE(CAST({k} AS CHAR))",
    Kind.TIMESTAMP: "QUOTE(CAST({k} AS CHAR))",
    Kind.INSTANT: "QUOTE(CAST({k} AS CHAR))",
    Kind.UUID: "QUOTE(CAST({k} AS CHAR))",
}


def plan_chunks(cursor: Cursor, table: TablePlan, rows: int) -> list[Chunk]:
    """Cut a table by its first key column into chunks of about so many rows; one chunk where it cannot be cut."""
    whole = [Chunk(table.source, 0)]
    if table.query or not table.key:
        return whole
    kind = next((column.type.kind for column in table.columns if column.source == table.key[0]), None)
    if kind is Kind.INTEGER:
        bounds = _integer_bounds(cursor, table, rows)
    elif kind in _LITERALS and table.rows_estimate > rows:
        bounds = _walked_bounds(cursor, table, rows, _LITERALS[kind])
    else:
        return whole
    edges = [None, *bounds, None]
    return [Chunk(table.source, number, edges[number], edges[number + 1]) for number in range(len(edges) - 1)]


def condition(table: TablePlan, chunk: Chunk) -> str:
    """The chunk's range as a condition, or an empty text for the whole table."""
    key = _DIALECT.quote(table.key[0]) if table.key else ""
    parts = []
    if chunk.lower is not None:
        parts.append(f"{key} > {chunk.lower}")
    if chunk.upper is not None:
        parts.append(f"{key} <= {chunk.upper}")
    return " AND ".join(parts)


def _one(cursor: Cursor, sql: str) -> tuple[Any, ...] | None:
    cursor.execute(sql)
    return cursor.fetchone()


def _integer_bounds(cursor: Cursor, table: TablePlan, rows: int) -> list[str]:
    """Even cuts between MIN and MAX, then halves of those that the optimizer's index dives find too full."""
    key, name = _DIALECT.quote(table.key[0]), _DIALECT.qualified(table.source)
    low, high = _one(cursor, f"SELECT MIN({key}), MAX({key}) FROM {name}") or (None, None)
    if low is None or high is None or high - low < rows:
        return []
    estimate = min(max(table.rows_estimate, _dive(cursor, name, key, low - 1, high)), high - low + 1)
    count = min(max(-(-estimate // rows), 1), MAX_CHUNKS)
    edges = [low - 1 + (high - low + 1) * number // count for number in range(count)] + [high]
    cuts: list[int] = []
    pending = list(pairwise(edges))[::-1]
    while pending:
        lower, upper = pending.pop()
        crowded = len(cuts) + len(pending) < MAX_CHUNKS and upper - lower > 1 and count > 1
        if crowded and _dive(cursor, name, key, lower, upper) > 2 * rows:
            middle = (lower + upper) // 2
            pending += [(middle, upper), (lower, middle)]
        else:
            cuts.append(upper)
    return [str(cut) for cut in cuts[:-1]]


def _dive(cursor: Cursor, name: str, key: str, lower: int, upper: int) -> int:
    """Rows in a range, estimated by the server from the index itself: costs two descents, reads no rows."""
    cursor.execute(f"EXPLAIN SELECT 1 FROM {name} FORCE INDEX (PRIMARY) WHERE {key} > {lower} AND {key} <= {upper}")
    names = [column[0].lower() for column in cursor.description or ()]
    line = cursor.fetchone()
    return int(line[names.index("rows")] or 0) if line is not None else 0


def _walked_bounds(cursor: Cursor, table: TablePlan, rows: int, literal: str) -> list[str]:
    """Every n-th key along the index: exact for any type and collation, at the cost of one pass over the index."""
    key, name = _DIALECT.quote(table.key[0]), _DIALECT.qualified(table.source)
    cuts: list[str] = []
    while len(cuts) < MAX_CHUNKS:
        after = f"WHERE {key} > {cuts[-1]}" if cuts else ""
        line = _one(
            cursor,
            f"SELECT {literal.format(k=key)} FROM {name} FORCE INDEX (PRIMARY) {after}"
            f" ORDER BY {key} LIMIT 1 OFFSET {rows - 1}",
        )
        if line is None or line[0] is None:
            break
        text = line[0].decode("ascii") if isinstance(line[0], bytes) else str(line[0])
        if cuts and text == cuts[-1]:
            break
        cuts.append(text)
    return cuts
