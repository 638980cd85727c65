"""Browser sessions: a sealed cookie that says who signed in, and one-time tickets that stand for a key."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass

from mainstem.contract.store import StateStore, Voucher
from mainstem.control.keys import ApiKeys
from mainstem.control.secrets import SecretBox
from mainstem.errors import InvalidError, UnauthorizedError

SESSION_S = 24 * 3600
TICKET_S = 15 * 60
_OWNER, _FIELD = "session", "cookie"
_MAX_COOKIE = 2048
_TICKET = "ticket"
_MAX_TICKETS = 64  # so that whoever asks for tickets in a loop fills nothing
_FRESH_S = 1.0
_ENDED = float("-inf")
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """Who signed in.

    Attributes:
        key_digest: SHA-256 of the API key; empty for the ticket that the server itself printed.
        expires_s: seconds since 1970.
    """

    id: str
    csrf: str
    key_digest: str
    key_hint: str
    expires_s: int


class Sessions:
    """Sessions of one store. They outlive the server, because the cookie holds them, sealed; an end is kept."""

    def __init__(self, store: StateStore, box: SecretBox, keys: ApiKeys) -> None:
        self._store, self._box, self._keys = store, box, keys
        self._lock = threading.Lock()
        self._asked_s: dict[str, float] = {}

    def begin(self, api_key: str) -> tuple[Session, str]:
        """A session for a key, and the cookie's value; `UnauthorizedError` for a key that is not in use."""
        if not self._keys.accepts(api_key):
            raise UnauthorizedError("the API key is wrong", remedy="mainstem key create makes one")
        return self._make(self._keys.digest(api_key), _hint(api_key))

    def redeem(self, ticket: str) -> tuple[Session, str]:
        """The same for a ticket, which is used up by it, on all servers of the store."""
        found = self._store.take_voucher(_TICKET, self._keys.digest(ticket))
        key_digest, hint = ("", "") if found is None else json.loads(found.value)
        if found is None or not self._in_use(key_digest):
            raise UnauthorizedError(
                "this sign-in link has been used, or is too old",
                remedy="sign in with an API key; or start the server anew, which prints another link",
            )
        return self._make(key_digest, hint)

    def ticket(self, api_key: str = "", key_digest: str = "") -> str:
        """A one-time ticket for a key's owner, good for `TICKET_S`; without a key for whoever started the server.

        The store has its digest alone: who reads that cannot sign in.
        """
        ticket = secrets.token_urlsafe(24)
        digest = self._keys.digest(api_key) if api_key else key_digest
        value = json.dumps([digest, _hint(api_key) if api_key else "sign-in link"])
        voucher = Voucher(_TICKET, self._keys.digest(ticket), value)
        self._store.add_voucher(voucher, lasts_s=TICKET_S, most=_MAX_TICKETS)
        return ticket

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None when it is none of ours, has expired or ended, or its key was revoked."""
        if not cookie or len(cookie) > _MAX_COOKIE:
            return None
        try:
            session = Session(**json.loads(self._box.open(cookie, _OWNER, _FIELD)))
        except (InvalidError, ValueError, TypeError):
            return None
        good = session.expires_s > time.time() and self._in_use(session.key_digest) and not self._has_ended(session.id)
        return session if good else None

    def renewed(self, session: Session) -> tuple[Session, str] | None:
        """The same session for another while, once half of its time is over; else None."""
        if session.expires_s - time.time() > SESSION_S / 2:
            return None
        later = Session(session.id, session.csrf, session.key_digest, session.key_hint, _expiry())
        return later, self._seal(later)

    def end(self, session: Session) -> None:
        """Make its cookie useless, for good."""
        self._store.setdefault(_ended_name(session.id), str(session.expires_s))
        with self._lock:
            self._asked_s[session.id] = _ENDED

    def _make(self, key_digest: str, hint: str) -> tuple[Session, str]:
        session = Session(secrets.token_hex(12), secrets.token_urlsafe(24), key_digest, hint, _expiry())
        return session, self._seal(session)

    def _seal(self, session: Session) -> str:
        members = {name: getattr(session, name) for name in Session.__slots__}
        return self._box.seal(json.dumps(members).encode(), _OWNER, _FIELD)

    def _in_use(self, key_digest: str) -> bool:
        return not key_digest or self._keys.knows(key_digest)

    def _has_ended(self, session_id: str) -> bool:
        """From memory, if the store was asked within `_FRESH_S`, or an end was seen: another server may end it, too."""
        now = time.monotonic()
        with self._lock:
            asked_s = self._asked_s.get(session_id, -_FRESH_S)
        if now - asked_s < _FRESH_S:
            return False
        ended = asked_s == _ENDED or self._store.setting(_ended_name(session_id)) is not None
        with self._lock:
            if len(self._asked_s) >= _MOST_KNOWN:
                self._asked_s.clear()
            self._asked_s[session_id] = _ENDED if ended else now
        return ended


def _ended_name(session_id: str) -> str:
    return f"session_ended_{session_id}"


def _hint(api_key: str) -> str:
    """The end of a key that is long enough to show it."""
    return f"****{api_key[-4:]}" if len(api_key) >= 16 else "****"


def _expiry() -> int:
    return int(time.time()) + SESSION_S
