"""What a page that watches one stream is told, step by step: how the stream stands, new lines of its log, points."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mainstem.api import shapes
from mainstem.api import stats as shaping
from mainstem.api.services import Services
from mainstem.contract.store import LogLine, StreamRecord
from mainstem.control.logbook import KEPT_LINES
from mainstem.control.rates import Rate
from mainstem.control.states import ACTIVE
from mainstem.errors import NotFoundError
from mainstem.model.event import Category
from mainstem.model.run import Progress, RunState, TableState

MOST_LINES = 1000
"""In one event; what is left follows at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way; ``number`` is what a client that comes back names as its last."""

    name: str
    data: dict[str, Any]
    number: int | None = None


def standing(plane: Services, record: StreamRecord, progress: Progress) -> dict[str, Any]:
    """How a stream stands, with all of its tables."""
    total, rates = plane.supervisor.rates(record, progress)
    counts: dict[TableState, int] = {}
    for table in progress.tables:
        counts[table.state] = counts.get(table.state, 0) + 1
    return {
        "full": True,
        "at": round(time.time(), 3),
        "stream": shapes.stream(record),
        "stage": progress.stage,
        "elapsed": progress.elapsed_s,
        "totals": shaping.totals(progress, total),
        "changes": shaping.changes(progress.changes),
        "alerts": [shaping.alert(item) for item in progress.alerts],
        "counts": counts,
        "tables": [shaping.table(table, rates.get(table.source, Rate())) for table in progress.tables],
    }


class Viewer:
    """One page's view of a stream. `step` blocks on the store; one thread at a time.

    Nothing waits here: a page that reads slowly is stepped less often, and finds the lines that it missed in the store.

    Args:
        after: the number of the last line that the page has; None is none.
        tail: how many of the newest lines a page without any begins with.
    """

    def __init__(self, plane: Services, stream_id: str, after: int | None, tail: int) -> None:
        self._plane, self._stream_id = plane, stream_id
        self._after, self._tail = after, tail
        self._state: RunState | None = None
        self._told: dict[str, Any] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._pointed_s: float | None = None

    @property
    def moves(self) -> bool:
        """Whether the stream has a run that changes by itself."""
        return self._state is RunState.RUNNING

    def step(self) -> Iterator[Message]:
        """What is new since the last step."""
        try:
            record = self._plane.streams.get(self._stream_id)
        except NotFoundError:
            yield Message("gone", {})
            raise
        if self._state is not None and record.state is not self._state:
            yield Message("state", {"before": self._state, "now": record.state, "message": record.message})
        rests = self._state not in (None, *ACTIVE) and record.state not in ACTIVE
        self._state = record.state
        yield from self._stats(record)
        if not rests:
            yield from self._points(record)
        yield from self._lines()

    def _stats(self, record: StreamRecord) -> Iterator[Message]:
        now = standing(self._plane, record, self._plane.supervisor.progress(record))
        tables = {table["name"]: table for table in now["tables"]}
        if self._told:
            changed = [_changes(self._tables.get(name, {}), table) for name, table in tables.items()]
            now["full"], now["tables"] = False, [table for table in changed if len(table) > 1]
        gone = self._tables.keys() - tables.keys()
        if gone:  # a table left the stream: the page begins anew
            now["full"], now["tables"] = True, list(tables.values())
        self._tables = tables
        compared = {name: value for name, value in now.items() if name != "at"}
        if compared != self._told:
            self._told = compared
            yield Message("stats", now)

    def _points(self, record: StreamRecord) -> Iterator[Message]:
        """The points of the timeline since the last step; those that there were before are the page's to ask for."""
        points = self._plane.supervisor.timelines.columns(record, "minutes", self._pointed_s or 0.0)
        at, begins = points["at"], self._pointed_s is None
        if isinstance(at, list) and at:
            self._pointed_s = at[-1] + 0.001
            if not begins:
                yield Message("points", points)
        elif begins:
            self._pointed_s = 0.0

    def _lines(self) -> Iterator[Message]:
        supervisor, store = self._plane.supervisor, self._plane.store
        supervisor.flush()
        missed = False
        if self._after is None:
            lines = store.logs(self._stream_id, limit=self._tail)
            self._after = lines[-1].number if lines else 0
            yield self._log(lines, missed=False)
            return
        if self._after:
            missed = self._after < store.log_begin(self._stream_id, KEPT_LINES)
        while lines := store.logs(self._stream_id, limit=MOST_LINES, after=self._after):
            self._after = lines[-1].number
            yield self._log(lines, missed=missed)
            missed = False
            yield from (
                Message("alert", shapes.log_line(line)) for line in lines if line.event.category is Category.ALERT
            )

    def _log(self, lines: list[LogLine], *, missed: bool) -> Message:
        return Message("log", {"missed": missed, "lines": [shapes.log_line(line) for line in lines]}, self._after)


def _changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The name, and those members that are otherwise than before."""
    return {name: value for name, value in now.items() if name == "name" or before.get(name) != value}
