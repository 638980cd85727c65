"""Rows with large cells into COPY's binary format without a copy of these cells: the rest is encoded around them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainstem.connectors.postgres.encode import BatchEncoder
from mainstem.model.cells import batch_of

if TYPE_CHECKING:
    import pyarrow as pa

LARGE_BYTES = 1024 * 1024
_NUL = re.compile(rb"\0")
_COUNT_BYTES = 2
_SIZE = struct.Struct("!i")


def pieces(encoder: BatchEncoder, rows: pa.RecordBatch) -> Iterator[Any]:
    """All rows in COPY's format, in pieces. Raises `RowError` before the first piece of a row that is refused."""
    start = 0
    for row in _large_rows(encoder, rows):
        if row > start:
            yield encoded(encoder, rows, start, row)
        yield from _spliced(encoder, rows.slice(row, 1), row)
        start = row + 1
    if start < rows.num_rows:
        yield encoded(encoder, rows, start, rows.num_rows)


def encoded(encoder: BatchEncoder, rows: pa.RecordBatch, start: int, stop: int) -> Any:
    """Some rows in COPY's format. Raises `RowError` for the first that is refused."""
    payload, refused = encoder.encode(rows, start, stop)
    if refused:
        raise encoder.error(refused[0])
    return payload


def _large_rows(encoder: BatchEncoder, rows: pa.RecordBatch) -> Sequence[int]:
    """Those with a large cell."""
    if not encoder.binary or rows.nbytes < LARGE_BYTES:
        return []
    from pyarrow import compute as pc  # rows that pass undecoded need none of it

    found: set[int] = set()
    for column in rows.columns:
        lengths: Any = pc.binary_length(column)  # type: ignore[call-overload]
        found.update(row for row, length in enumerate(lengths.to_pylist()) if (length or 0) >= LARGE_BYTES)
    return sorted(found)


def _spliced(encoder: BatchEncoder, row: pa.RecordBatch, number: int) -> Iterator[Any]:
    """One row: encoded with nulls in place of the large cells, which are then sent as they are."""
    import pyarrow as pa

    cells = {place: cell for place in encoder.as_they_are if (cell := _large_cell(row.column(place))) is not None}
    for place in encoder.texts & cells.keys():
        if _NUL.search(cells[place]):  # for the encoder to deal with
            del cells[place]
    rest = [[None] if place in cells else column.to_pylist() for place, column in enumerate(row.columns)]
    payload, refused = encoder.encode(batch_of([pa.array(cell, pa.binary()) for cell in rest]), 0, 1)
    if refused:
        raise encoder.error(replace(refused[0], row=number))
    view = memoryview(payload)
    begin, at = 0, _COUNT_BYTES
    for place in range(row.num_columns):
        (size,) = _SIZE.unpack_from(view, at)
        if place in cells:
            yield bytes(view[begin:at]) + _SIZE.pack(len(cells[place]))
            yield cells[place]
            begin = at + _SIZE.size
        at += _SIZE.size + max(size, 0)
    yield view[begin:]


def _large_cell(array: Any) -> memoryview | None:
    """The only cell of an array, if it is large."""
    _, offsets, data = array.buffers()
    begin, end = memoryview(offsets).cast("B").cast("i")[array.offset : array.offset + 2]
    if end - begin < LARGE_BYTES:
        return None
    return memoryview(data)[begin:end]
