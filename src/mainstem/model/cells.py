"""The cells of a batch: their buffers, for the encoders, and a row's key, for people."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mainstem.model.plan import TablePlan
from mainstem.model.types import Kind

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_CHARACTERS = 200
_DOUBLE_BYTES = 8
LARGE_BYTES = 8 * 1024 * 1024
"""Of a batch that is larger, cells are encoded one by one, and large ones in pieces."""
PIECE_BYTES = 1024 * 1024


def buffers(rows: pa.RecordBatch) -> tuple[list[tuple[Any, Any, Any]], int]:
    """The columns' validity, offsets and data, and the offset that they share (that of a slice), in rows."""
    columns, offset = [], 0
    for array in rows.columns:
        validity, offsets, data = array.buffers()
        columns.append((validity, offsets, data))
        offset = array.offset
    return columns, offset


def cell_bytes(column: tuple[Any, Any, Any], row: int) -> pa.Buffer | None:
    """A cell of a column by its buffers, which is not copied, as Arrow's own scalar would be; None for null."""
    validity, offsets, data = column
    if validity is not None and not validity[row >> 3] >> (row & 7) & 1:
        return None
    begin, end = struct.unpack_from("=ii", offsets, 4 * row)
    found: pa.Buffer = data.slice(begin, end - begin)
    return found


def pieces(cell: pa.Buffer) -> Iterator[tuple[None, bytes, pa.Buffer]]:
    """A large cell as short ones: the buffers of a column with one row each, for an encoder to which they are alike."""
    for begin in range(0, cell.size, PIECE_BYTES):
        part = cell.slice(begin, min(PIECE_BYTES, cell.size - begin))
        yield None, struct.pack("=ii", 0, part.size), part


def batch_of(columns: list[Any]) -> pa.RecordBatch:
    """A batch of columns, which are known by their place: ``c0``, ``c1``, …"""
    import pyarrow as pa  # rows that pass undecoded need none of it

    return pa.RecordBatch.from_arrays(columns, names=[f"c{number}" for number in range(len(columns))])


def row_key(table: TablePlan, rows: pa.RecordBatch, row: int) -> str:
    """A row's key for people, ``id=5``; ``(no key)`` where the plan names none."""
    names = [column.source for column in table.columns]
    shown = []
    for index in (names.index(name) for name in table.key if name in names):
        text = _shown(rows.column(index)[row].as_py(), table.columns[index].type.kind)
        shown.append(f"{names[index]}={text[:_SHOWN_CHARACTERS]}")
    return ", ".join(shown) or "(no key)"


def _shown(cell: bytes | None, kind: Kind) -> str:
    if cell is None:
        return "NULL"
    if kind is Kind.FLOAT:
        return str(struct.unpack("<d" if len(cell) == _DOUBLE_BYTES else "<f", cell)[0])
    if kind in (Kind.BINARY, Kind.BITS, Kind.GEOMETRY):
        return cell.hex()
    return cell.decode("utf-8", "backslashreplace").replace("\0", "\\x00")  # which not every ledger could hold
