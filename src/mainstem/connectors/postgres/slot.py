"""Replication slots: made, found again, never made anew silently.

Source: PostgreSQL manual, "Streaming Replication Protocol" (IDENTIFY_SYSTEM, CREATE_REPLICATION_SLOT,
TIMELINE_HISTORY), "pg_replication_slots".
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.fence import end_sessions, session_name, sessions
from mainstem.connectors.postgres.lsn import Place, format_lsn, parse_lsn
from mainstem.errors import ConflictError, PositionLostError, StatementError
from mainstem.model.connection import ConnectionSettings

_DIALECT = PostgresDialect()
_PLUGIN = "pgoutput"
_PART = "read"
_MAX_NAME = 63
_FAILOVER = 170_000  # from here on a slot can be copied to standbys
_WAL_STATUS = 130_000
# Why a server gave a slot up (pg_replication_slots.invalidation_reason, PostgreSQL 17), and what spares the next one.
_GIVEN_UP = {
    "rows_removed": ("rows of its catalog were removed at the primary", "set hot_standby_feedback = on here"),
    "wal_level_insufficient": ("wal_level was set to less than logical", "set wal_level = logical"),
    "idle_timeout": ("nobody read it for idle_replication_slot_timeout", "raise idle_replication_slot_timeout"),
}
_REMOVED = ("the server has removed log that it needs (max_slot_wal_keep_size)", "raise max_slot_wal_keep_size there")
_RELEASED_S = 10.0
_TRY_AGAIN_S = 0.1
RESYNC = "copy the tables anew: start with snapshot always"


@dataclass(frozen=True, slots=True)
class System:
    """Which server answers: the identifier that initdb gave it, and the timeline that it writes."""

    identifier: str
    timeline: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the server shows it.

    Attributes:
        confirmed: what comes before this place is not sent any more.
        lost: the server has given it up.
        reason: why, where the server tells.
    """

    name: str
    plugin: str
    database: str
    active: bool
    confirmed: int
    lost: bool
    reason: str = ""


def replication_connection(settings: ConnectionSettings, slot: str = "", token: int = 0) -> psycopg.Connection[Any]:
    """A connection that takes replication commands, and plain SQL without arguments. Raises `ConnectError`.

    Args:
        slot, token: what it is for, and for whom: see `end_former`.
    """
    return connect(settings, replication="database", application_name=session_name(_PART, token, slot))


def end_former(connection: psycopg.Connection[Any], name: str, token: int) -> None:
    """End senders that former holders of a stream left behind at its slot, and one that we did ourselves.

    Whoever reads with a token has the stream's lock in the target, so that no other sender of it is of use. One that
    is not of ours, or whose token is higher, is left alone; so are all by a process without token.
    """
    if not token:
        return
    row = connection.execute(
        "SELECT active_pid FROM pg_catalog.pg_replication_slots WHERE slot_name = %s", (name,)
    ).fetchone()
    active = row[0] if row else None
    former = [
        one
        for one in sessions(connection, name)
        if one.part == _PART and (one.token < token or (one.token == token and one.pid == active))
    ]
    end_sessions(connection, former)


def own_name(stream_id: str) -> str:
    """The name of a stream's slot and publication: of lower-case letters, digits and underscores."""
    plain = re.sub("[^a-z0-9_]", "_", stream_id.lower())
    name = f"mainstem_{plain}"
    if plain == stream_id and len(name) <= _MAX_NAME - 8:
        return name
    return f"{name[: _MAX_NAME - 17]}_{hashlib.sha256(stream_id.encode()).hexdigest()[:8]}"


def identify(connection: psycopg.Connection[Any]) -> System:
    """Which server this is; on a replication connection."""
    row = connection.execute("IDENTIFY_SYSTEM").fetchone()
    if row is None:
        raise StatementError("the server does not say which it is")
    return System(str(row[0]), int(row[1]))


def find(connection: psycopg.Connection[Any], name: str) -> Slot | None:
    """A logical slot; on any connection that takes arguments."""
    status = "wal_status" if connection.info.server_version >= _WAL_STATUS else "''"
    row = connection.execute(
        f"SELECT plugin, coalesce(database, ''), active, confirmed_flush_lsn::text, coalesce({status}, '') = 'lost',"
        " coalesce(to_jsonb(s) ->> 'invalidation_reason', '')"
        " FROM pg_catalog.pg_replication_slots s WHERE slot_name = %s".encode(),
        (name,),
    ).fetchone()
    if row is None:
        return None
    return Slot(name, row[0] or "", row[1], row[2], parse_lsn(row[3]) if row[3] else 0, row[4], row[5])


