"""The timelines of the streams that run here, written down now and then, and those of streams that do not.

Once in `SAVE_EVERY_S` all of a timeline is saved; what came later goes with the stream's progress, each second, so that
any server has all of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from mainstem.contract.store import StateStore, StreamRecord
from mainstem.control.progress import stored_points
from mainstem.control.timeline import Timeline
from mainstem.model.run import Progress

SAVE_EVERY_S = 60.0


class Timelines:
    """May be used from any thread."""

    def __init__(self, store: StateStore, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._live: dict[str, Timeline] = {}
        self._saved_s = time.monotonic()

    def begin(self, record: StreamRecord, progress: Progress) -> None:
        """A stream runs here from now on; what another process knew of it is taken over."""
        timeline = Timeline.from_json(self._store.timeline(record.id), stored_points(record.progress))
        timeline.add(self._clock(), progress)
        with self._lock:
            self._live[record.id] = timeline

    def sample(self, stream_id: str, progress: Progress) -> None:
        """Take how a stream that runs here stands now."""
        with self._lock:
            if stream_id in self._live:
                self._live[stream_id].add(self._clock(), progress)

    def recent(self, stream_id: str) -> list[list[Any]]:
        """The points of a stream that runs here which are not saved with all the others yet."""
        with self._lock:
            return self._live[stream_id].recent() if stream_id in self._live else []

    def columns(self, record: StreamRecord, window: str, after_s: float = 0.0) -> dict[str, object]:
        """The points of a window; see `Timeline.columns`."""
        with self._lock:
            timeline = self._live.get(record.id)
            if timeline is not None:
                return timeline.columns(window, after_s)
        points = stored_points(record.progress)
        # The record was read before: what it lacks because it was saved with all the others meanwhile is found there.
        saved = {} if points and points[0][0] <= after_s else self._store.timeline(record.id)
        return Timeline.from_json(saved, points).columns(window, after_s)

    def save_due(self) -> None:
        """Write down all that are live, once in `SAVE_EVERY_S`."""
        if time.monotonic() - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = time.monotonic()
            with self._lock:
                live = {name: (timeline.to_json(), len(timeline.recent())) for name, timeline in self._live.items()}
            for stream_id, (data, count) in live.items():
                self._store.save_timeline(stream_id, data)
                with self._lock:
                    if stream_id in self._live:
                        self._live[stream_id].settled(count)

    def end(self, stream_id: str) -> None:
        """A stream runs no more: write its timeline down and forget it here."""
        with self._lock:
            timeline = self._live.pop(stream_id, None)
        if timeline is not None:
            self._store.save_timeline(stream_id, timeline.to_json())

    def forget(self, stream_id: str) -> None:
        """A stream is another process's by now, and its timeline, too."""
        with self._lock:
            self._live.pop(stream_id, None)
