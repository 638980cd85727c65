"""A running replication: what is durable of it, table by table. All of it can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.model.change import Op
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import TableState
from mainstem.model.schema import Column


@dataclass(frozen=True, slots=True)
class StreamTable:
    """A table of a stream.

    Attributes:
        plan: how its rows travel now.
        layout: all columns of the source's table in the source's order, as they are at the stream's position; what
            rows of the log are decoded by, where the log does not say it itself.
        state: one of PENDING, COPYING, CATCHING_UP, STREAMING, PAUSED, FAILED, SKIPPED. Only changes of tables that are
            CATCHING_UP or STREAMING are applied; a PAUSED or FAILED one needs a new copy to go on.
        since: the position of the snapshot that its rows were copied from: of the log only what comes after it is
            still to be applied. Empty: all from the stream's start.
        until: CATCHING_UP ends here: its rows are of several snapshots, of which this is the last one's position.
        error, remedy: why it is PAUSED or FAILED.
        cascades: the source's log does not tell what its foreign keys do to rows of other tables when a row of this one
            is deleted or gets another key (ON DELETE CASCADE, ON UPDATE SET NULL, …): the target's keys have to do the
            same. From `ConnectorSpec.logs_cascades`.
        left: columns of the target's table that the source has dropped since the copy: rows keep what they had in them.
        memo: what the source's connector keeps of the table, in a text of its own; from `Table.memo`, and then from
            `SchemaChange.memo`.
    """

    plan: TablePlan
    layout: tuple[Column, ...]
    state: TableState = TableState.PENDING
    since: str = ""
    until: str = ""
    error: str = ""
    remedy: str = ""
    cascades: bool = False
    left: tuple[str, ...] = ()
    memo: str = ""

    @property
    def source(self) -> TableId:
        """The source's name of the table."""
        return self.plan.source


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the target is. Stored in the target in the transaction of the rows that it speaks of.

    Attributes:
        position: where the stream goes on (JSON of the source's connector).
        transactions, events: applied so far, over all starts.
        committed_us: when the source committed the last one.
    """

    position: str
    transactions: int = 0
    events: int = 0
    committed_us: int = 0


@dataclass(frozen=True, slots=True)
class StreamPart:
    """Tables of a stream that have a checkpoint of their own, and how far they are (see `engine.parted`)."""

    checkpoint: Checkpoint
    tables: tuple[TableId, ...]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """What the target knows of a stream.

    Attributes:
        origin: what the source's connector needs to find the same log again (slot and server identity), its own JSON.
    """

    origin: str
    checkpoint: Checkpoint
    tables: tuple[StreamTable, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A change that the target refused and that was put aside.

    Attributes:
        number: given by the target; 0 before.
        key: the row's key for people, as `model.cells.row_key` writes it.
        position: of the group that it came in.
        column, reason: what was refused, and why; never the row's other values.
        event: the change itself, to be tried again: `model.letters.pack` of a `RowChanges` with one event.
    """

    table: TableId
    op: Op
    key: str
    position: str
    column: str
    reason: str
    event: bytes
    number: int = 0


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """A line in the book of schema changes: what was seen, and what became of it.

    Attributes:
        outcome: ``applied``, ``ignored``, ``paused`` (the table waits for someone).
        detail: the statements that ran on the target, or what one has to do.
    """

    table: TableId
    change: str
    position: str
    outcome: str
    detail: str
    at_us: int = 0
