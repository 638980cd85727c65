"""The compiled path in plain Python: slow on purpose, short, and the specification of `mainstem.native`."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mainstem.errors import WireError
from mainstem.native.ops import Op, Refusal
from mainstem.native.status import Status

Cell = bytes | None
FULL_PACKET = 0xFFFFFF


def length_encoded(size: int) -> bytes:
    """A number as the protocol writes the length of a cell."""
    if size < 251:
        return bytes([size])
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little")
    return b"\xfd" + size.to_bytes(3, "little") if size < 1 << 24 else b"\xfe" + size.to_bytes(8, "little")


def packets(payload: bytes, sequence: int = 0) -> bytes:
    """A payload as one packet, or as many as it takes; the last is never full."""
    out = b""
    for start in range(0, len(payload) + 1, FULL_PACKET):
        part = payload[start : start + FULL_PACKET]
        out += len(part).to_bytes(3, "little") + bytes([sequence % 256]) + part
        sequence += 1
    return out


def row_payload(cells: Iterable[Cell]) -> bytes:
    """A row as the text protocol writes it."""
    return b"".join(b"\xfb" if cell is None else length_encoded(len(cell)) + cell for cell in cells)


@dataclass
class Decoded:
    """What one `feed` comes to, on a decoder that is new."""

    status: Status
    consumed: int = 0
    rows: list[list[Cell]] = field(default_factory=list)


def decode(data: bytes, columns: int, max_rows: int, max_bytes: int) -> Decoded:
    """Read row packets until a limit, the end, an error packet or an incomplete packet."""
    result = Decoded(Status.NEED_MORE)
    while True:
        size = sum(len(cell) for row in result.rows for cell in row if cell is not None)
        if len(result.rows) >= max_rows or size >= max_bytes:
            result.status = Status.FULL
            return result
        payload, after = _payload(data, result.consumed)
        if payload is None:
            return result
        if payload[:1] == b"\xff":
            result.status = Status.ERROR
            return result
        if payload[:1] == b"\xfe" and len(payload) < 9:
            result.status, result.consumed = Status.END, after
            return result
        result.rows.append(_row(payload, columns))
        result.consumed = after


def _payload(data: bytes, at: int) -> tuple[bytes | None, int]:
    """One payload, of one packet or several, and where the next begins; None when it is not all there."""
    payload = b""
    while True:
        if len(data) - at < 4:
            return None, at
        size = int.from_bytes(data[at : at + 3], "little")
        if size == FULL_PACKET and payload == b"" and data[at + 4 : at + 5] == b"\xff":
            raise WireError("an error packet of 16 MiB")
        part = data[at + 4 : at + 4 + size]
        if len(part) < size:
            return None, at
        payload, at = payload + part, at + 4 + size
        if size < FULL_PACKET:
            return payload, at


def _row(payload: bytes, columns: int) -> list[Cell]:
    row: list[Cell] = []
    at = 0
    for _ in range(columns):
        first = payload[at : at + 1]
        at += 1
        if first in (b"", b"\xff"):
            raise WireError("no cell")
        if first == b"\xfb":
            row.append(None)
            continue
        width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first[0], 0)
        if at + width > len(payload):
            raise WireError("cut length")
        size = int.from_bytes(payload[at : at + width], "little") if width else first[0]
        at += width + size
        if at > len(payload):
            raise WireError("cut cell")
        row.append(payload[at - size : at])
    if at != len(payload):
        raise WireError("bytes after the last cell")
    return row


COPY_ESCAPES = {8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 92: b"\\\\"}


class RefusedError(Exception):
    """A cell that cannot be written; carries the reason."""


@dataclass
class Rules:
    """What the encoder was made with."""

    ops: Sequence[Op]
    lengths: Sequence[int]
    zero_dates: str
    nul_text: str


@dataclass
class Encoded:
    """What `encode` comes to."""

    payload: bytes
    refused: list[tuple[int, int, Refusal]]
    coerced: Counter[tuple[int, str]]


def encode(rows: Sequence[Sequence[Cell]], rules: Rules) -> Encoded:
    """Write rows as COPY text; rows with a cell that cannot be written are left out."""
    result = Encoded(b"", [], Counter())
    for index, row in enumerate(rows):
        line: list[bytes] = []
        coerced: Counter[tuple[int, str]] = Counter()
        try:
            for column, cell in enumerate(row):
                text, what = (None, "") if cell is None else _write(cell, column, rules)
                line.append(b"\\N" if text is None else _escaped(text))
                coerced[column, what] += bool(what)
        except RefusedError as refusal:
            result.refused.append((index, column, refusal.args[0]))
        else:
            result.payload += b"\t".join(line) + b"\n"
            result.coerced += coerced
    return result


def _escaped(text: bytes) -> bytes:
    return b"".join(COPY_ESCAPES.get(byte, bytes([byte])) for byte in text)


def _write(cell: bytes, column: int, rules: Rules) -> tuple[bytes | None, str]:
    """The cell as PostgreSQL should read it (None: null), before COPY's own escapes, and what a policy changed."""
    match rules.ops[column]:
        case Op.TEXT:
            return _without_nul(cell, rules.nul_text)
        case Op.SET_ARRAY:
            text, what = _without_nul(cell, rules.nul_text)
            quoted = re.sub(rb'(["\\])', rb"\\\1", text).replace(b",", b'","')
            return (b'{"' + quoted + b'"}' if cell else b"{}"), what
        case Op.DATE:
            return _date(cell, rules.zero_dates)
        case Op.RAW:
            return _unescaped(cell), ""
        case Op.BYTEA:
            return b"\\x" + cell.hex().encode(), ""
        case Op.BITS:
            return _bits(cell, rules.lengths[column]), ""
        case Op.BIT_BOOLEAN:
            if len(cell) != 1:
                raise RefusedError(Refusal.MALFORMED)
            return (b"f" if cell == b"\0" else b"t"), ""
        case Op.FLOAT:
            return _float(cell), ""
        case Op.EWKB:
            return _ewkb(cell), ""
        case Op.EWKB_BYTEA:
            return b"\\x" + _ewkb(cell), ""


