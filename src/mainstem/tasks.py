"""Named threads that end together: the structured concurrency of the data plane.

The data plane is made of blocking loops that spend their time in sockets and compiled code, both without the GIL, so it
runs in threads; the API runs in asyncio and calls it through `asyncio.to_thread` (docs/adr/0001).
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from mainstem.errors import CancelledError

One = TypeVar("One")
Other = TypeVar("Other")


def together(one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """Do two things side by side, the first one in a thread of its own; wait for both.

    Of two errors that of the first is raised.
    """
    with ThreadPoolExecutor(1, "beside") as beside:
        begun = beside.submit(contextvars.copy_context().run, one)
        try:
            found = other()
        except Exception:
            begun.result()
            raise
        return begun.result(), found


class ThreadGroup:
    """Start threads, wait for all of them, raise the first error.

    When one fails, ``cancel`` is called once so that the others can end; `CancelledError`, from a thread or from the
    body of the ``with``, is no failure.

    Args:
        cancel: wakes and ends the other threads (closes queues, sets events).
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of that name, and in the caller's context: its spans belong to the caller's."""
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._run, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except CancelledError:
            return
        except BaseException as exc:
            with self._lock:
                first = self._error is None
                if first:
                    self._error = exc
            if first:
                self._cancel()

    def __enter__(self) -> ThreadGroup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            self._cancel()
        for thread in self._threads:
            thread.join()
        if self._error is not None and (value is None or isinstance(value, CancelledError)):
            raise self._error
