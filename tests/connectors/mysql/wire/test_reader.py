from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest

from mainstem.connectors.mysql.wire import payload
from mainstem.connectors.mysql.wire.codes import Checksum, EventFlag, EventType
from mainstem.connectors.mysql.wire.events import (
    Event,
    FormatDescription,
    GtidEvent,
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
    XaPrepare,
    Xid,
)
from mainstem.connectors.mysql.wire.reader import EventReader, events_of_file
from mainstem.errors import WireError
from mainstem.model.change import Op
from tests.connectors.mysql.wire.made import description, event, table_map

SOURCE = "97c7af02-4c50-11ec-acd8-681842034964"
# A tagged GTID as Percona Server 8.4.11 wrote it: 77d1902c-…:test_tag:1 of a transaction of 337 bytes.
TAGGED = bytes.fromhex(
    "027c00000202ee450341025802690322c5036902824102 3502dcbedc3502 0404 0610 746573745f746167"
    " 0800 0a04 0c7f003e8900fa5b06 10 4505 12 dbd009"
)


def read(kind: int, body: bytes = b"", **options: int) -> Event:
    return EventReader().read(event(kind, body, **options))  # type: ignore[arg-type]


def u64(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)


def query_body(statement: bytes, status: bytes = b"", database: bytes = b"shop") -> bytes:
    return struct.pack("<IIBHH", 7, 0, len(database), 0, len(status)) + status + database + b"\0" + statement


def squeezed(data: bytes) -> bytes:
    """As MariaDB compresses events."""
    return b"\x82" + len(data).to_bytes(2, "big") + zlib.compress(data)


def status_of(status: bytes) -> object:
    found = read(EventType.QUERY, query_body(b"", status))
    assert isinstance(found, Query)
    return found.status


@pytest.mark.parametrize(
    ("version", "algorithm", "checksum"),
    [("8.0.40", 1, Checksum.CRC32), ("5.6.1", 0, Checksum.NONE), ("10.5.15-MariaDB-log", 1, Checksum.CRC32)],
)
def test_format_description_says_which_checksums_follow(version: str, algorithm: int, checksum: Checksum) -> None:
    reader = EventReader()
    found = reader.read(description(version, algorithm))
    assert isinstance(found, FormatDescription)
    assert (found.server_version, found.checksum, found.mariadb) == (version, checksum, "MariaDB" in version)
    assert reader.read(event(EventType.XID, u64(5), crc=bool(algorithm))) == Xid(found.header._replace(
        type=16, size=31 if algorithm else 27), 5)  # fmt: skip


def test_checksum_does_not_know_that_a_file_is_in_use() -> None:
    assert isinstance(EventReader().read(description(algorithm=1, in_use=True)), FormatDescription)


@pytest.mark.parametrize("place", [0, 30, 80, -6, -5, -1])
def test_flipped_bit_in_a_description_is_noticed(place: int) -> None:
    data = bytearray(description(algorithm=1))
    data[place] ^= 0x10
    with pytest.raises(WireError):
        EventReader().read(bytes(data))


@pytest.mark.parametrize("place", [*range(9), *range(13, 31)])
def test_flipped_bit_in_an_event_is_noticed(place: int) -> None:
    reader = EventReader()
    reader.read(description(algorithm=1))
    data = bytearray(event(EventType.XID, u64(5), crc=True))
    data[place] ^= 0x10
    with pytest.raises(WireError, match="checksum"):
        reader.read(bytes(data))


def test_checksums_before_the_first_description_are_what_the_connection_agreed_on() -> None:
    rotate = event(EventType.ROTATE, u64(4) + b"binlog.000002", flags=EventFlag.ARTIFICIAL, crc=True)
    found = EventReader(Checksum.CRC32).read(rotate)
    assert isinstance(found, Rotate)
    assert (found.file, found.position, found.header.artificial) == ("binlog.000002", 4, True)


def test_gtid_with_all_that_mysql_8_tells() -> None:
    times = (1_700_000_000_000_000 | 1 << 55).to_bytes(7, "little") + (1_600_000_000_000_000).to_bytes(7, "little")
    body = b"\1" + uuid.UUID(SOURCE).bytes + u64(7) + b"\2" + u64(3, 4) + times + b"\xfc\x2c\x01" + b"\0\0\0\0"
    found = read(EventType.GTID, body)
    assert isinstance(found, GtidEvent)
    assert str(found.gtid) == f"{SOURCE}:7"
    assert found[2:] == (3, 4, 1_700_000_000_000_000, 1_600_000_000_000_000, 300, True)


