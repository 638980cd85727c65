"""What users ran, kept for them: bounded, without secrets, and only while it is wanted."""

from __future__ import annotations

import re

from mainstem.contract.store import ConnectionRecord, QueryRecord, StateStore
from mainstem.log import redact_text

KEEP = 2000
MOST_CHARACTERS = 20_000
_SWITCH = "query_history"
_SECRET = re.compile(r"passw|\bpwd\b|identified|secret|token|credential|api_?key|private_?key", re.IGNORECASE)
_QUOTE = re.compile(r"['\"$]")
_HIDDEN = "'****'"


class QueryHistory:
    """The history of a store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    @property
    def on(self) -> bool:
        """Whether anything is kept."""
        return self._store.setting(_SWITCH) != "off"

    def switch(self, *, on: bool) -> None:
        """Keep what is run from now on, or nothing; what is there stays until it is forgotten."""
        self._store.set_setting(_SWITCH, "on" if on else "off")

    def add(
        self,
        record: ConnectionRecord,
        database: str,
        query: str,
        at_us: int,
        summary: tuple[str, str, float, int],
    ) -> None:
        """Keep a run: status, error, milliseconds, rows."""
        if not self.on:
            return
        status, error, duration_ms, rows = summary
        kept = without_secrets(query[: MOST_CHARACTERS * 2])[:MOST_CHARACTERS]
        self._store.add_query(
            QueryRecord(
                at_us, record.id, record.name, database, kept, status, without_secrets(error), round(duration_ms), rows
            ),
            keep=KEEP,
        )

    def list(
        self, *, search: str = "", connection_id: str = "", limit: int = 100, before: int | None = None
    ) -> list[QueryRecord]:
        """What was run, newest first."""
        return self._store.queries(search=search, connection_id=connection_id, limit=limit, before=before)

    def clear(self) -> int:
        """Forget everything; returns how much there was."""
        return self._store.clear_queries()


def without_secrets(query: str) -> str:
    """A query in which nothing quoted is left from the first word on that announces a secret.

    All from the first quote to the last goes: ``PASSWORD 'x' VALID UNTIL '2030-01-01'`` loses more than the password,
    and whatever the dialect's rules for quotes, nothing of it slips by.
    """
    found = _SECRET.search(query)
    if found is None:
        return redact_text(query)
    before = [quote.start() for quote in _QUOTE.finditer(query, 0, found.start())]
    start = before[-1] if len(before) % 2 else found.start()  # the word itself may stand within quotes
    quotes = [quote.start() for quote in _QUOTE.finditer(query, start)]
    if not quotes:
        return redact_text(query)
    end = len(query) if len(quotes) % 2 else quotes[-1] + 1  # a quote that is not closed hides all that follows
    return redact_text(query[: quotes[0]] + _HIDDEN + query[end:])
