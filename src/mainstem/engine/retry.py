"""How long to wait before trying again: doubling delays until a total is used up. Pure: it never sleeps itself."""

from __future__ import annotations


class Backoff:
    """Delays in seconds: ``first``, twice that, … at most ``longest`` each, at most ``total_s`` in all."""

    def __init__(self, total_s: float, *, first: float = 0.25, longest: float = 10.0) -> None:
        self._total_s, self._first, self._longest = total_s, first, longest
        self.reset()

    def reset(self) -> None:
        """Begin anew: there was progress."""
        self._left, self._next = self._total_s, self._first

    def delay(self) -> float | None:
        """The next delay, or None when the total is used up."""
        if self._left <= 0:
            return None
        delay = min(self._next, self._longest, self._left)
        self._left -= delay
        self._next *= 2
        return delay
