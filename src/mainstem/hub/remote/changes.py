"""A source's log that is read in another process: the side that leads the stream."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from mainstem import tracing
from mainstem.contract.changes import ChangeSource, GroupLimits, Retention
from mainstem.contract.source import Snapshot
from mainstem.errors import CancelledError, LostConnectionError, MainstemError
from mainstem.hub.calls import CallSession
from mainstem.hub.lane import LaneLife
from mainstem.hub.nats import NatsHub
from mainstem.hub.receiving import ReceivingLane
from mainstem.hub.remote.readers import Readers
from mainstem.hub.remote.snapshots import remote_snapshot
from mainstem.hub.remote.streamdesk import STREAM, Start, StreamDesk
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable

CHANGES = "changes"
"""The kind under which the source itself is offered."""
_CONFIRM_S = 0.05


class RemoteStream:
    """See `contract.changes.ChangeStream`: groups come through a lane, from a reader that has its connection."""

    def __init__(self, session: CallSession, hub: NatsHub, start: Start) -> None:
        self._session, self._hub = session, hub
        self._life = LaneLife()
        self._receiving = ReceivingLane(hub.link, hub.place(0), self._life)
        session.when_over(self._life.fail)
        self._lock = threading.Lock()
        self._confirmed = ""  # what the reader has not been told yet
        self._timer: threading.Timer | None = None
        session.ask(StreamDesk.start, start, hub.place(0))

    def __enter__(self) -> RemoteStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            timer, position = self._timer, self._confirmed
        if timer is not None:
            timer.cancel()
        if position:
            with contextlib.suppress(MainstemError):
                self._session.ask(StreamDesk.confirm, position)
        self.close()

    def close(self) -> None:
        """End the session, and remove the lane."""
        self._session.close()
        self._receiving.release()
        self._hub.__exit__(None, None, None)

    def groups(self) -> Iterator[ChangeGroup | Idle]:
        """See `contract.changes.ChangeStream.groups`."""
        while (delivery := self._receiving.receive()) is not None:
            frame, trace = delivery.frame, delivery.trace
            del delivery
            if isinstance(frame, ChangeGroup | Idle):
                with tracing.resumed(trace):
                    yield frame
            del frame
        self._session.ask(StreamDesk.outcome)
        raise LostConnectionError("the reader of the source's log has ended")

    def settle(self, table: StreamTable | None) -> None:
        """See `contract.changes.ChangeStream.settle`."""
        self._session.ask(StreamDesk.settle, table)

    def answer(self, number: int, taken: bool) -> None:
        """See `contract.changes.ChangeStream.answer`."""
        self._session.ask(StreamDesk.answer, number, taken)

    def confirm(self, position: str) -> None:
        """See `contract.changes.ChangeStream.confirm`; told a little later, the last of those that come at once."""
        with self._lock:
            self._confirmed = position
            if self._timer is None:
                self._timer = threading.Timer(_CONFIRM_S, self._tell)
                self._timer.daemon = True
                self._timer.start()

    def _tell(self) -> None:
        with self._lock:
            position, self._confirmed, self._timer = self._confirmed, "", None
        with contextlib.suppress(MainstemError):
            self._session.tell(StreamDesk.confirm, position)

    def interrupt(self) -> None:
        """See `contract.changes.ChangeStream.interrupt`."""
        self._life.fail(CancelledError("the stream was interrupted"))


class RemoteChanges:
    """See `contract.changes.ChangeSource`.

    Args:
        here: of this process, for what needs no connection.
    """

    def __init__(
        self, here: ChangeSource, readers: Readers, make_hub: Callable[[int], NatsHub], memory_bytes: int
    ) -> None:
        self._here, self._readers, self._make_hub, self._memory_bytes = here, readers, make_hub, memory_bytes

    def open(self, stream_id: str, tables: Sequence[TableId], origin: str, position: str) -> tuple[str, str]:
        """See `contract.changes.ChangeSource.open`."""
        with self._readers.session(CHANGES) as session:
            return session.ask(ChangeSource.open, stream_id, tables, origin, position)

    def snapshot(self, origin: str, readers: int) -> AbstractContextManager[Snapshot]:
        """See `contract.changes.ChangeSource.snapshot`."""
        return remote_snapshot(self._readers, self._make_hub, self._memory_bytes, origin, readers)

    def stream(
        self, origin: str, position: str, tables: Sequence[StreamTable], limits: GroupLimits, keep: str = ""
    ) -> RemoteStream:
        """See `contract.changes.ChangeSource.stream`."""
        session = self._readers.open(STREAM)
        hub: NatsHub | None = None
        try:
            hub = self._make_hub(self._memory_bytes)
            return RemoteStream(session, hub, Start(origin, position, tuple(tables), limits, keep))
        except BaseException:
            session.close()
            if hub is not None:
                hub.__exit__(None, None, None)
            raise

    def reaches(self, origin: str, at: str, position: str) -> bool:
        """See `contract.changes.ChangeSource.reaches`."""
        return self._here.reaches(origin, at, position)

    def end_position(self) -> str:
        """See `contract.changes.ChangeSource.end_position`."""
        with self._readers.session(CHANGES) as session:
            return session.ask(ChangeSource.end_position)

    def retention(self, origin: str, position: str) -> Retention:
        """See `contract.changes.ChangeSource.retention`."""
        with self._readers.session(CHANGES) as session:
            return session.ask(ChangeSource.retention, origin, position)

    def close(self, origin: str) -> None:
        """See `contract.changes.ChangeSource.close`."""
        with self._readers.session(CHANGES) as session:
            session.ask(ChangeSource.close, origin)
