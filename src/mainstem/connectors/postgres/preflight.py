"""Named checks of a PostgreSQL server before a run."""

from __future__ import annotations

from typing import Any

import psycopg

from mainstem.contract.inspector import Finding, Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions


def run(
    connection: psycopg.Connection[Any], settings: ConnectionSettings, role: Role, options: RunOptions
) -> list[Finding]:
    """All findings, in the order of the checks."""
    return []
