"""A replication that is killed anywhere goes on to the same end: every failpoint once, in one of the directions.

All of them in all directions: ``python -m tools.kill_matrix``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.kill_matrix import one_case, points
from tools.twins import ROUTES, twins
from tools.workload import MYSQL, POSTGRES

from mainstem.model.connection import ConnectionSettings

# Places that are passed in one kind of target or source alone, or not in every direction.
ONLY = {
    "builder.begun": MYSQL, "builder.ran": MYSQL, "builder.done": MYSQL,
    "applier.alter_begun": MYSQL, "applier.alter_ran": MYSQL, "applier.alter_done": MYSQL,
}  # fmt: skip


def route_of(number: int, point: str) -> tuple[str, str]:
    """Each point in one direction, the directions in turn; where its kind of target is."""
    fitting = [route for route in ROUTES if ONLY.get(point, route[1]) == route[1]]
    return fitting[number % len(fitting)]


@pytest.mark.parametrize(
    ("point", "route"), [(point, route_of(number, point)) for number, point in enumerate(points())]
)
def test_a_replication_killed_anywhere_ends_equal(
    point: str,
    route: tuple[str, str],
    mariadb_server: ConnectionSettings,
    postgres15_server: ConnectionSettings,
    postgres18_server: ConnectionSettings,
    tmp_path: Path,
) -> None:
    here = {MYSQL: mariadb_server, POSTGRES: postgres15_server}[route[0]]
    there = {MYSQL: mariadb_server, POSTGRES: postgres18_server}[route[1]]
    with twins(here, there) as ends:
        outcome = one_case(point, ends, tmp_path)
    assert outcome.wrong == ""
    assert outcome.killed
