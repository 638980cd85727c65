"""Readers and writers of lanes together, where one of them gives up what another is still at work on."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

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
    return run_lanes(queue, [(source, loader)], control or RunControl(0, 0, 5))


def run_lanes(queue: WorkQueue, lanes: Sequence[tuple[Any, Any]], control: RunControl) -> Tracker:
    tracker = Tracker(control, lambda _: None)
    tracker.plan(MigrationPlan((TABLE,), ()))
    queue.add(TABLE, ())
    hub, cuts, options = MemoryHub(1000), cast(Any, Cuts()), RunOptions(row_errors=RowErrorPolicy.QUARANTINE)

    def cancel() -> None:
        queue.close()
        hub.close()

    with ThreadGroup(cancel) as group:
        for number, (source, loader) in enumerate(lanes):
            lane = hub.lane(number)
            reader = Reader(source, lane, queue, cuts, control, tracker, BatchLimits(), len(lanes))
            group.start(f"reader-{number}", reader.run)
            group.start(f"writer-{number}", Writer(loader, lane, queue, control, tracker, options).run)
    return tracker


class Counting(RunControl):
    """Tells what counts against its limits."""

    @property
    def counted(self) -> tuple[int, int]:
        return self._rows, self._rejected


class Moody:
    """A loader of rows 1…10 each, row 3 of each of which it refuses: it fails now and then, and takes its time."""

    alone = False

    def __init__(self, rng: random.Random, durable: list[int]) -> None:
        self.rng, self.durable = rng, durable
        self.rows = self.aside = 0

    def begin(self, plan: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        self.rows = self.aside = 0
        self.quarantine, self.chunk = quarantine, chunk

    def write(self, batch: RawBatch) -> None:
        self._mood()
        if self.quarantine is None:
            raise RowError("22003")
        assert self.quarantine()
        self.aside += 1
        self.rows += batch.count - 1

    def commit(self, rows: int, _: object = None) -> Receipt:
        self._mood()
        assert rows == self.rows + self.aside
        self.durable.append(self.chunk.number)
        return Receipt(self.rows, self.aside, (), {})

    def rollback(self) -> None:
        time.sleep(self.rng.choice((0, 0, 0.003)))

    def _mood(self) -> None:
        time.sleep(self.rng.choice((0, 0, 0.001)))
        if self.rng.random() < 0.15:
            raise TransientError("40P01")


class Slow:
    """Four batches of each of twenty chunks."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def plan_chunks(self, *_: Any) -> list[Chunk]:
        return [Chunk(TABLE.source, number) for number in range(20)]

    def read(self, *_: Any) -> Iterator[RawBatch]:
        for _batch in range(4):
            time.sleep(self.rng.choice((0, 0, 0.002)))
            yield RawBatch(TABLE.source, b"12345", 10)


@pytest.mark.parametrize("seed", range(6))
def test_every_chunk_comes_once_and_the_limits_count_what_is_durable(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstem.engine.writer.RETRY_DELAY_S", 0.001)
    monkeypatch.setattr("mainstem.engine.writer.MAX_ATTEMPTS", 1000)
    monkeypatch.setattr("mainstem.engine.control.PAUSE_GRACE_S", 0.0)
    rng, ready, durable = random.Random(seed), list[TablePlan](), list[int]()
    queue, control = WorkQueue(ready.append), Counting(10_000, 0, 100)
    lanes = [(Slow(random.Random(rng.random())), Moody(random.Random(rng.random()), durable)) for _ in range(3)]
    over = threading.Event()

    def pauses() -> None:
        while not over.wait(0.02):
            control.pause()
            over.wait(0.003)
            control.resume()

    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(pauses)
        try:
            tracker = run_lanes(queue, lanes, control)
        finally:
            over.set()
        paused.result()
    assert sorted(durable) == list(range(20))
    assert ready == [TABLE]
    assert queue.unfinished() == []
    assert control.counted == (800, 80)
    progress = tracker.snapshot()
    assert (progress.rows_read, progress.rows_written, progress.rows_rejected) == (800, 720, 80)
