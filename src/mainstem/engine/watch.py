"""Looks after a stream from its own thread: the limit of seconds, alerts, what the source keeps, progress lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from mainstem.contract.changes import ChangeSource, Retention
from mainstem.contract.hub import HubAge
from mainstem.contract.opened import noting, present
from mainstem.engine.alerts import AlertBook, FullHub, Vitals, due
from mainstem.engine.control import Limit, RunControl
from mainstem.engine.lag import Lag
from mainstem.engine.progress import Tracker
from mainstem.errors import MainstemError
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.event import Category, Level
from mainstem.model.run import RunOptions, RunState

TICK_S = 0.25
LOOK_EVERY_S = 1.0
RETENTION_EVERY_S = 30.0
AGE_EVERY_S = 5.0
_MIB = 1024 * 1024


class Watch:
    """`with` it, a run is looked after.

    Args:
        end: breaks off what the run does now.
        hub_age: asks a hub outside the process; None from one that drops nothing.
    """

    def __init__(
        self,
        tracker: Tracker,
        control: RunControl,
        limit: Limit,
        lag: Lag,
        options: RunOptions,
        end: Callable[[], None],
        hub_age: Callable[[], HubAge | None],
    ) -> None:
        self._tracker, self._control, self._limit, self._lag = tracker, control, limit, lag
        self._options, self._end, self._hub_age = options, end, hub_age
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._lock = threading.Lock()
        self._book, self._full = AlertBook(), FullHub()
        self._well = False  # the run has been seen to stream, and to be at the end of what it has read
        self._opened = present()
        self._source: tuple[ChangeSource, str] | None = None
        self._retention: Retention | None = None
        self._age: HubAge | None = None
        self._next_stats = self._next_retention = self._next_age = self._next_look = time.monotonic()

    def __enter__(self) -> Watch:
        self._next_stats += self._options.reporting_interval_s
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self._lock:
            opened = self._opened
        opened.end_soon()
        self._thread.join()

    def follow(self, source: ChangeSource, origin: str) -> None:
        """The stream is known at this source: from here on what it keeps is asked for."""
        self._source = source, origin

    def remember(self, alerts: Iterable[Alert]) -> None:
        """Those of a former run that were not over: told to be over once this one shows that they are."""
        with self._lock:
            self._book.remember(alerts)

    def alerts(self) -> tuple[Alert, ...]:
        """Those that are not over."""
        with self._lock:
            return self._book.current

    def ended(self, error: MainstemError | None) -> None:
        """The run is over, by an error or without; its alerts are, too, but for what outlives it.

        What a former run ended with holds until one runs well, unless this one ended with something else.
        """
        failure = [] if error is None else [Alert(AlertKind.FAILURE, error.message, error.remedy)]
        with self._lock:
            kept = [alert for alert in self._book.current if alert.kind in (AlertKind.TABLE, AlertKind.RETENTION)]
            former = [alert for alert in self._book.current if alert.kind is AlertKind.FAILURE]
            told = []
            if failure and former and former[0].message != failure[0].message:
                told = self._book.update(kept)
            told += self._book.update([*kept, *failure], () if self._well else tuple(AlertKind))
        self._tell(told)

    def _run(self) -> None:
        with noting() as opened:
            with self._lock:
                self._opened = opened
            self._look_after()

    def _look_after(self) -> None:
        while not self._over.wait(TICK_S):
            now = time.monotonic()
            self._check_seconds()
            if now >= self._next_retention:
                self._next_retention = now + RETENTION_EVERY_S
                self._ask_retention()
            if now >= self._next_age:
                self._age = None if self._control.paused else self._hub_age()
                self._next_age = now + AGE_EVERY_S
            if now >= self._next_look:
                self._next_look = now + LOOK_EVERY_S
                self._look(now)
            if self._options.reporting_interval_s and now >= self._next_stats and not self._control.paused:
                self._next_stats = now + self._options.reporting_interval_s
                self._tracker.tell_stats()

    def _check_seconds(self) -> None:
        longest = self._options.max_seconds
        if longest and self._control.elapsed_s >= longest and self._limit.state is None:
            self._limit.state = RunState.TIME_LIMIT_REACHED
            self._end()

    def _look(self, now: float) -> None:
        progress = self._tracker.snapshot()
        streaming = progress.stage == "streaming" and not self._control.paused
        self._well = self._well or (streaming and self._lag.begun and not self._lag.waiting)
        vitals = Vitals(
            self._lag.snapshot(), now - self._lag.heard_s, now - self._lag.durable_s, self._lag.waiting,
            streaming, self._retention, tuple(progress.tables),
            self._full.look(now, self._lag.offering.seconds), self._age, self._lag.trouble,
        )  # fmt: skip
        with self._lock:
            told = self._book.update(due(vitals, self._options.changes), self._unsure(progress.stage))
        self._tell(told)

    def _unsure(self, stage: str) -> set[AlertKind]:
        """Of which alerts it is not known yet whether they still hold. A copy that goes on is no failure any more."""
        if self._well:
            return {AlertKind.RETENTION} if self._retention is None else set()
        return set(AlertKind) - ({AlertKind.FAILURE} if stage == "data" else set())

    def _ask_retention(self) -> None:
        """What the source keeps; while tables are copied it is told of, too."""
        known, position = self._source, self._lag.snapshot().position
        if known is None or not position:
            return
        source, origin = known
        try:
            found = source.retention(origin, position)
        except MainstemError:
            return  # the stream itself will tell of it, if it lasts
        if found.lost and self._lag.snapshot().position != position:
            return  # it was told of a later position while it was asked about this one
        self._retention = found
        held = self._retention.held_bytes
        self._lag.held(held)
        if held is not None and self._tracker.snapshot().stage == "data":
            self._tracker.say(
                f"the source keeps {held / _MIB:,.0f} MiB of its log until the copy is done", part="source"
            )

    def _tell(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._tracker.say(
                alert.message, level=Level.INFO if alert.over else Level.WARN, category=Category.ALERT,
                alert=str(alert.kind), subject=alert.subject, remedy=alert.remedy, over=alert.over,
            )  # fmt: skip
