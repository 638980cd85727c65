"""The SQL console's findings as JSON."""

from __future__ import annotations

from typing import Any

from mainstem.api import cells
from mainstem.contract.console import Names, PlanNode
from mainstem.contract.effects import Statement
from mainstem.contract.scripts import place
from mainstem.contract.store import QueryRecord
from mainstem.control.console import Outcome, Result

_MICROSECONDS = 1_000_000


def statement(found: Statement) -> dict[str, Any]:
    """A statement of a script."""
    return {
        "text": found.text, "start": found.start, "end": found.end, "verb": found.verb, "effect": found.effect.value,
        "warning": found.warning, "readOnlyAllows": found.harmless,
    }  # fmt: skip


def answer(outcome: Outcome, query: str, *, results_only: bool) -> dict[str, Any]:
    """What a script came to, in full."""
    found = results(outcome, query)
    first = next((one for one in found if one["columns"]), None)
    flat = {} if results_only or first is None else first
    return {
        "status": "ok",
        "columns": [column["name"] for column in flat.get("columns", ())],
        "rows": flat.get("rows", []),
        "results": found,
        "affected_rows": sum(one.affected or 0 for one in outcome.results),
        "affectedObjects": sorted({name for one in outcome.results for name in one.statement.objects}),
        "readOnly": outcome.read_only,
        "durationMs": outcome.duration_ms,
    }


def results(outcome: Outcome, query: str) -> list[dict[str, Any]]:
    """The results of a script's statements."""
    return [_result(one, query) for one in outcome.results]


def _result(found: Result, query: str) -> dict[str, Any]:
    return {
        "columns": cells.columns(found.columns),
        "rows": cells.rows(found.rows),
        "commandTag": found.tag,
        "rowsAffected": found.affected,
        "notices": found.notices,
        "truncated": found.truncated,
        "rolledBack": found.rolled_back,
        "durationMs": found.duration_ms,
        "start": found.statement.start,
        "end": found.statement.end,
        "verb": found.statement.verb,
        "effect": found.statement.effect.value,
        "error": _error(found, query),
    }


def _error(found: Result, query: str) -> dict[str, Any] | None:
    refusal = found.refusal
    if refusal is None:
        return None
    position = None if refusal.position is None else found.statement.start + refusal.position
    line, column = (None, None) if position is None else place(query, position)
    return {
        "message": refusal.message, "code": refusal.code, "detail": refusal.detail, "hint": refusal.hint,
        "position": position, "line": line, "column": column,
    }  # fmt: skip


def plan(node: PlanNode) -> dict[str, Any]:
    """A step of a plan, with those below it."""
    return {
        "title": node.title,
        "facts": [{"name": name, "value": value} for name, value in node.facts],
        "rows": node.rows,
        "cost": node.cost,
        "loops": node.loops,
        "actualRows": node.actual_rows,
        "actualMs": node.actual_ms,
        "children": [plan(child) for child in node.children],
    }


def names(found: Names) -> dict[str, Any]:
    """Names for completion."""
    return {
        "defaultSchema": found.default_schema,
        "schemas": list(found.schemas),
        "tables": [{"schema": one.schema, "name": one.name, "columns": list(one.columns)} for one in found.tables],
        "whole": found.whole,
    }


def history_line(record: QueryRecord) -> dict[str, Any]:
    """SQL that was run."""
    return {
        "number": record.number,
        "at": record.at_us / _MICROSECONDS,
        "connectionId": record.connection_id,
        "connectionName": record.connection_name,
        "database": record.database,
        "query": record.query,
        "status": record.status,
        "error": record.error,
        "durationMs": record.duration_ms,
        "rows": record.rows,
    }
