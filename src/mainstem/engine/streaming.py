"""One connection of a stream: its reader and its writer, from the checkpoint on until something ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mainstem import failpoints, tracing
from mainstem.contract.apply import Applier
from mainstem.contract.changes import ChangeSource, ChangeStream, GroupLimits
from mainstem.contract.hub import Hub, Lane
from mainstem.contract.opened import present
from mainstem.contract.spans import sending
from mainstem.engine.answers import Answers
from mainstem.engine.applying import Applying
from mainstem.engine.control import Interrupts, Limit, RunControl
from mainstem.engine.evolution import Evolution
from mainstem.engine.lag import Lag
from mainstem.engine.progress import Tracker
from mainstem.engine.resync import Copier
from mainstem.engine.site import Site
from mainstem.engine.standing import Milestones, Orders, Standing
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import StreamTable
from mainstem.tasks import ThreadGroup


@dataclass(frozen=True, slots=True)
class Following:
    """The reading end: groups from the log into the lane.

    Attributes:
        begin: the position that the stream begins at.
        reaches: whether a position reaches another one.
        trace: the run's.
    """

    stream: ChangeStream
    begin: str
    reaches: Callable[[str, str], bool]
    lane: Lane
    lag: Lag
    milestones: Milestones
    control: RunControl
    run_id: str
    trace: str = field(default_factory=tracing.carrier)

    def run(self) -> None:
        """Read until the stream is interrupted or fails; then close the lane."""
        at, told = self.begin, False
        try:
            for frame in self.stream.groups():
                paused = self.control.paused
                if isinstance(frame, Idle) and paused and told:
                    continue  # they weigh nothing, so that nothing would bound them
                told = paused and isinstance(frame, Idle)  # of the pause, to a writer that has nothing to do
                failpoints.hit("stream.read")
                number = self.lag.read(frame)
                at = frame.position or at
                self.milestones.read(number, partial(self.reaches, at))
                with self.lag.offering:
                    self._publish(frame)
                del frame  # which may be large, while the next one is read
                failpoints.hit("stream.published")
        finally:
            self.lane.close()

    def _publish(self, frame: ChangeGroup | Idle) -> None:
        if tracing.carrier() != self.trace:  # the process that has read it began a trace for it
            self.lane.publish(frame)
            return
        with sending(self.run_id, frame):
            self.lane.publish(frame)


LEAST_ROWS = 100
"""Of a group, so that a large transaction comes in few pieces also where only few events are wanted."""
Later = Sequence[tuple[str, Callable[[], None]]]


@dataclass(slots=True)
class Session:
    """Reads and applies from the checkpoint on. `run` returns at the limit of events, and raises at anything else.

    Attributes:
        copier: copies tables meanwhile.
        later: what is to be done behind positions.
    """

    source: ChangeSource
    applier: Applier
    standing: Standing
    lag: Lag
    milestones: Milestones
    orders: Orders
    evolution: Evolution
    answers: Answers
    options: RunOptions
    control: RunControl
    limit: Limit
    tracker: Tracker
    interrupts: Interrupts
    make_hub: Callable[[int], Hub]
    copier: Copier | None = None
    later: Later = ()
    run_id: str = ""

    def run(self) -> None:
        """One connection to its end."""
        standing = self.standing
        tables = standing.durable_tables
        self.lag.begin()
        self.milestones.begin()
        keep = self.copier.hold() if self.copier is not None else ""
        limits = GroupLimits(ahead=self.applier.goes_ahead)
        if self.options.max_rows:  # what waits is not to go far beyond it
            limits = replace(limits, max_rows=min(max(self.options.max_rows, LEAST_ROWS), limits.max_rows))
        with (
            self.source.stream(standing.origin, standing.checkpoint.position, tables, limits, keep) as stream,
            self.make_hub(self.options.memory_bytes) as hub,
        ):
            lane, copier, over = hub.lane(0), self.copier, threading.Event()
            opened = present()

            def cancel() -> None:
                opened.end_soon()
                over.set()
                hub.close()
                stream.interrupt()
                writer.interrupt()
                if copier is not None:
                    copier.cancel()

            writer = self._writer(stream, lane, cancel, over)
            self._watch(writer, tables)
            self.interrupts.add(cancel)
            with ThreadGroup(cancel) as group:
                group.start("reader", self._reader(stream, lane).run)
                group.start("writer", writer.run)
                if copier is not None:
                    group.start("copier", lambda: copier.run(writer))

    def _reader(self, stream: ChangeStream, lane: Lane) -> Following:
        standing = self.standing
        reaches = partial(self.source.reaches, standing.origin)
        return Following(
            stream, standing.checkpoint.position, reaches, lane, self.lag, self.milestones, self.control, self.run_id
        )

    def _writer(self, stream: ChangeStream, lane: Lane, cancel: Callable[[], None], over: threading.Event) -> Applying:
        site = Site(
            stream, lane, self.standing, self.lag, self.milestones, self.orders, self.control, self.limit, self.tracker,
            self.options, over,
        )  # fmt: skip
        hold = self.copier.hold if self.copier is not None else lambda: ""
        return Applying(self.applier, site, self.evolution, self.answers, cancel, hold)

    def _watch(self, writer: Applying, tables: tuple[StreamTable, ...]) -> None:
        """A table whose rows are of several snapshots is as good as any other behind the last of them."""
        for position in {table.since for table in tables if table.since}:
            self.milestones.watch(position)
        for position, work in self.later:
            self.milestones.add(position, partial(writer.by_itself, work))
        positions = {table.until for table in tables if table.state is TableState.CATCHING_UP and table.until}
        for position in positions:

            def caught_up(position: str = position) -> None:
                writer.transaction.save_tables(
                    [
                        replace(table, state=TableState.STREAMING, until="")
                        for table in self.standing.durable_tables
                        if table.state is TableState.CATCHING_UP and table.until == position
                    ]
                )

            self.milestones.add(position, caught_up)
