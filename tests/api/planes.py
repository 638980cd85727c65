"""Control planes without systems behind them, served on free ports of this process; several may share a store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from mainstem.api.app import make_app
from mainstem.api.services import Services
from mainstem.bootstrap.server import KEEP_ALIVE_S
from mainstem.contract.registry import Registry
from mainstem.control.browsing import Explorer
from mainstem.control.claims import Claims
from mainstem.control.configs import Configs
from mainstem.control.connections import Connections
from mainstem.control.console import Consoles
from mainstem.control.events import Broadcaster
from mainstem.control.fleet import Fleet
from mainstem.control.freshness import Freshness
from mainstem.control.keys import ApiKeys
from mainstem.control.members import this_process
from mainstem.control.query_exports import QueryExports
from mainstem.control.query_history import QueryHistory
from mainstem.control.reach import Systems
from mainstem.control.replications import Replications
from mainstem.control.secrets import SecretBox
from mainstem.control.sessions import Sessions
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor
from mainstem.engine.endpoint import Endpoint
from mainstem.model.run import RunOptions
from mainstem.store.sql import SqlStore
from mainstem.testing.servers import free_port
from tests.control.replica import Replica

KEY = "k" * 20
ENDS = (
    {"name": "a", "type": "mysql", "host": "h", "port": 1, "username": "u", "password": "p", "database": "shop"},
    {"name": "b", "type": "postgresql", "host": "h", "port": 1, "username": "u", "password": "p", "database": "d"},
)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a free port, in a thread of this process."""
    port = free_port()
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off", ws="none", timeout_keep_alive=KEEP_ALIVE_S)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    yield f"http://127.0.0.1:{port}/api/v1"
    server.should_exit = True
    thread.join(60)


@contextmanager
def prepared(store_url: str, runs: dict[str, Replica]) -> Iterator[FastAPI]:
    """The application of a server over this store, whose runs are stand-ins."""

    def make(run_id: str, source: Endpoint, target: Endpoint, options: RunOptions, listen: Any, begun: bool) -> Replica:
        runs[run_id] = Replica(run_id, source, target, options, listen, begun)
        return runs[run_id]

    store, registry = SqlStore(store_url), Registry.installed()
    keys, box = ApiKeys(store, KEY), SecretBox(b"k" * 32)
    connections = Connections(store, box, registry)
    configs, broadcaster = Configs(store, connections), Broadcaster()
    fleet = Fleet.of(store.fleet, this_process(), shared=store.is_shared)
    boss = Supervisor(store, broadcaster, make, fleet)
    kept = Streams(store, configs, boss, fleet)
    claims = Claims(fleet, boss, kept.ends)
    consoles = Consoles(connections, QueryHistory(store), store)
    services = Services(
        store, keys, connections, configs, kept, Replications(kept, boss), Systems(registry),
        Explorer(registry, Freshness(store)), boss, broadcaster, "install", "", (), True, Sessions(store, box, keys),
        frozenset(), consoles, QueryExports(consoles, store, box), fleet,
    )  # fmt: skip
    boss.start()
    claims.start()
    yield make_app(services)
    consoles.close()
    claims.close()
    boss.close(5)
    store.close()


@contextmanager
def serving(*apps: FastAPI) -> Iterator[list[httpx.Client]]:
    """A client of each."""
    with ExitStack() as stack:
        urls = [stack.enter_context(served(app)) for app in apps]
        clients = [
            stack.enter_context(httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=60)) for url in urls
        ]
        for client in clients:  # has FastAPI make its routes, which it can do in one thread at a time only
            client.get("nowhere")
        yield clients
        for app in apps:
            app.state.services.broadcaster.close()


def started(api: httpx.Client) -> str:
    """A stream of mode cdc that runs; its id."""
    ends = [api.post("connections", json=end).json()["id"] for end in ENDS]
    made = api.post("stream-configs", json={"source": ends[0], "target": ends[1], "mode": "cdc"})
    assert made.json()["mode"] == "cdc"
    answer = api.post(f"stream-configs/{made.json()['id']}/start")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])
