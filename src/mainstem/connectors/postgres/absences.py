"""Tables that leave a stream while it runs: dropped, or taken out of the publication. The log does not tell of that."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from mainstem.connectors.postgres.side import Side
from mainstem.connectors.postgres.tables import Tables
from mainstem.errors import MainstemError
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId

LOOK_S = 10.0


class Absences:
    """`look` is for one thread, `found` for another."""

    def __init__(self, side: Side, publications: Sequence[str], tables: Tables) -> None:
        self._side, self._publications, self._tables = side, publications, tables
        self._looked_at = time.monotonic()
        self._told: set[int] = set()
        self._waiting: deque[tuple[int, TableId]] = deque()

    def look(self) -> None:
        """Ask the server, if it is time to; it may not answer."""
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        followed = self._tables.followed_oids
        with suppress(MainstemError):
            gone = set(followed) - self._side.published(self._publications) - self._told
            end = self._side.end() if gone else None
            if end is not None:
                self._told |= gone
                self._waiting.extend((end, followed[oid]) for oid in sorted(gone))

    def found(self, position: int, *, within: bool) -> Iterator[SchemaChange]:
        """Those that were missed, once all that was written before is read."""
        while self._waiting and not within and self._waiting[0][0] <= position:
            _, table = self._waiting.popleft()
            statement = "dropped, or taken out of the publication"
            yield SchemaChange(SchemaChangeKind.DROPPED, table, statement=statement)
