"""What only MySQL does, by recordings of MySQL 8 that a stand-in sends as the server would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainstem.connectors.mysql.changes import MysqlChangeSource
from mainstem.connectors.mysql.types import logical_type
from mainstem.contract.changes import GroupLimits
from mainstem.errors import LostConnectionError, PositionLostError, WireError
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions, TableState
from mainstem.model.schema import Column
from mainstem.model.stream import StreamTable
from tests.connectors.mysql.following import Following
from tests.connectors.mysql.mysql_double import Double, answers, running

BINLOGS = Path(__file__).parents[2] / "data" / "binlogs"
UUID = "97c7af02-4c50-11ec-acd8-681842034964"
_COLUMNS = {
    "f1": "int unsigned", "f2": "int unsigned", "f3": "int", "f4": "text", "f5": "blob", "f6": "bigint unsigned",
}  # fmt: skip
ROWS = [
    ("insert", (b"1", b"2", b"-3", b"4", b"\x05", b"6000000000"), None),
    ("insert", (None, None, b"-33", b"44", b"U", None), None),
    ("update", (b"111", b"222", b"-333", b"444", b"U", None), (None, None, b"-33", b"44", b"U", None)),
]


def table(name: str, natives: dict[str, str], schema: str = "mysql") -> StreamTable:
    charset = {"text": "utf8mb4"}
    columns = tuple(
        Column(column, logical_type(native), native, charset=charset.get(native, ""))
        for column, native in natives.items()
    )
    plans = tuple(ColumnPlan(column.name, column.name, column.type, "", True, column.native) for column in columns)
    id_ = TableId(schema, name)
    return StreamTable(TablePlan(id_, id_, plans), columns, TableState.STREAMING)


def double(name: str = "binlog-invisible-columns.000001", **more: object) -> Double:
    """A server with this log, and with the table that is in it."""
    shapes = [("t1", column, native, "YES", "utf8mb4" if native == "text" else None, "", "")
              for column, native in _COLUMNS.items()]  # fmt: skip
    known = answers() | {"information_schema.tables": [("t1",)], "information_schema.columns": shapes}
    return Double((BINLOGS / name).read_bytes(), answers=known | more)  # type: ignore[operator]


def follow(
    settings: ConnectionSettings, position: str, tables: list[StreamTable], limits: GroupLimits | None = None
) -> Following:
    """Read from there on until nothing comes any more."""
    source = MysqlChangeSource(settings, RunOptions())
    origin, _ = source.open("test", [], "", f"{UUID}:1-5")
    seen = Following()
    for one in tables:
        seen.know(one)
    with source.stream(origin, position, tables, limits or GroupLimits()) as stream:
        for group in stream.groups():
            if isinstance(group, Idle):
                seen.position = group.position
                if seen.groups:
                    return seen
                continue
            assert isinstance(group, ChangeGroup)
            seen.take(group, stream)
    raise AssertionError("the stream has an end")


def at(**fields: object) -> str:
    return json.dumps({"server": UUID, "file": "mysql-bin.000001", "offset": 4, **fields})


def test_a_recording_is_told_with_gtids_and_the_time_of_commit() -> None:
    with running(double()) as settings:
        seen = follow(settings, at(gtid=f"{UUID}:1-2", offset=787), [table("t1", _COLUMNS)])
    assert seen.events["t1"] == ROWS
    assert json.loads(seen.position)["gtid"] == f"{UUID}:1-5"
    assert seen.groups[0].first_committed_us == 1637667166684912
    assert seen.groups[-1].committed_us == 1637667258048195
    assert sum(group.transactions for group in seen.groups) == 3


def test_gtids_before_a_file_are_learned_from_it() -> None:
    with running(double()) as settings:
        seen = follow(settings, at(), [table("t1", _COLUMNS)])
    assert json.loads(seen.position)["gtid"] == f"{UUID}:1-5"


def test_another_server_is_asked_for_what_is_missing_by_gtids() -> None:
    there = double()
    with running(there) as settings:
        seen = follow(settings, at(server="another", gtid=f"{UUID}:1-3"), [table("t1", _COLUMNS)])
    assert there.asked[-1] == (0x1E, "", 4, f"{UUID}:1-3")
    assert seen.events["t1"] == ROWS[1:]
    assert json.loads(seen.position) | {"at_s": 0, "made": 0} == {
        "server": UUID, "file": "mysql-bin.000001", "offset": 1810, "gtid": f"{UUID}:1-5", "at_s": 0, "made": 0,
    }  # fmt: skip


def test_what_another_server_has_in_its_copy_is_told_apart_by_gtids() -> None:
    since = at(server="another", gtid=f"{UUID}:1-4")
    copied = table("t1", _COLUMNS)
    copied = StreamTable(copied.plan, copied.layout, copied.state, since)
    with running(double()) as settings:
        seen = follow(settings, at(gtid=f"{UUID}:1-2", offset=787), [copied])
    assert seen.events["t1"] == ROWS[2:]


@pytest.mark.parametrize(
    ("answer", "match"),
    [((f"{UUID}:1", ""), "has purged transactions"), (("", f"{UUID}:9"), "lacks transactions")],
)
def test_another_server_without_all_transactions_is_refused(answer: tuple[str, str], match: str) -> None:
    with running(double(GTID_SUBTRACT=[answer])) as settings, pytest.raises(PositionLostError, match=match):
        follow(settings, at(server="another", gtid=f"{UUID}:1-3"), [])


def test_another_server_is_refused_without_gtids() -> None:
    with running(double()) as settings, pytest.raises(PositionLostError, match="has no GTIDs"):
        follow(settings, at(server="another"), [])


def test_a_log_without_the_transactions_of_the_position_was_begun_anew() -> None:
    with running(double(GTID_SUBSET=[("0",)])) as settings, pytest.raises(PositionLostError, match="begun anew"):
        follow(settings, at(gtid=f"{UUID}:1-99"), [])


def test_a_compressed_transaction_is_told_like_others() -> None:
    there = double("transaction_compression.000001")
    there.answers["SHOW BINARY LOGS"] = [("mysql-bin.000001", "475", "No")]
    with running(there) as settings:
        seen = follow(settings, at(), [table("tb1", {"a": "int"}, "test")])
    assert seen.events["tb1"] == [("insert", (b"1",), None)]
    assert seen.groups[0].transactions == 1
    assert json.loads(seen.groups[0].position)["offset"] == 4  # of the next file: the recording ends with its name


@pytest.mark.parametrize(
    ("message", "kind", "match"),
    [
        ("A replica with the same server_uuid/server_id as this replica has connected", LostConnectionError, "our"),
        ("could not find next log; the first event", WireError, "could not find next log"),
    ],
)
def test_what_the_server_says_of_its_log_is_told(message: str, kind: type[Exception], match: str) -> None:
    there = double()
    there.ended, there.message = 1236, message
    with running(there) as settings, pytest.raises(kind, match=match):
        follow(settings, at(offset=787), [table("t1", _COLUMNS)])


def test_a_file_that_goes_while_it_is_read_loses_the_position() -> None:
    there = double()
    there.ended = 1236
    source = MysqlChangeSource
    with running(there) as settings:
        origin, _ = source(settings, RunOptions()).open("test", [], "", f"{UUID}:1-5")
        with source(settings, RunOptions()).stream(origin, at(), [], GroupLimits()) as stream:
            there.answers["SHOW BINARY LOGS"] = [("mysql-bin.000007", "1", "No")]
            with pytest.raises(PositionLostError, match="no longer holds"):
                list(stream.groups())


@pytest.mark.parametrize("byte", [4 + 19 + 60, 900, 1050, 1700])
def test_a_bit_that_was_flipped_on_the_way_is_noticed(byte: int) -> None:
    there = double()
    damaged = bytearray(there.log)
    damaged[byte] ^= 4
    with running(there) as settings:
        source = MysqlChangeSource(settings, RunOptions())
        origin, _ = source.open("test", [], "", f"{UUID}:1-5")
        there._events = lambda offset, have: _split(bytes(damaged))  # type: ignore[method-assign]
        with (
            source.stream(origin, at(), [table("t1", _COLUMNS)], GroupLimits()) as stream,
            pytest.raises(WireError),
        ):
            list(stream.groups())


def _split(log: bytes) -> list[bytes]:
    """The events by the sizes of the recording, whatever they say themselves."""
    good, at_, found = (BINLOGS / "binlog-invisible-columns.000001").read_bytes(), 4, []
    while at_ < len(log):
        size = int.from_bytes(good[at_ + 9 : at_ + 13], "little")
        found.append(log[at_ : at_ + size])
        at_ += size
    return found
