"""Kills a replication at every failpoint, in every direction, and compares source and target row by row.

    python -m tools.kill_matrix [--only TEXT] [--page docs/kill-matrix.md]

While writers are at work, a process is started that kills itself (SIGKILL) at the failpoint; then one that does not.
Afterwards every table is compared by the servers, and the sum of the bank's accounts with what it always was.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from tools.streamprocess import CDC, Job, StreamProcess, story
from tools.twins import ROUTES, Twins, send_early, twins
from tools.workload import ACCOUNTS, MYSQL, POSTGRES, STEPS, TOTAL, Session, Workload, bank_sum, prepare

import mainstem
from mainstem import failpoints
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import ChangeErrorPolicy, RunOptions
from mainstem.testing import servers

_HIT = re.compile(r'failpoints\.hit\("([a-z_.]+)"\)')
OFTEN = {"reader.batch": 2, "stream.read": 3, "stream.received": 3, "stream.applied": 3, "stream.before_commit": 3}
_REACH_S, _AGAIN_S, _EQUAL_S = 60.0, 0.5, 300.0
_ALTER_EVERY, _EMPTY_EVERY = 4, 9  # rounds
_MOST_ALTERED = 8
COPIED_ANEW = ("items", "pairs")  # under the writers, for the places that only a new copy passes
PARTED = ("stream.divided", "parted.committed")  # passed by a stream whose changes are applied in parts
LONG, PIECE_ROWS = 150, 100  # steps of transactions that are told ahead of their end, for the places of these
QUIET = ("stream.idle",)  # passed while others write, and nobody to the tables of the stream
UNDISTURBED = ("ahead.applied", "ahead.before_commit", "ahead.committed")
_BY_OTHERS = {
    MYSQL: ("CREATE DATABASE {}_other", "DROP DATABASE {}_other"),
    POSTGRES: ("SELECT pg_logical_emit_message(false, 'others', repeat('x', 1000))",),
}
TOLD = 30  # lines of what a stream said, for a case that is not equal
REFUSED = "refused"  # the table whose rows the target refuses
MORE_TABLES = (
    "CREATE TABLE shapes (id INT PRIMARY KEY, n INT)",
    "CREATE TABLE emptied (id INT PRIMARY KEY)",
    f"CREATE TABLE {REFUSED} (id INT PRIMARY KEY, n INT)",
)
# On a busy machine thousands of changes are refused in a case, which all of its processes put aside; and a copy comes
# through only when no table is altered under it, as the nudges do all the time.
OPTIONS = replace(
    CDC, jobs=1, row_error_limit=1_000_000, retry_seconds=300.0,
    changes=replace(CDC.changes, row_errors=ChangeErrorPolicy.QUARANTINE),
)  # fmt: skip


def points() -> list[str]:
    """Every failpoint that a replication in one process may pass, by the source."""
    folder = Path(mainstem.__file__).parent
    found = {name for file in folder.rglob("*.py") for name in _HIT.findall(file.read_text())}
    return sorted(found - set(failpoints.OF_A_READER))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case.

    Attributes:
        killed: the process was killed there; else a run in this direction does not pass the place.
        wrong: what was not as it should be afterwards; empty is "equal".
    """

    point: str
    route: tuple[str, str]
    killed: bool
    wrong: str
    seconds: float


