"""A log that another process follows: the side that reads it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mainstem import failpoints
from mainstem.contract.changes import ChangeSource, ChangeStream, GroupLimits
from mainstem.contract.spans import sending
from mainstem.errors import MainstemError
from mainstem.hub.link import NatsLink
from mainstem.hub.sending import SendingLane
from mainstem.log import logger
from mainstem.model.batch import Place
from mainstem.model.stream import StreamTable

STREAM = "stream"
"""The kind under which it is offered."""
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """Where and how a stream begins, see `contract.changes.ChangeSource.stream`."""

    origin: str
    position: str
    tables: tuple[StreamTable, ...]
    limits: GroupLimits
    keep: str


class StreamDesk:
    """One stream: its groups go into a lane, the rest by calls."""

    def __init__(self, link: NatsLink, stream_id: str, changes: ChangeSource) -> None:
        self._link, self._stream_id, self._changes = link, stream_id, changes
        self._stream: ChangeStream | None = None
        self._lane: SendingLane | None = None
        self._pump: threading.Thread | None = None
        self._error: MainstemError | None = None
        self._interrupted = False

    def start(self, start: Start, place: Place) -> None:
        """Begin to read into a lane. Raises as `contract.changes.ChangeSource.stream`."""
        stream = self._changes.stream(start.origin, start.position, start.tables, start.limits, start.keep)
        self._stream = stream.__enter__()
        self._lane = SendingLane(self._link, place)
        run = contextvars.copy_context().run
        self._pump = threading.Thread(
            target=run, args=(self._read, stream, self._lane), name="stream-reader", daemon=True
        )
        self._pump.start()
        if self._interrupted:
            self.interrupt()

    def outcome(self) -> None:
        """Wait until nothing more comes into the lane, and raise why."""
        if self._pump is not None:
            self._pump.join()
        if self._error is not None:
            raise self._error

    def settle(self, table: StreamTable | None) -> None:
        """See `contract.changes.ChangeStream.settle`."""
        self._opened.settle(table)

    def answer(self, number: int, taken: bool) -> None:
        """See `contract.changes.ChangeStream.answer`."""
        self._opened.answer(number, taken)

    def confirm(self, position: str) -> None:
        """See `contract.changes.ChangeStream.confirm`."""
        self._opened.confirm(position)

    def interrupt(self) -> None:
        """Break off, for good."""
        self._interrupted = True
        if self._stream is not None:
            self._stream.interrupt()
        if self._lane is not None:
            self._lane.cancel()

    def close(self) -> None:
        """Close lane and connections."""
        self.interrupt()
        if self._pump is not None:
            self._pump.join()
        if self._stream is not None:
            self._stream.__exit__(None, None, None)
        if self._lane is not None:
            self._lane.release()

    @property
    def _opened(self) -> ChangeStream:
        if self._stream is None:
            raise MainstemError("a stream is used before it was started")
        return self._stream

    def _read(self, stream: ChangeStream, lane: SendingLane) -> None:
        try:
            for frame in stream.groups():
                failpoints.hit("remote.read")
                with sending(self._stream_id, frame):
                    lane.publish(frame)
                del frame  # which may be large, while the next one is read
                failpoints.hit("remote.published")
        except MainstemError as exc:
            self._error = exc
        except Exception:
            _log.exception("reading the log failed")
            self._error = MainstemError("reading the log failed; the reader's log says how")
        try:
            lane.close()
        except MainstemError as exc:
            self._error = self._error or exc


@contextmanager
def stream_desk(link: NatsLink, stream_id: str, changes: Callable[[], ChangeSource]) -> Iterator[StreamDesk]:
    """A desk for one session."""
    desk = StreamDesk(link, stream_id, changes())
    try:
        yield desk
    finally:
        desk.close()