def test_gtid_of_mysql_5_6_and_an_anonymous_one() -> None:
    found = read(EventType.GTID, b"\0" + uuid.UUID(SOURCE).bytes + u64(7))
    assert isinstance(found, GtidEvent)
    assert (str(found.gtid), found.committed_us, found.statements) == (f"{SOURCE}:7", 0, False)
    anonymous = read(EventType.ANONYMOUS_GTID, b"\1" + bytes(24) + b"\2" + u64(0, 1))
    assert isinstance(anonymous, GtidEvent)
    assert anonymous.gtid is None


def test_tagged_gtid_of_a_server() -> None:
    found = read(EventType.GTID_TAGGED, TAGGED)
    assert isinstance(found, GtidEvent)
    assert str(found.gtid) == "77d1902c-01da-11f1-9a41-908d6e5f6e8d:test_tag:1"
    assert (found.last_committed, found.sequence, found.transaction_bytes) == (0, 1, 337)
    assert found.committed_us == found.original_committed_us == 0x065BFA00893E00
    assert found.statements


@pytest.mark.parametrize("size", range(len(TAGGED)))
def test_cut_tagged_gtid_is_refused(size: int) -> None:
    with pytest.raises(WireError):
        read(EventType.GTID_TAGGED, TAGGED[:size])


def test_previous_gtids() -> None:
    body = u64(1) + uuid.UUID(SOURCE).bytes + u64(1, 1, 6)
    found = read(EventType.PREVIOUS_GTIDS, body)
    assert isinstance(found, PreviousGtids)
    assert str(found.gtids) == f"{SOURCE}:1-5"


@pytest.mark.parametrize(
    ("body", "standalone", "prepares", "completes", "xid"),
    [
        (b"\x01" + bytes(6), True, False, False, None),
        (b"\x02" + u64(77), False, False, False, None),
        (b"\x4c" + b"\1\0\0\0\2\1abc", False, True, False, "X'6162',X'63',1"),
        (b"\x80" + b"\1\0\0\0\2\1abc", False, False, True, "X'6162',X'63',1"),
    ],
)
def test_gtid_of_mariadb(body: bytes, standalone: bool, prepares: bool, completes: bool, xid: str | None) -> None:
    found = read(EventType.MARIADB_GTID, u64(100) + b"\3\0\0\0" + body, server_id=9)
    assert isinstance(found, MariadbGtidEvent)
    assert str(found.gtid) == "3-9-100"
    assert (found.standalone, found.prepares, found.completes) == (standalone, prepares, completes)
    assert (None if found.xid is None else str(found.xid)) == xid
    assert found.commit_id == (77 if body[0] == 2 else None)


def test_gtid_list_of_mariadb() -> None:
    body = b"\2\0\0\x10" + struct.pack("<IIQIIQ", 0, 1, 100, 1, 2, 3)
    found = read(EventType.MARIADB_GTID_LIST, body)
    assert isinstance(found, MariadbGtidList)
    assert [str(gtid) for gtid in found.gtids] == ["0-1-100", "1-2-3"]


def test_statement_with_what_is_told_of_its_session() -> None:
    status = (
        b"\0" + b"\1\0\0\0" + b"\1" + u64(4) + b"\6\3std" + b"\3" + bytes(4) + b"\4" + b"\x21\0\x2d\0\x08\0"
        + b"\5\6SYSTEM" + b"\7\0\0" + b"\x08\x2d\0" + b"\x0b\4root\1h" + b"\x0c\2one\0two\0" + b"\x0d\1\2\0"
        + b"\x11" + u64(99) + b"\xfe?"
    )  # fmt: skip
    found = read(EventType.QUERY, query_body(b"DROP TABLE t", status))
    assert isinstance(found, Query)
    assert (found.database, found.statement, found.thread_id) == ("shop", b"DROP TABLE t", 7)
    told = found.status
    assert (told.flags2, told.ansi_quotes, told.no_backslash_escapes) == (1, True, False)
    assert (told.charset, told.time_zone, told.database_collation) == ((33, 45, 8), "SYSTEM", 45)
    assert (told.databases, told.microseconds, told.commit_xid) == (("one", "two"), 513, 99)


@pytest.mark.parametrize("status", [b"\1\0", b"\4\1", b"\5\x09UTC", b"\x0c\1one", b"\x83\5", b"\x82\4\0"])
def test_cut_status_variables_are_refused(status: bytes) -> None:
    with pytest.raises(WireError, match="status variables"):
        status_of(status)


def test_compressed_statement_of_mariadb() -> None:
    found = read(EventType.QUERY_COMPRESSED, query_body(squeezed(b"DROP TABLE t")))
    assert isinstance(found, Query)
    assert found.statement == b"DROP TABLE t"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x81", b"\x80x", b"\x91\1" + zlib.compress(b"a"), b"\x81\2" + zlib.compress(b"a"),
        b"\x81\1" + zlib.compress(b"ab"), b"\x81\1zlib?", b"\x84\xff\xff\xff\xff" + zlib.compress(b"a"),
        (b"\x81\1" + zlib.compress(b"a"))[:-1],
    ],
)  # fmt: skip
def test_broken_compressed_event_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match="compressed event"):
        read(EventType.QUERY_COMPRESSED, query_body(data))


