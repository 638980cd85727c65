"""What is read of messages in Python, and positions; without a server."""

from __future__ import annotations

import contextlib
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.connectors.postgres.inprogress import InProgress
from mainstem.connectors.postgres.lsn import Place, format_lsn, parse_lsn, read_place, record_end
from mainstem.connectors.postgres.relations import SentColumn, SentTable, read_relation, read_truncate
from mainstem.connectors.postgres.slot import own_name
from mainstem.errors import InvalidError, WireError
from mainstem.model.names import TableId

RELATION = struct.pack("!I", 7) + b"s\0t\0f" + struct.pack("!h", 1) + b"\1id\0" + struct.pack("!Ii", 23, -1)


@pytest.mark.parametrize(("text", "offset"), [("0/0", 0), ("0/1", 1), ("1/0", 2**32), ("FFFFFFFF/FFFFFFFF", 2**64 - 1)])
def test_places_in_the_log_are_read_and_written(text: str, offset: int) -> None:
    assert parse_lsn(text) == offset
    assert format_lsn(offset) == text
    assert read_place(str(Place(offset, 3))) == Place(offset, 3)


@pytest.mark.parametrize("text", ["16/", "16/G", "1/123456789", "1_0/0", "+1/0", " 1/0", "1/0\n", "binlog.000002:4"])
def test_other_texts_are_no_place(text: str) -> None:
    with pytest.raises(InvalidError, match="no position"):
        parse_lsn(text)
    with pytest.raises(InvalidError, match="no position"):
        read_place(text)


@pytest.mark.parametrize(
    ("next_one", "end"),
    [(8192 * 5 + 24, 8192 * 5), (2**24 + 40, 2**24), (8192 * 5 + 32, 8192 * 5 + 32), (2**24 + 24, 2**24)],
)
def test_the_end_of_the_log_lies_before_the_head_of_a_new_page(next_one: int, end: int) -> None:
    assert record_end(next_one, 2**24) == end


def test_a_table_is_described() -> None:
    columns = (SentColumn("id", key=True, type=(23, -1)),)
    assert read_relation(RELATION) == SentTable(7, TableId("s", "t"), "f", columns)
    assert read_truncate(struct.pack("!IBII", 2, 2, 5, 6)) == ((5, 6), True)


@given(st.binary(max_size=60), st.integers(0, len(RELATION)))
def test_damaged_messages_raise_only_the_error_of_the_protocol(noise: bytes, cut: int) -> None:
    under_way = InProgress()
    for data in (noise, RELATION[:cut], RELATION[:cut] + noise):
        for read in (read_relation, read_truncate, under_way.start, under_way.abort, under_way.commit):
            with contextlib.suppress(WireError):
                read(data)
    under_way.close()


@pytest.mark.parametrize("stream_id", ["st_1", "St-1", "2wZ8…", "x" * 200, ""])
def test_a_slots_name_is_one_that_the_server_takes(stream_id: str) -> None:
    assert re.fullmatch("[a-z0-9_]{1,63}", own_name(stream_id))
    assert own_name(stream_id) != own_name(stream_id + "y")
    assert len(own_name(stream_id) + "_inserts") <= 63
