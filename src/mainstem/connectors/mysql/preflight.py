"""Named checks of a MySQL or MariaDB server before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.contract.inspector import Finding, Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor


def run(connection: Connection[Cursor], settings: ConnectionSettings, role: Role, options: RunOptions) -> list[Finding]:
    """All findings, in the order of the checks."""
    return []
