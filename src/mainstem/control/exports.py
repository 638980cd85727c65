"""Rows as files: CSV, JSON and JSON lines, written while they are read. Nothing of a value is altered."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from mainstem.model.shown import ShownKind

_PIECE_BYTES = 256 * 1024
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_QUOTED = re.compile(r'[",\r\n]')
_JSON_TEXT = json.JSONEncoder(ensure_ascii=False).encode
_BOOLEANS = {"t": "true", "true": "true", "f": "false", "false": "false"}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_READ_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse).decode
Rows = Iterable[Sequence[str | bytes | None]]
"""What a server printed. Bytes of a column that is not binary are text, unless they are no UTF-8."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file. ``write`` takes the columns' names and kinds and the rows, and makes pieces of about 256 KiB."""

    media_type: str
    write: Callable[[Sequence[str], Sequence[ShownKind], Rows], Iterator[bytes]]


def _csv(names: Sequence[str], kinds: Sequence[ShownKind], rows: Rows) -> Iterator[bytes]:
    r"""CSV as RFC 4180 has it, in UTF-8, with a header: NULL is empty, an empty text ``""``, bytes ``\x`` and hex."""

    def lines() -> Iterator[str]:
        yield ",".join(map(_quoted, names)) + "\r\n"
        for row in rows:
            yield ",".join(_csv_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) + "\r\n"

    return _pieces(lines())


def _json(names: Sequence[str], kinds: Sequence[ShownKind], rows: Rows) -> Iterator[bytes]:
    """An array of the objects that JSON lines have, each on a line of its own."""

    def lines() -> Iterator[str]:
        before = "[\n"
        for line in _objects(names, kinds, rows):
            yield before + line
            before = ",\n"
        yield "[]\n" if before == "[\n" else "\n]\n"

    return _pieces(lines())


def _json_lines(names: Sequence[str], kinds: Sequence[ShownKind], rows: Rows) -> Iterator[bytes]:
    """An object in each line."""
    return _pieces(line + "\n" for line in _objects(names, kinds, rows))


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", _csv),
    "json": Format("application/json; charset=utf-8", _json),
    "jsonl": Format("application/x-ndjson; charset=utf-8", _json_lines),
}


def _pieces(lines: Iterator[str]) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line.encode()
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _plain(cell: str | bytes, kind: ShownKind) -> str | bytes:
    """A text, or else the bytes of what is none."""
    if isinstance(cell, str) or kind is ShownKind.BINARY:
        return cell
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell


def _quoted(text: str) -> str:
    """A field of CSV; between quotes also where there are blanks at its ends, which some readers take away."""
    if not text or _QUOTED.search(text) or text[0].isspace() or text[-1].isspace():
        return '"' + text.replace('"', '""') + '"'
    return text


def _csv_cell(cell: str | bytes | None, kind: ShownKind) -> str:
    if cell is None:
        return ""
    plain = _plain(cell, kind)
    return _quoted(plain) if isinstance(plain, str) else f"\\x{plain.hex()}"


def _objects(names: Sequence[str], kinds: Sequence[ShownKind], rows: Rows) -> Iterator[str]:
    """An object for each row.

    Numbers keep the server's digits, and JSON is JSON; a name that occurs twice gets a number; bytes are
    ``{"base64": …}``.
    """
    keys = [_JSON_TEXT(name) for name in _unique(names)]
    for row in rows:
        members = (f"{key}: {_json_cell(cell, kind)}" for key, cell, kind in zip(keys, row, kinds, strict=True))
        yield f"{{{', '.join(members)}}}"


def _json_cell(cell: str | bytes | None, kind: ShownKind) -> str:
    if cell is None:
        return "null"
    plain = _plain(cell, kind)
    if isinstance(plain, bytes):
        return f'{{"base64": "{base64.b64encode(plain).decode()}"}}'
    if kind is ShownKind.BOOLEAN and plain in _BOOLEANS:
        return _BOOLEANS[plain]
    if kind is ShownKind.NUMBER and _NUMBER.fullmatch(plain):
        return plain
    return _as_is(plain) if kind is ShownKind.JSON else _JSON_TEXT(plain)


def _as_is(text: str) -> str:
    """JSON within JSON, on one line as it stands, unless it is none."""
    try:
        _READ_JSON(text)
    except (ValueError, RecursionError):
        return _JSON_TEXT(text)
    return text.replace("\r", " ").replace("\n", " ")


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with ``_2`` and so on behind those that came before; no other column's name is taken."""
    given, found = set(names), dict[str, None]()
    for name in names:
        number, unique = 1, name
        while unique in found or (number > 1 and unique in given):
            number += 1
            unique = f"{name}_{number}"
        found[unique] = None
    return list(found)
