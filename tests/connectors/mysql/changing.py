"""Change events made by hand, and a stream in a target that they are applied to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from mainstem.connectors.mysql.apply import MysqlApplier, MysqlChangeTarget
from mainstem.model.change import Op, RowChanges
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import ChangeOptions, RunOptions, TableState
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable
from tests.connectors.mysql.rows import Cell

STREAM = "a-stream"


class Absent:
    """A cell that the log does not hold."""


ABSENT = Absent()


@dataclass(frozen=True)
class Event:
    """What happened to a row; ``before`` is the row's identity."""

    op: Op
    after: tuple[Cell | Absent, ...] = ()
    before: tuple[Cell, ...] = ()


def inserted(*row: Cell) -> Event:
    return Event(Op.INSERT, row)


def updated(before: Sequence[Cell], *row: Cell | Absent) -> Event:
    return Event(Op.UPDATE, row, tuple(before))


def deleted(*before: Cell) -> Event:
    return Event(Op.DELETE, (), before)


def changes_of(plan: TablePlan, *events: Event, seqs: Sequence[int] | None = None) -> RowChanges:
    """The events as a stream hands them on."""
    width, identity = len(plan.columns), len(plan.identity)
    after = [event.after or (None,) * width for event in events]
    before = [event.before or (None,) * identity for event in events]
    cells = [[None if isinstance(row[column], Absent) else row[column] for row in after] for column in range(width)]
    absent = {
        column: pa.array([isinstance(row[column], Absent) for row in after])
        for column in range(width)
        if any(isinstance(row[column], Absent) for row in after)
    }
    inserts = all(event.op is Op.INSERT for event in events)
    return RowChanges(
        plan.source,
        pa.array([int(event.op) for event in events], pa.uint8()),
        pa.array(seqs if seqs is not None else range(len(events)), pa.int64()),
        _batch(cells),
        None if inserts else _batch([[row[column] for row in before] for column in range(identity)]),
        absent,
    )


def _batch(columns: Sequence[Sequence[object]]) -> pa.RecordBatch:
    arrays = [pa.array(column, pa.binary()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])


def streamed(plan: TablePlan, **fields: object) -> StreamTable:
    return replace(StreamTable(plan, (), TableState.STREAMING), **fields)  # type: ignore[arg-type]


def target_of(settings: ConnectionSettings, **options: object) -> MysqlChangeTarget:
    changes = ChangeOptions(
        **{name: options.pop(name) for name in ("soft_delete", "lock_timeout_s") if name in options}
    )  # type: ignore[arg-type]
    return MysqlChangeTarget(settings, RunOptions(changes=changes, **options))  # type: ignore[arg-type]


@contextmanager
def applier_of(settings: ConnectionSettings, **options: object) -> Iterator[MysqlApplier]:
    """An applier of a stream that the target knows."""
    target = target_of(settings, **options)
    with target.book(STREAM) as book:
        if book.load() is None:
            book.create(StoredStream("{}", Checkpoint("0"), ()))
    with target.applier(STREAM) as applier:
        yield applier


def tables_of(*tables: StreamTable) -> dict[TableId, StreamTable]:
    return {table.source: table for table in tables}
