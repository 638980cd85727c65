"""Connections, configs, streams, plans and log lines as the JSON that clients expect. Never a secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mainstem.contract.store import ConfigRecord, ConnectionRecord, LogLine, StreamRecord
from mainstem.control.clock import seconds
from mainstem.control.config_body import CDC
from mainstem.control.preflight import RoleFinding, finding_json
from mainstem.control.states import allowed
from mainstem.model.plan import MigrationPlan, ReportItem
from mainstem.model.run import Progress


def connection(record: ConnectionRecord, *, with_spec: bool = False) -> dict[str, Any]:
    """A connection: flat members; for later clients the same once more as ``spec``."""
    address = {
        "host": record.host,
        "port": record.port,
        "username": record.username,
        "database": record.database,
        "schema": record.schema,
    }
    shape: dict[str, Any] = {
        "id": record.id,
        "created": seconds(record.created_us),
        "name": record.name,
        "type": record.type,
        **address,
    }
    if record.read_only:
        shape["readOnly"] = True
    if record.flavor:
        shape["flavor"] = record.flavor
    if record.ssl_mode:
        files = [field.removeprefix("ssl.") for field in record.secrets if field.startswith("ssl.")]
        shape["ssl"] = {"mode": record.ssl_mode, **{f"has_{name}": True for name in files}}
    if with_spec:
        shape["spec"] = {"database": address}
    return shape


def config(record: ConfigRecord, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """A config in the shape that was sent."""
    shape = {**record.body, "id": record.id, "name": record.name, "created": seconds(record.created_us)}
    if not isinstance(record.body.get("source"), dict) and record.mode != CDC:
        shape["mode"] = "convert"  # the other words for it came with the later shape
    return {**shape, "warnings": list(warnings)} if warnings else shape


def stream(record: StreamRecord) -> dict[str, Any]:
    """A stream as lists show it."""
    return {
        "id": record.id,
        "configId": record.config_id,
        "name": record.config_name,
        "mode": record.mode,
        "source": record.source_id,
        "target": record.target_id,
        "status": record.state.value,
        "created": seconds(record.created_us),
        "started": seconds(record.started_us),
        "finished": seconds(record.finished_us),
        "message": record.message,
        "error": record.error,
        "code": record.error_code,
        "remedy": record.remedy,
        "allowed": allowed(record.state),
    }


def history(record: StreamRecord, progress: Progress) -> dict[str, Any]:
    """A finished or running stream as a line of its config's history."""
    return {
        "id": record.id,
        "configId": record.config_id,
        "streamId": record.id,
        "timestamp": iso(record.started_us or record.created_us),
        "durationMs": int(progress.elapsed_s * 1000),
        "status": record.state.value,
        "dataSize": progress.bytes_read,
        "rowsInserted": progress.rows_written,
        "rowsSkipped": progress.rows_rejected,
        "errorMessage": record.error,
    }


def plan(made: MigrationPlan, findings: Sequence[RoleFinding]) -> dict[str, Any]:
    """A plan: tables with estimates, statements in their order, the report, and what preflight found."""
    return {
        "findings": [finding_json(item) for item in findings],
        "tables": [
            {
                "source": str(table.source),
                "target": str(table.target),
                "rowsEstimate": table.rows_estimate,
                "bytesEstimate": table.bytes_estimate,
                "columns": [
                    {"source": column.source, "target": column.target, "type": column.target_type}
                    for column in table.columns
                ],
            }
            for table in made.tables
        ],
        "statements": [{"phase": item.phase.value, "object": item.object, "sql": item.sql} for item in made.statements],
        "report": [report_item(item) for item in made.report],
    }


def report_item(item: ReportItem) -> dict[str, str]:
    """One thing that changes on the way or is left out."""
    return {
        "severity": item.severity.value,
        "code": item.code,
        "object": item.object,
        "message": item.message,
        "remedy": item.remedy,
    }


def log_line(line: LogLine) -> dict[str, Any]:
    """A line of a stream's log."""
    event = line.event
    return {
        **event.data,
        "number": line.number,
        "streamId": line.stream_id,
        "level": event.level.value,
        "timestamp": iso(event.at_us),
        "message": event.message,
        "type": event.part,
        "category": event.category.value,
    }


def iso(at_us: int) -> str:
    """A time in ISO 8601, UTC; empty for "not yet"."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat().replace("+00:00", "Z") if at_us else ""
