"""Positions in the binary log: as text, in order, and as a log grows beyond what an event can say."""

from __future__ import annotations

import pytest

from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import GtidState, LogPosition, Prepared, Unsure, from_user, load
from mainstem.connectors.mysql.log_side import Identity
from mainstem.connectors.mysql.wire.events import Header
from mainstem.connectors.mysql.wire.gtid import Gtid, GtidSet, MariadbGtid
from mainstem.errors import InvalidError, PositionLostError

MARIADB, MYSQL = Identity(True, "mariadb-1", True), Identity(False, "uuid", True)
UUID = "97c7af02-4c50-11ec-acd8-681842034964"


def test_a_position_comes_back_as_it_was() -> None:
    position = LogPosition(
        "s", "log.000009", 5, 6, "0-1-7", 8, (Prepared("x", "log.000008", 4, "0-1-6"),),
        (Unsure("d", "t", "log.000010", 9, 3),), chosen=True,
    )  # fmt: skip
    assert load(position.dump()) == position
    assert position.begin == ("log.000008", 4)


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", '{"server": "s", "what": 1}', '{"server": "s", "prepared": 7}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="no position"):
        load(text)


@pytest.mark.parametrize(
    ("one", "other", "reaches"),
    [
        (LogPosition("s", "b.000009", 5), LogPosition("s", "b.000010", 4), False),
        (LogPosition("s", "b.1000000", 4), LogPosition("s", "b.999999", 5), True),
        (LogPosition("s", "b.000009", 5), LogPosition("s", "b.000009", 5), True),
        (LogPosition("s", "b.1", 4, gtid="0-1-7,1-1-1"), LogPosition("z", "b.9", 4, gtid="0-2-7"), True),
        (LogPosition("s", "b.1", 4, gtid="0-1-7"), LogPosition("z", "b.1", 4, gtid="0-1-7,1-1-1"), False),
    ],
)
def test_positions_are_compared_by_place_or_by_gtids(one: LogPosition, other: LogPosition, reaches: bool) -> None:
    assert one.reaches(other, mariadb=True) is reaches


def test_positions_of_two_servers_are_not_compared_without_gtids() -> None:
    with pytest.raises(PositionLostError):
        LogPosition("a", "b.1").reaches(LogPosition("b", "b.1"), mariadb=False)


@pytest.mark.parametrize(
    ("text", "mariadb", "file", "gtid"),
    [
        ("binlog.000002:154", True, "binlog.000002", ""),
        ("my-bin-log.000002:154", False, "my-bin-log.000002", ""),
        ("0-1-100,1-2-3", True, "", "0-1-100,1-2-3"),
        (f"{UUID.upper()}:1-23", False, "", f"{UUID}:1-23"),
        (f"{UUID}:5", False, "", f"{UUID}:5"),
        (f"{UUID}:tag:5", False, "", f"{UUID}:tag:5"),
    ],
)
def test_what_a_user_writes_is_a_place_or_gtids(text: str, mariadb: bool, file: str, gtid: str) -> None:
    found = from_user(text, "s", mariadb)
    assert (found.file, found.gtid, found.chosen) == (file, gtid, True)


def test_gtids_are_counted_once_they_are_known() -> None:
    state = GtidState(mariadb=False)
    state.add(Gtid(UUID, "", 9))
    assert str(state) == ""
    state.reset(GtidSet.parse(f"{UUID}:1-4"))
    state.add(Gtid(UUID, "", 5))
    state.reset(GtidSet())  # of a later file, which says no more than what was counted
    assert str(state) == f"{UUID}:1-5"
    other = GtidState(mariadb=True, text="0-1-7")
    other.reset([MariadbGtid(0, 1, 3)])
    other.add(MariadbGtid(1, 5, 1))
    assert str(other) == "0-1-7,1-5-1"


def test_places_beyond_four_gigabytes_are_counted_on() -> None:
    """An event says where it ends in four bytes."""
    place = Place(MYSQL, LogPosition("uuid", "b.000001", (1 << 32) - 50))
    for end, offset in (((1 << 32) - 10, (1 << 32) - 10), (90, (1 << 32) + 90), (150, (1 << 32) + 150)):
        place.move(Header(1, 16, 1, 40, end, 0))
        assert (place.offset, place.before) == (offset, offset - 40)
    place.move(Header(0, 27, 1, 40, 0, 0))
    assert place.offset == (1 << 32) + 150


def test_what_was_dealt_with_is_passed_over_when_the_log_is_read_from_further_back() -> None:
    start = LogPosition("mariadb-1", "b.000002", 100, prepared=(Prepared("x", "b.000001", 50),))
    place = Place(MARIADB, start)
    assert (place.file, place.offset) == ("b.000001", 50)
    place.move(Header(1, 162, 1, 10, 60, 0))
    place.rest()
    assert place.passed_over
    assert (place.position().file, place.position().offset) == ("b.000002", 100)
