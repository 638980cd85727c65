"""What a segment's changes of one table come to, so that they can be applied by sets instead of one by one.

Applying a `Net` (deletes, then updates and partials, then inserts) leaves the table as the events do one by one, where
one event does this: an INSERT or an UPDATE that has all cells puts its row at its key, in place of what is there (an
UPDATE takes away the row at its old key first); an UPDATE that lacks cells changes the row at its old key, if there is
one; a DELETE takes it away, if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.model.cells import batch_of
from mainstem.model.change import Op, RowChanges
from mainstem.native.compact import compact, tally
from mainstem.native.memory import Block

_FEW = 1000
_KINDS = [pa.scalar(op, pa.uint8()) for op in (Op.INSERT, Op.UPDATE, Op.DELETE)]


@dataclass(frozen=True, slots=True)
class Partial:
    """Rows of which only some columns are known.

    Attributes:
        columns: indexes of the known ones among the plan's, ascending; those of the key are always in it.
        rows: these columns.
    """

    columns: tuple[int, ...]
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Net:
    """What changes of one table come to. Each key is in one of the attributes only.

    Attributes:
        inserts: whole rows that were not there before, by the events' own evidence.
        updates: whole rows that were there. One that the target lacks is put in.
        partials: of rows that were there, what is known. One that the target lacks stays away.
        deletes: the keys, in the key's order, of rows that were there.
        vanished: the keys of rows that came and went. A target whose copy may be newer than the events
            (`StreamTable.until`) may have them.
        moves: UPDATEs that changed the key: their old row is in ``deletes``, the new one in ``inserts`` or ``updates``.
    """

    inserts: pa.RecordBatch
    updates: pa.RecordBatch
    partials: tuple[Partial, ...]
    deletes: pa.RecordBatch
    vanished: pa.RecordBatch
    moves: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What changes of a table without a key come to: equal rows cannot be told apart, only counted.

    Attributes:
        added: rows of which there are more, each as often as there are more of it.
        removed: different rows of which there are fewer; ``counts`` (int32) says by how many.
    """

    added: pa.RecordBatch
    removed: pa.RecordBatch
    counts: pa.Int32Array


def net(changes: RowChanges, key: Sequence[int], *, distinct: bool = False) -> Net | None:
    """What the events come to for each key, or None when only the events one by one will do.

    Keys are compared by their cells' bytes. Keys that a system takes to be equal although their bytes differ (``1.0``
    and ``1.00``, ``a`` and ``A``) do no harm where the old one is deleted before the new one is put in.

    Args:
        key: indexes of the key's columns among the plan's, in the key's order (`TablePlan.identity`).
        distinct: have several INSERTs of one key made one, too; else INSERTs alone are handed on as they are.
    """
    changes = filled(changes, key)
    if not distinct and not changes.absent and only_inserts(changes):
        empty = changes.after.slice(0, 0)
        keys = _chosen(empty, key)
        return Net(changes.after, empty, (), keys, keys)
    after = _chosen(changes.after, key)
    before = changes.before if changes.before is not None else after
    masked = sorted(changes.absent)
    absent = [(_data(changes.absent[column]), changes.absent[column].offset) for column in masked]
    found = compact(_data(changes.ops), changes.ops.offset, changes.count, _columns(before), _columns(after), absent)
    if found is None:
        return None
    inserts, updates, partials, deletes, vanished, moves = found
    return Net(
        _rows(changes.after, masked, *inserts),
        _rows(changes.after, masked, *updates),
        tuple(_partial(changes.after, masked, *partial) for partial in partials),
        before.take(_numbers(deletes)),
        after.take(_numbers(vanished)),
        moves,
    )


def count_rows(changes: RowChanges) -> Tally:
    """What the events of a table without a key come to; ``before`` must hold all columns."""
    changes = filled(changes, range(changes.after.num_columns))
    if changes.before is None or only_inserts(changes):
        none = changes.after.slice(0, 0)
        return Tally(changes.after, none, pa.array([], pa.int32()))
    after = _columns(changes.after)
    found = tally(_data(changes.ops), changes.ops.offset, changes.count, _columns(changes.before), after)
    (added, more), (removed, fewer) = found
    both = _stacked(changes.before, changes.after)
    repeated = _repeated(_numbers(added), _numbers(more))
    return Tally(both.take(repeated), both.take(_numbers(removed)), _numbers(fewer))


def only_inserts(changes: RowChanges) -> bool:
    """Whether no event is anything else."""
    return pc.all(pc.equal(changes.ops, _KINDS[0])).as_py() is not False


