"""Opens the store's database: engine, pragmas, migrations, and the claims of servers on it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from mainstem.errors import ConflictError, ConnectError, ConnectReason, InvalidError

_MIGRATIONS = Path(__file__).parent / "migrations"
_CLAIM_KEY = 0x6D61696E  # "main": PostgreSQL's advisory locks are named by numbers
_MIGRATE_KEY = _CLAIM_KEY + 1
_LOGS_KEY = _CLAIM_KEY + 2
_BUSY_MS = 15_000
_NOW_US = {
    True: "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    False: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
}
_NO_ANSWER = {
    "connect_timeout": 5,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""A server that went away without a word is noticed after so long (libpq's names and units)."""


STOOD_STILL_MS = 5_000
"""A process that is frozen, or cut off, in the middle of a transaction keeps for so long locked what it has touched."""
_MIGRATING_MS = 120_000  # the steps are read and imported meanwhile, which takes seconds on a busy machine


class Database:
    """An engine whose transactions are explicit, and the claim on it.

    Args:
        url: ``sqlite:///path`` or ``postgresql+psycopg://…``.

    Raises:
        InvalidError: not a URL of a database that the store can live in.
        ConnectError: it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url)
        except sa.exc.ArgumentError as exc:
            raise InvalidError(
                "the store's URL cannot be read",
                remedy="set MAINSTEM_STORE_URL to sqlite:///path or postgresql+psycopg://user:password@host/database",
            ) from exc
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if not self.is_sqlite and self._url.drivername not in {"postgresql", "postgresql+psycopg"}:
            raise InvalidError(
                f"the store cannot live in {self._url.get_backend_name()!r}",
                remedy="set MAINSTEM_STORE_URL to sqlite:///path or postgresql+psycopg://user:password@host/database",
            )
        self.engine = self._sqlite() if self.is_sqlite else self._postgres()
        self.now_us: sa.ColumnElement[int] = sa.literal_column(_NOW_US[self.is_sqlite], sa.BigInteger)
        """The database's own clock, as of when a row is looked at: microseconds since 1970."""
        self._release: Callable[[], None] | None = None

    def _sqlite(self) -> sa.Engine:
        if self._url.database:
            path = Path(self._url.database)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite would make it readable for everyone
        engine = sa.create_engine(self._url, hide_parameters=True, pool_size=20, max_overflow=40)

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves; the driver's own habit breaks DDL and IMMEDIATE
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            how = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
            connection.exec_driver_sql(f"BEGIN {how}")

        return engine

    def _postgres(self) -> sa.Engine:
        return sa.create_engine(
            self._url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=40,
            connect_args={**_NO_ANSWER, "application_name": "mainstem-store"},
        )

    def insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that can say what is to happen when the row is there already; both databases spell it alike."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, still_ms: int | None = None) -> Iterator[sa.Connection]:
        """A transaction that writes; on SQLite it takes the one writer's place at once, so as not to fail midway.

        Args:
            still_ms: between two statements; PostgreSQL ends one that stands still for longer. None: `STOOD_STILL_MS`.
        """
        still_ms = STOOD_STILL_MS if still_ms is None else still_ms
        with self.engine.connect() as plain:
            connection = plain.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {still_ms}")
                yield connection

    def keep_order(self, connection: sa.Connection) -> None:
        """Let no other transaction number log lines until this one has ended, so that numbers grow as lines appear."""
        if not self.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOGS_KEY)))

    def migrate(self) -> None:
        """Bring the tables to this version of the program; `InvalidError` when they are newer than it."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            with self.writing(_MIGRATING_MS) as connection:
                if not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATE_KEY)))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as exc:
            raise InvalidError(
                "the store was written by a newer version of this program", remedy="use that version, or another store"
            ) from exc
        except sa.exc.OperationalError as exc:
            raise ConnectError(
                f"the store cannot be opened: {type(exc.orig).__name__}",
                reason=ConnectReason.OTHER,
                remedy="check MAINSTEM_STORE_URL, or MAINSTEM_HOME and its permissions",
            ) from exc

    def claim(self, *, alone: bool = False) -> None:
        """Say that a server uses this store, until `close`; the lock goes with the process, however it ends.

        Args:
            alone: no other one may. On SQLite that is always so.

        Raises:
            ConflictError: another server is in the way.
        """
        if self._release is not None:
            return
        self._release = self._lock_file() if self.is_sqlite else self._lock_session(alone=alone)

    def _lock_session(self, *, alone: bool) -> Callable[[], None]:
        lock = sa.func.pg_try_advisory_lock if alone else sa.func.pg_try_advisory_lock_shared
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(sa.select(lock(_CLAIM_KEY))):
            connection.close()
            raise _taken()

        def release() -> None:
            connection.invalidate()  # ends the session and with it the lock; back in the pool it would keep it
            connection.close()

        return release

    def _lock_file(self) -> Callable[[], None]:
        if not self._url.database:
            return lambda: None
        lock = os.open(f"{self._url.database}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(lock)
            raise _taken() from exc
        return partial(os.close, lock)

    def close(self) -> None:
        """Give the claim back and close all connections."""
        release, self._release = self._release, None
        if release is not None:
            release()
        self.engine.dispose()


def _taken() -> ConflictError:
    return ConflictError(
        "another server already uses this store",
        remedy="stop it, or set MAINSTEM_HOME (or MAINSTEM_STORE_URL) to another; several servers can share one on"
        " PostgreSQL",
    )
