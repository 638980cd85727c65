"""A run as it is shown: the same small shape whether the engine runs here or a server reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import Progress, Rejected, TableProgress

ENDED = frozenset({"FINISHED", "FAILED", "STOPPED", "TIME_LIMIT_REACHED", "EVENT_LIMIT_REACHED"})
_BUSY_TABLE_STATES = frozenset({"pending", "copying", "indexing"})
_SEVERITIES = tuple(reversed(Severity))


@dataclass(frozen=True, slots=True)
class TableView:
    """One line: a table (or all of them, in the line "total").

    Attributes:
        coerced: values that a policy has changed, ``column: policy`` → count.
    """

    name: str
    state: str
    read: int = 0
    written: int = 0
    rejected: int = 0
    size: int = 0
    estimate: int = 0
    seconds: float = 0.0
    error: str = ""
    coerced: Mapping[str, int] = field(default_factory=dict)

    @property
    def expected(self) -> int:
        """Rows that this table is thought to have in all; never below what has been read."""
        return self.read if self.state == "finished" else max(self.estimate, self.read)

    @property
    def rate(self) -> float:
        """Rows written per second."""
        return self.written / self.seconds if self.seconds > 0 else 0.0

    @property
    def quiet(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in _BUSY_TABLE_STATES

    @property
    def accounted(self) -> bool:
        """Whether every row that was read is either in the target or among the rejected."""
        return self.read == self.written + self.rejected


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment. ``report`` has its warnings first, ``waits`` the seconds of `Progress` over all lanes."""

    id: str
    state: str
    stage: str
    seconds: float
    tables: tuple[TableView, ...] = ()
    report: tuple[ReportItem, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    error: str = ""
    remedy: str = ""
    error_code: str = ""
    waits: Mapping[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDED

    @property
    def total(self) -> TableView:
        """All tables together; its time is the run's."""
        return TableView(
            name="total",
            state=self.state.lower(),
            read=sum(table.read for table in self.tables),
            written=sum(table.written for table in self.tables),
            rejected=sum(table.rejected for table in self.tables),
            size=sum(table.size for table in self.tables),
            estimate=sum(table.expected for table in self.tables),
            seconds=self.seconds,
        )


def view_of(run_id: str, progress: Progress) -> RunView:
    """What there is to show of a run of this process."""
    schemas = len({table.target.schema for table in progress.tables}) > 1
    return RunView(
        id=run_id,
        state=progress.state.value,
        stage=progress.stage,
        seconds=progress.elapsed_s,
        tables=tuple(_table(table, schemas) for table in progress.tables),
        report=by_severity(progress.report),
        rejected=tuple(progress.rejected),
        error=progress.error,
        remedy=progress.remedy,
        error_code=progress.error_code,
        waits={"source": progress.source_wait_s, "target": progress.target_wait_s, "lanes": progress.lane_s},
    )


def by_severity(items: list[ReportItem] | tuple[ReportItem, ...]) -> tuple[ReportItem, ...]:
    """Errors, then warnings, then the rest; each in the order in which they were found."""
    return tuple(sorted(items, key=lambda item: _SEVERITIES.index(item.severity)))


def _table(table: TableProgress, schemas: bool) -> TableView:
    return TableView(
        name=(str(table.target) if schemas else table.target.name) or str(table.source),
        state=table.state.value,
        read=table.rows_read,
        written=table.rows_written,
        rejected=table.rows_rejected,
        size=table.bytes_read,
        estimate=table.rows_estimate,
        seconds=table.seconds,
        error=table.error,
        coerced=dict(table.coerced),
    )


def document_of(view: RunView) -> dict[str, Any]:
    """A run as the JSON document of ``copy --json`` and ``run --json``."""
    document: dict[str, Any] = {
        "id": view.id,
        "status": view.state,
        "stage": view.stage,
        "seconds": round(view.seconds, 3),
        "total": _row(view.total),
        "tables": [_row(table) for table in view.tables],
        "report": [
            {
                "severity": item.severity.value,
                "code": item.code,
                "object": item.object,
                "message": item.message,
                "remedy": item.remedy,
            }
            for item in view.report
        ],
        "rejected": [
            {"table": str(row.table), "key": row.key, "column": row.column, "reason": row.reason}
            for row in view.rejected
        ],
    }
    if view.waits:
        document["waits"] = {name: round(seconds, 3) for name, seconds in view.waits.items()}
    if view.error:
        document |= {"error": view.error, "message": view.error, "code": view.error_code, "remedy": view.remedy}
    return document


def _row(table: TableView) -> dict[str, Any]:
    return {
        "name": table.name,
        "status": table.state,
        "rowsRead": table.read,
        "rowsWritten": table.written,
        "rowsRejected": table.rejected,
        "bytes": table.size,
        "seconds": round(table.seconds, 3),
        "rowsPerSecond": round(table.rate),
        **({"coerced": dict(table.coerced)} if table.coerced else {}),
        **({"error": table.error} if table.error else {}),
    }
