"""Rows with large cells in COPY's binary format."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from mainstem.connectors.postgres.encode import BatchEncoder
from mainstem.connectors.postgres.splice import LARGE_BYTES, encoded, pieces
from mainstem.errors import RowError
from mainstem.model.cells import batch_of
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import NulPolicy, RunOptions
from mainstem.model.types import Kind, LogicalType

LARGE = b"\xe2\x82\xac" * (LARGE_BYTES // 3 + 1)
COLUMNS = [("id", Kind.INTEGER, "bigint"), ("raw", Kind.BINARY, "bytea"), ("text", Kind.TEXT, "text"),
           ("n", Kind.DECIMAL, "numeric")]  # fmt: skip
Row = tuple[bytes | None, ...]


def encoder(**options: Any) -> BatchEncoder:
    columns = tuple(ColumnPlan(name, name, LogicalType(kind), target, True, "") for name, kind, target in COLUMNS)
    return BatchEncoder(TablePlan(TableId("s", "t"), TableId("s", "t"), columns, ("id",)), RunOptions(**options))


def batch(rows: list[Row]) -> pa.RecordBatch:
    return batch_of([pa.array(cells, pa.binary()) for cells in zip(*rows, strict=True)])


ROWS: list[Row] = [
    (b"1", b"\0\1", b"a", b"1.5"),
    (b"2", LARGE, b"b", None),
    (b"3", None, LARGE, b"2"),
    (b"4", LARGE, LARGE, b"3"),
    (None, None, None, None),
    (b"5", b"", LARGE, b"4"),
    (b"6", b"x", b"y", b"5"),
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[1:2], ROWS[:1], ROWS[2:4], ROWS[::-1]])
def test_they_are_the_bytes_that_the_encoder_alone_makes(rows: list[Row]) -> None:
    whole = batch(rows)
    assert b"".join(map(bytes, pieces(encoder(), whole))) == bytes(encoded(encoder(), whole, 0, whole.num_rows))


def test_rows_of_a_slice_too() -> None:
    part = batch(ROWS).slice(2, 4)
    alone = batch(ROWS[2:6])
    assert b"".join(map(bytes, pieces(encoder(), part))) == bytes(encoded(encoder(), alone, 0, 4))


def test_large_cells_are_not_copied() -> None:
    whole = batch([(b"1", LARGE, b"b", b"2")])
    sizes = [len(piece) for piece in pieces(encoder(), whole)]
    assert len(LARGE) in sizes
    assert sum(sizes) < len(LARGE) + 200


@pytest.mark.parametrize("policy", [NulPolicy.STRIP, NulPolicy.REPLACE])
def test_a_nul_in_a_large_text_is_dealt_with_by_policy(policy: NulPolicy) -> None:
    whole = batch([(b"1", LARGE, b"\0" + LARGE, b"2")])
    one, other = encoder(nul_text=policy), encoder(nul_text=policy)
    assert b"".join(map(bytes, pieces(one, whole))) == bytes(encoded(other, whole, 0, 1))
    assert one.take_coerced() == other.take_coerced() != {}


def test_a_refused_row_is_named_by_its_place() -> None:
    whole = batch([ROWS[0], ROWS[1], (b"3", LARGE, b"\0" + LARGE, b"2")])
    with pytest.raises(RowError) as caught:
        list(pieces(encoder(), whole))
    assert caught.value.row == 2
