"""`Applier` and `StreamBook`: changes into a target, so that applying twice equals applying once.

Of several processes that believe to have a stream, the one with the highest token has it: see `contract.target`. Book
and applier raise the fence as they are opened, and every commit compares it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from mainstem.model.change import RowChanges, Truncate
from mainstem.model.names import TableId
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StoredStream, StreamPart, StreamTable

PART_WAIT_S = 30
"""For so long, at most, an applier of a part waits for a lock: who has it may wait for another part of the stream,
which ends with this one, and no server sees that."""


@dataclass(slots=True)
class Applied:
    """What one `Applier.apply` did.

    Attributes:
        missing: rows that an UPDATE or DELETE was about and that the target did not have, by table. An UPDATE of a
            whole row puts it in; the others change nothing.
        coerced: table → ``column: policy`` → values changed by policy.
    """

    missing: dict[TableId, int] = field(default_factory=dict)
    coerced: dict[TableId, dict[str, int]] = field(default_factory=dict)


class Applier(AbstractContextManager["Applier"], Protocol):
    """One connection that applies changes. A transaction is `begin`, `apply`…, `commit` or `rollback`.

    Every method raises `RowError` (a row that the target cannot hold), `TransientError`, `LostConnectionError`,
    `TargetFullError` or `StatementError`. After a lost connection and after a `TransientError` the transaction is over
    (the server may have rolled it back, as at a deadlock): what is left is `rollback`, and all of it again. After the
    others it goes on as if the call had not been made.
    """

    def begin(self) -> None:
        """Start a transaction."""
        ...

    @property
    def fires_triggers(self) -> bool:
        """Whether ordinary triggers of the target's tables fire at what is applied."""
        ...

    @property
    def goes_ahead(self) -> bool:
        """Whether it can be had twice, by `ahead`."""
        ...

    def ahead(self) -> Applier:
        """Another connection, for a transaction that others are committed beside; closed before this one is.

        There is one at a time, for one transaction; while it is open, neither waits long for a lock. Of its methods
        only `begin`, `apply`, `commit`, `rollback` and `interrupt` are used. Its `commit` moves the checkpoint from
        where this one has left it, between two transactions of this one. Raises `ConnectError`.
        """
        ...

    def apply(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Applied:
        """Bring the tables to where these changes leave them; all of it or, with an error, nothing.

        The changes are of different tables; ``seqs`` orders them. How is the applier's choice: by the net effect on
        each key, or event by event where only the source's order does (unique values that are swapped, foreign keys
        that cannot be put off). A row without a key is one that equals all columns; each event is about one of them.

        Args:
            tables: by the source's name; every table of ``changes`` is in it.
        """
        ...

    def truncate(self, part: Truncate, tables: Mapping[TableId, StreamTable]) -> None:
        """Empty tables, foreign keys between them and others notwithstanding."""
        ...

    def undo(self) -> None:
        """Take back the `apply` or `truncate` that was the last call and went well; the transaction goes on."""
        ...

    def alter(self, statements: Sequence[str]) -> None:
        """Change structure, by statements that the table's older rows fit as well: they may run ahead of these.

        A target that commits by itself at DDL raises `TransientError` if anything was applied since `begin`: it has
        rolled that back and run the statements, and finds at the next call with the same ones that they have run.
        """
        ...

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table."""
        ...

    def forget(self, table: TableId) -> None:
        """The stream has this table no more."""
        ...

    def reject(self, letter: DeadLetter) -> None:
        """Put a change aside."""
        ...

    def discard(self, table: TableId, number: int | None = None) -> int:
        """Forget the change of that number that was put aside, or all of a table; how many there were."""
        ...

    def record(self, line: SchemaRecord) -> None:
        """Write down what became of a schema change."""
        ...

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make all of it durable together with the checkpoint.

        Raises `ConflictError` when another process has moved the checkpoint meanwhile.
        """
        ...

    def rollback(self) -> None:
        """Leave the target as it was before `begin`; also after an error and on a broken connection."""
        ...

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        ...


class StreamBook(AbstractContextManager["StreamBook"], Protocol):
    """What the target knows of a stream, outside of the applier's transactions. Used by one thread at a time."""

    def load(self) -> StoredStream | None:
        """What an earlier start left, or None."""
        ...

    def create(self, stored: StoredStream) -> None:
        """Begin a stream. Raises `ConflictError` if there is one of this id."""
        ...

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table, in a transaction of its own."""
        ...

    def parts(self) -> tuple[StreamPart, ...]:
        """The parts that `divide` made, as far as each is now; none: the stream has one checkpoint, that of `load`."""
        ...

    def divide(self, stored: StoredStream, parts: Sequence[Sequence[TableId]]) -> None:
        """In one transaction: write the stream's checkpoint and tables down anew, and parts that are as far as it is.

        Args:
            parts: tables of each; none is the end of being divided.
        """
        ...

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        """Changes that were put aside, in their order."""
        ...

    def count_letters(self) -> dict[TableId, int]:
        """How many there are of each table."""
        ...

    def discard(self, numbers: Sequence[int]) -> None:
        """Forget letters that were dealt with."""
        ...

    def changes(self, limit: int = 1000) -> list[SchemaRecord]:
        """Schema changes that were seen, newest last."""
        ...

    def advance_counters(self, tables: Sequence[StreamTable]) -> list[str]:
        """Set every counter (identity, serial, AUTO_INCREMENT) of the tables past the highest value in use.

        Returns the names of what was set, with the values: part of a cut-over.

        Raises `LockedError` when somebody keeps a table locked for some seconds.
        """
        ...

    def drop(self) -> None:
        """Forget the stream; what is not of a stream or run any more is dropped."""
        ...


class ChangeTarget(Protocol):
    """A system that changes are applied to. Each of these opens a connection and may raise `ConnectError`."""

    def applier(self, stream_id: str, part: int | None = None) -> Applier:
        """A connection that applies changes; there is one at a time for a stream, or for each of its parts.

        Args:
            part: whose checkpoint it moves, by its place in what `StreamBook.divide` was told; None: the stream's own.
        """
        ...

    def book(self, stream_id: str) -> StreamBook:
        """What the target knows of a stream."""
        ...
