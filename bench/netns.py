"""Machines of one's own on this one: network namespaces that meet at a bridge, so that what each sends can be counted.

Needs root and ``ip``; without, every machine is the loopback, and nothing is counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BRIDGE, NET = "mainstem0", "10.77.0"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a process runs.

    Attributes:
        prefix: goes before its command.
    """

    address: str
    prefix: tuple[str, ...] = ()
    device: str = ""

    def traffic(self) -> tuple[int, int]:
        """Bytes that it has sent and received."""
        if not self.device:
            return 0, 0
        of = Path("/sys/class/net") / self.device / "statistics"
        return int((of / "rx_bytes").read_text()), int((of / "tx_bytes").read_text())


@dataclass(slots=True)
class Network:
    """Hands out machines. ``home`` is where servers that all of them reach listen."""

    home: str = LOOPBACK
    _made: list[str] = field(default_factory=list)

    def machine(self) -> Machine:
        """A new one."""
        if self.home == LOOPBACK:
            return Machine(LOOPBACK)
        number = len(self._made) + 2
        name, device, address = f"mainstem-{number}", f"mainstem{number}", f"{NET}.{number}"
        ip("netns", "add", name)
        self._made.append(name)
        ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", device, "master", BRIDGE, "up")
        for words in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            ip("-n", name, *words.split())
        return Machine(address, ("ip", "netns", "exec", name), device)

    def close(self) -> None:
        """Take all of it down."""
        for name in self._made:
            ip("netns", "del", name)
        if self.home != LOOPBACK:
            ip("link", "del", BRIDGE)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def network() -> Iterator[Network]:
    """Namespaces where they can be had."""
    found = Network()
    try:
        if os.geteuid() == 0 and shutil.which("ip"):
            ip("link", "add", BRIDGE, "type", "bridge")
            found.home = f"{NET}.1"
            ip("addr", "add", f"{found.home}/24", "dev", BRIDGE)
            ip("link", "set", BRIDGE, "up")
        yield found
    finally:
        found.close()
