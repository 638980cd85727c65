"""Which process may write what belongs to a run or a stream: the one with the highest token that the target has seen.

The token stands in the line of the run or stream (column ``fence``). Whoever begins raises it to his own; whatever is
written later in a transaction compares it there, with the line locked in shared mode, so that a commit is either before
the next one's begin, or is none. DDL is in no transaction. So every connection of a process with a token has a place
with named locks, one for each bit of its token, and looks at the fence once it holds them; whoever raises the fence
reads the tokens of all places, ends the connections of lower ones, and waits until they have gone. One that comes
later sees the fence.

Source: MySQL manual, "Locking Functions", "KILL Statement", "Locking Reads".
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql

from mainstem.connectors.mysql import client
from mainstem.errors import TakenOverError, TransientError
from mainstem.model.connection import ConnectionSettings

_NO_TABLE, _NO_SUCH_THREAD, _DENIED, _LOCK_WAIT, _THERE_ALREADY, _NO_COLUMN = 1146, 1094, 1095, 1205, 1060, 1054
_CHANGED = 1020  # of MariaDB's innodb_snapshot_isolation: somebody has raised the fence since the transaction began
_CONNECTIONS = 128  # of one token for one run: loaders of every writer, builders, books
_BITS = 63
_WAIT_S = 30.0
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Fence:
    """One process's claim to a run or stream.

    Attributes:
        table: ``mainstem_run`` or ``mainstem_stream``, whose line it is.
        key: the column that ``id`` is in.
        database: the target's; named locks are of the whole server.
        token: 0 claims nothing, and nothing is compared.
    """

    table: str
    key: str
    database: str
    id: str
    token: int

    @property
    def what(self) -> str:
        """``run`` or ``stream``."""
        return self.key.removesuffix("_id")

    def enter(self, connection: Any) -> None:
        """What every connection of this process does first. Raises `TakenOverError`, and the driver's errors."""
        if not self.token:
            return
        first = int(connection.thread_id())
        for number in range(_CONNECTIONS):
            place = (first + number) % _CONNECTIONS
            if _lock(connection, [self._name(place, "begun")]):
                break
        else:
            raise TransientError(f"more than {_CONNECTIONS} connections work for one {self.what}", remedy="try again")
        bits = [self._name(place, bit) for bit in range(_BITS) if self.token >> bit & 1]
        if not _lock(connection, [*bits, self._name(place)]):
            raise TransientError(
                f"the place of a connection of this {self.what} is held by another", remedy="try again"
            )
        found = self.seen(connection)
        if found is not None and found > self.token:
            raise self.taken_over(found)

    def claim(self, connection: Any) -> None:
        """Raise the fence to this token, if the line is there, and end the connections of former holders.

        Raises:
            TakenOverError: a higher token is there.
            TransientError: connections of a former holder do not go away, and might still change structure.
        """
        if not self.token:
            return
        deadline = time.monotonic() + _WAIT_S
        while (raised := self._raise(connection)) is None:
            self._end_older(connection, deadline)
            if time.monotonic() > deadline:
                raise in_the_way([])
        if raised:
            self._end_older(connection, deadline)

    def end_own(self, connection: Any, thread: int) -> None:
        """End a connection that has entered for this. Raises `TransientError` when it does not go away."""
        deadline = time.monotonic() + _WAIT_S
        while thread in _holders(connection, [self._name(place) for place in range(_CONNECTIONS)]):
            kill(connection, thread)
            if time.monotonic() > deadline:
                raise in_the_way([thread])
            time.sleep(_LOOK_AGAIN_S)

    def hold(self, connection: Any) -> None:
        """Within a transaction: raise `TakenOverError` unless the fence is at this token, as it is until the end."""
        if not self.token:
            return
        with self._told():
            found = self.seen(connection, " LOCK IN SHARE MODE")
        if found != self.token:
            raise self.taken_over(found)

    def check(self, connection: Any) -> None:
        """Raise `TakenOverError` unless the fence is at this token now."""
        found = self.seen(connection) if self.token else 0
        if found != self.token:
            raise self.taken_over(found)

    def seen(self, connection: Any, locking: str = "") -> int | None:
        """The highest token that was here; None if the target does not know the run or stream."""
        sql = f"SELECT MAX(fence) FROM {self.table} WHERE {self.key} = %s{locking}"
        try:
            ((found,),) = client.query(connection, sql, (self.id,))
        except pymysql.Error as exc:
            if exc.args and exc.args[0] == _NO_TABLE:
                return None
            if not _lacks_column(connection, self.table, exc):
                raise
            return 0
        return None if found is None else int(found)

    def taken_over(self, found: int | None) -> TakenOverError:
        """That another process has it, or has ended it."""
        did = f"has ended this {self.what}" if found is None else f"has taken this {self.what} over"
        return TakenOverError(f"another process {did} in the target", **{self.what: self.id}, fence=found)

    def _name(self, place: int, part: int | str = "") -> str:
        """A lock of a place: of a bit, or of all of it, which is taken last."""
        digest = hashlib.sha256(f"{self.database}\0{self.table}\0{self.id}".encode()).hexdigest()[:24]
        return f"mainstem.{digest}.{place}.{part}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except pymysql.Error as exc:
            if exc.args and exc.args[0] == _CHANGED:
                raise self.taken_over(self.token + 1) from exc
            raise

    def _raise(self, connection: Any) -> bool | None:
        """Whether former holders' connections are to be looked for; None when one holds the line for long."""
        sql = f"UPDATE {self.table} SET fence = %s WHERE {self.key} = %s AND fence < %s"
        try:
            with _waiting(connection, 1), connection.cursor() as cursor:
                raised = cursor.execute(sql, (self.token, self.id, self.token)) > 0
        except pymysql.Error as exc:
            if exc.args and exc.args[0] == _LOCK_WAIT:
                return None
            if exc.args and exc.args[0] == _NO_TABLE:
                return True
            if not _lacks_column(connection, self.table, exc):
                raise
            _add_column(connection, self.table)
            return self._raise(connection)
        found = self.seen(connection)
        if found is not None and found > self.token:
            raise self.taken_over(found)
        return raised or found is None

    def _end_older(self, connection: Any, deadline: float) -> None:
        left = self._older(connection)
        for thread in left:
            kill(connection, thread)
        while left := left & self._older(connection):
            if time.monotonic() > deadline:
                raise in_the_way(sorted(left))
            time.sleep(_LOOK_AGAIN_S)

    def _older(self, connection: Any) -> set[int]:
        """The connections that work for lower tokens."""
        holders = _holders(connection, [self._name(place) for place in range(_CONNECTIONS)])
        found = set()
        for place, thread in enumerate(holders):
            if thread is None:
                continue
            bits = _holders(connection, [self._name(place, bit) for bit in range(_BITS)])
            if sum(1 << bit for bit, holder in enumerate(bits) if holder == thread) < self.token:
                found.add(thread)
        return found


