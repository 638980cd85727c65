"""Rows as files: CSV and JSON, written while they are read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence

from mainstem.model.shown import ShownKind

_PIECE_BYTES = 256 * 1024
_NUMBER = re.compile(rb"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_QUOTED = re.compile(r'[",\r\n]')
_BOOLEANS = {b"t": "true", b"f": "false"}
Rows = Iterable[Sequence[bytes | None]]


def csv(names: Sequence[str], kinds: Sequence[ShownKind], rows: Rows) -> Iterator[bytes]:
    r"""CSV as RFC 4180 has it, in UTF-8, with a header: NULL is empty, an empty text ``""``, bytes ``\x`` and hex."""
    binary = [kind is ShownKind.BINARY for kind in kinds]

    def lines() -> Iterator[bytes]:
        yield ",".join(_quoted(name) for name in names).encode() + b"\r\n"
        for row in rows:
            cells = (
                b"" if cell is None else b"\\x" + cell.hex().encode() if is_binary else _csv_cell(cell)
                for cell, is_binary in zip(row, binary, strict=True)
            )
            yield b",".join(cells) + b"\r\n"

    return _pieces(lines())


def json_lines(names: Sequence[str], kinds: Sequence[ShownKind], rows: Rows) -> Iterator[bytes]:
    """A JSON array with an object for each row, on a line of its own.

    Numbers keep the server's digits; a name that occurs twice gets a number; bytes are ``{"base64": …}``.
    """
    keys = [json.dumps(name, ensure_ascii=False) for name in _unique(names)]

    def lines() -> Iterator[bytes]:
        before = "[\n"
        for row in rows:
            members = ", ".join(
                f"{key}: {_json_cell(cell, kind)}" for key, cell, kind in zip(keys, row, kinds, strict=True)
            )
            yield f"{before}{{{members}}}".encode()
            before = ",\n"
        yield b"[]\n" if before == "[\n" else b"\n]\n"

    return _pieces(lines())


FORMATS = {"csv": (csv, "text/csv; charset=utf-8"), "json": (json_lines, "application/json; charset=utf-8")}
"""Each format's writer, and its media type."""


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if not text or _QUOTED.search(text) else text


def _csv_cell(cell: bytes) -> bytes:
    return _quoted(cell.decode("utf-8", "backslashreplace")).encode()


def _json_cell(cell: bytes | None, kind: ShownKind) -> str:
    if cell is None:
        return "null"
    if kind is ShownKind.BINARY:
        return f'{{"base64": "{base64.b64encode(cell).decode()}"}}'
    if kind is ShownKind.BOOLEAN and cell in _BOOLEANS:
        return _BOOLEANS[cell]
    if kind is ShownKind.NUMBER and _NUMBER.fullmatch(cell):
        return cell.decode()
    text = cell.decode("utf-8", "backslashreplace")
    return _as_is(text) if kind is ShownKind.JSON else json.dumps(text, ensure_ascii=False)


def _as_is(text: str) -> str:
    """JSON within JSON, on one line as it stands, unless it is none."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)
    return text.replace("\r", " ").replace("\n", " ")


def _unique(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found
