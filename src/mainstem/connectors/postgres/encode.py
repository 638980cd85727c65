"""From a record batch of text cells to COPY's bytes, by the plan of one table: binary where it can be, else text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainstem.connectors.postgres.binary import binary_op
from mainstem.connectors.postgres.types import copy_op
from mainstem.errors import RowError
from mainstem.model.cells import buffers, row_key
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunOptions
from mainstem.model.types import Kind
from mainstem.native.copybinary import CopyBinaryEncoder
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.encoding import RowEncoder
from mainstem.native.ops import BinaryOp, Refusal

if TYPE_CHECKING:
    import pyarrow as pa

_REASONS = {
    Refusal.ZERO_DATE: (
        "a date with a zero year, month or day, which PostgreSQL cannot hold",
        "choose zeroDates: null or epoch (--zero-dates), or repair the row at the source",
    ),
    Refusal.NUL_IN_TEXT: (
        "text with a NUL character, which PostgreSQL cannot hold",
        "choose nulText: strip or replace (--nul-text), or repair the row at the source",
    ),
    Refusal.MALFORMED: ("a value that does not have the form of its type", "repair the row at the source"),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be encoded: its index in the batch, its column's index, and why."""

    row: int
    column: int
    why: Refusal


class BatchEncoder:
    """Encodes batches of one table, and names their rows.

    Attributes:
        binary: COPY's binary format.
        as_they_are: columns whose cells are fields of that format without a change; ``texts``: unless they hold a NUL.
    """

    def __init__(self, table: TablePlan, options: RunOptions) -> None:
        self._table = table
        lengths = [(column.type.length or 0) if column.type.kind is Kind.BITS else 0 for column in table.columns]
        policies = str(options.zero_dates), str(options.nul_text)
        binary = [op for op in map(binary_op, table.columns) if op is not None]
        self.binary = len(binary) == len(table.columns)
        plain = dict(enumerate(binary)) if self.binary else {}
        self.texts = frozenset(place for place, op in plain.items() if op is BinaryOp.TEXT)
        self.as_they_are = self.texts | {place for place, op in plain.items() if op is BinaryOp.BYTEA}
        self._encoder: RowEncoder
        if self.binary:
            self._encoder = CopyBinaryEncoder(binary, lengths, *policies)
        else:
            self._encoder = CopyTextEncoder([copy_op(column) for column in table.columns], lengths, *policies)

    def encode(self, rows: pa.RecordBatch, start: int, stop: int) -> tuple[Any, Sequence[Refused]]:
        """Rows start..stop in COPY's format, without those that are refused; refused ones in order of their rows."""
        columns, offset = buffers(rows)
        payload, refused = self._encoder.encode(columns, offset, start, stop)
        return payload, [Refused(start + row, column, Refusal(why)) for row, column, why in refused]

    def error(self, refused: Refused) -> RowError:
        """What to say of a refused row."""
        reason, remedy = _REASONS[refused.why]
        column = self._table.columns[refused.column].source
        return RowError(
            f"column {column} holds {reason}", row=refused.row, column=column, remedy=remedy,
            table=str(self._table.source),
        )  # fmt: skip

    def key(self, rows: pa.RecordBatch, row: int) -> str:
        """The row's key for people."""
        return row_key(self._table, rows, row)

    def take_coerced(self) -> dict[str, int]:
        """Values that a policy has changed since the last call: ``column: what`` → count."""
        coerced = self._encoder.take_coerced()
        return {f"{self._table.columns[column].source}: {what}": count for (column, what), count in coerced.items()}
