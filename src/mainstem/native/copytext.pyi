"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY text format."""

from collections.abc import Sequence

from mainstem.native.encoding import RowEncoder
from mainstem.native.ops import Op

class CopyTextEncoder(RowEncoder):
    """Writes COPY text: each row ended by a newline."""

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
