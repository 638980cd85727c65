"""Cells as people are shown them: what a server printed, cut where it is long, and bytes told apart from text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ShownKind(StrEnum):
    """What a column holds, as far as showing it goes."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    JSON = "json"
    BINARY = "binary"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of a result; ``type`` is the server's own name for it (``numeric(10,2)``)."""

    name: str
    type: str
    kind: ShownKind


@dataclass(frozen=True, slots=True)
class CutText:
    """The beginning of a text; ``length`` is that of the whole, in bytes of UTF-8."""

    text: str
    length: int


@dataclass(frozen=True, slots=True)
class ShownBytes:
    """The beginning of a value that is no text, or all of it; ``length`` is that of the whole, in bytes."""

    head: bytes
    length: int


ShownCell = str | CutText | ShownBytes | None
"""None is NULL; a text is whole. Numbers and times are the server's digits, so none is ever rounded."""


def shown_text(raw: bytes, most: int) -> ShownCell:
    """A cell of text from its bytes in UTF-8, cut to ``most`` bytes; what is no UTF-8 is shown as bytes."""
    head = raw if len(raw) <= most else _whole_characters(raw[:most])
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return shown_bytes(raw, most)
    return text if len(head) == len(raw) else CutText(text, len(raw))


def shown_bytes(raw: bytes, most: int) -> ShownBytes:
    """A cell of bytes, cut to ``most``."""
    return ShownBytes(raw[:most], len(raw))


def _whole_characters(head: bytes) -> bytes:
    """The text without the beginning of a character at its end."""
    end = len(head)
    while end and end > len(head) - 4 and head[end - 1] & 0xC0 == 0x80:
        end -= 1
    if end and head[end - 1] >= 0xC0:
        size = 2 + (head[end - 1] >= 0xE0) + (head[end - 1] >= 0xF0)
        return head if len(head) - end + 1 == size else head[: end - 1]
    return head
