"""Sends alerts of streams to webhooks, from threads of its own: a run never waits for one."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from mainstem.model.event import Event

TIMEOUT_S = 10.0
DELAYS_S = (1.0, 5.0, 25.0)
MAX_WAITING = 200
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Letter:
    """An alert on its way. ``name`` is the stream's config's."""

    stream_id: str
    name: str
    url: str
    event: Event

    @property
    def host(self) -> str:
        """Where it goes, for the log: what stands behind the host may be a secret of the webhook."""
        return urlsplit(self.url).hostname or ""

    @property
    def body(self) -> dict[str, Any]:
        """What is posted; ``text`` is what chat systems show. Never a row's value or a secret."""
        event = self.event
        return {
            "text": f"Mainstem stream {self.name} ({self.stream_id}): {event.message}",
            "stream": self.stream_id,
            "name": self.name,
            "message": event.message,
            "level": event.level.value,
            "timestamp": datetime.fromtimestamp(event.at_us / 1e6, UTC).isoformat(),
            **{member: event.data.get(member) for member in ("alert", "subject", "remedy", "over")},
        }


class AlertSender:
    """A queue and a thread for each host that alerts go to: one that takes its time keeps no other's waiting.

    Args:
        say: takes a stream's id and what to write into its log.
        delays_s: how long to wait before each further try.
    """

    def __init__(self, say: Callable[[str, str], None], delays_s: Sequence[float] = DELAYS_S) -> None:
        self._say, self._delays_s = say, delays_s
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}

    def send(self, letter: Letter) -> None:
        """Take an alert and return at once."""
        with self._lock:
            queue = self._queues.setdefault(urlsplit(letter.url).netloc, _Queue(self._say, self._delays_s))
        queue.send(letter)

    def close(self, deadline_s: float = 5.0) -> None:
        """Send what waits, once more at most, and end."""
        with self._lock:
            queues = list(self._queues.values())
        for queue in queues:
            queue.end()
        deadline = time.monotonic() + deadline_s
        for queue in queues:
            queue.join(max(deadline - time.monotonic(), 0.0))


class _Queue:
    """What goes to one host; what a full queue has no room for is given up and told."""

    def __init__(self, say: Callable[[str, str], None], delays_s: Sequence[float]) -> None:
        self._say = say
        self._delays_s = delays_s
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, int, Letter]] = []  # when, order, tries so far
        self._order = itertools.count()
        self._closing = False
        self._thread: threading.Thread | None = None

    def send(self, letter: Letter) -> None:
        """Take an alert and return at once."""
        with self._changed:
            full = len(self._waiting) >= MAX_WAITING
            if not full and not self._closing:
                self._put(time.monotonic(), 0, letter)
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
                self._thread.start()
        if full:
            self._say(letter.stream_id, f"an alert was not sent to {letter.host}: too many are waiting")

    def end(self) -> None:
        """Try what waits once more at most, and no more then."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the end, so long at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _put(self, when: float, tries: int, letter: Letter) -> None:
        heapq.heappush(self._waiting, (when, next(self._order), tries, letter))
        self._changed.notify_all()

    def _next(self) -> tuple[int, Letter] | None:
        """The next that is due; None at the end."""
        with self._changed:
            while True:
                if not self._waiting:
                    if self._closing:
                        return None
                    self._changed.wait()
                    continue
                left_s = self._waiting[0][0] - time.monotonic()
                if left_s <= 0 or self._closing:
                    _, _, tries, letter = heapq.heappop(self._waiting)
                    return tries, letter
                self._changed.wait(left_s)

    def _work(self) -> None:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as http:
            while (found := self._next()) is not None:
                tries, letter = found
                problem, worth_it = _post(http, letter)
                if not problem:
                    continue
                with self._changed:
                    again = worth_it and tries < len(self._delays_s) and not self._closing
                    if again:
                        self._put(time.monotonic() + self._delays_s[tries], tries + 1, letter)
                if not again:
                    self._say(letter.stream_id, f"an alert could not be sent to {letter.host}: {problem}")


def _post(http: httpx.Client, letter: Letter) -> tuple[str, bool]:
    """What went wrong, or nothing; and whether another try may help."""
    try:
        with http.stream("POST", letter.url, json=letter.body) as answer:  # whose body may have no end
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return type(exc).__name__, not isinstance(exc, httpx.InvalidURL)
    if 200 <= status < 300:
        return "", False
    return f"it answered {status}", status >= 500 or status in _WORTH_ANOTHER_TRY
