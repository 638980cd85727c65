"""Hands each event to whoever listens right now (the live log), and remembers the last few for those who reconnect."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mainstem.model.event import Event

REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way to listeners; numbers grow by one from 1 for as long as the process lives."""

    number: int
    stream_id: str
    event: Event


Listener = Callable[[Told | None], None]
"""Gets every event, and None once no more will come. Called from any thread; must not block."""


class Broadcaster:
    """All events of this process, to any number of listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._recent: deque[Told] = deque(maxlen=REMEMBERED)
        self._listeners: dict[int, Listener] = {}
        self._closed = False

    def publish(self, stream_id: str, event: Event) -> None:
        """Tell everyone."""
        with self._lock:
            told = Told(next(self._numbers), stream_id, event)
            self._recent.append(told)
            for listener in self._listeners.values():
                listener(told)

    def subscribe(self, listener: Listener, after: int | None = None) -> Callable[[], None]:
        """Listen from now on; with ``after``, first hear again what came after that number. Returns how to leave."""
        with self._lock:
            for told in self._recent:
                if after is not None and told.number > after:
                    listener(told)
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
