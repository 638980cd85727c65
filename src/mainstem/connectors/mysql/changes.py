"""A MySQL or MariaDB server as a source of changes: its binary log, read as a replica reads it."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mainstem.connectors.mysql.log_again import Again
from mainstem.connectors.mysql.log_position import RESYNC, LogPosition, from_user, load
from mainstem.connectors.mysql.log_side import (
    Identity,
    Side,
    behind,
    check_reach,
    expiry_s,
    gtids_at,
    identify,
    log_end,
    log_files,
    now,
    server_time,
)
from mainstem.connectors.mysql.log_stream import MysqlChangeStream
from mainstem.connectors.mysql.log_unfit import refuse
from mainstem.connectors.mysql.replica import Replica, Start, file_made
from mainstem.connectors.mysql.snapshot import MysqlSource
from mainstem.connectors.mysql.wire.gtid import GtidSet
from mainstem.contract.changes import GroupLimits, Retention
from mainstem.contract.source import Snapshot
from mainstem.errors import InvalidError, PositionLostError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions
from mainstem.model.stream import StreamTable

_MOST_ID = 1 << 32
_OWN_IDS = 1 << 31  # far from the small numbers that people give their servers


@dataclass(frozen=True, slots=True)
class Origin:
    """What a stream has to know of its source at each start.

    Attributes:
        server: as `Identity.server`, when the stream began.
    """

    mariadb: bool
    server: str

    def dump(self) -> str:
        """As JSON text."""
        return json.dumps({"mariadb": self.mariadb, "server": self.server})

    @classmethod
    def load(cls, text: str) -> Origin:
        """Read what `dump` wrote; `InvalidError` for anything else."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as exc:
            raise InvalidError("this is no origin of a MySQL server's log", remedy=RESYNC) from exc


