"""Row images of MySQL's binary log in plain Python: both ways, slow on purpose, the specification of `binlogrows`."""

from __future__ import annotations

import ipaddress
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

from json_oracle import to_text

from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.native.ops import BinlogForm, BinlogOp


class Mark(Enum):
    """What stands for a cell that is not in the log."""

    ABSENT = "absent"


Cell = bytes | Mark | None
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_ZERO = 839 * 3600  # what MariaDB's old times count from, in seconds
DECIMAL_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


@dataclass(frozen=True)
class Event:
    """One change."""

    op: Op
    after: tuple[Cell, ...]
    before: tuple[Cell, ...]


class BadCell(WireError):
    """A value that does not exist."""


def fraction_bytes(digits: int) -> int:
    return (digits + 1) // 2


def _need(condition: bool) -> None:
    if not condition:
        raise BadCell("a cell does not have the form of its column's type")


# -- decoding


def _signed(cell: bytes, form: BinlogForm) -> bytes:
    return str(int.from_bytes(cell, "little", signed=True)).encode()


def _unsigned(cell: bytes, form: BinlogForm) -> bytes:
    return str(int.from_bytes(cell, "little")).encode()


def _same(cell: bytes, form: BinlogForm) -> bytes:
    return cell


def decimal_groups(form: BinlogForm) -> list[int]:
    """Digits of each group in turn."""
    whole, scale = form.width - form.extra, form.extra
    groups = [whole % 9, *[9] * (whole // 9), *[9] * (scale // 9), scale % 9]
    return [digits for digits in groups if digits]


def _decimal(cell: bytes, form: BinlogForm) -> bytes:
    positive = cell[0] & 0x80
    data = bytes([cell[0] ^ 0x80, *cell[1:]])
    if not positive:
        data = bytes(byte ^ 0xFF for byte in data)
    text = ""
    for digits in decimal_groups(form):
        size = DECIMAL_BYTES[digits]
        part = str(int.from_bytes(data[:size], "big")).rjust(digits, "0")
        _need(len(part) == digits)
        text, data = text + part, data[size:]
    whole, scale = text[: form.width - form.extra].lstrip("0") or "0", text[form.width - form.extra :]
    return f"{'' if positive else '-'}{whole}{'.' if scale else ''}{scale}".encode()


def _year(cell: bytes, form: BinlogForm) -> bytes:
    return b"%04d" % (1900 + cell[0] if cell[0] else 0)


def _clock(hour: int, minute: int, second: int, micros: int, digits: int) -> str:
    _need(hour <= 838 and minute < 60 and second < 60 and micros < 10**6)
    return f"{hour:02d}:{minute:02d}:{second:02d}" + (f".{micros:06d}"[: digits + 1] if digits else "")


def _moment(parts: Sequence[int], micros: int, digits: int) -> bytes:
    year, month, day, hour, minute, second = parts
    _need(year <= 9999 and month <= 12 and day <= 31 and hour <= 23)
    return f"{year:04d}-{month:02d}-{day:02d} {_clock(hour, minute, second, micros, digits)}".encode()


def _date(cell: bytes, form: BinlogForm) -> bytes:
    value = int.from_bytes(cell, "little")
    return _moment((value >> 9, value >> 5 & 15, value & 31, 0, 0, 0), 0, 0)[:10]


def _micros(cell: bytes, digits: int) -> int:
    micros = int.from_bytes(cell, "big") * 10 ** (6 - 2 * fraction_bytes(digits))
    _need(micros < 10**6)
    return micros


def _datetime2(cell: bytes, form: BinlogForm) -> bytes:
    value = int.from_bytes(cell[:5], "big") - (1 << 39)
    _need(value >= 0)
    months = value >> 22
    _need(months <= 9999 * 13 + 12)
    parts = (months // 13, months % 13, value >> 17 & 31, value >> 12 & 31, value >> 6 & 63, value & 63)
    return _moment(parts, _micros(cell[5:], form.extra), form.extra)


def _instant(seconds: int, micros: int, digits: int) -> bytes:
    if seconds == 0 and micros == 0:
        return _moment((0, 0, 0, 0, 0, 0), 0, digits)
    at = EPOCH + timedelta(seconds=seconds)
    return _moment((at.year, at.month, at.day, at.hour, at.minute, at.second), micros, digits)


def _timestamp2(cell: bytes, form: BinlogForm) -> bytes:
    return _instant(int.from_bytes(cell[:4], "big"), _micros(cell[4:], form.extra), form.extra)


def _time2(cell: bytes, form: BinlogForm) -> bytes:
    bits = 8 * fraction_bytes(form.extra)
    value = int.from_bytes(cell, "big") - (0x800000 << bits)
    sign, value = ("-" if value < 0 else ""), abs(value)
    micros = _micros((value & (1 << bits) - 1).to_bytes(3, "big"), form.extra)
    value >>= bits
    _need(value < 1 << 22)
    return (sign + _clock(value >> 12, value >> 6 & 63, value & 63, micros, form.extra)).encode()


def _split(value: int, *bases: int) -> list[int]:
    """The lowest part last."""
    parts = []
    for base in bases:
        value, part = divmod(value, base)
        parts.append(part)
    return [value, *reversed(parts)]


def _datetime(cell: bytes, form: BinlogForm) -> bytes:
    if form.extra == 0:
        parts = _split(int.from_bytes(cell, "little"), 100, 100, 100, 100, 100)
        return _moment(parts, 0, 0)
    *parts, fraction = _split(int.from_bytes(cell, "big"), 10**form.extra, 60, 60, 24, 32, 13)
    return _moment(parts, fraction * 10 ** (6 - form.extra), form.extra)


def _timestamp(cell: bytes, form: BinlogForm) -> bytes:
    if form.extra == 0:
        return _instant(int.from_bytes(cell, "little"), 0, 0)
    fraction = int.from_bytes(cell[4:], "big")
    _need(fraction < 10**form.extra)
    return _instant(int.from_bytes(cell[:4], "big"), fraction * 10 ** (6 - form.extra), form.extra)


def _time(cell: bytes, form: BinlogForm) -> bytes:
    if form.extra == 0:
        value = int.from_bytes(cell, "little", signed=True)
        sign, value = ("-" if value < 0 else ""), abs(value)
        return (sign + _clock(*_split(value, 100, 100), 0, 0)).encode()
    value = int.from_bytes(cell, "big") - TIME_ZERO * 10**form.extra
    sign, value = ("-" if value < 0 else ""), abs(value)
    hour, minute, second, fraction = _split(value, 10**form.extra, 60, 60)
    return (sign + _clock(hour, minute, second, fraction * 10 ** (6 - form.extra), form.extra)).encode()


def _enum(cell: bytes, form: BinlogForm) -> bytes:
    number = int.from_bytes(cell, "little")
    _need(number <= len(form.labels))
    return form.labels[number - 1] if number else b""


def _set(cell: bytes, form: BinlogForm) -> bytes:
    bits = int.from_bytes(cell, "little")
    _need(bits < 1 << len(form.labels))
    text = b""
    for number, label in enumerate(form.labels):
        if bits >> number & 1:
            text += (b"," if text else b"") + label
    return text


def _padded(cell: bytes, form: BinlogForm) -> bytes:
    _need(len(cell) <= form.extra)
    return cell.ljust(form.extra, b"\0")


def _json(cell: bytes, form: BinlogForm) -> bytes:
    return to_text(cell)


def _compressed(cell: bytes, form: BinlogForm) -> bytes:
    if not cell or cell[0] == 0:
        return cell[1:]
    _need(cell[0] & 0xF0 == 0x80)
    start = 1 + (cell[0] & 7)
    try:
        data = zlib.decompress(cell[start:], -15 if cell[0] & 8 else 15)
    except zlib.error as exc:
        raise BadCell("zlib") from exc
    _need(len(data) == int.from_bytes(cell[1:start], "big"))
    return data


def _uuid(cell: bytes, form: BinlogForm) -> bytes:
    _need(len(cell) <= 16)
    cell = cell.ljust(16, b"\0")
    if form.extra or (cell[6] & 0x80 and 0 < cell[8] <= 0x80):
        cell = cell[12:] + cell[10:12] + cell[8:10] + cell[6:8] + cell[:6]
    return str(uuid.UUID(bytes=cell)).encode()


def _inet4(cell: bytes, form: BinlogForm) -> bytes:
    _need(len(cell) <= 4)
    return str(ipaddress.IPv4Address(cell.ljust(4, b"\0"))).encode()


def _inet6(cell: bytes, form: BinlogForm) -> bytes:
    """As the server prints it: a single zero word is a gap too, and IPv4 shows behind zeros."""
    _need(len(cell) <= 16)
    cell = cell.ljust(16, b"\0")
    words = struct.unpack(">8H", cell)
    gaps = [(length, -at) for at in range(8) for length in range(1, 9 - at) if not any(words[at : at + length])]
    if not gaps:
        return ":".join(f"{word:x}" for word in words).encode()
    length, start = max(gaps)
    start = -start
    if start == 0 and (length == 6 or (length == 5 and words[5] == 0xFFFF)):
        middle = "" if length == 6 else "ffff:"
        return f"::{middle}{ipaddress.IPv4Address(cell[12:])}".encode()
    left, right = words[:start], words[start + length :]
    return f"{':'.join(f'{w:x}' for w in left)}::{':'.join(f'{w:x}' for w in right)}".encode()


def _nothing(cell: bytes, form: BinlogForm) -> bytes:
    raise BadCell("no value")


_DECODE: dict[BinlogOp, Callable[[bytes, BinlogForm], bytes]] = {
    BinlogOp.INT: _signed,
    BinlogOp.UINT: _unsigned,
    BinlogOp.FLOAT: _same,
    BinlogOp.DECIMAL: _decimal,
    BinlogOp.YEAR: _year,
    BinlogOp.DATE: _date,
    BinlogOp.DATETIME2: _datetime2,
    BinlogOp.TIMESTAMP2: _timestamp2,
    BinlogOp.TIME2: _time2,
    BinlogOp.DATETIME: _datetime,
    BinlogOp.TIMESTAMP: _timestamp,
    BinlogOp.TIME: _time,
    BinlogOp.BIT: _same,
    BinlogOp.ENUM: _enum,
    BinlogOp.SET: _set,
    BinlogOp.BYTES: _same,
    BinlogOp.PADDED: _padded,
    BinlogOp.JSON: _json,
    BinlogOp.COMPRESSED: _compressed,
    BinlogOp.UUID: _uuid,
    BinlogOp.INET4: _inet4,
    BinlogOp.INET6: _inet6,
    BinlogOp.NULL: _nothing,
}
PREFIXED = {op for op in BinlogOp if BinlogOp.BYTES <= op <= BinlogOp.INET6}


def fixed_size(form: BinlogForm) -> int:
    """Bytes of a value that has no length in front."""
    fraction = fraction_bytes(form.extra)
    return {
        BinlogOp.DECIMAL: sum(DECIMAL_BYTES[digits] for digits in decimal_groups(form)),
        BinlogOp.YEAR: 1,
        BinlogOp.DATE: 3,
        BinlogOp.DATETIME2: 5 + fraction,
        BinlogOp.TIMESTAMP2: 4 + fraction,
        BinlogOp.TIME2: 3 + fraction,
        BinlogOp.DATETIME: (8, 6, 6, 7, 7, 7, 8)[form.extra % 7],
        BinlogOp.TIMESTAMP: 4 + fraction,
        BinlogOp.TIME: (3, 4, 4, 5, 5, 5, 6)[form.extra % 7],
        BinlogOp.NULL: 0,
    }.get(form.op, form.width)


def columns_of(bitmap: bytes, count: int) -> list[int]:
    """The columns that a bitmap names."""
    return [index for index in range(count) if bitmap[index >> 3] >> (index & 7) & 1]


class _Source:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if size > len(self.data):
            raise WireError("cut")
        part, self.data = self.data[:size], self.data[size:]
        return part


def _image(source: _Source, forms: Sequence[BinlogForm], present: bytes) -> dict[int, bytes | None]:
    """The raw values of an image by column."""
    there = columns_of(present, len(forms))
    nulls = set(columns_of(source.take((len(there) + 7) // 8), len(there)))
    raw: dict[int, bytes | None] = {}
    for number, index in enumerate(there):
        form = forms[index]
        if number in nulls:
            raw[index] = None
        elif form.op in PREFIXED:
            raw[index] = source.take(int.from_bytes(source.take(form.width), "little"))
        else:
            raw[index] = source.take(fixed_size(form))
    return raw


def decode(
    data: bytes,
    forms: Sequence[BinlogForm],
    after: Sequence[int],
    before: Sequence[int],
    op: Op,
    present: bytes,
    present_after: bytes,
    defaults: Mapping[int, bytes | None],
) -> Iterator[Event]:
    """The changes of one event; `WireError` at the first that breaks the format."""
    source = _Source(data)

    def cell(index: int, raw: bytes | None) -> Cell:
        return None if raw is None else _DECODE[forms[index].op](raw, forms[index])

    while source.data:
        left = len(source.data)
        old = _image(source, forms, present) if op is not Op.INSERT else {}
        new = _image(source, forms, present if op is Op.INSERT else present_after) if op is not Op.DELETE else {}
        if len(source.data) == left:
            raise WireError("an image without a byte")
        now: list[Cell] = []
        for index in after:
            if op is Op.DELETE:
                now.append(None)
            elif index in new:
                now.append(cell(index, new[index]))
            elif index in old:
                now.append(cell(index, old[index]))
            elif op is Op.UPDATE:
                now.append(Mark.ABSENT)
            elif index in defaults:
                now.append(defaults[index])
            else:
                raise WireError("no default")
        if op is not Op.INSERT and not set(before) <= set(old):
            raise WireError("no identity")
        was = tuple(None if op is Op.INSERT else cell(index, old[index]) for index in before)
        yield Event(op, tuple(now), was)


# -- encoding: a text cell back into the log's bytes


def _encode_decimal(cell: bytes, form: BinlogForm) -> bytes:
    sign, digits, exponent = Decimal(cell.decode()).as_tuple()
    assert exponent == -form.extra
    text = "".join(map(str, digits)).rjust(form.width, "0")
    data = b""
    for count in decimal_groups(form):
        data += int(text[:count]).to_bytes(DECIMAL_BYTES[count], "big")
        text = text[count:]
    if sign:
        data = bytes(byte ^ 0xFF for byte in data)
    return bytes([data[0] ^ 0x80, *data[1:]])


def _numbers(cell: bytes) -> tuple[list[int], int]:
    """The numbers of a date and time, and the microseconds."""
    whole, _, fraction = cell.decode().partition(".")
    return [int(part) for part in whole.replace("-", " ").replace(":", " ").split()], int(fraction.ljust(6, "0") or 0)


def _encode_fraction(micros: int, digits: int) -> bytes:
    size = fraction_bytes(digits)
    return (micros // 10 ** (6 - 2 * size)).to_bytes(size, "big")


def _encode_date(cell: bytes, form: BinlogForm) -> bytes:
    (year, month, day), _ = _numbers(cell)
    return (year << 9 | month << 5 | day).to_bytes(3, "little")


def _encode_datetime2(cell: bytes, form: BinlogForm) -> bytes:
    (year, month, day, hour, minute, second), micros = _numbers(cell)
    value = (year * 13 + month) << 22 | day << 17 | hour << 12 | minute << 6 | second
    return (value + (1 << 39)).to_bytes(5, "big") + _encode_fraction(micros, form.extra)


def _encode_timestamp2(cell: bytes, form: BinlogForm) -> bytes:
    numbers, micros = _numbers(cell)
    seconds = int((datetime(*numbers, tzinfo=UTC) - EPOCH).total_seconds()) if any(numbers) else 0  # type: ignore[misc,arg-type]
    return seconds.to_bytes(4, "big") + _encode_fraction(micros, form.extra)


def _encode_time2(cell: bytes, form: BinlogForm) -> bytes:
    (hour, minute, second), micros = _numbers(cell.lstrip(b"-"))
    size = fraction_bytes(form.extra)
    value = (hour << 12 | minute << 6 | second) << 8 * size
    value |= int.from_bytes(_encode_fraction(micros, form.extra), "big")
    zero = 0x800000 << 8 * size
    return (zero - value if cell.startswith(b"-") else zero + value).to_bytes(3 + size, "big")


def encode(cell: bytes, form: BinlogForm) -> bytes:
    """A value as the server writes it, for the ops that `ENCODED` names."""
    if form.op in PREFIXED:
        data = cell.rstrip(b"\0") if form.op is BinlogOp.PADDED else cell
        return len(data).to_bytes(form.width, "little") + data
    return ENCODED[form.op](cell, form)


ENCODED: dict[BinlogOp, Callable[[bytes, BinlogForm], bytes]] = {
    BinlogOp.INT: lambda cell, form: int(cell).to_bytes(form.width, "little", signed=True),
    BinlogOp.UINT: lambda cell, form: int(cell).to_bytes(form.width, "little"),
    BinlogOp.FLOAT: _same,
    BinlogOp.BIT: _same,
    BinlogOp.DECIMAL: _encode_decimal,
    BinlogOp.YEAR: lambda cell, form: bytes([int(cell) - 1900 if int(cell) else 0]),
    BinlogOp.DATE: _encode_date,
    BinlogOp.DATETIME2: _encode_datetime2,
    BinlogOp.TIMESTAMP2: _encode_timestamp2,
    BinlogOp.TIME2: _encode_time2,
    BinlogOp.ENUM: lambda cell, form: (form.labels.index(cell) + 1).to_bytes(form.width, "little"),
}


def image(cells: Sequence[bytes | None], forms: Sequence[BinlogForm]) -> bytes:
    """An image of all columns."""
    nulls = sum(1 << index for index, cell in enumerate(cells) if cell is None)
    data = nulls.to_bytes((len(forms) + 7) // 8, "little")
    return data + b"".join(encode(cell, form) for cell, form in zip(cells, forms, strict=True) if cell is not None)
