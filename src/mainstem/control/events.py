"""Wakes those who follow logs and streams in the store: what this process writes there need not be waited for.

What other processes write is found by looking again and again; nobody is told of it here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from mainstem.model.event import Event


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a stream that runs in this process; it is in the store soon."""

    stream_id: str
    event: Event


Listener = Callable[[Told | None], None]
"""Gets every event, and None once no more will come. Called from any thread; must not block."""


class Broadcaster:
    """All events of this process, to any number of listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, Listener] = {}
        self._closed = False

    def publish(self, stream_id: str, event: Event) -> None:
        """Tell everyone."""
        told = Told(stream_id, event)
        with self._lock:
            for listener in self._listeners.values():
                listener(told)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Listen from now on. Returns how to leave."""
        with self._lock:
            if self._closed:
                listener(None)
            self._listeners[id(listener)] = listener
        return lambda: self._leave(listener)

    def close(self) -> None:
        """Tell everyone that no more will come."""
        with self._lock:
            self._closed = True
            for listener in self._listeners.values():
                listener(None)

    def _leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.pop(id(listener), None)
