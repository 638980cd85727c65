"""What was decoded and not handed on yet: whole transactions, and the beginning of one."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Protocol

import pyarrow as pa

from mainstem.model.cells import batch_of
from mainstem.model.change import Part, RowChanges, Truncate
from mainstem.model.names import TableId
from mainstem.native.changerows import ChangeRows
from mainstem.native.memory import Block
from mainstem.native.pgoutput import LogDecoder


class HasRows(Protocol):
    """Who knows where the rows of each table are decoded to."""

    def gathered(self) -> Iterable[tuple[TableId, ChangeRows]]:
        """Each with its table."""
        ...


class Gathered:
    """The parts of the next group. For one thread at a time."""

    def __init__(self, decoder: LogDecoder, tables: HasRows) -> None:
        self._decoder = decoder
        self._tables = tables
        self._parts: list[tuple[int, Part]] = []
        self._handed: set[TableId] = set()  # of the transaction under way
        self._since: float | None = None

    @property
    def whole(self) -> bool:
        """Whether there is a transaction to hand on; behind the last one of them nothing may be decoded yet."""
        found = self._decoder.transactions > 0
        if found and self._since is None:
            self._since = time.monotonic()
        return found

    @property
    def since(self) -> float:
        """When `whole` first saw one."""
        return self._since or 0.0

    def add(self, part: Truncate) -> None:
        """Something stands between the rows."""
        self.collect()
        self._parts.append((self._decoder.number(), part))

    def collect(self) -> None:
        """Take the rows out of the decoder, as they are of a table's present form."""
        for table, rows in self._tables.gathered():
            if rows.rows:
                changes = _changes(table, rows)
                self._parts.append((changes.seqs[0].as_py(), changes))

    def take_whole(self) -> tuple[Part, ...]:
        """All that belongs to transactions that are whole; the rest stays."""
        self.collect()
        whole, rest = _split(self._parts, self._decoder.first_row if self._decoder.within else None)
        self._parts = rest
        self._since = None
        self._decoder.begin_group()
        if not self._decoder.within:
            self._handed.clear()
        return _ordered(whole)

    def take_piece(self) -> tuple[Part, ...]:
        """All; called when nothing of another transaction is left."""
        self.collect()
        parts = _ordered(self._parts)
        self._parts = []
        self._decoder.begin_group()
        self._handed |= {part.table for part in parts if isinstance(part, RowChanges)}
        return parts

    def touches(self, table: TableId) -> bool:
        """Whether the transaction under way has rows of a table, or a part of it was handed on."""
        _, current = _split(self._parts, self._decoder.first_row)
        return bool(self._handed) or any(
            isinstance(part, Truncate) or (isinstance(part, RowChanges) and part.table == table) for _, part in current
        )


def _ordered(parts: list[tuple[int, Part]]) -> tuple[Part, ...]:
    """One part for each table between two barriers."""
    found: list[Part] = []
    rows: dict[TableId, list[RowChanges]] = {}
    for _, part in parts:
        if isinstance(part, RowChanges):
            rows.setdefault(part.table, []).append(part)
        else:
            found += [*map(_joined, rows.values()), part]
            rows = {}
    return (*found, *map(_joined, rows.values()))


def _joined(changes: list[RowChanges]) -> RowChanges:
    """Events of one table as one, in their order."""
    if len(changes) == 1:
        return changes[0]
    first = changes[0]
    befores = [part.before for part in changes]
    pattern = next((before for before in befores if before is not None), None)
    absent = {column for part in changes for column in part.absent}
    return RowChanges(
        first.table,
        pa.concat_arrays([part.ops for part in changes]),
        pa.concat_arrays([part.seqs for part in changes]),
        _concatenated([part.after for part in changes]),
        None
        if pattern is None
        else _concatenated([part.before or _nulls(part.count, pattern.num_columns) for part in changes]),
        {
            column: pa.concat_arrays([part.absent.get(column, _present(part.count)) for part in changes])
            for column in sorted(absent)
        },
        sum(part.size_bytes for part in changes),
    )


def _concatenated(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    columns = [pa.concat_arrays(list(arrays)) for arrays in zip(*(batch.columns for batch in batches), strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=batches[0].schema.names)


def _nulls(count: int, columns: int) -> pa.RecordBatch:
    return batch_of([pa.nulls(count, pa.binary()) for _ in range(columns)])


def _present(count: int) -> pa.BooleanArray:
    return pa.array([False] * count, pa.bool_())


def _split(parts: list[tuple[int, Part]], number: int | None) -> tuple[list[tuple[int, Part]], list[tuple[int, Part]]]:
    """What comes before an event, and what comes from it on; None: all comes before."""
    if number is None:
        return parts, []
    before: list[tuple[int, Part]] = []
    behind: list[tuple[int, Part]] = []
    for first, part in parts:
        if not isinstance(part, RowChanges):
            (before if first < number else behind).append((first, part))
            continue
        seqs = memoryview(part.seqs.buffers()[1] or b"").cast("B").cast("q")
        offset = part.seqs.offset
        cut = bisect_left(seqs, number, offset, offset + part.count) - offset
        if cut:
            before.append((first, part.slice(0, cut) if cut < part.count else part))
        if cut < part.count:
            rest = part.slice(cut, part.count - cut) if cut else part
            behind.append((seqs[offset + cut], rest))
    return before, behind


def _changes(table: TableId, rows: ChangeRows) -> RowChanges:
    """Take the events out of a decoder's columns."""
    size_bytes = rows.size_bytes
    count, ops, seqs, after, before, absent = rows.take_changes()
    numbers: Any = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(seqs)])
    kinds: Any = pa.Array.from_buffers(pa.uint8(), count, [None, pa.py_buffer(ops)])
    missing: dict[int, Any] = {
        column: pa.Array.from_buffers(pa.bool_(), count, [None, pa.py_buffer(bits)]) for column, bits in absent.items()
    }
    batch = None if before is None else _batch(count, before)
    return RowChanges(table, kinds, numbers, _batch(count, after), batch, missing, size_bytes)


def _batch(count: int, columns: list[tuple[Block | None, Block, Block]]) -> pa.RecordBatch:
    arrays = [
        pa.Array.from_buffers(pa.binary(), count, [None if block is None else pa.py_buffer(block) for block in blocks])
        for blocks in columns
    ]
    return batch_of(arrays)
