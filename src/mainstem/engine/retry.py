"""Whether and how long to wait before trying again: doubling delays until a total is used up. Pure: it never sleeps."""

from __future__ import annotations

from mainstem.errors import ConnectError, ConnectReason, MainstemError, Retry

_WORTH_WAITING = (ConnectReason.REFUSED, ConnectReason.TIMEOUT, ConnectReason.HOST_NOT_FOUND, ConnectReason.OTHER)


def worth_waiting(error: MainstemError) -> bool:
    """Whether the same work may succeed later."""
    if isinstance(error, ConnectError):
        return error.reason in _WORTH_WAITING
    return error.retry is Retry.BACKOFF


class Backoff:
    """Delays in seconds: ``first``, twice that, … at most ``longest`` each, at most ``total_s`` in all."""

    def __init__(self, total_s: float, *, first: float = 0.25, longest: float = 10.0) -> None:
        self._total_s, self._first, self._longest = total_s, first, longest
        self._most, self._told = 0, ""
        self.reset()

    def reset(self) -> None:
        """Begin anew: there was progress."""
        self._left, self._next = self._total_s, self._first

    def advanced(self, done: int) -> None:
        """Begin anew if more is done than ever before; ``done`` counts pieces of work."""
        if done > self._most:
            self._most = done
            self.reset()

    def delay(self) -> float | None:
        """The next delay, or None when the total is used up."""
        if self._left <= 0:
            return None
        delay = min(self._next, self._longest, self._left)
        self._left -= delay
        self._next *= 2
        return delay

    def patience(self) -> float:
        """The next delay while somebody has something locked, which ends by itself: nothing of the total is used."""
        delay = min(self._next, self._longest)
        self._next *= 2
        return delay

    def is_news(self, told: str) -> bool:
        """Whether that is another thing than the last that was asked about."""
        last, self._told = self._told, told
        return told != last
