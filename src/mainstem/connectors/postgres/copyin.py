"""COPY FROM STDIN, opened, written and finished in different calls."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg

from mainstem.errors import RowError
from mainstem.native.copybinary import HEADER, TRAILER

_PIECE = 4 * 1024 * 1024


class CopyIn:
    """One COPY. Raises the driver's errors."""

    def __init__(self, connection: psycopg.Connection[Any], sql: str, *, binary: bool) -> None:
        self._cursor = connection.cursor()
        self._context = self._cursor.copy(sql.encode())
        self._copy = self._context.__enter__()
        self._trailer = TRAILER if binary else b""
        if binary:
            self._copy.write(HEADER)

    def write(self, payload: Any) -> None:
        """Send whole rows, in COPY's format; large ones in pieces, of which the library keeps a copy."""
        view = memoryview(payload)
        for begin in range(0, len(view), _PIECE):
            self._copy.write(view[begin : begin + _PIECE])

    def finish(self) -> int:
        """End the COPY; returns the rows that the server says it has stored."""
        if self._trailer:
            self._copy.write(self._trailer)
        self._context.__exit__(None, None, None)
        return self._cursor.rowcount

    def abandon(self) -> None:
        """End the COPY with a failure; the transaction is aborted."""
        error = RowError("abandoned")
        with suppress(RowError, psycopg.Error):
            self._context.__exit__(RowError, error, None)
