"""A fleet of processes in which something breaks: the stream goes on, and loses and doubles nothing.

Faults at random, for as long as wanted, in every direction, and how long each takes: ``python -m tools.fleet``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tools.fleet import faults
from tools.fleet.run import exercise
from tools.fleet.stage import Stage, stage
from tools.twins import twins
from tools.workload import MYSQL, POSTGRES

from tests.conftest import ServersOf

LAYOUT = {"api": "api,reader", "reader": "reader", "writer1": "writer", "writer2": "writer"}
PAUSE_S = 0.1  # most of the minute somebody waits for a lease to end, or for a process to start
CASES = (
    ((MYSQL, POSTGRES), (faults.kill_leader, faults.kill_reader, faults.freeze_leader_in_transaction)),
    ((POSTGRES, MYSQL), (faults.kill_nats, faults.restart_store, faults.end_leader)),
)


@pytest.fixture(scope="module")
def installation() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="mainstem-fleet-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)  # the store's server is another user's
        yield stack.enter_context(stage(folder, layout=LAYOUT))


@pytest.mark.parametrize(("route", "strikes"), CASES, ids=["-".join(route) for route, _ in CASES])
def test_a_stream_goes_on_and_ends_equal(
    route: tuple[str, str],
    strikes: tuple[faults.Strike, ...],
    installation: Stage,
    servers_of: ServersOf,
    tmp_path: Path,
) -> None:
    with twins(*servers_of(route)) as ends, exercise(installation, ends, "1", tmp_path) as struck:
        with struck.load(PAUSE_S):
            for strike in strikes:
                struck.strike(strike)
                assert struck.route.wrong == ""
        assert struck.compare() == ""
