"""Which types of a target's own the values of a column may be written as."""

from __future__ import annotations

import pytest

from mainstem.connectors.postgres.types import check_meaning
from mainstem.errors import PlanError
from mainstem.model.schema import Column
from mainstem.model.types import Kind, LogicalType


@pytest.mark.parametrize(
    ("kind", "native"),
    [
        (Kind.FLOAT, "interval"),
        (Kind.INTEGER, "date"),
        (Kind.DECIMAL, "time(3) without time zone"),
        (Kind.INTEGER, "bytea"),
    ],
)
def test_numbers_are_not_written_as_what_is_none(kind: Kind, native: str) -> None:
    """PostgreSQL reads 26.5 as an interval of seconds, 20200102 as a date, and 0405 as a time."""
    with pytest.raises(PlanError, match="would take for something else"):
        check_meaning(Column("c", LogicalType(kind), "…"), native)


def test_other_values_are_written_as_the_server_reads_them() -> None:
    for kind, native in ((Kind.INTEGER, "numeric(12,3)"), (Kind.TIME, "interval"), (Kind.TEXT, "date")):
        check_meaning(Column("c", LogicalType(kind), "…"), native)
