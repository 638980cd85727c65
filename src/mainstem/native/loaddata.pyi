"""Arrow ``binary`` columns of text cells → rows for MySQL: a file for LOAD DATA, tuples of an INSERT, or parameters."""

from collections.abc import Sequence

from mainstem.native.encoding import RowEncoder
from mainstem.native.ops import LoadForm, LoadOp

class LoadDataEncoder(RowEncoder):
    """Writes rows for MySQL, in one of the forms of `LoadForm`.

    What an op calls hex is meant for UNHEX, but in literals, which say themselves that they are hex.

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
        form: LoadForm = ...,
    ) -> None:
        """Fix what is done with each column.

        Args:
            ops: one per column, at least one.
            lengths: the parameter of the ops that have one (see `LoadOp`); else ignored.
            required: columns, by number, whose nulls are refused.
            special_values: what becomes of values that no type of MySQL holds: ``error`` refuses the row, ``null``
                writes a null.
            form: what becomes of the rows.
        """
