"""Reads the server's ``GET /streams/{id}/stats`` as a `RunView`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstem.cli.view import RunView, TableView, by_severity
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import Rejected


def view_of_stats(stats: Mapping[str, Any]) -> RunView:
    """What there is to show of a run on a server."""
    raise NotImplementedError(stats, RunView, TableView, by_severity, TableId, ReportItem, Severity, Rejected)
