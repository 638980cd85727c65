from __future__ import annotations

import pyarrow as pa
import pytest

from mainstem.model.batch import Batch, ChangeBatch, Place, PlacedBatch, RawBatch
from mainstem.model.names import TableId

TABLE = TableId("shop", "t")
ROWS = ChangeBatch(TABLE, pa.record_batch([pa.array([b"a", b"b", b"c", b"d"])], names=["c0"]), 400)
PLACED = PlacedBatch(TABLE, 4, 400, Place("S", "s.0"), 7, 2)


@pytest.mark.parametrize(
    ("batch", "rows", "left"),
    [
        (ROWS, 4, (4, 400)),
        (ROWS, 1, (1, 100)),
        (PLACED, 1, (1, 100)),
        (RawBatch(TABLE, b"1234", 4), 4, (4, 4)),
        (RawBatch(TABLE, b"1234", 4), 3, None),
        (PlacedBatch(TABLE, 4, 400, Place("S", "s.0"), 7, 2, raw=True), 4, (4, 400)),
        (PlacedBatch(TABLE, 4, 400, Place("S", "s.0"), 7, 2, raw=True), 3, None),
    ],
)
def test_of_a_batch_the_first_rows_can_be_taken_unless_it_is_raw(
    batch: Batch, rows: int, left: tuple[int, int] | None
) -> None:
    first = batch.first(rows)
    assert (first and (first.count, first.size_bytes)) == left
