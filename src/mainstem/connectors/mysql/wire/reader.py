"""Bytes of a binary log → typed events.

Source: MySQL source documentation, "Binlog Event", "Common-Header", and the classes of each event; MariaDB
documentation, "Replication Protocol". A type that is not known is refused, never passed over: only an event whose
header says that it may be ignored is.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterator
from zlib import crc32

from mainstem.connectors.mysql.wire import compressed, tablemap
from mainstem.connectors.mysql.wire.codes import Checksum, EventFlag, EventType, MariadbGtidFlag
from mainstem.connectors.mysql.wire.cursor import Cursor, text
from mainstem.connectors.mysql.wire.events import (
    Event,
    FormatDescription,
    GtidEvent,
    Header,
    Heartbeat,
    Incident,
    LoadQuery,
    MariadbGtidEvent,
    MariadbGtidList,
    Passed,
    PreviousGtids,
    Query,
    Rotate,
    Rows,
    RowsQuery,
    StatementContext,
    Stop,
    TableMapped,
    TransactionPayload,
    XaId,
    XaPrepare,
    Xid,
)
from mainstem.connectors.mysql.wire.gtid import Gtid, GtidSet, MariadbGtid, read_tag
from mainstem.connectors.mysql.wire.status import read_status
from mainstem.connectors.mysql.wire.tablemap import TableMap
from mainstem.errors import WireError
from mainstem.model.change import Op

_new = tuple.__new__  # of named tuples, without the function that fills in defaults
HEADER_BYTES = 19
_CUT = "an event ends before its last field"
MAGIC = b"\xfebin"
_HEADER = struct.Struct("<IBIIIH")
_FORMAT_DESCRIPTION = int(EventType.FORMAT_DESCRIPTION)
_CHECKSUM_BYTES = 4
_MAX_MAPS = 4096
_SHORT_HEAD_BYTES = 6  # of table maps and row events of servers before MySQL 5.1.4, whose table numbers have four
_CHECKSUM = struct.Struct("<I")
_XID = struct.Struct("<Q")
_ROWS_HEAD = struct.Struct("<IHH")
_MARIADB_GTID = struct.Struct("<QIB")
_QUERY = struct.Struct("<IIBHH")
_EXECUTE_LOAD = struct.Struct("<IIIB")
_TAGGED_FIELDS = 12
_VERSION_BYTES = 50


def events_of_file(data: bytes | memoryview, reader: EventReader | None = None) -> Iterator[Event]:
    """The events of a binary log file; `WireError` where it is cut or broken."""
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise WireError("a file is not a binary log: it does not begin with its mark")
    reader = reader or EventReader()
    at = len(MAGIC)
    while at < len(data):
        size = event_bytes(data, at)
        event = reader.read(data[at : at + size])
        if event.header.type == EventType.START_ENCRYPTION:
            raise WireError("a binary log is encrypted", remedy="read it from its server, which sends it decrypted")
        yield event
        at += size


def event_bytes(data: bytes | memoryview, at: int = 0) -> int:
    """The size of the event that begins at ``at``; `WireError` where it is not all there."""
    if len(data) - at < HEADER_BYTES:
        raise WireError("a binary log ends within the header of an event", position=at)
    size: int = _HEADER.unpack_from(data, at)[3]
    if size < HEADER_BYTES or size > len(data) - at:
        raise WireError("a binary log ends within an event, or tells a wrong size", position=at)
    return size


class EventReader:
    """Reads event after event of one log; remembers what FORMAT_DESCRIPTION says. For one thread at a time."""

    def __init__(self, checksum: Checksum = Checksum.NONE) -> None:
        """
        Args:
            checksum: of events before the first FORMAT_DESCRIPTION: what the connection has agreed on.
        """
        self.checksum = checksum
        self.format: FormatDescription | None = None
        self._maps: dict[bytes, TableMap] = {}
        self._inner = False
        self.short_table_ids = False

    @property
    def checksum_bytes(self) -> int:
        """How many bytes of a checksum stand behind an event."""
        return _CHECKSUM_BYTES if self.checksum else 0

    def inner(self) -> EventReader:
        """A reader of events within a TRANSACTION_PAYLOAD, which have no checksums; shares what is known of tables."""
        reader = EventReader()
        reader.format, reader._maps, reader._inner = self.format, self._maps, True
        reader.short_table_ids = self.short_table_ids
        return reader

    def read(self, data: bytes | memoryview) -> Event:
        """One whole event.

        Raises:
            WireError: a wrong size or checksum, bytes that break the format, or a type that is not known; ``position``
                is where the event ends in its file.
        """
        end = len(data)
        if end < HEADER_BYTES:
            raise WireError("an event is shorter than its header")
        header = _new(Header, _HEADER.unpack_from(data))
        kind = header.type
        try:
            if header.size != end:
                raise WireError("an event is not as long as its header says")
            if kind == _FORMAT_DESCRIPTION:
                return self._format(header, data)
            if self.checksum:
                end -= _CHECKSUM_BYTES
                if end < HEADER_BYTES or crc32(memoryview(data)[:end]) != _CHECKSUM.unpack_from(data, end)[0]:
                    raise WireError("the checksum of an event is wrong: it was changed on its way, or on disk")
            read = _READERS.get(kind)
            return _unknown(header) if read is None else read(self, header, data, end)
        except WireError as exc:
            exc.where.setdefault("position", header.end)
            exc.where.setdefault("event", kind)
            raise

    def _format(self, header: Header, data: bytes | memoryview) -> FormatDescription:
        cursor = Cursor(data, HEADER_BYTES)
        if cursor.integer(2) != 4:
            raise WireError("the binary log is in a format older than that of MySQL 5.0")
        version = text(cursor.take(_VERSION_BYTES).rstrip(b"\0"))
        cursor.take(4)
        if cursor.integer(1) != HEADER_BYTES:
            raise WireError("the events of a binary log have headers of an unknown size")
        checksum = Checksum.NONE
        if _has_checksums(version):
            cursor.end -= _CHECKSUM_BYTES + 1
            algorithm = bytes(data[cursor.end : cursor.end + 1])
            if cursor.left < 0 or algorithm not in (b"\0", b"\1"):
                raise WireError("a binary log has checksums of a kind that is not known")
            checksum = Checksum(algorithm[0])
        if checksum is Checksum.CRC32:
            _verify_format(data)
        found = FormatDescription(header, version, checksum, tuple(cursor.rest()))
        self.format, self.checksum = found, checksum
        self.short_table_ids = found.post_header(EventType.TABLE_MAP) == _SHORT_HEAD_BYTES
        self._maps.clear()
        return found

    def table_map(self, header: Header, data: bytes | memoryview, end: int) -> TableMapped:
        """TABLE_MAP; what was seen before, byte by byte, is not read again."""
        body = bytes(memoryview(data)[HEADER_BYTES:end])
        table = self._maps.get(body)
        if table is None:
            mariadb = self.format is not None and self.format.mariadb
            table = tablemap.parse(body, 4 if self.short_table_ids else 6, mariadb=mariadb)
            if len(self._maps) >= _MAX_MAPS:
                self._maps.clear()
            self._maps[body] = table
        return _new(TableMapped, (header, table))

    def payload(self, header: Header, data: bytes | memoryview, end: int) -> TransactionPayload:
        """TRANSACTION_PAYLOAD: fields of type, length, value, and behind them the payload."""
        if self._inner:
            raise WireError("a compressed transaction holds another one")
        cursor = Cursor(data, HEADER_BYTES, end)
        fields: dict[int, int] = {}
        while kind := cursor.lenenc():
            fields[kind] = Cursor(cursor.lenenc_bytes()).lenenc()
        if 2 not in fields or fields.get(1) != cursor.left:
            raise WireError("a compressed transaction is not as long as it says")
        return TransactionPayload(header, fields[2], fields.get(3, 0), memoryview(data)[cursor.at : end])


def _unknown(header: Header) -> Passed:
    if header.flags & EventFlag.IGNORABLE:
        return Passed(header)
    raise WireError(
        f"an event of type {header.type} is not known", remedy="ask for a version that knows this server's log"
    )


def _has_checksums(version: str) -> bool:
    """Whether FORMAT_DESCRIPTION ends with algorithm and checksum: MySQL 5.6.1, MariaDB 5.3 and later."""
    numbers = []
    for part in version.split("-")[0].split(".")[:3]:
        if not part.isdigit():
            raise WireError("a binary log does not say which server has written it")
        numbers.append(int(part))
    return tuple(numbers) >= ((5, 3, 0) if "mariadb" in version.lower() else (5, 6, 1))


def _verify_format(data: bytes | memoryview) -> None:
    """The checksum does not know of the flag that a file is in use."""
    covered = bytearray(data[:-_CHECKSUM_BYTES])
    covered[17] &= ~EventFlag.BINLOG_IN_USE & 0xFF
    if crc32(covered) != int.from_bytes(data[-_CHECKSUM_BYTES:], "little"):
        raise WireError("the checksum of a format description is wrong: it was changed on its way or on disk")


def _rotate(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> Rotate:
    cursor = Cursor(data, HEADER_BYTES, end)
    position = cursor.integer(8)
    return Rotate(header, text(cursor.rest()), position)


def _xid(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> Xid:
    if end != HEADER_BYTES + _XID.size:
        raise WireError("the end of a transaction has not the length of one")
    return _new(Xid, (header, _XID.unpack_from(data, HEADER_BYTES)[0]))


def _gtid(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> GtidEvent:
    cursor = Cursor(data, HEADER_BYTES, end)
    flags, source, number = cursor.integer(1), cursor.take(16), cursor.integer(8)
    anonymous = header.type == EventType.ANONYMOUS_GTID
    if not anonymous and not 1 <= number < 1 << 63:
        raise WireError("a GTID has a number that does not exist")
    gtid = None if anonymous else Gtid(str(uuid.UUID(bytes=source)), "", number)
    last, sequence, committed, original, size = 0, 0, 0, 0, 0
    if cursor.left >= 17 and cursor.integer(1) == 2:
        last, sequence = cursor.integer(8), cursor.integer(8)
        if cursor.left >= 7:
            committed = original = cursor.integer(7)
            if committed >> 55:
                committed &= (1 << 55) - 1
                original = cursor.integer(7)
            if cursor.left:
                size = cursor.lenenc()
    return GtidEvent(header, gtid, last, sequence, committed, original, size, bool(flags & 1))


def _gtid_tagged(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> GtidEvent:
    """Source: MySQL source documentation, "mysql::serialization", "Message format", and `Gtid_event`'s fields."""
    cursor = Cursor(data, HEADER_BYTES, end)
    start = cursor.at
    version, size, known = cursor.varlen(), cursor.varlen(), cursor.varlen()
    if version != 1 or size > end - start or known > _TAGGED_FIELDS:
        raise WireError("a tagged GTID is written in a way that is not known")
    cursor.end = start + size
    fields: dict[int, object] = {}
    while cursor.left:
        number = cursor.varlen()
        read = _TAGGED.get(number)
        if read is None:  # the message says up to which field all must be known
            break
        fields[number] = read(cursor)
    source, gno, tag = fields.get(1), fields.get(2), fields.get(3, "")
    if not isinstance(source, str) or not isinstance(gno, int) or not isinstance(tag, str) or gno < 1:
        raise WireError("a tagged GTID lacks its server or number")
    numbers = {key: value for key, value in fields.items() if isinstance(value, int)}
    committed = numbers.get(6, 0)
    return GtidEvent(
        header,
        Gtid(source, tag, gno),
        numbers.get(4, 0),
        numbers.get(5, 0),
        committed,
        numbers.get(7, committed),
        numbers.get(8, 0),
        bool(numbers.get(0, 0) & 1),
    )


