"""API keys: made, checked, revoked. Only a digest is kept; the key itself is shown once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time

from mainstem.contract.store import ApiKeyRecord, StateStore
from mainstem.control.clock import now_us
from mainstem.control.validation import invalid
from mainstem.errors import NotFoundError
from mainstem.model.ids import KEY, new_id

_PREFIX = "ms_"
_FRESH_S = 0.5  # a key that another process revoked stops working after this long


class ApiKeys:
    """The keys of a store, and one more that may come from the environment.

    A key holds 256 random bits, so that a plain SHA-256 of it cannot be turned back; comparing takes the same time
    whichever key is wrong.
    """

    def __init__(self, store: StateStore, from_environment: str | None = None) -> None:
        self._store = store
        self._extra = [_digest(from_environment)] if from_environment else []
        self._lock = threading.Lock()
        self._known: list[str] = []
        self._read_at = -_FRESH_S

    def make_first(self) -> str | None:
        """Make a key if there was never one and none comes from the environment; returns it, or None."""
        if self._extra or self._store.api_keys():
            return None
        return self.create("first")[1]

    def create(self, name: str) -> tuple[ApiKeyRecord, str]:
        """A new key: its record, and its text, which cannot be had again."""
        if not name.strip() or len(name) > 255:
            raise invalid({"name": "must have 1 to 255 characters"})
        text = _PREFIX + secrets.token_urlsafe(32)
        record = ApiKeyRecord(new_id(KEY), now_us(), name.strip(), _digest(text), text[-4:])
        self._store.add_key(record)
        self._forget()
        return record, text

    def all(self) -> list[ApiKeyRecord]:
        """All keys, revoked ones too, oldest first."""
        return self._store.api_keys()

    def revoke(self, key_id: str) -> None:
        """Make a key useless; `NotFoundError` if there is none, or it is revoked already."""
        if not self._store.revoke_key(key_id, now_us()):
            raise NotFoundError(f"there is no API key {key_id} in use", remedy="mainstem key list shows them")
        self._forget()

    def accepts(self, text: str) -> bool:
        """Whether this is a key in use."""
        return self.knows(_digest(text))

    @staticmethod
    def digest(text: str) -> str:
        """What is kept of a key."""
        return _digest(text)

    def knows(self, digest: str) -> bool:
        """Whether this is the `digest` of a key in use."""
        return self._is_among(digest, _FRESH_S) or self._is_among(digest, 0.0)  # it may have been made just now

    def _is_among(self, digest: str, fresh_s: float) -> bool:
        matches = [hmac.compare_digest(digest, known) for known in self._digests(fresh_s)]
        return any(matches)

    def _digests(self, fresh_s: float) -> list[str]:
        with self._lock:
            if time.monotonic() - self._read_at >= fresh_s:
                self._known = [key.digest for key in self._store.api_keys() if not key.revoked_us]
                self._read_at = time.monotonic()
            return self._known + self._extra

    def _forget(self) -> None:
        with self._lock:
            self._read_at = -_FRESH_S


def told(record: ApiKeyRecord) -> dict[str, object]:
    """What may be said of a key, as JSON: times in seconds since 1970."""
    return {
        "id": record.id,
        "name": record.name,
        "lastFour": record.last_four,
        "created": record.created_us // 1_000_000,
        "revoked": record.revoked_us // 1_000_000 or None,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
