"""Waits that end early when something happens in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mainstem.control.events import Broadcaster, Told


class Wake:
    """`wait` ends early when an event comes that is wanted, and when the server is about to end: ``over`` is true then.

    Made, waited on and left in the event loop.
    """

    def __init__(self, broadcaster: Broadcaster, wanted: Callable[[Told], bool]) -> None:
        self._wanted = wanted
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.over = False
        self.leave = broadcaster.subscribe(self._hear)

    def _hear(self, told: Told | None) -> None:
        """Called from any thread."""
        self.over = self.over or told is None
        if (told is None or self._wanted(told)) and not self._event.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Until woken, so long at most."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
        self._event.clear()
