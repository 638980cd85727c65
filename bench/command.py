"""Runs a command and says what it cost; runs ``mainstem copy`` as a user does, start-up and checks included."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from mainstem.model.connection import ConnectionSettings

_FEW_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took.

    Attributes:
        cpu_s: of itself and its children, without the servers'.
        peak_mib: the most memory of its process, by the kernel (getrusage(2), ru_maxrss). Mainstem is one process.
        rows, size: rows written and bytes read, where it says so.
        source_share, target_share: of the time that lanes were open, in which readers were blocked by the source and
            writers by the target.
    """

    seconds: float
    cpu_s: float
    peak_mib: float
    rows: float = 0
    size: float = 0
    source_share: float = 0.0
    target_share: float = 0.0

    def __str__(self) -> str:
        told = f"{self.seconds:6.2f} s   own CPU {self.cpu_s:5.2f} s"
        if self.rows:
            few = self.rows < _FEW_ROWS
            per = self.cpu_s / self.size * 2**30 if few else self.cpu_s / self.rows * 1e6
            told += f" ({per:5.2f} s per {'GiB' if few else 'million rows'})"
            told += f"   waits for source {self.source_share:4.0%}, target {self.target_share:4.0%}"
        return f"{told}   peak {self.peak_mib:4.0f} MiB"


def run(command: Sequence[str], folder: str | None = None, environment: Mapping[str, str] | None = None) -> Cost:
    """A command's cost; ends the benchmark when it fails."""
    return _run(command, folder, environment)[0]


def _run(command: Sequence[str], folder: str | None, environment: Mapping[str, str] | None) -> tuple[Cost, bytes]:
    begin = time.perf_counter()
    process = subprocess.Popen(
        list(command), cwd=folder, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as stdout:
        out = stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed:\n{out.decode(errors='replace')[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), out


def mainstem(source: ConnectionSettings, target: ConnectionSettings, *options: str) -> Cost:
    """``mainstem copy`` from one database to the other."""
    command = [sys.executable, "-m", "mainstem", "copy", "--json", *options, url(source), url(target)]
    cost, out = _run(command, None, None)
    document = json.loads(out)
    if "waits" not in document:  # a dry run
        return cost
    total, lanes = document["total"], document["waits"]["lanes"] or 1
    shares = (document["waits"][side] / lanes for side in ("source", "target"))
    return Cost(cost.seconds, cost.cpu_s, cost.peak_mib, total["rowsWritten"], total["bytes"], *shares)


def url(settings: ConnectionSettings) -> str:
    """As the command line takes it."""
    return f"{settings.type}://{settings.username}:{settings.password}@127.0.0.1:{settings.port}/{settings.database}"


def medians(costs: Sequence[Cost]) -> Cost:
    """Each figure's own median."""
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs), strict=True)))
