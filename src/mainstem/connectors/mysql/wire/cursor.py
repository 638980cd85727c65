"""Reading numbers and strings off a piece of an event, with every step checked."""

from __future__ import annotations

import struct

from mainstem.errors import WireError

_VARLEN_BYTES = 9
_LENENC_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}


class Cursor:
    """A place in bytes. Every method raises `WireError` where the bytes end too early."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes | memoryview, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return self.end - self.at

    def _step(self, size: int) -> int:
        at = self.at
        if size < 0 or size > self.end - at:
            raise WireError("an event ends before its last field")
        self.at = at + size
        return at

    def integer(self, size: int) -> int:
        """An unsigned little-endian integer of so many bytes."""
        at = self._step(size)
        return int.from_bytes(self.data[at : at + size], "little")

    def take(self, size: int) -> bytes:
        """So many bytes, as a copy."""
        at = self._step(size)
        return bytes(self.data[at : at + size])

    def view(self, size: int) -> bytes | memoryview:
        """So many bytes, shared where the data is a memoryview."""
        at = self._step(size)
        return self.data[at : at + size]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def struct(self, form: struct.Struct) -> tuple[int, ...]:
        """Several numbers at once."""
        return form.unpack_from(self.data, self._step(form.size))

    def lenenc(self) -> int:
        """A length-encoded integer. Source: MySQL Internals, "Length-Encoded Integer"."""
        at = self.at
        if at >= self.end:
            raise WireError("an event ends before its last field")
        first = self.data[at]
        self.at = at + 1
        if first < 0xFB:
            return first
        width = _LENENC_WIDTHS.get(first)
        if width is None:
            raise WireError("an event holds a length-encoded integer that begins with a byte that does not exist")
        return self.integer(width)

    def lenenc_bytes(self) -> bytes:
        """A string behind its length-encoded length."""
        return self.take(self.lenenc())

    def short_text(self) -> str:
        """UTF-8 behind a byte with its length."""
        return text(self.take(self.integer(1)))

    def varlen(self) -> int:
        """An unsigned integer of MySQL's serialization: as many low ones in the first byte as bytes follow.

        Source: MySQL source documentation, "mysql::serialization", "Variable-length integers".
        """
        first = self.integer(1)
        extra = 0
        while extra < _VARLEN_BYTES - 1 and first >> extra & 1:
            extra += 1
        if extra == _VARLEN_BYTES - 1:
            return self.integer(8)
        high = self.integer(extra)
        return (high << 8 | first) >> (extra + 1)

    def signed_varlen(self) -> int:
        """The same of a signed integer: the lowest bit is the sign."""
        value = self.varlen()
        return ~(value >> 1) if value & 1 else value >> 1


def text(data: bytes) -> str:
    """A name that the server keeps in UTF-8; `WireError` for other bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WireError("a name in an event is not UTF-8") from None


def write_varlen(value: int) -> bytes:
    """What `Cursor.varlen` reads, for 0 <= value < 2**64."""
    size = next((size for size in range(1, _VARLEN_BYTES) if value < 1 << 7 * size), _VARLEN_BYTES)
    if size == _VARLEN_BYTES:
        return b"\xff" + value.to_bytes(8, "little")
    return (value << size | (1 << size - 1) - 1).to_bytes(size, "little")