def moves(changes: RowChanges, key: Sequence[int]) -> bool:
    """Whether an UPDATE changes the key; its cells must be there, as of `filled`."""
    if changes.before is None:
        return False
    updates = pc.equal(changes.ops, _KINDS[1])
    pairs = zip(changes.before.columns, (changes.after.column(column) for column in key), strict=True)
    return any(pc.any(pc.and_(updates, pc.not_equal(old, new))).as_py() for old, new in pairs)


def filled(changes: RowChanges, key: Sequence[int]) -> RowChanges:
    """The same with cells of the key that the log does not hold after an UPDATE taken from before it."""
    if changes.before is None or not any(column in changes.absent for column in key):
        return changes
    columns, absent = list(changes.after.columns), dict(changes.absent)
    for place, column in enumerate(key):
        lacking = absent.pop(column, None)
        if lacking is not None:
            columns[column] = pc.if_else(lacking, changes.before.column(place), columns[column])
    return replace(changes, after=batch_of(columns), absent=absent)


def soften(changes: RowChanges, key: Sequence[int] | None, at: bytes) -> RowChanges:
    """The same for a target that keeps deleted rows: one more column says when, and a DELETE is an UPDATE of it alone.

    Args:
        key: as of `net`; None where the table has none: then ``before`` gets the column too, whose NULL tells a row
            that is not deleted yet from its likes.
        at: the time for rows that are deleted, as a text cell; others have NULL.
    """
    gone = pc.equal(changes.ops, _KINDS[2])
    columns, absent = list(changes.after.columns), dict(changes.absent)
    columns.append(pc.if_else(gone, pa.scalar(at, pa.binary()), pa.scalar(None, pa.binary())))
    before = changes.before
    if before is not None:
        shown = range(changes.after.num_columns) if key is None else key
        for place, column in enumerate(shown):
            columns[column] = pc.if_else(gone, before.column(place), columns[column])
        if key is None:
            before = batch_of([*before.columns, pa.nulls(changes.count, pa.binary())])
        for column in set(range(changes.after.num_columns)) - set(shown):
            lacking = absent.get(column)
            absent[column] = gone if lacking is None else pc.or_(lacking, gone)
    ops = pc.if_else(gone, _KINDS[1], changes.ops)
    return replace(changes, ops=ops, after=batch_of(columns), before=before, absent=absent)


def _data(array: pa.Array[Any]) -> Any:
    return array.buffers()[1]


def _columns(rows: pa.RecordBatch) -> list[tuple[Any, Any, Any, int]]:
    columns = []
    for array in rows.columns:
        validity, offsets, data = array.buffers()
        columns.append((validity, offsets, data, array.offset))
    return columns


def _numbers(block: Block) -> pa.Int32Array:
    numbers: Any = pa.Array.from_buffers(pa.int32(), len(block) // 4, [None, pa.py_buffer(block)])
    return numbers  # type: ignore[no-any-return]


def _repeated(numbers: pa.Int32Array, times: pa.Int32Array) -> pa.Int32Array:
    if not len(times) or pc.max(times).as_py() == 1:
        return numbers
    pairs = zip(numbers.to_pylist(), times.to_pylist(), strict=True)
    return pa.array([number for number, count in pairs for _ in range(count or 0)], pa.int32())


def _stacked(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    return batch_of([pa.concat_arrays(pair) for pair in zip(first.columns, second.columns, strict=True)])


def _chosen(rows: pa.RecordBatch, columns: Sequence[int]) -> pa.RecordBatch:
    return batch_of([rows.column(column) for column in columns])


def _rows(after: pa.RecordBatch, masked: Sequence[int], events: Block, takes: list[Block]) -> pa.RecordBatch:
    chosen = _numbers(events)
    if not masked or not len(chosen):
        return _taken(after, chosen)
    columns = list(after.columns)
    own = {column: _numbers(take) for column, take in zip(masked, takes, strict=True)}
    return batch_of([array.take(own.get(column, chosen)) for column, array in enumerate(columns)])


def _taken(rows: pa.RecordBatch, events: pa.Int32Array) -> pa.RecordBatch:
    """These rows; few of them, which may be large, are not copied without need."""
    if len(events) == rows.num_rows <= _FEW and events.to_pylist() == list(range(len(events))):
        return rows
    return rows.take(events)


def _partial(
    after: pa.RecordBatch, masked: Sequence[int], mask: list[bool], events: Block, takes: list[Block]
) -> Partial:
    lacking = {column for column, absent in zip(masked, mask, strict=True) if absent}
    known = tuple(column for column in range(after.num_columns) if column not in lacking)
    own = {column: _numbers(take) for column, take in zip(masked, takes, strict=True)}
    chosen = _numbers(events)
    return Partial(known, batch_of([after.column(column).take(own.get(column, chosen)) for column in known]))
