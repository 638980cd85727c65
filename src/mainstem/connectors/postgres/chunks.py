"""Cutting a table by where its rows lie: ranges of blocks, for any key or none, however skewed.

A bound is ``block@file``: the first block that is not in the chunk below it, and the table's file at that time. Where
another file has taken its place since, rows lie elsewhere. Source: PostgreSQL manual, "System Columns" (ctid), "System
Administration Functions" (pg_relation_filenode); release notes of 14 (TID range scans).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

MAX_CHUNKS = 10_000
MIN_CHUNK_BYTES = 1024 * 1024
ASSUMED_ROW_BYTES = 100  # of a table without statistics
_RANGE_SCANS = 140000  # before, a range of ctid was found by reading the whole table
_DIALECT = PostgresDialect()

# The relation itself and, where it is partitioned, what it consists of; leaves only. In the order of their names, so
# that a later look finds the same. Reading a partition by its own name takes a right of its own.
_PARTS = """
WITH RECURSIVE tree AS (
    SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s
    UNION ALL
    SELECT c.oid, c.relkind FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE tree.relkind = 'p')
SELECT n.nspname, c.relname, c.relkind::text, coalesce(am.amname = 'heap', false),
    pg_catalog.has_table_privilege(c.oid, 'SELECT'), coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::bigint,
    c.relfilenode::bigint, coalesce(pg_catalog.pg_relation_size(c.oid), 0),
    coalesce(pg_catalog.pg_table_size(c.oid), 0), c.reltuples::float8, c.relpages,
    pg_catalog.current_setting('block_size')::int
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
ORDER BY c.relkind <> 'p', n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class Part:
    """What rows lie in: a table, a leaf of a partitioned one, or something that is not cut (a view).

    Attributes:
        kind: pg_class.relkind.
        file: its file at present; ``seen_file`` as the snapshot has it, 0 where it has none.
        heap_bytes, total_bytes: without and with what is stored out of line.
    """

    id: TableId
    kind: str
    heap: bool
    readable: bool
    file: int
    seen_file: int
    heap_bytes: int
    total_bytes: int
    rows: float
    pages: int
    block_bytes: int

    @property
    def rewritten(self) -> bool:
        """Whether it was given another file since the snapshot was taken."""
        return self.kind == "r" and self.seen_file not in (0, self.file)

    @property
    def blocks(self) -> int:
        """How many blocks it has."""
        return self.heap_bytes // self.block_bytes

    def row_bytes(self) -> float:
        """About the bytes of a row, by the statistics of the server."""
        if self.rows <= 0 or self.pages <= 0 or not self.blocks:
            return ASSUMED_ROW_BYTES
        return self.total_bytes / (self.rows / self.pages * self.blocks)


def read_parts(connection: psycopg.Connection[Any], table: TableId) -> list[Part]:
    """The relation, and behind it the leaves of a partitioned one; empty when it does not exist."""
    rows = connection.execute(_PARTS, (table.schema, table.name)).fetchall()
    parts = [Part(TableId(schema, name), *rest) for schema, name, *rest in rows]
    return [part for part in parts if part.kind != "p" or part.id == table]


def leaves(parts: Sequence[Part]) -> list[Part]:
    """What rows are read from; of a partitioned table that is itself, where a partition may not be read alone."""
    if parts and parts[0].kind == "p" and len(parts) > 1 and all(part.readable for part in parts[1:]):
        return list(parts[1:])
    return list(parts[:1])


def plan_chunks(table: TablePlan, parts: Sequence[Part], rows: int, version: int) -> list[Chunk]:
    """Chunks of about so many rows; one where the relation cannot be cut.

    Args:
        version: the server's, as libpq numbers it.
    """
    if table.query or not parts:
        return [Chunk(table.source, 0)]
    chunks: list[Chunk] = []
    found = leaves(parts)
    for part in found:
        name = "" if part.id == table.source else _DIALECT.qualified(part.id)
        edges = [None, *_cuts(part, rows, version), None]
        for lower, upper in pairwise(edges):
            chunks.append(Chunk(table.source, len(chunks), lower, upper, name))
    return chunks


def _cuts(part: Part, rows: int, version: int) -> list[str]:
    if version < _RANGE_SCANS or not part.heap or part.kind != "r" or part.blocks < 2:
        return []
    wanted_bytes = max(rows * part.row_bytes(), MIN_CHUNK_BYTES)
    count = min(part.blocks, MAX_CHUNKS, -(-part.total_bytes // int(wanted_bytes)))
    return [f"{part.blocks * number // count}@{part.file}" for number in range(1, count)]


def condition(chunk: Chunk) -> str:
    """The chunk's range as a condition, or an empty text for the whole."""
    bounds = ((">=", chunk.lower), ("<", chunk.upper))  # no row has the place 0 of a block
    return " AND ".join(f"ctid {sign} '({bound.split('@')[0]},0)'" for sign, bound in bounds if bound is not None)


def files(chunks: Sequence[Chunk]) -> dict[str, set[int]]:
    """For each part that was cut: the file that it had then."""
    found: dict[str, set[int]] = {}
    for chunk in chunks:
        for bound in (chunk.lower, chunk.upper):
            if bound is not None:
                found.setdefault(chunk.part, set()).add(int(bound.split("@")[1]))
    return found
