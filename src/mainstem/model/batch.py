"""Rows of one table on their way: as an Arrow record batch, as bytes that both sides understand, or told of only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mainstem.model.names import TableId

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Rows of one table.

    A snapshot batch holds the plan's columns, in the plan's order, as ``binary`` text cells (see `model.types`), and no
    control columns: every row is a read.

    Attributes:
        table: the source's name of the table.
        rows: the columns.
        size_bytes: data bytes of all cells, without offsets and validity.
    """

    table: TableId
    rows: pa.RecordBatch
    size_bytes: int

    @property
    def count(self) -> int:
        """Rows in the batch."""
        return self.rows.num_rows

    def first(self, rows: int) -> ChangeBatch:
        """Only so many rows of it, which share its memory."""
        return ChangeBatch(self.table, self.rows.slice(0, rows), self.size_bytes * rows // max(self.count, 1))


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Rows that pass undecoded, in the format that `TablePlan.raw` names.

    Attributes:
        data: whole rows, without header and trailer.
        count: rows in it.
    """

    table: TableId
    data: bytes | memoryview
    count: int

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows."""
        return len(self.data)

    def first(self, rows: int) -> RawBatch | None:
        """All of it, or nothing: nobody has looked where its rows end."""
        return self if rows == self.count else None


@dataclass(frozen=True, slots=True)
class Place:
    """A lane that outside of this process, too, is found by its name.

    Attributes:
        stream: the JetStream stream that holds it.
        subject: its messages' subject in that stream.
    """

    stream: str
    subject: str


@dataclass(frozen=True, slots=True)
class PlacedBatch:
    """A batch that waits in a lane elsewhere: who writes it fetches it there, and all others handle this ticket alone.

    In the lane stands, for each read of a chunk, a `Begin` whose ``attempt`` is the read's tag, and then its batches. A
    read that was given up leaves some there that nobody fetches; the next fetch passes them over. So a batch is told of
    before it is put into the lane, or while: in a full lane it finds room only when somebody fetches. What was told of
    is put there, also when its read is given up meanwhile: somebody may be waiting for it.

    Attributes:
        table: the source's name of the table.
        count, size_bytes: of the rows that are meant: all of the batch, or its first ones.
        tag: the read that it belongs to; grows within a lane.
        number: which batch of the read, from 0.
        raw: it is a `RawBatch`, or else a `ChangeBatch`.
    """

    table: TableId
    count: int
    size_bytes: int
    place: Place
    tag: int
    number: int
    raw: bool = False

    def first(self, rows: int) -> PlacedBatch | None:
        """A ticket for only so many rows of it; None where its rows cannot be told apart."""
        if rows == self.count:
            return self
        return None if self.raw else replace(self, count=rows, size_bytes=self.size_bytes * rows // max(self.count, 1))


Batch = ChangeBatch | RawBatch | PlacedBatch
