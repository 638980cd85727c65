"""A stream's counters in every form that known clients read: nodes, source and target, tables, totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstem.api import shapes
from mainstem.contract.store import StreamRecord
from mainstem.control.rates import OPERATIONS, Rate, events
from mainstem.model.alert import Alert
from mainstem.model.names import TableId
from mainstem.model.run import ChangeProgress, Progress, TableProgress


def stats(
    record: StreamRecord,
    progress: Progress,
    total: Rate,
    rates: dict[TableId, Rate],
    interval_s: int,
) -> dict[str, Any]:
    """The counters. ``interval_s``: seconds between two reports of the stream."""
    applied = events(progress)
    written = (progress.rows_written + applied, progress.rows_rejected)
    sides = {"source": (progress.rows_read + applied, 0), "target": written}
    return {
        **shapes.stream(record),
        "configID": record.config_id,
        "streamID": record.id,
        "stage": progress.stage,
        "elapsed": progress.elapsed_s,
        "nodes": [_node(record, progress, total, kind, *counts, interval_s) for kind, counts in sides.items()],
        **{kind: _side(record, progress, counts[0]) for kind, counts in sides.items()},
        "totals": totals(progress, total),
        "changes": changes(progress.changes),
        "alerts": [alert(item) for item in progress.alerts],
        "tables": [table(item, rates.get(item.source, Rate())) for item in progress.tables],
        "rejected": [
            {"table": str(row.table), "key": row.key, "column": row.column, "reason": row.reason}
            for row in progress.rejected
        ],
        "report": [shapes.report_item(item) for item in progress.report],
    }


def _node(
    record: StreamRecord, progress: Progress, total: Rate, kind: str, counter: int, failed: int, interval_s: int
) -> dict[str, Any]:
    """One side, for clients that read ``nodes[].stat``, and for those that read the members beside it."""
    counters = {
        "counter": counter,
        "failedCounter": failed,
        "sumDataSize": progress.bytes_read,
        "avgRate": progress.bytes_read / progress.elapsed_s if progress.elapsed_s else 0.0,
        "status": record.state.value,
    }
    stat = {
        **counters,
        "prevDataSize": max(progress.bytes_read - int(total.bytes * interval_s), 0),
        "reportingInterval": interval_s,
        "start": shapes.iso(record.started_us),
        "duration": int(progress.elapsed_s * 1e9),
    }
    return {"id": f"{kind}-{record.id}", "type": kind, "stat": stat, **counters}


def _side(record: StreamRecord, progress: Progress, counter: int) -> dict[str, Any]:
    return {
        "counter": counter,
        "elapsed": f"{progress.elapsed_s:.3f}s",
        "started": shapes.iso(record.started_us),
        "status": record.state.value,
        "sumDataSize": progress.bytes_read,
    }


def totals(progress: Progress, total: Rate) -> dict[str, Any]:
    """The counters over all tables."""
    return {
        "rowsEstimate": sum(item.rows_estimate for item in progress.tables),
        "rowsRead": progress.rows_read,
        "rowsWritten": progress.rows_written,
        "rowsRejected": progress.rows_rejected,
        "bytes": progress.bytes_read,
        "operations": _operations(progress.tables),
        **_rate(total),
    }


def table(item: TableProgress, rate: Rate) -> dict[str, Any]:
    """One table's counters."""
    return {
        "name": str(item.source),
        "target": str(item.target),
        "status": item.state.value,
        "rowsEstimate": item.rows_estimate,
        "bytesEstimate": item.bytes_estimate,
        "rowsRead": item.rows_read,
        "rowsWritten": item.rows_written,
        "rowsRejected": item.rows_rejected,
        "bytes": item.bytes_read,
        "elapsed": item.seconds,
        "chunksDone": item.chunks_done,
        "chunksTotal": item.chunks_total,
        "coerced": item.coerced,
        "error": item.error,
        "remedy": item.remedy,
        "operations": _operations([item]),
        "missing": item.missing,
        "deadLetters": item.letters,
        "appliedAt": shapes.iso(item.applied_us),
        **_rate(rate),
    }


def _operations(tables: Sequence[TableProgress]) -> dict[str, int]:
    return {operation: sum(getattr(table, name) for table in tables) for operation, name in OPERATIONS.items()}


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "rowsPerSecond": rate.rows,
        "bytesPerSecond": rate.bytes,
        "remainingSeconds": rate.remaining_s,
        "operationsPerSecond": {"insert": rate.inserts, "update": rate.updates, "delete": rate.deletes},
    }


def changes(progress: ChangeProgress | None) -> dict[str, Any] | None:
    """How a replication stands; None until it streams, and in mode convert."""
    if progress is None:
        return None
    return {
        "position": progress.position,
        "lagSeconds": progress.lag_s,
        "lagBytes": progress.lag_bytes,
        "lagTransactions": progress.lag_transactions,
        "transactions": progress.transactions,
        "committedAt": shapes.iso(progress.committed_us),
        "appliedAt": shapes.iso(progress.applied_us),
        "heldBytes": progress.held_bytes,
    }


def alert(item: Alert) -> dict[str, Any]:
    """What somebody should be told."""
    return {"alert": item.kind.value, "message": item.message, "remedy": item.remedy, "subject": item.subject}
