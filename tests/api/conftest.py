"""A real server: ``mainstem serve`` as a process on a free port with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.testing.servers import free_port

KEY = "a-planted-key-9f3c"


@dataclass(slots=True)
class Server:
    """A server process that can be ended and started again over the same home."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def start(self, **environment: str) -> None:
        self.home.mkdir(exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mainstem", "serve", "--port", str(self.port), "--home", str(self.home)],
                env={**os.environ, "MAINSTEM_API_KEY": KEY, **environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{self.url}/ready", timeout=2).raise_for_status()
                return
            except httpx.HTTPError:
                alive = self.process.poll() is None
                assert alive, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)

    def end(self, *, kill: bool = False) -> None:
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(120)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-API-Key": KEY}, timeout=120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("home"), free_port())
    running.start()
    yield running
    running.end()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test alone, not started."""
    running = Server(tmp_path / "home", free_port())
    yield running
    running.end()


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def body(settings: ConnectionSettings, name: str = "c") -> dict[str, Any]:
    """A connection as clients post it."""
    return {
        "name": name, "type": settings.type, "host": settings.host, "port": settings.port,
        "username": settings.username, "password": settings.password, "database": settings.database,
    }  # fmt: skip
