"""Progress as JSON for the store, with all that other servers tell of a run; and carried over a resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from mainstem.control.rates import OPERATIONS, Rate, Rates
from mainstem.model.run import Progress, TableProgress

_ADAPTER = TypeAdapter(Progress)
_COUNTED_ANEW = (*OPERATIONS.values(), "missing")
_OF_A_COPY = (
    "rows_estimate", "bytes_estimate", "rows_read", "rows_written", "rows_rejected", "chunks_done", "chunks_total",
)  # fmt: skip
MAX_REJECTED_KEPT = 1000


def to_json(progress: Progress, rates: Rates | None = None, points: Sequence[list[Any]] = ()) -> dict[str, Any]:
    """A form that the store can keep; of rejected rows the first `MAX_REJECTED_KEPT` (the target has them all).

    Args:
        rates, points: of a run that moves, what its process alone knows: see `stored_rates` and `stored_points`.
    """
    kept = replace(progress, rejected=progress.rejected[:MAX_REJECTED_KEPT])
    dumped: dict[str, Any] = _ADAPTER.dump_python(kept, mode="json")
    if rates is not None:
        total, by_table = rates
        dumped["rates"] = [total.values(), *(by_table[table.source].values() for table in progress.tables)]
    if points:
        dumped["points"] = list(points)
    return dumped


def stored_rates(data: dict[str, Any], progress: Progress) -> Rates:
    """The rates that were saved with a progress; zero where none were."""
    total, *by_table = (Rate(*values) for values in data.get("rates") or [()])
    return total, {table.source: rate for table, rate in zip(progress.tables, by_table, strict=False)}


def stored_points(data: dict[str, Any]) -> list[list[Any]]:
    """The newest points of a stream's timeline, as `Timeline.recent` gave them; the older ones are saved apart."""
    return list(data.get("points", ()))


def from_json(data: dict[str, Any]) -> Progress:
    """What `to_json` wrote; an empty dict is a progress that has not begun."""
    return _ADAPTER.validate_python(data)


def carried(before: Progress, now: Progress) -> Progress:
    """Counters of a resumed run on top of those of its earlier start.

    Rows and dead letters come from the target's books and are whole already, but for those of a copy that was over when
    the run began: of that nothing but this is left. Bytes, seconds, changes and coerced values are counted from 0 by
    each start.
    """
    earlier = {table.source: table for table in before.tables}
    over = {table.source for table in now.tables if _is_over(earlier.get(table.source), table)}
    tables = [_carried_table(earlier.get(table.source), table) for table in now.tables] or before.tables
    return replace(
        now,
        tables=tables,
        report=list(dict.fromkeys([*before.report, *now.report])),
        rejected=list(dict.fromkeys([*(row for row in before.rejected if row.table in over), *now.rejected])),
        elapsed_s=before.elapsed_s + now.elapsed_s,
        source_wait_s=before.source_wait_s + now.source_wait_s,
        target_wait_s=before.target_wait_s + now.target_wait_s,
        lane_s=before.lane_s + now.lane_s,
        started_at_us=before.started_at_us or now.started_at_us,
        changes=now.changes or before.changes,
    )


def _is_over(before: TableProgress | None, now: TableProgress) -> bool:
    """Whether the rows are those of an earlier start: this one has not looked at the table's chunks."""
    return before is not None and before.chunks_total > 0 == now.chunks_total


def _carried_table(before: TableProgress | None, now: TableProgress) -> TableProgress:
    if before is None:
        return now
    names = before.coerced.keys() | now.coerced.keys()
    if _is_over(before, now):
        now = replace(now, **{name: getattr(before, name) for name in _OF_A_COPY})
    return replace(
        now,
        bytes_read=before.bytes_read + now.bytes_read,
        seconds=before.seconds + now.seconds,
        coerced={name: before.coerced.get(name, 0) + now.coerced.get(name, 0) for name in sorted(names)},
        applied_us=max(before.applied_us, now.applied_us),
        **{name: getattr(before, name) + getattr(now, name) for name in _COUNTED_ANEW},
    )
