"""Schema changes at random between rows at random, with a stream that is killed, stopped, and copies tables anew.

    python -m tools.schema_soak [--minutes 5] [--seed N] [--route mysql-postgresql]

After each round every table must be equal, or be told to wait with what to run; that is run, the table is copied anew,
and must be equal then. Every round begins with new databases, and all of it comes from the seed and the round's number.
"""

# ruff: noqa: S311 - random numbers that must be repeatable, not secret
from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random

from tools.compare import Side, _connection, _side, _texts
from tools.kill_matrix import points
from tools.schema_work import QUIET, SchemaWork, reached
from tools.streamprocess import CDC, Job, StreamProcess
from tools.twins import ROUTES, Twins, twins
from tools.workload import MYSQL, POSTGRES, REFUSED, Session

from mainstem.contract.apply import StreamBook
from mainstem.contract.registry import Registry
from mainstem.ddl.evolution import RUN
from mainstem.engine.evolution import IGNORED, RESYNC
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import TableState
from mainstem.model.stream import StreamTable
from mainstem.testing import servers

_DEADLINE_S, _SOON_S = 60.0, 20.0
_BEGUN = ("copied anew", "cannot be copied", "tables are copied", "planned", "snapshot with")
_WAITS = (TableState.PAUSED, TableState.FAILED)
_RUN = re.compile(r"run: (ALTER TABLE .*?)(?:; |$)")
_RUN_ALL = re.compile(rf"{RUN}(.*?)(?:; (?=column )|$)", re.DOTALL)


class Wrong(Exception):
    """What must not be."""


