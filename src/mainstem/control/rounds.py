"""Something that is done again and again in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mainstem.log import logger

_log = logger(__name__)


class Rounds:
    """Calls ``work`` every so many seconds until closed. A failure is logged, and the next rounds try again."""

    def __init__(self, name: str, every_s: float, work: Callable[[], object]) -> None:
        self._name, self._every_s, self._work = name, every_s, work
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first round comes after ``every_s``."""
        self._thread.start()

    def close(self, wait_s: float = 5.0) -> None:
        """No more rounds; waits for one that is under way. Also for what was never started."""
        self._closing.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def _run(self) -> None:
        failures = 0
        while not self._closing.wait(self._every_s):
            try:
                self._work()
            except Exception as exc:
                if not failures:
                    _log.exception("a round failed; the next ones try again", round=self._name)
                failures += 1
                _log.debug("a round failed", round=self._name, error=type(exc).__name__)
            else:
                if failures:
                    _log.info("a round works again", round=self._name, failures=failures)
                failures = 0
