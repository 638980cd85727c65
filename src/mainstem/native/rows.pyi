"""MySQL result-set rows of the text protocol → Arrow column buffers."""

from _typeshed import ReadableBuffer

from mainstem.native.memory import Block
from mainstem.native.status import Status

class RowDecoder:
    """Turns the row packets of one result set into batches of ``binary`` columns. For one thread at a time.

    The server must have been told that we do not know CLIENT_DEPRECATE_EOF: the result set ends with an EOF packet.

    Attributes:
        rows: rows of the batch in progress.
        size_bytes: data bytes of their cells.
        lent: whether cells of the batch in progress are parts of what was fed, see `feed`.
        needed: after `feed`: bytes that the incomplete row at the end needs in all, counted from its first packet, as
            far as is known; 0 when unknown. It may grow when more packets of the row come to light.
    """

    def __init__(self, columns: int) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def needed(self) -> int: ...
    @property
    def lent(self) -> bool: ...
    def feed(
        self, data: ReadableBuffer, start: int, end: int, max_rows: int, max_bytes: int, *, lend: bool = False
    ) -> tuple[Status, int]:
        """Append the rows of ``data[start:end]``, which begins with a packet, to the batch.

        Args:
            data: what the server sent; not kept, unless it is lent.
            start, end: the part to read.
            max_rows, max_bytes: limits of the batch in all, each at least 1; checked after every row, so a batch has
                at least one row and may exceed ``max_bytes`` by a row.
            lend: cells of 4 MiB and more may stay where they are in ``data``, if that can be written to: a row
                with such cells comes in a batch of its own, whose columns show parts of ``data``. What was consumed
                must not change then.
        Returns:
            Why decoding stopped, and the bytes consumed from ``start`` on.
        Raises:
            WireError: a packet breaks the protocol. The rows before it are in the batch.
            MemoryError: likewise.
        """
    def take(self) -> tuple[int, list[tuple[Block | None, Block, Block | memoryview]]]:
        """Hand out the batch and begin the next.

        Returns:
            The number of rows, and for each column the validity bitmap (None when no cell is null), the int32
            offsets (one more than rows) and the data, as `pyarrow.Array.from_buffers` wants them.
        """
