"""Rows in COPY's formats, cut into the fields that a statement's parameters want: the same bytes by another way in.

Source: PostgreSQL manual, "COPY", File Formats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from struct import Struct
from typing import Any

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_LENGTH = Struct("!i")
_COUNT_BYTES = 2
_NULL = b"\\N"

_LARGE_BYTES = 64 * 1024

Fields = list[Any]
"""A row's fields: bytes, or a view of some; None is null."""


def binary_fields(payload: bytes | memoryview, width: int) -> list[Fields]:
    """Rows of the binary format, without header and trailer; large fields are views, not copies."""
    data, at, rows = memoryview(payload), 0, []
    unpack = _LENGTH.unpack_from
    while at < len(data):
        at += _COUNT_BYTES
        row: Fields = []
        for _ in range(width):
            (length,) = unpack(data, at)
            at += 4
            if length < 0:
                row.append(None)
            else:
                field = data[at : at + length]
                row.append(field if length > _LARGE_BYTES else bytes(field))
                at += length
        rows.append(row)
    return rows


def text_fields(payload: bytes | memoryview) -> list[Fields]:
    """Rows of the text format: as text, without escapes."""
    return [_text_row(line.split(b"\t")) for line in bytes(payload).split(b"\n")[:-1]]


def _text_row(cells: Sequence[bytes]) -> Fields:
    return [None if cell == _NULL else _ESCAPE.sub(_meant, cell) if b"\\" in cell else cell for cell in cells]


def _meant(found: re.Match[bytes]) -> bytes:
    return _ESCAPED.get(found[1], found[1])
