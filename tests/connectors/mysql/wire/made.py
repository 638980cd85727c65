"""Events made by hand."""

from __future__ import annotations

import struct
from zlib import crc32

from mainstem.connectors.mysql.wire.codes import EventType


def event(kind: int, body: bytes = b"", *, flags: int = 0, server_id: int = 1, crc: bool = False) -> bytes:
    """One event with its header."""
    size = 19 + len(body) + (4 if crc else 0)
    data = struct.pack("<IBIIIH", 1_700_000_000, kind, server_id, size, 1000, flags) + body
    return data + crc32(data).to_bytes(4, "little") if crc else data


def description(version: str = "8.0.40", algorithm: int = 0, *, table_map: int = 8, in_use: bool = False) -> bytes:
    """A FORMAT_DESCRIPTION."""
    sizes = [0] * 40
    sizes[EventType.TABLE_MAP - 1] = table_map
    body = struct.pack("<H50sIB", 4, version.encode(), 0, 19) + bytes(sizes) + bytes([algorithm])
    data = bytearray(event(EventType.FORMAT_DESCRIPTION, body, crc=True))
    if in_use:
        data[17] |= 1
    return bytes(data)


def table_map(columns: bytes, metadata: bytes = b"", optional: bytes = b"", table_id: int = 9) -> bytes:
    """The body of a TABLE_MAP of ``s.t``."""
    nulls = b"\xff" * ((len(columns) + 7) // 8)
    head = table_id.to_bytes(6, "little") + b"\0\0" + b"\x01s\0\x01t\0"
    return head + bytes([len(columns)]) + columns + bytes([len(metadata)]) + metadata + nulls + optional
