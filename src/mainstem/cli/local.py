"""Runs a conversion inside this process: a thread works, the main thread shows progress and listens for Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mainstem.cli.progress import ProgressDisplay
from mainstem.cli.terminal import Terminal
from mainstem.cli.view import RunView, view_of
from mainstem.engine.conversion import Conversion
from mainstem.model.run import Progress

REFRESH_S = 0.1
SHARE, LONGEST_S = 20, 1.0  # showing takes a twentieth of the time: thousands of tables are shown less often


def run_to_end(conversion: Conversion, show: ProgressDisplay, terminal: Terminal) -> RunView:
    """Work until the run has ended. The first Ctrl-C (or SIGTERM) stops it cleanly, the second one gives up waiting.

    Raises:
        KeyboardInterrupt: the second Ctrl-C. What was durable by then stays so.
    """
    result: list[Progress | BaseException] = []
    ended = threading.Event()

    def work() -> None:
        try:
            result.append(conversion.run())
        except BaseException as exc:  # raised again in the main thread
            result.append(exc)
        finally:
            ended.set()

    with _signals() as interrupted, show:
        thread = threading.Thread(target=work, name="conversion", daemon=True)
        thread.start()
        stopping, pause_s = False, REFRESH_S
        while not ended.wait(pause_s):
            begun = time.perf_counter()
            if interrupted.count > 1:
                raise KeyboardInterrupt
            if interrupted.count and not stopping:
                stopping = True
                threading.Thread(target=conversion.stop, name="stop", daemon=True).start()
                terminal.hint("stopping; Ctrl-C again ends at once")
            if not show.silent:
                show.update(view_of(conversion.run_id, conversion.progress()))
            pause_s = min(max(REFRESH_S, SHARE * (time.perf_counter() - begun)), LONGEST_S)
        outcome = result[0]
        if isinstance(outcome, BaseException):
            raise outcome
        view = view_of(conversion.run_id, outcome)
        show.update(view)
    return view


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
