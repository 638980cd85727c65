"""The connector of a source that other processes read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mainstem.contract.changes import ChangeSource
from mainstem.contract.source import Source
from mainstem.contract.spec import ConnectorSpec
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHubs
from mainstem.hub.remote.changes import RemoteChanges
from mainstem.hub.remote.inspecting import remote_inspector
from mainstem.hub.remote.readers import Readers
from mainstem.hub.remote.snapshots import RemoteSource
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions

MEMORY_BYTES = RunOptions().memory_bytes


def remote_source(
    spec: ConnectorSpec,
    link: NatsLink,
    stream_id: str,
    token: int,
    readers: Callable[[], Sequence[str]],
    memory_bytes: int = MEMORY_BYTES,
) -> ConnectorSpec:
    """The connector of a run's source, whose inspectors, snapshots and logs are another process's.

    Rows of its snapshots are `PlacedBatch`es: whoever writes them has to fetch them (`hub.remote.loading`). What the
    engine has between its own readers and writers may then be memory: rows pass through NATS before.

    Args:
        token: of the lease on the stream.
        readers: the processes that can read, by their members' ids, as they are known now.
        memory_bytes: bound of what waits on its way.
    """
    chosen, hubs = Readers(link, stream_id, token, readers), NatsHubs(link, stream_id)
    changes = spec.changes

    def source(settings: ConnectionSettings) -> Source:
        return RemoteSource(chosen, hubs, memory_bytes)

    def changed(settings: ConnectionSettings, options: RunOptions) -> ChangeSource:
        if changes is None:
            raise ValueError(f"{spec.name} has no log")
        return RemoteChanges(changes(settings, options), chosen, hubs, memory_bytes)

    return replace(
        spec,
        inspector=remote_inspector(spec.inspector, chosen),
        source=source if spec.source else None,
        changes=changed if changes else None,
    )
