"""Replications between real servers, for tests: run in a thread, written to meanwhile, compared by the servers."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tools.compare import compare

from mainstem import bootstrap
from mainstem.bootstrap.hubs import HubsOf, in_memory
from mainstem.engine.replication import Replication, close_stream
from mainstem.model.event import Category, Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import ChangeOptions, Mode, Progress, RunOptions, RunState, SchemaPolicy, TableState
from tests.e2e.routes import Route

_WAIT_S = 120


def wait_until(condition: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    """Wait for a condition, for two minutes at most."""
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not come true in time: {told()}"
        time.sleep(0.05)


def _stacks() -> str:
    """What every thread is at."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = sys._current_frames().items()
    return "\n".join(f"{names.get(ident)}:\n{''.join(traceback.format_stack(frame))}" for ident, frame in stacks)


@dataclass
class Following:
    """One stream over a route; may be started several times."""

    route: Route
    options: RunOptions
    stream_id: str = field(default_factory=lambda: new_id(STREAM))
    events: list[Event] = field(default_factory=list)
    ended: Progress | None = None
    hubs: HubsOf = in_memory

    def replication(self) -> Replication:
        """A run that has not begun."""
        route = self.route
        return bootstrap.replication(
            self.stream_id, route.source.endpoint, route.target.endpoint, self.options, self.listen,
            hubs=self.hubs,
        )  # fmt: skip

    def listen(self, event: Event) -> None:
        """Gets every event of the runs."""
        self.events.append(event)

    @contextmanager
    def running(self, *, streams: bool = True) -> Iterator[Replication]:
        """A run in a thread, which is stopped at the end; waits until it streams."""
        replication = self.replication()
        ended: list[Progress] = []
        thread = threading.Thread(target=lambda: ended.append(replication.run()), daemon=True)
        thread.start()
        try:
            if streams:
                wait_until(
                    lambda: bool(ended) or replication.progress().stage == "streaming",
                    lambda: [event.message for event in self.events][-10:],
                )
                assert not ended, (ended[0].state, ended[0].error)
            yield replication
        finally:
            replication.stop()
            thread.join(120)
            assert not thread.is_alive(), f"the run did not end: {_stacks()}"
            self.ended = ended[0]

    def differing(self) -> list[str]:
        """The tables that differ."""
        source, target = self.route.source.settings, self.route.target.settings
        return [str(result) for result in compare(source, target) if not result.same]

    def wait_equal(self) -> None:
        """Until every table of the source has the same rows on the target."""
        wait_until(lambda: not self.differing(), lambda: (self.differing(), self.said()[-10:]))

    def wait_rows(self, question: str, rows: list[tuple[object, ...]]) -> None:
        """Until a question to the target has this answer."""
        wait_until(lambda: self._ask(question) == rows, lambda: (self._ask(question), self.said()[-10:]))

    def _ask(self, question: str) -> object:
        try:
            return self.route.target.run(question)
        except Exception as exc:  # what it asks for may not be there yet
            return exc

    def said(self) -> list[str]:
        """What the run said, but for numbers."""
        return [event.message for event in self.events if event.category is not Category.STAT]

    def close(self) -> None:
        """Have nothing left at the source."""
        close_stream(self.route.source.endpoint, self.route.target.endpoint, self.options, self.stream_id)


def state_of(replication: Replication, name: str) -> TableState:
    """The state of the table that has this name in the source."""
    return next(table.state for table in replication.progress().tables if table.source.name == name)


def cdc(**changes: object) -> RunOptions:
    """Options of a replication that makes what is missing."""
    options = RunOptions(mode=Mode.CDC, schema_policy=SchemaPolicy.CREATE_MISSING, reporting_interval_s=0)
    return replace(options, changes=replace(ChangeOptions(), **changes))  # type: ignore[arg-type]


@contextmanager
def following(route: Route, options: RunOptions | None = None, hubs: HubsOf = in_memory) -> Iterator[Following]:
    """A stream whose traces at the source are gone afterwards."""
    stream = Following(route, options or cdc(), hubs=hubs)
    try:
        yield stream
    finally:
        stream.close()


def ended_by_request(stream: Following) -> bool:
    """Whether the last run was stopped, and not broken."""
    return stream.ended is not None and stream.ended.state is RunState.STOPPED
