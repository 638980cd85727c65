"""Transactions that come to nothing, whole or in part, however much of them was handed on before that is known."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import pytest

from mainstem.connectors.mysql.charsets import Charsets
from mainstem.connectors.mysql.log_again import Again
from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import LogPosition, load
from mainstem.connectors.mysql.log_reading import LogReading
from mainstem.connectors.mysql.log_side import Identity
from mainstem.connectors.mysql.log_tables import Tables
from mainstem.connectors.mysql.wire import events as log
from mainstem.connectors.mysql.wire.codes import ColumnType, EventType
from mainstem.connectors.mysql.wire.gtid import MariadbGtid
from mainstem.connectors.mysql.wire.tablemap import MapColumn, TableMap
from mainstem.contract.changes import GroupLimits
from mainstem.errors import LostConnectionError, PositionLostError, WireError
from mainstem.model.change import ChangeGroup, Op, RowChanges
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import TableState
from mainstem.model.schema import Column
from mainstem.model.stream import StreamTable
from mainstem.model.types import Kind, LogicalType

_INTEGER = LogicalType(Kind.INTEGER, bits=32)
_MAP = TableMap(9, 1, "s", "t", (MapColumn(ColumnType.LONG),))
_ID = TableId("s", "t")
TABLE = StreamTable(
    TablePlan(_ID, _ID, (ColumnPlan("id", "id", _INTEGER, "", native="int"),), ("id",)),
    (Column("id", _INTEGER, "int"),),
    TableState.STREAMING,
)
SMALL = GroupLimits(max_rows=3)


class Log:
    """A log that is written by hand; words are statements, numbers are rows with this id."""

    def __init__(self, *script: str | int) -> None:
        self.events: list[log.Event] = []
        self._end = 100
        for item in script:
            self._add(item)

    def _header(self, kind: int) -> log.Header:
        self._end += 50
        return log.Header(1_700_000_000, kind, 1, 50, self._end, 0)

    def _add(self, item: str | int) -> None:
        if isinstance(item, int):
            body = b"\0" + struct.pack("<i", item)
            self.events.append(log.TableMapped(self._header(EventType.TABLE_MAP), _MAP))
            header = self._header(EventType.WRITE_ROWS_V1)
            self.events.append(log.Rows(header, Op.INSERT, 9, True, 1, b"\1", b"\1", body, 0, len(body)))
        elif item == "begin":
            header = self._header(EventType.MARIADB_GTID)
            self.events.append(log.MariadbGtidEvent(header, MariadbGtid(0, 1, len(self.events) + 1), 0))
        elif item == "commit":
            self.events.append(log.Xid(self._header(EventType.XID), 1))
        else:
            self.events.append(
                log.Query(self._header(EventType.QUERY), 1, 0, "s", log.StatusVariables(), item.encode())
            )


class _NoSchema:
    def concerned(self, statement: object, database: str) -> set[str]:
        return set()


def read(script: Log, limits: GroupLimits = SMALL, again: Again | None = None) -> list[ChangeGroup]:
    """All groups; what is left at the end is one."""
    place = Place(Identity(True, "mariadb-1", True), LogPosition("mariadb-1", "b.000001", 100, gtid="0-1-0"))
    anything: Any = None
    schema: Any = _NoSchema()
    tables = Tables([TABLE])
    reading = LogReading(
        place, tables, schema, anything, Charsets(lambda sql, arguments: []), anything, limits,
        again or Again(),
    )  # fmt: skip
    groups: list[ChangeGroup] = []
    for event in script.events:
        place.move(event.header)
        groups += reading.read(event) or ()
    assert not reading.busy
    return [*groups, reading.flush()] if reading.gathered else groups


def rows(groups: Iterable[ChangeGroup]) -> list[int]:
    """The ids that were told, in their order."""
    parts = [part for group in groups for part in group.parts if isinstance(part, RowChanges)]
    return [int(cell.as_py()) for part in parts for cell in part.after.column(0)]


def shape(groups: Iterable[ChangeGroup]) -> str:
    """``w`` for a whole group, ``.`` for a piece."""
    return "".join("w" if group.whole else "." for group in groups)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (("begin", 1, "ROLLBACK", "begin", 2, "commit"), [2]),
        (("begin", 1, "commit", "begin", 2, "ROLLBACK", "begin", 3, "commit"), [1, 3]),
        (("begin", 1, "SAVEPOINT a", 2, "ROLLBACK TO `a`", 3, "commit"), [1, 3]),
        (("begin", "SAVEPOINT a", 1, "SAVEPOINT b", 2, "ROLLBACK TO a", "commit", "begin", 3, "commit"), [3]),
        (("begin", 1, "SAVEPOINT a", 2, "ROLLBACK TO a", 3, "ROLLBACK TO a", 4, "commit"), [1, 4]),
        (("begin", 1, "commit", "begin", 2, "SAVEPOINT a", 3, "ROLLBACK TO a", "commit"), [1, 2]),
    ],
)
def test_rows_that_are_rolled_back_are_not_told(script: tuple[str | int, ...], told: list[int]) -> None:
    groups = read(Log(*script), GroupLimits())
    assert rows(groups) == told
    assert shape(groups).endswith("w")
    assert load(groups[-1].position).offset == 100 + 50 * len(Log(*script).events)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (("begin", 1, 2, 3, 4, 5, "ROLLBACK", "begin", 6, "commit"), [6]),
        (("begin", 9, "commit", "begin", 1, 2, 3, 4, 5, "ROLLBACK", "begin", 6, "commit"), [9, 6]),
        (("begin", 1, 2, "SAVEPOINT a", 3, 4, 5, 6, "ROLLBACK TO a", 7, 8, 9, 10, "commit"), [1, 2, 7, 8, 9, 10]),
    ],
)
def test_a_large_transaction_is_read_again_and_put_aside(script: tuple[str | int, ...], told: list[int]) -> None:
    """Once it is known that rows of it that were handed on come to nothing."""
    again = Again()
    with pytest.raises(LostConnectionError, match="rolled back in its log"):
        read(Log(*script), again=again)
    groups = read(Log(*script), again=again)
    assert rows(groups) == told
    assert groups[-1].whole
    assert sum(group.transactions for group in groups) == sum(word == "commit" for word in script)


def test_pieces_come_behind_the_whole_transactions_before_them() -> None:
    groups = read(Log("begin", 1, "commit", "begin", 2, 3, 4, 5, 6, 7, "commit", "begin", 8, "commit"))
    assert rows(groups) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert shape(groups) == "w..ww"
    assert [group.transactions for group in groups] == [1, 0, 0, 1, 1]
    assert load(groups[0].position).gtid == "0-1-1"
    assert load(groups[-2].position).gtid != load(groups[-1].position).gtid


def test_rows_outside_of_a_transaction_are_refused() -> None:
    with pytest.raises(PositionLostError, match="within a transaction"):
        read(Log(1))
    with pytest.raises(WireError, match="before the one before it has ended"):
        read(Log("begin", 1, "begin"))
