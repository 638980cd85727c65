"""Cells and columns in answers: NULL is null, text is a string, and all else is an object that says what it is."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field

from mainstem.model.shown import CutText, ShownBytes, ShownCell, ShownColumn, ShownKind


class CutCell(BaseModel):
    """A text that is too long to be sent whole."""

    text: str = Field(description="its beginning")
    length: int = Field(description="bytes of the whole, in UTF-8")


class BinaryCell(BaseModel):
    """Bytes."""

    base64: str = Field(description="all of them, or their beginning")
    length: int = Field(description="bytes of the whole")


Cell = str | CutCell | BinaryCell | None
"""Numbers and times are strings too: the server's own digits, which no client can round."""


class CellColumn(BaseModel):
    """A column of a result."""

    name: str
    type: str = Field(description="the server's own name for it", examples=["numeric(10,2)"])
    kind: ShownKind


def cell(value: ShownCell) -> Any:
    """A cell as JSON."""
    match value:
        case CutText(text, length):
            return {"text": text, "length": length}
        case ShownBytes(head, length):
            return {"base64": base64.b64encode(head).decode(), "length": length}
    return value


def rows(found: Iterable[Iterable[ShownCell]]) -> list[list[Any]]:
    """Rows as JSON."""
    return [[cell(value) for value in row] for row in found]


def columns(found: Iterable[ShownColumn]) -> list[dict[str, str]]:
    """Columns as JSON."""
    return [{"name": column.name, "type": column.type, "kind": column.kind.value} for column in found]
