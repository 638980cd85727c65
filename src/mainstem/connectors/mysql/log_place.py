"""Where a reader of the binary log is, kept up to date event by event. Pure."""

from __future__ import annotations

from mainstem.connectors.mysql.log_position import (
    RESYNC,
    GtidState,
    LogPosition,
    Prepared,
    Unsure,
    file_number,
)
from mainstem.connectors.mysql.log_side import Identity
from mainstem.connectors.mysql.wire.events import FormatDescription, Header, Rotate
from mainstem.connectors.mysql.wire.gtid import Gtid, GtidSet, MariadbGtid, MariadbPosition
from mainstem.errors import PositionLostError
from mainstem.model.names import TableId

_LOW = 0xFFFFFFFF


class Place:
    """A place in the log of one server.

    Attributes:
        before: where the event that is being read begins.
        offset: where it ends.
        gtids: all transactions up to the last boundary between two.
        prepared: XA transactions that are under way, by xid.
        unsure: tables whose layout is ahead of this place.
        chosen: it is not known yet which those are.
    """

    def __init__(self, identity: Identity, start: LogPosition) -> None:
        """
        Args:
            start: where the stream goes on; transactions before it are passed over when the log is read from an
                earlier place, for the sake of what was prepared there.
        """
        self._identity = identity
        self._target = start.order if start.server == identity.server and start.file else (0, 0)
        self._start = start
        self.file, self.offset = start.begin
        self.before = self.offset
        self._number = file_number(self.file)
        self._made = 0
        self.gtids = GtidState(identity.mariadb, start.gtid)
        self._at_s = start.at_s
        self.prepared: dict[str, Prepared] = {one.xid: one for one in start.prepared}
        self.chosen = start.chosen
        self.unsure = {TableId(one.schema, one.name): one for one in start.unsure}
        self._boundary = (start.file, start.offset, start.made)

    def move(self, header: Header) -> None:
        """An event was read."""
        end = header.end
        if end and not header.artificial:
            full = (self.offset & ~_LOW) | end
            self.offset = full if full >= self.offset else full + _LOW + 1
            self.before = self.offset - header.size  # there may be others between, which the server did not send
        else:
            self.before = self.offset

    def pass_over(self, offset: int) -> None:
        """Events up to there were not looked at."""
        self.offset = offset

    def rotate(self, event: Rotate) -> None:
        """The log goes on in another file."""
        if event.file != self.file:
            self._made = 0
        self.file, self.offset = event.file, event.position
        self.before = self.offset
        self._number = file_number(event.file)

    def begin_file(self, event: FormatDescription) -> None:
        """The first event of a file, which the server sends again to whoever begins further behind.

        Raises:
            PositionLostError: the file is another one than that where the stream stood.
        """
        self._made = event.header.timestamp
        start = self._start
        if start.made and self.file == start.file and start.server == self._identity.server:
            if start.made != self._made:
                raise PositionLostError(
                    f"the server's log was begun anew: {self.file} is another file than the one of that name that the"
                    " stream was reading",
                    remedy=RESYNC,
                    position=f"{start.file}:{start.offset}",
                )
            self._start = start.__class__(start.server, "")

    @property
    def folds(self) -> bool:
        """See `Identity.folds`."""
        return self._identity.folds

    @property
    def where(self) -> str:
        """The event that is being read, for people."""
        return f"{self.file}:{self.before}"

    @property
    def order(self) -> tuple[int, int]:
        """Where the event that is being read begins, to be compared with `LogPosition.order`."""
        return self._number, self.before

    @property
    def passed_over(self) -> bool:
        """Whether a transaction that begins with this event was dealt with before the stream was started."""
        return self.order < self._target

    def passed_over_at(self, order: tuple[int, int]) -> bool:
        """The same of one that began there."""
        return order < self._target

    def rest(self, at_s: int = 0) -> None:
        """No transaction is under way behind this event.

        Args:
            at_s: when one was committed by it.
        """
        if (self._number, self.offset) >= self._target:
            self._boundary = (self.file, self.offset, self._made)
            self.prepared.pop("", None)
            self._at_s = at_s or self._at_s

    def position(self) -> LogPosition:
        """The last boundary between two transactions."""
        file, offset, made = self._boundary
        return LogPosition(
            self._identity.server,
            file,
            offset,
            made,
            str(self.gtids),
            self._at_s,
            tuple(self.prepared.values()),
            tuple(self.unsure.values()),
            self.chosen,
        )

    def has_reached(self, order: tuple[int, int]) -> bool:
        """Whether the last event that was read ends there or further on."""
        return (self._number, self.offset) >= order

    def doubt(self, table: TableId, order: tuple[int, int]) -> Unsure | None:
        """What is not known of a table's layout in a transaction that began there."""
        found = self.unsure.get(table)
        if found is not None and order >= found.order:
            del self.unsure[table]
            return None
        return found

    def is_at(self, file: str, offset: int) -> bool:
        """Whether this is the last boundary."""
        return self._boundary[:2] == (file, offset)

    def is_ours(self, position: LogPosition) -> bool:
        """Whether it is a place in this server's files."""
        return position.server == self._identity.server

    def is_beyond(self, since: LogPosition, order: tuple[int, int], gtid: Gtid | MariadbGtid | None) -> bool:
        """Whether a transaction that begins at ``order`` comes after a position.

        Raises:
            PositionLostError: the position is another server's, and GTIDs do not tell.
        """
        if self.is_ours(since):
            return order >= since.order
        if gtid is None or not since.gtid:
            raise PositionLostError(
                "positions of two servers cannot be compared without GTIDs",
                remedy=RESYNC,
                position=f"{since.file}:{since.offset}",
            )
        if isinstance(gtid, MariadbGtid):
            return gtid not in MariadbPosition.parse(since.gtid)
        return gtid not in GtidSet.parse(since.gtid)
