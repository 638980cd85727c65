"""Whether a pooler stands before a server that gives each transaction another session.

What is set for a session (that row-level security is an error, that triggers rest), its locks and its temporary tables
would then be missing from ours, and be found in those of others.
Source: PgBouncer's manual, "pool_mode"; PostgreSQL manual, "Message Formats" (BackendKeyData).
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg

from mainstem.connectors.postgres.client import connect
from mainstem.contract.inspector import Finding, failing
from mainstem.model.connection import ConnectionSettings

_WHO = "SELECT pg_catalog.pg_backend_pid()"


def shares_sessions(connection: psycopg.Connection[Any], settings: ConnectionSettings) -> bool:
    """Whether the session of an idle connection is given to another one that begins a transaction.

    A pooler tells its clients process ids of its own; where nobody stands between, nothing more is asked.
    Raises the driver's errors, and `ConnectError`.
    """
    who = _asked(connection)
    if who == connection.info.backend_pid:
        return False
    try:
        with closing(connect(settings)) as other, other.transaction():
            return who == _asked(other) or who != _asked(connection)
    except psycopg.errors.ProtocolViolation:  # not even a transaction has one session
        return True


def _asked(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(_WHO).fetchone()
    return int(row[0]) if row else 0


def pooled(check: str) -> Finding:
    """What a preflight says of it."""
    return failing(
        check,
        "a pooler before the server gives each transaction another session, so that settings, locks and temporary"
        " tables of a run would be lost, and found by others",
        "connect to the server itself, or to a pool of sessions (PgBouncer: pool_mode = session)",
    )
