"""`ChangeStream` over a server's binary log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Condition
from types import TracebackType

from mainstem.connectors.mysql.charsets import Charsets
from mainstem.connectors.mysql.log_again import Again
from mainstem.connectors.mysql.log_ahead import Ahead
from mainstem.connectors.mysql.log_lag import Lag
from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import RESYNC, LogPosition, load
from mainstem.connectors.mysql.log_reading import LogReading
from mainstem.connectors.mysql.log_schema import SchemaChanges
from mainstem.connectors.mysql.log_side import Identity, Side, check_reach
from mainstem.connectors.mysql.log_tables import Tables
from mainstem.connectors.mysql.replica import Replica
from mainstem.connectors.mysql.schema_watch import SchemaWatch
from mainstem.connectors.mysql.wire import payload
from mainstem.connectors.mysql.wire.events import Heartbeat, TransactionPayload
from mainstem.connectors.mysql.wire.reader import EventReader
from mainstem.contract.changes import GroupLimits
from mainstem.errors import (
    CancelledError,
    LostConnectionError,
    MainstemError,
    PositionLostError,
    StatementError,
    WireError,
)
from mainstem.model.change import ChangeGroup, Idle, SchemaChange, SchemaChangeKind
from mainstem.model.connection import ConnectionSettings
from mainstem.model.stream import StreamTable

_REFUSED, _SAME_ID_MARIADB = 1236, 4052
_SAME_ID = "same server_uuid/server_id"  # MySQL has no number of its own for it
_IDLE_S = 0.9
_MOVED_IDLE_S = 0.1  # the same when others' transactions have moved the position
_MAX_AGE_S = 0.05  # a group is handed on at this age even if there is always more at hand


class MysqlChangeStream:
    """See `contract.changes.ChangeStream`."""

    def __init__(
        self,
        settings: ConnectionSettings,
        replica: Replica,
        side: Side,
        identity: Identity,
        position: LogPosition,
        tables: Sequence[StreamTable],
        limits: GroupLimits,
        again: Again,
    ) -> None:
        self._replica = replica
        self._side = side
        self._identity = identity
        self._limits = limits
        self._tables = Tables(tables)
        self._reader = EventReader(replica.checksum)
        self._lag = Lag(side, identity)
        watch = SchemaWatch(side)
        self._schema = SchemaChanges(watch, self._tables)
        self._place = Place(identity, position)
        ahead = Ahead(settings, side, identity, lambda: self._interrupted)
        self._reading = LogReading(
            self._place, self._tables, self._schema, watch, Charsets(side.ask), ahead, limits, again
        )
        self._handed = position
        self._handed_at = 0.0
        self._interrupted = False
        self._settled = Condition()
        self._settlements: list[StreamTable | None] = []

    def __enter__(self) -> MysqlChangeStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._replica.close()
        self._side.close()

    def groups(self) -> Iterator[ChangeGroup | Idle]:
        """See `contract.changes.ChangeStream.groups`."""
        try:
            self._schema.remember()
            yield from self._groups()
        except MainstemError as exc:
            if self._interrupted:
                raise CancelledError("the stream was interrupted") from exc
            if isinstance(exc, StatementError):
                raise self._meaning(exc) from exc
            raise

    def _meaning(self, exc: StatementError) -> MainstemError:
        """What it means that the server refuses to send (more of) its log; by the state of the log where it can be."""
        error = exc.where.get("error")
        if error == _SAME_ID_MARIADB or (error == _REFUSED and _SAME_ID in exc.message):
            return LostConnectionError(
                "another reader of the server's log has our server id, and the server sends it to one of them only",
                remedy="give each stream a server id of its own, or none",
            )
        if error != _REFUSED:
            return exc
        position = self._place.position()
        where = f"{position.file}:{position.offset}"
        if not self._place.is_ours(self._handed):
            return PositionLostError(exc.message, remedy=RESYNC, position=where)
        try:
            check_reach(self._side, self._identity, position)
        except PositionLostError as lost:
            return lost
        return WireError(exc.message, remedy="look into the server's error log", position=where)

    def _groups(self) -> Iterator[ChangeGroup | Idle]:
        replica, reading = self._replica, self._reading
        read, move, take = self._reader.read, self._place.move, reading.read
        self._handed_at = time.monotonic()
        while True:
            if self._settlements and not reading.busy:
                self._take_settlements()
            data = replica.next(0.0)
            if data is None:
                data = replica.next(self._patience())
            if data is None:
                yield from self._at_rest()
                continue
            event = read(data)
            if not isinstance(event, Heartbeat):
                move(event.header)
            groups = self._inner(event) if isinstance(event, TransactionPayload) else take(event)
            del data, event  # a row may be large, and what it has become is handed on now
            if groups is not None:
                for group in groups:
                    yield from self._handed_on(group)
                    del group
            del groups  # nor what it became, while the next one is read
            if not reading.busy and self._is_due():
                yield from self._at_rest()

    def _inner(self, event: TransactionPayload) -> Iterator[ChangeGroup]:
        """What the events of a compressed transaction complete."""
        for inner in payload.events(event, self._reader):
            yield from self._reading.read(inner) or ()

    def _handed_on(self, group: ChangeGroup) -> Iterator[ChangeGroup]:
        if group.whole:
            position = load(group.position)
            group = replace(group, lag_bytes=self._lag.bytes_behind(position))
            self._handed, self._handed_at = position, time.monotonic()
        began = time.monotonic()
        yield group
        last = group.parts[-1] if group.parts else None
        if isinstance(last, SchemaChange):
            self._await(last)
        self._replica.rested(time.monotonic() - began)

    def _patience(self) -> float:
        """How long to wait for more."""
        reading = self._reading
        if reading.busy or not reading.gathered:
            return max(self._idle_s() - (time.monotonic() - self._handed_at), 0.01)
        return max(reading.since + self._limits.linger_s - time.monotonic(), 0.0)

    def _idle_s(self) -> float:
        handed = self._handed
        return _IDLE_S if self._place.is_at(handed.file, handed.offset) else _MOVED_IDLE_S

    def _is_due(self) -> bool:
        """Whether something has to be handed on though there is more at hand."""
        reading = self._reading
        if reading.gathered:
            return time.monotonic() - reading.since > _MAX_AGE_S
        return time.monotonic() - self._handed_at > _IDLE_S

    def _at_rest(self) -> Iterator[ChangeGroup | Idle]:
        """Hand on what there is; that there is nothing, when it is time for it."""
        reading = self._reading
        if reading.busy:
            return
        if reading.gathered:
            yield from self._handed_on(reading.flush())
        elif time.monotonic() - self._handed_at >= self._idle_s():
            position = self._place.position()
            behind = self._lag.bytes_behind(position)
            began = self._handed_at = time.monotonic()
            self._handed = position
            yield Idle(position.dump(), behind)
            self._replica.rested(time.monotonic() - began)

    def settle(self, table: StreamTable | None) -> None:
        """See `contract.changes.ChangeStream.settle`."""
        with self._settled:
            self._settlements.append(table)
            self._settled.notify_all()

    def answer(self, number: int, taken: bool) -> None:
        """See `contract.changes.ChangeStream.answer`; a binary log has transactions that have ended only."""

    def _take_settlements(self) -> None:
        with self._settled:
            taken, self._settlements = self._settlements, []
        for table in taken:
            if table is not None:
                self._tables.put(table)
        self._reading.forget_maps()

    def _await(self, change: SchemaChange) -> None:
        """Until the engine has said how the table is read from here on."""
        while True:
            with self._settled:
                self._settled.wait_for(lambda: self._settlements or self._interrupted)
                if self._interrupted:
                    raise CancelledError("the stream was interrupted")
                taken, self._settlements = self._settlements, []
            names = {change.table, change.renamed_to}
            answers = [table for table in taken if table is None or table.source in names]
            for table in taken:
                if table is not None:
                    self._tables.put(table)
            if answers:
                self._answered(change, answers[0])
                return

    def _answered(self, change: SchemaChange, answer: StreamTable | None) -> None:
        if answer is None and change.kind is SchemaChangeKind.COLUMNS:
            self._tables.reshape(change.table, change.columns)
        if answer is not None and change.kind is SchemaChangeKind.RENAMED and answer.source == change.renamed_to:
            self._tables.forget(change.table)
        self._reading.forget_maps()

    def confirm(self, position: str) -> None:
        """Nothing: the server keeps its log by age, whoever reads it."""

    def interrupt(self) -> None:
        """See `contract.changes.ChangeStream.interrupt`."""
        with self._settled:
            self._interrupted = True
            self._settled.notify_all()
        with suppress(OSError):
            self._replica.interrupt()
