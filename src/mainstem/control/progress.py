"""Progress as JSON for the store, carried over a resume, and as rates with an estimate of what is left."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from mainstem.control.states import ENDED
from mainstem.model.names import TableId
from mainstem.model.run import Progress, TableProgress, TableState

_ADAPTER = TypeAdapter(Progress)
_WINDOW = 10  # samples, about one a second
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

    Rows come from the target's ledger and are whole already; bytes, seconds and coerced values are counted from 0 by
    each start.
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
    )


def _carried_table(before: TableProgress | None, now: TableProgress) -> TableProgress:
    if before is None:
        return now
    names = before.coerced.keys() | now.coerced.keys()
    return replace(
        now,
        bytes_read=before.bytes_read + now.bytes_read,
        seconds=before.seconds + now.seconds,
        coerced={name: before.coerced.get(name, 0) + now.coerced.get(name, 0) for name in sorted(names)},
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """Per second, over the last few seconds; ``remaining_s`` is None when it cannot be told."""

    rows: float = 0.0
    bytes: float = 0.0
    remaining_s: float | None = None


class RateMeter:
    """Remembers a run's counters of the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[TableId, tuple[int, int]]]] = deque(maxlen=_WINDOW)

    def add(self, at_s: float, progress: Progress) -> None:
        """Take a sample."""
        self._samples.append((at_s, {table.source: (table.rows_read, table.bytes_read) for table in progress.tables}))

    def rates(self, at_s: float, progress: Progress) -> tuple[Rate, dict[TableId, Rate]]:
        """The total's rate and each table's."""
        since, counts = self._samples[0] if self._samples else (at_s, {})
        seconds = at_s - since
        by_table = {}
        for table in progress.tables:
            rows, size = counts.get(table.source, (table.rows_read, table.bytes_read) if seconds <= 0 else (0, 0))
            by_table[table.source] = _rate(table.rows_read - rows, table.bytes_read - size, seconds, left(table))
        moved = [counts.get(table.source, (0, 0)) for table in progress.tables]
        total = _rate(
            progress.rows_read - sum(rows for rows, _ in moved),
            progress.bytes_read - sum(size for _, size in moved),
            seconds,
            sum(left(table) for table in progress.tables),
        )
        return total, by_table


def averages(progress: Progress) -> tuple[Rate, dict[TableId, Rate]]:
    """Rates over a run's whole time, for one that does not move now."""
    by_table = {
        table.source: _rate(table.rows_read, table.bytes_read, table.seconds, left(table)) for table in progress.tables
    }
    rows_left = 0 if progress.state in ENDED else sum(left(table) for table in progress.tables)
    return _rate(progress.rows_read, progress.bytes_read, progress.elapsed_s, rows_left), by_table


def left(table: TableProgress) -> int:
    """Rows that a table still has to give, by the source's estimate."""
    return 0 if table.state in _DONE else max(table.rows_estimate - table.rows_read, 0)


def _rate(rows: int, size: int, seconds: float, rows_left: int) -> Rate:
    if seconds <= 0:
        return Rate(remaining_s=None if rows_left else 0.0)
    per_second = max(rows, 0) / seconds
    remaining = 0.0 if not rows_left else rows_left / per_second if per_second else None
    return Rate(per_second, max(size, 0) / seconds, remaining)
