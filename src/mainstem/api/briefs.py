"""Runs on one line each: for the list of streams, the history and the comparison of runs."""

from __future__ import annotations

from typing import Any

from mainstem.api import shapes
from mainstem.api import stats as shaping
from mainstem.api.services import Services
from mainstem.contract.store import ConfigRecord, ConnectionRecord, StreamRecord
from mainstem.control.clock import seconds
from mainstem.control.rates import events
from mainstem.model.run import Progress, TableProgress, TableState

_DONE = (TableState.FINISHED, TableState.STREAMING)
_FAILED = (TableState.FAILED, TableState.PAUSED)


def overviews(plane: Services) -> list[dict[str, Any]]:
    """Every config with its newest run, newest first; then runs whose config is gone."""
    newest = {record.config_id: (record, runs) for record, runs in plane.store.newest_streams()}
    connections = {record.id: record for record in plane.store.connections()}
    found = []
    for config in plane.store.configs():
        record, runs = newest.pop(config.id, (None, 0))
        found.append(_overview(plane, config, record, runs, connections))
    found += [_overview(plane, None, record, runs, connections) for record, runs in newest.values()]
    return sorted(found, key=lambda item: -max(item["created"], item["newest"]["created"] if item["newest"] else 0))


def _overview(
    plane: Services,
    config: ConfigRecord | None,
    newest: StreamRecord | None,
    runs: int,
    connections: dict[str, ConnectionRecord],
) -> dict[str, Any]:
    if config is not None:
        known: ConfigRecord | StreamRecord = config
        names = {"id": config.id, "name": config.name}
    elif newest is not None:
        known, names = newest, {"id": newest.config_id, "name": newest.config_name}
    else:
        raise ValueError("neither a config nor a run")
    return {
        **names,
        "mode": known.mode,
        "created": 0 if config is None else seconds(config.created_us),
        "deleted": config is None,
        "source": _end(known.source_id, connections.get(known.source_id)),
        "target": _end(known.target_id, connections.get(known.target_id)),
        "runs": runs,
        "newest": None if newest is None else shapes.stream(newest),
        "brief": None if newest is None else brief(plane, newest, plane.supervisor.progress(newest)),
    }


def _end(connection_id: str, record: ConnectionRecord | None) -> dict[str, str]:
    if record is None:
        return {"id": connection_id, "name": "", "type": "", "database": ""}
    return {"id": record.id, "name": record.name, "type": record.flavor or record.type, "database": record.database}


def brief(plane: Services, record: StreamRecord, progress: Progress) -> dict[str, Any]:
    """A run's numbers."""
    total, _ = plane.supervisor.rates(record, progress)
    states = [table.state for table in progress.tables]
    return {
        "stage": progress.stage,
        "elapsed": progress.elapsed_s,
        "tables": len(states),
        "tablesDone": sum(state in _DONE for state in states),
        "tablesFailed": sum(state in _FAILED for state in states),
        "rowsEstimate": sum(table.rows_estimate for table in progress.tables),
        "rowsRead": progress.rows_read,
        "rowsWritten": progress.rows_written,
        "rowsRejected": progress.rows_rejected,
        "bytes": progress.bytes_read,
        "changesApplied": events(progress),
        "deadLetters": sum(table.letters for table in progress.tables),
        "rowsPerSecond": total.rows,
        "changesPerSecond": total.inserts + total.updates + total.deletes,
        "bytesPerSecond": total.bytes,
        "remainingSeconds": total.remaining_s,
        "lagSeconds": None if progress.changes is None else progress.changes.lag_s,
        "alerts": [shaping.alert(item) for item in progress.alerts],
    }


def table_side(table: TableProgress | None) -> dict[str, Any] | None:
    """A table of one of two runs."""
    if table is None:
        return None
    return {
        "status": table.state.value,
        "seconds": table.seconds,
        "rows": table.rows_written,
        "rejected": table.rows_rejected,
        "changes": table.changes,
        "bytes": table.bytes_read,
        "rowsPerSecond": table.rows_written / table.seconds if table.seconds else 0.0,
        "error": table.error,
    }
