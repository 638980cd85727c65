"""What the encoders of COPY share."""

from collections.abc import Sequence

from _typeshed import ReadableBuffer

from mainstem.native.ops import Refusal

class RowEncoder:
    """Writes batches of one table in one of COPY's formats. For one thread at a time."""

    @property
    def coerced(self) -> dict[tuple[int, str], int]:
        """Cells that a policy changed, in rows that were written: (column, what) → count.

        What is ``zero_date_null``, ``zero_date_epoch``, ``nul_stripped`` or ``nul_replaced``.
        """
    def take_coerced(self) -> dict[tuple[int, str], int]:
        """The same; counting begins anew."""
    def encode(
        self,
        columns: Sequence[Sequence[ReadableBuffer | None]],
        offset: int,
        start: int,
        stop: int,
    ) -> tuple[memoryview, list[tuple[int, int, Refusal]]]:
        """Write rows ``start`` to ``stop`` (exclusive).

        Args:
            columns: validity, int32 offsets and data of each, as `pyarrow.Array.buffers` gives them.
            offset: the array's own offset, `pyarrow.Array.offset`, counted in rows; the same for all columns.
            start, stop: counted from ``offset`` on.
        Returns:
            The rows in COPY's format, for `psycopg.Copy.write`; and the rows left out, as (row counted from
            ``start``, the first column that was refused, why), in order.
        Raises:
            WireError: a buffer is too short or its offsets are out of order; nothing was written.
            ValueError: columns or row numbers do not fit the encoder.
        """
