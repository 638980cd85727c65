"""Changes of several tables in pieces: whatever order within a piece, the end is the same."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.model.change import RowChanges


@dataclass(frozen=True, slots=True)
class Segment:
    """Changes, one of each table. ``carries_out``: the target's foreign keys must change rows of other tables."""

    changes: tuple[RowChanges, ...]
    carries_out: bool = False


def segments(parts: Sequence[tuple[RowChanges, Sequence[bool] | None]]) -> Iterator[Segment]:
    """Cut where events that carry something out (marked, or None: none of them) and others follow each other.

    Such events of different tables are not put into one piece.
    """
    if all(marks is None for _, marks in parts):
        yield Segment(tuple(changes for changes, _ in parts))
        return
    seqs: list[list[int]] = [_numbers(changes) for changes, _ in parts]
    events = sorted(
        (seq, table if marks is not None and marks[number] else -1)
        for table, (_, marks) in enumerate(parts)
        for number, seq in enumerate(seqs[table])
    )
    start = 0
    for number in range(1, len(events) + 1):
        if number == len(events) or events[number][1] != events[start][1]:
            low, high = events[start][0], events[number - 1][0] + 1
            pieces = [_between(parts[table][0], seqs[table], low, high) for table in range(len(parts))]
            yield Segment(tuple(piece for piece in pieces if piece.count), events[start][1] >= 0)
            start = number


def _numbers(changes: RowChanges) -> list[int]:
    numbers: list[Any] = changes.seqs.to_pylist()
    return numbers


def _between(changes: RowChanges, seqs: Sequence[int], low: int, high: int) -> RowChanges:
    first, last = bisect_left(seqs, low), bisect_left(seqs, high)
    return changes.slice(first, last - first)
