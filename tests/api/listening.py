"""Who listens to Server-Sent Events, in a thread of its own.

Source: WHATWG HTML, "Server-sent events", "Interpreting an event stream".
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

import httpx

from tests.api.drive import wait_for


class Listener:
    """Hears events until it is left or the server ends them.

    Args:
        key, last: sent as ``X-API-Key`` and ``Last-Event-ID`` unless empty.

    Attributes:
        events: as (name, data, id); what an event does not have is empty.
        closed: set when nothing more is heard.
    """

    def __init__(self, url: httpx.URL | str, key: str = "", last: str = "") -> None:
        self.events: list[tuple[str, dict[str, Any], str]] = []
        self.closed = threading.Event()
        self._leave = threading.Event()
        self._url = url
        self._headers = {name: value for name, value in (("X-API-Key", key), ("Last-Event-ID", last)) if value}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(httpx.HTTPError), httpx.stream("GET", self._url, headers=self._headers, timeout=60) as answer:
            fields: dict[str, str] = {}
            for text in answer.iter_lines():
                name, _, value = text.partition(":")
                if text:
                    fields[name] = value.strip()
                elif "data" in fields:
                    self.events.append((fields.get("event", ""), json.loads(fields["data"]), fields.get("id", "")))
                    fields = {}
                if self._leave.is_set():
                    break
        self.closed.set()

    def leave(self) -> None:
        """Hear nothing after the next line."""
        self._leave.set()


class LiveLog(Listener):
    """Who listens to ``/logs/stream``; it is being heard once this is made."""

    def __init__(self, api_url: httpx.URL | str, key: str = "", last: str = "") -> None:
        super().__init__(f"{str(api_url).rstrip('/')}/logs/stream", key, last)
        wait_for(lambda: bool(self.events), "the live log said nothing")

    @property
    def lines(self) -> list[tuple[int, str]]:
        """Lines of the log, by number."""
        return [(int(number), data["message"]) for name, data, number in list(self.events) if name == "log"]
