"""A stream's tables as text."""

from __future__ import annotations

import pytest

from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import TableState
from mainstem.model.schema import Column, Default, DefaultKind
from mainstem.model.stored import table_from_json, table_to_json
from mainstem.model.stream import StreamTable
from mainstem.model.types import Kind, LogicalType

TYPE = LogicalType(Kind.ENUM, members=("a", "ü"))
PLAN = TablePlan(TableId("s", "t"), TableId("", "t"), (ColumnPlan("id", "id", TYPE, "enum('a','ü')"),), ("id",))
LAYOUT = (
    Column("id", TYPE, "enum('a','ü')", default=Default(DefaultKind.LITERAL, "a")),
    Column("gone", TYPE, "enum('a')", False),
)


def test_a_table_comes_back_as_it_was() -> None:
    table = StreamTable(PLAN, LAYOUT, TableState.CATCHING_UP, '{"lsn": 1}', "x", "why", "what to do", cascades=True)
    assert table_from_json(table_to_json(table)) == table


@pytest.mark.parametrize("text", ["", "{}", '{"plan": 1, "layout": []}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="another version"):
        table_from_json(text)