_HEAD = (9).to_bytes(6, "little") + b"\1\0"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (EventType.WRITE_ROWS_V1, _HEAD + b"\2\3" + b"rows", (Op.INSERT, b"\3", b"\3", b"rows")),
        (EventType.DELETE_ROWS_V1, _HEAD + b"\2\1" + b"rows", (Op.DELETE, b"\1", b"\1", b"rows")),
        (EventType.UPDATE_ROWS_V1, _HEAD + b"\2\1\2" + b"rows", (Op.UPDATE, b"\1", b"\2", b"rows")),
        (EventType.WRITE_ROWS, _HEAD + b"\2\0\2\3" + b"rows", (Op.INSERT, b"\3", b"\3", b"rows")),
        (EventType.UPDATE_ROWS, _HEAD + b"\5\0abc\2\1\2" + b"rows", (Op.UPDATE, b"\1", b"\2", b"rows")),
        (EventType.DELETE_ROWS, _HEAD + b"\2\0\2\3", (Op.DELETE, b"\3", b"\3", b"")),
        (EventType.WRITE_ROWS_COMPRESSED_V1, _HEAD + b"\2\3" + squeezed(b"rows"), (Op.INSERT, b"\3", b"\3", b"rows")),
        (EventType.UPDATE_ROWS_COMPRESSED, _HEAD + b"\2\0\2\1\2" + squeezed(b"r"), (Op.UPDATE, b"\1", b"\2", b"r")),
    ],
)
def test_row_events_of_every_version(kind: int, body: bytes, expected: tuple[Op, bytes, bytes, bytes]) -> None:
    found = read(kind, body)
    assert isinstance(found, Rows)
    assert (found.table_id, found.ends_statement, found.columns) == (9, True, 2)
    assert (found.op, found.present, found.present_after) == expected[:3]
    assert bytes(found.body[found.start : found.end]) == expected[3]


def test_row_event_with_an_impossible_extra_part_is_refused() -> None:
    for size in (0, 1, 200):
        with pytest.raises(WireError):
            read(EventType.WRITE_ROWS, _HEAD + size.to_bytes(2, "little") + b"\2\3rows")


def test_old_servers_have_short_table_numbers() -> None:
    reader = EventReader()
    reader.read(description(table_map=6))
    mapped = reader.read(event(EventType.TABLE_MAP, table_map(b"\3")[2:]))
    assert isinstance(mapped, TableMapped)
    found = reader.read(event(EventType.WRITE_ROWS_V1, b"\7\0\0\0" + b"\1\0" + b"\1\1" + b"rows"))
    assert isinstance(found, Rows)
    assert (found.table_id, found.columns, bytes(found.body[found.start : found.end])) == (7, 1, b"rows")


def test_table_is_the_same_object_as_long_as_the_log_says_the_same() -> None:
    reader = EventReader()
    first, second, other = (
        reader.read(event(EventType.TABLE_MAP, table_map(columns))) for columns in (b"\3", b"\3", b"\3\3")
    )
    assert isinstance(first, TableMapped)
    assert isinstance(second, TableMapped)
    assert isinstance(other, TableMapped)
    assert first.table is second.table
    assert first.table is not other.table


@pytest.mark.parametrize(
    ("kind", "body", "what", "value"),
    [
        (EventType.XA_PREPARE, b"\1" + struct.pack("<III", 1, 2, 1) + b"abc", XaPrepare, "X'6162',X'63',1"),
        (EventType.INCIDENT, b"\1\0\4lost", Incident, "lost"),
        (EventType.ROWS_QUERY, b"\x08INSERT x", RowsQuery, b"INSERT x"),
        (EventType.ANNOTATE_ROWS, b"INSERT x", RowsQuery, b"INSERT x"),
        (EventType.HEARTBEAT, b"binlog.000007", Heartbeat, "binlog.000007"),
        (EventType.HEARTBEAT_V2, b"\1\x0dbinlog.000007\2\4\xfd\1\0\1\0", Heartbeat, "binlog.000007"),
        (EventType.STOP, b"", Stop, None),
        (EventType.INTVAR, b"\2" + u64(7), StatementContext, None),
        (EventType.BINLOG_CHECKPOINT, b"\x0d\0\0\0binlog.000007", Passed, None),
        (EventType.VIEW_CHANGE, b"any", Passed, None),
    ],
)
def test_other_events(kind: int, body: bytes, what: type, value: object) -> None:
    found = read(kind, body)
    assert isinstance(found, what)
    told: dict[type, Callable[[Event], object]] = {
        XaPrepare: lambda event: str(event.xid),  # type: ignore[union-attr]
        Incident: lambda event: event.message,  # type: ignore[union-attr]
        RowsQuery: lambda event: event.statement,  # type: ignore[union-attr]
        Heartbeat: lambda event: event.file,  # type: ignore[union-attr]
    }
    assert told.get(what, lambda event: None)(found) == value
    if kind == EventType.HEARTBEAT_V2:
        assert isinstance(found, Heartbeat)
        assert found.position == 65537


