"""Several connections at one point in time, with the shortest lock that the server allows, or none.

MariaDB tells, inside a consistent snapshot, where the binary log stood when it was taken (status variables
``binlog_snapshot_file`` and ``binlog_snapshot_position``; MariaDB manual, "Enhancements for START TRANSACTION WITH
CONSISTENT SNAPSHOT"): snapshots with equal positions are equal, and no lock is needed. Elsewhere a global read lock is
held for the moment that it takes to start the transactions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainstem.connectors.mysql.client import translate_error
from mainstem.errors import MainstemError, StatementError, TransientError

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

START = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
LOCK_WAIT_S = 3
TRIES_WITHOUT_LOCK = 10


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the connections share the point in time, where the log stood, and why not all of them."""

    readers: int
    position: str
    note: str = ""


def agree(connections: Sequence[Connection[Cursor]], locker: Connection[Cursor]) -> Agreement:
    """Start a read-only snapshot transaction in each connection so that all see the same rows.

    Args:
        connections: those that will read; ``locker`` is one more, used for the lock and free afterwards.
    Returns:
        With no other way, only the first connection is in the snapshot and the note says what right is missing.
    """
    agreement = _without_lock(connections) or _under_lock(connections, locker)
    if agreement is not None:
        return agreement
    _execute(connections[0], START)
    return Agreement(
        1,
        _position(connections[0]),
        "one reader only: several readers need RELOAD (or, on MariaDB, the binary log and BINLOG MONITOR)"
        " to start at the same point in time",
    )


def _without_lock(connections: Sequence[Connection[Cursor]]) -> Agreement | None:
    for _ in range(TRIES_WITHOUT_LOCK):
        for connection in connections:
            _execute(connection, START)
        positions = {_snapshot_position(connection) for connection in connections}
        if len(positions) == 1 and "" not in positions:
            return Agreement(len(connections), positions.pop())
        if len(connections) == 1:
            return Agreement(1, positions.pop())
        for connection in connections:
            _execute(connection, "ROLLBACK")
        if "" in positions:
            return None
    return None


def _under_lock(connections: Sequence[Connection[Cursor]], locker: Connection[Cursor]) -> Agreement | None:
    try:
        _execute(locker, f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}")
        _execute(locker, "FLUSH TABLES WITH READ LOCK")
    except (StatementError, TransientError):
        return None
    try:
        for connection in connections:
            _execute(connection, START)
        position = _position(locker)
    finally:
        _execute(locker, "UNLOCK TABLES")
    return Agreement(len(connections), position)


def _snapshot_position(connection: Connection[Cursor]) -> str:
    rows = dict(_execute(connection, "SHOW STATUS LIKE 'binlog_snapshot_%'"))
    lowered = {str(name).lower(): value for name, value in rows.items()}
    file = lowered.get("binlog_snapshot_file")
    if not file:
        return ""
    return json.dumps({"file": file, "position": int(lowered["binlog_snapshot_position"])})


def _position(connection: Connection[Cursor]) -> str:
    """Where the binary log stands, or empty when the server does not say (no log, no right to ask)."""
    for question in ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"):
        with suppress(MainstemError):
            rows = _execute(connection, question)
            return json.dumps({"file": rows[0][0], "position": int(rows[0][1])}) if rows else ""
    return ""


def _execute(connection: Connection[Cursor], sql: str) -> Sequence[tuple[Any, ...]]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return tuple(cursor.fetchall())
    except Exception as exc:
        raise translate_error(exc) from exc
