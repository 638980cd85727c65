"""A value is the same through the snapshot and through the log, whatever its type, in every direction."""

from __future__ import annotations

import pytest

from tests.types.matrix import Matrix
from tests.types.parity import DIRECTIONS, through_both


@pytest.mark.parametrize(
    ("name", "policies"),
    [*((name, False) for name in DIRECTIONS), ("mariadb-pg18", True), ("pg15-mariadb", True)],
)
def test_every_value_is_the_same_through_snapshot_and_log(matrix: Matrix, name: str, policies: bool) -> None:
    found = through_both(dict(matrix.servers), name, policies=policies)
    assert {case: parity.problems for case, parity in found.items() if parity.problems} == {}
    assert sum(len(parity.inserted) for parity in found.values()) > 100
