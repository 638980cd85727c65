"""Frames as messages, and back: for hubs whose ends are not in one process.

A frame becomes a head (JSON) and blobs: Arrow IPC record batches, whose schema is sent once in a lane, or rows as they
came. The whole is compressed, cut into parts that a server lets pass, and each part carries a checksum.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import pyarrow as pa

from mainstem.errors import WireError
from mainstem.hub.bodies import Blob, body_of, frame_of
from mainstem.model.frame import Frame

_MAGIC = b"MSF1"
_HEAD = struct.Struct("<4sBQIIQ")
"""Magic, codec, frame's number, part's number and count, bytes of the whole frame uncompressed."""
_CRC = struct.Struct("<I")
"""CRC-32 of the head and of what follows."""
_START = _HEAD.size + _CRC.size
_LENGTH = struct.Struct("<I")
_WORTH_COMPRESSING = 512


class Compression(IntEnum):
    """How frames are compressed; the value is in every part."""

    NONE = 0
    LZ4 = 1
    ZSTD = 2


_CODECS: dict[int, Literal["lz4", "zstd"]] = {Compression.LZ4: "lz4", Compression.ZSTD: "zstd"}


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself: of which frame (from 1), which part of how many."""

    number: int
    part: int
    parts: int


def head_of(message: bytes) -> PartHead:
    """Read only a part's head. Raises `WireError` for what is no part of ours."""
    if len(message) < _START:
        raise WireError("a message of the hub is cut short")
    magic, _, number, part, parts, _ = _HEAD.unpack_from(message)
    if magic != _MAGIC or part >= parts:
        raise WireError("a message of the hub is none of ours")
    return PartHead(number, part, parts)


class Encoder:
    """The sending end of one lane.

    Args:
        room: bytes that a message may have.
    """

    def __init__(self, compression: Compression, room: int) -> None:
        self._compression, self._room = compression, room
        self._schemas: dict[bytes, int] = {}
        self._number = 0
        self.plain_bytes = self.sent_bytes = 0

    def encode(self, frame: Frame | None) -> list[bytes]:
        """The next frame as messages; None is the end of the lane."""
        self._number += 1
        head, blobs = body_of(frame, self._schemas)
        text = json.dumps([head, [len(blob) for blob in blobs]], separators=(",", ":")).encode()
        body = b"".join((_LENGTH.pack(len(text)), text, *blobs))
        codec, packed = self._pack(body)
        size = self._room - _START
        view, count = memoryview(packed), max(-(-len(packed) // size), 1)
        messages = []
        for part in range(count):
            piece = view[part * size : (part + 1) * size]
            start = _HEAD.pack(_MAGIC, codec, self._number, part, count, len(body))
            messages.append(b"".join((start, _CRC.pack(zlib.crc32(piece, zlib.crc32(start))), piece)))
        self.plain_bytes += len(body)
        self.sent_bytes += sum(map(len, messages))
        return messages

    def _pack(self, body: bytes) -> tuple[int, bytes | memoryview]:
        if self._compression is Compression.NONE or len(body) < _WORTH_COMPRESSING:
            return Compression.NONE, body
        packed = pa.compress(body, codec=_CODECS[self._compression])
        if packed.size >= len(body):
            return Compression.NONE, body
        return self._compression, memoryview(packed)[: packed.size]  # its buffer is as large as the worst case


@dataclass(slots=True)
class Decoder:
    """The receiving end of one lane: takes parts in their order."""

    _schemas: dict[int, pa.Schema] = field(default_factory=dict)
    _parts: list[memoryview] = field(default_factory=list)
    _number: int = 1

    def add(self, message: bytes) -> list[Frame | None]:
        """Take the next part; the frame that it completes, or none (a frame that is None: the end of the lane).

        Raises:
            WireError: a checksum that does not fit, a part that is missing, bytes that are no frame.
        """
        head = head_of(message)
        if head.number != self._number or head.part != len(self._parts):
            raise WireError(
                f"the hub lost a message: frame {self._number:,} part {len(self._parts)} was to come, and frame"
                f" {head.number:,} part {head.part} came"
            )
        _, codec, _, _, parts, size = _HEAD.unpack_from(message)
        (crc,) = _CRC.unpack_from(message, _HEAD.size)
        whole = memoryview(message)
        piece = whole[_START:]
        if zlib.crc32(piece, zlib.crc32(whole[: _HEAD.size])) != crc:
            raise WireError(f"frame {head.number:,} of the hub was changed on its way: its checksum does not fit")
        self._parts.append(piece)
        if len(self._parts) < parts:
            return []
        body = self._join(codec, size)
        self._number += 1
        return [self._frame(body)]

    def _join(self, codec: int, size: int) -> memoryview:
        packed = self._parts[0] if len(self._parts) == 1 else memoryview(b"".join(self._parts))
        self._parts = []
        if codec == Compression.NONE:
            return packed
        try:
            plain = pa.decompress(pa.py_buffer(packed), decompressed_size=size, codec=_CODECS[codec])
        except (KeyError, ValueError, OSError, pa.ArrowException) as exc:
            raise WireError("a frame of the hub cannot be decompressed") from exc
        return memoryview(plain)

    def _frame(self, body: memoryview) -> Frame | None:
        try:
            (length,) = _LENGTH.unpack_from(body)
            head, sizes = json.loads(bytes(body[_LENGTH.size : _LENGTH.size + length]))
            blobs: list[Blob] = []
            start = _LENGTH.size + length
            for size in sizes:
                blobs.append(body[start : start + size])
                start += size
            if start != len(body):
                raise ValueError("sizes")
            return frame_of(head, blobs, self._schemas)
        except (ValueError, KeyError, TypeError, IndexError, struct.error, pa.ArrowException, OSError) as exc:
            raise WireError("a frame of the hub cannot be read") from exc
