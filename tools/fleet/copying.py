"""A copy of many rows, during which a reader, a helping writer and the leader are killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from tools.fleet import faults
from tools.fleet.stage import LiveStream, Stage, live_stream
from tools.twins import Twins, twins
from tools.workload import MYSQL, Session

from mainstem.model.connection import ConnectionSettings
from mainstem.testing.fleet import wait_until

TABLES = 4
_FAULTS = ((0.02, faults.kill_reader), (0.06, faults.kill_other_writer), (0.1, faults.kill_leader))
"""What is done when so much of the rows is written."""
_ROWS = {
    MYSQL: "CREATE TABLE {0} (id BIGINT PRIMARY KEY, name VARCHAR(40), body LONGTEXT) AS"
    " SELECT seq AS id, CONCAT('n', seq) AS name, REPEAT(MD5(seq), 8) AS body FROM seq_1_to_{1}",
    "postgresql": "CREATE TABLE {0} AS SELECT seq AS id, 'n' || seq AS name, repeat(md5(seq::text), 8) AS body"
    " FROM generate_series(1, {1}) AS seq; ALTER TABLE {0} ADD PRIMARY KEY (id)",
}
_FINISHED_S = 600.0


def run_copies(
    found: Stage, routes: Sequence[tuple[str, str]], here: dict[str, ConnectionSettings],
    there: dict[str, ConnectionSettings], rows: int,
) -> int:  # fmt: skip
    """A copy in each direction; 0 when all were equal."""
    wrong = 0
    for route in routes:
        with twins(here[route[0]], there[route[1]]) as ends:
            begin = time.monotonic()
            told = _one(found, ends, rows)
            print(f"{'-'.join(route):22} {time.monotonic() - begin:6.1f} s  {told or 'equal'}", flush=True)
            wrong += bool(told)
    return 1 if wrong else 0


def _one(found: Stage, ends: Twins, rows: int) -> str:
    with Session(ends.source) as session:
        for number in range(TABLES):
            for statement in _ROWS[ends.source.type].format(f"many{number}", rows // TABLES).split("; "):
                session.run(statement)
    with live_stream(found, ends, "convert") as stream:
        for share, fault in _FAULTS:
            _wait_until_written(stream, int(rows * share))
            struck = next(fault(found, stream, Random(rows)))  # noqa: S311
            print(f"  {_written(stream):>10,} rows: {struck.what} is killed", flush=True)
            if fault is faults.kill_other_writer:
                found.fleet.start()  # there is to be another one when the leader is lost
        found.fleet.start()
        wait_until(
            lambda: stream.stats()["status"] in ("FINISHED", "FAILED", "PAUSED"), "the copy ends", _FINISHED_S,
            found.fleet.story,
        )  # fmt: skip
        state = stream.stats()
    if state["status"] != "FINISHED":
        return f"{state['status']}: {state.get('error')}\n{found.fleet.story()}"
    differing = ends.differing()
    return f"differs: {[(item.name, item.source, item.target) for item in differing]}" if differing else ""


def _wait_until_written(stream: LiveStream, rows: int) -> None:
    wait_until(lambda: _written(stream) >= rows, f"{rows} rows are written", _FINISHED_S, stream.stage.fleet.story)


def _written(stream: LiveStream) -> int:
    return int(stream.stats()["totals"]["rowsWritten"])
