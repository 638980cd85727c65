"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY text format."""

from collections.abc import Sequence

from _typeshed import ReadableBuffer

from mainstem.native.ops import Op, Refusal

class CopyTextEncoder:
    """Writes batches of one table as COPY text. For one thread at a time."""

    def __init__(self, ops: Sequence[Op], lengths: Sequence[int], zero_dates: str, nul_text: str) -> None:
        """Fix what is done with each column.

        Args:
            ops: one per column, at least one.
            lengths: bits of a column whose op is BITS; else ignored.
            zero_dates: what becomes of a date with month or day (or year) zero: ``error`` refuses the row, ``null``
                writes a null, ``epoch`` writes 1970-01-01, at midnight where the cell has a time of day.
            nul_text: what becomes of a NUL in TEXT and SET_ARRAY: ``error`` refuses the row, ``strip`` leaves it out,
                ``replace`` writes U+FFFD.
        """
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
            The rows as COPY text, each ended by a newline, for `psycopg.Copy.write`; and the rows left out, as (row
            counted from ``start``, the first column that was refused, why), in order.
        Raises:
            WireError: a buffer is too short or its offsets are out of order; nothing was written.
            ValueError: columns or row numbers do not fit the encoder.
        """
