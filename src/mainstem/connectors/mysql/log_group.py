"""Row changes that are gathered from the log until a group of them is handed on."""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol

import pyarrow as pa

from mainstem.model.change import RowChanges


class Taken(Protocol):
    """Where rows of one table are gathered."""

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    def take(self) -> RowChanges:
        """The rows gathered so far, as changes; the next begin anew."""
        ...


class Gathering:
    """What was read and not handed on: rows of many tables, numbered in the order of their events.

    Attributes:
        sequence: the number of the next row.
        size_bytes: of all cells that are gathered.
        rows: how many.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self.size_bytes = 0
        self.rows = 0
        self._open: dict[int, Taken] = {}

    def add(self, table: Taken, rows: int, size_bytes: int) -> None:
        """So many rows were appended to a table's."""
        self.sequence += rows
        self.rows += rows
        self.size_bytes += size_bytes
        self._open[id(table)] = table

    def take(self) -> list[RowChanges]:
        """All of it, a `RowChanges` for each table."""
        taken = [table.take() for table in self._open.values() if table.rows]
        self._open.clear()
        self.size_bytes = self.rows = 0
        return taken

    def split(self, sequence: int) -> tuple[list[RowChanges], list[RowChanges]]:
        """All of it: what came before a number, and what came from there on."""
        return divided(self.take(), sequence)


def divided(parts: list[RowChanges], sequence: int) -> tuple[list[RowChanges], list[RowChanges]]:
    """The events before a number, and those from there on."""
    before, after = [], []
    for changes in parts:
        count = changes.count
        at = _place(changes.seqs, sequence)
        if at:
            before.append(changes if at == count else changes.slice(0, at))
        if at < count:
            after.append(changes if at == 0 else changes.slice(at, count - at))
    return before, after


def _place(seqs: pa.Int64Array, sequence: int) -> int:
    """How many numbers are lower."""
    return bisect_left(range(len(seqs)), sequence, key=lambda index: seqs[index].as_py())
