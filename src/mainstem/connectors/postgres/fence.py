"""Which process may write what belongs to a run or a stream: the one with the highest token that the target has seen.

The token stands in the line of the run or stream (column ``fence``). Whoever begins raises it to his own; whatever is
written later compares it within its own transaction, with the line held in shared mode, so that a commit is either
before the next one's begin, or is none. What a former holder's sessions still keep locked would have to be waited for,
for hours if its machine is cut off: they are ended. They are known by their ``application_name``, which says token and
id.

Source: PostgreSQL manual, "Explicit Locking" (row-level locks), "Server Signaling Functions", "application_name".
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from mainstem.errors import TakenOverError, TransientError

SCHEMA = "mainstem"
Connection = psycopg.Connection[Any]

_NAME = re.compile(r"mainstem (\w+) (\d+) (\S+)")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,27}")  # behind a token of 19 digits; the server keeps 63 bytes of a name
_CUT = 18
_WAIT_S = 30.0  # for what a former holder keeps locked
_LOCK_WAIT = "SET LOCAL lock_timeout = '1s'"
_ENDED_S = 5.0
_LOOK_AGAIN_S = 0.05
_SESSIONS = (
    "SELECT pid, application_name FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()"
    " AND application_name LIKE 'mainstem %%' AND pid <> pg_catalog.pg_backend_pid()"
)
_END = (
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
    " WHERE pid = %s AND application_name = %s"
)


@dataclass(frozen=True, slots=True)
class Session:
    """A connection of ours, as its name tells. ``part``: what it does (``apply``, ``load``, …)."""

    pid: int
    name: str
    part: str
    token: int
    id: str


@dataclass(frozen=True, slots=True)
class Fence:
    """One process's claim to a run or stream.

    Attributes:
        table: of schema ``mainstem``, whose line it is: ``run`` or ``stream``.
        token: 0 claims nothing, and nothing is compared.
    """

    table: str
    id: str
    token: int

    def name(self, part: str) -> str:
        """The ``application_name`` of a connection; a process without token has no name of its own."""
        return session_name(part, self.token, self.id)

    def claim(self, connection: Connection, *, alone: str = "") -> list[int]:
        """Raise the fence to this token, if the line is there, and end the sessions of former holders.

        Args:
            alone: of this part there is only one connection: an earlier one of this very process is ended, too.
        Returns:
            The pids of those that could not be ended: they can't commit, but may keep something locked.

        Raises:
            TakenOverError: a higher token is there.
            TransientError: a former holder keeps the line locked, and may not be ended.
        """
        if not self.token:
            return []
        deadline = time.monotonic() + _WAIT_S
        if self._is_there(connection):
            while not self._raise(connection):
                left = self._end_older(connection, alone)
                if time.monotonic() > deadline:
                    raise in_the_way(left)
        return self._end_older(connection, alone)

    def end_own(self, connection: Connection, part: str, pid: int) -> None:
        """End a connection of this very token. Raises `TransientError` when it does not go away."""
        own = [
            session
            for session in sessions(connection, self.id)
            if (session.pid, session.part, session.token) == (pid, part, self.token)
        ]
        if left := end_sessions(connection, own):
            raise in_the_way(left)

    def hold(self, connection: Connection) -> None:
        """Within a transaction: raise `TakenOverError` unless the fence is at this token, as it is until the end."""
        if not self.token:
            return
        try:
            row = connection.execute(
                f"SELECT fence FROM {SCHEMA}.{self.table} WHERE {self.table}_id = %s FOR SHARE".encode(), (self.id,)
            ).fetchone()
        except errors.UndefinedTable as exc:
            raise self.taken_over(None) from exc
        if row != (self.token,):
            raise self.taken_over(None if row is None else row[0])

    def check(self, connection: Connection) -> None:
        """Raise `TakenOverError` if the fence is higher than this token now."""
        found = self.seen(connection) if self.token else None
        if found is not None and found > self.token:
            raise self.taken_over(found)

    def seen(self, connection: Connection) -> int | None:
        """The highest token that was here; None if the target does not know the run or stream."""
        try:
            row = connection.execute(
                f"SELECT fence FROM {SCHEMA}.{self.table} WHERE {self.table}_id = %s".encode(), (self.id,)
            ).fetchone()
        except errors.UndefinedTable:
            return None
        return None if row is None else int(row[0])

    def taken_over(self, found: int | None) -> TakenOverError:
        """That another process has it, or has ended it."""
        did = "has taken this {0} over" if found is not None else "has ended this {0}"
        return TakenOverError(
            f"another process {did.format(self.table)} in the target", **{self.table: self.id}, fence=found
        )

    def _is_there(self, connection: Connection) -> bool:
        """Whether there are lines at all; those of an earlier version get the column."""
        row = connection.execute(
            "SELECT c.oid IS NOT NULL, a.attname IS NOT NULL FROM (SELECT pg_catalog.to_regclass(%s) AS oid) c"
            " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'fence'",
            (f"{SCHEMA}.{self.table}",),
        ).fetchone()
        there, has = row or (False, False)
        if there and not has:
            add_column(connection, self.table)
        return bool(there)

    def _raise(self, connection: Connection) -> bool:
        """False when somebody holds the line for long."""
        key = f"{self.table}_id"
        try:
            with connection.transaction():
                connection.execute(_LOCK_WAIT)
                connection.execute(
                    f"UPDATE {SCHEMA}.{self.table} SET fence = %s WHERE {key} = %s AND fence < %s".encode(),
                    (self.token, self.id, self.token),
                )
        except errors.LockNotAvailable:
            return False
        except errors.UndefinedTable:  # another run was the last one, and ended
            return True
        self.check(connection)
        return True

    def _end_older(self, connection: Connection, alone: str) -> list[int]:
        older = [
            session
            for session in sessions(connection, self.id)
            if session.token < self.token or (session.token == self.token and session.part == alone)
        ]
        return end_sessions(connection, older)


def session_name(part: str, token: int, id_: str) -> str:
    """The ``application_name`` of a connection that works for a token."""
    return f"mainstem {part} {token} {_told(id_)}" if token else "mainstem"


def sessions(connection: Connection, id_: str) -> list[Session]:
    """The connections, but for this one, that work in this database for a run, stream or slot, with any token."""
    found = []
    for pid, name in connection.execute(_SESSIONS.encode(), ()).fetchall():
        told = _NAME.fullmatch(name)
        if told and told[3] == _told(id_):
            found.append(Session(pid, name, told[1], int(told[2]), told[3]))
    return found


def end_sessions(connection: Connection, them: list[Session]) -> list[int]:
    """End connections, and wait until they have gone, if they do soon; the pids of those that are still there."""
    left, kept = set(), []
    for session in them:
        try:
            connection.execute(_END.encode(), (session.pid, session.name))
            left.add(session.pid)
        except errors.InsufficientPrivilege:
            kept.append(session.pid)
            from mainstem.log import logger  # its library takes longer to load than all else here

            logger(__name__).warning(
                "a former holder's session may not be ended", pid=session.pid, session=session.name
            )
    deadline = time.monotonic() + _ENDED_S
    while left and time.monotonic() < deadline:
        rows = connection.execute("SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = ANY(%s)", (list(left),))
        left &= {pid for (pid,) in rows}
        if left:
            time.sleep(_LOOK_AGAIN_S)
    return sorted([*left, *kept])


def in_the_way(pids: list[int]) -> TransientError:
    """That sessions of former holders keep something locked and could not be ended."""
    if not pids:
        return TransientError("another session keeps the book in PostgreSQL locked", remedy="try again")
    calls = ", ".join(f"pg_terminate_backend({pid})" for pid in pids)
    return TransientError(
        "sessions of a process that had this before are still there in PostgreSQL, and could not be ended",
        remedy=f"as a superuser: SELECT {calls}",
    )


def add_column(connection: Connection, table: str) -> None:
    """For books that an earlier version has made. Raises the driver's errors."""
    connection.execute(
        f"ALTER TABLE {SCHEMA}.{table} ADD COLUMN IF NOT EXISTS fence bigint NOT NULL DEFAULT 0".encode()
    )


def _told(id_: str) -> str:
    if _PLAIN.fullmatch(id_):
        return id_
    plain = re.sub("[^A-Za-z0-9_.-]", "_", id_[:_CUT])
    return f"{plain}.{hashlib.sha256(id_.encode()).hexdigest()[:8]}"
