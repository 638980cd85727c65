"""Which types of a target's own the values of a column may be written as."""

from __future__ import annotations

import pytest

from mainstem.connectors.postgres.types import check_meaning
from mainstem.errors import PlanError
from mainstem.model.schema import Column
from mainstem.model.types import Kind, LogicalType


@pytest.mark.parametrize(
    ("kind", "native", "told"),
    [
        (Kind.FLOAT, "interval", "would take for something else"),
        (Kind.INTEGER, "date", "would take for something else"),
        (Kind.DECIMAL, "time(3) without time zone", "would take for something else"),
        (Kind.INTEGER, "bytea", "would take for something else"),
        (Kind.INTEGER, "numeric(12,3)", ""),
        (Kind.TIME, "interval", ""),
        (Kind.TEXT, "date", ""),
    ],
)
def test_numbers_are_not_written_as_what_is_none(kind: Kind, native: str, told: str) -> None:
    """PostgreSQL reads 26.5 as an interval of seconds, 20200102 as a date, and 0405 as a time."""
    try:
        check_meaning(Column("c", LogicalType(kind), "…"), native)
    except PlanError as exc:
        assert told
        assert told in exc.message
    else:
        assert not told
