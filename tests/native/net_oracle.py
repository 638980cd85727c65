"""What change events do to a table, one by one, in plain Python; and what a net of them does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from mainstem.model.change import Op, RowChanges
from mainstem.model.names import TableId
from mainstem.model.net import Net, Tally

Cell = bytes | None
Row = tuple[Cell, ...]
Table = dict[Row, Row]
_TABLE = TableId("public", "t")


@dataclass(frozen=True)
class Event:
    """``before`` is the identity, ``absent`` the columns of ``after`` that the log does not hold."""

    op: Op
    before: Row | None = None
    after: Row | None = None
    absent: frozenset[int] = frozenset()


def key_of(row: Row, key: Sequence[int]) -> Row:
    """A row's key."""
    return tuple(row[column] for column in key)


def batch(rows: Sequence[Row], width: int) -> pa.RecordBatch:
    """Rows as columns of cells."""
    columns = [pa.array([row[number] for row in rows], pa.binary()) for number in range(width)]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{number}" for number in range(width)])


def rows_of(rows: pa.RecordBatch) -> list[Row]:
    """And back."""
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def changes_of(
    events: Sequence[Event], width: int, key: Sequence[int], table: TableId = _TABLE, first: int = 0
) -> RowChanges:
    """Events as a `RowChanges`; numbered from ``first`` on."""
    none: Row = (None,) * width
    after = [
        tuple(None if column in event.absent else cell for column, cell in enumerate(event.after or none))
        for event in events
    ]
    before = [event.before or (None,) * len(key) for event in events]
    lacking = sorted({column for event in events for column in event.absent})
    return RowChanges(
        table,
        pa.array([event.op for event in events], pa.uint8()),
        pa.array(range(first, first + len(events)), pa.int64()),
        batch(after, width),
        None if all(event.op is Op.INSERT for event in events) else batch(before, len(key)),
        {column: pa.array([column in event.absent for event in events], pa.bool_()) for column in lacking},
        sum(len(cell or b"") for row in after for cell in row),
    )


def apply_one(table: Table, event: Event, key: Sequence[int]) -> None:
    """As `model.net` says."""
    if event.op is Op.DELETE:
        assert event.before is not None
        table.pop(event.before, None)
        return
    assert event.after is not None
    after = event.after
    if event.op is Op.UPDATE:
        assert event.before is not None
        old = table.pop(event.before, None)
        if event.absent - set(key) and old is None:
            return
        if event.absent:
            known = dict(enumerate(old or ())) | dict(zip(key, event.before, strict=True))
            after = tuple(known[column] if column in event.absent else cell for column, cell in enumerate(after))
    table[key_of(after, key)] = after


def apply_net(table: Table, net: Net, key: Sequence[int]) -> None:
    """Deletes, updates, partials, inserts. What came and went may have been there all along, against the evidence."""
    for gone in [*rows_of(net.deletes), *rows_of(net.vanished)]:
        table.pop(gone, None)
    for row in rows_of(net.updates):
        table[key_of(row, key)] = row
    for partial in net.partials:
        for cells in rows_of(partial.rows):
            known = dict(zip(partial.columns, cells, strict=True))
            old = table.get(tuple(known[column] for column in key))
            if old is not None:
                row = tuple(known.get(column, cell) for column, cell in enumerate(old))
                table[key_of(row, key)] = row
    for row in rows_of(net.inserts):
        table[key_of(row, key)] = row


def apply_bag(rows: Counter[Row], events: Sequence[Event]) -> None:
    """Events of a table without a key: rows that are equal are only counted."""
    for event in events:
        if event.before is not None:
            rows[event.before] -= 1
        if event.after is not None:
            rows[event.after] += 1


def apply_tally(rows: Counter[Row], tally: Tally) -> None:
    """What `count_rows` says."""
    rows.update(rows_of(tally.added))
    for row, count in zip(rows_of(tally.removed), tally.counts.to_pylist(), strict=True):
        assert count is not None
        rows[row] -= count
