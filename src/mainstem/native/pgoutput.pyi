"""Messages of a PostgreSQL walsender with the plugin pgoutput: changes into column buffers, all else for the caller."""

from collections.abc import Collection

from _typeshed import ReadableBuffer

from mainstem.native.changerows import Relation
from mainstem.native.status import Status

class LogDecoder:
    """Decodes messages of protocol version 1 or 2. For one thread at a time.

    A *group* is what was decoded since `begin_group`. After a `WireError` nothing more is taken.

    Attributes:
        spooling: messages are those of a transaction under way, and are put aside (the caller sets it).
        reply_wanted: the server asked for an answer (the caller clears it).
        within: a transaction has begun and not ended.
        commit_lsn: where the commit of the transaction under way lies in the log.
        position: all transactions that committed before it were decoded, but the one under way.
        received: the last end of the log that a keepalive told of.
        rows, size_bytes: events and their data bytes in the group.
        transactions: commits in the group that had at least one event.
        first_committed_us, committed_us: when the first and the last of them committed.
        first_row: the sequence number at which the transaction under way (or the next) begins. Numbers go on from group
            to group.
        has_rows: the transaction under way has had events, those of earlier groups included.
    """

    spooling: bool
    reply_wanted: bool

    def __init__(self, position: int) -> None: ...
    @property
    def within(self) -> bool: ...
    @property
    def commit_lsn(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def transactions(self) -> int: ...
    @property
    def first_committed_us(self) -> int: ...
    @property
    def committed_us(self) -> int: ...
    @property
    def first_row(self) -> int: ...
    @property
    def has_rows(self) -> bool: ...
    def relate(self, relation: Relation) -> None:
        """How a relation's tuples are read from here on. What its earlier `ChangeRows` holds must have been taken.

        Without rows: its changes are left out; behind a ``since`` that is not 0 they are messages for the caller.
        """
    def forget(self, oid: int) -> None:
        """Changes of this relation are an error until it is described again."""
    def begin_group(self) -> None:
        """Count anew; the rows themselves are taken from each `ChangeRows`."""
    def number(self) -> int:
        """A sequence number for an event that the caller deals with."""
    def begin_replay(self, commit_lsn: int, aborted: Collection[int]) -> None:
        """Begin a transaction whose messages were put aside; without these subtransactions."""
    def end_replay(self, end_lsn: int, committed: int) -> None:
        """It committed; microseconds since 2000-01-01."""
    def message(self, data: ReadableBuffer) -> Status:
        """Decode one CopyData payload: NEED_MORE, SPOOL, or MESSAGE: it is not consumed, and for the caller.

        Raises:
            WireError: it breaks the protocol.
        """
    def replay(
        self, data: ReadableBuffer, start: int, max_rows: int, max_bytes: int, mapped: bool = False
    ) -> tuple[Status, int]:
        """Decode messages that were put aside, from ``start`` on.

        Args:
            mapped: the data are a mapped file; large values in it are let go of as they are read.
        Returns:
            NEED_MORE, FULL, or MESSAGE: one for the caller stands there; and the bytes consumed.
        """
    def large(self, data: ReadableBuffer) -> Status:
        """Decode a row that was put aside by itself, from the mapped file that it lies in.

        Returns:
            NEED_MORE; or MESSAGE: it is not consumed, how it is read has to be settled first.
        """
    @property
    def alone(self) -> bool:
        """Whether what is put aside now is such a message."""
    def take_spool(self) -> memoryview:
        """The messages put aside: each with its size in four bytes, big-endian, before it."""