def test_load_data_that_was_logged_as_a_statement() -> None:
    body = struct.pack("<IIBHH", 7, 0, 4, 0, 0) + bytes(13) + b"shop\0LOAD DATA"
    found = read(EventType.EXECUTE_LOAD_QUERY, body)
    assert isinstance(found, LoadQuery)
    assert (found.database, found.statement) == ("shop", b"LOAD DATA")


@pytest.mark.parametrize("kind", [0, 7, 43, 100, 173, 255, *(EventType[name] for name in (
    "START_V3", "LOAD", "CREATE_FILE", "EXEC_LOAD", "NEW_LOAD", "PRE_GA_WRITE_ROWS"))])  # fmt: skip
def test_event_that_is_not_known_is_refused_and_never_passed_over(kind: int) -> None:
    with pytest.raises(WireError, match="is not known") as refused:
        read(kind, b"anything")
    assert refused.value.where["event"] == kind
    assert isinstance(read(kind, b"anything", flags=EventFlag.IGNORABLE), Passed)


@pytest.mark.parametrize(
    ("kind", "message", "remedy"),
    [
        (EventType.PARTIAL_UPDATE_ROWS, "partial updates", "binlog_row_value_options"),
        (EventType.PARTIAL_ROW_DATA, "fragments", "binlog_row_event_fragment_threshold"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_a_remedy(kind: int, message: str, remedy: str) -> None:
    with pytest.raises(WireError, match=message) as refused:
        read(kind, b"anything")
    assert remedy in refused.value.remedy


def payload_event(inner: bytes, *, compression: int = 0, size: int | None = None) -> bytes:
    data = pa.compress(inner, codec="zstd", asbytes=True) if compression == 0 else inner
    length = len(inner) if size is None else size
    fields = b"\1\3\xfc" + len(data).to_bytes(2, "little") + b"\2\1" + (b"\0" if compression == 0 else b"\xfb")
    if compression:
        fields = b"\1\3\xfc" + len(data).to_bytes(2, "little") + b"\2\3\xfc\xff\0"
    fields += b"\3\3\xfc" + length.to_bytes(2, "little") + b"\0"
    return event(EventType.TRANSACTION_PAYLOAD, fields + data)


def inside(data: bytes) -> list[Event]:
    reader = EventReader()
    found = reader.read(data)
    assert isinstance(found, TransactionPayload)
    return list(payload.events(found, reader))


@pytest.mark.parametrize("compression", [0, 255])
def test_events_of_a_compressed_transaction_have_no_checksums(compression: int) -> None:
    inner = event(EventType.TABLE_MAP, table_map(b"\3")) + event(EventType.XID, u64(5))
    mapped, xid = inside(payload_event(inner, compression=compression))
    assert isinstance(mapped, TableMapped)
    assert isinstance(xid, Xid)


@pytest.mark.parametrize(
    ("inner", "size", "message"),
    [
        (event(EventType.XID, u64(5)), 26, "longer than it says"),
        (event(EventType.XID, u64(5)), 28, "shorter than it says"),
        (event(EventType.XID, u64(5))[:-1], None, "within an event"),
        (payload_event(event(EventType.XID, u64(5))), None, "holds another"),
        (bytes(40), None, "impossible size"),
    ],
)
def test_broken_compressed_transaction_is_refused(inner: bytes, size: int | None, message: str) -> None:
    with pytest.raises(WireError, match=message):
        inside(payload_event(inner, size=size))


def test_compressed_transaction_that_is_cut_is_refused() -> None:
    whole = event(EventType.XID, u64(5)) * 50
    packed = pa.compress(whole, codec="zstd", asbytes=True)
    for size in range(len(packed)):
        fields = b"\1\1" + bytes([size]) + b"\2\1\0" + b"\3\3\xfc" + len(whole).to_bytes(2, "little") + b"\0"
        with pytest.raises(WireError):
            inside(event(EventType.TRANSACTION_PAYLOAD, fields + packed[:size]))


def test_encrypted_file_is_refused() -> None:
    with pytest.raises(WireError, match="encrypted"):
        list(events_of_file(b"\xfebin" + description() + event(EventType.START_ENCRYPTION, bytes(17)) + b"\x8f" * 40))


def test_file_that_is_no_log_is_refused() -> None:
    with pytest.raises(WireError, match="its mark"):
        list(events_of_file(b"PK\3\4"))
