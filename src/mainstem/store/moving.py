"""Moves everything that a store holds into another one: from a SQLite file to PostgreSQL, or back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from mainstem.errors import AccountingError, ConflictError, NotFoundError
from mainstem.store.database import Database
from mainstem.store.fleet import SqlFleet
from mainstem.store.tables import FLEETING, metadata

_ROWS_AT_ONCE = 500
_SILENT_S = 10.0
"""Who did not beat for so long is not there."""


def move(source_url: str, target_url: str) -> dict[str, int]:
    """Copy all rows in one transaction of the target; the source stays as it is.

    Secrets are copied as they are stored: the secret key stays the same.

    Returns:
        Table → rows.

    Raises:
        NotFoundError: there is no store at the source.
        ConflictError: a server uses one of them, both are the same, or the target holds something already.
        InvalidError, ConnectError: see `Database`.
    """
    _check_there(source_url)
    if make_url(source_url) == make_url(target_url):
        raise ConflictError("source and target are the same store", remedy="name another one as the target")
    with ExitStack() as stack:
        databases = []
        for url in (source_url, target_url):
            database = Database(url)
            stack.callback(database.close)
            database.migrate()
            database.claim(alone=True)
            _check_deserted(database)
            databases.append(database)
        source, target = databases
        with source.reading() as reading, target.writing() as writing:
            _check_empty(writing)
            return {table.name: _copy(table, reading, writing) for table in _lasting()}


def _lasting() -> list[sa.Table]:
    return [table for table in metadata.sorted_tables if table not in FLEETING]


def _check_there(url: str) -> None:
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite" and not Path(parts.database or "").is_file():
        raise NotFoundError(
            f"there is no store at {parts.database}", remedy="name the folder with --home or MAINSTEM_HOME"
        )


def _check_deserted(database: Database) -> None:
    """A server keeps others out by its session, which ends when the database is restarted; but it goes on to beat."""
    if not database.is_sqlite and SqlFleet(database).members(_SILENT_S):
        raise ConflictError("a server uses this store", remedy="end all servers first")


def _check_empty(connection: sa.Connection) -> None:
    for table in _lasting():
        if connection.scalar(sa.select(sa.exists().select_from(table))):
            raise ConflictError(
                f"the target store holds something already (table {table.name})",
                remedy="take an empty database, or use that store as it is",
            )


def _copy(table: sa.Table, reading: sa.Connection, writing: sa.Connection) -> int:
    found = reading.execution_options(yield_per=_ROWS_AT_ONCE).execute(sa.select(table))
    for rows in found.mappings().partitions():
        writing.execute(table.insert(), [dict(row) for row in rows])
    read, written = _count(reading, table), _count(writing, table)
    if read != written:
        raise AccountingError(f"table {table.name}: {read:,} rows were read and {written:,} written", table=table.name)
    _advance_counter(table, writing)
    return written


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _advance_counter(table: sa.Table, connection: sa.Connection) -> None:
    """PostgreSQL's sequences do not notice numbers that are given; SQLite goes on behind the highest by itself."""
    column = table.autoincrement_column
    if column is None or connection.dialect.name != "postgresql":
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
    highest = sa.select(sa.func.max(column)).scalar_subquery()
    connection.execute(sa.select(sa.func.setval(sequence, sa.func.coalesce(highest, 0) + 1, sa.false())))
