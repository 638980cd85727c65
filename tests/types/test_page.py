from __future__ import annotations

from pathlib import Path

from tests.types.matrix import Matrix
from tests.types.page import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "types.md"


def test_the_page_is_what_the_run_gives(matrix: Matrix) -> None:
    """If it is not: ``python -m tools.types_page`` writes it anew."""
    assert render(matrix) == PAGE.read_text(encoding="utf-8")
