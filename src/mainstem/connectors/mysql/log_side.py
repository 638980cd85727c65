"""Questions about a server's binary log, asked on an ordinary connection beside the one that reads it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.log_position import RESYNC, LogPosition, Prepared
from mainstem.errors import LostConnectionError, MainstemError, PositionLostError, StatementError
from mainstem.model.connection import ConnectionSettings

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

Rows = list[tuple[Any, ...]]
ANSWER_S = 30
XA_WAIT_S = 10.0
_END_TRIES = 1000
_LOG_OFF = "the server keeps no binary log"
_LOG_ON = "start it with log_bin and binlog_format=ROW"


class Side:
    """A connection that is made when it is first needed, and made anew when it was lost. For one thread at a time.

    A server that does not answer within `ANSWER_S` counts as lost.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._connection: Connection[Cursor] | None = None

    def ask(self, sql: str, arguments: Sequence[object] = ()) -> Rows:
        """All rows of a query that may be asked twice. Raises as `client.translating`, and `ConnectError`."""
        fresh = self._connection is None
        try:
            return self._ask(sql, arguments)
        except LostConnectionError:
            if fresh:
                raise
        return self._ask(sql, arguments)

    def connection(self) -> Connection[Cursor]:
        """The connection itself; lost ones are noticed by whoever uses it."""
        if self._connection is None:
            self._connection = client.connect(self._settings, read_timeout=ANSWER_S, write_timeout=ANSWER_S)
        return self._connection

    def _ask(self, sql: str, arguments: Sequence[object]) -> Rows:
        connection = self.connection()
        try:
            with client.translating():
                return client.query(connection, sql, tuple(arguments) or None)
        except LostConnectionError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection._force_close()  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose log it is.

    Attributes:
        server: MySQL's server_uuid. MariaDB has no such thing: its server id, which servers of one replication must
            not share; that a file is still the same is told by its first event and by `BINLOG_GTID_POS`.
        gtids: whether transactions have GTIDs.
        folds: names of tables and databases are kept in lower case, whatever a statement says.
    """

    mariadb: bool
    server: str
    gtids: bool
    folds: bool = False


def identify(side: Side) -> Identity:
    """Ask who the server is."""
    if client.flavor(side.connection()) == "mariadb":
        ((number, folds),) = side.ask("SELECT @@server_id, @@lower_case_table_names")
        return Identity(True, f"mariadb-{number}", True, bool(int(folds)))
    ((uuid, mode, folds),) = side.ask("SELECT @@server_uuid, @@gtid_mode, @@lower_case_table_names")
    return Identity(False, str(uuid), str(mode).upper() == "ON", bool(int(folds)))


def log_tail(side: Side, identity: Identity) -> LogPosition:
    """Where the log ends now, without GTIDs: MariaDB looks these up by reading the file from its beginning.

    Raises as `log_end`.
    """
    file, offset = _status(side)[:2]
    return LogPosition(identity.server, str(file), int(offset))


def log_end(side: Side, identity: Identity) -> LogPosition:
    """Where the log ends now, with the GTIDs up to there.

    Raises:
        StatementError: there is no log, or the right to ask for it is missing.
    """
    if identity.mariadb:
        return _mariadb_end(side, identity)
    row = _status(side)
    return LogPosition(identity.server, str(row[0]), int(row[1]), gtid=_flat(row[4] if len(row) > 4 else ""))


def _mariadb_end(side: Side, identity: Identity) -> LogPosition:
    """Where the server cannot look up the GTIDs of the place: those of the end, which stayed there meanwhile."""
    end = log_tail(side, identity)
    gtid = gtids_at(side, end.file, end.offset)
    for _ in range(_END_TRIES):
        if gtid is not None:
            break
        gtid = _flat(side.ask("SELECT @@GLOBAL.gtid_binlog_pos")[0][0])
        before, end = end, log_tail(side, identity)
        if before != end:
            gtid = None
    return replace(end, gtid=gtid or "")


def now(side: Side, identity: Identity) -> LogPosition:
    """Where the log ends, for a stream that begins there.

    The rows of an XA transaction come before its commit, which may be behind this place: the log is to be read from
    where those began that are under way, which are waited for a little. One that stays prepared for longer is not
    seen; if it is committed one day, the stream says so.
    """
    begin = log_end(side, identity)
    with suppress(StatementError):  # a right that MySQL 8 asks for
        waited_for = set(side.ask("XA RECOVER"))
        deadline = time.monotonic() + XA_WAIT_S
        while waited_for & set(side.ask("XA RECOVER")) and time.monotonic() < deadline:
            time.sleep(0.05)
    end = log_end(side, identity)
    if end.order == begin.order:
        return end
    return replace(end, prepared=(Prepared("", begin.file, begin.offset),))


def _status(side: Side) -> tuple[Any, ...]:
    refusal: StatementError | None = None
    for question in ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"):
        try:
            rows = side.ask(question)
        except StatementError as exc:
            refusal = exc if refusal is None or exc.where.get("error") != _SYNTAX else refusal
            continue
        if not rows:
            raise StatementError(_LOG_OFF, remedy=_LOG_ON)
        return rows[0]
    raise refusal or StatementError(_LOG_OFF, remedy=_LOG_ON)


_SYNTAX = 1064


def gtids_at(side: Side, file: str, offset: int) -> str | None:
    """MariaDB: the last GTID of each domain at a place in the log; empty when there is none.

    None when there is no such place, or the server cannot look that far: it reads the file up to there, and gives up at
    an event larger than max_allowed_packet, as the two images of a large row are together.
    """
    found = side.ask("SELECT BINLOG_GTID_POS(%s, %s)", (file, offset))[0][0]
    return None if found is None else _flat(found)


def _flat(gtids: object) -> str:
    return re.sub(r"\s+", "", str(gtids or ""))


def log_files(side: Side) -> list[tuple[str, int]]:
    """The files of the log and their sizes, oldest first."""
    return [(str(row[0]), int(row[1])) for row in side.ask("SHOW BINARY LOGS")]


def check_reach(side: Side, identity: Identity, position: LogPosition) -> None:
    """That the log still holds all from a position of this very server on.

    Raises:
        PositionLostError: it was purged, or the log was begun anew (RESET MASTER), or cut.
    """
    file, offset = position.begin
    sizes = dict(log_files(side))
    oldest = next(iter(sizes), "")
    where = f"{file}:{offset}"
    if not file:
        raise PositionLostError(
            f"the server's log has no {position.gtid or 'such position'}: it was purged, or was not written yet; its"
            f" oldest file is {oldest}",
            remedy=RESYNC,
            position=position.gtid,
        )
    if file not in sizes:
        raise PositionLostError(
            f"the server's log no longer holds {file}, where the stream stands; it begins at {oldest}",
            remedy=f"{RESYNC}; to keep it longer raise binlog_expire_logs_seconds (or expire_logs_days)",
            position=where,
        )
    if offset > sizes[file] or position.offset > sizes.get(position.file, 0):
        raise _begun_anew(where)
    if identity.mariadb:
        if not _has(position, gtids_at(side, position.file, position.offset)):
            raise _begun_anew(where)
    elif position.gtid:
        ((within,),) = side.ask("SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)", (position.gtid,))
        if not int(within or 0):
            raise _begun_anew(where)


def _has(position: LogPosition, there: str | None) -> bool:
    """MariaDB: whether a place of the log may be the position. Where the server cannot say, `LogPlace` looks when the
    file was made."""
    if there is None:
        return not position.gtid or bool(position.made)
    return not position.gtid or set(there.split(",")) == set(position.gtid.split(","))


def _begun_anew(where: str) -> PositionLostError:
    return PositionLostError(
        "the server's log is not the one that the stream was reading: it was begun anew (RESET MASTER), or the server"
        " was restored from a backup",
        remedy=RESYNC,
        position=where,
    )


def expiry_s(side: Side) -> float | None:
    """After how many seconds the server throws a log file away; None is never."""
    rows = side.ask(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds', 'expire_logs_days',"
        " 'binlog_expire_logs_auto_purge')"
    )
    found = {str(name).lower(): str(value) for name, value in rows}
    if found.get("binlog_expire_logs_auto_purge", "ON") in ("OFF", "0"):
        return None
    seconds = float(found.get("binlog_expire_logs_seconds") or 0) or float(found.get("expire_logs_days") or 0) * 86400
    return seconds or None


def behind(position: LogPosition, files: Sequence[tuple[str, int]]) -> int | None:
    """Bytes of the log behind a position; None when its file is not there."""
    names = [name for name, _ in files]
    if position.file not in names:
        return None
    at = names.index(position.file)
    return max(files[at][1] - position.offset, 0) + sum(size for _, size in files[at + 1 :])


def server_time(side: Side) -> int:
    """The server's clock, seconds since 1970."""
    return int(side.ask("SELECT UNIX_TIMESTAMP()")[0][0])


def is_refusal(exc: MainstemError, number: int) -> bool:
    """Whether the server refused with this error number."""
    return isinstance(exc, StatementError) and exc.where.get("error") == number
