"""Breaks off what runs on another server of the store: a wish is left there, and taken by whoever runs it."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable

from mainstem.contract.store import StateStore, Voucher
from mainstem.log import logger

LOOK_EVERY_S = 0.25
WAIT_S = 2.0
_KIND = "cancel"
_MOST = 1000
_log = logger(__name__)


class Cancels:
    """Wishes of other servers, and of this one to them.

    Args:
        stop: breaks off what runs here under a connection's id and a query's; False when nothing does.
    """

    def __init__(self, store: StateStore, stop: Callable[[str, str], bool]) -> None:
        self._store, self._stop = store, stop
        self._lock = threading.Lock()
        self._running = 0
        self._looker: threading.Thread | None = None

    def ask(self, connection_id: str, query_id: str) -> bool:
        """Have another server break it off; waits until one does, and is False when none runs it."""
        if not self._store.is_shared:
            return False
        wish = Voucher(_KIND, secrets.token_hex(16), json.dumps([connection_id, query_id]))
        self._store.add_voucher(wish, lasts_s=60, most=_MOST)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S / 2)
            if self._store.voucher(_KIND, wish.id) is None:
                return True
        return self._store.take_voucher(_KIND, wish.id) is None

    def began(self) -> None:
        """Something runs here from now on, that others may wish to break off."""
        with self._lock:
            self._running += 1
            if self._looker is None and self._store.is_shared:
                self._looker = threading.Thread(target=self._look, name="query-cancels", daemon=True)
                self._looker.start()

    def ended(self) -> None:
        """It runs no more."""
        with self._lock:
            self._running -= 1

    def _over(self) -> bool:
        with self._lock:
            if not self._running:
                self._looker = None
            return not self._running

    def _look(self) -> None:
        while not self._over():
            try:
                for wish in self._store.vouchers(_KIND):
                    connection_id, query_id = json.loads(wish.value)
                    if self._stop(connection_id, query_id):
                        self._store.take_voucher(_KIND, wish.id)
            except Exception:
                _log.exception("wishes to break off queries could not be read; the next look tries again")
            time.sleep(LOOK_EVERY_S)