class Nudges:
    """What writers do not do: schema changes, TRUNCATE, and (if wanted) rows that the target refuses."""

    def __init__(self, ends: Twins, *, refuses: bool = True) -> None:
        self._source, self._target = Session(ends.source), Session(ends.target)
        self._database = ends.source.database
        self._number = self._altered = 0
        self._empty_at = _EMPTY_EVERY
        self._refuses = refuses
        self._copied = self._checked = False

    def close(self) -> None:
        """Both connections."""
        for session in (self._source, self._target):
            session.connection.close()

    def next(self) -> None:
        """A round of all of them. Structure is changed, and the check made, once the target has its keys."""
        self._number += 1
        n = self._number
        self._copied = self._copied or self._there()
        if self._refuses and self._copied and not self._checked:
            self._target.run(f"ALTER TABLE {REFUSED} ADD CONSTRAINT small CHECK (n < 100)")
            self._checked = True
        self._source.run(f"INSERT INTO shapes (id, n) VALUES ({n}, {n})", f"INSERT INTO emptied VALUES ({n})")
        if self._copied and n % _ALTER_EVERY == 0 and self._altered < _MOST_ALTERED:
            self._altered += 1
            self._source.run(
                f"ALTER TABLE shapes ADD COLUMN c{n} INT", f"INSERT INTO shapes (id, n, c{n}) VALUES ({-n}, {n}, {n})"
            )
        if n >= self._empty_at:
            self._source.run("TRUNCATE TABLE emptied")
            self._empty_at += _EMPTY_EVERY if self._copied else n  # a copy must find a moment, however long it takes
        if self._refuses:
            self._source.run(f"INSERT INTO {REFUSED} VALUES ({n}, 1)")
        if self._checked:
            self._source.run(f"INSERT INTO {REFUSED} VALUES ({-n}, 1000)")

    def elsewhere(self) -> None:
        """A round of nothing that the stream is about."""
        statements = _BY_OTHERS[self._source.kind]
        self._source.run(*(statement.format(self._database) for statement in statements))

    def _there(self) -> bool:
        """The tables have their keys, so that the copy is through with them."""
        schema = "DATABASE()" if self._target.kind == MYSQL else "'public'"
        rows = self._target.run(
            f"SELECT 1 FROM information_schema.table_constraints WHERE table_schema = {schema}"
            f" AND table_name IN ('shapes', '{REFUSED}', 'children')"
            " AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')"
        )
        return len(rows) >= (4 if self._refuses else 3)


