"""`ChangeSource` and `ChangeStream`: a system's transaction log, read as groups of whole transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from mainstem.contract.source import Snapshot
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """A group is handed on when the log has nothing more at hand, or by whichever bound is reached first.

    Attributes:
        max_bytes: also the most of one transaction that is handed on at once.
        linger_s: for how long after a group's first change more is waited for when nothing is at hand.
        ahead: a transaction may be told before it has ended, piece by piece, if the source can (`ChangeGroup.ahead`);
            whoever takes it says of each what became of it (`ChangeStream.answer`).
    """

    max_rows: int = 100_000
    max_bytes: int = 8 * 1024 * 1024
    linger_s: float = 0.005
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Retention:
    """How much longer the source keeps what the stream has not read, or what it may grow to.

    Attributes:
        held_bytes: log that is kept for the stream, or that lies between its position and the end.
        limit_bytes: at which the source gives it up; None is no limit.
        oldest_s, limit_s: the same in seconds, where the source expires its log by age.
        lost: the position is gone already.
    """

    held_bytes: int | None = None
    limit_bytes: int | None = None
    oldest_s: float | None = None
    limit_s: float | None = None
    lost: bool = False


class ChangeStream(AbstractContextManager["ChangeStream"], Protocol):
    """One connection that reads the log. `groups` is used by one thread; the others by any."""

    def groups(self) -> Iterator[ChangeGroup | Idle]:
        """What happens from the position on, without end; an `Idle` at least once a second when nothing does.

        Changes of a table that were committed at or before its `StreamTable.since` are left out, as are tables that
        are not CATCHING_UP or STREAMING. Tables that the stream does not know are left out, but that one was made is
        told (SchemaChange CREATED) where the log says it.

        Raises:
            LostConnectionError: the server went away, or was silent for too long.
            PositionLostError: the log does not reach back to the position, or is another server's.
            WireError: bytes that break the format, or an event that is not known: never skipped.
        """
        ...

    def settle(self, table: StreamTable | None) -> None:
        """How rows of a table are read from here on; None: as before. Ends the wait behind a `SchemaChange`.

        May also be called at another time, for a table that is added or copied anew.
        """
        ...

    def answer(self, number: int, taken: bool) -> None:
        """What became of a transaction that is told ahead: after its commit, or before, if it is given up.

        Args:
            number: `ChangeGroup.ahead`.
            taken: it is durable. Else it comes again behind its commit, as any other does. Told once.
        """
        ...

    def confirm(self, position: str) -> None:
        """All up to here is durable in the target: the source need not keep it."""
        ...

    def interrupt(self) -> None:
        """From another thread: `groups` raises `CancelledError` soon."""
        ...


class ChangeSource(Protocol):
    """A system whose transaction log can be read.

    What a reader of a lower token (`RunOptions.token`) has left behind, and what only one can have at a time, is taken
    from it: whoever reads has the stream in the target.
    """

    def open(self, stream_id: str, tables: Sequence[TableId], origin: str, position: str) -> tuple[str, str]:
        """Have the log kept from here on for these tables, which may have grown since the last start.

        Args:
            origin: of an earlier start of this stream, or empty. What it names is used again and never made anew
                silently: if it is gone, or another server answers, `PositionLostError`.
            position: where a new stream is to begin, as a user writes it (`RunOptions.changes.position`); empty is now.
        Returns:
            Origin and position: where a new stream begins, or, with ``origin``, the oldest that there is.

        Raises:
            InvalidError: a position that cannot be read.
            PositionLostError: see above; the remedy names the way to a new copy.
            StatementError: a right is missing, no slot is free, …
        """
        ...

    def snapshot(self, origin: str, readers: int) -> AbstractContextManager[Snapshot]:
        """A snapshot whose ``position`` is exact: what committed before it is in, and nothing else.

        Source: each transaction is in the snapshot or behind the position in the log, never both, never neither.
        """
        ...

    def stream(
        self, origin: str, position: str, tables: Sequence[StreamTable], limits: GroupLimits, keep: str = ""
    ) -> ChangeStream:
        """Read the log from a position. Raises as `ChangeStream.groups`, and `ConnectError`.

        Args:
            keep: an older position that the log is still needed from; empty: it need not be kept from before
                ``position``.
        """
        ...

    def reaches(self, origin: str, at: str, position: str) -> bool:
        """Whether all that is committed up to a position is so up to ``at`` too. No connection is needed.

        Args:
            at: of a group that was handed on, or of the stream's start.
            position: of a `StreamTable.until`, or a cut-over.

        Raises:
            PositionLostError: they are of different servers, and nothing tells.
        """
        ...

    def end_position(self) -> str:
        """Where the log ends now: a stream that has passed it has seen all that is committed at this moment."""
        ...

    def retention(self, origin: str, position: str) -> Retention:
        """What stands between the stream and the loss of its position."""
        ...

    def close(self, origin: str) -> None:
        """The stream is over for good: have nothing kept for it any more (drop the slot and our publication)."""
        ...
