"""What the screenshots show: the sample shop on servers of its own, copied, kept equal, and one stream that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from demo.api import Mainstem
from demo.customers import Customers
from demo.story import workspace

from demo import shop
from mainstem.connectors.postgres.client import connect as connect_postgres
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

KEY = "screens-0123456789abcdef"
DEADLINE_S = 180.0


@dataclass(slots=True)
class Scene:
    """A server with something to look at. ``ids`` names what was made, for addresses."""

    url: str
    http: httpx.Client
    ids: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """A call that must succeed."""
        answer = self.http.post(path, json=body)
        if not answer.is_success:
            raise RuntimeError(f"POST {path}: {answer.status_code} {answer.text}")
        found = answer.json()
        return found if isinstance(found, dict) else {}

    def until(self, stream: str, ready: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a stream's figures to be so."""
        deadline = time.monotonic() + DEADLINE_S
        while not ready(stats := self.http.get(f"/streams/{stream}/stats").json()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"stream {stream} is still {stats.get('status')}: {stats.get('error')}")
            time.sleep(0.2)


@contextmanager
def scene(rows: int, seconds: float) -> Iterator[Scene]:
    """The scene, with customers at work for so many seconds before it is handed out, and then on."""
    with workspace() as folder, ExitStack() as stack:
        mariadb = stack.enter_context(servers.mariadb(parent=folder)).settings
        postgres = stack.enter_context(servers.postgres(parent=folder)).settings
        shop.fill(mariadb, "shop", rows)
        with connect_postgres(replace(postgres, database="postgres")) as connection:
            for name in ("shop", "replica", "staging"):
                connection.execute(f"CREATE DATABASE {name}".encode())
        mainstem = stack.enter_context(Mainstem.started(folder, servers.free_port(), KEY))
        http = stack.enter_context(
            httpx.Client(base_url=f"{mainstem.url}/api/v1", headers={"X-API-Key": KEY}, timeout=60)
        )
        found = Scene(mainstem.url, http)
        source = replace(mariadb, database="shop")
        _connections(found, source, postgres)
        _streams(found)
        stack.enter_context(Customers(source))
        time.sleep(seconds)
        yield found


def empty(folder: Path) -> Any:
    """A server that nobody has used yet."""
    return Mainstem.started(folder, servers.free_port(), KEY)


def _connections(found: Scene, source: ConnectionSettings, target: ConnectionSettings) -> None:
    ends = {
        "Shop": source,
        "Warehouse": replace(target, database="shop"),
        "Replica": replace(target, database="replica"),
        "Staging": replace(target, database="staging"),
    }
    for name, settings in ends.items():
        body = {
            "name": name, "type": settings.type, "host": settings.host, "port": settings.port,
            "username": settings.username, "password": settings.password, "database": settings.database,
        }  # fmt: skip
        found.ids[name] = found.post("/connections", body)["id"]


def _streams(found: Scene) -> None:
    """One that has finished twice, one that follows, and one that finds its tables there and may not touch them."""
    _start(found, "Nightly copy", "Warehouse", "convert", schemaPolicy="drop_and_recreate")
    found.until(found.ids["Nightly copy"], lambda stats: stats["status"] == "FINISHED")
    again = found.post(f"/stream-configs/{found.ids['Nightly copy config']}/start")["id"]
    found.until(again, lambda stats: stats["status"] == "FINISHED")
    _start(found, "Live replica", "Replica", "cdc")
    found.until(found.ids["Live replica"], lambda stats: stats["stage"] == "streaming")
    _start(found, "Second try", "Warehouse", "convert", schemaPolicy="fail_if_exists")
    found.until(found.ids["Second try"], lambda stats: stats["status"] == "FAILED")


def _start(found: Scene, name: str, target: str, mode: str, **spec: Any) -> None:
    body = {
        "name": name,
        "mode": mode,
        "source": {"connections": [{"connectionId": found.ids["Shop"]}]},
        "target": {"id": found.ids[target], "spec": {"db": spec}},
    }
    config = found.post("/stream-configs", body)["id"]
    found.ids[f"{name} config"] = config
    found.ids[name] = found.post(f"/stream-configs/{config}/start")["id"]
