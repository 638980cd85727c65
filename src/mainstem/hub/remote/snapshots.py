"""A snapshot that is read in another process: the side that leads the run. It handles tickets of rows alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from mainstem.contract.source import BatchLimits, Snapshot, SnapshotReader
from mainstem.errors import LostConnectionError, MainstemError
from mainstem.hub.calls import CallSession
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub
from mainstem.hub.remote.readers import Readers
from mainstem.hub.remote.snapshotdesk import SNAPSHOT, SnapshotDesk
from mainstem.model.batch import Place, PlacedBatch
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan


class RemoteReader:
    """See `contract.source.SnapshotReader`."""

    def __init__(self, session: CallSession, number: int, place: Place) -> None:
        self._session, self._number, self._place = session, number, place

    def plan_chunks(self, table: TablePlan, rows: int) -> Sequence[Chunk]:
        """Cut a table into chunks of about so many rows."""
        return self._session.ask(SnapshotDesk.plan_chunks, self._number, table, rows)

    def read(self, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Generator[PlacedBatch]:
        """The chunk's rows, which are on their way through the lane."""
        session, lane = self._session, self._number
        found = session.ask(SnapshotDesk.read, lane, table, chunk, limits)
        reading = not found.over
        try:
            while True:
                for ticket in found.tickets:
                    yield PlacedBatch(
                        table.source, ticket.count, ticket.size_bytes, self._place, found.tag, ticket.number, ticket.raw
                    )
                if found.over:
                    return
                reading = False  # unless it says so
                found = session.ask(SnapshotDesk.more, lane, found.tag)
                reading = not found.over
        finally:
            if reading:
                with contextlib.suppress(MainstemError):  # the next use tells
                    session.ask(SnapshotDesk.abandon, lane, found.tag)


class RemoteSnapshot:
    """See `contract.source.Snapshot`."""

    def __init__(self, session: CallSession, places: Sequence[Place], position: str, note: str) -> None:
        self._session = session
        self.readers: Sequence[SnapshotReader] = [
            RemoteReader(session, number, place) for number, place in enumerate(places)
        ]
        self.position, self.note = position, note

    def moved(self, table: TablePlan, chunks: Sequence[Chunk], since: str) -> bool:
        """Whether chunks that were cut in an earlier snapshot may miss or repeat rows of this one."""
        return self._session.ask(SnapshotDesk.moved, table, list(chunks), since)

    def interrupt(self) -> None:
        """From another thread: break off what the readers do now."""
        self._session.abort(LostConnectionError("the snapshot was broken off"))


@contextmanager
def remote_snapshot(
    readers: Readers, make_hub: Callable[[int], NatsHub], memory_bytes: int, origin: str, count: int
) -> Iterator[Snapshot]:
    """A snapshot in another process.

    Each of its readers has a hub of its own, so that what a given-up read has left in one bars no other.

    Args:
        origin: see `snapshotdesk.SnapshotDesk.open`.
        count: so many readers at most.
    """
    with ExitStack() as stack:
        session = stack.enter_context(readers.open(SNAPSHOT))
        hubs = [stack.enter_context(make_hub(memory_bytes // count)) for _ in range(count)]
        session.when_over(lambda _: _remove(readers.link, hubs))
        places = [hub.place(0) for hub in hubs]
        facts = session.ask(SnapshotDesk.open, origin, places)
        yield RemoteSnapshot(session, places[: facts.readers], facts.position, facts.note)


def _remove(link: NatsLink, hubs: Sequence[NatsHub]) -> None:
    """Nothing more comes into these lanes: who waits for something there finds out, as they are gone."""

    async def work() -> None:
        for hub in hubs:
            with contextlib.suppress(Exception):
                await link.js.delete_stream(hub.stream)

    with contextlib.suppress(RuntimeError):
        asyncio.run_coroutine_threadsafe(work(), link.loop)


class RemoteSource:
    """See `contract.source.Source`."""

    def __init__(self, readers: Readers, make_hub: Callable[[int], NatsHub], memory_bytes: int) -> None:
        self._readers, self._make_hub, self._memory_bytes = readers, make_hub, memory_bytes

    def snapshot(self, readers: int) -> AbstractContextManager[Snapshot]:
        """Open a snapshot; leaving the context closes its connections."""
        return remote_snapshot(self._readers, self._make_hub, self._memory_bytes, "", readers)
