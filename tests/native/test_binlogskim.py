"""Passing over events: what is left is what a plain reader would stop at."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from mainstem.native.binlogskim import skim

QUERY, ROWS, TABLE_MAP, HEARTBEAT = 2, 30, 19, 27
WANTED = bytes(kind == QUERY for kind in range(256))
HEAD = struct.Struct("<IBIIIH")
GIB4 = 1 << 32


def event(kind: int, end: int, body: bytes = b"", flags: int = 0) -> bytes:
    return HEAD.pack(1, kind, 1, HEAD.size + len(body), end, flags) + body


def packet(payload: bytes, number: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def query(text: bytes, database: bytes, variables: bytes = b"") -> bytes:
    return struct.pack("<IIBHH", 7, 0, len(database), 0, len(variables)) + variables + database + b"\0" + text


def twin(data: bytes, start: int, end: int, offset: int, checksum: int) -> tuple[int, int]:
    """The same in plain Python."""
    while end - start >= 4 + 1 + HEAD.size:
        size = int.from_bytes(data[start : start + 3], "little")
        payload = data[start + 4 : start + 4 + size]
        if size == 0xFFFFFF or size <= HEAD.size or start + 4 + size > end or payload[0]:
            break
        _, kind, _, _, reached, flags = HEAD.unpack_from(payload, 1)
        if kind == QUERY:
            body = payload[1 + HEAD.size : size - checksum]
            name, variables = (body[8], int.from_bytes(body[11:13], "little")) if len(body) >= 13 else (0, 0)
            if body[13 + variables + name + 1 :] != b"BEGIN" or len(body) != 13 + variables + name + 1 + 5:
                break
        if reached and not flags & 0x20 and kind != HEARTBEAT:
            full = (offset >> 32 << 32) + reached
            offset = full if full >= offset else full + GIB4
        start += 4 + size
    return start, offset


_BODIES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        query,
        st.sampled_from([b"BEGIN", b"COMMIT", b"ALTER TABLE t RENAME BEGIN", b"EGIN", b""]),
        st.sampled_from([b"", b"shop"]),
        st.binary(max_size=9),
    ),
)
_EVENTS = st.builds(
    lambda kind, end, body, flags, checksum: event(kind, end, body + bytes(checksum), flags),
    st.sampled_from([QUERY, QUERY, ROWS, TABLE_MAP, HEARTBEAT]),
    st.one_of(st.integers(0, GIB4 - 1), st.just(0)),
    _BODIES,
    st.sampled_from([0, 0, 0x20, 0x80]),
    st.sampled_from([0, 4]),
)
_PACKETS = st.lists(
    st.builds(packet, st.builds(lambda first, rest: bytes([first]) + rest, st.sampled_from([0, 0, 0, 254]), _EVENTS)),
    max_size=8,
)


@given(st.builds(b"".join, _PACKETS), st.data())
def test_it_stops_where_a_plain_reader_stops(data: bytes, draw: st.DataObject) -> None:
    end = draw.draw(st.integers(0, len(data)))
    start = draw.draw(st.sampled_from([0, min(3, end)]))
    offset = draw.draw(st.integers(0, 3 * GIB4))
    for checksum in (0, 4):
        assert skim(data, start, end, offset, WANTED, checksum) == twin(data, start, end, offset, checksum)


@given(st.binary(max_size=200), st.data())
def test_any_bytes_are_read_within_their_bounds(data: bytes, draw: st.DataObject) -> None:
    end = draw.draw(st.integers(0, len(data)))
    start, _ = skim(data, 0, end, 4, WANTED, 4)
    assert 0 <= start <= end


def test_rows_are_passed_over_up_to_a_statement_that_does_more_than_begin() -> None:
    passed = [event(ROWS, 100), event(QUERY, 200, query(b"BEGIN", b"shop") + bytes(4)), event(TABLE_MAP, 50)]
    held = event(QUERY, 300, query(b"ALTER TABLE t RENAME BEGIN", b"shop") + bytes(4))
    data = b"".join(packet(b"\0" + one) for one in [*passed, held])
    start, offset = skim(data, 0, len(data), 4, WANTED, 4)
    assert data[start:] == packet(b"\0" + held)
    assert offset == GIB4 + 50  # the header holds the lower half alone
