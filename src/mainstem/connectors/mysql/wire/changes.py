"""What `native.binlogrows` has gathered, as `RowChanges`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mainstem.model.cells import batch_of
from mainstem.model.change import RowChanges
from mainstem.model.names import TableId

if TYPE_CHECKING:
    from mainstem.native.binlogrows import BinlogRows, Buffers
    from mainstem.native.memory import Block


def take_changes(decoder: BinlogRows, table: TableId) -> RowChanges:
    """Hand out a decoder's batch without a copy; cells of text are in their column's character set."""
    batch = decoder.take()
    return RowChanges(
        table,
        _array(pa.uint8(), batch.rows, None, batch.ops),
        _array(pa.int64(), batch.rows, None, batch.seqs),
        _record(batch.rows, batch.after),
        None if batch.before is None else _record(batch.rows, batch.before),
        {
            column: _array(pa.bool_(), batch.rows, None, bits)
            for column, bits in enumerate(batch.absent)
            if bits is not None
        },
        batch.size_bytes,
    )


def _array(type_: Any, rows: int, *buffers: Block | None) -> Any:
    return pa.Array.from_buffers(type_, rows, [None if buffer is None else pa.py_buffer(buffer) for buffer in buffers])


def _record(rows: int, columns: list[Buffers]) -> pa.RecordBatch:
    return batch_of([_array(pa.binary(), rows, *buffers) for buffers in columns])
