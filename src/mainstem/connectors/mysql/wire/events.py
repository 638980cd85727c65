"""Typed events of a binary log, as `wire.reader.EventReader` makes them.

Those that come by the hundred thousand are named tuples, which are made several times faster than dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mainstem.connectors.mysql.wire.codes import Checksum, EventFlag, MariadbGtidFlag
from mainstem.connectors.mysql.wire.gtid import Gtid, GtidSet, MariadbGtid
from mainstem.connectors.mysql.wire.tablemap import TableMap
from mainstem.model.change import Op

# Plain numbers: the operators of flags make an object each, for every event.
_ARTIFICIAL = int(EventFlag.ARTIFICIAL)
_STANDALONE, _PREPARED_XA, _COMPLETED_XA = map(
    int, (MariadbGtidFlag.STANDALONE, MariadbGtidFlag.PREPARED_XA, MariadbGtidFlag.COMPLETED_XA)
)


class Header(NamedTuple):
    """What every event begins with.

    Attributes:
        timestamp: seconds since 1970, UTC, when the statement began; 0 of events that a server makes for its replica.
        type: of `EventType`.
        size: bytes of the whole event with header and checksum.
        end: where the next event begins in the file; 0 of events that stand in no file, and of those within a
            TRANSACTION_PAYLOAD. Beyond 4 GiB it begins at 0 again.
    """

    timestamp: int
    type: int
    server_id: int
    size: int
    end: int
    flags: int

    @property
    def artificial(self) -> bool:
        """Made for the replica: it stands in no file, and its position means nothing."""
        return bool(self.flags & _ARTIFICIAL)


@dataclass(frozen=True, slots=True)
class FormatDescription:
    """How events are written from here on. The first in each file."""

    header: Header
    server_version: str
    checksum: Checksum
    post_header_bytes: tuple[int, ...]

    def post_header(self, event_type: int) -> int | None:
        """Bytes in front of the body of events of a type; None of a type that the server does not know."""
        return self.post_header_bytes[event_type - 1] if event_type <= len(self.post_header_bytes) else None

    @property
    def mariadb(self) -> bool:
        """Whether a MariaDB wrote the log."""
        return "mariadb" in self.server_version.lower()


@dataclass(frozen=True, slots=True)
class Rotate:
    """The log goes on in another file at ``position``. Artificial ones say where the stream begins."""

    header: Header
    file: str
    position: int


class GtidEvent(NamedTuple):
    """A MySQL transaction begins.

    Attributes:
        gtid: None of an anonymous one.
        committed_us: when this server committed it, UTC microseconds since 1970; 0 when the server does not say (5.7).
        original_committed_us: when the first server did.
        transaction_bytes: of the whole transaction with this event; 0 when unknown.
        statements: the transaction may hold statements instead of rows.
    """

    header: Header
    gtid: Gtid | None
    last_committed: int = 0
    sequence: int = 0
    committed_us: int = 0
    original_committed_us: int = 0
    transaction_bytes: int = 0
    statements: bool = False


class Xid(NamedTuple):
    """The transaction is committed."""

    header: Header
    xid: int


@dataclass(frozen=True, slots=True)
class XaId:
    """The name of an XA transaction, as ``XA PREPARE`` got it."""

    format_id: int
    gtrid: bytes
    bqual: bytes

    def __str__(self) -> str:
        """As the server writes it in ``XA COMMIT X'61',X'62',1``."""
        return f"X'{self.gtrid.hex()}',X'{self.bqual.hex()}',{self.format_id}"


class MariadbGtidEvent(NamedTuple):
    """A MariaDB event group begins: a transaction, or one statement (``standalone``).

    Attributes:
        commit_id: equal in transactions that were committed together; None when not told.
        xid: of the XA transaction that is prepared or completed.
    """

    header: Header
    gtid: MariadbGtid
    flags: int
    commit_id: int | None = None
    xid: XaId | None = None

    @property
    def standalone(self) -> bool:
        """One event follows, and it ends the group."""
        return bool(self.flags & _STANDALONE)

    @property
    def prepares(self) -> bool:
        """The group ends with XA PREPARE; nothing of it may be visible before it is completed by another group."""
        return bool(self.flags & _PREPARED_XA)

    @property
    def completes(self) -> bool:
        """The group is the XA COMMIT or XA ROLLBACK (its QUERY says which) of a prepared one."""
        return bool(self.flags & _COMPLETED_XA)


@dataclass(frozen=True, slots=True)
class MariadbGtidList:
    """The last GTID of each domain and server before this file (``ignorable`` flags apart)."""

    header: Header
    gtids: tuple[MariadbGtid, ...]


@dataclass(frozen=True, slots=True)
class PreviousGtids:
    """All GTIDs before this file."""

    header: Header
    gtids: GtidSet


@dataclass(frozen=True, slots=True)
class StatusVariables:
    """What a QUERY says of its session, as far as it does; None is "not told".

    Attributes:
        flags2: session flags; see ``OPTION_…`` in the server's source.
        charset: collation ids of client, connection and server.
        commit_xid: of DDL that was logged with a transaction number.
    """

    flags2: int | None = None
    sql_mode: int | None = None
    time_zone: str | None = None
    charset: tuple[int, int, int] | None = None
    database_collation: int | None = None
    databases: tuple[str, ...] | None = None
    microseconds: int | None = None
    commit_xid: int | None = None

    @property
    def client_collation(self) -> int | None:
        """In which the statement is written, by its number."""
        return self.charset[0] if self.charset is not None else None

    @property
    def ansi_quotes(self) -> bool:
        """Whether double quotes enclose names in the statement."""
        return bool((self.sql_mode or 0) & 4)

    @property
    def no_backslash_escapes(self) -> bool:
        """Whether a backslash in the statement's strings is one."""
        return bool((self.sql_mode or 0) & 0x100000)