def _float(cell: bytes) -> bytes:
    form, least, most = {8: ("<d", 15, 17), 4: ("<f", 6, 9)}.get(len(cell), ("", 0, 0))
    if not form:
        raise RefusedError(Refusal.MALFORMED)
    (value,) = struct.unpack(form, cell)
    if math.isnan(value):
        return b"NaN"
    if math.isinf(value):
        return b"Infinity" if value > 0 else b"-Infinity"
    texts = (f"{value:.{digits}g}" for digits in range(least, most + 1))
    return next(text for text in texts if _packs_to(form, text, cell)).encode()


def _packs_to(form: str, text: str, cell: bytes) -> bool:
    try:
        return struct.pack(form, float(text)) == cell
    except OverflowError:  # rounded up, out of range
        return False


def _unescaped(cell: bytes) -> bytes:
    if 0 in cell or _escaped(cell) != cell:
        raise RefusedError(Refusal.MALFORMED)
    return cell


def _without_nul(cell: bytes, policy: str) -> tuple[bytes, str]:
    if 0 not in cell:
        return cell, ""
    if policy == "error":
        raise RefusedError(Refusal.NUL_IN_TEXT)
    if policy == "strip":
        return cell.replace(b"\0", b""), "nul_stripped"
    return cell.replace(b"\0", "\N{REPLACEMENT CHARACTER}".encode()), "nul_replaced"


def _date(cell: bytes, policy: str) -> tuple[bytes | None, str]:
    match = re.match(rb"(.{4})-(..)-(..)", cell, re.DOTALL)
    if match is None:
        if re.match(rb"-?infinity\Z|[0-9]{5,}-", cell):  # as PostgreSQL prints what nothing else holds
            return _unescaped(cell), ""
        raise RefusedError(Refusal.MALFORMED)
    if match[1] != b"0000" and b"00" not in (match[2], match[3]):
        return _unescaped(cell), ""
    if policy == "error":
        raise RefusedError(Refusal.ZERO_DATE)
    if policy == "null":
        return None, "zero_date_null"
    return b"1970-01-01" + (b" 00:00:00" if len(cell) > 10 else b""), "zero_date_epoch"


def _bits(cell: bytes, length: int) -> bytes:
    number = int.from_bytes(cell, "big")
    if len(cell) != -(-length // 8) or number >> length:
        raise RefusedError(Refusal.MALFORMED)
    return bin(number)[2:].zfill(length).encode()


def _ewkb(cell: bytes) -> bytes:
    if len(cell) < 9 or cell[4] > 1:
        raise RefusedError(Refusal.MALFORMED)
    order = "<" if cell[4] else ">"
    (srid,) = struct.unpack_from("<I", cell)
    (kind,) = struct.unpack_from(f"{order}I", cell, 5)
    if kind & 0x20000000:
        raise RefusedError(Refusal.MALFORMED)
    head = struct.pack(f"{order}II", kind | 0x20000000, srid) if srid else struct.pack(f"{order}I", kind)
    return (cell[4:5] + head + cell[9:]).hex().encode()
