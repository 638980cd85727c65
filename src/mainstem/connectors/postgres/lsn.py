"""Places and times in PostgreSQL's log, and positions of a stream made of them. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from mainstem.errors import InvalidError

EPOCH_US = 946_684_800_000_000
"""When the log's times begin, 2000-01-01, in microseconds since 1970."""
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_PAGE_BYTES = 8192
_SHORT_HEADER, _LONG_HEADER = 24, 40  # of a page of the log, and of the first one of a segment


def parse_lsn(text: str) -> int:
    """Read a PostgreSQL log sequence number.

    Args:
        text: two 32-bit halves in hex, high half first: ``"16/B374D848"``.
    Returns:
        Byte offset in the log, 0 <= n < 2**64.
    Raises:
        InvalidError: any other text.
    Source: PostgreSQL manual, "pg_lsn Type".
    """
    halves = _LSN.fullmatch(text)
    if halves is None:
        raise InvalidError(
            f"{text!r} is no position in PostgreSQL's log",
            fields={"position": "two hex halves with a slash between them, like 16/B374D848"},
            remedy="SELECT pg_current_wal_lsn() shows what one looks like",
        )
    return int(halves[1], 16) << 32 | int(halves[2], 16)


def format_lsn(lsn: int) -> str:
    """What `parse_lsn` reads."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream goes on: with the first transaction whose commit lies at or behind ``lsn``.

    Attributes:
        timeline: of the server that told; 0 is not known.
    """

    lsn: int
    timeline: int = 0

    def __str__(self) -> str:
        """As JSON, which `read_place` reads."""
        return json.dumps({"lsn": format_lsn(self.lsn), "timeline": self.timeline})


def read_place(text: str) -> Place:
    """The place that a position, or a snapshot's position, names; an empty text is the start of all.

    Raises:
        InvalidError: it is another system's.
    """
    if not text:
        return Place(0)
    try:
        found = json.loads(text)
        return Place(parse_lsn(str(found["lsn"])), int(found.get("timeline", 0)))
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InvalidError("this is no position in PostgreSQL's log") from exc


def record_end(lsn: int, segment_bytes: int) -> int:
    """The end of the last record, where the server says where the next one begins: behind the head of a new page."""
    if lsn % segment_bytes == _LONG_HEADER:
        return lsn - _LONG_HEADER
    return lsn - _SHORT_HEADER if lsn % _PAGE_BYTES == _SHORT_HEADER else lsn
