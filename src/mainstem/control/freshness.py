"""What may be shown again of a system's structure though it was read earlier: on no server once it was changed here."""

from __future__ import annotations

import hashlib
import secrets

from mainstem.contract.store import StateStore, Voucher
from mainstem.model.connection import ConnectionSettings

CACHED_S = 60.0
"""How old what is shown again may be."""
_KIND = "changed"
_MOST = 1000


class Freshness:
    """Marks of a store, by system (a host and port): all that was read before a mark, on whichever server, is too old.

    Only our own changes and requests for a fresh look leave marks; what others change is seen after `CACHED_S`.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def mark(self, settings: ConnectionSettings) -> str:
        """The newest mark of a system, to be kept with what is read from now on; what has another one is too old.

        Empty is no mark, and nothing that is younger than `CACHED_S` is older than that.
        """
        found = self._store.voucher(_KIND, _system(settings))
        return "" if found is None else found.value

    def changed(self, settings: ConnectionSettings) -> str:
        """What was read so far, of this system, is too old; returns the new mark."""
        voucher = Voucher(_KIND, _system(settings), secrets.token_hex(8))
        self._store.add_voucher(voucher, lasts_s=CACHED_S + 10, most=_MOST)
        return voucher.value


def _system(settings: ConnectionSettings) -> str:
    return hashlib.sha256(f"{settings.type}/{settings.host}/{settings.port}".encode()).hexdigest()[:32]
