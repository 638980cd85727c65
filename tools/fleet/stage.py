"""Where it happens: servers, processes, and one stream between two databases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
from tools.twins import Twins
from tools.workload import POSTGRES

from mainstem.model.connection import ConnectionSettings
from mainstem.testing.fleet import Fleet, Node, store_url
from mainstem.testing.nats import NatsServer, nats, nats_cluster
from mainstem.testing.proxy import Proxy
from mainstem.testing.servers import Restartable, restartable_postgres

SPLIT = {"api": "api", "reader1": "reader", "reader2": "reader", "writer1": "writer", "writer2": "writer"}
WHOLE = {"server1": "all", "server2": "all", "server3": "all"}
TAKEN_OVER_S = 10.0
"""Within so long another process must go on with the work of one that was killed."""
_CALL_S = 60.0
_OVER = ("STOPPED", "FAILED", "FINISHED")


@dataclass
class Stage:
    """The installation: its processes, and what they share."""

    fleet: Fleet
    hub: list[NatsServer]
    store: ConnectionSettings
    store_server: Restartable | None = None

    def call(self, method: str, path: str, body: Any = None, deadline_s: float = _CALL_S) -> Any:
        """A call to any API server that answers; repeated while none does.

        Raises:
            AssertionError: none has answered well in time.
        """
        deadline, said = time.monotonic() + deadline_s, "no API server runs"
        while time.monotonic() < deadline:
            for node in self.fleet.of_role("api"):
                try:
                    answer = httpx.request(
                        method, f"{node.url}/api/v1{path}", json=body, headers={"X-API-Key": self.fleet.key}, timeout=20
                    )
                except httpx.HTTPError as exc:
                    said = f"{node.name}: {type(exc).__name__}"
                    continue
                if answer.is_success:
                    return answer.json() if answer.content else None
                said = f"{node.name}: {answer.status_code} {answer.text[:500]}"
                if answer.status_code < 500 and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    raise AssertionError(f"{method} {path}: {said}")
            time.sleep(0.2)
        raise AssertionError(f"{method} {path}: {said}")

    def ask_store(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the store's database itself; nothing while it is away."""
        url = store_url(self.store).replace("+psycopg", "")
        try:
            with psycopg.connect(url, connect_timeout=2, autocommit=True) as connection:
                return connection.execute(question.encode(), values).fetchall()
        except psycopg.Error:
            return []

    def node_of_pid(self, pid: int) -> Node | None:
        """The process that has this id now."""
        return next((node for node in self.fleet.nodes.values() if node.alive and node.pid == pid), None)


@dataclass
class LiveStream:
    """One stream, made and started through the API; the databases are reached through proxies.

    Attributes:
        proxies: to the source and to the target.
    """

    stage: Stage
    ends: Twins
    proxies: tuple[Proxy, Proxy]
    id: str = ""
    made: list[str] = field(default_factory=list)

    def start(self, mode: str = "cdc", **more: Any) -> LiveStream:
        """Make connections and a config, and start it. ``more`` are fields of the config."""
        ids = []
        for end, proxy in zip((self.ends.source, self.ends.target), self.proxies, strict=True):
            body = {
                "name": f"{end.database}", "type": end.type, "host": end.host, "port": proxy.port,
                "username": end.username, "password": end.password, "database": end.database,
            }  # fmt: skip
            ids.append(self.stage.call("POST", "/connections", body)["id"])
        config = {
            "name": f"{self.ends.source.database}-{self.ends.target.database}",
            "mode": mode,
            "source": {"connections": [{"connectionId": ids[0]}]},
            "target": {"id": ids[1]},
            **more,
        }
        made = self.stage.call("POST", "/stream-configs", config)["id"]
        self.id = self.stage.call("POST", f"/stream-configs/{made}/start")["id"]
        return self

    def stats(self) -> dict[str, Any]:
        """As the API tells them."""
        found: dict[str, Any] = self.stage.call("GET", f"/streams/{self.id}/stats")
        return found

    def lease(self) -> tuple[int, Node | None]:
        """Its token, and the process that holds it (None: nobody that runs)."""
        rows = self.stage.ask_store(
            "SELECT l.token, m.pid FROM leases l LEFT JOIN members m ON m.id = l.holder"
            " AND l.until_us > extract(epoch FROM clock_timestamp()) * 1000000 WHERE l.name = %s",
            f"stream/{self.id}",
        )
        if not rows:
            return 0, None
        token, pid = rows[0]
        return int(token), self.stage.node_of_pid(pid or 0)

    def leader(self, deadline_s: float = 60.0) -> Node:
        """The process that leads it; waits for one."""
        deadline = time.monotonic() + deadline_s
        while True:
            _, node = self.lease()
            if node is not None:
                return node
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody leads {self.id}\n{self.stage.fleet.story()}")
            time.sleep(0.05)

    def resync(self, table: str) -> None:
        """Have a table copied anew."""
        schema = "public" if self.ends.source.type == POSTGRES else self.ends.source.database
        self.stage.call("POST", f"/streams/{self.id}/tables/{schema}.{table}/resync")

    def stop(self) -> str:
        """End it for good; its state."""
        if self.stats()["status"] not in _OVER:
            self.stage.call("POST", f"/streams/{self.id}/stop")
        deadline = time.monotonic() + _CALL_S
        while (state := self.stats()["status"]) not in _OVER:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return str(state)


@contextmanager
def live_stream(stage: Stage, ends: Twins, mode: str = "cdc", **more: Any) -> Iterator[LiveStream]:
    """A stream between these databases; stopped at the end."""
    with Proxy(ends.source.port) as near, Proxy(ends.target.port) as far:
        stream = LiveStream(stage, ends, (near, far))
        try:
            yield stream.start(mode, **more)
        finally:
            if stream.id:
                stream.stop()


@contextmanager
def stage(
    folder: Path, *, cluster: int = 1, layout: Mapping[str, str] = SPLIT, options: str = "", **more: str
) -> Iterator[Stage]:
    """The whole installation, running.

    Args:
        cluster: how many servers of NATS.
        options: of ``MAINSTEM_HUB``.
        more: variables of every process.
    """
    with ExitStack() as stack:
        store = stack.enter_context(restartable_postgres(parent=folder))
        settings = replace(store.start().settings, database="postgres")
        hub = list(_hub(stack, cluster))
        found = Stage(Fleet(folder, settings, hub, options or _replicated(cluster)), hub, settings, store)
        stack.callback(found.fleet.close)
        for name, roles in layout.items():
            found.fleet.add(name, roles, **more)
        found.fleet.start()
        yield found


def _hub(stack: ExitStack, servers: int) -> list[NatsServer]:
    if servers == 1:
        return [stack.enter_context(nats())]
    return stack.enter_context(nats_cluster(servers, advertise=False))


def _replicated(servers: int) -> str:
    return f"replicas={servers}" if servers > 1 else ""
