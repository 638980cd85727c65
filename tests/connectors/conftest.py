"""What tests of targets of either kind need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.connectors.fencing import Place, mysql_place, postgres_place


@pytest.fixture(params=["postgresql", "mariadb"])
def place(request: pytest.FixtureRequest) -> Place:
    """A target of either kind."""
    if request.param == "postgresql":
        return postgres_place(request.getfixturevalue("postgres15_db"))
    return mysql_place(request.getfixturevalue("mysql_db"))


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """Leaves what was entered, at the end of the test."""
    with ExitStack() as stack:
        yield stack