class MysqlChangeSource:
    """See `contract.changes.ChangeSource`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings = settings
        self._log_settings = replace(settings, database="")  # which may be dropped meanwhile
        self._options = options
        self._accepted: set[TableId] | None = None
        self._again = Again()

    def open(self, stream_id: str, tables: Sequence[TableId], origin: str, position: str) -> tuple[str, str]:
        """See `contract.changes.ChangeSource.open`. Nothing is made on the server: it keeps its log by age."""
        with self._side() as side:
            identity = identify(side)
            self._refuse(side, tables, is_new=not origin)
            if origin:
                known = Origin.load(origin)
                self._refuse_other(known, identity)
                files = log_files(side)
                oldest = LogPosition(identity.server, files[0][0]) if files else log_end(side, identity)
                return replace(known, server=identity.server).dump(), oldest.dump()
            made = Origin(identity.mariadb, identity.server)
            start = from_user(position, identity.server, identity.mariadb) if position else now(side, identity)
            if start.file:
                if position:
                    check_reach(side, identity, start)
                begun = file_made(self._log_settings, _random_id(), start.file)
                gtid = start.gtid
                if identity.mariadb and not gtid:
                    gtid = gtids_at(side, start.file, start.offset) or ""
                start = replace(start, made=begun, gtid=gtid)
            return made.dump(), start.dump()

    def _refuse(self, side: Side, tables: Sequence[TableId], *, is_new: bool) -> None:
        """Refuse what is not in the stream yet; a table that has become such a one is found out by its rows."""
        fresh = set(tables) - (self._accepted or set()) if is_new or self._accepted is not None else set()
        refuse(side, fresh)
        self._accepted = (self._accepted or set()) | set(tables)

    def _refuse_other(self, known: Origin, identity: Identity) -> None:
        """Another server may go on only where GTIDs tell where."""
        if known.mariadb != identity.mariadb:
            raise PositionLostError("the source is another kind of server than when the stream began", remedy=RESYNC)
        if known.server != identity.server and not identity.gtids:
            raise PositionLostError(
                "another server answers than the one whose log the stream was reading, and without GTIDs its log says"
                " nothing of the other's",
                remedy=f"connect to the server of before, or {RESYNC}",
                server=known.server,
            )

    @contextmanager
    def snapshot(self, origin: str, readers: int) -> Iterator[Snapshot]:
        """See `contract.changes.ChangeSource.snapshot`."""
        with MysqlSource(self._settings).snapshot(readers, exact=True) as snapshot, self._side() as side:
            identity = identify(side)
            found = json.loads(snapshot.position)
            file, offset = found["file"], int(found["position"])
            gtid = (gtids_at(side, file, offset) or "") if identity.mariadb else found.get("gtid", "")
            snapshot.position = LogPosition(identity.server, file, offset, gtid=gtid).dump()
            yield snapshot

    def stream(
        self, origin: str, position: str, tables: Sequence[StreamTable], limits: GroupLimits, keep: str = ""
    ) -> MysqlChangeStream:
        """See `contract.changes.ChangeSource.stream`; how long the log is kept does not depend on its readers."""
        known, start = Origin.load(origin), load(position)
        side = Side(self._log_settings)
        try:
            identity = identify(side)
            self._refuse_other(known, identity)
            begin = self._start(side, identity, start)
            # A new id each time: one that is still held by a dead connection would have to wait until that times out.
            number = self._options.changes.server_id or _random_id()
            replica = Replica(self._log_settings, number, str(uuid.uuid4()), begin)
        except BaseException:
            side.close()
            raise
        return MysqlChangeStream(self._log_settings, replica, side, identity, start, tables, limits, self._again)

    def _start(self, side: Side, identity: Identity, position: LogPosition) -> Start:
        """By file where the server is the same; else, or where the file is not known, by GTID."""
        if position.server == identity.server and position.file:
            check_reach(side, identity, position)
            file, offset = position.begin
            return Start(file, offset if offset < _MOST_ID else 4)
        if not position.gtid:
            raise PositionLostError(
                "another server answers than the one whose log the stream was reading, and the position has no GTIDs",
                remedy=f"connect to the server of before, or {RESYNC}",
                position=f"{position.file}:{position.offset}",
            )
        if identity.mariadb:
            if position.prepared:
                raise PositionLostError(
                    "another server answers, and XA transactions were under way at the one before",
                    remedy=RESYNC,
                    position=f"{position.file}:{position.offset}",
                )
            return Start(gtid=position.gtid)
        return Start(gtid_set=_gtids_to_skip(side, position))

    def reaches(self, origin: str, at: str, position: str) -> bool:
        """See `contract.changes.ChangeSource.reaches`."""
        return load(at).reaches(load(position), Origin.load(origin).mariadb)

    def end_position(self) -> str:
        """See `contract.changes.ChangeSource.end_position`."""
        with self._side() as side:
            return log_end(side, identify(side)).dump()

    def retention(self, origin: str, position: str) -> Retention:
        """See `contract.changes.ChangeSource.retention`."""
        at = load(position)
        with self._side() as side:
            identity = identify(side)
            if at.server != identity.server or not at.file:
                return Retention(limit_s=expiry_s(side))
            try:
                check_reach(side, identity, at)
            except PositionLostError:
                return Retention(lost=True, limit_s=expiry_s(side))
            held = behind(at, log_files(side))
            age = float(max(server_time(side) - at.at_s, 0)) if at.at_s and held else 0.0 if not held else None
            return Retention(held, None, age, expiry_s(side))

    def close(self, origin: str) -> None:
        """Nothing: the server has nothing that was made for the stream."""

    @contextmanager
    def _side(self) -> Iterator[Side]:
        side = Side(self._log_settings)
        try:
            yield side
        finally:
            side.close()


def _random_id() -> int:
    return _OWN_IDS + secrets.randbelow(_MOST_ID - _OWN_IDS - 1)


def _gtids_to_skip(side: Side, position: LogPosition) -> bytes:
    """MySQL: what the server need not send, once it is clear that it has all the rest."""
    have = GtidSet.parse(position.gtid)
    ((purged, missing),) = side.ask(
        "SELECT GTID_SUBTRACT(@@GLOBAL.gtid_purged, %s), GTID_SUBTRACT(%s, @@GLOBAL.gtid_executed)",
        (str(have), str(have)),
    )
    where = f"{position.file}:{position.offset}"
    if purged:
        raise PositionLostError(
            "the server has purged transactions that the stream lacks", remedy=RESYNC, position=where
        )
    if missing:
        raise PositionLostError(
            "the server lacks transactions that the stream has applied: it was begun anew, or is behind the one before",
            remedy=f"connect to a server that has them, or {RESYNC}",
            position=where,
        )
    return have.encode()
