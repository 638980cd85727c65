"""How much of the log lies behind a reader, asked of the server now and then."""

from __future__ import annotations

import time

from mainstem.connectors.mysql.log_position import LogPosition
from mainstem.connectors.mysql.log_side import Identity, Side, behind, log_files, log_tail
from mainstem.errors import MainstemError, StatementError

_ASK_EVERY_S = 1.0
_LIST_EVERY_S = 10.0


class Lag:
    """Asks for the end of the log at most once a second, and for the sizes of its files more rarely."""

    def __init__(self, side: Side, identity: Identity) -> None:
        self._side = side
        self._identity = identity
        self._end: LogPosition | None = None
        self._files: list[tuple[str, int]] = []
        self._asked = self._listed = 0.0
        self._may_ask = True

    def bytes_behind(self, position: LogPosition) -> int | None:
        """How many bytes lie behind a position; None when the server does not say."""
        now = time.monotonic()
        if self._may_ask and now - self._asked > _ASK_EVERY_S:
            self._asked = now
            self._ask(position, now)
        end = self._end
        if end is None:
            return None
        if end.file == position.file:
            return max(end.offset - position.offset, 0)
        return behind(position, self._files)

    def _ask(self, position: LogPosition, now: float) -> None:
        try:
            self._end = log_tail(self._side, self._identity)
            if self._end.file != position.file and now - self._listed > _LIST_EVERY_S:
                self._listed = now
                self._files = log_files(self._side)
        except StatementError:
            self._may_ask = False
        except MainstemError:
            self._end = None
