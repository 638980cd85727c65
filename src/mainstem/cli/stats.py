"""Reads the server's ``GET /streams/{id}/stats`` as a `RunView`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstem.cli.view import RunView, Standing, TableView, by_severity
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import Rejected


def view_of_stats(stats: Mapping[str, Any]) -> RunView:
    """What there is to show of a run on a server."""
    schemas = len({str(table["target"]).partition(".")[0] for table in stats["tables"]}) > 1
    return RunView(
        id=str(stats["id"]),
        state=str(stats["status"]),
        stage=str(stats["stage"]),
        seconds=float(stats["elapsed"]),
        tables=tuple(_table(table, schemas) for table in stats["tables"]),
        report=by_severity([report_item(item) for item in stats["report"]]),
        rejected=tuple(
            Rejected(_table_id(row["table"]), row["key"], row["column"], row["reason"]) for row in stats["rejected"]
        ),
        error=str(stats["error"]),
        remedy=str(stats["remedy"]),
        error_code=str(stats["code"]),
        standing=_standing(stats.get("changes")),
    )


def _standing(changes: Mapping[str, Any] | None) -> Standing | None:
    if changes is None:
        return None
    return Standing(
        position=str(changes["position"]),
        lag_s=float(changes["lagSeconds"]),
        lag_bytes=changes["lagBytes"],
        lag_transactions=changes["lagTransactions"],
        transactions=changes["transactions"],
        held_bytes=changes["heldBytes"],
    )


def _table(table: Mapping[str, Any], schemas: bool) -> TableView:
    target = str(table["target"])
    return TableView(
        name=(target if schemas else target.partition(".")[2]) or str(table["name"]),
        state=str(table["status"]),
        read=table["rowsRead"],
        written=table["rowsWritten"],
        rejected=table["rowsRejected"],
        size=table["bytes"],
        estimate=table["rowsEstimate"],
        seconds=table["elapsed"],
        error=str(table["error"]),
        coerced=table["coerced"],
        remedy=str(table["remedy"]),
        operations=table["operations"],
        operation_rates=table["operationsPerSecond"],
        missing=table["missing"],
        letters=table["deadLetters"],
    )


def report_item(item: Mapping[str, Any]) -> ReportItem:
    """An item of the server's report."""
    return ReportItem(Severity(item["severity"]), item["code"], item["object"], item["message"], item["remedy"])


def _table_id(text: str) -> TableId:
    schema, _, name = text.rpartition(".")
    return TableId(schema, name)