def run_fence(settings: ConnectionSettings, run_id: str, token: int) -> Fence:
    """Of a run's ledger."""
    return Fence("mainstem_run", "run_id", settings.database, run_id, token)


def stream_fence(settings: ConnectionSettings, stream_id: str, token: int) -> Fence:
    """Of a stream's book."""
    return Fence("mainstem_stream", "stream_id", settings.database, stream_id, token)


def kill(connection: Any, thread: int) -> None:
    """End a connection of the server; one that has gone is no error, nor is a right that is missing."""
    try:
        client.query(connection, f"KILL {thread}")
    except pymysql.Error as exc:
        code = exc.args[0] if exc.args else 0
        if code == _DENIED:
            from mainstem.log import logger  # its library takes longer to load than all else here

            logger(__name__).warning("a former holder's connection may not be ended", connection=thread)
        elif code != _NO_SUCH_THREAD:
            raise


def in_the_way(threads: list[int]) -> TransientError:
    """That connections of a former holder are still there."""
    if not threads:
        return TransientError("another connection keeps the book's line in MySQL locked", remedy="try again")
    calls = "; ".join(f"KILL {thread}" for thread in threads)
    return TransientError(
        "connections of a process that had this before are still there in MySQL, and could not be ended",
        remedy=f"as an administrator of the target: {calls}",
    )


def _lock(connection: Any, names: list[str]) -> bool:
    """Take these locks one after the other, without waiting; False if one is held by another connection."""
    asked = ", ".join(f"GET_LOCK('{name}', 0)" for name in names)
    (row,) = client.query(connection, f"SELECT {asked}")
    return set(row) == {1}


def _holders(connection: Any, names: list[str]) -> list[int | None]:
    """The connection that holds each lock."""
    asked = ", ".join(f"IS_USED_LOCK('{name}')" for name in names)
    (row,) = client.query(connection, f"SELECT {asked}")
    return [None if thread is None else int(thread) for thread in row]


def _lacks_column(connection: Any, table: str, exc: pymysql.Error) -> bool:
    """Whether a statement was refused because an earlier version has made the table."""
    if not exc.args or exc.args[0] != _NO_COLUMN:
        return False
    return not client.query(connection, f"SHOW COLUMNS FROM {table} LIKE 'fence'")


def _add_column(connection: Any, table: str) -> None:
    try:
        client.query(connection, f"ALTER TABLE {table} ADD COLUMN fence bigint NOT NULL DEFAULT 0")
    except pymysql.Error as exc:
        if not exc.args or exc.args[0] != _THERE_ALREADY:
            raise


@contextmanager
def _waiting(connection: Any, seconds: int) -> Iterator[None]:
    """Inside, locks of rows are waited for so long."""
    ((before,),) = client.query(connection, "SELECT @@innodb_lock_wait_timeout")
    client.query(connection, f"SET innodb_lock_wait_timeout = {seconds}")
    try:
        yield
    finally:
        client.query(connection, f"SET innodb_lock_wait_timeout = {int(before)}")
