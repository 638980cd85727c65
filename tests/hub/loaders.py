"""A target of tests: loaders that keep rows and lines of a ledger as a connector's do, in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from mainstem.contract.target import Receipt
from mainstem.errors import AccountingError, ConflictError, RowError, StatementError
from mainstem.model.batch import Batch, ChangeBatch, RawBatch
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import Rejected, RunState
from mainstem.model.types import Kind, LogicalType

TABLE = TableId("shop", "t")
CHUNK = Chunk(TABLE, 0, "1", "9")
PLAN = TablePlan(TABLE, TableId("public", "t"), (ColumnPlan("a", "a", LogicalType(Kind.TEXT), "text"),), ("a",))


@dataclass
class Kept:
    """What is durable: cells in their order, and chunks.

    Attributes:
        refused: cells that no row may have.
        hold, writing: whoever writes waits for the first, having set the second.
        ended: sessions of loaders that were ended from outside.
    """

    rows: list[bytes] = field(default_factory=list)
    done: set[Chunk] = field(default_factory=set)
    refused: frozenset[bytes] = frozenset()
    loaders: list[KeepingLoader] = field(default_factory=list)
    hold: threading.Event | None = None
    writing: threading.Event = field(default_factory=threading.Event)
    ended: list[str] = field(default_factory=list)

    def end_loader(self, run_id: str, session: str) -> None:
        """As `contract.target.Target.end_loader`."""
        self.ended.append(session)

    def loader(self, run_id: str) -> KeepingLoader:
        """As `contract.target.Target.loader`."""
        self.loaders.append(KeepingLoader(self))
        return self.loaders[-1]


class KeepingLoader:
    """See `contract.target.Loader`."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.alone = False
        self.session = f"session {len(kept.loaders)}"
        self.closed = False
        self.largest = 0
        self.interrupted = threading.Event()
        self._chunk: Chunk | None = None
        self._quarantine: Callable[[], bool] | None = None
        self._rows: list[bytes] = []
        self._rejected = 0

    def __enter__(self) -> KeepingLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def begin(self, table: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        """Start; a table of the name ``away`` is not there."""
        if table.source.name == "away":
            raise StatementError("there is no such table", table=str(table.source))
        self._chunk, self._quarantine = chunk, quarantine
        self._rows, self._rejected = [], 0
        self.alone = table.source.name == "alone"

    def write(self, batch: Batch) -> None:
        """Take rows; a raw batch is one row."""
        assert self._chunk is not None
        self.kept.writing.set()
        if self.kept.hold is not None:
            while not self.kept.hold.wait(0.02):
                if self.interrupted.is_set():
                    raise StatementError("the statement was broken off")
        for cell in cells(batch):
            if cell not in self.kept.refused:
                self._rows.append(cell)
            elif self._quarantine is None or not self._quarantine():
                raise RowError("a row was refused", row=len(self._rows), column="a", table=str(batch.table))
            else:
                self._rejected += 1
        self.largest = max(self.largest, batch.size_bytes)

    def commit(self, rows: int, limit: RunState | None = None) -> Receipt:
        """Keep them."""
        assert self._chunk is not None
        if len(self._rows) + self._rejected != rows:
            raise AccountingError(f"{rows} rows were read, but {len(self._rows)} written")
        if self._chunk in self.kept.done:
            raise ConflictError("another process has written this chunk")
        self.kept.done.add(self._chunk)
        self.kept.rows += self._rows
        rejected = (Rejected(self._chunk.table, "a", "a", "refused"),) * self._rejected
        return Receipt(len(self._rows), self._rejected, rejected, {"a: cut": 1} if limit else {})

    def rollback(self) -> None:
        """Forget them."""
        self._chunk = None
        self._rows = []

    def interrupt(self) -> None:
        """Break off."""
        self.interrupted.set()


def cells(batch: Batch) -> list[bytes]:
    """What is in a batch's only column."""
    if isinstance(batch, RawBatch):
        return [bytes(batch.data)]
    assert isinstance(batch, ChangeBatch)
    found: list[bytes] = batch.rows.column(0).to_pylist()
    return found
