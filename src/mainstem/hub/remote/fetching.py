"""A loader's way to batches that wait in a lane: they are fetched there, and the connector never sees a ticket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from mainstem.contract.target import Loader, Receipt
from mainstem.errors import ConflictError, LostConnectionError, WireError
from mainstem.hub.link import NatsLink
from mainstem.hub.receiving import ReceivingLane
from mainstem.model.batch import Batch, ChangeBatch, Place, PlacedBatch, RawBatch
from mainstem.model.frame import Begin, Chunk
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunState


class Fetching:
    """See `contract.target.Loader`: another loader, for which placed batches are fetched.

    What waits here is bounded by the lane's window (`hub.receiving.UNACKED` messages). The lanes of one run that it
    fetches from are used by it alone.
    """

    def __init__(self, link: NatsLink, loader: Loader) -> None:
        self._link, self._loader = link, loader
        self._lock = threading.Lock()
        self._lane: _Lane | None = None
        self._interrupted = False

    def __enter__(self) -> Fetching:
        self._loader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._lane is not None:
                self._lane.receiving.release()
        finally:
            self._loader.__exit__(kind, value, trace)

    def begin(self, table: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        """Start the chunk's transaction."""
        self._loader.begin(table, chunk, quarantine=quarantine)

    @property
    def session(self) -> str:
        """What the other loader says."""
        return self._loader.session

    @property
    def alone(self) -> bool:
        """What the other loader says."""
        return self._loader.alone

    def write(self, batch: Batch) -> None:
        """Fetch a batch unless it is here, and send it.

        Raises:
            LostConnectionError: the lane is gone, or does not have the batch.
        """
        self._loader.write(self._fetched(batch) if isinstance(batch, PlacedBatch) else batch)

    def commit(self, rows: int, limit: RunState | None = None) -> Receipt:
        """Make rows and ledger line durable.

        Raises:
            LostConnectionError: the chunk is durable already. Processes that do not lead the run any more are kept off
                by the target, so it was a loader of this run that was taken for lost; the next round knows.
        """
        try:
            return self._loader.commit(rows, limit)
        except ConflictError as exc:
            raise LostConnectionError(f"a process that was taken for lost got ahead: {exc.message}") from exc

    def rollback(self) -> None:
        """Leave the target as it was before `begin`. What of the chunk waits in the lane is passed over later."""
        self._loader.rollback()

    def interrupt(self) -> None:
        """From another thread: break off what runs now, for good."""
        with self._lock:
            self._interrupted = True
            lane = self._lane
        if lane is not None:
            lane.receiving.cancel()
        self._loader.interrupt()

    def _fetched(self, ticket: PlacedBatch) -> ChangeBatch | RawBatch:
        lane = self._lane
        if lane is None or lane.receiving.place != ticket.place:
            lane = self._subscribed(ticket.place)
        return lane.fetch(ticket)

    def _subscribed(self, place: Place) -> _Lane:
        before, lane = self._lane, _Lane(ReceivingLane(self._link, place))
        with self._lock:
            self._lane, interrupted = lane, self._interrupted
        if interrupted:
            lane.receiving.cancel()
        if before is not None:
            before.receiving.release()
        return lane


class _Lane:
    """A lane, and how far it has been read: the read and the number of the batch that comes next."""

    def __init__(self, receiving: ReceivingLane) -> None:
        self.receiving = receiving
        self._at = (0, 0)

    def fetch(self, ticket: PlacedBatch) -> ChangeBatch | RawBatch:
        wanted = ticket.tag, ticket.number
        while self._at <= wanted:
            delivery = self.receiving.receive()
            if delivery is None:
                raise LostConnectionError("a lane was closed before all that was announced had come")
            frame = delivery.frame
            if isinstance(frame, Begin):
                self._at = frame.attempt, 0
            elif isinstance(frame, ChangeBatch | RawBatch):
                found, self._at = self._at, (self._at[0], self._at[1] + 1)
                if found == wanted:
                    return _cut(frame, ticket)
            del delivery, frame
        raise LostConnectionError(f"a batch of table {ticket.table} is no longer in its lane", table=str(ticket.table))


def _cut(batch: ChangeBatch | RawBatch, ticket: PlacedBatch) -> ChangeBatch | RawBatch:
    """Only the rows that are meant."""
    meant = batch.first(ticket.count) if batch.table == ticket.table and ticket.count <= batch.count else None
    if meant is None:
        raise WireError(f"a batch in a lane is not the one that was announced of table {ticket.table}")
    return meant
