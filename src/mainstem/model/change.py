"""What the transaction log of a source says, as it travels from a `ChangeStream` to an `Applier`.

The unit is the `ChangeGroup`: whole source transactions, or a piece of one that is too large to be held at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from mainstem.model.names import TableId
from mainstem.model.schema import Column

if TYPE_CHECKING:
    import pyarrow as pa


class Op(IntEnum):
    """What happened to a row."""

    INSERT = 1
    UPDATE = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class RowChanges:
    """Change events of one table in the order in which they happened.

    All arrays are as long as there are events. Columns of ``after`` and ``before`` are ``binary`` text cells, as in a
    `ChangeBatch`: the same row has the same cells through a snapshot and through the log.

    Attributes:
        table: the source's name of the table.
        ops: ``uint8``, of `Op`.
        seqs: ``int64``, ascending; orders the events of all tables within one group.
        after: the plan's columns (`TablePlan.columns`), the row as it is now; all null for a DELETE.
        before: the identity as it was before an UPDATE or a DELETE, null for an INSERT: the columns of
            `TablePlan.identity` in its order, which are the key's, or every column of the plan where the table has no
            key. An UPDATE always has it, whether or not the key changed. None: there are only INSERTs.
        absent: index of a column of ``after`` → ``bool`` array: the log does not hold this cell, and the row's value
            is what it was (unchanged TOAST, partial row images). The cell itself is null. Columns without are not here.
        size_bytes: data bytes of all cells.
    """

    table: TableId
    ops: pa.UInt8Array
    seqs: pa.Int64Array
    after: pa.RecordBatch
    before: pa.RecordBatch | None = None
    absent: Mapping[int, pa.BooleanArray] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def count(self) -> int:
        """Events."""
        return len(self.ops)

    def slice(self, start: int, count: int) -> RowChanges:
        """Some of the events, sharing memory; the size is shared out by their number."""
        return RowChanges(
            self.table,
            self.ops.slice(start, count),
            self.seqs.slice(start, count),
            self.after.slice(start, count),
            None if self.before is None else self.before.slice(start, count),
            {column: array.slice(start, count) for column, array in self.absent.items()},
            self.size_bytes * count // max(self.count, 1),
        )


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables were emptied, at this point between the changes around it.

    Attributes:
        restart_identity: their counters began anew.
    """

    tables: tuple[TableId, ...]
    restart_identity: bool = False


class SchemaChangeKind(StrEnum):
    """What happened to a table.

    LOST: from here on the log does not tell the table's rows: they were exchanged without row events (a partition
    dropped, another table moved to its name), or cannot be read. Only a new copy helps.
    NOTED: the stream goes on with the table; the reason says how its rows may differ, and what helps.
    KEPT: nothing is told; only the connector's memo of the table is another one.
    """

    COLUMNS = "columns"
    CREATED = "created"
    DROPPED = "dropped"
    RENAMED = "renamed"
    LOST = "lost"
    NOTED = "noted"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A table is another one from here on.

    The last part of its group. The stream reads no further until `ChangeStream.settle` says how rows of the table are
    decoded now.

    Attributes:
        table: the source's name, before the change.
        columns: all columns after it, in the source's order (COLUMNS, CREATED, RENAMED).
        renamed_to: the new name (RENAMED).
        statement: the source's own, where its log has it; for people.
        reason: why the table is LOST, or what is NOTED; with COLUMNS, why rows that are there may hold other values
            than before.
        memo: `StreamTable.memo` from here on, written down together with what is told (NOTED, KEPT); None: as it is.
    """

    kind: SchemaChangeKind
    table: TableId
    columns: tuple[Column, ...] = ()
    renamed_to: TableId | None = None
    statement: str = ""
    reason: str = ""
    memo: str | None = None


Part = RowChanges | Truncate | SchemaChange


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes in the order of the source's commits.

    Neighbouring `RowChanges` belong together: they are of different tables (one each), and ``seqs`` gives the order of
    their events. A `Truncate` or `SchemaChange` stands between what came before and after.

    Attributes:
        whole: the group ends where a transaction ends. Else that transaction goes on in the next group, and nothing of
            it may be visible before; such a group holds nothing of any other transaction, and its end neither.
        transactions: commits in it; 0 when it is not whole.
        position: where to go on after the last commit (JSON of the connector's own); empty when it is not whole.
        first_committed_us, committed_us: when the source committed the first and the last transaction, UTC
            microseconds since 1970; 0 when it is not whole.
        lag_bytes: how much of the source's log lay behind this when it was read; None if the source does not say.
        ahead: the number of a transaction that is told ahead of its end; 0 for all others. Such groups come between the
            others and hold nothing but it: pieces, and then either a whole one without parts, which is its commit, or
            one that is neither whole nor has parts: it is to be forgotten. See `GroupLimits.ahead`.
    """

    parts: tuple[Part, ...]
    whole: bool = True
    transactions: int = 0
    position: str = ""
    first_committed_us: int = 0
    committed_us: int = 0
    lag_bytes: int | None = None
    ahead: int = 0

    @property
    def size_bytes(self) -> int:
        """Data bytes of all rows."""
        return sum(part.size_bytes for part in self.parts if isinstance(part, RowChanges))

    @property
    def rows(self) -> int:
        """Row events."""
        return sum(part.count for part in self.parts if isinstance(part, RowChanges))


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing of ours happened: the log was read up to ``position``, and no transaction is under way in the stream.

    Attributes:
        lag_bytes: as in `ChangeGroup`.
    """

    position: str
    lag_bytes: int | None = None
