"""One route: a stream under load, struck again and again, and compared by the servers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from tools.fleet.faults import Strike
from tools.fleet.stage import TAKEN_OVER_S, LiveStream, Stage, live_stream
from tools.fleet.watch import Watch
from tools.kill_matrix import Nudges
from tools.twins import Twins
from tools.workload import Session, Workload, prepare

from mainstem.testing.fleet import wait_until

EQUAL_S, _STREAMS_S = 300.0, 90.0
SHAPES = ("CREATE TABLE shapes (id INT PRIMARY KEY, n INT)", "CREATE TABLE emptied (id INT PRIMARY KEY)")
_COMPARE_EVERY = 8  # faults
_PAUSE_S = 0.02  # of a writer, between transactions
CLEAR_S = 120.0


@dataclass(slots=True)
class Record:
    """One fault and what came of it.

    Attributes:
        at_s: since the beginning of the route.
        still_s: the longest time without a commit in the target, from the fault until all was well again.
        token: of the stream's lease before and behind it.
        taken_over: another process leads behind it.
        load: of the machine, over the last minute.
    """

    fault: str
    what: str
    others_go_on: bool
    at_s: float
    still_s: float
    token: tuple[int, int]
    taken_over: bool
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @property
    def late(self) -> bool:
        """Others had to go on, and took longer than they may."""
        return self.others_go_on and self.still_s > TAKEN_OVER_S


@dataclass
class Route:
    """What is known of a route at its end."""

    name: str
    records: list[Record] = field(default_factory=list)
    rows: int = 0
    transactions: int = 0
    looks: int = 0
    compared: int = 0
    wrong: str = ""


@dataclass
class Exercise:
    """A stream under load, and the means to strike it."""

    stage: Stage
    ends: Twins
    stream: LiveStream
    watch: Watch
    nudges: Nudges
    random: Random
    folder: Path
    route: Route
    begin: float = field(default_factory=time.monotonic)
    _turn: int = 0

    @contextmanager
    def load(self, pause_s: float = _PAUSE_S) -> Iterator[Workload]:
        """Writers at work until it is left, which rest so long between transactions."""
        self._turn += 1
        seed = self.random.randrange(10**9)
        with Workload(self.ends.source, seed, writers=2, pause_s=pause_s, turn=self._turn) as writers:
            yield writers
        self.route.rows += writers.rows
        self.route.transactions += writers.transactions

    def strike(self, fault: Strike) -> Record:
        """One fault, from a fleet in which all is well to one in which all is well again."""
        self.wait_until_commits()
        self.nudges.next()
        before, leader = self.stream.lease()
        steps = fault(self.stage, self.stream, self.random)
        struck = next(steps)
        commits = not struck.others_go_on or self.watch.commits_again(struck.at, CLEAR_S)
        for _ in steps:
            pass
        self.stage.fleet.start()
        commits = commits and self.watch.commits_again(time.monotonic(), CLEAR_S)
        still = self.watch.standstill(struck.at)
        token, now = self.stream.lease()
        record = Record(
            fault.__name__, struck.what, struck.others_go_on, struck.at - self.begin, still, (before, token),
            now is not leader and token > before,
        )  # fmt: skip
        self.route.records.append(record)
        self._write(record)
        if not commits:
            self.route.wrong = f"no commit within {CLEAR_S:.0f} s of {struck.what}\n{self.stage.fleet.story()}"
        return record

    def wait_until_commits(self) -> None:
        """The target moves."""
        if not self.watch.commits_again(time.monotonic(), CLEAR_S):
            raise AssertionError(f"the target stands still\n{self.stage.fleet.story()}")

    def compare(self) -> str:
        """What is wrong, once the writers rest; empty: nothing."""
        if self.watch.torn:
            return f"the target's bank was seen with {self.watch.torn[:3]}"
        differing = self.ends.wait_until_equal(deadline_s=EQUAL_S)
        self.route.compared += 1
        self.route.looks = self.watch.looks
        if differing:
            told = [(item.name, item.source, item.target, item.columns) for item in differing]
            return f"differs: {told}\n{self.stage.fleet.story()}"
        state = self.stream.stats()["status"]
        return "" if state == "RUNNING" else f"the stream is {state}\n{self.stage.fleet.story()}"

    def _write(self, record: Record) -> None:
        with (self.folder / "faults.jsonl").open("a") as log:
            log.write(json.dumps({"route": self.route.name, **asdict(record)}) + "\n")


@contextmanager
def exercise(stage: Stage, ends: Twins, seed: str, folder: Path, name: str = "") -> Iterator[Exercise]:
    """A stream that follows this source, with its tables and nobody at work yet."""
    prepare(ends.source)
    with Session(ends.source) as session:
        session.run(*SHAPES)
    with live_stream(stage, ends) as stream, Watch(ends.target) as watch:
        wait_until(
            lambda: stream.stats().get("stage") == "streaming", "the stream follows", _STREAMS_S, stage.fleet.story
        )
        nudges = Nudges(ends, refuses=False)
        try:
            yield Exercise(stage, ends, stream, watch, nudges, Random(seed), folder, Route(name))  # noqa: S311
        finally:
            nudges.close()


def strike_at_random(
    found: Exercise, faults: Sequence[Strike], seconds: float, tell: Callable[[Record], None]
) -> Route:
    """Strike until the time is over or something is wrong; compare every now and then, and at the end."""
    route, over = found.route, time.monotonic() + seconds
    while not route.wrong and time.monotonic() < over:
        order = found.random.sample(faults, len(faults))  # every fault has its turn
        for start in range(0, len(order), _COMPARE_EVERY):
            with found.load():
                for fault in order[start : start + _COMPARE_EVERY]:
                    tell(found.strike(fault))
                    if route.wrong or time.monotonic() > over:
                        break
            route.wrong = route.wrong or found.compare()
            if route.wrong or time.monotonic() > over:
                break
    return route
