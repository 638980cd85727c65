"""Rows of one table on their way: decoded as an Arrow record batch, or as bytes that both sides understand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainstem.model.names import TableId

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Rows of one table.

    A snapshot batch holds the plan's columns, in the plan's order, as ``binary`` text cells (see `model.types`), and no
    control columns: every row is a read.

    Attributes:
        table: the source's name of the table.
        rows: the columns.
        size_bytes: data bytes of all cells, without offsets and validity.
    """

    table: TableId
    rows: pa.RecordBatch
    size_bytes: int

    @property
    def count(self) -> int:
        """Rows in the batch."""
        return self.rows.num_rows


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Rows that pass undecoded, in the format that `TablePlan.raw` names.

    Attributes:
        data: whole rows, without header and trailer.
        count: rows in it.
    """

    table: TableId
    data: bytes | memoryview
    count: int

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows."""
        return len(self.data)
