"""Arrow ``binary`` columns of text cells → rows for MySQL: the file of LOAD DATA, or the tuples of an INSERT."""

from collections.abc import Sequence

from mainstem.native.encoding import RowEncoder
from mainstem.native.ops import LoadOp

class LoadDataEncoder(RowEncoder):
    """Writes rows for MySQL.

    As a file: fields ended by a tab, escaped by a backslash, lines ended by a newline; what an op calls hex is meant
    for UNHEX. As literals: ``(1,'text',x'00'),`` for each row, the comma also after the last.

    `coerced` counts ``special_value_null``, and ``no_label`` for each error value of an ENUM, for which the server
    gives one warning.
    """

    def __init__(
        self,
        ops: Sequence[LoadOp],
        lengths: Sequence[int],
        *,
        required: Sequence[int] = (),
        special_values: str = "error",
        literals: bool = False,
    ) -> None:
        """Fix what is done with each column.

        Args:
            ops: one per column, at least one.
            lengths: the parameter of the ops that have one (see `LoadOp`); else ignored.
            required: columns, by number, whose nulls are refused.
            special_values: what becomes of values that no type of MySQL holds: ``error`` refuses the row, ``null``
                writes a null.
            literals: for INSERT rather than for LOAD DATA.
        """
