"""What a run is told to do from outside (pause, resume, stop), and the limits that it sets itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mainstem.contract.opened import noting, present
from mainstem.errors import CancelledError
from mainstem.model.names import TableId
from mainstem.model.run import RunState

PAUSE_GRACE_S = 2.0


class RunControl:
    """Shared by all threads of a run.

    Args:
        max_rows, max_seconds: 0 is unlimited.
        max_rejected: how many rows may be put aside; 0 is none.

    Attributes:
        held: tables that are paused while others are copied.
    """

    def __init__(self, max_rows: int, max_seconds: int, max_rejected: int = 0) -> None:
        self._changed = threading.Condition()
        self._max_rows, self._max_seconds, self._max_rejected = max_rows, max_seconds, max_rejected
        self._rows = self._rejected = 0
        self._stopped = False
        self._paused_at: float | None = None
        self._active_s = 0.0
        self._active_since: float | None = None
        self.limit: RunState | None = None
        self.held: frozenset[TableId] = frozenset()

    def hold(self, table: TableId) -> None:
        """Begin no more chunks of a table; those under way are brought to their end."""
        with self._changed:
            self.held |= {table}

    def release(self, table: TableId) -> None:
        """Go on with a table."""
        with self._changed:
            self.held -= {table}

    def start_clock(self) -> None:
        """Running time counts from here."""
        with self._changed:
            self._active_since = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Running time without pauses, in seconds."""
        with self._changed:
            running = time.monotonic() - self._active_since if self._active_since is not None else 0.0
            return self._active_s + running

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    @property
    def paused(self) -> bool:
        """Whether the run is paused now."""
        return self._paused_at is not None

    def pause(self) -> None:
        """Stop the clock; readers hold at their next look."""
        with self._changed:
            if self._paused_at is None:
                self._paused_at = time.monotonic()
                if self._active_since is not None:
                    self._active_s += self._paused_at - self._active_since
                    self._active_since = None

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            if self._paused_at is not None:
                self._paused_at = None
                self._active_since = time.monotonic()
                self._changed.notify_all()

    def stop(self) -> None:
        """End for good; wakes whoever waits here."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_while_paused(self) -> None:
        """Hold while paused. Raises `CancelledError` when stopped."""
        with self._changed:
            while self._paused_at is not None and not self._stopped:
                self._changed.wait()
        self.check_stopped()

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until stopped, which raises `CancelledError`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._stopped and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        self.check_stopped()

    def check_stopped(self) -> None:
        """Raise `CancelledError` when stopped."""
        if self._stopped:
            raise CancelledError("the run was stopped")

    def should_yield(self) -> bool:
        """Whether a pause has lasted so long that an unfinished chunk is to be given up."""
        paused_at = self._paused_at
        return paused_at is not None and time.monotonic() - paused_at > PAUSE_GRACE_S

    def out_of_time(self) -> bool:
        """Whether the time limit is reached; sets ``limit``."""
        if self._max_seconds and self.elapsed_s >= self._max_seconds:
            self.limit = self.limit or RunState.TIME_LIMIT_REACHED
        return self.limit is not None

    def reserve(self, rows: int) -> int:
        """How many of these rows may still be captured; sets ``limit`` when fewer than asked for."""
        if not self._max_rows:
            return rows
        with self._changed:
            allowed = min(rows, self._max_rows - self._rows)
            self._rows += allowed
            if allowed < rows:
                self.limit = self.limit or RunState.EVENT_LIMIT_REACHED
            return allowed

    def reject(self) -> bool:
        """Whether one more row may be put aside; if so it counts."""
        with self._changed:
            allowed = self._rejected < self._max_rejected
            self._rejected += allowed
            return allowed

    def set_rows(self, rows: int, rejected: int) -> None:
        """So many rows are captured, and put aside, already: what is durable when a round begins."""
        with self._changed:
            self._rows, self._rejected = rows, rejected

    def give_back(self, rows: int, rejected: int = 0) -> None:
        """Rows of an attempt that came to nothing do not count."""
        with self._changed:
            self._rows -= rows
            self._rejected -= rejected


@dataclass(slots=True)
class Limit:
    """Why a stream ends by itself: TIME_LIMIT_REACHED or EVENT_LIMIT_REACHED; None as long as it does not.

    Unlike `RunControl.limit` it never makes half a copy count for a whole one.

    Attributes:
        events_before: of the checkpoint's, those that do not count: another run applied them that had its own limit.
    """

    state: RunState | None = None
    events_before: int = 0


class Interrupts:
    """What `stop` must call so that whoever waits for a server wakes up. Used by any thread."""

    def __init__(self, control: RunControl) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []
        self._called = False
        self._opened = present()

    def add(self, call: Callable[[], None]) -> None:
        """Have `run` call this; at once if the run is stopped already, or they were called in this try."""
        with self._lock:
            self._calls.append(call)
            over = self._control.stopped or self._called
        if over:
            call()

    @contextmanager
    def trying(self) -> Iterator[None]:
        """A new try: what the last one left is gone; what this one opens is hung up if it does not end when it must."""
        with noting() as opened:
            with self._lock:
                self._calls.clear()
                self._called = False
                self._opened = opened
            if self._control.stopped:
                opened.end_soon()
            yield

    def check(self) -> None:
        """Raise `CancelledError` if they were called in this try: what a server refused since says nothing."""
        with self._lock:
            over = self._called or self._control.stopped
        if over:
            raise CancelledError("the work was broken off")

    def run(self) -> None:
        """Call all of them, and those that are still to come in this try. Does not wait: a server may not answer."""
        with self._lock:
            self._called = True
            calls, opened = list(self._calls), self._opened
        opened.end_soon()
        threading.Thread(target=_call_all, args=(calls,), name="interrupts", daemon=True).start()


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()