def _until(condition: Callable[[], bool], seconds: float, step: Callable[[], None]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        step()
        time.sleep(0.1)
    return True


def one_case(chain: Sequence[str], ends: Twins, folder: Path, options: RunOptions = OPTIONS) -> Outcome:
    """Kill at this point, start again, compare; with several points it is killed at one after the other."""
    begin = time.monotonic()
    if set(chain) & set(PARTED):
        options = replace(options, changes=replace(options.changes, partitions=3))
    ahead = any(point.startswith("ahead.") for point in chain)
    if ahead:
        send_early(ends.source)
    prepare(ends.source)
    with Session(ends.source) as session:
        session.run(*MORE_TABLES)
    nudges = Nudges(ends)
    log = folder / f"{'+'.join(chain)}-{ends.source.type}-{ends.target.type}.log"
    job = Job(new_id(STREAM), ends.source, ends.target, log, options, group_rows=PIECE_ROWS * ahead)
    killed = True
    try:
        for turn, point in enumerate(chain):
            code = _killed_at(point, job, nudges, turn)
            killed = killed and code == -signal.SIGKILL
            if code not in (None, -signal.SIGKILL):
                return _outcome(chain, ends, False, f"ended before: {story(log, TOLD)}", begin)
        with StreamProcess(job) as last:
            with _writers(job, len(chain)):
                _until(lambda: not last.alive, _AGAIN_S, nudges.next)
            wrong = _compared(ends, last) if last.alive else f"did not start again: {last.story(TOLD)}"
    finally:
        nudges.close()
    return _outcome(chain, ends, killed, wrong, begin)


def _writers(job: Job, turn: int) -> Workload:
    longest = LONG if job.group_rows else STEPS
    return Workload(job.source, seed=1, writers=1, pause_s=0.005, turn=turn, longest=longest)


def _killed_at(point: str, job: Job, nudges: Nudges, turn: int) -> int | None:
    """How a process ended that was to be killed there; None: it did not come by."""
    anew = COPIED_ANEW if point.startswith("resync.") else ()
    quiet = point in QUIET
    doomed = StreamProcess(replace(job, failpoints=f"{point}=kill@{OFTEN.get(point, 1)}", anew=anew))
    with nullcontext() if quiet else _writers(job, turn), doomed:
        step = nudges.elsewhere if quiet or point in UNDISTURBED else nudges.next
        _until(lambda: not doomed.alive, _REACH_S, step)
        return doomed.code


def _outcome(chain: Sequence[str], ends: Twins, killed: bool, wrong: str, begin: float) -> Outcome:
    return Outcome(" ".join(chain), (ends.source.type, ends.target.type), killed, wrong, time.monotonic() - begin)


def unequal(ends: Twins, deadline_s: float) -> str:
    """What of the target is not as it should be after so long at most; empty if nothing is."""
    differing = ends.wait_until_equal(without=(REFUSED,), deadline_s=deadline_s)
    if differing:
        told = "; ".join(f"{item.name}: {item.source} {item.target} {item.columns}" for item in differing)
        return f"differs: {told}"
    good = f"SELECT COUNT(*) FROM {REFUSED} WHERE n < 100"
    with Session(ends.target) as session, Session(ends.source) as source:
        if bank_sum(session) != (ACCOUNTS, TOTAL):
            return f"the bank has {bank_sum(session)}"
        deadline = time.monotonic() + deadline_s
        while (there := session.run(good)) != (here := source.run(good)):  # it may be copied after all others
            if time.monotonic() > deadline:
                return f"{REFUSED} differs: {there} of {here} rows"
            time.sleep(0.05)
    return ""


def _compared(ends: Twins, process: StreamProcess) -> str:
    """What is wrong once the stream has caught up; empty if nothing is."""
    wrong = unequal(ends, _EQUAL_S)
    if wrong:
        return f"{wrong}; {process.story(TOLD)}"
    ended = process.stop()
    return "" if ended.get("state") == "STOPPED" else f"ended as {ended}"


def run_all(
    only: str, here: dict[str, ConnectionSettings], there: dict[str, ConnectionSettings], folder: Path
) -> Iterator[Outcome]:
    """Every case, one after the other."""
    for point in points():
        for source, target in ROUTES:
            if only in f"{point} {source}-{target}":
                with twins(here[source], there[target]) as ends:
                    yield one_case([point], ends, folder)


def page(outcomes: list[Outcome]) -> str:
    """The matrix as Markdown."""
    titles = [f"{source} → {target}".replace("postgresql", "PostgreSQL").replace("mysql", "MariaDB")
              for source, target in ROUTES]  # fmt: skip
    found = {(item.point, item.route): item for item in outcomes}
    lines = [
        "# Kill matrix",
        "",
        "Made by `python -m tools.kill_matrix --page docs/kill-matrix.md`. At each place a replication is killed"
        " (SIGKILL) while",
        "writers are at work, and started again; then every table of source and target is compared by the servers' own"
        " sums, and",
        "the bank's total. *equal*: it was killed there, and all is the same. A dash: a run of this kind does not pass"
        " there.",
        "",
        "At `resync.*` two tables are copied anew under the writers; at `stream.idle` others write, and nobody writes"
        " to the tables",
        "of the stream; at `parted.committed` and `stream.divided` changes are applied in three parts; at `ahead.*`"
        " transactions are",
        "long, and sent while they are under way. A PostgreSQL target has no steps of a book, a builder or an ALTER:"
        " there they are",
        "one transaction.",
        "",
        f"| killed at | {' | '.join(titles)} |",
        f"|---|{'---|' * len(titles)}",
    ]
    for point in sorted({item.point for item in outcomes}):
        cells = [_cell(found.get((point, route))) for route in ROUTES]
        lines.append(f"| `{point}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome.wrong:
        return f"**{outcome.wrong[:60]}**"
    return "equal" if outcome.killed else "–"


def main() -> int:
    """The command: 0 when all are equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with this in their name")
    parser.add_argument("--page", type=Path, help="write the matrix there")
    parser.add_argument("--logs", type=Path, help="keep what the streams say there")
    given = parser.parse_args()
    outcomes: list[Outcome] = []
    with (
        servers.mariadb() as mysql,
        servers.postgres(servers.system_postgres_bin()) as older,
        servers.postgres() as newer,
        tempfile.TemporaryDirectory() as folder,
    ):
        here = {MYSQL: mysql.settings, POSTGRES: older.settings}
        there = {MYSQL: mysql.settings, POSTGRES: newer.settings}
        for item in run_all(given.only, here, there, given.logs or Path(folder)):
            outcomes.append(item)
            told = item.wrong or ("equal" if item.killed else "not passed")
            print(f"{item.point:28} {'-'.join(item.route):22} {item.seconds:5.1f} s  {told}", flush=True)
    if given.page:
        given.page.write_text(page(outcomes))
    return 1 if any(item.wrong for item in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
