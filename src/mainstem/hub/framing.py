"""Frames as messages, and back: for hubs whose ends are not in one process.

A frame becomes a head (JSON) and blobs: Arrow IPC record batches, whose schema is sent once in a lane, or rows as they
came. The whole is compressed, cut into parts that a server lets pass, and each part carries a checksum.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
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
_LITTLE_GAIN = 0.9
LARGE_BYTES = 8 * 1024 * 1024
"""A frame of more is neither copied as a whole to be compressed, nor kept in parts until it is there."""
_PIECE_BYTES = 1024 * 1024


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
        self.plain_bytes = 0

    def encode(self, frame: Frame | None) -> Iterator[bytes]:
        """The next frame as messages, each made when it is asked for; None is the end of the lane."""
        self._number += 1
        head, blobs = body_of(frame, self._schemas)
        text = json.dumps([head, [len(blob) for blob in blobs]], separators=(",", ":")).encode()
        body = [_LENGTH.pack(len(text)), text, *blobs]
        size = sum(map(len, body))
        self.plain_bytes += size
        codec, packed = self._pack(body, size)
        return self._messages(codec, packed, size)

    def _messages(self, codec: int, packed: Sequence[Blob], plain_bytes: int) -> Iterator[bytes]:
        room = self._room - _START
        number, count = self._number, max(-(-sum(map(len, packed)) // room), 1)
        for part, piece in enumerate(_pieces(packed, room)):
            start = _HEAD.pack(_MAGIC, codec, number, part, count, plain_bytes)
            yield b"".join((start, _CRC.pack(zlib.crc32(piece, zlib.crc32(start))), piece))

    def _pack(self, body: Sequence[Blob], size: int) -> tuple[int, Sequence[Blob]]:
        if self._compression is Compression.NONE or size < _WORTH_COMPRESSING:
            return Compression.NONE, body
        name = _CODECS[self._compression]
        if size > LARGE_BYTES:
            large = _pack_in_pieces(body, name)
            return (Compression.NONE, body) if large is None else (self._compression, [large])
        packed = pa.compress(b"".join(body), codec=name)
        if packed.size >= size:
            return Compression.NONE, body
        return self._compression, [memoryview(packed)[: packed.size]]  # its buffer is as large as the worst case


def _pack_in_pieces(body: Sequence[Blob], codec: Literal["lz4", "zstd"]) -> memoryview | None:
    """Without ever having a second copy of it; None as soon as it turns out not to become smaller."""
    sink, taken = pa.BufferOutputStream(), 0
    with pa.CompressedOutputStream(sink, codec) as packing:
        for piece in _pieces(body, _PIECE_BYTES):
            packing.write(piece)
            taken += len(piece)
            if taken >= LARGE_BYTES and sink.tell() > taken * _LITTLE_GAIN:
                return None
    return memoryview(sink.getvalue())


def _pieces(blobs: Iterable[Blob], size: int) -> Iterator[bytes]:
    """All of it in pieces of so many bytes, the last one of fewer."""
    held: list[Blob] = []
    room = size
    for blob in blobs:
        view = memoryview(blob)
        while len(view) > room:
            yield b"".join((*held, view[:room]))
            view, held, room = view[room:], [], size
        held.append(view)
        room -= len(view)
    yield b"".join(held)


@dataclass(slots=True)
class Decoder:
    """The receiving end of one lane: takes parts in their order."""

    _schemas: dict[int, pa.Schema] = field(default_factory=dict)
    _parts: list[memoryview] = field(default_factory=list)
    _whole: bytearray | None = None  # of a large frame that is not compressed: its parts so far
    _part: int = 0
    _number: int = 1

    def add(self, message: bytes) -> list[Frame | None]:
        """Take the next part; the frame that it completes, or none (a frame that is None: the end of the lane).

        Raises:
            WireError: a checksum that does not fit, a part that is missing, bytes that are no frame.
        """
        head = head_of(message)
        if head.number != self._number or head.part != self._part:
            raise WireError(
                f"the hub lost a message: frame {self._number:,} part {self._part} was to come, and frame"
                f" {head.number:,} part {head.part} came"
            )
        _, codec, _, _, parts, size = _HEAD.unpack_from(message)
        (crc,) = _CRC.unpack_from(message, _HEAD.size)
        whole = memoryview(message)
        piece = whole[_START:]
        if zlib.crc32(piece, zlib.crc32(whole[: _HEAD.size])) != crc:
            raise WireError(f"frame {head.number:,} of the hub was changed on its way: its checksum does not fit")
        if codec == Compression.NONE and size > LARGE_BYTES:
            if self._whole is None:
                self._whole = bytearray()
            self._whole += piece
        else:
            self._parts.append(piece)
        self._part += 1
        if self._part < parts:
            return []
        body = self._join(codec, size)
        self._number, self._part = self._number + 1, 0
        return [self._frame(body)]

    def _join(self, codec: int, size: int) -> memoryview:
        if self._whole is not None:
            whole, self._whole = memoryview(self._whole).toreadonly(), None
            return whole
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
