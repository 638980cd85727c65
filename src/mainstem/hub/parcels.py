"""Bytes of any length as messages that NATS lets pass, and back: what calls travel in."""

from __future__ import annotations

import secrets
import struct
import time
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

import pyarrow as pa

from mainstem.errors import WireError

_MAGIC = b"MSC1"
_HEAD = struct.Struct("<4sB12sHHQI")
"""Magic, whether it is compressed, parcel's id, part's number and count, bytes and CRC-32 of the whole uncompressed."""
_ID_BYTES = 12
_WORTH_COMPRESSING = 1024
_FORGET_S = 60.0
"""Of a parcel some parts have come, and nothing more for so long: it was cut off, and is sent anew by who needs it."""


def cut(body: bytes, room: int) -> list[bytes]:
    """The messages that carry the bytes, each of at most ``room`` bytes."""
    packed: bytes | memoryview = body
    if len(body) >= _WORTH_COMPRESSING:
        packed = memoryview(pa.compress(body, codec="zstd"))
    squeezed = len(packed) < len(body)
    view, size = memoryview(packed if squeezed else body), room - _HEAD.size
    count, own = max(-(-len(view) // size), 1), secrets.token_bytes(_ID_BYTES)
    crc = zlib.crc32(body)
    return [
        b"".join(
            (_HEAD.pack(_MAGIC, squeezed, own, part, count, len(body), crc), view[part * size : (part + 1) * size])
        )
        for part in range(count)
    ]


@dataclass(slots=True)
class _Parts:
    found: dict[int, bytes] = field(default_factory=dict)
    at_s: float = 0.0


@dataclass(slots=True)
class Joiner:
    """Puts parts of parcels together, in whatever order they come."""

    _open: OrderedDict[bytes, _Parts] = field(default_factory=OrderedDict)

    def add(self, message: bytes) -> bytes | None:
        """The parcel that this part completes, if it does.

        Raises:
            WireError: no part of ours, or bytes that were changed on their way.
        """
        if len(message) < _HEAD.size:
            raise WireError("a message of a call is cut short")
        magic, squeezed, own, part, count, size, crc = _HEAD.unpack_from(message)
        if magic != _MAGIC or part >= count:
            raise WireError("a message of a call is none of ours")
        body: bytes | None = message[_HEAD.size :]
        if count > 1:
            body = self._joined(own, part, count, message[_HEAD.size :])
        return None if body is None else _unpacked(body, squeezed, size, crc)

    def _joined(self, own: bytes, part: int, count: int, piece: bytes) -> bytes | None:
        now = time.monotonic()
        while self._open and now - next(iter(self._open.values())).at_s > _FORGET_S:
            self._open.popitem(last=False)
        parts = self._open.setdefault(own, _Parts())
        parts.found[part], parts.at_s = piece, now
        self._open.move_to_end(own)
        if len(parts.found) < count:
            return None
        del self._open[own]
        return b"".join(parts.found[number] for number in range(count))


def _unpacked(body: bytes, squeezed: bool, size: int, crc: int) -> bytes:
    if squeezed:
        try:
            body = pa.decompress(body, decompressed_size=size, codec="zstd", asbytes=True)
        except (ValueError, OSError, pa.ArrowException) as exc:
            raise WireError("a message of a call cannot be decompressed") from exc
    if len(body) != size or zlib.crc32(body) != crc:
        raise WireError("a message of a call was changed on its way: its checksum does not fit")
    return body
