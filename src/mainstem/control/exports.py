"""Rows as files: CSV, JSON and JSON lines, made piece by piece. Nothing of a value is altered."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mainstem.contract.browse import BrowseColumn
from mainstem.model.shown import CutText, ShownBytes, ShownCell
from mainstem.model.types import Kind

_AT_ONCE = 500
_SAFE = 2**53 - 1
Rows = Iterable[Sequence[ShownCell]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file."""

    media_type: str
    write: Callable[[Sequence[BrowseColumn], Rows], Iterator[str]]


def _csv(columns: Sequence[BrowseColumn], rows: Rows) -> Iterator[str]:
    r"""RFC 4180 with a header; NULL is nothing, an empty text is ``""``, bytes are ``\x`` and hex."""
    yield ",".join(_field(column.name) for column in columns) + "\r\n"
    remaining = iter(rows)
    while some := list(islice(remaining, _AT_ONCE)):
        yield "".join(",".join(map(_field, row)) + "\r\n" for row in some)


def _field(cell: ShownCell) -> str:
    if cell is None:
        return ""
    text = _plain(cell)
    if not text or any(mark in text for mark in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _plain(cell: ShownCell) -> str:
    match cell:
        case ShownBytes(head, _):
            return f"\\x{head.hex()}"
        case CutText(text, _):
            return text
    return cell or ""


def _json(columns: Sequence[BrowseColumn], rows: Rows) -> Iterator[str]:
    """An array of objects."""
    start = "["
    for line in _objects(columns, rows):
        yield f"{start}\n{line}"
        start = ","
    yield "[]\n" if start == "[" else "\n]\n"


def _json_lines(columns: Sequence[BrowseColumn], rows: Rows) -> Iterator[str]:
    """An object in each line."""
    remaining = _objects(columns, rows)
    while some := list(islice(remaining, _AT_ONCE)):
        yield "\n".join(some) + "\n"


def _objects(columns: Sequence[BrowseColumn], rows: Rows) -> Iterator[str]:
    for row in rows:
        yield json.dumps(
            {column.name: _value(column, cell) for column, cell in zip(columns, row, strict=True)}, ensure_ascii=False
        )


def _value(column: BrowseColumn, cell: ShownCell) -> Any:
    """Whole numbers that every reader holds exactly are numbers; other numbers stay text; bytes are base64."""
    match cell:
        case ShownBytes(head, _):
            return {"base64": base64.b64encode(head).decode()}
        case str() if column.kind is Kind.INTEGER and cell.lstrip("-").isdigit() and abs(int(cell)) <= _SAFE:
            return int(cell)
        case str() if column.kind is Kind.BOOLEAN and cell in ("true", "false"):
            return cell == "true"
        case CutText(text, _):
            return text
    return cell


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", _csv),
    "json": Format("application/json; charset=utf-8", _json),
    "jsonl": Format("application/x-ndjson; charset=utf-8", _json_lines),
}