def _tagged_source(cursor: Cursor) -> str:
    parts = [cursor.varlen() for _ in range(16)]
    if max(parts) > 0xFF:
        raise WireError("a tagged GTID has a server's UUID that does not exist")
    return str(uuid.UUID(bytes=bytes(parts)))


_TAGGED: dict[int, Callable[[Cursor], object]] = {
    0: Cursor.varlen,
    1: _tagged_source,
    2: Cursor.signed_varlen,
    3: read_tag,
    4: Cursor.signed_varlen,
    5: Cursor.signed_varlen,
    **dict.fromkeys(range(6, 12), Cursor.varlen),
}


_WITH_MORE = int(MariadbGtidFlag.GROUP_COMMIT_ID | MariadbGtidFlag.PREPARED_XA | MariadbGtidFlag.COMPLETED_XA)


_GROUP_COMMIT_ID = int(MariadbGtidFlag.GROUP_COMMIT_ID)
_OF_XA = int(MariadbGtidFlag.PREPARED_XA | MariadbGtidFlag.COMPLETED_XA)


def _mariadb_gtid(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> MariadbGtidEvent:
    if end - HEADER_BYTES < _MARIADB_GTID.size:
        raise WireError(_CUT)
    sequence, domain, flags = _MARIADB_GTID.unpack_from(data, HEADER_BYTES)
    gtid = _new(MariadbGtid, (domain, header.server_id, sequence))
    if not flags & _WITH_MORE:
        return _new(MariadbGtidEvent, (header, gtid, flags, None, None))
    cursor = Cursor(data, HEADER_BYTES + _MARIADB_GTID.size, end)
    commit_id = xid = None
    if flags & _GROUP_COMMIT_ID:
        commit_id = cursor.integer(8)
    else:
        form, gtrid, bqual = cursor.integer(4), cursor.integer(1), cursor.integer(1)
        xid = XaId(form, cursor.take(gtrid), cursor.take(bqual))
    return MariadbGtidEvent(header, gtid, flags, commit_id, xid)


def _mariadb_gtid_list(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> MariadbGtidList:
    cursor = Cursor(data, HEADER_BYTES, end)
    count = cursor.integer(4) & 0x0FFFFFFF
    if count * 16 > cursor.left:
        raise WireError(_CUT)
    return MariadbGtidList(
        header,
        tuple(MariadbGtid(cursor.integer(4), cursor.integer(4), cursor.integer(8)) for _ in range(count)),
    )


def _previous_gtids(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> PreviousGtids:
    return PreviousGtids(header, GtidSet.decode(data[HEADER_BYTES:end]))


def _query(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> Query:
    cursor = Cursor(data, HEADER_BYTES, end)
    thread, _seconds, database_bytes, error, status_bytes = cursor.struct(_QUERY)
    status = read_status(cursor.take(status_bytes))
    database = text(cursor.take(database_bytes))
    if cursor.integer(1) != 0:
        raise WireError("a name in an event has no zero byte behind it")
    statement = cursor.rest()
    if header.type == EventType.QUERY_COMPRESSED:
        statement = compressed.inflate(statement)
    return Query(header, thread, error, database, status, statement)


def _xa_prepare(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> XaPrepare:
    cursor = Cursor(data, HEADER_BYTES, end)
    one_phase, form = cursor.integer(1), cursor.integer(4)
    gtrid, bqual = cursor.integer(4), cursor.integer(4)
    return XaPrepare(header, XaId(form, cursor.take(gtrid), cursor.take(bqual)), bool(one_phase))


_ROWS: dict[int, tuple[Op, int, bool]] = {
    EventType.WRITE_ROWS_V1: (Op.INSERT, 1, False),
    EventType.UPDATE_ROWS_V1: (Op.UPDATE, 1, False),
    EventType.DELETE_ROWS_V1: (Op.DELETE, 1, False),
    EventType.WRITE_ROWS: (Op.INSERT, 2, False),
    EventType.UPDATE_ROWS: (Op.UPDATE, 2, False),
    EventType.DELETE_ROWS: (Op.DELETE, 2, False),
    EventType.WRITE_ROWS_COMPRESSED_V1: (Op.INSERT, 1, True),
    EventType.UPDATE_ROWS_COMPRESSED_V1: (Op.UPDATE, 1, True),
    EventType.DELETE_ROWS_COMPRESSED_V1: (Op.DELETE, 1, True),
    EventType.WRITE_ROWS_COMPRESSED: (Op.INSERT, 2, True),
    EventType.UPDATE_ROWS_COMPRESSED: (Op.UPDATE, 2, True),
    EventType.DELETE_ROWS_COMPRESSED: (Op.DELETE, 2, True),
}


def _rows(reader: EventReader, header: Header, data: bytes | memoryview, end: int) -> Rows:
    op, version, is_compressed = _ROWS[header.type]
    if end - HEADER_BYTES < _ROWS_HEAD.size:
        raise WireError(_CUT)
    low, high, flags = _ROWS_HEAD.unpack_from(data, HEADER_BYTES)
    cursor = Cursor(data, HEADER_BYTES + _ROWS_HEAD.size, end)
    if reader.short_table_ids:
        high, flags = 0, high
        cursor.at -= 2
    if version == 2:
        cursor.take(cursor.integer(2) - 2)  # a length with its own two bytes
    columns = cursor.lenenc()
    bitmap_bytes = (columns + 7) // 8
    present = present_after = cursor.take(bitmap_bytes)
    if op is Op.UPDATE:
        present_after = cursor.take(bitmap_bytes)
    start = cursor.at
    if is_compressed and cursor.left:
        data = compressed.inflate(cursor.rest())
        start, end = 0, len(data)
    table_id = high << 32 | low
    ends = flags & 1 == 1
    return _new(Rows, (header, op, table_id, ends, columns, present, present_after, data, start, end))


def _rows_query(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> RowsQuery:
    skipped = 1 if header.type == EventType.ROWS_QUERY else 0  # a length that is too short for most statements
    cursor = Cursor(data, HEADER_BYTES, end)
    cursor.take(skipped)
    return RowsQuery(header, cursor.rest())


def _heartbeat(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> Heartbeat:
    cursor = Cursor(data, HEADER_BYTES, end)
    if header.type == EventType.HEARTBEAT:
        position = header.end or cursor.integer(8)  # beyond 4 GiB the header has no room for it
        return Heartbeat(header, text(cursor.rest()), position)
    file, position = "", header.end
    while cursor.left:
        kind = cursor.lenenc()
        if kind == 0:
            break
        value = Cursor(cursor.lenenc_bytes())
        if kind == 1:
            file = text(value.rest())
        elif kind == 2:
            position = value.lenenc()
    return Heartbeat(header, file, position)


def _incident(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> Incident:
    cursor = Cursor(data, HEADER_BYTES, end)
    code = cursor.integer(2)
    return Incident(header, code, cursor.short_text() if cursor.left else "")


def _load_query(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> LoadQuery:
    cursor = Cursor(data, HEADER_BYTES, end)
    *_head, database_bytes, _error, status_bytes = cursor.struct(_QUERY)
    cursor.struct(_EXECUTE_LOAD)
    cursor.take(status_bytes)
    database = text(cursor.take(database_bytes))
    cursor.take(1)
    return LoadQuery(header, database, cursor.rest())


def _refuse(message: str, remedy: str) -> _Read:
    def refuse(_: EventReader, header: Header, data: bytes | memoryview, end: int) -> Event:
        raise WireError(message, remedy=remedy)

    return refuse


_Read = Callable[[EventReader, Header, "bytes | memoryview", int], Event]
_BARE = (
    (StatementContext, "INTVAR RAND USER_VAR APPEND_BLOCK DELETE_FILE BEGIN_LOAD_QUERY"),
    (Stop, "STOP"),
    # A server sends START_ENCRYPTION too, and then what follows decrypted.
    (Passed, "IGNORABLE TRANSACTION_CONTEXT VIEW_CHANGE BINLOG_CHECKPOINT START_ENCRYPTION"),
)


def _bare(make: Callable[[Header], Event]) -> _Read:
    return lambda reader, header, data, end: make(header)


_READERS: dict[int, _Read] = {
    EventType.TABLE_MAP: EventReader.table_map,
    EventType.TRANSACTION_PAYLOAD: EventReader.payload,
    **dict.fromkeys(_ROWS, _rows),
    EventType.GTID: _gtid,
    EventType.ANONYMOUS_GTID: _gtid,
    EventType.GTID_TAGGED: _gtid_tagged,
    EventType.PREVIOUS_GTIDS: _previous_gtids,
    EventType.MARIADB_GTID: _mariadb_gtid,
    EventType.MARIADB_GTID_LIST: _mariadb_gtid_list,
    EventType.QUERY: _query,
    EventType.QUERY_COMPRESSED: _query,
    EventType.XID: _xid,
    EventType.XA_PREPARE: _xa_prepare,
    EventType.ROTATE: _rotate,
    EventType.ROWS_QUERY: _rows_query,
    EventType.ANNOTATE_ROWS: _rows_query,
    EventType.HEARTBEAT: _heartbeat,
    EventType.HEARTBEAT_V2: _heartbeat,
    EventType.INCIDENT: _incident,
    EventType.EXECUTE_LOAD_QUERY: _load_query,
    **{EventType[name]: _bare(make) for make, names in _BARE for name in names.split()},
    EventType.PARTIAL_UPDATE_ROWS: _refuse(
        "the log holds JSON columns as partial updates, of which the whole value cannot be told",
        "SET GLOBAL binlog_row_value_options = ''; reconnect the writers; copy the table again",
    ),
    EventType.PARTIAL_ROW_DATA: _refuse(
        "the log holds a row in several fragments",
        "SET GLOBAL binlog_row_event_fragment_threshold to more than the longest row; copy the table again",
    ),
}
