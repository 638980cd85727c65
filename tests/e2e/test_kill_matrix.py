"""A replication that is killed anywhere goes on to the same end: the places one after the other, each in one direction.

All of them in all directions, one by one: ``python -m tools.kill_matrix``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.kill_matrix import one_case, points
from tools.twins import twins
from tools.workload import MYSQL, POSTGRES

from tests.conftest import ServersOf

pytestmark = pytest.mark.timeout(1200)  # a chain is killed six times

# Of each chain the first places are passed while tables are copied, the others by a stream again and again.
CHAINS = {
    (MYSQL, POSTGRES): (
        ("handover.planned", "handover.created", "loader.before_commit", "handover.copied", "stream.received",
         "applier.before_commit"),
        ("handover.opened", "reader.batch", "keys.after", "stream.read", "stream.committed"),
        ("handover.saved", "stream.schema_change", "stream.before_settle"),
        ("stream.divided", "parted.committed", "resync.rewound"),
    ),
    (POSTGRES, MYSQL): (
        ("book.created", "builder.ran", "stream.published", "applier.before_checkpoint"),
        ("builder.begun", "handover.finished", "applier.alter_begun", "applier.alter_done"),
    ),
    (POSTGRES, POSTGRES): (
        ("keys.before", "loader.after_commit", "applier.after_apply", "stream.confirmed"),
        ("applier.before_apply", "stream.applied", "stream.before_commit", "stream.altered", "stream.idle"),
        ("ahead.applied", "ahead.rolled_back", "ahead.before_commit", "ahead.committed"),
    ),
    (MYSQL, MYSQL): (
        ("book.before_create", "builder.done", "applier.alter_ran", "applier.after_commit"),
        ("resync.marked", "resync.copied", "resync.rewound"),
    ),
}  # fmt: skip
CASES = [(route, chain) for route, chains in CHAINS.items() for chain in chains]


def test_every_place_is_in_a_chain() -> None:
    assert set(points()) == {point for _, chain in CASES for point in chain}


@pytest.mark.parametrize(("route", "chain"), CASES, ids=lambda value: "-".join(value[:2]))
def test_a_replication_killed_anywhere_ends_equal(
    route: tuple[str, str], chain: tuple[str, ...], servers_of: ServersOf, tmp_path: Path
) -> None:
    with twins(*servers_of(route)) as ends:
        outcome = one_case(chain, ends, tmp_path)
    assert outcome.wrong == ""
    assert outcome.killed
