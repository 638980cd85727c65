"""Wires the control plane with its store, and serves the API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import uvicorn

from mainstem import log
from mainstem.api.app import make_app
from mainstem.api.services import Services
from mainstem.bootstrap import conversion
from mainstem.contract.registry import Registry
from mainstem.control.configs import Configs
from mainstem.control.connections import Connections
from mainstem.control.events import Broadcaster
from mainstem.control.keys import ApiKeys
from mainstem.control.reach import Systems
from mainstem.control.secrets import open_box
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor
from mainstem.model.ids import new_id
from mainstem.settings import Settings
from mainstem.store.sql import SqlStore

_STOP_GRACE_S = 10


@contextmanager
def api_keys(settings: Settings) -> Iterator[ApiKeys]:
    """The API keys of the store, for the command line; may be used beside a running server."""
    store = SqlStore(settings.resolved_store_url)
    try:
        yield ApiKeys(store)
    finally:
        store.close()


@contextmanager
def control_plane(settings: Settings) -> Iterator[tuple[Services, str | None]]:
    """The control plane of a server, running; and the first API key, if it was made just now.

    Raises:
        ConflictError: another server uses this store.
        InvalidError: the secret key is not the store's.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = SqlStore(settings.resolved_store_url)
    try:
        store.claim()
        secret, api_key = settings.secret_key, settings.api_key
        box = open_box(store, settings.home / "secret.key", secret.get_secret_value() if secret else None)
        keys = ApiKeys(store, api_key.get_secret_value() if api_key else None)
        first = keys.make_first()
        registry = Registry.installed()
        connections = Connections(store, box, registry)
        configs = Configs(store, connections)
        broadcaster = Broadcaster()
        supervisor = Supervisor(store, broadcaster, conversion)
        services = Services(
            store, keys, connections, configs, Streams(store, configs, supervisor, settings.max_active_streams),
            Systems(registry), supervisor, broadcaster, store.setdefault("install_id", new_id("install")),
            str(settings.home / "exports"), tuple(settings.cors_origins), is_loopback(settings.host),
        )  # fmt: skip
        supervisor.start()
        try:
            yield services, first
        finally:
            broadcaster.close()
            supervisor.close()
    finally:
        store.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """Ends the live log when it is told to stop, which would else keep connections open."""

    broadcaster: Broadcaster

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self.broadcaster.close()
        await super().shutdown()


def serve(settings: Settings) -> None:
    """Run the server until SIGINT or SIGTERM. The first API key is shown on stdout, once, and never logged."""
    log.configure(settings.log_level, file=settings.log_file)
    with control_plane(settings) as (services, first):
        if first is not None:
            print(f"API key (shown once): {first}", flush=True)
        config = uvicorn.Config(
            make_app(services), host=settings.host, port=settings.port, log_config=None, access_log=False,
            timeout_graceful_shutdown=_STOP_GRACE_S, server_header=False, lifespan="off",
        )  # fmt: skip
        server = _Server(config)
        server.broadcaster = services.broadcaster
        print(f"Mainstem listens on http://{settings.host}:{settings.port}/api/v1 (docs at /docs)", flush=True)
        asyncio.run(server.serve())
