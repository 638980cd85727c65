"""Runs a stream inside this process: a thread works, the main thread shows progress and listens for Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from mainstem.cli.progress import ProgressDisplay
from mainstem.cli.terminal import Terminal
from mainstem.cli.view import RunView, view_of
from mainstem.control.rates import RateMeter
from mainstem.model.run import Progress

REFRESH_S = 0.1
SAMPLE_S = 0.5
SHARE, LONGEST_S = 20, 1.0  # showing takes a twentieth of the time: thousands of tables are shown less often


class LocalRun(Protocol):
    """What is needed of `Conversion` and `Replication`."""

    run_id: str

    def run(self) -> Progress:
        """Work to a terminal state."""
        ...

    def stop(self) -> None:
        """End."""
        ...

    def progress(self) -> Progress:
        """How far it is."""
        ...


def run_to_end(running: LocalRun, show: ProgressDisplay, terminal: Terminal) -> RunView:
    """Work until the run has ended. The first Ctrl-C (or SIGTERM) stops it cleanly, the second one gives up waiting.

    Raises:
        KeyboardInterrupt: the second Ctrl-C. What was durable by then stays so.
    """
    result: list[Progress | BaseException] = []
    ended = threading.Event()

    def work() -> None:
        try:
            result.append(running.run())
        except BaseException as exc:  # raised again in the main thread
            result.append(exc)
        finally:
            ended.set()

    with _signals() as interrupted, show:
        thread = threading.Thread(target=work, name="run", daemon=True)
        thread.start()
        stopping, pause_s, meter = False, REFRESH_S, _Meter()
        while not ended.wait(pause_s):
            begun = time.perf_counter()
            if interrupted.count > 1:
                raise KeyboardInterrupt
            if interrupted.count and not stopping:
                stopping = True
                threading.Thread(target=running.stop, name="stop", daemon=True).start()
                terminal.hint("stopping; Ctrl-C again ends at once")
            if not show.silent:
                show.update(_measured(running, running.progress(), meter))
            pause_s = min(max(REFRESH_S, SHARE * (time.perf_counter() - begun)), LONGEST_S)
        outcome = result[0]
        if isinstance(outcome, BaseException):
            raise outcome
        view = view_of(running.run_id, outcome)
        show.update(view)
    return view


class _Meter(RateMeter):
    """Takes a sample a second at most."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def add(self, at_s: float, progress: Progress) -> None:
        """Take a sample, if it is time."""
        if at_s >= self._next:
            self._next = at_s + SAMPLE_S
            super().add(at_s, progress)


def _measured(running: LocalRun, progress: Progress, meter: _Meter) -> RunView:
    """A view; of a replication with its rates."""
    if progress.changes is None:
        return view_of(running.run_id, progress)
    now = time.monotonic()
    meter.add(now, progress)
    return view_of(running.run_id, progress, meter.rates(now, progress)[1])


class _Interrupts:
    """How often we were asked to stop."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1


@contextmanager
def _signals() -> Iterator[_Interrupts]:
    """Count SIGINT, SIGTERM and SIGHUP instead of dying of them."""
    interrupts = _Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts  # only the main thread may set handlers
        return
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupts) for number in wanted}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
