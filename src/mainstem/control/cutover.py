"""A cut-over's outcome as the API and the command line tell it."""

from __future__ import annotations

from typing import Any

from mainstem.model.cutover import CutoverReport


def report_json(report: CutoverReport) -> dict[str, Any]:
    """Everything that was found, as JSON."""
    return {
        "safe": report.safe,
        "position": report.position,
        "waitedSeconds": round(report.waited_s, 3),
        "problems": list(report.problems),
        "counters": list(report.counters),
        "tables": [
            {
                "table": str(item.source),
                "target": str(item.target),
                "sourceRows": item.source_rows,
                "targetRows": item.target_rows,
                "same": item.same,
                "note": item.note,
            }
            for item in report.tables
        ],
    }
