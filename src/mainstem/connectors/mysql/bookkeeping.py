"""A connection for tables of our own in the target, and the lock that whoever makes or drops them holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pymysql

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.fence import Fence
from mainstem.connectors.mysql.session import SESSION
from mainstem.errors import InvalidError, TransientError
from mainstem.model.connection import ConnectionSettings

_LOCK_WAIT_S = 120
DROP_WAIT_S = 3
_LOCKED = 1205


def open_books(settings: ConnectionSettings, whose: str, fence: Fence) -> Any:
    """Connect to the target's database, and claim what is to be written down.

    Args:
        whose: "run" or "stream", for people.

    Raises:
        InvalidError: the connection names no database.
        TakenOverError: another process has the run or stream.
    """
    if not settings.database:
        raise InvalidError(
            "the target's connection names no database",
            fields={"database": f"is needed to keep the {whose}'s book in"},
            remedy="choose a database in the connection",
        )
    connection: Any = client.connect(settings)
    try:
        with client.translating():
            client.query(connection, SESSION)  # a name that is too long is an error, and not another name
            fence.enter(connection)
            fence.claim(connection)
    except BaseException:
        connection._force_close()
        raise
    return connection


@contextmanager
def locked(connection: Any, database: str, whose: str) -> Iterator[None]:
    """Two that begin, or end, together in one database would get into each other's way.

    Raises:
        TransientError: another one holds the lock for long.
    """
    lock = "mainstem." + hashlib.sha256(database.encode()).hexdigest()[:32]
    ((granted,),) = client.query(connection, "SELECT GET_LOCK(%s, %s)", (lock, _LOCK_WAIT_S))
    if not granted:
        raise TransientError(f"another {whose} is beginning or ending in this database", remedy="try again")
    try:
        yield
    finally:
        with suppress(pymysql.Error, OSError):
            client.query(connection, "SELECT RELEASE_LOCK(%s)", (lock,))


def drop_tables(connection: Any, tables: Sequence[str]) -> None:
    """Drop tables of ours that are empty; not while somebody reads them.

    A backup keeps what it reads for as long as it takes, and whoever asks for such a table waits behind the DROP. They
    go with the next run or stream. Raises the driver's errors.
    """
    client.query(connection, f"SET SESSION lock_wait_timeout = {DROP_WAIT_S}")
    try:
        client.query(connection, f"DROP TABLE IF EXISTS {', '.join(tables)}")
    except pymysql.OperationalError as exc:
        if exc.args[0] != _LOCKED:
            raise
    finally:
        with suppress(pymysql.Error, OSError):
            client.query(connection, "SET SESSION lock_wait_timeout = DEFAULT")
