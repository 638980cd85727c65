"""What went wrong with a stream, from its state, its tables, its alerts and its log: one line per thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mainstem.contract.store import LogLine, StreamRecord
from mainstem.model.alert import Alert
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import Progress, RunState, TableState

_NUMBERS = re.compile(r"\d[\d.,:/]*")
_STOPPED = (TableState.FAILED, TableState.PAUSED, TableState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing.

    Attributes:
        kind: ``stream``, ``table``, ``alert`` or ``log``.
        open: it is so now.
        first_us, last_us: when it was told; 0 is unknown.
    """

    kind: str
    level: Level
    message: str
    open: bool = False
    subject: str = ""
    remedy: str = ""
    code: str = ""
    first_us: int = 0
    last_us: int = 0
    count: int = 1


def troubles(record: StreamRecord, progress: Progress, lines: Iterable[LogLine]) -> list[Trouble]:
    """What is open first; then what the log tells (lines oldest first), newest first."""
    now = [*_stream(record), *_tables(progress), *_alerts(progress.alerts)]
    told = {text for item in now for text in (item.message, f"{item.message} ({item.remedy})")}  # as errors are logged
    past = [item for item in _grouped(line.event for line in lines) if not _is_told(item, told)]
    return [*now, *sorted(past, key=lambda item: -item.last_us)]


def _is_told(item: Trouble, told: set[str]) -> bool:
    return item.message in told or any(item.message.endswith(f": {text}") for text in told)


def _stream(record: StreamRecord) -> Iterator[Trouble]:
    if record.error:
        failed = record.state is RunState.FAILED
        at_us = record.finished_us
        yield Trouble(
            "stream", Level.ERROR, record.error, failed, "", record.remedy, record.error_code, at_us, at_us
        )  # fmt: skip


def _tables(progress: Progress) -> Iterator[Trouble]:
    for table in progress.tables:
        if table.error:
            level = Level.ERROR if table.state is TableState.FAILED else Level.WARN
            yield Trouble("table", level, table.error, table.state in _STOPPED, str(table.source), table.remedy)


def _alerts(alerts: Sequence[Alert]) -> Iterator[Trouble]:
    for alert in alerts:
        if not alert.subject:  # a table's is told as the table's own
            yield Trouble("alert", Level.WARN, alert.message, True, "", alert.remedy, alert.kind.value)


def _grouped(events: Iterable[Event]) -> Iterable[Trouble]:
    """Warnings and errors; those that differ only in numbers are one, with the text of the newest."""
    found: dict[tuple[str, str, str], Trouble] = {}
    for event in events:
        if event.level not in (Level.WARN, Level.ERROR):
            continue
        is_alert = event.category is Category.ALERT
        subject = str(event.data.get("subject" if is_alert else "table") or "")
        key = event.level.value, subject, _NUMBERS.sub("#", event.message)
        before = found.get(key)
        code = str(event.data.get("alert" if is_alert else "code") or "")
        now = Trouble(
            "alert" if is_alert else "log", event.level, event.message, False, subject,
            str(event.data.get("remedy") or ""), code, event.at_us, event.at_us,
        )  # fmt: skip
        found[key] = now if before is None else replace(now, first_us=before.first_us, count=before.count + 1)
    return found.values()
