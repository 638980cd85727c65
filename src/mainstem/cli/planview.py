"""Prints a plan: the DDL, and what changes on the way or is left out."""

from __future__ import annotations

import typer

from mainstem.cli.terminal import Terminal
from mainstem.cli.view import by_severity
from mainstem.ddl.script import render_sql
from mainstem.model.plan import MigrationPlan, Severity


def print_plan(terminal: Terminal, plan: MigrationPlan) -> None:
    """The DDL with the report as comments, fit for a file; a summary beside it on stderr. Or JSON."""
    if terminal.json:
        terminal.document(plan_document(plan))
        return
    typer.echo(render_sql(plan))
    rows = sum(table.rows_estimate for table in plan.tables)
    told = [item for item in plan.report if item.severity is not Severity.INFO]
    terminal.hint(f"{len(plan.tables)} tables, about {rows:,} rows, {len(told)} warnings; nothing was touched")


def plan_document(plan: MigrationPlan) -> dict[str, object]:
    """A plan as the JSON document of ``copy --dry-run --json``."""
    return {
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
            for table in plan.tables
        ],
        "statements": [
            {"phase": statement.phase.value, "object": statement.object, "sql": statement.sql}
            for statement in plan.statements
        ],
        "sql": render_sql(plan),
        "report": [
            {
                "severity": item.severity.value,
                "code": item.code,
                "object": item.object,
                "message": item.message,
                "remedy": item.remedy,
            }
            for item in by_severity(plan.report)
        ],
    }
