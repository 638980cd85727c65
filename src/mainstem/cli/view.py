"""A run as it is shown: the same small shape whether the engine runs here or a server reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mainstem.control.rates import OPERATIONS, Rate
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import ChangeProgress, Progress, Rejected, TableProgress

Number = TypeVar("Number", int, float)
ENDED = frozenset({"FINISHED", "FAILED", "STOPPED", "TIME_LIMIT_REACHED", "EVENT_LIMIT_REACHED"})
_BUSY_TABLE_STATES = frozenset({"pending", "copying", "indexing", "catching_up", "streaming"})
_SEVERITIES = tuple(reversed(Severity))


@dataclass(frozen=True, slots=True)
class TableView:
    """One line: a table (or all of them, in the line "total").

    Attributes:
        coerced: values that a policy has changed, ``column: policy`` → count.
        operations: changes applied, by kind; ``operation_rates`` are those of the last seconds, per second.
        missing: changes whose row the target did not have; ``letters``: those that were put aside.
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
    remedy: str = ""
    operations: Mapping[str, int] = field(default_factory=dict)
    operation_rates: Mapping[str, float] = field(default_factory=dict)
    missing: int = 0
    letters: int = 0

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
class Standing:
    """How a replication stands; see `ChangeProgress`."""

    position: str = ""
    lag_s: float = 0.0
    lag_bytes: int | None = None
    lag_transactions: int = 0
    transactions: int = 0
    held_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment. ``report`` has its warnings first, ``waits`` the seconds of `Progress` over all lanes.

    Attributes:
        standing: of a replication that streams, or has.
    """

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
    standing: Standing | None = None

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
            operations=_summed(table.operations for table in self.tables),
            operation_rates=_summed(table.operation_rates for table in self.tables),
            missing=sum(table.missing for table in self.tables),
            letters=sum(table.letters for table in self.tables),
        )


def _summed(counts: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    total: dict[str, Number] = {}
    for one in counts:
        for name, number in one.items():
            total[name] = total.get(name, 0) + number
    return total


def view_of(run_id: str, progress: Progress, rates: Mapping[TableId, Rate] | None = None) -> RunView:
    """What there is to show of a run of this process. ``rates``: of a replication's tables."""
    rates = rates or {}
    schemas = len({table.target.schema for table in progress.tables}) > 1
    return RunView(
        id=run_id,
        state=progress.state.value,
        stage=progress.stage,
        seconds=progress.elapsed_s,
        tables=tuple(_table(table, schemas, rates.get(table.source)) for table in progress.tables),
        report=by_severity(progress.report),
        rejected=tuple(progress.rejected),
        error=progress.error,
        remedy=progress.remedy,
        error_code=progress.error_code,
        waits={"source": progress.source_wait_s, "target": progress.target_wait_s, "lanes": progress.lane_s},
        standing=_standing(progress.changes),
    )


def _standing(changes: ChangeProgress | None) -> Standing | None:
    if changes is None:
        return None
    return Standing(
        changes.position, changes.lag_s, changes.lag_bytes, changes.lag_transactions, changes.transactions,
        changes.held_bytes,
    )  # fmt: skip


def by_severity(items: list[ReportItem] | tuple[ReportItem, ...]) -> tuple[ReportItem, ...]:
    """Errors, then warnings, then the rest; each in the order in which they were found."""
    return tuple(sorted(items, key=lambda item: _SEVERITIES.index(item.severity)))


def _table(table: TableProgress, schemas: bool, rate: Rate | None) -> TableView:
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
        remedy=table.remedy,
        operations={name: getattr(table, member) for name, member in OPERATIONS.items()},
        operation_rates={"insert": rate.inserts, "update": rate.updates, "delete": rate.deletes} if rate else {},
        missing=table.missing,
        letters=table.letters,
    )


def document_of(view: RunView) -> dict[str, Any]:
    """A run as the JSON document of ``copy --json``, ``replicate --json`` and ``run --json``."""
    document: dict[str, Any] = {
        "id": view.id,
        "status": view.state,
        "stage": view.stage,
        "seconds": round(view.seconds, 3),
        "total": _row(view.total, view.standing is not None),
        "tables": [_row(table, view.standing is not None) for table in view.tables],
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
    if view.standing is not None:
        document["changes"] = {
            "position": view.standing.position,
            "transactions": view.standing.transactions,
            "lagSeconds": round(view.standing.lag_s, 3),
            "lagBytes": view.standing.lag_bytes,
            "lagTransactions": view.standing.lag_transactions,
            "heldBytes": view.standing.held_bytes,
        }
    if view.error:
        document |= {"error": view.error, "message": view.error, "code": view.error_code, "remedy": view.remedy}
    return document


def _row(table: TableView, replicated: bool) -> dict[str, Any]:
    changes = {"operations": dict(table.operations), "missing": table.missing, "deadLetters": table.letters}
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
        **(changes if replicated else {}),
        **({"error": table.error, "remedy": table.remedy} if table.error else {}),
    }
