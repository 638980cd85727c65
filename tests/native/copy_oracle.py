"""What the decoder of COPY's text format has to do, in plain Python; also how the server writes it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Literal

from mainstem.errors import WireError
from mainstem.native.ops import CopyOp

Cell = bytes | None
ESCAPES = {b"\b": b"b", b"\t": b"t", b"\n": b"n", b"\v": b"v", b"\f": b"f", b"\r": b"r", b"\\": b"\\"}
_UNESCAPED = {letter[0]: byte for byte, letter in ESCAPES.items()}
_FLOAT = re.compile(rb"NaN|-?Infinity|[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def escape(cell: Cell) -> bytes:
    """A cell as the server writes it."""
    if cell is None:
        return b"\\N"
    return re.sub(rb"[\b\t\n\v\f\r\\]", lambda found: b"\\" + ESCAPES[found[0]], cell)


def row(cells: Sequence[Cell]) -> bytes:
    """A row as the server writes it."""
    return b"\t".join(map(escape, cells)) + b"\n"


def decode(data: bytes, ops: Sequence[CopyOp]) -> list[Cell]:
    """A row's text cells; `WireError` when it breaks the format."""
    if data.find(b"\n") != len(data) - 1 or not data:
        raise WireError("not a row")
    fields = data[:-1].split(b"\t")
    if len(fields) != len(ops):
        raise WireError("not as many cells as columns")
    return [None if field == b"\\N" else _DECODERS[op](field) for field, op in zip(fields, ops, strict=True)]


def decode_cell(field: bytes, op: CopyOp) -> bytes:
    """One cell that is no null."""
    return _DECODERS[op](field)


def _text(field: bytes) -> bytes:
    out, bytes_left = b"", iter(field)
    for byte in bytes_left:
        if byte == 0x5C:
            letter = next(bytes_left, None)
            if letter not in _UNESCAPED:
                raise WireError("a bad escape")
            out += _UNESCAPED[letter]
        else:
            out += bytes([byte])
    return out


def _bool(field: bytes) -> bytes:
    if field not in (b"t", b"f"):
        raise WireError("not a truth value")
    return b"1" if field == b"t" else b"0"


def _hex(field: bytes) -> bytes:
    if not re.fullmatch(rb"([0-9a-fA-F]{2})*", field):
        raise WireError("not hex")
    return bytes.fromhex(field.decode())


def _bytea(field: bytes) -> bytes:
    if not field.startswith(b"\\\\x"):
        raise WireError("no prefix")
    return _hex(field[3:])


def _bits(field: bytes) -> bytes:
    if not re.fullmatch(rb"[01]*", field):
        raise WireError("not bits")
    return int(field, 2).to_bytes((len(field) + 7) // 8, "big") if field else b""


def _float(form: str) -> Callable[[bytes], bytes]:
    def decode_float(field: bytes) -> bytes:
        if len(field) > 40 or not _FLOAT.fullmatch(field):
            raise WireError("not a number")
        value = float(field)
        try:
            return struct.pack(form, value)
        except OverflowError:  # a single beyond its range is an infinity
            return struct.pack(form, float("inf") if value > 0 else float("-inf"))

    return decode_float


def _ewkb(field: bytes) -> bytes:
    data = _hex(field)
    if len(data) < 5 or data[0] > 1:
        raise WireError("not EWKB")
    order: Literal["little", "big"] = "little" if data[0] == 1 else "big"
    type_ = int.from_bytes(data[1:5], order)
    if not type_ & 0x20000000:
        return b"\0\0\0\0" + data
    if len(data) < 9:
        raise WireError("no SRID")
    srid = int.from_bytes(data[5:9], order)
    head = (type_ & ~0x20000000).to_bytes(4, order)
    return srid.to_bytes(4, "little") + data[:1] + head + data[9:]


_DECODERS: dict[CopyOp, Callable[[bytes], bytes]] = {
    CopyOp.TEXT: _text,
    CopyOp.BOOL: _bool,
    CopyOp.BYTEA: _bytea,
    CopyOp.BITS: _bits,
    CopyOp.FLOAT4: _float("<f"),
    CopyOp.FLOAT8: _float("<d"),
    CopyOp.EWKB: _ewkb,
}
