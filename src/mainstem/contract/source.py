"""`Source` and `Snapshot`: a consistent view of a system, read in chunks by several readers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from mainstem.model.batch import Batch
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch is closed by whichever bound is reached first."""

    max_rows: int = 20_000
    max_bytes: int = 1024 * 1024


class SnapshotReader(Protocol):
    """One connection inside the snapshot. Used by one thread at a time, but for `cancel`."""

    def plan_chunks(self, table: TablePlan, rows: int) -> Sequence[Chunk]:
        """Cut a table into chunks of about so many rows; boundaries are computed by the server."""
        ...

    def read(self, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Generator[Batch]:
        """The chunk's rows: raw ones if the plan says so (`TablePlan.raw`).

        A connector yields the rows themselves; where another process reads, `PlacedBatch` are yielded.

        Closing the iterator early cancels the query and leaves the reader usable.

        Raises:
            LostConnectionError: the server went away.
            StatementError: the server refused or broke off the query.
        """
        ...


class Snapshot(Protocol):
    """All readers see the same point in time.

    Attributes:
        readers: at least one; fewer than asked for when the server allows no more (``note`` says why).
        position: where the log stood at that point, as JSON text, or empty when unknown.
    """

    readers: Sequence[SnapshotReader]
    position: str
    note: str

    def moved(self, table: TablePlan, chunks: Sequence[Chunk], since: str) -> bool:
        """Whether chunks that were cut in an earlier snapshot may miss or repeat rows of this one.

        A chunk by key never does. One by a row's place does once a row was written anew since.

        Args:
            since: the ``position`` of the earlier snapshot.
        """
        ...

    def interrupt(self) -> None:
        """From another thread: break off what the readers do now; they raise `LostConnectionError`."""
        ...


class Source(Protocol):
    """A system that rows are read from."""

    def snapshot(self, readers: int) -> AbstractContextManager[Snapshot]:
        """Open a snapshot; leaving the context closes its connections."""
        ...
