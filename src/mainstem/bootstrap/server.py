"""Wires the control plane with its store, and serves the API."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mainstem import log
from mainstem.api import pages
from mainstem.api.app import make_app, make_probed_app
from mainstem.api.browsers import LOCAL_NAMES
from mainstem.api.services import Services
from mainstem.bootstrap.home import make_home
from mainstem.bootstrap.hubs import InMemory, OnNats, hubs
from mainstem.bootstrap.roles import Runs, roles_of, serving
from mainstem.bootstrap.traces import traces
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
from mainstem.control.members import Role, this_process
from mainstem.control.query_exports import QueryExports
from mainstem.control.query_history import QueryHistory
from mainstem.control.reach import Systems
from mainstem.control.replications import Replications
from mainstem.control.secrets import open_box
from mainstem.control.sessions import TICKET_S, Sessions
from mainstem.control.streams import Streams
from mainstem.control.supervisor import Supervisor
from mainstem.errors import ConflictError, InvalidError
from mainstem.model.ids import new_id
from mainstem.settings import LogFormat, Settings
from mainstem.store.sql import SqlStore

_STOP_GRACE_S = 10
_THREADS = 40  # as many as Starlette has for requests that are no coroutines
KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep idle connections (nginx: 60 s): who closes first never drops a request."""
_log = log.logger(__name__)


@contextmanager
def control_plane(settings: Settings) -> Iterator[tuple[Services, str | None]]:
    """The control plane of a server, running; and the first API key, if it was made just now.

    Raises:
        ConflictError: another server has this store to itself.
        InvalidError: the secret key is not the store's, or what a role needs is not set.
    """
    roles = roles_of(settings)
    make_home(settings)
    store = SqlStore(settings.resolved_store_url)
    with ExitStack() as stack:
        stack.callback(store.close)
        store.claim()
        install_id = store.setdefault("install_id", new_id("install"))
        hub = settings.hub.get_secret_value() if settings.hub else ""
        hubs_of = stack.enter_context(hubs(hub, install_id.removeprefix("install_")))
        fleet = Fleet.of(store.fleet, this_process(roles, _address(settings)), shared=store.is_shared)
        plane = _services(settings, store, fleet, hubs_of, install_id)
        claims = Claims(fleet, plane.supervisor, plane.streams.ends, hubs_of.probe)
        plane.supervisor.start()
        try:
            first = _first_key(plane.keys, fleet)
            stack.enter_context(serving(hubs_of, fleet, plane.streams.ends_of))
            plane.streams.go_on()
            claims.start()
            yield plane, first
        finally:
            plane.broadcaster.close()
            plane.consoles.close()
            claims.close()
            plane.supervisor.close()


def _services(
    settings: Settings, store: SqlStore, fleet: Fleet, hubs_of: InMemory | OnNats, install_id: str
) -> Services:
    secret, api_key = settings.secret_key, settings.api_key
    box = open_box(store, settings.home / "secret.key", secret.get_secret_value() if secret else None)
    keys = ApiKeys(store, api_key.get_secret_value() if api_key else None)
    registry, broadcaster = Registry.installed(), Broadcaster()
    connections = Connections(store, box, registry)
    configs = Configs(store, connections)
    consoles = Consoles(connections, QueryHistory(store), store)
    runs = Runs(hubs_of, fleet)
    supervisor = Supervisor(store, broadcaster, runs, fleet, runs.through)
    streams = Streams(store, configs, supervisor, fleet, settings.max_active_streams)
    return Services(
        store, keys, connections, configs, streams, Replications(streams, supervisor), Systems(registry),
        Explorer(registry, Freshness(store)), supervisor, broadcaster, install_id, str(settings.home / "exports"),
        tuple(settings.cors_origins), is_loopback(settings.host), Sessions(store, box, keys), _hosts(settings),
        consoles, QueryExports(consoles, store, box), fleet, hubs_of.traffic,
    )  # fmt: skip


def _first_key(keys: ApiKeys, fleet: Fleet) -> str | None:
    """The first API key, if it is made by this process; of several that begin at once, one does."""
    if not fleet.members.has(Role.API):
        return None
    with fleet.alone("first key"):
        return keys.make_first()


