"""Control planes in this process, each with a member, threads and runs of its own; several may share a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mainstem.contract.fleet import Probe
from mainstem.contract.registry import Registry
from mainstem.contract.store import StreamRecord
from mainstem.control.claims import Claims
from mainstem.control.clock import now_us
from mainstem.control.configs import Configs
from mainstem.control.connections import Connections
from mainstem.control.events import Broadcaster
from mainstem.control.fleet import Fleet
from mainstem.control.members import ALL, Role, this_process
from mainstem.control.replications import Replications
from mainstem.control.secrets import SecretBox
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor
from mainstem.engine.endpoint import Endpoint
from mainstem.model.event import Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RunOptions, RunState
from mainstem.store.sql import SqlStore
from tests.control.replica import Replica


class Plane:
    """A process that is started by `start`."""

    def __init__(
        self, store: SqlStore, configs: Configs, roles: Iterable[Role] = ALL, probe: Probe | None = None
    ) -> None:
        self.store, self.configs = store, configs
        self.runs: dict[str, Replica] = {}
        self.fleet = Fleet.of(self.store.fleet, this_process(roles), shared=self.store.is_shared)
        self.supervisor = Supervisor(self.store, Broadcaster(), self._make, self.fleet)
        self.streams = Streams(self.store, self.configs, self.supervisor, self.fleet)
        self.replications = Replications(self.streams, self.supervisor)
        self.claims = Claims(self.fleet, self.supervisor, self.streams.ends, probe)
        self.ended = False

    @classmethod
    def at(cls, url: str, roles: Iterable[Role] = ALL, probe: Probe | None = None) -> Plane:
        """With the store at this address."""
        store = SqlStore(url)
        store.claim()
        return cls(store, Configs(store, Connections(store, SecretBox(b"k" * 32), Registry.installed())), roles, probe)

    def _make(
        self, run_id: str, source: Endpoint, target: Endpoint, options: RunOptions, listen: Callable[[Event], None],
        begun: bool,
    ) -> Replica:  # fmt: skip
        self.runs[run_id] = Replica(run_id, source, target, options, listen, begun)
        return self.runs[run_id]

    def start(self) -> Plane:
        self.supervisor.start()
        self.streams.go_on()
        self.claims.start()
        return self

    def new(self, config: Any, **more: Any) -> StreamRecord:
        """A stream that is not saved yet."""
        return StreamRecord(
            new_id(STREAM), now_us(), config.id, "shop", "cdc", config.source_id, config.target_id, config.body,
            RunState.READY, **more,
        )  # fmt: skip

    def begin(self, config: Any) -> Replica:
        record = self.new(config)
        self.supervisor.begin(record, *self.streams.ends(record))
        return self.runs[record.id]

    def state(self, run: Replica) -> RunState:
        return self.streams.get(run.run_id).state

    def log(self, run: Replica) -> list[str]:
        return [line.event.message for line in self.streams.logs(run.run_id, [], 100)]

    def leads(self, stream_id: str) -> bool:
        return self.supervisor.run_of(stream_id) is not None

    def kill(self) -> None:
        """End without a word: no thread of it does anything more, nothing is released or written down."""
        self.ended = True
        for rounds in (
            self.claims._rounds, self.supervisor._recorder, self.fleet.members._beats, self.fleet.orders._looks,
            *self.fleet.leases._rounds,
        ):  # fmt: skip
            rounds.close()
        for active in self.supervisor._active.values():
            active.lost = True

    def end(self) -> None:
        """End in order."""
        if not self.ended:
            self.ended = True
            self.claims.close()
            self.supervisor.close(5)
        self.store.close()
