"""Schema changes at random between rows at random, with a stream that is killed, stopped, and copies tables anew.

    python -m tools.schema_soak [--minutes 5] [--seed N] [--route mysql-postgresql] [--system]

Each round begins with new databases, and all of it comes from the seed and the round's number. In the end every table
must be equal, by the servers' sums, or say why it waits and what to run; that is run, and it is copied anew, up to
three times. "equal, but for tables that wait" names those that the target cannot take as they are; "WRONG" is all else.
"""

# ruff: noqa: S311 - random numbers that must be repeatable, not secret
from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tools.kill_matrix import points
from tools.schema_verdict import Judge, State, Verdict
from tools.schema_work import QUIET, Had, SchemaWork, reached
from tools.streamprocess import ASKED, CDC, Job, StreamProcess
from tools.twins import ROUTES, Twins, twins
from tools.workload import MYSQL, POSTGRES, REFUSED, Session

from mainstem.errors import StatementError
from mainstem.model.ids import STREAM, new_id
from mainstem.testing import servers

_DEADLINE_S, _SOON_S = 120.0, 30.0
_ATTEMPTS, _MOST_REFUSALS = 4, 9
_SETTLED = (State.EQUAL, State.WAITS, State.NOT_ADDED)
_MEND = re.compile(r"ALTER TABLE \S+ REPLICA IDENTITY FULL")  # of what the stream says of a table without a key


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
    refusals: int = 0
    dropped: list[str] = field(default_factory=list)
    waits: dict[str, Verdict] = field(default_factory=dict)
    _stream: StreamProcess | None = None

    def __post_init__(self) -> None:
        self._job = Job(self.stream_id, self.ends.source, self.ends.target, self.folder / "stream.log", CDC)
        self.work = SchemaWork(self.ends.source, self.random, self.folder / "source.sql")
        self._target = Session(self.ends.target)
        self._judge = Judge(self.ends, self.stream_id)

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
        """Raise `Wrong` if it ended by itself, unless its start was refused for what can be mended at the source."""
        if self._stream is None or self._stream.code in (None, -9, -15, 0):  # -15: stopped before it had begun
            return
        ended = self._stream.ended()
        mend = _MEND.match(ended.get("remedy", ""))
        if mend is None or self.refusals > _MOST_REFUSALS:
            raise Wrong(f"the stream ended: {self._stream.code} {ended.get('error', '')} ({ended.get('remedy', '')})")
        self.refusals += 1
        self.work.note(f"start refused: {ended['error']}")
        self.work.say(mend[0])

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
            names = [str(table.source.name) for table in self._judge.tables() if table.source.name != QUIET]
            if names:
                self._start(self.random.choice(names))

    def _check(self) -> None:
        unseen = self.work.touch()
        self._kill()
        self._start()
        self._wait_for_pulse()
        for attempt in range(_ATTEMPTS):
            self._wait(self._judge.at_rest, "a table is copied", _DEADLINE_S)
            self._wait_for_pulse()
            self.waits = self._look(unseen, attempt)
            again = [name for name, verdict in self.waits.items() if verdict.state is State.WAITS]
            if not again or attempt == _ATTEMPTS - 1:
                break
            for name in again:
                self._obey(name, self.waits[name], attempt)
            self._stop()
            self._start(*again)
            self._wait(self._has_begun, f"a new copy of {again} begins", _DEADLINE_S)
        for line in self._judge.lines():
            self.work.note(f"ledger {line.table.name}: {line.change[:150]!r} {line.outcome}: {line.detail}")

    def _has_begun(self) -> bool:
        told = self._job.log.read_text().rsplit('"ended"', 1)[-1]
        with suppress(StatementError):  # the stream drops the ledger of what was asked for, once it is empty
            return f'"{ASKED}"' in told and not self._judge.asked()
        return False

    def _look(self, unseen: Collection[str], attempt: int) -> dict[str, Verdict]:
        """Every table is equal in the end, or returned with why it waits."""
        waits = {}
        for name in [*self.work.tables(), QUIET]:
            columns = [] if name in unseen else self.work.columns(name)
            verdict = self._settled(name, columns, noted=attempt < _ATTEMPTS - 1)
            if verdict.state is not State.EQUAL:
                self.work.note(f"{name} {verdict.state.value}: {verdict.why}")
                waits[name] = verdict
        return waits

    def _settled(self, name: str, columns: list[Had], *, noted: bool) -> Verdict:
        """How a table stands once nothing more comes of it: what is copied is waited for, and then what differs.

        Args:
            noted: it may also differ if the book says that it is to be copied anew, though it streams.
        """
        begun = since = time.monotonic()
        while True:
            verdict = self._judge.verdict(name, columns)
            if verdict.state in _SETTLED:
                return verdict
            now = time.monotonic()
            if verdict.state is State.COPIED:
                since = now
            if verdict.state is State.WRONG or now > since + _SOON_S or now > begun + _DEADLINE_S:
                if noted and verdict.differs and (waits := self._judge.noted(name)):
                    return waits
                raise Wrong(f"{name} {verdict.state.value}: {verdict.why}")
            self._go_on()
            time.sleep(0.3)

    def _obey(self, name: str, verdict: Verdict, attempt: int) -> None:
        """Do on the target what a table asks for; late, make it anew."""
        statements: Sequence[str] = verdict.asks
        table = next(table for table in self._judge.tables() if table.source.name == name)
        if attempt == _ATTEMPTS - 2:
            self.dropped.append(f"{name}: {verdict.why}")
            statements = [f"DROP TABLE {table.plan.target.name}{' CASCADE' * (self._target.kind == POSTGRES)}"]
            if self._target.kind == MYSQL:
                statements = ["SET foreign_key_checks = 0", *statements]
        for statement in statements:
            self.followed += 1
            try:
                self._target.run(statement)
            except REFUSED as exc:
                self.work.note(f"target refuses {statement}: {exc}")
            else:
                self.work.note(f"target: {statement}")

    def _wait_for_pulse(self) -> None:
        number = self.work.pulse()
        self._wait(lambda: reached(self._target, number), "the quiet table goes on", _DEADLINE_S)

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self._go_on()
            if time.monotonic() > deadline:
                raise Wrong(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.1)

    def _go_on(self) -> None:
        """Start the stream again that was killed at a failpoint."""
        if self._stream is not None and not self._stream.alive:
            self._start()


