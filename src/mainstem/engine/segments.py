"""Changes of several groups as one: joined by table, filtered by operation, halved. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.errors import MainstemError
from mainstem.model.change import Op, RowChanges, Truncate
from mainstem.model.names import TableId
from mainstem.model.run import ChangeOptions

Changes = tuple[RowChanges, ...]
"""Of different tables, ordered among each other by ``seqs``: what `Applier.apply` takes."""

_ROW_OPERATIONS = {"insert": Op.INSERT, "update": Op.UPDATE, "delete": Op.DELETE}


def count(changes: Iterable[RowChanges]) -> int:
    """Events."""
    return sum(part.count for part in changes)


def join(runs: Sequence[Sequence[RowChanges]]) -> Changes:
    """Neighbouring runs of changes as one, numbered anew where there are several.

    Args:
        runs: each as in a `ChangeGroup`: of different tables, with ``seqs`` of their own.
    """
    if len(runs) == 1:
        return tuple(runs[0])
    found: dict[TableId, list[RowChanges]] = {}
    base = 0
    for run in runs:
        for part in run:
            found.setdefault(part.table, []).append(_shifted(part, base))
        base += 1 + max((part.seqs[-1].as_py() for part in run if part.count), default=0)
    return tuple(_concatenated(parts) for parts in found.values())


def _shifted(part: RowChanges, base: int) -> RowChanges:
    seqs = pc.add(part.seqs, pa.scalar(base, pa.int64()))
    return RowChanges(part.table, part.ops, seqs, part.after, part.before, part.absent, part.size_bytes)


def _concatenated(parts: list[RowChanges]) -> RowChanges:
    if len(parts) == 1:
        return parts[0]
    known = next((part.before for part in parts if part.before is not None), None)
    before = None
    if known is not None:
        empty = known.schema
        before = _rows([_nulls(empty, part.count) if part.before is None else part.before for part in parts])
    absent: Mapping[int, pa.BooleanArray] = {
        column: pa.concat_arrays([_absence(part, column) for part in parts])
        for column in sorted({column for part in parts for column in part.absent})
    }
    return RowChanges(
        parts[0].table,
        pa.concat_arrays([part.ops for part in parts]),
        pa.concat_arrays([part.seqs for part in parts]),
        _rows([part.after for part in parts]),
        before,
        absent,
        sum(part.size_bytes for part in parts),
    )


def _rows(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    columns = [pa.concat_arrays([batch.column(n) for batch in batches]) for n in range(batches[0].num_columns)]
    return pa.RecordBatch.from_arrays(columns, schema=batches[0].schema)


def _nulls(schema: pa.Schema, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(rows, field.type) for field in schema], schema=schema)


def _absence(part: RowChanges, column: int) -> pa.BooleanArray:
    known = part.absent.get(column)
    return pa.array([False] * part.count, pa.bool_()) if known is None else known


def halves(changes: Changes) -> tuple[Changes, Changes]:
    """The earlier and the later half of at least two events."""
    seqs: dict[TableId, list[Any]] = {part.table: part.seqs.to_pylist() for part in changes}
    every = sorted(seq for known in seqs.values() for seq in known)
    return cut_at(changes, every[len(every) // 2])


def cut_at(changes: Changes, seq: int) -> tuple[Changes, Changes]:
    """The events before a number, and the others."""
    cuts = [(part, bisect_left(part.seqs.to_pylist(), seq)) for part in changes]  # type: ignore[type-var]
    first = tuple(part.slice(0, cut) for part, cut in cuts if cut)
    return first, tuple(part.slice(cut, part.count - cut) for part, cut in cuts if cut < part.count)


def apply_in_halves(
    changes: Changes,
    apply: Callable[[Changes], None],
    refused: Callable[[RowChanges, MainstemError], None],
    errors: tuple[type[MainstemError], ...],
) -> None:
    """Apply all that can be applied, in order; the single events that cannot are told of at their place.

    Args:
        apply: all or nothing; may leave out what is not wanted any more.
        errors: of ``apply``, that say something about the changes; any other ends the work. One that names the event
            (``where["seq"]``) saves the search for it.
    """
    waiting = [changes]
    while waiting:
        part = waiting.pop()
        try:
            apply(part)
        except errors as exc:
            if count(part) == 1:
                refused(part[0], exc)
            else:
                waiting += reversed(_parts(part, exc.where.get("seq")))


def _parts(changes: Changes, culprit: object) -> list[Changes]:
    """What to try instead of changes that were refused: halves, or the culprit by itself and what is around it."""
    if isinstance(culprit, int):
        before, rest = cut_at(changes, culprit)
        at, after = cut_at(rest, culprit + 1)
        if count(at) == 1:
            return [part for part in (before, at, after) if part]
    return list(halves(changes))


class Operations:
    """Which operations are wanted, of the stream or of one table.

    Args:
        options: see `ChangeOptions.operations` and ``table_operations``.
    """

    def __init__(self, options: ChangeOptions) -> None:
        self._all = frozenset(options.operations)
        self._tables = {name: frozenset(names) for name, names in options.table_operations.items()}

    def of(self, table: TableId) -> frozenset[str]:
        """Those of a table; its full name goes before the short one."""
        return self._tables.get(str(table), self._tables.get(table.name, self._all))

    def wanted(self, changes: RowChanges) -> RowChanges | None:
        """The events that are wanted; None if there are none."""
        allowed = self.of(changes.table)
        left_out = [op for name, op in _ROW_OPERATIONS.items() if name not in allowed]
        if not left_out:
            return changes
        mask = pc.invert(pc.is_in(changes.ops, pa.array(left_out, pa.uint8())))
        kept = mask.true_count
        if kept == changes.count:
            return changes
        return _filtered(changes, mask, kept) if kept else None

    def wanted_truncate(self, part: Truncate) -> Truncate | None:
        """The same for TRUNCATE."""
        tables = tuple(table for table in part.tables if "truncate" in self.of(table))
        return Truncate(tables, part.restart_identity) if tables else None


def _filtered(changes: RowChanges, mask: pa.BooleanArray, kept: int) -> RowChanges:
    return RowChanges(
        changes.table,
        changes.ops.filter(mask),
        changes.seqs.filter(mask),
        changes.after.filter(mask),
        None if changes.before is None else changes.before.filter(mask),
        {column: array.filter(mask) for column, array in changes.absent.items()},
        changes.size_bytes * kept // changes.count,
    )


def tally(changes: RowChanges) -> dict[Op, int]:
    """How many events of each kind there are."""
    if changes.before is None:
        return {Op.INSERT: changes.count}
    values, counts = pc.value_counts(changes.ops).flatten()
    numbers: list[tuple[Any, Any]] = list(zip(values.to_pylist(), counts.to_pylist(), strict=True))
    return {Op(value): number for value, number in numbers}
