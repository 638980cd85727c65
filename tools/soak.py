"""A mixed workload with a stream that is killed and cut off at random, for as long as wanted; ends with a comparison.

    python -m tools.soak [--minutes 60] [--seed N] [--route mysql-postgresql] [--writers 2] [--ahead]

Everything random comes from the seed, which is printed: the transactions of the writers, when the stream is killed
(SIGKILL, at a failpoint or anywhere), frozen, or loses its connections. The target's bank is looked at all the time.
Every now and then the writers rest, and all tables are compared by the servers; so they are at the end.
"""

# ruff: noqa: S311 - random numbers that must be repeatable, not secret
from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tools.kill_matrix import LONG, PIECE_ROWS, Nudges, points
from tools.streamprocess import CDC, Job, StreamProcess
from tools.twins import ROUTES, Twins, send_early, twins
from tools.workload import ACCOUNTS, MYSQL, POSTGRES, REFUSED, STEPS, TOTAL, Session, Workload, bank_sum, prepare

from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.testing import servers
from mainstem.testing.proxy import Proxy

_LOOK_S, _EQUAL_S = 0.05, 300.0
_COMPARE_EVERY = 20  # disturbances
_SHAPES = ("CREATE TABLE shapes (id INT PRIMARY KEY, n INT)", "CREATE TABLE emptied (id INT PRIMARY KEY)")
_MOST_SHAPES = 100


@dataclass
class Auditor:
    """Looks at the target's bank from a thread of its own until `close`."""

    target: ConnectionSettings
    looks: int = 0
    torn: list[tuple[int, int]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="auditor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        with Session(self.target) as session:
            begun = False
            while not self._over.wait(_LOOK_S):
                try:
                    found = bank_sum(session)
                except REFUSED:  # there is no such table before the first copy
                    continue
                begun = begun or found[0] == ACCOUNTS
                self.looks += begun
                if begun and found != (ACCOUNTS, TOTAL):
                    self.torn.append(found)


class Soak:
    """One pair of databases, and what is done to the stream between them."""

    def __init__(self, ends: Twins, random: Random, folder: Path, writers: int, *, ahead: bool = False) -> None:
        self._ends, self._random = ends, random
        self._stack = ExitStack()
        self.proxies = [self._stack.enter_context(Proxy(end.port)) for end in (ends.source, ends.target)]
        through = [
            replace(end, port=proxy.port) for end, proxy in zip((ends.source, ends.target), self.proxies, strict=True)
        ]
        self._job = Job(
            new_id(STREAM), through[0], through[1], folder / "stream.log", CDC, group_rows=PIECE_ROWS * ahead
        )
        self._writers, self._longest = writers, LONG if ahead else STEPS
        if ahead:
            send_early(ends.source)
        self.done: dict[str, int] = {}
        self._stream: StreamProcess | None = None

    def run(self, seconds: float) -> str:
        """Until the time is over; what is wrong, or nothing."""
        prepare(self._ends.source)
        with Session(self._ends.source) as session:
            session.run(*_SHAPES)
        nudges, auditor = Nudges(self._ends, refuses=False), Auditor(self._ends.target)
        over, wrong, turn, rows = time.monotonic() + seconds, "", 0, 0
        try:
            while not wrong and time.monotonic() < over:
                turn += 1
                seed = self._random.randrange(10**9)
                with Workload(self._ends.source, seed, self._writers, 0.002, turn, self._longest) as writers:
                    for _ in range(_COMPARE_EVERY):
                        if turn < _MOST_SHAPES:
                            nudges.next()
                        self._disturb()
                        if time.monotonic() > over:
                            break
                rows += writers.rows
                wrong = self._compared(auditor)
                print(
                    f"{seconds - max(over - time.monotonic(), 0):6.0f} s  {rows:>10,} rows written  bank looked at"
                    f" {auditor.looks:,} times  {self.done}  {wrong or 'equal'}",
                    flush=True,
                )
        finally:
            auditor.close()
            nudges.close()
            if self._stream is not None:
                self._stream.kill()
            self._stack.close()
        return wrong

    def _compared(self, auditor: Auditor) -> str:
        if auditor.torn:
            return f"the target's bank was seen with {auditor.torn[:3]}"
        if self._stream is not None:
            self._stream.kill()  # it may be one that is still to be killed at a failpoint
        stream = self._running()
        differing = self._ends.wait_until_equal(deadline_s=_EQUAL_S)
        if differing:
            return f"differs: {[(item.name, item.source, item.target) for item in differing]}\n{stream.story()}"
        return "" if stream.alive else f"the stream ended\n{stream.story()}"

    def _running(self, failpoint: str = "") -> StreamProcess:
        """The stream; started if it does not run."""
        if self._stream is None or not self._stream.alive:
            self._stream = StreamProcess(replace(self._job, failpoints=failpoint))
            self._stream.__enter__()
        return self._stream

    def _disturb(self) -> None:
        """One of the things that happen, and some time afterwards."""
        choice = self._random.choice(("kill", "kill", "failpoint", "reset", "hang up", "freeze", "nothing"))
        self.done[choice] = self.done.get(choice, 0) + 1
        stream = self._running()
        if choice == "kill":
            stream.kill()
        elif choice == "failpoint":
            stream.kill()
            self._running(f"{self._random.choice(points())}=kill@{self._random.randrange(1, 5)}")
        elif choice == "reset":
            self._random.choice(self.proxies).reset()
        elif choice == "hang up":
            self._random.choice(self.proxies).hang_up()
        elif choice == "freeze":
            os.kill(stream.process.pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(0.1, 2))
            os.kill(stream.process.pid, signal.SIGCONT)
        time.sleep(self._random.uniform(0.2, 3))


def main() -> int:
    """The command: 0 when all was equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="in all; shared by the routes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--route", default="", metavar="SOURCE-TARGET", help="one of the four; all are the default")
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--ahead", action="store_true", help="long transactions, sent and applied while under way")
    given = parser.parse_args()
    routes = [route for route in ROUTES if given.route in "-".join(route)]
    print(f"python -m tools.soak --minutes {given.minutes:g} --seed {given.seed} --writers {given.writers}"
          f"{f' --route {given.route}' if given.route else ''}{' --ahead' * given.ahead}", flush=True)  # fmt: skip
    with (
        servers.mariadb() as mysql,
        servers.postgres(servers.system_postgres_bin()) as older,
        servers.postgres() as newer,
        tempfile.TemporaryDirectory() as folder,
    ):
        here = {MYSQL: mysql.settings, POSTGRES: older.settings}
        there = {MYSQL: mysql.settings, POSTGRES: newer.settings}
        for route in routes:
            print("-".join(route), flush=True)
            with twins(here[route[0]], there[route[1]]) as ends:
                work = Path(tempfile.mkdtemp(dir=folder))
                soak = Soak(ends, Random(f"{given.seed}/{route}"), work, given.writers, ahead=given.ahead)
                wrong = soak.run(given.minutes * 60 / len(routes))
            if wrong:
                print(f"NOT EQUAL, seed {given.seed}: {wrong}", flush=True)
                return 1
    print(f"all equal, seed {given.seed}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
