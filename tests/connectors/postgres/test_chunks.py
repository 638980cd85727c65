from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from mainstem.connectors.postgres.chunks import MAX_CHUNKS, Part, condition, plan_chunks
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

TABLE = TableId("s", "t")
PLAN = TablePlan(TABLE, TABLE, ())
MIB = 1024 * 1024
VERSION = 150000
# 100 MiB in 12,800 blocks, a million rows
HEAP = Part(TABLE, "r", True, True, 7, 7, 100 * MIB, 100 * MIB, 1_000_000.0, 12_800, 8192)


@pytest.mark.parametrize(
    ("part", "rows", "count"),
    [
        (HEAP, 100_000, 10),
        (HEAP, 10**9, 1),
        (HEAP, 1, 100),  # a chunk has a MiB at least
        (replace(HEAP, rows=-1.0, pages=0), 100_000, 11),  # without statistics a row is taken for 100 bytes
        (replace(HEAP, rows=1.0, pages=1), 1000, 13),  # with old ones, for as large as it was then
        (replace(HEAP, heap_bytes=8 * MIB, total_bytes=10_000 * MIB), 100_000, 1),
        (replace(HEAP, heap_bytes=8 * MIB, total_bytes=10_000 * MIB, rows=1e4, pages=1024), 100, 100),
        (replace(HEAP, heap_bytes=100_000_000 * 8192, total_bytes=100_000_000 * 8192), 1000, MAX_CHUNKS),
        (replace(HEAP, heap_bytes=8192, total_bytes=100 * MIB), 1, 1),  # a block is not cut
        (replace(HEAP, heap_bytes=0, total_bytes=0), 1, 1),
        (replace(HEAP, heap=False), 1000, 1),
        (replace(HEAP, kind="v"), 1000, 1),
    ],
)
def test_a_table_is_cut_into_even_ranges_of_blocks(part: Part, rows: int, count: int) -> None:
    chunks = plan_chunks(PLAN, [part], rows, VERSION)
    assert len(chunks) == count
    assert [chunk.number for chunk in chunks] == list(range(count))
    assert (chunks[0].lower, chunks[-1].upper) == (None, None)
    assert all(before.upper == after.lower for before, after in pairwise(chunks))
    starts = [int((chunk.lower or "0@").split("@")[0]) for chunk in chunks]
    assert starts == sorted(set(starts))


def test_before_version_14_a_table_is_one_chunk() -> None:
    assert plan_chunks(PLAN, [HEAP], 1000, 130012) == [Chunk(TABLE, 0)]


def test_a_partitioned_table_is_one_chunk_where_a_partition_may_not_be_read_alone() -> None:
    whole = replace(HEAP, kind="p", heap=False)
    leaf = replace(HEAP, id=TableId("s", "leaf"))
    denied = replace(HEAP, id=TableId("s", "other"), readable=False)
    assert plan_chunks(PLAN, [whole, leaf, denied], 10, VERSION) == [Chunk(TABLE, 0)]
    assert {chunk.part for chunk in plan_chunks(PLAN, [whole, leaf], 10, VERSION)} == {'"s"."leaf"'}


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (None, None, ""),
        ("5@7", None, "ctid >= '(5,0)'"),
        (None, "9@7", "ctid < '(9,0)'"),
        ("5@7", "9@7", "ctid >= '(5,0)' AND ctid < '(9,0)'"),
    ],
)
def test_a_chunk_is_a_condition_on_the_place(lower: str | None, upper: str | None, text: str) -> None:
    assert condition(Chunk(TABLE, 0, lower, upper)) == text
