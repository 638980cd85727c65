"""Several processes of ``mainstem serve`` on one machine, as if each were on one of its own.

Each process (a `Node`) has a port, a data folder and a log file, and reaches the store and the hub through proxies of
its own, which can be cut or stalled. Processes are started, killed, frozen and ended by their ids.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.nats import NatsServer
from mainstem.testing.proxy import Proxy
from mainstem.testing.servers import START_DEADLINE_S, free_port, stop_process

_READY = "/api/v1/ready"
_LINE = 300  # characters of a log's line that are told


@dataclass
class Links:
    """What lies between a process and the rest: a proxy to the store, and one to each server of the hub."""

    store: Proxy
    hub: list[Proxy]

    def all(self) -> list[Proxy]:
        """Every one of them."""
        return [self.store, *self.hub]


@dataclass
class Node:
    """One process.

    Attributes:
        name: of the process among those of the fleet, and of its files.
        roles: as in ``MAINSTEM_ROLE``.
        environment: the variables ``MAINSTEM_…`` that it gets.
        starts: how often it was started.
    """

    name: str
    roles: str
    folder: Path
    environment: dict[str, str]
    links: Links
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    starts: int = 0

    @property
    def log(self) -> Path:
        """What it wrote, over all its starts."""
        return self.folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether there is a process; it may be frozen."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process, also of one that has ended; 0 before the first."""
        return self.process.pid if self.process is not None else 0

    def start(self, *, wait: bool = True) -> Node:
        """Run it, and wait until it is ready."""
        command = [sys.executable, "-m", "mainstem", "serve", "--host", "127.0.0.1", "--port", str(self.port),
                   "--home", str(self.folder / self.name)]  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAINSTEM_")}
        self.starts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env={**inherited, **self.environment, "MAINSTEM_ROLE": self.roles},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """It says so."""
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._is_ready():
            if not self.alive or time.monotonic() > deadline:
                raise ConnectError(f"{self.name} did not start:\n{self.story()}", reason=ConnectReason.TIMEOUT)
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + _READY, timeout=2) as answer:  # noqa: S310 - a URL of ours
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL: as a machine that loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int | None:
        """End it in order; what it exited with."""
        if self.process is None:
            return None
        self.thaw()
        stop_process(self.process, signal.SIGTERM)
        return self.process.returncode

    def freeze(self) -> None:
        """SIGSTOP: nothing of it runs any more, and nobody is told."""
        if self.process is not None and self.alive:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        if self.process is not None and self.alive:
            self.process.send_signal(signal.SIGCONT)

    def story(self, most: int = 20) -> str:
        """The last that it wrote, for people."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(_shortened(line) for line in lines[-most:])


def _shortened(line: str) -> str:
    """A line of a log without where in the program it was."""
    try:
        said = json.loads(line)
    except ValueError:
        return line[:_LINE]
    cause = str(said.get("exception", "")).strip().rpartition("\n")[2]
    return f"{said.get('timestamp')} {said.get('level')} {said.get('event')} {cause}".strip()[:_LINE]


class Fleet:
    """The processes of one installation.

    Args:
        folder: for their data folders and logs.
        store: the database that is the store.
        hub: the servers of NATS; none: each process has its own memory.
        options: of ``MAINSTEM_HUB``, behind the ``?``.
    """

    def __init__(
        self, folder: Path, store: ConnectionSettings, hub: Sequence[NatsServer] = (), options: str = ""
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.failpoints = folder / "failpoints"
        self.key = f"fleet-{secrets.token_hex(12)}"
        self._folder, self._store, self._hub, self._options = folder, store, hub, options
        self._secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self._turn = itertools.count()

    def add(self, name: str, roles: str, **more: str) -> Node:
        """A process that is not started yet; ``more`` are variables, over ours."""
        links = Links(Proxy(self._store.port), [Proxy(server.port) for server in self._hub])
        hosts = ",".join(f"127.0.0.1:{proxy.port}" for proxy in links.hub)
        environment = {
            "MAINSTEM_STORE_URL": store_url(self._store, links.store.port),
            "MAINSTEM_HUB": f"nats://{hosts}?{self._options}" if hosts else "memory",
            "MAINSTEM_API_KEY": self.key,
            "MAINSTEM_SECRET_KEY": self._secret,
            "MAINSTEM_FAILPOINTS": f"@{self.failpoints}",
            "MAINSTEM_LOG_FORMAT": "json",
            **more,
        }
        node = Node(name, roles, self._folder, environment, links)
        self.nodes[name] = node
        return node

    def start(self) -> None:
        """Start all that do not run. The first one by itself: it makes the store's tables."""
        waiting = [node for node in self.nodes.values() if not node.alive]
        for node in waiting[:1]:
            node.start()
        for node in waiting[1:]:
            node.start(wait=False)
        for node in waiting[1:]:
            node.wait_until_ready()

    def close(self) -> None:
        """End all processes: in order, and else by force."""
        for node in self.nodes.values():
            if node.process is not None and node.alive:
                node.thaw()
                node.process.terminate()
        for node in self.nodes.values():
            node.stop()
            for proxy in node.links.all():
                proxy.close()

    def of_role(self, role: str) -> list[Node]:
        """The processes that have it and run."""
        return [node for node in self.nodes.values() if node.alive and role in roles_of(node)]

    def arm(self, place: str, action: str = "kill", nth: int = 1) -> None:
        """The first process that comes to this failpoint acts; no other."""
        written = self.failpoints.with_suffix(".new")
        written.write_text(f"{place}={action}@{nth}")
        written.replace(self.failpoints)

    @property
    def armed(self) -> bool:
        """Whether nobody came by yet."""
        return self.failpoints.exists()

    def disarm(self) -> None:
        """Nothing happens at any failpoint any more."""
        self.failpoints.unlink(missing_ok=True)

    def story(self, most: int = 20) -> str:
        """The last that each process wrote, for people."""
        return "\n".join(f"--- {node.name}\n{node.story(most)}" for node in self.nodes.values())


def roles_of(node: Node) -> frozenset[str]:
    """The roles by name."""
    given = {role.strip() for role in node.roles.split(",")}
    return frozenset({"api", "reader", "writer"} if "all" in given else given)


def store_url(store: ConnectionSettings, port: int = 0) -> str:
    """The URL of a database as ``MAINSTEM_STORE_URL`` has it; ``port`` of a proxy to it."""
    login = f"{quote(store.username, safe='')}:{quote(store.password, safe='')}"
    return f"postgresql+psycopg://{login}@{store.host}:{port or store.port}/{store.database}"


@contextmanager
def fleet(
    folder: Path,
    store: ConnectionSettings,
    layout: Mapping[str, str],
    hub: Sequence[NatsServer] = (),
    options: str = "",
    **more: str,
) -> Iterator[Fleet]:
    """Run a fleet; it ends with the context.

    Args:
        layout: roles by the name of the process.
        more: variables of every process.
    """
    made = Fleet(folder, store, hub, options)
    try:
        for name, roles in layout.items():
            made.add(name, roles, **more)
        made.start()
        yield made
    finally:
        made.close()


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float, told: Callable[[], str] = str) -> float:
    """Wait for a condition; after how many seconds it was true.

    Raises:
        AssertionError: it did not come true in time; ``told`` says what there was instead.
    """
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > deadline_s:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}\n{told()}")
        time.sleep(0.02)
    return time.monotonic() - begin
