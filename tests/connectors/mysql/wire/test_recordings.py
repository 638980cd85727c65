"""Binary logs that servers wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstem.connectors.mysql.wire import payload
from mainstem.connectors.mysql.wire.events import Event, TransactionPayload
from mainstem.connectors.mysql.wire.reader import EventReader, events_of_file
from mainstem.errors import WireError

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
        ("mysql-bin.checksum-crc32", "5.7.21-log", {"GtidEvent": 60, "TableMapped": 60, "Rows": 60, "Xid": 60}),
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
