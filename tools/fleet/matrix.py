"""Every failpoint, in every direction: whichever process of the fleet comes by first is killed there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from tools.fleet.run import EQUAL_S
from tools.fleet.stage import LiveStream, Stage, live_stream
from tools.kill_matrix import COPIED_ANEW, MORE_TABLES, OFTEN, QUIET, Nudges, points, unequal
from tools.twins import Twins, twins
from tools.workload import Session, Workload, prepare

from mainstem import failpoints
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.fleet import wait_until

_REACH_S, _AGAIN_S = 90.0, 1.0
_FOLLOWS_S = 12.0
"""A stream that has followed for so long does not come there."""
_TICK_S = 0.2
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Case:
    """What became of one place in one direction.

    Attributes:
        killed: the process that was killed there; empty: a run in this direction does not pass the place.
        wrong: what was not as it should be afterwards.
    """

    point: str
    route: tuple[str, str]
    killed: str
    wrong: str
    seconds: float


def run_matrix(
    found: Stage, routes: Sequence[tuple[str, str]], here: dict[str, ConnectionSettings],
    there: dict[str, ConnectionSettings], only: str, written: Path | None,
) -> int:  # fmt: skip
    """All cases; 0 when all were equal."""
    cases = []
    for point in (*points(), *failpoints.OF_A_READER):
        for route in routes:
            if not any(text in f"{point} {'-'.join(route)}" for text in only.split(",")):
                continue
            with twins(here[route[0]], there[route[1]]) as ends:
                cases.append(one_case(found, ends, point))
            case = cases[-1]
            told = case.wrong or (f"{case.killed} killed, equal" if case.killed else "not passed")
            print(f"{point:28} {'-'.join(route):22} {case.seconds:5.1f} s  {told}", flush=True)
    if written is not None:
        written.write_text("\n".join(_page(cases, routes)) + "\n")
    return 1 if any(case.wrong for case in cases) else 0


def one_case(found: Stage, ends: Twins, point: str) -> Case:
    """Kill whoever comes there, have all run again, compare."""
    begin, killed, wrong = time.monotonic(), "", ""
    prepare(ends.source)
    with Session(ends.source) as session:
        session.run(*MORE_TABLES)
    nudges = Nudges(ends)
    found.fleet.arm(point, "kill", OFTEN.get(point, 1))
    try:
        with live_stream(found, ends, onChangeError="quarantine") as stream:
            killed = _killed_at(found, stream, nudges, point)
            with Workload(ends.source, seed=2, writers=1, pause_s=_PAUSE_S, turn=1):
                for _ in _ticks(_AGAIN_S):
                    nudges.next()
            wrong = _compared(found, stream)
    except AssertionError as exc:
        wrong = str(exc)
    finally:
        nudges.close()
        found.fleet.disarm()
        found.fleet.start()
    return Case(point, (ends.source.type, ends.target.type), killed, wrong, time.monotonic() - begin)


def _killed_at(found: Stage, stream: LiveStream, nudges: Nudges, point: str) -> str:
    """The name of the process that was killed; it runs again."""
    quiet, anew = point in QUIET, point.startswith("resync.")
    step = nudges.elsewhere if quiet else nudges.next
    over = time.monotonic() + _REACH_S
    with nullcontext() if quiet else Workload(stream.ends.source, seed=1, writers=1, pause_s=_PAUSE_S):
        follows = False
        while found.fleet.armed and time.monotonic() < over:
            if not follows and stream.stats().get("stage") == "streaming":
                follows, over = True, time.monotonic() + _FOLLOWS_S
                for table in COPIED_ANEW if anew else ():
                    stream.resync(table)
            step()
            time.sleep(_TICK_S)
    if found.fleet.armed:
        found.fleet.disarm()
        return ""
    wait_until(lambda: bool(_dead(found)), f"a process dies at {point}", _REACH_S)  # it has removed the file before
    dead = ", ".join(_dead(found))
    found.fleet.start()
    return dead


def _dead(found: Stage) -> list[str]:
    return [node.name for node in found.fleet.nodes.values() if not node.alive]


def _compared(found: Stage, stream: LiveStream) -> str:
    wrong = unequal(stream.ends, EQUAL_S)
    if wrong:
        return f"{wrong}\n{found.fleet.story()}"
    state = stream.stop()
    return "" if state == "STOPPED" else f"ended as {state}\n{found.fleet.story()}"


def _ticks(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_TICK_S)


def _page(cases: Sequence[Case], routes: Sequence[tuple[str, str]]) -> Iterator[str]:
    titles = [f"{source} → {target}".replace("postgresql", "PostgreSQL").replace("mysql", "MariaDB")
              for source, target in routes]  # fmt: skip
    by_place = {(case.point, case.route): case for case in cases}
    yield f"| killed at | {' | '.join(titles)} |"
    yield f"|---|{'---|' * len(titles)}"
    for point in sorted({case.point for case in cases}):
        yield f"| `{point}` | {' | '.join(_cell(by_place.get((point, route))) for route in routes)} |"


def _cell(case: Case | None) -> str:
    if case is None:
        return ""
    if case.wrong:
        return f"**{case.wrong.splitlines()[0][:60]}**"
    return case.killed or "–"