def create(connection: psycopg.Connection[Any], name: str, *, temporary: bool = False) -> tuple[int, str]:
    """Make a slot on a replication connection; its first place, and the name of the snapshot that was exported.

    The snapshot (of a temporary slot) can be used until the next command on the connection. Waits for all transactions
    that are under way.
    """
    version, quoted = connection.info.server_version, _DIALECT.quote(name)
    if temporary:
        options = "EXPORT_SNAPSHOT"
    elif version >= _FAILOVER and not _in_recovery(connection):
        options = "(SNAPSHOT 'nothing', FAILOVER true)"
    else:
        options = "NOEXPORT_SNAPSHOT"
    row = connection.execute(
        f"CREATE_REPLICATION_SLOT {quoted}{' TEMPORARY' * temporary} LOGICAL {_PLUGIN} {options}".encode()
    ).fetchone()
    if row is None:
        raise StatementError("the server made no slot")
    return parse_lsn(row[1]), str(row[2] or "")


def _in_recovery(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    return bool(row and row[0])


def drop(connection: psycopg.Connection[Any], name: str, token: int = 0) -> None:
    """Drop a slot, if it is there. Raises `ConflictError` if it stays in use: a sender outlives its stream a little."""
    end_former(connection, name, token)
    deadline = time.monotonic() + _RELEASED_S
    while (found := find(connection, name)) is not None:
        if not found.active:
            with suppress(errors.UndefinedObject, errors.ObjectInUse):
                connection.execute("SELECT pg_catalog.pg_drop_replication_slot(%s)", (name,))
                return
        if time.monotonic() > deadline:
            raise ConflictError(f"the replication slot {name} is in use", remedy="stop what reads from it", slot=name)
        time.sleep(_TRY_AGAIN_S)


def require_usable(slot: Slot | None, name: str, database: str) -> Slot:
    """The slot, if its stream can be read.

    Raises:
        PositionLostError: it is gone, or the server has removed what it needs.
        StatementError: it is of another plugin or database.
    """
    if slot is None:
        raise PositionLostError(
            f"the replication slot {name} of this stream is gone: the changes since are lost",
            remedy=RESYNC,
            slot=name,
        )
    if slot.plugin != _PLUGIN or slot.database != database:
        raise StatementError(
            f"the replication slot {name} is of plugin {slot.plugin or '(none)'} and database"
            f" {slot.database or '(none)'}; needed are {_PLUGIN} and {database}",
            remedy="name another slot (replicationSlotName), or none",
            slot=name,
        )
    if slot.lost:
        why, sparing = _GIVEN_UP.get(slot.reason, _REMOVED)
        raise PositionLostError(
            f"the position of this stream is lost, as is its replication slot {name}: {why}",
            remedy=f"{sparing}; {RESYNC}",
            slot=name,
        )
    return slot


def require_position(slot: Slot, place: Place) -> None:
    """Raise `PositionLostError` if the slot does not reach back to a place: the server would go on behind the gap."""
    if place.lsn and slot.confirmed > place.lsn:
        raise PositionLostError(
            f"the replication slot {slot.name} begins at {format_lsn(slot.confirmed)}, behind {format_lsn(place.lsn)},"
            " where this stream stands: something else has read from it, or it was made anew",
            remedy=RESYNC,
            slot=slot.name,
        )


def require_history(connection: psycopg.Connection[Any], system: System, place: Place) -> None:
    """Raise `PositionLostError` if a promoted server left the history that was read before the place was reached."""
    if not place.timeline or place.timeline >= system.timeline:
        return
    row = connection.execute(f"TIMELINE_HISTORY {system.timeline}".encode()).fetchone()
    text = bytes(row[1]).decode() if row and isinstance(row[1], (bytes, memoryview)) else str(row[1] if row else "")
    for line in text.splitlines():
        parts = line.split()
        if len(parts) >= 2 and parts[0] == str(place.timeline) and parse_lsn(parts[1]) < place.lsn:
            raise PositionLostError(
                f"the server was promoted at {parts[1]}, before {format_lsn(place.lsn)}, where this stream stands: the"
                " target has changes that the source lost",
                remedy=RESYNC,
            )
