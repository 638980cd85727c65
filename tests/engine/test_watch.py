"""What is asked of the source beside the stream."""

from __future__ import annotations

from typing import Any, cast

from tests.engine.memory import changes

from mainstem.contract.changes import ChangeSource, Retention
from mainstem.engine.control import Limit, RunControl
from mainstem.engine.lag import Lag
from mainstem.engine.progress import Tracker
from mainstem.engine.watch import Watch
from mainstem.model.change import ChangeGroup, Idle, Op
from mainstem.model.run import RunOptions
from mainstem.model.stream import Checkpoint


class Source:
    """Says that the log is lost; before, the stream may go on to a later position, as it does all the time."""

    def __init__(self, lag: Lag) -> None:
        self._lag = lag
        self.later = ""

    def retention(self, origin: str, position: str) -> Retention:
        if self.later:
            self._lag.durable(0, Checkpoint(self.later))
        return Retention(lost=True)


def test_what_is_read_and_not_applied_is_part_of_the_lag_in_bytes() -> None:
    lag = Lag()
    rows = changes([(1, ("a", Op.INSERT, "12345", "x"))])
    number = lag.read(ChangeGroup(rows, transactions=1, lag_bytes=7))
    lag.read(Idle("1", 0))
    assert lag.snapshot().lag_bytes == rows[0].size_bytes > 0
    lag.durable(number, Checkpoint("1"))
    assert lag.snapshot().lag_bytes == 0


def test_a_log_is_not_lost_because_the_stream_went_on_while_the_source_was_asked() -> None:
    control, lag = RunControl(0, 0, 0), Lag()
    lag.durable(0, Checkpoint("5"))
    source, told = Source(lag), list[Any]()
    watch = Watch(Tracker(control, told.append), control, Limit(), lag, RunOptions(), lambda: None, lambda: None)
    watch.follow(cast(ChangeSource, source), "origin")
    source.later = "6"
    watch._ask_retention()
    assert watch._retention is None
    source.later = ""
    watch._ask_retention()
    assert watch._retention == Retention(lost=True)
