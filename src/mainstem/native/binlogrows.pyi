"""Row images of MySQL's binary log → Arrow column buffers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from _typeshed import ReadableBuffer

from mainstem.native.memory import Block
from mainstem.native.ops import BinlogForm

Buffers = tuple[Block | None, Block, Block]

class BinlogBatch(NamedTuple):
    """Changes of one table.

    Attributes:
        rows: how many.
        size_bytes: data bytes of all cells.
        ops: ``uint8`` of `model.change.Op`.
        seqs: ``int64``.
        after, before: for each column the validity bitmap (None when no cell is null), the int32 offsets and the data,
            as `pyarrow.Array.from_buffers` wants them; ``before`` is None while there are only INSERTs.
        absent: for each column of ``after`` a bitmap of the cells that the log does not hold, or None.
    """

    rows: int
    size_bytes: int
    ops: Block
    seqs: Block
    after: list[Buffers]
    before: list[Buffers] | None
    absent: list[Block | None]

class BinlogRows:
    """Gathers the row images of one table, as one TABLE_MAP describes it. For one thread at a time.

    Attributes:
        rows: events of the batch in progress.
        size_bytes: data bytes of their cells.
    """

    def __init__(
        self,
        forms: Sequence[BinlogForm],
        after: Sequence[int],
        before: Sequence[int],
        defaults: Mapping[int, bytes | None] | None = None,
    ) -> None:
        """
        Args:
            forms: of all columns of the table, in its order.
            after: indexes of the columns that make up the row as it is now.
            before: those that make up the identity of the row as it was.
            defaults: by index: the cell that a new row has where its image lacks the column (``binlog_row_image`` is
                not FULL). An image that lacks another one is refused.
        """
    @property
    def rows(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    def feed(
        self,
        data: ReadableBuffer,
        start: int,
        end: int,
        op: int,
        present: bytes,
        present_after: bytes,
        seq: int,
        max_bytes: int,
    ) -> int:
        """Append the images in ``data[start:end]``: one for each INSERT and DELETE, two for each UPDATE.

        Columns of an UPDATE that only the image before it has are taken from there. Cells that neither has are marked
        as absent.

        Args:
            data: not kept.
            op: of `model.change.Op`.
            present: bitmap of the table's columns that are in the (first) image; ``present_after``: in an UPDATE's
                second.
            seq: of the first event; the next ones count up.
            max_bytes: of the batch in all, at least 1; checked after every event, so at least one is appended.
        Returns:
            Where decoding stopped: ``end``, or before it when the batch is full: take it, and go on from there with
            the ``seq`` that is next.
        Raises:
            WireError: an image breaks the format, or lacks what the row is told by (with a remedy). The events before
                it are in the batch.
            MemoryError: likewise.
        """
    def take(self) -> BinlogBatch:
        """Hand out the batch and begin the next."""