def _address(settings: Settings) -> str:
    """Where this process serves HTTP, for people who look for it; it knows no name that a proxy gives it."""
    host = settings.host
    try:
        everywhere = ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    return f"http://{_shown(socket.gethostname() if everywhere else host)}:{settings.port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hosts(settings: Settings) -> frozenset[str]:
    """Names that browsers may use: this machine's own on loopback, any elsewhere, unless the setting lists them."""
    listed = {host.lower() for host in settings.allowed_hosts}
    if not listed and not is_loopback(settings.host):
        return frozenset()
    return frozenset(listed | LOCAL_NAMES)


class _Server(uvicorn.Server):
    """Ends the live log when it is told to stop, which would else keep connections open."""

    def __init__(self, config: uvicorn.Config, broadcaster: Broadcaster) -> None:
        super().__init__(config)
        self._broadcaster = broadcaster

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._broadcaster.close()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Run the server until SIGINT or SIGTERM; streams that run then can be resumed later.

    The first API key is shown on stdout, once, and never logged.

    Raises:
        ConflictError: the port is taken, or another server uses the store.
        InvalidError: a setting is wrong.
    """
    json_lines = {LogFormat.JSON: True, LogFormat.CONSOLE: False}.get(settings.log_format)
    log.configure(settings.log_level, file=settings.log_file, json_lines=json_lines)
    with _listening(settings) as listener, _deaf_to_signals(), traces(settings.traces, roles=settings.role):
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        with control_plane(settings) as (services, first):
            if first is not None:
                print(f"API key (shown once): {first}", flush=True)
            app = _told_of(services, settings)
            config = uvicorn.Config(
                app, log_config=None, access_log=False, http="h11", ws="none", loop="asyncio",
                timeout_graceful_shutdown=_STOP_GRACE_S, timeout_keep_alive=KEEP_ALIVE_S, server_header=False,
                lifespan="off",
            )  # fmt: skip
            asyncio.run(_serve(_Server(config, services.broadcaster), listener))


async def _serve(server: _Server, listener: socket.socket) -> None:
    """Serve, with threads enough for requests that wait for systems elsewhere: by itself a small machine has six."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "request"))
    await server.serve(sockets=[listener])


def _told_of(services: Services, settings: Settings) -> FastAPI:
    """What is served, and where: all of it by a process with role api, else only what looks after the process."""
    url = f"http://{_shown(settings.host)}:{settings.port}"
    if not services.fleet.members.has(Role.API):
        print(f"Mainstem ({settings.role}) answers at {url}/health, /ready and /metrics", flush=True)
        return make_probed_app(services)
    print(f"Mainstem listens on {url}/api/v1 (docs at {url}/docs)", flush=True)
    _tell_of_pages(services, url)
    if not is_loopback(settings.host):
        _log.warning("the API is open to other machines, and speaks plain HTTP: put TLS in front of it")
    return make_app(services)


def _tell_of_pages(services: Services, url: str) -> None:
    if not pages.is_built():
        print(pages.NOT_BUILT, end="", flush=True)
        return
    link = f"{url}/signin#ticket={services.sessions.ticket()}"
    print(f"Web UI: {link} (signs in once, within {TICKET_S // 60} minutes)", flush=True)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The socket, bound before anything else happens, so that a port that is taken leaves nothing behind."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise InvalidError(
            f"there is no address {settings.host!r} to listen on",
            fields={"MAINSTEM_HOST": "is not an address of this machine"},
            remedy="use 127.0.0.1, or 0.0.0.0 for all of them",
        ) from exc
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as exc:
            raise ConflictError(
                f"{settings.host}:{settings.port} cannot be listened on: {exc.strerror}",
                remedy="choose another port with --port or MAINSTEM_PORT",
                setting="MAINSTEM_PORT",
            ) from exc
        yield listener


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Let uvicorn alone answer signals.

    Once it has ended, it sends itself the signal that ended it again; with the system's own handler the process would
    die of that before the streams are brought to an end in order.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    return


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
