"""How long a thread was blocked, told apart from the time in which it worked itself."""

from __future__ import annotations

import time
from types import TracebackType


class Waiting:
    """A sum of seconds; ``with`` adds what the block took beyond the thread's own CPU time. Used by one thread.

    What is left when nobody waits for the CPU is the time of whoever was asked: a server, a full or empty hub.
    """

    __slots__ = ("_begun", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = time.perf_counter() - time.thread_time()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += max(time.perf_counter() - time.thread_time() - self._begun, 0.0)
