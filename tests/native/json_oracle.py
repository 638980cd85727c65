"""MySQL's binary JSON in plain Python, both ways."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import Any

from mainstem.errors import WireError

MAX_DEPTH = 100
SMALL, LARGE = 2, 4
INLINE = {SMALL: {4, 5, 6}, LARGE: {4, 5, 6, 7, 8}}
NUMBERS = {5: "<h", 6: "<H", 7: "<i", 8: "<I", 9: "<q", 10: "<Q", 11: "<d"}
DECIMAL_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


@dataclass(frozen=True)
class Opaque:
    """A value of a type that JSON does not know."""

    kind: int
    data: bytes


def _need(condition: bool) -> None:
    if not condition:
        raise WireError("a JSON document breaks its binary format")


def number(value: float) -> str:
    """As `my_gcvt` prints it, with ``.0`` behind what would look like an integer."""
    mantissa, _, exponent = repr(value).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0.0"
    if -15 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if 0 < point <= 15 or 0 < point < len(digits):
        return f"{sign}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1}"


def quoted(data: bytes) -> bytes:
    """A string with its escapes."""
    out = b'"'
    for byte in data:
        known = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}.get(byte)
        out += known or (b"\\u%04x" % byte if byte < 32 else bytes([byte]))
    return out + b'"'


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.budget = len(data)

    def spend(self, size: int) -> None:
        _need(size <= self.budget)
        self.budget -= size

    def length(self, at: int, end: int) -> tuple[int, int]:
        size = 0
        for number_ in range(5):
            _need(at < end)
            byte = self.data[at]
            size |= (byte & 0x7F) << 7 * number_
            at += 1
            if byte < 0x80:
                _need(size <= end - at)
                return size, at
        raise WireError("a length without an end")

    def scalar(self, kind: int, at: int, end: int) -> bytes:
        form = NUMBERS[kind]
        _need(end - at >= struct.calcsize(form))
        (value,) = struct.unpack_from(form, self.data, at)
        if kind != 11:
            return str(value).encode()
        _need(value - value == 0)
        return number(value).encode()

    def value(self, kind: int, at: int, end: int, depth: int) -> bytes:
        if kind <= 3:
            return self.container(kind, at, end, depth + 1)
        if kind == 4:
            _need(at < end)
            return literal(self.data[at])
        if kind <= 11:
            return self.scalar(kind, at, end)
        _need(kind in (12, 15))
        opaque = -1
        if kind == 15:
            _need(at < end)
            opaque = self.data[at]
            at += 1
        size, at = self.length(at, end)
        self.spend(size)
        data = self.data[at : at + size]
        return quoted(data) if opaque in (-1, 253) else opaque_text(opaque, data)

    def container(self, kind: int, start: int, end: int, depth: int) -> bytes:
        wide = LARGE if kind & 1 else SMALL
        keyed = kind < 2
        _need(depth <= MAX_DEPTH and end - start >= 2 * wide)
        count = int.from_bytes(self.data[start : start + wide], "little")
        size = int.from_bytes(self.data[start + wide : start + 2 * wide], "little")
        key_size = wide + 2 if keyed else 0
        _need(size <= end - start and 2 * wide + count * (key_size + 1 + wide) <= size)
        self.spend(count * (key_size + 1 + wide))
        end, keys = start + size, start + 2 * wide
        values = keys + count * key_size
        parts = []
        for index in range(count):
            part = b""
            if keyed:
                place, length = struct.unpack_from(
                    "<HH" if wide == SMALL else "<IH", self.data, keys + index * key_size
                )
                _need(place + length <= end - start)
                self.spend(length)
                part = quoted(self.data[start + place : start + place + length]) + b": "
            at = values + index * (1 + wide)
            parts.append(part + self.element(start, at, end, wide, depth))
        inside = b", ".join(parts)
        return b"{" + inside + b"}" if keyed else b"[" + inside + b"]"

    def element(self, start: int, at: int, end: int, wide: int, depth: int) -> bytes:
        kind = self.data[at]
        place = int.from_bytes(self.data[at + 1 : at + 1 + wide], "little")
        if kind == 4:
            return literal(place)
        if kind in INLINE[wide]:
            return self.scalar(kind, at + 1, end)
        _need(place < end - start)
        return self.value(kind, start + place, end, depth)


def literal(which: int) -> bytes:
    _need(which < 3)
    return (b"null", b"true", b"false")[which]


def opaque_text(kind: int, data: bytes) -> bytes:
    if kind == 246:
        return _decimal(data)
    if kind in (7, 10, 11, 12):
        return _packed(kind, data)
    text = base64.b64encode(data)
    lines = b"\\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    return b'"base64:type%d:%s"' % (kind, lines)


def _decimal(data: bytes) -> bytes:
    _need(len(data) >= 3 and 1 <= data[0] <= 65 and data[1] <= min(data[0], 30))
    precision, scale = data[0], data[1]
    whole = precision - scale
    groups = [whole % 9, *[9] * (whole // 9), *[9] * (scale // 9), scale % 9]
    _need(len(data) - 2 >= sum(DECIMAL_BYTES[digits] for digits in groups))
    rest = bytes([data[2] ^ 0x80, *data[3:]])
    if not data[2] & 0x80:
        rest = bytes(byte ^ 0xFF for byte in rest)
    text = ""
    for digits in groups:
        if digits:
            size = DECIMAL_BYTES[digits]
            text += str(int.from_bytes(rest[:size], "big")).rjust(digits, "0")
            rest = rest[size:]
    _need(len(text) == precision)
    sign = "" if data[2] & 0x80 else "-"
    return f"{sign}{text[:whole].lstrip('0') or '0'}{'.' if scale else ''}{text[whole:]}".encode()


def _packed(kind: int, data: bytes) -> bytes:
    _need(len(data) == 8)
    value = int.from_bytes(data, "little", signed=True)
    sign = "-" if value < 0 else ""
    _need(not sign or (kind == 11 and value != -(1 << 63)))
    value = abs(value)
    micros, value = value & 0xFFFFFF, value >> 24
    _need(kind == 10 or micros < 10**6)
    if kind == 11:
        hour, minute, second = value >> 12, value >> 6 & 63, value & 63
        _need(hour <= 838 and minute < 60 and second < 60)
        return f'"{sign}{hour:02d}:{minute:02d}:{second:02d}.{micros:06d}"'.encode()
    months, day = value >> 22, value >> 17 & 31
    _need(months <= 9999 * 13 + 12 and months % 13 <= 12)
    date = f"{months // 13:04d}-{months % 13:02d}-{day:02d}"
    if kind == 10:
        return f'"{date}"'.encode()
    hour, minute, second = value >> 12 & 31, value >> 6 & 63, value & 63
    _need(hour < 24 and minute < 60 and second < 60)
    return f'"{date} {hour:02d}:{minute:02d}:{second:02d}.{micros:06d}"'.encode()


def to_text(document: bytes) -> bytes:
    """The text of a document; an empty one is null."""
    if not document:
        return b"null"
    return _Reader(document).value(document[0], 1, len(document), 0)


# -- encoding


def _length(size: int) -> bytes:
    out = b""
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return out + bytes([size])


def _encode(value: Any, wide: int) -> tuple[int, bytes]:
    """Type and bytes of a value."""
    if value is None or isinstance(value, bool):
        return 4, bytes([0 if value is None else 1 if value else 2])
    if isinstance(value, int):
        for kind, form in NUMBERS.items():
            if kind != 11:
                try:
                    return kind, struct.pack(form, value)
                except struct.error:
                    continue
    if isinstance(value, float):
        return 11, struct.pack("<d", value)
    if isinstance(value, str):
        return 12, _length(len(value.encode())) + value.encode()
    if isinstance(value, Opaque):
        return 15, bytes([value.kind]) + _length(len(value.data)) + value.data
    keys = [key.encode() for key in value] if isinstance(value, dict) else []
    items = list(value.values()) if isinstance(value, dict) else value
    entry = len(items) * (1 + wide) + len(keys) * (wide + 2)
    at = 2 * wide + entry
    key_entries, value_entries, data = b"", b"", b""
    for key in keys:
        key_entries += (at + len(data)).to_bytes(wide, "little") + len(key).to_bytes(2, "little")
        data += key
    for item in items:
        kind, body = _encode(item, wide)
        if kind in INLINE[wide]:
            value_entries += bytes([kind]) + body.ljust(wide, b"\0")
        else:
            value_entries += bytes([kind]) + (at + len(data)).to_bytes(wide, "little")
            data += body
    size = at + len(data)
    head = len(items).to_bytes(wide, "little") + size.to_bytes(wide, "little")
    kind = (0 if isinstance(value, dict) else 2) + (wide == LARGE)
    return kind, head + key_entries + value_entries + data


def encode(value: Any, wide: int = LARGE) -> bytes:
    """A document; small ones may be ``SMALL``."""
    kind, body = _encode(value, wide)
    return bytes([kind]) + body
