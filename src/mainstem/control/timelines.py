"""The timelines of the streams that run, written down now and then, and those of streams that do not."""

from __future__ import annotations

import threading
import time

from mainstem.contract.store import StateStore
from mainstem.control.timeline import Timeline
from mainstem.model.run import Progress

SAVE_EVERY_S = 60.0


class Timelines:
    """May be used from any thread."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._live: dict[str, Timeline] = {}
        self._saved_s = time.monotonic()

    def sample(self, stream_id: str, progress: Progress) -> None:
        """Take how a stream stands now."""
        with self._lock:
            if stream_id not in self._live:
                self._live[stream_id] = Timeline.from_json(self._store.timeline(stream_id))
            self._live[stream_id].add(time.time(), progress)

    def columns(self, stream_id: str, window: str, after_s: float = 0.0) -> dict[str, object]:
        """The points of a window; see `Timeline.columns`."""
        with self._lock:
            timeline = self._live.get(stream_id)
            if timeline is not None:
                return timeline.columns(window, after_s)
        return Timeline.from_json(self._store.timeline(stream_id)).columns(window, after_s)

    def save_due(self) -> None:
        """Write down all that are live, once in `SAVE_EVERY_S`."""
        if time.monotonic() - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = time.monotonic()
            with self._lock:
                live = {stream_id: timeline.to_json() for stream_id, timeline in self._live.items()}
            for stream_id, data in live.items():
                self._store.save_timeline(stream_id, data)

    def end(self, stream_id: str) -> None:
        """A stream runs no more: write its timeline down and forget it here."""
        with self._lock:
            timeline = self._live.pop(stream_id, None)
        if timeline is not None:
            self._store.save_timeline(stream_id, timeline.to_json())
