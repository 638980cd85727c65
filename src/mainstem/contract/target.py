"""`Target`, `Loader` and `Ledger`: applying chunks so that applying twice equals applying once.

Several processes may each believe that a run is theirs: one that was cut off does not know that another has gone on.
Their tokens (`RunOptions.token`) tell them apart, and the target is who decides: it keeps the highest one that opened
the run's ledger, and from then on nothing of a lower one becomes durable, be it rows, structure or a line of the
ledger. Whoever opens the ledger has the sessions of earlier holders ended, as these may hold locks. All that a holder
of a lower token is told is `TakenOverError`, or that its connection was lost. Token 0 claims nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from mainstem.model.batch import Batch
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import Statement, TablePlan
from mainstem.model.run import Rejected, RunState


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A line of the ledger. ``done`` means that its rows are durable in the target.

    Attributes:
        limit: the limit of the run that cut the chunk short, or None: the chunk is whole.
    """

    chunk: Chunk
    done: bool
    rows_written: int = 0
    rows_rejected: int = 0
    limit: RunState | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became durable with a chunk. ``coerced`` counts values changed by policy: ``column: policy`` → count."""

    rows_written: int
    rows_rejected: int
    rejected: tuple[Rejected, ...]
    coerced: dict[str, int]


class Ledger(AbstractContextManager["Ledger"], Protocol):
    """What of a run is durable, kept in the target beside the rows. Used by one thread at a time."""

    def known_plan(self) -> str:
        """The plan of an earlier start of this run, or empty when the target knows nothing of it."""
        ...

    def open(self, plan_json: str) -> str:
        """Make the ledger for this run unless it is there; returns the plan that it holds (ours, or an earlier one)."""
        ...

    def chunks(self, table: TableId) -> list[ChunkRecord]:
        """The table's chunks as planned, in order; empty when not yet planned."""
        ...

    def plan(self, table: TableId, chunks: Sequence[Chunk]) -> None:
        """Write the table's chunks down, none of them done."""
        ...

    def forget(self, table: TableId, target: TableId, former: str = "") -> None:
        """Empty the target table, forget its chunks and its rejected rows, in one step: it is to be cut anew.

        Args:
            former: another run, which copied it before; its rejected rows of the table are forgotten too.
        """
        ...

    def note(self, text: str) -> None:
        """Remember something about the run, once."""
        ...

    def notes(self) -> set[str]:
        """What `note` was told, in this start of the run or an earlier one."""
        ...

    def rejected(self) -> list[Rejected]:
        """Rows that this run has put aside so far."""
        ...

    def finish(self, *, keep: bool) -> None:
        """Make everything durable on disk, and forget this run's lines unless ``keep``.

        Rejected rows stay as long as there are any; without them nothing of ours is left in the target.
        """
        ...


class Builder(AbstractContextManager["Builder"], Protocol):
    """One connection that changes structure. Used by one thread at a time, but for `interrupt`."""

    def apply(self, statement: Statement) -> None:
        """Run a statement unless the ledger says that it ran; statement and ledger line are one transaction.

        Raises:
            StatementError: the target refused it; nothing of it remains.
        """
        ...

    def truncate(self, tables: Sequence[TableId]) -> None:
        """Empty these tables at once, foreign keys between them notwithstanding; once per run, as `apply`."""
        ...

    def count(self, table: TableId) -> int:
        """Rows in a table."""
        ...

    def counted(self, table: TableId, rows: int) -> bool:
        """Whether the server itself found so many rows when it built the table's last key over this connection.

        False also when it did not count: then `count` tells.
        """
        ...

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        ...


class Loader(AbstractContextManager["Loader"], Protocol):
    """One connection that writes. A chunk is: begin, write…, commit (or rollback)."""

    def begin(self, table: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        """Start the chunk's transaction.

        Args:
            quarantine: asked for each refused row whether it may be put aside; None: the first refused row raises.
        """
        ...

    @property
    def session(self) -> str:
        """What the server calls this connection, for `Target.end_loader`."""
        ...

    @property
    def alone(self) -> bool:
        """Whether the chunk that was begun keeps others from being written into its table until it is committed."""
        ...

    def write(self, batch: Batch) -> None:
        """Send a batch. A connector is never given a `PlacedBatch`: it was fetched before.

        Raises `RowError`, `LostConnectionError`, `TargetFullError`, `TransientError` or `StatementError`.
        """
        ...

    def commit(self, rows: int, limit: RunState | None = None) -> Receipt:
        """Make rows and ledger line durable in one transaction.

        Args:
            rows: how many the reader published; unless written + rejected equals it, nothing is committed.
            limit: see `ChunkRecord`.

        Raises `AccountingError`, and as `write` does.
        """
        ...

    def rollback(self) -> None:
        """Leave the target as it was before `begin`; also after an error and on a broken connection."""
        ...

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        ...


class Target(Protocol):
    """A system that rows are written to. Each of these opens a connection of its own and may raise `ConnectError`."""

    def ledger(self, run_id: str) -> Ledger:
        """The ledger of a run."""
        ...

    def builder(self, run_id: str) -> Builder:
        """A connection that changes structure."""
        ...

    def loader(self, run_id: str) -> Loader:
        """A connection that writes rows."""
        ...

    def end_loader(self, run_id: str, session: str) -> None:
        """End the connection of a loader whose process was lost, and wait until the server has rolled it back.

        One that is not there any more is no error. Raises `TransientError` when it does not go away.
        """
        ...
