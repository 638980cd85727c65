"""One table of a stream as a target knows it, and its changes made ready to be applied."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import psycopg
import pyarrow as pa

from mainstem.connectors.postgres.copyin import CopyIn
from mainstem.connectors.postgres.encode import BatchEncoder
from mainstem.connectors.postgres.fields import Fields, binary_fields, text_fields
from mainstem.connectors.postgres.sets import Statements
from mainstem.connectors.postgres.shape import Shape
from mainstem.connectors.postgres.splice import encoded, pieces
from mainstem.errors import RowError
from mainstem.model.change import RowChanges
from mainstem.model.net import filled, soften
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions
from mainstem.model.stream import StreamTable
from mainstem.model.types import Kind, LogicalType

_SOFT = LogicalType(Kind.INSTANT, fraction=6)


class TargetTable:
    """A table with its statements and encoders, which are made once for each plan of it."""

    def __init__(self, plan: TablePlan, shape: Shape, number: int, options: RunOptions) -> None:
        self.source_plan = plan
        self.soft = options.changes.soft_delete
        if self.soft:
            plan = replace(plan, columns=(*plan.columns, ColumnPlan(self.soft, self.soft, _SOFT, "timestamptz")))
        if shape.others:
            types = {column: shape.others.get(column.target, column.target_type) for column in plan.columns}
            plan = replace(plan, columns=tuple(replace(column, target_type=types[column]) for column in plan.columns))
        self.plan = plan
        self.statements = Statements(plan, shape, number)
        self._options = options
        self._encoders: dict[tuple[int, ...], BatchEncoder] = {}

    @property
    def every(self) -> tuple[int, ...]:
        """Indexes of all columns."""
        return tuple(range(len(self.plan.columns)))

    def ready(self, changes: RowChanges, deleted_at: bytes) -> RowChanges:
        """The changes with all cells of keys, and with the column for soft deletes."""
        plan = self.source_plan
        changes = filled(changes, plan.identity)
        return soften(changes, plan.identity if plan.keyed else None, deleted_at) if self.soft else changes

    def copy(
        self, connection: psycopg.Connection[Any], into: str, columns: tuple[int, ...], rows: pa.RecordBatch
    ) -> None:
        """COPY rows of some columns. Raises `RowError` and the driver's errors."""
        encoder = self._encoder(columns)
        payloads = pieces(encoder, rows)
        first = next(payloads, b"")  # what is refused is mostly noticed before the COPY begins
        copy = CopyIn(connection, self.statements.copy(into, columns, binary=encoder.binary), binary=encoder.binary)
        try:
            for payload in chain([first], payloads):
                copy.write(payload)
        except RowError:
            copy.abandon()
            raise
        copy.finish()

    def fields(self, columns: tuple[int, ...], rows: pa.RecordBatch) -> tuple[list[Fields], int]:
        """Rows of some columns as parameters, and their format. Raises `RowError`."""
        encoder = self._encoder(columns)
        payload = encoded(encoder, rows, 0, rows.num_rows)
        return (binary_fields(payload, len(columns)), 1) if encoder.binary else (text_fields(payload), 0)

    def take_coerced(self) -> dict[str, int]:
        """Values that a policy has changed since the last call; those of keys alone are told of once."""
        total: dict[str, int] = {}
        for columns, encoder in self._encoders.items():
            for what, count in encoder.take_coerced().items():
                if columns != self.plan.identity or len(columns) == len(self.plan.columns):
                    total[what] = total.get(what, 0) + count
        return total

    def _encoder(self, columns: tuple[int, ...]) -> BatchEncoder:
        found = self._encoders.get(columns)
        if found is None:
            part = replace(self.plan, columns=tuple(self.plan.columns[column] for column in columns))
            found = self._encoders[columns] = BatchEncoder(part, self._options)
        return found


@dataclass(frozen=True, slots=True)
class Work:
    """A table's part of a segment."""

    target: TargetTable
    table: StreamTable
    changes: RowChanges

    @property
    def plan(self) -> TablePlan:
        """With the column for soft deletes."""
        return self.target.plan


def chosen(rows: pa.RecordBatch, columns: Sequence[int]) -> pa.RecordBatch:
    """Some columns."""
    return rows.select([rows.schema.names[column] for column in columns])


def halves(works: Sequence[Work]) -> tuple[list[Work], list[Work]]:
    """The earlier and the later half of at least two events."""
    seqs: list[list[Any]] = [work.changes.seqs.to_pylist() for work in works]
    every = sorted(seq for own in seqs for seq in own)
    pivot = every[len(every) // 2]
    first, second = [], []
    for work, own in zip(works, seqs, strict=True):
        changes, cut = work.changes, bisect_left(own, pivot)
        if cut:
            first.append(replace(work, changes=changes.slice(0, cut)))
        if cut < changes.count:
            second.append(replace(work, changes=changes.slice(cut, changes.count - cut)))
    return first, second
