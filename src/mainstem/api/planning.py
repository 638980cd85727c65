"""Plans and equivalents of configs that need not be saved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from mainstem.api import plan_models
from mainstem.api.bodies import read_object
from mainstem.api.documents import json_body
from mainstem.api.problems import problem
from mainstem.api.services import Plane, Services
from mainstem.api.shapes import report_item
from mainstem.control.config_body import EarlyConfig, LaterConfig
from mainstem.control.equivalents import Equivalents, equivalents
from mainstem.control.planning import Estimate, Outlook, outlook, written
from mainstem.control.preflight import finding_json
from mainstem.model.plan import MigrationPlan, ReportItem, TablePlan

router = APIRouter(tags=["stream-configs"])
_BODY = json_body(EarlyConfig, LaterConfig)


@router.post("/stream-configs/plan", response_model=plan_models.Outlook, openapi_extra=_BODY)
async def plan_unsaved(request: Request, plane: Plane) -> Any:
    """What a start of this config would do: the DDL of both sides, what changes on the way, estimates. Touches nothing.

    Where the target's state stands in the way, ``problem`` says so beside the findings.
    """
    body = await read_object(request)
    return await asyncio.to_thread(_planned, plane, body)


@router.post("/stream-configs/equivalents", response_model=plan_models.Equivalents, openapi_extra=_BODY)
async def equivalents_of_unsaved(
    request: Request,
    plane: Plane,
    config_id: Annotated[str, Query(alias="configId", description="the saved config that this one would replace")] = "",
) -> Any:
    """The same config as calls of this API, as a command line and as YAML. No database is asked."""
    body = await read_object(request)
    return await asyncio.to_thread(_equivalents, plane, body, str(request.base_url), config_id)


def _planned(plane: Services, body: dict[str, Any]) -> dict[str, Any]:
    meant = plane.configs.understood(body)
    found = outlook(plane.store, meant)
    plan = found.plan or MigrationPlan((), ())
    mine = _Reports(plan)
    sql = written(plan)
    return {
        "findings": [finding_json(item) for item in found.findings],
        "warnings": list(meant.definition.warnings),
        "problem": None if found.obstacle is None else problem(found.obstacle),
        "tables": [_table(table, found, sql.get(table.target, ""), mine) for table in plan.tables],
        "statements": [
            {"phase": item.phase.value, "object": item.object, "sql": item.sql}
            for item in plan.statements
            if item.table is None
        ],
        "report": [report_item(item) for item in mine.others],
        "skipped": [str(table) for table in plan.skipped],
        "estimate": None if found.estimate is None else _estimate(found.estimate),
    }


class _Reports:
    """The report's items by the table that they are about, which their objects begin with."""

    def __init__(self, plan: MigrationPlan) -> None:
        self._of: dict[str, list[ReportItem]] = {}
        for table in plan.tables:
            items = self._of.setdefault(str(table.source), [])
            self._of[str(table.target)] = items
        self.others: list[ReportItem] = []
        for item in plan.report:
            self._of.get(self._table(item.object), self.others).append(item)

    def _table(self, name: str) -> str:
        """The longest beginning of the name, up to a point, that is a table's."""
        while name and name not in self._of:
            name = name.rpartition(".")[0]
        return name

    def of(self, table: TablePlan) -> Sequence[ReportItem]:
        """Those of a table."""
        return self._of[str(table.source)]


def _table(table: TablePlan, found: Outlook, sql: str, reports: _Reports) -> dict[str, Any]:
    items = reports.of(table)
    return {
        "source": str(table.source),
        "target": str(table.target),
        "query": table.query,
        "where": table.where,
        "rowsEstimate": table.rows_estimate,
        "bytesEstimate": table.bytes_estimate,
        "keyed": table.keyed,
        "exists": table.target in found.existing,
        "columns": [
            {
                "source": column.source,
                "target": column.target,
                "sourceType": column.native,
                "targetType": column.target_type,
                "nullable": column.nullable,
                "report": [
                    report_item(item)
                    for item in items
                    if item.object in (f"{table.source}.{column.source}", f"{table.target}.{column.target}")
                ],
            }
            for column in table.columns
        ],
        "sourceSql": "" if table.query else found.source_sql.get(table.source, ""),
        "targetSql": sql,
        "report": [report_item(item) for item in items],
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    basis = "these_connections" if found.same_pair else "other_connections"
    return {
        "rows": found.rows,
        "bytes": found.row_bytes,
        "indexBytes": found.index_bytes,
        "seconds": found.seconds,
        "bytesPerSecond": found.bytes_per_second,
        "basis": basis if found.runs else "default",
        "runs": found.runs,
    }


def _equivalents(plane: Services, body: dict[str, Any], base_url: str, config_id: str) -> dict[str, Any]:
    meant = plane.configs.understood(body)
    found: Equivalents = equivalents(meant, base_url.rstrip("/"), config_id)
    return {
        "rest": [
            {"method": call.method, "path": call.path, "body": call.body, "curl": call.curl} for call in found.rest
        ],
        "cli": {
            "command": found.command,
            "needsFile": found.needs_file,
            "reasons": list(found.reasons),
            "variables": list(found.variables),
            "files": list(found.files),
        },
        "yaml": found.yaml,
        "warnings": list(meant.definition.warnings),
    }
