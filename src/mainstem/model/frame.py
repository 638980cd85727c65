"""Frames: the units that flow from a reader through the hub to a writer."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.model.batch import Batch
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.names import TableId


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of one table, read by one query and made durable by one target transaction.

    ``lower`` (exclusive) and ``upper`` (inclusive) are bounds in the source's own terms (literals of key columns, a
    row's place), computed by the source's server and read by its connector alone; None is "no bound". Chunk 0 of a
    table that cannot be cut has neither.

    Attributes:
        part: the piece of the table that is read (a partition), in the source's own terms; empty is the table itself.
    """

    table: TableId
    number: int
    lower: str | None = None
    upper: str | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """The start of one attempt at a chunk; the batches that follow belong to it, up to its Commit or Abort.

    Attributes:
        attempt: 1 for the first; tells late frames of a failed attempt from those of the next.
        careful: rows that the target refuses are put aside one by one (see `contract.target.Loader`).
    """

    chunk: Chunk
    attempt: int
    careful: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a chunk: what came since its Begin becomes durable together.

    Attributes:
        rows: rows that the reader published for this attempt; the writer checks its own count against it.
        partial: the reader stopped early on purpose (a limit was reached).
    """

    chunk: Chunk
    rows: int
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Abort:
    """The reader gave up this attempt; nothing of it may become durable."""

    chunk: Chunk


Frame = Begin | Batch | Commit | Abort | ChangeGroup | Idle
