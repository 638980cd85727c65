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
LOCK_TRIES = 5
TRIES_WITHOUT_LOCK = 10


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the connections share the point in time, where the log stood, and why not all of them."""

    readers: int
    position: str
    note: str = ""


def agree(connections: Sequence[Connection[Cursor]], locker: Connection[Cursor], *, exact: bool = False) -> Agreement:
    """Start a read-only snapshot transaction in each connection so that all see the same rows.

    Args:
        connections: those that will read; ``locker`` is one more, used for the lock and free afterwards.
        exact: the position is needed: a transaction is in the snapshot or behind it in the log.
    Returns:
        With no other way, only the first connection is in the snapshot and the note says what right is missing.

    Raises:
        StatementError: the position is needed, and the right that it takes is missing.
        TransientError: likewise, and the lock was not granted in time.
    """
    agreement = _without_lock(connections)
    if agreement is not None and (agreement.position or not exact):
        return agreement
    for tries_left in reversed(range(LOCK_TRIES if exact else 1)):
        try:
            return _under_lock(connections, locker)
        except (StatementError, TransientError) as exc:
            if exact and (isinstance(exc, StatementError) or not tries_left):
                raise _no_lock(exc) from exc
    _execute(connections[0], START)
    return Agreement(
        1,
        _position(connections[0]),
        "one reader only: several readers need RELOAD (or, on MariaDB, the binary log and BINLOG MONITOR)"
        " to start at the same point in time",
    )


def _no_lock(exc: MainstemError) -> MainstemError:
    """Why the place of a snapshot in the log cannot be told."""
    if isinstance(exc, TransientError):
        return TransientError(
            "no global read lock was granted in time, which is taken for a moment to tell the snapshot's place in the"
            " log",
            remedy="end the long queries on the server, or start when it is quieter",
        )
    return StatementError(
        "the place of a snapshot in the server's log cannot be told: the lock that this takes for a moment is refused",
        remedy="GRANT RELOAD, REPLICATION CLIENT ON *.* TO the user; on MariaDB, BINLOG MONITOR is enough",
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


def _under_lock(connections: Sequence[Connection[Cursor]], locker: Connection[Cursor]) -> Agreement:
    _execute(locker, f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}")
    _execute(locker, "FLUSH TABLES WITH READ LOCK")
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
            return _told(rows[0]) if rows else ""
    return ""


def _told(row: Sequence[Any]) -> str:
    gtids = "".join(str(row[4]).split()) if len(row) > 4 and row[4] else ""  # MySQL's Executed_Gtid_Set
    found: dict[str, Any] = {"file": row[0], "position": int(row[1])}
    return json.dumps({**found, "gtid": gtids} if gtids else found)


def _execute(connection: Connection[Cursor], sql: str) -> Sequence[tuple[Any, ...]]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return tuple(cursor.fetchall())
    except Exception as exc:
        raise translate_error(exc) from exc
