"""Takes what runs and the control plane say: at once to who listens and to the server's log, soon to the store."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

from mainstem.contract.store import StateStore
from mainstem.control.clock import now_us
from mainstem.control.events import Broadcaster
from mainstem.log import logger
from mainstem.model.event import Category, Event, Level

KEPT_LINES = 10_000
KEPT_TROUBLES = 1000
_PENDING_LINES = 20_000
_log = logger(__name__)
_LOG_METHOD = {Level.DEBUG: "debug", Level.INFO: "info", Level.WARN: "warning", Level.ERROR: "error"}


class LogBook:
    """The streams' logs. May be used from any thread; nothing but `flush` waits for the store."""

    def __init__(self, store: StateStore, broadcaster: Broadcaster) -> None:
        self._store, self._broadcaster = store, broadcaster
        self._pending: deque[tuple[str, Event]] = deque()
        self._left_out = 0
        self._flushing = threading.Lock()

    def take(self, stream_id: str, event: Event) -> None:
        """Tell an event of a stream."""
        event = replace(event, message=event.message.replace("\0", "\N{REPLACEMENT CHARACTER}"))
        if event.category is not Category.STAT or not event.data.get("table"):  # a table's counters are told live alone
            if len(self._pending) < _PENDING_LINES:
                self._pending.append((stream_id, event))
            else:
                self._left_out += 1
        self._broadcaster.publish(stream_id, event)
        method = "debug" if event.category is Category.STAT else _LOG_METHOD[event.level]
        getattr(_log, method)(event.message, stream=stream_id, part=event.part)

    def flush(self) -> None:
        """Write down the lines that wait, so that a reader of the log sees them; what cannot be written waits on."""
        with self._flushing:
            lines, lost = list(self._pending.copy()), self._left_out
            waiting = len(lines)
            if lost and lines:
                told = f"{lost:,} lines of all streams came faster than they could be written down, and were left out"
                lines.append((lines[-1][0], Event(Level.WARN, Category.GENERAL, told, now_us())))
            self._store.append_logs(lines, keep=KEPT_LINES, keep_troubles=KEPT_TROUBLES)
            self._left_out -= lost
            for _ in range(waiting):
                self._pending.popleft()
