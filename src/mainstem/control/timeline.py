"""A stream's throughput and lag over time, in bounded memory: the newest in full, the rest ever more coarsely.

Pure: whoever calls says what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mainstem.model.run import Progress

AMOUNTS = ("rows", "bytes", "inserts", "updates", "deletes")
"""What a point counts; `columns` tells it per second."""
_LEVELS = ("lag_s", "lag_bytes", "held_bytes")
"""What a point knows of its worst moment; None where nothing is known."""
_NONE = (None,) * len(_LEVELS)
_MOST_RECENT = 600


@dataclass(slots=True)
class Point:
    """What happened in some seconds.

    Attributes:
        at_s: when they ended, UTC seconds since 1970; ``seconds``: how many they are.
        amounts: in the order of `AMOUNTS`; ``levels``: in that of `_LEVELS`.
    """

    at_s: float
    seconds: float
    amounts: list[int]
    levels: list[float | None]

    def values(self) -> list[Any]:
        """Its attributes; each second, so without the copies of `dataclasses.asdict`."""
        return [self.at_s, self.seconds, list(self.amounts), list(self.levels)]

    def add(self, later: Point) -> None:
        """Have this one cover a later one too."""
        self.at_s, self.seconds = later.at_s, self.seconds + later.seconds
        self.amounts = [mine + other for mine, other in zip(self.amounts, later.amounts, strict=True)]
        self.levels = [_worse(mine, other) for mine, other in zip(self.levels, later.levels, strict=True)]


def _worse(first: float | None, second: float | None) -> float | None:
    known = [item for item in (first, second) if item is not None]
    return max(known, default=None)


def _copy(point: Point) -> Point:
    return Point(point.at_s, point.seconds, point.amounts, point.levels)


@dataclass(slots=True)
class Tier:
    """Points of about ``every_s`` seconds each, at most ``most`` of them.

    Attributes:
        whole: when there are too many, pairs become one and ``every_s`` doubles; else the oldest go.
    """

    every_s: float
    most: int
    whole: bool = False
    points: deque[Point] = field(default_factory=deque)

    def add(self, point: Point) -> None:
        """Take a point."""
        last = self.points[-1] if self.points else None
        gap_s = point.at_s - point.seconds - last.at_s if last is not None else 0.0
        if last is not None and last.seconds + point.seconds <= self.every_s * 1.05 and gap_s < self.every_s:
            last.add(point)
            return
        self.points.append(_copy(point))
        if len(self.points) > self.most:
            if self.whole:
                self._halve()
            else:
                self.points.popleft()

    def _halve(self) -> None:
        self.every_s *= 2
        points, self.points = self.points, deque()
        for point in points:
            self.add(point)


class Timeline:
    """The course of one stream: 10 minutes by the second, 3 hours by ten of them, and all of it."""

    def __init__(self) -> None:
        self._tiers = {"minutes": Tier(1, 600), "hours": Tier(10, 1080), "all": Tier(1, 1000, whole=True)}
        self._before: tuple[float, list[int]] | None = None
        self._recent: deque[Point] = deque(maxlen=_MOST_RECENT)

    def add(self, at_s: float, progress: Progress) -> None:
        """Take a sample; the first one only says where counting begins."""
        counts, before = _counts(progress), self._before
        self._before = at_s, counts
        if before is None or at_s <= before[0]:
            return
        moved = [max(now - then, 0) for now, then in zip(counts, before[1], strict=True)]
        self._put(Point(at_s, at_s - before[0], moved, _levels(progress)))

    def _put(self, point: Point) -> None:
        self._recent.append(point)
        for tier in self._tiers.values():
            tier.add(point)

    def recent(self) -> list[list[Any]]:
        """The points since `settled`, in a form that the store can keep."""
        return [point.values() for point in self._recent]

    def settled(self, count: int) -> None:
        """So many of the oldest `recent` points are kept elsewhere."""
        for _ in range(min(count, len(self._recent))):
            self._recent.popleft()

    def columns(self, window: str, after_s: float = 0.0) -> dict[str, Any]:
        """The points of ``minutes``, ``hours`` or ``all`` as columns, oldest first; only later ones if asked for."""
        tier = self._tiers[window]
        points = [point for point in tier.points if point.at_s > after_s]
        return {
            "everySeconds": tier.every_s,
            "at": [round(point.at_s, 3) for point in points],
            **{name: _rates(points, place) for place, name in enumerate(AMOUNTS)},
            "lagSeconds": [_rounded(point.levels[0]) for point in points],
            "lagBytes": [point.levels[1] for point in points],
            "heldBytes": [point.levels[2] for point in points],
        }

    def to_json(self) -> dict[str, Any]:
        """A form that the store can keep."""
        return {
            name: {"every_s": tier.every_s, "points": [point.values() for point in tier.points]}
            for name, tier in self._tiers.items()
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], recent: Iterable[list[Any]] = ()) -> Timeline:
        """What `to_json` wrote, an empty dict being a timeline without points; then what `recent` gave later."""
        made = cls()
        for name, tier in made._tiers.items():
            if name in data:
                tier.every_s = data[name]["every_s"]
                tier.points.extend(Point(*values) for values in data[name]["points"])
        newest = max((tier.points[-1].at_s for tier in made._tiers.values() if tier.points), default=0.0)
        for point in (Point(*values) for values in recent):
            if point.at_s > newest:
                made._put(point)
        return made


WINDOWS = ("minutes", "hours", "all")


def _counts(progress: Progress) -> list[int]:
    tables = progress.tables
    sums = [sum(getattr(table, name) for table in tables) for name in AMOUNTS[2:]]
    return [progress.rows_read, progress.bytes_read, *sums]


def _levels(progress: Progress) -> list[float | None]:
    changes = progress.changes
    return list(_NONE) if changes is None else [changes.lag_s, changes.lag_bytes, changes.held_bytes]


def _rates(points: Iterable[Point], place: int) -> list[float]:
    return [round(point.amounts[place] / point.seconds, 2) for point in points]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
