"""A replication in a process of its own, that can be killed at any point and started again.

Processes are forked from one that has loaded everything already, so that a start takes some milliseconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mainstem import bootstrap, failpoints
from mainstem.bootstrap.hubs import VARIABLE, hubs_of_command
from mainstem.contract.changes import GroupLimits
from mainstem.contract.registry import Registry
from mainstem.engine import streaming
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import ConflictError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Event
from mainstem.model.run import Mode, RunOptions

_CONTEXT = multiprocessing.get_context("forkserver")
_LOADED = [
    "mainstem.bootstrap", "mainstem.engine.replication", "mainstem.connectors.mysql", "mainstem.connectors.postgres",
    "mainstem.connectors.mysql.client", "mainstem.connectors.postgres.client", "tools.streamprocess",
]  # fmt: skip
ASKED = "asked"  # a line of the log: new copies were asked for
CDC = RunOptions(mode=Mode.CDC, retry_seconds=5.0, reporting_interval_s=0)


@dataclass(frozen=True, slots=True)
class Job:
    """What a process is to do.

    Attributes:
        log: a file for what happens, a line of JSON each; the last one of a process that was not killed tells how it
            ended.
        failpoints: as in ``MAINSTEM_FAILPOINTS``.
        anew: tables to copy anew as soon as it streams.
        hub: as in ``MAINSTEM_HUB``, which it is unless another is given.
        group_rows: the most that is read from the log at once, if that is to be less than usual.
    """

    run_id: str
    source: ConnectionSettings
    target: ConnectionSettings
    log: Path
    options: RunOptions = CDC
    failpoints: str = ""
    anew: tuple[str, ...] = ()
    hub: str = field(default_factory=lambda: os.environ.get(VARIABLE, ""))
    group_rows: int = 0


def work(job: Job) -> None:
    """What the process does: the stream until SIGTERM, or until it ends by itself. Exits with 1 if it failed."""
    failpoints._points = failpoints._parse(job.failpoints)
    if job.group_rows:
        streaming.GroupLimits = partial(GroupLimits, max_rows=job.group_rows)  # type: ignore[assignment,misc]
    with job.log.open("a", buffering=1) as log, hubs_of_command(job.hub) as hubs:

        def listen(event: Event) -> None:
            log.write(json.dumps(asdict(event), default=str) + "\n")

        find = Registry.installed().find
        source, target = Endpoint(find(job.source.type), job.source), Endpoint(find(job.target.type), job.target)
        replication = bootstrap.replication(job.run_id, source, target, job.options, listen, hubs=hubs)
        outcome: list[Any] = []
        thread = threading.Thread(target=lambda: outcome.append(replication.run()), name="replication")
        signal.signal(signal.SIGTERM, lambda *_: replication.stop())
        thread.start()
        asked = not job.anew
        while thread.is_alive():
            if not asked:
                with suppress(ConflictError):  # it does not stream yet
                    replication.resync(job.anew)
                    asked = True
                    log.write(json.dumps({ASKED: job.anew}) + "\n")
            thread.join(0.1)
        progress = outcome[0] if outcome else None
        ended = {"state": "DIED"} if progress is None else {
            "state": str(progress.state), "error": progress.error, "code": progress.error_code,
            "remedy": progress.remedy,
            "tables": {str(table.source): [str(table.state), table.error] for table in progress.tables},
        }  # fmt: skip
        log.write(json.dumps({"ended": ended}) + "\n")
    sys.stdout.flush()
    os._exit(0 if ended["state"] == "STOPPED" else 1)


def story(log: Path, most: int) -> str:
    """The last lines of a log, for people."""
    lines = log.read_text().splitlines() if log.exists() else []
    return "\n".join(lines[-most:])


@dataclass
class StreamProcess:
    """The process of a job; leaving the context kills it."""

    job: Job
    process: Any = field(init=False)

    def __enter__(self) -> StreamProcess:
        _CONTEXT.set_forkserver_preload(_LOADED)
        self.process = _CONTEXT.Process(target=work, args=(self.job,), daemon=True)
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self.process.is_alive())

    @property
    def code(self) -> int | None:
        """How it ended: minus a signal's number, or what it exited with."""
        code: int | None = self.process.exitcode
        return code

    def kill(self) -> None:
        """SIGKILL."""
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()

    def stop(self, deadline_s: float = 60.0) -> dict[str, Any]:
        """Have it end well; how it did."""
        self.process.terminate()
        self.process.join(deadline_s)
        if self.alive:
            raise AssertionError(f"the stream did not stop within {deadline_s:.0f} s\n{self.story()}")
        return self.ended()

    def ended(self) -> dict[str, Any]:
        """How a process that was not killed ended."""
        lines = self.job.log.read_text().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]).get("ended", {}) if lines else {}
        return found

    def story(self, most: int = 30) -> str:
        """The last that happened, for people."""
        return story(self.job.log, most)

    def wait(self, condition: Callable[[], bool], what: str, deadline_s: float = 120.0) -> None:
        """Until the condition is true; fails if the process ends before, or takes too long."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            if not self.alive:
                raise AssertionError(f"the stream ended ({self.code}) before {what}\n{self.story()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {deadline_s:.0f} s: {what}\n{self.story()}")
            time.sleep(0.02)
