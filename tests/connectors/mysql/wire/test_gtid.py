from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.connectors.mysql.wire.cursor import Cursor, write_varlen
from mainstem.connectors.mysql.wire.gtid import Gtid, GtidSet, MariadbGtid, MariadbPosition
from mainstem.errors import InvalidError, WireError

A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "97c7af02-4c50-11ec-acd8-681842034964"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (f"{A}:1", f"{A}:1"),
        (f"{A}:1-5", f"{A}:1-5"),
        (f" {B}:7 ,\n{A.upper()}:3-3:1-2 ", f"{A}:1-3,{B}:7"),
        (f"{A}:5-9:1-3:4", f"{A}:1-9"),
        (f"{A}:5-3", ""),
        (f"{A}:1-3:tag:5:7-8:other:1", f"{A}:1-3:other:1:tag:5:7-8"),
        (f"{A}:Tag:5,{A}:1", f"{A}:1:tag:5"),
        (A.replace("-", "") + ":1", f"{A}:1"),
    ],
)
def test_gtid_set_is_read_and_shown_as_by_the_server(text: str, shown: str) -> None:
    found = GtidSet.parse(text)
    assert str(found) == shown
    assert GtidSet.parse(shown) == found
    assert GtidSet.decode(found.encode()) == found


@pytest.mark.parametrize(
    "text",
    ["x", A, f"{A}:", f"{A}:0", f"{A}:1-", f"{A}:-1", f"{A}:1:2x", f"{A}:9223372036854775808", "0-1-2", f"{A};1"],
)
def test_text_that_is_no_gtid_set_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="no set of GTIDs"):
        GtidSet.parse(text)


numbers = st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from(["", "t"]), st.integers(1, 30)), max_size=40)


@given(numbers, numbers)
def test_gtid_sets_are_sets(some: list[tuple[str, str, int]], more: list[tuple[str, str, int]]) -> None:
    first, second = GtidSet(), GtidSet()
    for item in some:
        first.add(Gtid(*item))
    for item in more:
        second.add(Gtid(*item))
    assert all((Gtid(*item) in first) == (item in some) for item in [*some, *more])
    assert first.contains(second) == (set(more) <= set(some))
    both = first.copy()
    both.update(second)
    assert both.contains(first)
    assert both.contains(second)
    assert (both == first) == (set(more) <= set(some))
    assert GtidSet.parse(str(both)) == GtidSet.decode(both.encode()) == both
    assert bool(both) == bool(some or more)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_gtid_set_are_refused(data: bytes) -> None:
    try:
        found = GtidSet.decode(data)
    except WireError:
        return
    assert GtidSet.decode(found.encode()) == found


def test_binary_form_with_tags() -> None:
    """Bytes by the source documentation: the format on both sides of the count, then each tag behind its length."""
    data = bytes([1, 1, 0, 0, 0, 0, 0, 1]) + uuid.UUID(A).bytes + b"\x06tag" + b"\1" + bytes(7) + b"\5" + bytes(7)
    data += b"\x08" + bytes(7)
    assert str(GtidSet.decode(data)) == f"{A}:tag:5-7"
    assert GtidSet.parse(f"{A}:tag:5-7").encode() == data


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_variable_length_are_read_as_written(value: int) -> None:
    cursor = Cursor(write_varlen(value))
    assert (cursor.varlen(), cursor.left) == (value, 0)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\0", 0),
        (b"\xfe", 127),
        (b"\x01\x02", 128),
        (b"\x45\x05", 337),
        (b"\xdb\xd0\x09", 80411),
        (b"\xff" * 9, 2**64 - 1),
    ],
)
def test_numbers_of_variable_length(data: bytes, value: int) -> None:
    assert Cursor(data).varlen() == value
    assert write_varlen(value) == data


@pytest.mark.parametrize(("data", "value"), [(b"\0", 0), (b"\x02", -1), (b"\x04", 1), (b"\x06", -2)])
def test_signed_numbers_of_variable_length(data: bytes, value: int) -> None:
    assert Cursor(data).signed_varlen() == value


def test_mariadb_position_is_the_last_of_each_domain() -> None:
    position = MariadbPosition.parse("1-7-9, 0-1-100")
    assert str(position) == "0-1-100,1-7-9"
    assert MariadbGtid(0, 2, 100) in position
    assert MariadbGtid(0, 1, 101) not in position
    assert MariadbGtid(2, 1, 1) not in position
    later = position.copy()
    later.add(MariadbGtid(0, 2, 101))
    assert later.get(0) == MariadbGtid(0, 2, 101)
    assert later.contains(position)
    assert not position.contains(later)
    assert not MariadbPosition()


@pytest.mark.parametrize("text", ["0-1", "0-1-2-3", "a-1-2", "0-1-2,0-1-3", "4294967296-1-1", f"0-1-{2**64}", f"{A}:1"])
def test_text_that_is_no_mariadb_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="no set of GTIDs"):
        MariadbPosition.parse(text)
