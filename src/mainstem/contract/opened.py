"""The connections that a piece of work has opened: hung up when it is told to end, and does not.

Who works waits for a server again and again. Asking that server to break off is not enough to end it: one that is
frozen, or behind a network that swallows everything, answers neither. TCP's own keep-alive does not notice, as long as
the kernel of the other side is well.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mainstem.errors import CancelledError

PATIENCE_S = 10.0


class Opened:
    """What was opened since. For any thread.

    Args:
        within: the work that this one is a part of, which ends with it.
    """

    def __init__(self, within: Opened | None = None) -> None:
        self._within = within
        self._lock = threading.Lock()
        self._connections: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
        self._over = threading.Event()
        self._ending = self._insists = False

    def end_soon(self) -> None:
        """The work was told to end: what is open in `PATIENCE_S` is hung up, and no more is opened. Does not wait."""
        with self._lock:
            begun, self._ending = self._ending, True
        if not begun:
            threading.Thread(target=self._insist, name="hang up", daemon=True).start()

    def close(self) -> None:
        """The work has ended."""
        self._over.set()

    @contextmanager
    def here(self) -> Iterator[None]:
        """Inside, and in threads of the same context, connections are noted here."""
        token = _present.set(self)
        try:
            yield
        finally:
            _present.reset(token)

    def check(self) -> None:
        """Raise `CancelledError` when no more may be opened."""
        if self._insists:
            raise CancelledError("the work was to end, and has not")
        if self._within is not None:
            self._within.check()

    def add(self, connection: Any, hang_up: Callable[[Any], None]) -> None:
        """One more; it is forgotten with its last user."""
        with self._lock:
            self._connections[connection] = hang_up
        if self._within is not None:
            self._within.add(connection, hang_up)

    def _insist(self) -> None:
        while not self._over.wait(PATIENCE_S):
            with self._lock:
                self._insists = True
                connections = list(self._connections.items())
            for connection, hang_up in connections:
                hang_up(connection)
            del connections


_NO_WORK = Opened()
_NO_WORK.close()
_present: ContextVar[Opened] = ContextVar("opened", default=_NO_WORK)


@contextmanager
def noting() -> Iterator[Opened]:
    """Work of its own, within the present one; it ends with the context."""
    opened = Opened(_present.get())
    try:
        with opened.here():
            yield opened
    finally:
        opened.close()


def present() -> Opened:
    """Where connections are noted now; outside of any work, what hangs up nothing."""
    return _present.get()


def check() -> None:
    """Before a connection is opened: raise `CancelledError` when the work was to end already."""
    present().check()


def note(connection: Any, hang_up: Callable[[Any], None]) -> None:
    """A connection was opened.

    Args:
        hang_up: has whoever waits for the server get an end of file; raises nothing, also if it is closed by then.
    """
    present().add(connection, hang_up)
