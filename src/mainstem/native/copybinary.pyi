"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY binary format."""

from collections.abc import Sequence

from mainstem.native.encoding import RowEncoder
from mainstem.native.ops import BinaryOp

HEADER: bytes
TRAILER: bytes

class CopyBinaryEncoder(RowEncoder):
    """Writes tuples of COPY's binary format; `HEADER` goes before the first, `TRAILER` after the last of a COPY."""

    def __init__(self, ops: Sequence[BinaryOp], parameters: Sequence[int], zero_dates: str, nul_text: str) -> None:
        """Fix what is done with each column.

        Args:
            ops: one per column, at least one.
            parameters: bits of a column whose op is BITS; else ignored.
            zero_dates, nul_text: as for `CopyTextEncoder`.
        """
