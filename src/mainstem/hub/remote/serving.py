"""What a process that reads does for those that lead streams."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from mainstem.contract.changes import ChangeSource
from mainstem.contract.inspector import Inspector
from mainstem.contract.source import Snapshot
from mainstem.contract.spec import ConnectorSpec
from mainstem.errors import PlanError
from mainstem.hub.callserver import CallServer, Offer, Opening
from mainstem.hub.link import NatsLink
from mainstem.hub.remote.changes import CHANGES
from mainstem.hub.remote.inspecting import INSPECTOR
from mainstem.hub.remote.snapshotdesk import SNAPSHOT, SnapshotDesk, snapshot_desk
from mainstem.hub.remote.streamdesk import STREAM, StreamDesk, stream_desk
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions


class End(Protocol):
    """A system and its connector, as this process knows them by itself: no password passes through NATS."""

    @property
    def spec(self) -> ConnectorSpec:
        """The connector."""
        ...

    @property
    def settings(self) -> ConnectionSettings:
        """Where it is."""
        ...


Ends = Callable[[str], tuple[End, End, RunOptions]]
"""Source, target and options of a stream, by its id; raises `NotFoundError` for one that is not there."""


class Serving:
    """Serves one process's calls: its connections to sources are opened for streams that other processes lead.

    Attributes:
        server: where more may be offered, before it is opened.
    """

    def __init__(self, link: NatsLink, member_id: str, ends: Ends, *, reads: bool = True) -> None:
        self._link, self._ends = link, ends
        self._lock = threading.Lock()
        self._sources: dict[str, tuple[int, ChangeSource]] = {}
        self.server = CallServer(link, member_id)
        offers = {
            INSPECTOR: Offer(Inspector, self._inspector),
            SNAPSHOT: Offer(SnapshotDesk, self._snapshot),
            CHANGES: Offer(ChangeSource, self._changes),
            STREAM: Offer(StreamDesk, self._stream, exclusive=True),
        }
        for kind, offer in offers.items() if reads else ():
            self.server.offer(kind, offer)

    def __enter__(self) -> Serving:
        self.server.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.close()

    def _inspector(self, opening: Opening) -> AbstractContextManager[object]:
        source, _, _ = self._ends(opening.stream_id)
        return source.spec.inspector(source.settings)

    def _snapshot(self, opening: Opening) -> AbstractContextManager[object]:
        source, _, _ = self._ends(opening.stream_id)

        def make(origin: str, readers: int) -> AbstractContextManager[Snapshot]:
            if origin:
                return self._source_of(opening).snapshot(origin, readers)
            if source.spec.source is None:
                raise PlanError(f"{source.spec.title} cannot be a source yet")
            return source.spec.source(source.settings).snapshot(readers)

        return snapshot_desk(self._link, make)

    def _changes(self, opening: Opening) -> AbstractContextManager[object]:
        return nullcontext(self._source_of(opening))

    def _stream(self, opening: Opening) -> AbstractContextManager[object]:
        return stream_desk(self._link, opening.stream_id, lambda: self._source_of(opening))

    def _source_of(self, opening: Opening) -> ChangeSource:
        """A stream's log; one object as long as one process leads it: it may remember what it has seen."""
        with self._lock:
            known = self._sources.get(opening.stream_id)
            if known is not None and known[0] == opening.token:
                return known[1]
        source, _, options = self._ends(opening.stream_id)
        if source.spec.changes is None:
            raise PlanError(f"{source.spec.title} cannot be the source of a replication yet")
        made = source.spec.changes(source.settings, replace(options, token=opening.token))
        with self._lock:
            self._sources[opening.stream_id] = opening.token, made
        return made
