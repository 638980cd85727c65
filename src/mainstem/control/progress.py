"""Progress as JSON for the store, carried over a resume, and as rates with an estimate of what is left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from mainstem.control.states import ENDED
from mainstem.model.names import TableId
from mainstem.model.run import Progress, TableProgress, TableState

_ADAPTER = TypeAdapter(Progress)
_WINDOW = 10  # samples, about one a second
OPERATIONS = {"insert": "inserts", "update": "updates", "delete": "deletes", "truncate": "truncates"}
"""Operation → its counter in `TableProgress`."""
_COUNTED_ANEW = (*OPERATIONS.values(), "missing")
_COUNTERS = ("rows_read", "bytes_read", "inserts", "updates", "deletes")
_DONE = frozenset(TableState) - {TableState.PENDING, TableState.COPYING, TableState.INDEXING}
MAX_REJECTED_KEPT = 1000


def to_json(progress: Progress) -> dict[str, Any]:
    """A form that the store can keep; of rejected rows the first `MAX_REJECTED_KEPT` (the target has them all)."""
    kept = replace(progress, rejected=progress.rejected[:MAX_REJECTED_KEPT])
    dumped: dict[str, Any] = _ADAPTER.dump_python(kept, mode="json")
    return dumped


def from_json(data: dict[str, Any]) -> Progress:
    """What `to_json` wrote; an empty dict is a progress that has not begun."""
    return _ADAPTER.validate_python(data)


def carried(before: Progress, now: Progress) -> Progress:
    """Counters of a resumed run on top of those of its earlier start.

    Rows and dead letters come from the target's books and are whole already; bytes, seconds, changes and coerced values
    are counted from 0 by each start.
    """
    earlier = {table.source: table for table in before.tables}
    tables = [_carried_table(earlier.get(table.source), table) for table in now.tables] or before.tables
    return replace(
        now,
        tables=tables,
        elapsed_s=before.elapsed_s + now.elapsed_s,
        source_wait_s=before.source_wait_s + now.source_wait_s,
        target_wait_s=before.target_wait_s + now.target_wait_s,
        lane_s=before.lane_s + now.lane_s,
        started_at_us=before.started_at_us or now.started_at_us,
        changes=now.changes or before.changes,
    )


def events(progress: Progress) -> int:
    """Changes applied, over all tables."""
    return sum(getattr(table, name) for table in progress.tables for name in OPERATIONS.values())


def _carried_table(before: TableProgress | None, now: TableProgress) -> TableProgress:
    if before is None:
        return now
    names = before.coerced.keys() | now.coerced.keys()
    return replace(
        now,
        bytes_read=before.bytes_read + now.bytes_read,
        seconds=before.seconds + now.seconds,
        coerced={name: before.coerced.get(name, 0) + now.coerced.get(name, 0) for name in sorted(names)},
        applied_us=max(before.applied_us, now.applied_us),
        **{name: getattr(before, name) + getattr(now, name) for name in _COUNTED_ANEW},
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """Per second, over the last few seconds; ``remaining_s`` is None when it cannot be told."""

    rows: float = 0.0
    bytes: float = 0.0
    remaining_s: float | None = None
    inserts: float = 0.0
    updates: float = 0.0
    deletes: float = 0.0


Counts = tuple[int, ...]
"""The counters of a table, in the order of `_COUNTERS`."""


class RateMeter:
    """Remembers a run's counters of the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[TableId, Counts]]] = deque(maxlen=_WINDOW)

    def add(self, at_s: float, progress: Progress) -> None:
        """Take a sample."""
        self._samples.append((at_s, {table.source: _counts(table) for table in progress.tables}))

    def rates(self, at_s: float, progress: Progress) -> tuple[Rate, dict[TableId, Rate]]:
        """The total's rate and each table's."""
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


def averages(progress: Progress) -> tuple[Rate, dict[TableId, Rate]]:
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
