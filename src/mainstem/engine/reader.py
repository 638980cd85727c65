"""The reading end of a lane: takes work from the queue, reads chunks from the snapshot, publishes frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from mainstem import failpoints
from mainstem.contract.hub import Lane
from mainstem.contract.source import BatchLimits, SnapshotReader
from mainstem.engine import traced
from mainstem.engine.control import RunControl
from mainstem.engine.cuts import Cuts
from mainstem.engine.denied import skipped_item
from mainstem.engine.progress import Tracker
from mainstem.engine.waiting import Waiting
from mainstem.engine.work import Attempt, PlanWork, WorkQueue
from mainstem.errors import CancelledError, DeniedError, MainstemError, NotFoundError, StatementError
from mainstem.model.batch import Batch
from mainstem.model.frame import Abort, Begin, Commit
from mainstem.model.plan import TablePlan

CHUNK_BYTES = 16 * 1024 * 1024
MIN_CHUNK_ROWS = 10_000
MAX_CHUNKS_WANTED = 2_000
_ALL_ROWS = 2**40
ASSUMED_ROW_BYTES = 100  # of a table whose server has counted bytes but no rows yet
_ONE_TABLE = (StatementError, NotFoundError)  # errors that say something about one table; all others end the round


def chunk_rows(table: TablePlan, jobs: int) -> int:
    """How many rows a chunk should have: small enough to repeat cheaply and to keep all lanes busy, not smaller.

    A chunk aims at `CHUNK_BYTES`; a table gives at least eight chunks per lane unless they would be tiny, and about
    `MAX_CHUNKS_WANTED` at most.
    """
    rows = max(table.rows_estimate or table.bytes_estimate // ASSUMED_ROW_BYTES, 1)
    row_bytes = max(table.bytes_estimate / rows, 16)
    by_size = max(CHUNK_BYTES, table.bytes_estimate / MAX_CHUNKS_WANTED) / row_bytes
    by_lanes = max(rows / (8 * jobs), MIN_CHUNK_ROWS)
    return max(int(min(by_size, by_lanes)), 1)


@dataclass(frozen=True, slots=True)
class Reader:
    """One lane's reader. `run` ends when there is no more work.

    Attributes:
        skips_denied: a table that the source's login may not read is left out instead of failing.
    """

    source: SnapshotReader
    lane: Lane
    queue: WorkQueue
    cuts: Cuts
    control: RunControl
    tracker: Tracker
    limits: BatchLimits
    jobs: int
    skips_denied: bool = False
    _waiting: Waiting = field(default_factory=Waiting)

    def run(self) -> None:
        """Work until the queue is empty; then close the lane."""
        begun = time.perf_counter()
        try:
            self._work()
        finally:
            self.tracker.waited(source_s=self._waiting.seconds, lane_s=time.perf_counter() - begun)

    def _work(self) -> None:
        while True:
            self.control.wait_while_paused()
            if self.control.out_of_time():
                self.queue.close()
            work = self.queue.take(self.lane)
            if work is None:
                break
            try:
                if isinstance(work, PlanWork):
                    self._plan(work)
                else:
                    self._read(work)
            except _ONE_TABLE as exc:
                if self.queue.cancelled:
                    raise CancelledError("the round was broken off") from exc
                self._give_up(work, exc)
        self.lane.close()

    def _plan(self, work: PlanWork) -> None:
        table = work.table
        with self._waiting:
            rows = _ALL_ROWS if table.whole else chunk_rows(table, self.jobs)
            chunks = self.source.plan_chunks(table, rows)
        self.cuts.plan(table.source, chunks)
        self.tracker.set_chunks(table.source, len(chunks))
        self.queue.planned(table, chunks)

    def _read(self, attempt: Attempt) -> None:
        """Publish one attempt: Begin, batches, and Commit or Abort. What follows is the writer's to decide."""
        self.tracker.begin(attempt)
        with traced.reading(attempt) as span:
            self._send(attempt)
            span.note(rows=attempt.rows, bytes=attempt.bytes)

    def _send(self, attempt: Attempt) -> None:
        self.lane.publish(Begin(attempt.chunk, attempt.number, attempt.careful))
        try:
            complete = self._publish_batches(attempt)
        except MainstemError as exc:
            if isinstance(exc, _ONE_TABLE):
                self.queue.give_up(attempt.table)
            self.lane.publish(Abort(attempt.chunk))
            raise
        if complete or self.control.limit is not None:
            self.lane.publish(Commit(attempt.chunk, attempt.rows, partial=not complete))
            return
        self.tracker.abandon(attempt)
        self.lane.publish(Abort(attempt.chunk))

    def _publish_batches(self, attempt: Attempt) -> bool:
        """True when the chunk was read to its end."""
        with closing(self.source.read(attempt.plan, attempt.chunk, self.limits)) as batches:
            for batch in self._timed(batches):
                self.control.check_stopped()
                if attempt.failed or self.control.should_yield():
                    return False
                rows = batch.count
                allowed = 0 if self.control.out_of_time() else self.control.reserve(rows)
                # nothing is left of a raw one: then the limit of seconds is over, as of rows it has none
                kept = batch.first(allowed) if allowed else None
                del batch
                if kept is not None:
                    attempt.rows += kept.count
                    attempt.bytes += kept.size_bytes
                    self.lane.publish(kept)
                    del kept  # a row may be of hundreds of megabytes: not while the next is read
                    failpoints.hit("reader.batch")
                if allowed < rows:
                    return False
        return True

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            with self._waiting:
                batch = next(batches, None)
            if batch is None:
                return
            yield batch
            del batch

    def _give_up(self, work: PlanWork | Attempt, error: MainstemError) -> None:
        if isinstance(work, Attempt):
            self.tracker.abandon(work)
        table = work.table.source
        self.queue.give_up(work.table)
        if self.skips_denied and isinstance(error, DeniedError) and not self.tracker.table(table).rows_written:
            self.tracker.table_skipped(table, skipped_item(table, error.message, error.remedy))
        else:
            self.tracker.table_failed(table, error)
        if isinstance(work, PlanWork):
            self.queue.drop(work)
