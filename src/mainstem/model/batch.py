"""`ChangeBatch`: rows of one table on their way, as an Arrow record batch."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from mainstem.model.names import TableId


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
