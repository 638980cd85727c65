"""The work queue of a run: which tables are to be cut, which chunks to be copied, and what became of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mainstem.contract.target import ChunkRecord
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

HELD_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class PlanWork:
    """Cut this table into chunks."""

    table: TablePlan


@dataclass(slots=True, eq=False)
class Attempt:
    """One try at a chunk. Reader and writer share it: ``failed`` tells the reader to stop.

    Once its Begin is published it is the writer's to settle (`WorkQueue.done`, `retry` or `drop`), at the end of its
    frames at the latest: a reader that stops does not know what the writer is about to decide.

    Attributes:
        rows, bytes: published so far; they count for the run only once the chunk is durable.
    """

    table: TablePlan
    chunk: Chunk
    number: int = 1
    careful: bool = False
    failed: bool = False
    rows: int = 0
    bytes: int = 0

    @property
    def plan(self) -> TablePlan:
        """The table's plan for this attempt: refused rows can be told only when they are decoded."""
        return replace(self.table, raw="") if self.careful else self.table


@dataclass(slots=True)
class _TableWork:
    plan: TablePlan
    pending: int = 0
    planned: bool = False
    given_up: bool = False
    attempts: set[Attempt] = field(default_factory=set)
    alone: bool = False
    lane: object = None

    @property
    def over(self) -> bool:
        """Whether no more rows of it will come."""
        return self.given_up or (self.planned and not self.pending)

    def waits_for(self, lane: object) -> bool:
        """Whether another lane is at work on a table that one lane alone can write into."""
        return self.alone and bool(self.attempts) and self.lane is not lane


class WorkQueue:
    """Hands out work to readers. Chunks of a table come before the next table is cut, so that tables finish early.

    A table waits until those of `TablePlan.after` are in, or given up.

    Args:
        ready: called (outside the lock) with each table whose rows are all durable.
        held: the tables that nothing is handed out of for now; asked for again and again while only theirs is left.
    """

    def __init__(self, ready: Callable[[TablePlan], None], held: Callable[[], frozenset[TableId]] = frozenset) -> None:
        self._changed = threading.Condition()
        self._ready, self._held = ready, held
        self._queue: deque[PlanWork | Attempt] = deque()
        self._tables: dict[TableId, _TableWork] = {}
        self._busy = 0
        self._closed = False
        self.cancelled = False  # errors from now on only tell that work was broken off

    def add(self, table: TablePlan, known: Sequence[ChunkRecord]) -> None:
        """A table to be copied; ``known`` are its chunks by the ledger, empty when it was never cut."""
        work = self._tables[table.source] = _TableWork(table)
        if not known:
            self._queue.append(PlanWork(table))
            return
        open_chunks = [record.chunk for record in known if not record.done]
        work.planned, work.pending = True, len(open_chunks)
        self._queue.extend(Attempt(table, chunk) for chunk in open_chunks)
        if not open_chunks:
            self._ready(table)

    def take(self, lane: object = None) -> PlanWork | Attempt | None:
        """The next piece of work; waits while others may still give work back. None: there is no more.

        Args:
            lane: who asks; see `keep`.
        """
        with self._changed:
            while not self._closed:
                work = self._first(lane)
                if work is not None:
                    self._busy += 1
                    if isinstance(work, Attempt):
                        table = self._tables[work.table.source]
                        table.attempts.add(work)
                        table.lane = lane
                    return work
                if self._busy == 0 and not self._queue:
                    break
                self._changed.wait(HELD_LOOK_S if self._queue else None)
            return None

    def _first(self, lane: object) -> PlanWork | Attempt | None:
        """The first piece of a table that is neither given up nor held nor another lane's; None if there is none."""
        held = self._held()
        passed: list[PlanWork | Attempt] = []
        found = None
        while self._queue and found is None:
            work = self._queue.popleft()
            table = self._tables[work.table.source]
            if table.given_up:
                continue
            if work.table.source in held or table.waits_for(lane) or self._waits(work.table):
                passed.append(work)
            else:
                found = work
        self._queue.extendleft(reversed(passed))
        return found

    def _waits(self, table: TablePlan) -> bool:
        """Whether rows that this table's refer to are still to come."""
        return any(not self._tables[parent].over for parent in table.after if parent in self._tables)

    def keep(self, attempt: Attempt, lane: object) -> None:
        """A lane is writing this chunk, and others would only wait to write into its table: they get other work."""
        with self._changed:
            table = self._tables[attempt.table.source]
            if not table.alone:
                table.alone, table.lane = True, lane

    def planned(self, table: TablePlan, chunks: Sequence[Chunk]) -> None:
        """A `PlanWork` is done."""
        with self._changed:
            work = self._tables[table.source]
            work.planned, work.pending = True, len(chunks)
            self._queue.extendleft(Attempt(table, chunk) for chunk in reversed(chunks))
            self._release()

    def under_way(self, chunk: Chunk) -> Attempt | None:
        """The attempt at a chunk that is not settled."""
        with self._changed:
            return next((item for item in self._tables[chunk.table].attempts if item.chunk == chunk), None)

    def done(self, attempt: Attempt) -> None:
        """A chunk is durable."""
        with self._changed:
            if not self._settle(attempt):
                return
            work = self._tables[attempt.table.source]
            work.pending -= 1
            finished = work.pending == 0 and not work.given_up
            self._release()
        if finished:
            self._ready(attempt.table)

    def retry(self, attempt: Attempt, *, careful: bool | None = None, counts: bool = True) -> None:
        """Try a chunk again; without ``counts`` it was nobody's fault (a pause)."""
        with self._changed:
            if not self._settle(attempt):
                return
            again = Attempt(
                attempt.table,
                attempt.chunk,
                attempt.number + counts,
                attempt.careful if careful is None else careful,
            )
            self._queue.appendleft(again)
            self._release()

    def give_up(self, table: TablePlan) -> None:
        """No more of this table; attempts under way are marked as failed, and are still to be settled.

        Said before the tracker is told that the table failed, see `Tracker.begin`.
        """
        with self._changed:
            work = self._tables[table.source]
            work.given_up = True
            for attempt in work.attempts:
                attempt.failed = True
            self._changed.notify_all()

    def drop(self, work: PlanWork | Attempt) -> None:
        """A piece of work ended without result (its table was given up)."""
        with self._changed:
            if isinstance(work, PlanWork) or self._settle(work):
                self._release()

    def close(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def unfinished(self) -> list[TablePlan]:
        """Tables that were neither finished nor given up."""
        return [work.plan for work in self._tables.values() if not work.given_up and (work.pending or not work.planned)]

    def _settle(self, attempt: Attempt) -> bool:
        attempts = self._tables[attempt.table.source].attempts
        known = attempt in attempts
        attempts.discard(attempt)
        return known

    def _release(self) -> None:
        self._busy -= 1
        self._changed.notify_all()
