"""Binary logs that servers wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstem.connectors.mysql.types import logical_type
from mainstem.connectors.mysql.wire import payload
from mainstem.connectors.mysql.wire.changes import take_changes
from mainstem.connectors.mysql.wire.events import Event, GtidEvent, Rows, TableMapped, TransactionPayload
from mainstem.connectors.mysql.wire.forms import row_forms
from mainstem.connectors.mysql.wire.reader import EventReader, events_of_file
from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan
from mainstem.native.binlogrows import BinlogRows

BINLOGS = Path(__file__).parents[3] / "data" / "binlogs"


def all_events(data: bytes) -> Iterator[Event]:
    """With those within compressed transactions."""
    reader = EventReader()
    for event in events_of_file(data, reader):
        yield event
        if isinstance(event, TransactionPayload):
            yield from payload.events(event, reader)


@pytest.mark.parametrize(
    ("name", "version", "counts"),
    [
        ("binlog-invisible-columns.000001", "8.0.26", {"GtidEvent": 5, "Query": 5, "TableMapped": 3, "Rows": 3}),
        ("binlog_savepoint.000001", "5.1.43-debug-log", {"FormatDescription": 2, "Query": 8, "Xid": 1}),
        ("binlog_transaction.000001", "5.0.86-debug-log", {"Query": 17, "Xid": 1, "Rotate": 1}),
        ("binlog_transaction_with_GTID.000001", "5.6.24-debug-log", {"GtidEvent": 3, "Query": 5, "Stop": 1}),
        ("binlog_transaction_with_anonymous_GTID.000001", "5.7.6-m16-debug-log", {"GtidEvent": 2, "Query": 3}),
        ("mariadb-bin.000001", "10.5.15-MariaDB-1:10.5.15+maria~focal-log", {"MariadbGtidEvent": 2, "Rows": 2}),
        ("minimal_row_metadata.000001", "8.0.40", {"GtidEvent": 1, "Rows": 1, "Xid": 1}),
        ("mysql_type_bit.000001", "8.0.26", {"GtidEvent": 3, "Query": 3, "Rows": 1}),
        ("time_issue.000001", "8.0.40", {"GtidEvent": 1, "Rows": 1}),
        ("transaction_compression.000001", "8.0.32", {"TransactionPayload": 1, "Query": 1, "Rows": 1, "Xid": 1}),
        ("update-full-row.binlog", "5.1.37-ndb-6.2.19-debug-log", {"TableMapped": 2, "Rows": 4}),
    ],
)
def test_recording_is_read_whole(name: str, version: str, counts: dict[str, int]) -> None:
    events = list(all_events((BINLOGS / name).read_bytes()))
    found = Counter(type(event).__name__ for event in events)
    assert events[0].server_version == version  # type: ignore[union-attr]
    assert {kind: found[kind] for kind in counts} == counts


def test_log_that_ends_within_an_event_is_refused() -> None:
    with pytest.raises(WireError, match="ends within the header"):
        list(all_events((BINLOGS / "binlog_truncated_event.000001").read_bytes()))


def rows_of(name: str, types: dict[str, tuple[str, ...]]) -> list[tuple[str, Op, tuple[object, ...], object]]:
    """Table, op, row and identity of each change; of tables that are named, all columns, the first as the identity."""
    found: list[tuple[str, Op, tuple[object, ...], object]] = []
    known: dict[int, tuple[str, BinlogRows]] = {}
    for event in all_events((BINLOGS / name).read_bytes()):
        if isinstance(event, TableMapped) and (natives := types.get(event.table.name)):
            columns = [ColumnPlan("", "", logical_type(native), native, native=native) for native in natives]
            decoder = BinlogRows(row_forms(event.table, columns), range(len(columns)), [0])
            known[event.table.table_id] = event.table.name, decoder
        elif isinstance(event, Rows) and event.table_id in known:
            table, decoder = known[event.table_id]
            decoder.feed(event.body, event.start, event.end, event.op, event.present, event.present_after, 0, 1 << 30)
            part = take_changes(decoder, TableId("", table))
            before = [None] * part.count if part.before is None else part.before.columns[0].to_pylist()
            after = zip(*(column.to_pylist() for column in part.after.columns), strict=True)
            found += [(table, event.op, row, was) for row, was in zip(after, before, strict=True)]
    return found


_INVISIBLE = ("int unsigned", "int unsigned", "int", "text", "blob", "bigint unsigned")
_OUTBOX = ("int", "varchar(255)", "enum('BLOB','JSON','PROTOBUF')", "blob", "timestamp")


@pytest.mark.parametrize(
    ("name", "types", "rows"),
    [
        (
            "binlog-invisible-columns.000001",
            {"t1": _INVISIBLE},
            [
                ("t1", Op.INSERT, (b"1", b"2", b"-3", b"4", b"\x05", b"6000000000"), None),
                ("t1", Op.INSERT, (None, None, b"-33", b"44", b"U", None), None),
                ("t1", Op.UPDATE, (b"111", b"222", b"-333", b"444", b"U", None), None),
            ],
        ),
        (
            "mysql_type_bit.000001",
            {"foo": ("bit(3)", "text", "bit(8)")},
            [("foo", Op.INSERT, (b"\4", b"foo", b" "), None)],
        ),
        ("time_issue.000001", {"t": ("time",)}, [("t", Op.INSERT, (b"-507:48:27",), None)]),
        ("transaction_compression.000001", {"tb1": ("int",)}, [("tb1", Op.INSERT, (b"1",), None)]),
        (
            "update-full-row.binlog",
            {"ba": ("int", "int", "int")},
            [
                *(("ba", Op.INSERT, (key,) * 3, None) for key in (b"3", b"1", b"2", b"4")),
                ("ba", Op.UPDATE, (b"4", b"4", b"40"), b"4"),
                ("ba", Op.DELETE, (None, None, None), b"2"),
            ],
        ),
        (
            "mariadb-bin.000001",
            {"outbox": _OUTBOX},
            [
                ("outbox", Op.INSERT, (b"62", b"foo", b"JSON", b'{"foo":1}', b"2022-04-20 22:18:04"), None),
                ("outbox", Op.INSERT, (b"63", b"foo", b"JSON", b'{"foo":1}', b"2022-04-20 22:19:55"), None),
            ],
        ),
    ],
)  # fmt: skip
def test_rows_of_a_recording(name: str, types: dict[str, tuple[str, ...]], rows: list[object]) -> None:
    assert rows_of(name, types) == rows


def test_partial_image_of_a_new_row_is_refused() -> None:
    with pytest.raises(WireError, match="whose default is not known"):
        rows_of("write-partial-row.binlog", {"ba": ("int", "int", "int")})


def test_metadata_of_a_recording() -> None:
    events = all_events((BINLOGS / "minimal_row_metadata.000001").read_bytes())
    (table,) = [event.table for event in events if isinstance(event, TableMapped)]
    assert [column.unsigned for column in table.columns] == [False, None, None, False, True]
    assert [column.charset for column in table.columns] == [None, 63, 255, None, None]
    assert not table.full


def test_positions_of_a_recording_are_those_of_its_bytes() -> None:
    data = (BINLOGS / "binlog_transaction_with_GTID.000001").read_bytes()
    at = 4
    for event in events_of_file(data):
        at += event.header.size
        assert event.header.end == at
    assert at == len(data)


def test_gtids_of_a_recording_lead_from_transaction_to_transaction() -> None:
    events = list(all_events((BINLOGS / "binlog-invisible-columns.000001").read_bytes()))
    began = [event for event in events if isinstance(event, GtidEvent)]
    assert [str(event.gtid) for event in began] == [
        f"97c7af02-4c50-11ec-acd8-681842034964:{number}" for number in range(1, 6)
    ]
    assert [event.committed_us for event in began[:2]] == [1637666960682295, 1637667126583244]
    starts = [event.header.end - event.header.size for event in began]
    assert [start + event.transaction_bytes for start, event in zip(starts, began, strict=True)][:-1] == starts[1:]
