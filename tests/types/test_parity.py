"""A value is the same through the snapshot and through the log, whatever its type, in every direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.types.matrix import Matrix
from tests.types.page import render
from tests.types.parity import DIRECTIONS, Parity

PAGE = Path(__file__).resolve().parents[2] / "docs" / "types.md"
pytestmark = pytest.mark.timeout(1800)  # one test copies all that there is, in every direction
Run = Callable[[str, bool], Mapping[str, Parity]]


@pytest.mark.parametrize(
    ("name", "policies"),
    [*((name, False) for name in DIRECTIONS), ("mariadb-pg18", True), ("pg15-mariadb", True)],
)
def test_every_value_is_the_same_through_snapshot_and_log(parity: Run, name: str, policies: bool) -> None:
    found = parity(name, policies)
    assert {case: both.problems for case, both in found.items() if both.problems} == {}
    assert sum(len(both.inserted) for both in found.values()) > 100


def test_the_page_is_what_the_run_gives(matrix: Matrix, parity: Run) -> None:
    """If it is not: ``python -m tools.types_page`` writes it anew."""
    assert render(matrix, {name: parity(name, False) for name in DIRECTIONS}) == PAGE.read_text(encoding="utf-8")
