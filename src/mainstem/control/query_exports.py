"""Results as files: asked for with all that a query needs, fetched once by a plain address, as a browser downloads."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mainstem.control.console import Asked, Consoles
from mainstem.control.exports import FORMATS
from mainstem.errors import NotFoundError

FRESH_S = 60.0
_MOST = 100


@dataclass(frozen=True, slots=True)
class QueryExport:
    """A file that was asked for."""

    connection_id: str
    asked: Asked
    format: str
    name: str
    until: float


class QueryExports:
    """Files that were asked for and not fetched yet."""

    def __init__(self, consoles: Consoles) -> None:
        self._consoles = consoles
        self._waiting: dict[str, QueryExport] = {}
        self._lock = threading.Lock()

    def ask(self, connection_id: str, asked: Asked, file_format: str, name: str) -> str:
        """An id that can be fetched once within `FRESH_S`; `InvalidError` for what is not one reading statement."""
        self._consoles.check_reading(connection_id, asked)
        export_id = secrets.token_urlsafe(24)
        now = time.monotonic()
        with self._lock:
            fresh = [(one, export) for one, export in self._waiting.items() if export.until > now]
            self._waiting = dict(fresh[-_MOST:])
            self._waiting[export_id] = QueryExport(connection_id, asked, file_format, name, now + FRESH_S)
        return export_id

    def take(self, export_id: str) -> QueryExport:
        """What was asked for under an id, which is then used up; `NotFoundError`."""
        with self._lock:
            export = self._waiting.pop(export_id, None)
        if export is None or export.until <= time.monotonic():
            raise NotFoundError("there is no such export, or it was fetched already", remedy="export once more")
        return export

    def pieces(self, export: QueryExport) -> Iterator[bytes]:
        """The file; the first piece comes when the server has answered, so that a refusal is an error in time."""
        with self._consoles.reading(export.connection_id, export.asked) as result:
            yield from FORMATS[export.format].write(result.names, result.kinds, result)