@contextmanager
def _servers(*, other: bool) -> Iterator[dict[str, servers.Server]]:
    binaries = servers.system_postgres_bin() if other else None
    with servers.mariadb() as mysql, servers.postgres(binaries) as postgres:
        yield {MYSQL: mysql, POSTGRES: postgres}


def _story(folder: Path) -> str:
    log = folder / "stream.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    told = [str(line.get("message", line.get("ended"))) for line in lines if line.get("category") != "STAT"]
    return "\n".join(told[-25:])


def _run(one: Round) -> bool:
    """A round, and what became of it; whether it was wrong."""
    wrong = ""
    try:
        one.run()
    except Exception as exc:
        wrong = f"WRONG: {type(exc).__name__} {exc}\n{_story(one.folder)}"
    waits = "".join(f"\n     {name} {verdict.state.value}: {verdict.why}" for name, verdict in one.waits.items())
    told = wrong or ("equal, but for tables that wait" if one.waits else "equal")
    work = one.work
    print(f"{one.folder.name}: {work.done.total()} changes, {work.refused.total()} refused, {work.rows} writes,"
          f" {one.followed} findings followed, {one.refusals} starts refused, {len(one.dropped)} tables made anew:"
          f" {told}{waits if not wrong else ''}", flush=True)  # fmt: skip
    return bool(wrong)


def main() -> int:
    """The command: 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="in all; shared by the routes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--route", default="", metavar="SOURCE-TARGET", help="one of the four; all are the default")
    parser.add_argument("--steps", type=int, default=120, help="of a round")
    parser.add_argument("--round", type=int, default=-1, help="this one alone")
    parser.add_argument("--keep", type=Path, help="where to leave what was done, a folder for each round")
    parser.add_argument("--system", action="store_true", help="the system's PostgreSQL, not the wheel's newest")
    given = parser.parse_args()
    routes = [route for route in ROUTES if given.route in "-".join(route)]
    print(f"python -m tools.schema_soak --minutes {given.minutes:g} --seed {given.seed} --steps {given.steps}"
          f"{f' --route {given.route}' if given.route else ''}{' --system' if given.system else ''}",
          flush=True)  # fmt: skip
    bad = 0
    with _servers(other=given.system) as there, tempfile.TemporaryDirectory() as folder:
        over, number = time.monotonic() + given.minutes * 60, max(given.round, 0)
        while time.monotonic() < over:
            route = routes[number % len(routes)]
            place = (given.keep or Path(folder)) / f"{given.seed}-{number}-{'-'.join(route)}"
            place.mkdir(parents=True, exist_ok=True)
            with twins(there[route[0]].settings, there[route[1]].settings) as ends:
                bad += _run(Round(ends, Random(f"{given.seed}/{number}"), place, given.steps))
            number += 1
            if given.round >= 0:
                break
    print(f"{bad} rounds were wrong, seed {given.seed}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