class Query(NamedTuple):
    """A statement: BEGIN, COMMIT, DDL, XA …, or a change that was logged as a statement.

    Attributes:
        database: the session's.
        statement: in the client's character set (``status.charset``).
    """

    header: Header
    thread_id: int
    error_code: int
    database: str
    status: StatusVariables
    statement: bytes


@dataclass(frozen=True, slots=True)
class XaPrepare:
    """The transaction is prepared; with ``one_phase`` it is committed.

    Attributes:
        one_phase: XA COMMIT … ONE PHASE: the transaction is over.
    """

    header: Header
    xid: XaId
    one_phase: bool


class TableMapped(NamedTuple):
    """Row events with this table's number speak of this table.

    Attributes:
        table: the same object as long as the log says the same of the table.
    """

    header: Header
    table: TableMap


class Rows(NamedTuple):
    """Row images of one table, to be decoded by `native.binlogrows.BinlogRows.feed`.

    Attributes:
        table_id: of the `TableMap`; 0xFFFFFF is a dummy that only ends a statement.
        ends_statement: the table numbers mean nothing behind this event.
        columns: how many the table has.
        present: bitmap of the columns in the images: of an UPDATE in those before it.
        present_after: of an UPDATE in those after it; else equal to ``present``.
        body: holds the images from ``start`` to ``end``.
    """

    header: Header
    op: Op
    table_id: int
    ends_statement: bool
    columns: int
    present: bytes
    present_after: bytes
    body: bytes | memoryview
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """The statement that the following row events come from (MariaDB: ANNOTATE_ROWS); for people."""

    header: Header
    statement: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing happens: the server's log ends at this position. ``file`` and ``position`` are of its own log."""

    header: Header
    file: str
    position: int


@dataclass(frozen=True, slots=True)
class Incident:
    """The log has a gap here: something happened that is not in it."""

    header: Header
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The server was shut down; the log goes on in the next file."""

    header: Header


@dataclass(frozen=True, slots=True)
class StatementContext:
    """What a statement that was logged as such needs to know: a number, a random seed, a user variable, file content.

    Its QUERY follows. Where all is logged as rows such events come only with DDL, and need no care.
    """

    header: Header


@dataclass(frozen=True, slots=True)
class LoadQuery:
    """A LOAD DATA that was logged as a statement, with the content of its file in `StatementContext` events before."""

    header: Header
    database: str
    statement: bytes


@dataclass(frozen=True, slots=True)
class TransactionPayload:
    """A compressed transaction, all but its GTID: `wire.payload.events` gives what is in it."""

    header: Header
    compression: int
    uncompressed_bytes: int
    payload: bytes | memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class Passed:
    """An event that says nothing about data.

    BINLOG_CHECKPOINT, TRANSACTION_CONTEXT, VIEW_CHANGE, START_ENCRYPTION, IGNORABLE, and types that are not known but
    whose header says that they may be ignored.
    """

    header: Header


Event = (
    FormatDescription
    | Rotate
    | GtidEvent
    | Xid
    | MariadbGtidEvent
    | MariadbGtidList
    | PreviousGtids
    | Query
    | XaPrepare
    | TableMapped
    | Rows
    | RowsQuery
    | Heartbeat
    | Incident
    | Stop
    | StatementContext
    | LoadQuery
    | TransactionPayload
    | Passed
)
