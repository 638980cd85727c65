"""Records as the JSON that clients expect. Never a secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from mainstem.contract.inspector import DatabaseInfo
from mainstem.contract.store import ConfigRecord, ConnectionRecord, LogLine, StreamRecord
from mainstem.control.clock import seconds
from mainstem.control.preflight import RoleFinding, finding_json
from mainstem.control.progress import Rate
from mainstem.control.states import allowed
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, ReportItem
from mainstem.model.run import Progress, TableProgress
from mainstem.model.schema import Catalog, Table

_ERA_PARAMETERS = ("search", "limit", "offset")


def listed(request: Request, items: Sequence[dict[str, Any]]) -> Any:
    """A bare array; the later envelope for a client that shows, by a header or a parameter, that it knows it."""
    query = request.query_params
    if "x-install-id" not in request.headers and not any(name in query for name in _ERA_PARAMETERS):
        return list(items)
    search = query.get("search", "").lower()
    found = [item for item in items if search in str(item.get("name", "")).lower()]
    offset = int(query["offset"]) if query.get("offset", "").isdigit() else 0
    limit = int(query["limit"]) if query.get("limit", "").isdigit() else len(found)
    page = found[offset : offset + limit]
    return {"items": page, "total": len(items), "filtered": len(found), "search": search, "limit": limit,
            "offset": offset}  # fmt: skip


def connection(record: ConnectionRecord) -> dict[str, Any]:
    """A connection: flat members, and the same as ``spec``."""
    database = {
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
        **database,
        "spec": {"database": database},
    }
    if record.flavor:
        shape["flavor"] = record.flavor
    if record.ssl_mode:
        shape["ssl"] = {
            "mode": record.ssl_mode,
            **{f"has_{field.removeprefix('ssl.')}": True for field in record.secrets if field.startswith("ssl.")},
        }
    return shape


def config(record: ConfigRecord) -> dict[str, Any]:
    """A config in the shape that was sent."""
    return {**record.body, "id": record.id, "name": record.name, "created": seconds(record.created_us)}


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
        "timestamp": seconds(record.started_us or record.created_us),
        "durationMs": int(progress.elapsed_s * 1000),
        "status": record.state.value,
        "dataSize": progress.bytes_read,
        "rowsInserted": progress.rows_written,
        "rowsSkipped": progress.rows_rejected,
        "errorMessage": record.error,
    }


def stats(record: StreamRecord, progress: Progress, total: Rate, rates: dict[TableId, Rate]) -> dict[str, Any]:
    """Counters in every form that known clients read: nodes, source and target, tables, totals."""
    status, elapsed = record.state.value, progress.elapsed_s
    started = _iso(record.started_us)
    nodes = []
    for kind, count, failed in (
        ("source", progress.rows_read, 0),
        ("target", progress.rows_written, progress.rows_rejected),
    ):
        counters = {
            "counter": count,
            "failedCounter": failed,
            "sumDataSize": progress.bytes_read,
            "avgRate": progress.bytes_read / elapsed if elapsed else 0.0,
            "status": status,
        }
        stat = {
            **counters, "prevDataSize": progress.bytes_read, "reportingInterval": 3, "start": started,
            "duration": int(elapsed * 1e9),
        }  # fmt: skip
        nodes.append({"id": f"{kind}-{record.id}", "type": kind, "stat": stat, **counters})
    sides = {
        str(node["type"]): {
            "counter": node["counter"], "elapsed": f"{elapsed:.3f}s", "started": started, "status": status,
            "sumDataSize": progress.bytes_read,
        }
        for node in nodes
    }  # fmt: skip
    return {
        **stream(record),
        "configID": record.config_id,
        "streamID": record.id,
        "stage": progress.stage,
        "elapsed": elapsed,
        "nodes": nodes,
        "source": sides["source"],
        "target": sides["target"],
        "totals": {
            "rowsRead": progress.rows_read,
            "rowsWritten": progress.rows_written,
            "rowsRejected": progress.rows_rejected,
            "bytes": progress.bytes_read,
            **_rate(total),
        },
        "tables": [_table_stats(table, rates.get(table.source, Rate())) for table in progress.tables],
        "rejected": [
            {"table": str(row.table), "key": row.key, "column": row.column, "reason": row.reason}
            for row in progress.rejected
        ],
        "report": [report_item(item) for item in progress.report],
    }


def _rate(rate: Rate) -> dict[str, float | None]:
    return {"rowsPerSecond": rate.rows, "bytesPerSecond": rate.bytes, "remainingSeconds": rate.remaining_s}


def _table_stats(table: TableProgress, rate: Rate) -> dict[str, Any]:
    return {
        "name": str(table.source),
        "target": str(table.target),
        "status": table.state.value,
        "rowsEstimate": table.rows_estimate,
        "rowsRead": table.rows_read,
        "rowsWritten": table.rows_written,
        "rowsRejected": table.rows_rejected,
        "bytes": table.bytes_read,
        "elapsed": table.seconds,
        "chunksDone": table.chunks_done,
        "chunksTotal": table.chunks_total,
        "coerced": table.coerced,
        "error": table.error,
        **_rate(rate),
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


def log_line(line: LogLine) -> dict[str, Any]:
    """A line of a stream's log."""
    event = line.event
    return {
        "number": line.number,
        "streamId": line.stream_id,
        "level": event.level.value,
        "timestamp": _iso(event.at_us),
        "message": event.message,
        "type": event.part,
        "category": event.category.value,
        **event.data,
    }


def database(info: DatabaseInfo) -> dict[str, Any]:
    """A database with its schemas."""
    shape: dict[str, Any] = {"name": info.name}
    if info.schemas:
        shape["schemas"] = [{"name": name} for name in info.schemas]
    if info.system:
        shape["isSystem"] = True
    return shape


def meta(catalog: Catalog) -> dict[str, Any]:
    """Structure: maps by name."""
    return {
        "tables": {table.id.name: _table_meta(table) for table in catalog.tables},
        "views": {view.id.name: {"definition": view.definition} for view in catalog.views},
        "sequences": {item.id.name: {"startValue": item.start, "lastValue": item.next_value}
                      for item in catalog.sequences},
    }  # fmt: skip


def _table_meta(table: Table) -> dict[str, Any]:
    return {
        "name": table.id.name,
        "schema": table.id.schema,
        "columnsSeq": [column.name for column in table.columns],
        "columns": [
            {
                "name": column.name,
                "dataType": column.type.kind.value,
                "columnType": column.native,
                "isNullable": column.nullable,
                "defaultValue": None if column.default is None else column.default.text,
                "isPrimaryKey": column.name in table.primary_key,
                "autoIncrement": column.identity,
                "comment": column.comment,
            }
            for column in table.columns
        ],
        "primaryKeys": list(table.primary_key),
        "indexes": [
            {
                "name": index.name,
                "columns": [part.column or part.expression for part in index.parts],
                "isUnique": index.unique,
                "type": index.method.value,
            }
            for index in table.indexes
        ],
        "foreignKeys": [
            {
                "name": key.name,
                "sourceColumns": list(key.columns),
                "referencedTable": str(key.parent),
                "referencedColumns": list(key.parent_columns),
                "onUpdate": key.on_update,
                "onDelete": key.on_delete,
            }
            for key in table.foreign_keys
        ],
        "estimatedRows": table.rows_estimate,
        "estimatedSizeBytes": table.bytes_estimate,
    }


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat().replace("+00:00", "Z") if at_us else ""
