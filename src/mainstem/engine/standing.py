"""What is durable of a stream, as this process knows it, and who waits for what of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mainstem.model.names import TableId
from mainstem.model.run import ACTIVE
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable

if TYPE_CHECKING:
    from mainstem.engine.applying import Applying


class Standing:
    """Checkpoint and tables, with what the transaction under way would make of them. Changed by the writer alone.

    Attributes:
        origin: see `StoredStream`.
        checkpoint: what is durable.
    """

    def __init__(self, stored: StoredStream) -> None:
        self.origin, self.checkpoint = stored.origin, stored.checkpoint
        self._tables = {table.source: table for table in stored.tables}
        self._staged: dict[TableId, StreamTable | None] = {}
        self._view: dict[TableId, StreamTable] = dict(self._tables)

    @property
    def tables(self) -> Mapping[TableId, StreamTable]:
        """As the transaction under way sees them."""
        return self._view

    @property
    def durable_tables(self) -> tuple[StreamTable, ...]:
        """As they are in the target."""
        return tuple(self._tables.values())

    def is_active(self, table: TableId) -> bool:
        """Whether its changes are applied."""
        known = self._view.get(table)
        return known is not None and known.state in ACTIVE

    def stage(self, table: StreamTable) -> None:
        """The transaction under way has saved this."""
        self._staged[table.source] = self._view[table.source] = table

    def stage_gone(self, table: TableId) -> None:
        """The transaction under way has taken this out."""
        self._staged[table] = None
        self._view.pop(table, None)

    def adopt(self, checkpoint: Checkpoint) -> tuple[StreamTable, ...]:
        """The transaction is durable; returns the tables that it changed."""
        changed = tuple(table for table in self._staged.values() if table is not None)
        self._tables = dict(self._view)
        self._staged.clear()
        self.checkpoint = checkpoint
        return changed

    def revert(self) -> None:
        """The transaction was rolled back."""
        if self._staged:
            self._staged.clear()
            self._view = dict(self._tables)


class Milestones:
    """Positions of the log, and what to do once all up to them is durable.

    A position is known to be reached by the reader alone, and known to be durable by the writer alone: between them
    goes the number of the frame with which it was reached.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}  # 0: not reached yet
        self._unreached = 0
        self._waiting: list[tuple[str, Callable[[], None], bool]] = []

    def watch(self, position: str) -> None:
        """Have `reached` know of a position."""
        with self._lock:
            if position not in self._numbers:
                self._numbers[position] = 0
                self._unreached += 1

    def add(self, position: str, then: Callable[[], None], *, lasts: bool = False) -> None:
        """Have the writer call ``then``, between two transactions.

        Args:
            lasts: also if that is the writer of a later connection.
        """
        self.watch(position)
        with self._lock:
            self._waiting.append((position, then, lasts))

    def reached(self, position: str, number: int) -> bool:
        """Whether that frame, or one before it, reaches a position that is watched."""
        return 0 < self._numbers.get(position, 0) <= number

    def read(self, number: int, passed: Callable[[str], bool]) -> None:
        """The reader got the frame of that number; ``passed`` says whether a position is behind it now."""
        if not self._unreached:
            return
        with self._lock:
            for position, known in self._numbers.items():
                if known == 0 and passed(position):
                    self._numbers[position] = number
                    self._unreached -= 1

    def durable(self, number: int) -> None:
        """All up to that frame is durable."""
        if not self._waiting:
            return
        with self._lock:
            due = [item for item in self._waiting if self.reached(item[0], number)]
            self._waiting = [item for item in self._waiting if item not in due]
        for _, then, _ in due:
            then()

    def begin(self) -> None:
        """A new connection reads from the checkpoint: what was read and not applied comes again."""
        with self._lock:
            self._waiting = [item for item in self._waiting if item[2]]
            wanted = {position for position, _, _ in self._waiting}
            self._numbers = dict.fromkeys(wanted, 0)
            self._unreached = len(wanted)


class Orders:
    """Work for the writer, which alone may use the applier: done between two transactions, in its order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[Applying], None]] = deque()

    def add(self, work: Callable[[Applying], None]) -> None:
        """Have the writer do this, within about a second when nothing else happens."""
        with self._lock:
            self._waiting.append(work)

    def take(self) -> Iterable[Callable[[Applying], None]]:
        """What waits, once."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                work = self._waiting.popleft()
            yield work
