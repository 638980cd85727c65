"""A snapshot that another process copies from: the side that reads.

Each of its readers has a lane of the run's hub. A batch is told of (a ticket) before it is put into the lane, or while:
a full lane has room only once somebody fetches, and that is who was given the ticket.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from mainstem import failpoints
from mainstem.contract.source import BatchLimits, Snapshot, SnapshotReader
from mainstem.errors import CancelledError, MainstemError
from mainstem.hub.link import NatsLink
from mainstem.hub.sending import SendingLane
from mainstem.log import logger
from mainstem.model.batch import Batch, Place, RawBatch
from mainstem.model.frame import Begin, Chunk
from mainstem.model.plan import TablePlan

SNAPSHOT = "snapshot"
"""The kind under which it is offered."""
AHEAD_BYTES = 4 * 1024 * 1024
"""So much of a chunk may be read before its lane has taken it; a larger batch alone."""
_LINGER_S = 0.002
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a snapshot says of itself; ``readers`` is their number."""

    readers: int
    position: str
    note: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A batch that is in the lane, or comes: as in `model.batch.PlacedBatch`."""

    count: int
    size_bytes: int
    number: int
    raw: bool


@dataclass(frozen=True, slots=True)
class Read:
    """The next batches of a read; ``over``: there are no more."""

    tag: int
    tickets: tuple[Ticket, ...]
    over: bool


@dataclass(frozen=True, slots=True)
class _Item:
    tag: int
    chunk: Chunk
    number: int
    batch: Batch


class _ReadLane:
    """One reader of the snapshot with its lane: a thread for each read, and one that sends."""

    def __init__(self, reader: SnapshotReader, sending: SendingLane) -> None:
        self.reader = reader
        self._sending = sending
        self._changed = threading.Condition()
        self._queue: deque[_Item] = deque()
        self._ahead_bytes = 0  # of what is in the queue or being sent
        self._tag = 0
        self._tickets: list[Ticket] = []
        self._told = -1  # the last batch of this read that was told of
        self._over = self._given_up = True
        self._closed = False
        self._error: MainstemError | None = None  # of this read
        self._failed: MainstemError | None = None  # of the lane
        self._reading: threading.Thread | None = None
        self._sender = threading.Thread(target=self._send_all, name="lane-sender", daemon=True)
        self._sender.start()

    def read(self, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Read:
        if not self._over:
            self.abandon(self._tag)
        with self._changed:
            self._tag += 1
            tag, self._tickets, self._told, self._error = self._tag, [], -1, None
            self._over = self._given_up = False
        self._reading = threading.Thread(
            target=self._read, args=(tag, table, chunk, limits), name="lane-reader", daemon=True
        )
        self._reading.start()
        return self.more(tag)

    def more(self, tag: int) -> Read:
        """Waits until there is more, or all was read."""
        with self._changed:
            self._changed.wait_for(lambda: self._tickets or self._over or self._closed or self._failed)
            if not self._over:
                self._changed.wait_for(lambda: self._over, _LINGER_S)
            if tag != self._tag or self._closed or self._failed is not None:
                raise self._failed or CancelledError("this read is over")
            tickets, self._tickets = tuple(self._tickets), []
            self._told = max((ticket.number for ticket in tickets), default=self._told)
            if self._error is not None and not tickets:
                raise self._error
            return Read(tag, tickets, self._over and self._error is None)

    def abandon(self, tag: int) -> None:
        """Waits until the reader can be used for something else. What nobody was told of yet is left out."""
        with self._changed:
            if tag != self._tag:
                return
            self._given_up = True
            kept = [item for item in self._queue if item.tag != tag or item.number <= self._told]
            before = sum(item.batch.size_bytes for item in self._queue)
            self._ahead_bytes -= before - sum(item.batch.size_bytes for item in kept)
            self._queue = deque(kept)
            self._changed.notify_all()
            reading = self._reading
        if reading is not None:
            reading.join()

    def cancel(self) -> None:
        """Wake who waits."""
        with self._changed:
            self._closed = self._given_up = True
            self._changed.notify_all()
        self._sending.cancel()

    def close(self) -> None:
        self.cancel()
        self._sender.join()
        if self._reading is not None:
            self._reading.join()
        self._sending.release()

    def _read(self, tag: int, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> None:
        error: MainstemError | None = None
        try:
            with closing(self.reader.read(table, chunk, limits)) as batches:
                for number, batch in enumerate(batches):
                    self._put(_Item(tag, chunk, number, batch))
                    del batch  # it may be large: not while the next is read
                    failpoints.hit("remote.batch")
                    if not self._has_room():
                        break
        except MainstemError as exc:
            error = exc
        except Exception:
            _log.exception("a read failed", table=str(table.source))
            error = MainstemError(f"reading {table.source} failed; the reader's log says how")
        with self._changed:
            self._over, self._error = True, error
            self._changed.notify_all()

    def _put(self, item: _Item) -> None:
        batch = item.batch
        ticket = Ticket(batch.count, batch.size_bytes, item.number, isinstance(batch, RawBatch))
        with self._changed:
            if self._given_up:
                return
            self._queue.append(item)
            self._ahead_bytes += batch.size_bytes
            self._tickets.append(ticket)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        """Whether to read on; waits as long as the lane is behind."""
        with self._changed:
            self._changed.wait_for(lambda: self._ahead_bytes < AHEAD_BYTES or self._given_up or self._failed)
            return not self._given_up and self._failed is None

    def _send_all(self) -> None:
        """Puts what was read into the lane."""
        try:
            while (item := self._next()) is not None:
                if item.number == 0:
                    self._sending.publish(Begin(item.chunk, item.tag))
                self._sending.publish(item.batch)
                failpoints.hit("remote.sent")
                size = item.batch.size_bytes
                del item
                with self._changed:
                    self._ahead_bytes -= size
                    self._changed.notify_all()
        except MainstemError as exc:
            with self._changed:
                self._failed = exc
                self._changed.notify_all()

    def _next(self) -> _Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            return None if self._closed else self._queue.popleft()


class SnapshotDesk:
    """One snapshot.

    Args:
        make: opens it: with an origin, at an exact position of the log.
    """

    def __init__(self, link: NatsLink, make: Callable[[str, int], AbstractContextManager[Snapshot]]) -> None:
        self._link, self._make = link, make
        self._context: AbstractContextManager[Snapshot] | None = None
        self._snapshot: Snapshot | None = None
        self._lanes: list[_ReadLane] = []

    def open(self, origin: str, places: list[Place]) -> Facts:
        """Open the snapshot.

        Args:
            origin: of the stream; empty where the position need not be exact.
            places: where the rows of each reader go; there may be fewer readers.
        """
        context = self._make(origin, len(places))
        snapshot = self._snapshot = context.__enter__()
        self._context = context
        for reader, place in zip(snapshot.readers, places, strict=False):
            self._lanes.append(_ReadLane(reader, SendingLane(self._link, place)))
        return Facts(len(snapshot.readers), snapshot.position, snapshot.note)

    def plan_chunks(self, lane: int, table: TablePlan, rows: int) -> list[Chunk]:
        """See `contract.source.SnapshotReader.plan_chunks`."""
        return list(self._lanes[lane].reader.plan_chunks(table, rows))

    def read(self, lane: int, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Read:
        """Begin to read a chunk into the lane; its first batches."""
        return self._lanes[lane].read(table, chunk, limits)

    def more(self, lane: int, tag: int) -> Read:
        """The next batches of a read; raises what the read raised, once all before it was told of."""
        return self._lanes[lane].more(tag)

    def abandon(self, lane: int, tag: int) -> None:
        """Read no further."""
        self._lanes[lane].abandon(tag)

    def moved(self, table: TablePlan, chunks: list[Chunk], since: str) -> bool:
        """See `contract.source.Snapshot.moved`."""
        return self._opened.moved(table, chunks, since)

    def interrupt(self) -> None:
        """Break off what runs, for good."""
        if self._snapshot is not None:
            self._snapshot.interrupt()
        for lane in self._lanes:
            lane.cancel()

    def close(self) -> None:
        """Close lanes and snapshot."""
        self.interrupt()
        for lane in self._lanes:
            lane.close()
        if self._context is not None:
            self._context.__exit__(None, None, None)

    @property
    def _opened(self) -> Snapshot:
        if self._snapshot is None:
            raise MainstemError("a snapshot is used before it was opened")
        return self._snapshot


@contextmanager
def snapshot_desk(
    link: NatsLink, make: Callable[[str, int], AbstractContextManager[Snapshot]]
) -> Iterator[SnapshotDesk]:
    """A desk for one session."""
    desk = SnapshotDesk(link, make)
    try:
        yield desk
    finally:
        desk.close()
