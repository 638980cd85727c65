"""The writer's end of a lane, with a loader that only writes down what it is told."""

from __future__ import annotations

from typing import Any

from mainstem.engine.control import RunControl
from mainstem.engine.progress import Tracker
from mainstem.engine.work import Attempt, WorkQueue
from mainstem.engine.writer import Writer
from mainstem.hub.memory import MemoryHub
from mainstem.model.frame import Begin, Chunk, Commit
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, TablePlan
from mainstem.model.run import RunOptions

TABLE = TablePlan(TableId("shop", "t"), TableId("public", "t"), ())


class Told:
    """A loader."""

    alone = False

    def __init__(self, queue: WorkQueue) -> None:
        self.queue, self.calls = queue, list[str]()

    def begin(self, *_: Any, **__: Any) -> None:
        self.calls.append("begin")
        self.queue.give_up(TABLE)  # another lane finds that the table cannot be written

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.calls.append(name)


def test_what_was_begun_of_a_table_that_failed_meanwhile_is_rolled_back() -> None:
    queue = WorkQueue(lambda _: None)
    queue.add(TABLE, ())
    queue.take()
    chunk = Chunk(TABLE.source, 0)
    queue.planned(TABLE, [chunk])
    assert isinstance(queue.take(), Attempt)
    control = RunControl(0, 0, 0)
    tracker = Tracker(control, lambda _: None)
    tracker.plan(MigrationPlan((TABLE,), ()))
    lane, loader = MemoryHub(1000).lane(0), Told(queue)
    for frame in (Begin(chunk, 1), Commit(chunk, 0)):
        lane.publish(frame)
    lane.close()
    Writer(loader, lane, queue, control, tracker, RunOptions()).run()  # type: ignore[arg-type]
    assert loader.calls == ["begin", "rollback"]
    assert queue.take() is None
