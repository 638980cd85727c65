"""Loaders in other processes: the side that leads the run, and deals its lanes to whoever can write."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from mainstem.contract.spec import ConnectorSpec
from mainstem.contract.target import Builder, Ledger, Loader, Receipt, Target
from mainstem.errors import CancelledError, LostConnectionError, MainstemError
from mainstem.hub.calls import CallSession, caller_of
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub
from mainstem.hub.remote.fetching import Fetching
from mainstem.hub.remote.loaderdesk import LOADER, LoaderDesk, Said
from mainstem.hub.sending import SendingLane
from mainstem.log import logger
from mainstem.model.batch import Batch, PlacedBatch, RawBatch
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Begin, Chunk
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunOptions, RunState

LANE_BYTES = 16 * 1024 * 1024
"""Bound of what waits for a loader elsewhere of rows that are read here."""
_log = logger(__name__)


class RemoteLoader:
    """See `contract.target.Loader`: one in another process, which is handed tickets.

    What is wrong with a batch is raised when it is written, by the next `write`, or by `commit`.

    Args:
        target: where the connection of a process that was lost can be ended: it might not know, and keep what it locks.
    """

    def __init__(self, link: NatsLink, call: CallSession, run_id: str, target: Target) -> None:
        self._session, self._quarantine = call, _never
        self._run_id, self._target = run_id, target
        self._own = _OwnLane(link, call, run_id)
        self._chunk: Chunk | None = None
        self._alone = False
        self.session = call.ask(LoaderDesk.open, run_id)

    def __enter__(self) -> RemoteLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        self._own.close()
        if not self._session.ended_there:
            try:
                self._target.end_loader(self._run_id, self.session)
            except MainstemError as exc:
                _log.warning("a lost writer's connection was not ended", member=self._session.member, error=str(exc))

    def begin(self, table: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        """Start the chunk's transaction."""
        self._quarantine = quarantine or _never
        self._own.begin(chunk)
        self._alone = self._done(self._session.ask(LoaderDesk.begin, table, chunk, quarantine is not None)).alone

    @property
    def alone(self) -> bool:
        """What the loader there says."""
        return self._alone

    def write(self, batch: Batch) -> None:
        """Have a batch fetched and written there, one that is here through a lane of its own."""
        ticket = batch if isinstance(batch, PlacedBatch) else self._own.ticket(batch)
        self._done(self._session.ask(LoaderDesk.write, ticket))
        if not isinstance(batch, PlacedBatch):
            self._own.publish(batch)

    def commit(self, rows: int, limit: RunState | None = None) -> Receipt:
        """Make rows and ledger line durable there."""
        receipt = self._done(self._session.ask(LoaderDesk.commit, rows, limit)).receipt
        if receipt is None:
            raise LostConnectionError("a commit was answered without its receipt")
        return receipt

    def rollback(self) -> None:
        """Leave the target as it was; a process that is gone has done so by itself, or does when it notices."""
        with suppress(MainstemError):
            self._session.ask(LoaderDesk.rollback)

    def interrupt(self) -> None:
        """From another thread: break off what runs now, for good."""
        self._session.abort(CancelledError("the round was broken off"))

    def _done(self, said: Said) -> Said:
        while said.asks:
            said = self._session.ask(LoaderDesk.answer, self._quarantine())
        return said


class _OwnLane:
    """The way of rows that are read in this process; it is made when the first ones come."""

    def __init__(self, link: NatsLink, session: CallSession, run_id: str) -> None:
        self._link, self._session, self._run_id = link, session, run_id
        self._hub: NatsHub | None = None
        self._lane: SendingLane | None = None
        self._chunk: Chunk | None = None
        self._tag = self._number = 0

    def begin(self, chunk: Chunk) -> None:
        """What comes is of another chunk, or of another try."""
        self._chunk = chunk
        self._tag += 1
        self._number = 0

    def ticket(self, batch: Batch) -> PlacedBatch:
        """What is told of a batch, before it is published."""
        place, raw = self._opened().place, isinstance(batch, RawBatch)
        return PlacedBatch(batch.table, batch.count, batch.size_bytes, place, self._tag, self._number, raw)

    def publish(self, batch: Batch) -> None:
        """Put a batch into the lane, behind the begin of its chunk."""
        lane = self._opened()
        if self._number == 0 and self._chunk is not None:
            lane.publish(Begin(self._chunk, self._tag))
        lane.publish(batch)
        self._number += 1

    def close(self) -> None:
        """Remove it."""
        if self._lane is not None:
            self._lane.cancel()
            self._lane.release()
        if self._hub is not None:
            self._hub.__exit__(None, None, None)

    def _opened(self) -> SendingLane:
        if self._lane is None:
            self._hub = NatsHub(self._link, f"{self._run_id}_{secrets.token_hex(4)}_w", LANE_BYTES)
            self._lane = SendingLane(self._link, self._hub.place(0))
            self._session.when_over(self._lane.fail)
        return self._lane


class RemoteTarget:
    """See `contract.target.Target`: loaders are dealt round-robin to this process and others, the rest is here.

    Args:
        target: as this process reaches it.
        writers: the other processes that can write, by their members' ids, as they are known now.
    """

    def __init__(
        self, target: Target, link: NatsLink, stream_id: str, token: int, writers: Callable[[], Sequence[str]]
    ) -> None:
        self._target, self._link, self._writers = target, link, writers
        self._stream_id, self._token = stream_id, token
        self._dealt = itertools.count()

    def ledger(self, run_id: str) -> Ledger:
        """The ledger of a run."""
        return self._target.ledger(run_id)

    def builder(self, run_id: str) -> Builder:
        """A connection that changes structure."""
        return self._target.builder(run_id)

    def loader(self, run_id: str) -> Loader:
        """A connection that writes rows: here, or in the process whose turn it is.

        One that is not there any more, does not reach the target, or cannot be asked, is passed over, at last for this
        process itself, whose errors are raised.
        """
        others = sorted(self._writers())
        turn = next(self._dealt) % (len(others) + 1)
        for member in others[turn - 1 :] if turn else ():
            try:
                return self._remote(member, run_id)
            except CancelledError:
                raise
            except MainstemError as exc:
                _log.warning("a writer cannot be used", member=member, error=str(exc))
        return Fetching(self._link, self._target.loader(run_id))

    def end_loader(self, run_id: str, session: str) -> None:
        """End the connection of a loader whose process was lost."""
        self._target.end_loader(run_id, session)

    def _remote(self, member: str, run_id: str) -> RemoteLoader:
        session = caller_of(self._link).open(member, LOADER, self._stream_id, self._token)
        try:
            return RemoteLoader(self._link, session, run_id, self._target)
        except BaseException:
            session.close()
            raise


def remote_target(
    spec: ConnectorSpec, link: NatsLink, stream_id: str, token: int, writers: Callable[[], Sequence[str]]
) -> ConnectorSpec:
    """The connector of a target whose loaders may be in other processes, see `RemoteTarget`."""
    make = spec.target
    if make is None:
        return spec

    def made(settings: ConnectionSettings, options: RunOptions) -> Target:
        return RemoteTarget(make(settings, options), link, stream_id, token, writers)

    return replace(spec, target=made)


def _never() -> bool:
    return False
