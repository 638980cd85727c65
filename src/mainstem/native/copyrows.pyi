"""Rows of PostgreSQL's COPY text format → Arrow column buffers."""

from collections.abc import Sequence

from _typeshed import ReadableBuffer

from mainstem.native.memory import Block
from mainstem.native.ops import CopyOp

def problem(code: int) -> str:
    """What a row that was refused came to, for people."""

class CopyDecoder:
    """Turns rows of COPY TO's text format into batches of ``binary`` columns. For one thread at a time.

    Attributes:
        rows: rows of the batch in progress.
        size_bytes: data bytes of their cells.
    """

    def __init__(self, columns: int, ops: Sequence[CopyOp]) -> None:
        """
        Args:
            columns: how many; at least 1.
            ops: what each column's cells are, and what they become.
        """
    @property
    def rows(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    def row(self, data: ReadableBuffer) -> bool:
        """Append one row, with the newline that ends it.

        Returns:
            False when a column of the batch would pass 2 GiB: take the batch, then offer the row again.
        Raises:
            WireError: the row breaks the format. The rows before it are in the batch.
            MemoryError: likewise.
        """
    def take(self) -> tuple[int, list[tuple[Block | None, Block, Block | memoryview]]]:
        """As `rows.RowDecoder.take`."""
