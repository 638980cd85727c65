"""Reader and writer of a lane together, where one of them gives up what the other is still at work on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mainstem.contract.source import BatchLimits
from mainstem.contract.target import Receipt
from mainstem.engine.control import RunControl
from mainstem.engine.progress import Tracker
from mainstem.engine.reader import Reader
from mainstem.engine.work import Attempt, WorkQueue
from mainstem.engine.writer import Writer
from mainstem.errors import LostConnectionError, MainstemError, RowError, StatementError, TransientError
from mainstem.hub.memory import MemoryHub
from mainstem.model.batch import RawBatch
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, TablePlan
from mainstem.model.run import RowErrorPolicy, RunOptions
from mainstem.tasks import ThreadGroup

TABLE = TablePlan(TableId("shop", "t"), TableId("public", "t"), ())
BATCHES, ROWS = 3, 10


class Source:
    """Three batches of one chunk. It goes on behind the first one when that has been refused."""

    def __init__(self, refused: threading.Event) -> None:
        self._refused = refused

    def plan_chunks(self, *_: Any) -> list[Chunk]:
        return [Chunk(TABLE.source, 0)]

    def read(self, *_: Any) -> Iterator[RawBatch]:
        for number in range(BATCHES):
            if number == 1:
                assert self._refused.wait(30)
            yield RawBatch(TABLE.source, b"", ROWS)


class Cuts:
    def plan(self, *_: Any) -> None:
        return


@dataclass
class Loader:
    """Refuses the first batch ever, and lets `slow` be done before that is rolled back."""

    error: MainstemError
    slow: Callable[[], object]
    refused: threading.Event
    alone: bool = False
    committed: list[int] = field(default_factory=list)
    rows: int = 0

    def begin(self, *_: Any, **__: Any) -> None:
        self.rows = 0

    def write(self, batch: RawBatch) -> None:
        if not self.refused.is_set():
            self.refused.set()
            raise self.error
        self.rows += batch.count

    def commit(self, rows: int, _: object = None) -> Receipt:
        assert rows == self.rows
        self.committed.append(rows)
        return Receipt(rows, 0, (), {})

    def rollback(self) -> None:
        if not self.committed:
            self.slow()


class Asked(WorkQueue):
    """Tells when the reader is done with its first attempt, and asks for more."""

    def __init__(self, ready: Callable[[TablePlan], None]) -> None:
        super().__init__(ready)
        self.asks = 0
        self.again = threading.Event()

    def take(self, lane: object = None) -> Any:
        self.asks += 1
        if self.asks == 3:  # after the table's cut, and the attempt
            self.again.set()
        return super().take(lane)


@pytest.mark.parametrize("error", [RowError("22003"), TransientError("40P01")], ids=lambda error: error.code)
def test_a_chunk_comes_again_although_its_reader_stops_before_its_writer_has_decided(error: MainstemError) -> None:
    ready: list[TablePlan] = []
    queue, refused = Asked(ready.append), threading.Event()
    loader = Loader(error, lambda: queue.again.wait(30), refused)
    run_one_lane(queue, Source(refused), loader)
    assert loader.committed == [BATCHES * ROWS]
    assert ready == [TABLE]
    assert queue.unfinished() == []


def test_a_table_that_failed_stays_failed_although_a_chunk_of_it_was_handed_out_just_before() -> None:
    queue = WorkQueue(lambda _: None)
    tracker = Tracker(RunControl(0, 0), lambda _: None)
    tracker.plan(MigrationPlan((TABLE,), ()))
    queue.add(TABLE, ())
    queue.take()
    queue.planned(TABLE, [Chunk(TABLE.source, number) for number in range(2)])
    handed_out = queue.take()
    assert isinstance(handed_out, Attempt)
    queue.give_up(TABLE)
    tracker.table_failed(TABLE.source, RowError("22003"))
    tracker.begin(handed_out)
    assert [table.source for table in tracker.failed_tables()] == [TABLE.source]


def test_a_table_that_its_reader_cannot_read_on_is_given_up_with_what_was_written_of_it() -> None:
    class Denied(Source):
        def read(self, *args: Any) -> Iterator[RawBatch]:
            yield next(super().read(*args))
            raise StatementError("it is gone")

    queue, asked = WorkQueue(lambda _: None), threading.Event()
    asked.set()
    loader = Loader(RowError("never raised"), lambda: None, asked)
    tracker = run_one_lane(queue, Denied(asked), loader)
    assert loader.committed == []
    assert [table.error for table in tracker.failed_tables()] == ["it is gone"]
    assert queue.unfinished() == []


def test_what_was_put_aside_counts_until_it_is_known_that_its_commit_came_to_nothing() -> None:
    class Unclear(Loader):
        def begin(self, *_: Any, quarantine: Callable[[], bool] | None, **__: Any) -> None:
            self.rows = 0
            self.quarantine = quarantine

        def write(self, batch: RawBatch) -> None:
            if self.quarantine is None:
                raise RowError("22003")
            assert self.quarantine()

        def commit(self, rows: int, _: object = None) -> Receipt:
            raise LostConnectionError("nobody knows")

    queue, asked, control = WorkQueue(lambda _: None), threading.Event(), RunControl(0, 0, BATCHES)
    asked.set()
    with pytest.raises(LostConnectionError):
        run_one_lane(queue, Source(asked), Unclear(RowError("22003"), lambda: None, asked), control)
    assert not control.reject()


def run_one_lane(queue: WorkQueue, source: Any, loader: Any, control: RunControl | None = None) -> Tracker:
    control = control or RunControl(0, 0, 5)
    tracker = Tracker(control, lambda _: None)
    tracker.plan(MigrationPlan((TABLE,), ()))
    queue.add(TABLE, ())
    hub = MemoryHub(1000)
    lane, options = hub.lane(0), RunOptions(row_errors=RowErrorPolicy.QUARANTINE)
    cuts: Any = Cuts()

    def cancel() -> None:
        queue.close()
        hub.close()

    with ThreadGroup(cancel) as group:
        group.start("reader", Reader(source, lane, queue, cuts, control, tracker, BatchLimits(), 1).run)
        group.start("writer", Writer(loader, lane, queue, control, tracker, options).run)
    return tracker