@dataclass
class Round:
    """One pair of databases."""

    ends: Twins
    random: Random
    folder: Path
    steps: int
    stream_id: str = field(default_factory=lambda: new_id(STREAM))
    followed: int = 0
    dropped: list[str] = field(default_factory=list)
    _stream: StreamProcess | None = None

    def __post_init__(self) -> None:
        self._job = Job(self.stream_id, self.ends.source, self.ends.target, self.folder / "stream.log", CDC)
        self.work = SchemaWork(self.ends.source, self.random, self.folder / "source.sql")
        self._target = Session(self.ends.target)

    def run(self) -> None:
        """Raises `Wrong`."""
        try:
            self.work.prepare()
            self._start()
            if self.random.random() < 0.7:
                self._wait_for_pulse()
            for _ in range(self.steps):
                self._step()
            self._check()
        finally:
            if self._stream is not None:
                self._stream.kill()
            self.work.session.connection.close()
            self._target.connection.close()

    def _start(self, *anew: str, failpoint: str = "") -> None:
        """Run the stream, if it does not."""
        if self._stream is not None and self._stream.alive:
            return
        self._look_at_end()
        self.work.note(f"start {anew} {failpoint}")
        self._stream = StreamProcess(replace(self._job, anew=anew, failpoints=failpoint))
        self._stream.__enter__()

    def _look_at_end(self) -> None:
        if self._stream is not None and self._stream.code not in (None, -9, -15, 0):  # -15: stopped before it had begun
            raise Wrong(f"the stream ended: {self._stream.code}")

    def _kill(self) -> None:
        if self._stream is not None:
            self.work.note("kill")
            self._look_at_end()
            self._stream.kill()

    def _stop(self) -> None:
        if self._stream is not None and self._stream.alive:
            self.work.note("stop")
            self._stream.process.terminate()
            self._stream.process.join(60)
            if self._stream.alive:
                raise Wrong("the stream does not stop")
            self._look_at_end()

    def _step(self) -> None:
        choice = self.random.random()
        if choice < 0.5:
            self.work.write()
        elif choice < 0.78:
            self.work.change()
        elif choice < 0.83:
            self.work.mixed()
        elif choice < 0.93:
            time.sleep(self.random.choice((0.02, 0.3, 0.3, 1.0)))
        else:
            self._disturb()

    def _disturb(self) -> None:
        choice = self.random.choice(("kill", "stop", "start", "start", "start", "failpoint", "resync"))
        if choice == "kill":
            self._kill()
        elif choice == "stop":
            self._stop()
        elif choice == "start":
            self._start()
        elif choice == "failpoint":
            self._kill()
            self._start(failpoint=f"{self.random.choice(points())}=kill@{self.random.randrange(1, 4)}")
        else:
            self._stop()
            names = [str(table.source.name) for table in self._tables() if table.source.name != QUIET]
            if names:
                self._start(self.random.choice(names))

    def _check(self) -> None:
        self.work.touch()
        self._kill()
        self._start()
        self._wait_for_pulse()
        for attempt in range(4):
            self._wait(self._is_at_rest, "a table is copied", _DEADLINE_S)
            self._wait_for_pulse()
            waiting = self._look(attempt)
            if not waiting:
                self._ledger()
                return
            self._stop()
            self._start(*waiting)
            self._wait(self._has_begun, f"a new copy of {waiting} begins", _SOON_S)
        raise Wrong(f"still to be copied anew: {waiting}")

    def _has_begun(self) -> bool:
        log = self._job.log.read_text().rsplit('"ended"', 1)[-1]
        return any(
            said in log for said in ("copied anew", "cannot be copied", "tables are copied", "planned", "snapshot with")
        )

    def _look(self, attempt: int) -> list[str]:
        """Compare what streams; what waits is given what it asks for, and returned."""
        waiting = []
        known = {table.source.name: table for table in self._tables()}
        for name in [*self.work.tables(), QUIET]:
            table = known.get(name)
            if table is None:
                self._wait(partial(self._is_known, name), f"{name} is known", 20.0)
                self._wait(self._is_at_rest, "a table is copied", _DEADLINE_S)
                return self._look(attempt)
            if table.state in _WAITS:
                if not table.error or not table.remedy:
                    raise Wrong(f"{name} is {table.state} and nobody says why")
                self.work.note(f"{name} {table.state}: {table.error} ({table.remedy})")
                self._obey(table, attempt)
                waiting.append(name)
            elif table.state is TableState.STREAMING:
                if not self._is_equal(name, table):
                    waiting.append(name)
            elif table.state is not TableState.SKIPPED or not self._is_told_again(name):
                raise Wrong(f"{name} is {table.state}: {table.error}")
        return waiting

    def _is_known(self, name: str) -> bool:
        return any(table.source.name == name for table in self._tables())

    def _is_told_again(self, name: str) -> bool:
        """Of a table that was dropped and made again."""
        states = (TableState.SKIPPED,)
        self._wait(lambda: all(t.state not in states for t in self._tables() if t.source.name == name), name, 20.0)
        return True

    def _obey(self, table: StreamTable, attempt: int) -> None:
        """Do on the target what the finding says."""
        statements = _RUN.findall(table.error)
        statements += [sql for found in _RUN_ALL.findall(table.error) for sql in found.split("; ")]
        if attempt == 2:
            self.dropped.append(f"{table.source.name}: {table.error}")
            statements = [f"DROP TABLE {table.plan.target.name}{' CASCADE' * (self._target.kind == POSTGRES)}"]
            if self._target.kind == MYSQL:
                statements.insert(0, "SET foreign_key_checks = 0")
        for statement in statements:
            self.followed += 1
            try:
                self._target.run(statement)
            except REFUSED as exc:
                self.work.note(f"target refuses {statement}: {exc}")
            else:
                self.work.note(f"target: {statement}")

    def _is_equal(self, name: str, table: StreamTable) -> bool:
        """Whether a table's rows are; if not, the book says that it is to be copied anew, though it streams."""
        lacking = {column.name for column in self.work.columns(name) if not column.generated} - {
            column.source for column in table.plan.columns
        }
        if lacking:
            raise Wrong(f"{name} streams without {lacking}")
        deadline = time.monotonic() + _SOON_S
        while differing := list(self._differing(table)):
            if time.monotonic() > deadline:
                if self._is_noted(name):
                    return False
                raise Wrong(f"{name} differs: {differing}")
            time.sleep(0.3)
        return True

    def _is_noted(self, name: str) -> bool:
        """Of partitions that went away with their rows."""
        with self._book() as book:
            return any(
                line.table.name == name and line.outcome == IGNORED and RESYNC in line.detail
                for line in book.changes(10_000)
            )

    def _differing(self, table: StreamTable) -> Iterator[object]:
        with _connection(self.ends.source) as here, _connection(self.ends.target) as there:
            source, target = _side(self.ends.source, here), _side(self.ends.target, there)
            source.relations()
            target.relations()
            yield from _sums(source, target, table)

    def _book(self) -> StreamBook:
        applies = Registry.installed().find(self.ends.target.type).applies
        if applies is None:
            raise Wrong("the target applies nothing")
        return applies(self.ends.target, CDC).book(self.stream_id)

    def _tables(self) -> tuple[StreamTable, ...]:
        with self._book() as book:
            stored = book.load()
        return stored.tables if stored is not None else ()

    def _ledger(self) -> None:
        """What waits has a line, with what it waits for."""
        with self._book() as book:
            for line in book.changes(10_000):
                self.work.note(f"ledger {line.table.name}: {line.change[:150]!r} {line.outcome}: {line.detail}")

    def _is_at_rest(self) -> bool:
        return not any(
            table.state in (TableState.PENDING, TableState.COPYING, TableState.CATCHING_UP) for table in self._tables()
        )

    def _wait_for_pulse(self) -> None:
        number = self.work.pulse()
        self._wait(lambda: reached(self._target, number), "the quiet table goes on", _DEADLINE_S)

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self._look_at_end()
            if self._stream is not None and not self._stream.alive:  # at a failpoint
                self._start()
            if time.monotonic() > deadline:
                raise Wrong(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.1)


