"""Rates of a run over the last seconds or its whole time, with an estimate of what is left.

Loaded by commands that must start at once: nothing large may be imported here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from mainstem.control.states import ENDED
from mainstem.model.names import TableId
from mainstem.model.run import Progress, TableProgress, TableState

OPERATIONS = {"insert": "inserts", "update": "updates", "delete": "deletes", "truncate": "truncates"}
"""Operation → its counter in `TableProgress`."""
_COUNTERS = ("rows_read", "bytes_read", "inserts", "updates", "deletes")
_WINDOW = 10  # samples, about one a second
_DONE = frozenset(TableState) - {TableState.PENDING, TableState.COPYING, TableState.INDEXING}


def events(progress: Progress) -> int:
    """Changes applied, over all tables."""
    return sum(getattr(table, name) for table in progress.tables for name in OPERATIONS.values())


@dataclass(frozen=True, slots=True)
class Rate:
    """Per second, over the last few seconds; ``remaining_s`` is None when it cannot be told."""

    rows: float = 0.0
    bytes: float = 0.0
    remaining_s: float | None = None
    inserts: float = 0.0
    updates: float = 0.0
    deletes: float = 0.0

    def values(self) -> list[float | None]:
        """Its attributes; of each table each second, so without the copies of `dataclasses.astuple`."""
        return [self.rows, self.bytes, self.remaining_s, self.inserts, self.updates, self.deletes]


Rates = tuple[Rate, dict[TableId, Rate]]
"""The total's, and each table's."""
Counts = tuple[int, ...]
"""The counters of a table, in the order of `_COUNTERS`."""


class RateMeter:
    """Remembers a run's counters of the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[TableId, Counts]]] = deque(maxlen=_WINDOW)

    def add(self, at_s: float, progress: Progress) -> None:
        """Take a sample."""
        self._samples.append((at_s, {table.source: _counts(table) for table in progress.tables}))

    def rates(self, at_s: float, progress: Progress) -> Rates:
        """How fast a run is now."""
        since, before = self._samples[0] if self._samples else (at_s, {})
        seconds = at_s - since
        none = (0,) * len(_COUNTERS)
        moved = {
            table.source: tuple(
                now - then for now, then in zip(_counts(table), before.get(table.source, none), strict=True)
            )
            for table in progress.tables
        }
        by_table = {
            table.source: _rate(moved[table.source] if seconds > 0 else none, seconds, left(table))
            for table in progress.tables
        }
        total = _rate(_summed(moved.values()), seconds, sum(left(table) for table in progress.tables))
        return total, by_table


def averages(progress: Progress) -> Rates:
    """Rates over a run's whole time, for one that does not move now."""
    by_table = {table.source: _rate(_counts(table), table.seconds, left(table)) for table in progress.tables}
    rows_left = 0 if progress.state in ENDED else sum(left(table) for table in progress.tables)
    return _rate(_summed(map(_counts, progress.tables)), progress.elapsed_s, rows_left), by_table


def left(table: TableProgress) -> int:
    """Rows that a table still has to give, by the source's estimate."""
    return 0 if table.state in _DONE else max(table.rows_estimate - table.rows_read, 0)


def _counts(table: TableProgress) -> Counts:
    return tuple(getattr(table, name) for name in _COUNTERS)


def _summed(counts: Iterable[Counts]) -> Counts:
    return tuple(map(sum, zip(*counts, strict=True))) or (0,) * len(_COUNTERS)


def _rate(moved: Counts, seconds: float, rows_left: int) -> Rate:
    if seconds <= 0:
        return Rate(remaining_s=None if rows_left else 0.0)
    rows, size, inserts, updates, deletes = (max(number, 0) / seconds for number in moved)
    remaining = 0.0 if not rows_left else rows_left / rows if rows else None
    return Rate(rows, size, remaining, inserts, updates, deletes)
