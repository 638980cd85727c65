"""Global transaction ids: MySQL's sets (with tags), in text and binary form, and MariaDB's positions.

Source: MySQL manual, "GTID Format and Storage", and source documentation, "Gtid_set::encode"; MariaDB documentation,
"Global Transaction ID".
"""

from __future__ import annotations

import re
import uuid
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mainstem.connectors.mysql.wire.cursor import Cursor, write_varlen
from mainstem.errors import InvalidError, WireError

_TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_MAX_GNO = (1 << 63) - 1
_INTERVAL = re.compile(r"([0-9]+)(?:\s*-\s*([0-9]+))?")
_MARIADB = re.compile(r"([0-9]+)-([0-9]+)-([0-9]+)")
_TAGGED_FORMAT = 1


def _invalid(text: str) -> InvalidError:
    return InvalidError(
        f"{text!r} is no set of GTIDs", remedy="write it as the server shows it in @@gtid_executed or @@gtid_binlog_pos"
    )


class Gtid(NamedTuple):
    """One transaction of MySQL.

    Attributes:
        source: the server's UUID, lower case.
        tag: empty of an untagged one.
        number: from 1 on.
    """

    source: str
    tag: str
    number: int

    def __str__(self) -> str:
        """As the server writes it."""
        return f"{self.source}:{self.tag}:{self.number}" if self.tag else f"{self.source}:{self.number}"


class GtidSet:
    """A set of MySQL's GTIDs. Mutable by `add` and `update`; equal by content."""

    __slots__ = ("_intervals",)

    def __init__(self) -> None:
        self._intervals: dict[tuple[str, str], list[tuple[int, int]]] = {}  # half-open, ascending, apart

    @classmethod
    def parse(cls, text: str) -> GtidSet:
        """Read ``uuid:1-5:7, uuid:tag:1``; `InvalidError` for anything else."""
        result = cls()
        for part in text.split(","):
            if part.strip():
                result._parse_source(part.strip(), text)
        return result

    def _parse_source(self, part: str, text: str) -> None:
        first, *pieces = (piece.strip() for piece in part.split(":"))
        try:
            source = str(uuid.UUID(first))
        except ValueError:
            raise _invalid(text) from None
        if not pieces or len(first) not in (32, 36):
            raise _invalid(text)
        tag = ""
        for piece in pieces:
            if _TAG.fullmatch(piece.lower()):
                tag = piece.lower()
                continue
            found = _INTERVAL.fullmatch(piece)
            if found is None:
                raise _invalid(text)
            low, high = int(found[1]), int(found[2] or found[1])
            if not 1 <= low <= _MAX_GNO or high > _MAX_GNO:
                raise _invalid(text)
            if low <= high:
                self._put(source, tag, low, high + 1)

    @classmethod
    def decode(cls, data: bytes | memoryview) -> GtidSet:
        """Read the binary form of PREVIOUS_GTIDS; `WireError` for anything else."""
        cursor = Cursor(data)
        head = cursor.integer(8)
        tagged = head >> 56 == _TAGGED_FORMAT
        if head >> 56 > _TAGGED_FORMAT:
            raise WireError("a set of GTIDs is in a format that is not known")
        result = cls()
        for _ in range(head >> 8 & (1 << 48) - 1 if tagged else head):
            source = str(uuid.UUID(bytes=cursor.take(16)))
            tag = read_tag(cursor) if tagged else ""
            for _ in range(cursor.integer(8)):
                low, high = cursor.integer(8), cursor.integer(8)
                if not 1 <= low < high <= _MAX_GNO + 1:
                    raise WireError("a set of GTIDs holds an interval that does not exist")
                result._put(source, tag, low, high)
        if cursor.left:
            raise WireError("a set of GTIDs has bytes after its end")
        return result

    def encode(self) -> bytes:
        """The binary form that COM_BINLOG_DUMP_GTID takes; with tags only if there are some (MySQL 8.3 and later)."""
        tagged = any(tag for _, tag in self._intervals)
        count = len(self._intervals)
        parts = [(count << 8 | _TAGGED_FORMAT << 56 | _TAGGED_FORMAT if tagged else count).to_bytes(8, "little")]
        for (source, tag), intervals in sorted(self._intervals.items()):
            parts.append(uuid.UUID(source).bytes)
            if tagged:
                parts.append(write_varlen(len(tag)) + tag.encode())
            parts.append(len(intervals).to_bytes(8, "little"))
            parts += [low.to_bytes(8, "little") + high.to_bytes(8, "little") for low, high in intervals]
        return b"".join(parts)

    def _put(self, source: str, tag: str, low: int, high: int) -> None:
        intervals = self._intervals.setdefault((source, tag), [])
        if intervals and intervals[-1][1] == low:  # by far the most frequent
            intervals[-1] = (intervals[-1][0], high)
            return
        first = bisect_left(intervals, low, key=lambda interval: interval[1])
        last = first
        while last < len(intervals) and intervals[last][0] <= high:
            low, high = min(low, intervals[last][0]), max(high, intervals[last][1])
            last += 1
        intervals[first:last] = [(low, high)]

    def add(self, gtid: Gtid) -> None:
        """Put one in."""
        self._put(gtid.source, gtid.tag, gtid.number, gtid.number + 1)

    def update(self, other: GtidSet) -> None:
        """Put all of another set in."""
        for (source, tag), intervals in other._intervals.items():
            for low, high in intervals:
                self._put(source, tag, low, high)

    def copy(self) -> GtidSet:
        """A set of its own."""
        result = GtidSet()
        result._intervals = {key: list(intervals) for key, intervals in self._intervals.items()}
        return result

    def __contains__(self, gtid: object) -> bool:
        """Whether one is in."""
        if not isinstance(gtid, Gtid):
            return False
        return self._covers((gtid.source, gtid.tag), gtid.number, gtid.number + 1)

    def _covers(self, key: tuple[str, str], low: int, high: int) -> bool:
        intervals = self._intervals.get(key, [])
        at = bisect_left(intervals, low + 1, key=lambda interval: interval[1])
        return at < len(intervals) and intervals[at][0] <= low and high <= intervals[at][1]

    def contains(self, other: GtidSet) -> bool:
        """Whether all of another set is in."""
        return all(
            self._covers(key, low, high) for key, intervals in other._intervals.items() for low, high in intervals
        )

    def sources(self) -> set[str]:
        """The servers that have transactions in it."""
        return {source for source, _ in self._intervals}

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GtidSet) and self._intervals == other._intervals

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        """As the server writes it: sources and tags in order, an untagged one first."""
        by_source: dict[str, list[str]] = {}
        for (source, tag), intervals in sorted(self._intervals.items()):
            pieces = by_source.setdefault(source, [])
            pieces += [tag] if tag else []
            pieces += [f"{low}-{high - 1}" if high - low > 1 else str(low) for low, high in intervals]
        return ",".join(":".join([source, *pieces]) for source, pieces in by_source.items())

    __repr__ = __str__


