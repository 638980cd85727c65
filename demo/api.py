"""The server as the demo starts it, and the calls that it makes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.stage import Stage
from mainstem.errors import ConnectError, ConnectReason, StatementError
from mainstem.testing.servers import free_port

START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Mainstem:
    """A running ``mainstem serve``. ``moved``: the port that was wanted is taken by someone else."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    moved: bool
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def sign_in_link(self) -> str:
        """A link that signs a browser in, once."""
        made = httpx.post(f"{self.url}/api/v1/session/tickets", headers={"X-API-Key": self.key}, timeout=10).json()
        return f"{self.url}{made['path']}"

    @classmethod
    @contextmanager
    def started(cls, folder: Path, wanted_port: int, key: str) -> Iterator[Mainstem]:
        """Start it with a home inside the folder, wait until it is ready; end it on leaving.

        It gets a session of its own, so that Ctrl-C in the terminal reaches the demo only, which ends things in order.
        """
        moved = taken(wanted_port)
        port = free_port() if moved else wanted_port
        home, log = folder / "mainstem", folder / "mainstem.log"
        home.mkdir(mode=0o700)
        command = [sys.executable, "-m", "mainstem", "serve", "--host", "127.0.0.1", "--port", str(port),
                   "--home", str(home)]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSTEM_")}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**environment, "MAINSTEM_API_KEY": key},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            server = cls(process, port, key, moved, log)
            server._wait_until_ready()
            yield server
        finally:
            process.terminate()
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                if httpx.get(f"{self.url}/api/v1/ready", timeout=2).is_success:
                    return
            except httpx.HTTPError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise ConnectError(f"mainstem serve did not start:\n{tail}", reason=ConnectReason.TIMEOUT)
            time.sleep(0.1)

    @contextmanager
    def client(self, stage: Stage) -> Iterator[Api]:
        """Calls with its key."""
        with httpx.Client(base_url=f"{self.url}/api/v1", headers={"X-API-Key": self.key}, timeout=60) as http:
            yield Api(http, stage)


class Api:
    """HTTP calls that are shown as they are made."""

    def __init__(self, http: httpx.Client, stage: Stage) -> None:
        self._http = http
        self._stage = stage

    def call(self, method: str, path: str, result: Callable[[Any], str], body: Any = None) -> Any:
        """Make a call, show it with what ``result`` makes of its answer, and return the answer."""
        answer = self._request(method, path, body)
        value = answer.json() if answer.content else None
        self._stage.call(method, path, answer.status_code, result(value) if answer.is_success else "")
        return self._checked(answer, value)

    def get(self, path: str) -> Any:
        """A call that is not worth a line."""
        answer = self._request("GET", path)
        return self._checked(answer, answer.json())

    def _request(self, method: str, path: str, body: Any = None) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body)
        except httpx.HTTPError as exc:
            raise ConnectError(f"mainstem serve does not answer: {exc}", reason=ConnectReason.OTHER) from exc

    @staticmethod
    def _checked(answer: httpx.Response, value: Any) -> Any:
        if not answer.is_success:
            said = value if isinstance(value, dict) else {}
            raise StatementError(
                f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {said.get('error')}",
                remedy=str(said.get("remedy") or ""),
            )
        return value


def taken(port: int) -> bool:
    """Whether someone listens on this port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
