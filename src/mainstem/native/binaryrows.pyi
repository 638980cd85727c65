"""MySQL result-set rows of the binary protocol (prepared statements) → Arrow column buffers."""

from collections.abc import Sequence

from mainstem.native.ops import Wire
from mainstem.native.rows import RowDecoder

class BinaryRowDecoder(RowDecoder):
    """As `RowDecoder`; what the cells are is told by ``forms``."""

    def __init__(self, columns: int, forms: Sequence[tuple[Wire, int]]) -> None:
        """
        Args:
            columns: how many; at least 1.
            forms: for each column how it travels, and the parameter that this takes (0 where it takes none).
        """