def read_tag(cursor: Cursor) -> str:
    """A tag behind its length; empty is none."""
    name = cursor.take(cursor.varlen()).decode("ascii", "replace")
    if name and not _TAG.fullmatch(name):
        raise WireError("a GTID has a tag that does not exist")
    return name


class MariadbGtid(NamedTuple):
    """One event group of MariaDB: ``domain-server-sequence``."""

    domain: int
    server_id: int
    sequence: int

    def __str__(self) -> str:
        """As the server writes it."""
        return f"{self.domain}-{self.server_id}-{self.sequence}"


class MariadbPosition:
    """The last GTID of each domain: where a replica is. Mutable by `add`; equal by content."""

    __slots__ = ("_last",)

    def __init__(self, gtids: Iterable[MariadbGtid] = ()) -> None:
        self._last: dict[int, MariadbGtid] = {}
        for gtid in gtids:
            self.add(gtid)

    @classmethod
    def parse(cls, text: str) -> MariadbPosition:
        """Read ``0-1-100,1-2-30``; `InvalidError` for anything else, and for two of one domain."""
        result = cls()
        for part in filter(None, (part.strip() for part in text.split(","))):
            found = _MARIADB.fullmatch(part)
            if found is None:
                raise _invalid(text)
            gtid = MariadbGtid(int(found[1]), int(found[2]), int(found[3]))
            if gtid.domain in result._last or max(gtid.domain, gtid.server_id) >> 32 or gtid.sequence >> 64:
                raise _invalid(text)
            result.add(gtid)
        return result

    def add(self, gtid: MariadbGtid) -> None:
        """The domain is at this one now."""
        self._last[gtid.domain] = gtid

    def copy(self) -> MariadbPosition:
        """A position of its own."""
        return MariadbPosition(self._last.values())

    def get(self, domain: int) -> MariadbGtid | None:
        """Where a domain is."""
        return self._last.get(domain)

    def __contains__(self, gtid: object) -> bool:
        """Whether the domain is at this one or further on; sequence numbers of a domain ascend."""
        if not isinstance(gtid, MariadbGtid):
            return False
        last = self._last.get(gtid.domain)
        return last is not None and last.sequence >= gtid.sequence

    def contains(self, other: MariadbPosition) -> bool:
        """Whether this is as far as another position in each of its domains."""
        return all(gtid in self for gtid in other)

    def __iter__(self) -> Iterator[MariadbGtid]:
        return iter(sorted(self._last.values()))

    def __bool__(self) -> bool:
        return bool(self._last)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MariadbPosition) and self._last == other._last

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        """As the server takes it in ``@slave_connect_state``."""
        return ",".join(str(gtid) for gtid in self)

    __repr__ = __str__