def _sums(source: Side, target: Side, table: StreamTable) -> Iterator[object]:
    name, into = table.source.name, table.plan.target.name
    here, there = source.columns(name), target.columns(into)
    pairs = []
    for column in table.plan.columns:
        if column.source not in here or column.target not in there:
            yield f"column {column.source} of {sorted(here)} is {column.target} of {sorted(there)}"
            return
        own, _ = _texts(source, target, column.source, here[column.source], there[column.target])
        _, other = _texts(source, target, column.target, here[column.source], there[column.target])
        pairs.append((column.source, own, other))
    whole = source.sum(name, [own for _, own, _ in pairs]), target.sum(into, [other for _, _, other in pairs])
    if whole[0] != whole[1]:
        yield whole
        for column_name, own, other in pairs:
            sums = source.sum(name, [own]), target.sum(into, [other])
            if sums[0] != sums[1]:
                yield column_name, *sums


@contextmanager
def _servers() -> Iterator[dict[str, servers.Server]]:
    with servers.mariadb() as mysql, servers.postgres() as postgres:
        yield {MYSQL: mysql, POSTGRES: postgres}


def _story(folder: Path) -> str:
    log = folder / "stream.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    told = [str(line.get("message", line.get("ended"))) for line in lines if line.get("category") != "STAT"]
    return "\n".join(told[-25:])


def main() -> int:
    """The command: 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="in all; shared by the routes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--route", default="", metavar="SOURCE-TARGET", help="one of the four; all are the default")
    parser.add_argument("--steps", type=int, default=120, help="of a round")
    parser.add_argument("--round", type=int, default=-1, help="this one alone")
    parser.add_argument("--keep", type=Path, help="where to leave what was done, a folder for each round")
    given = parser.parse_args()
    routes = [route for route in ROUTES if given.route in "-".join(route)]
    print(f"python -m tools.schema_soak --minutes {given.minutes:g} --seed {given.seed} --steps {given.steps}"
          f"{f' --route {given.route}' if given.route else ''}", flush=True)  # fmt: skip
    bad = 0
    with _servers() as there, tempfile.TemporaryDirectory() as folder:
        over, number = time.monotonic() + given.minutes * 60, max(given.round, 0)
        while time.monotonic() < over:
            route = routes[number % len(routes)]
            place = (given.keep or Path(folder)) / f"{given.seed}-{number}-{'-'.join(route)}"
            place.mkdir(parents=True, exist_ok=True)
            with twins(there[route[0]].settings, there[route[1]].settings) as ends:
                one = Round(ends, Random(f"{given.seed}/{number}"), place, given.steps)
                try:
                    one.run()
                    told = "equal"
                except Exception as exc:
                    bad += 1
                    told = f"WRONG: {type(exc).__name__} {exc}\n{_story(place)}"
            work = one.work
            print(f"{number:4} {'-'.join(route)}: {work.done.total()} changes, {work.refused.total()} refused,"
                  f" {work.rows} writes,"
                  f" {one.followed} findings followed, made anew {one.dropped} {told}", flush=True)  # fmt: skip
            number += 1
            if given.round >= 0:
                break
    print(f"{bad} rounds were wrong, seed {given.seed}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
