from __future__ import annotations

import pytest

from mainstem.connectors.mysql.log_layout import is_known, layout_behind
from mainstem.connectors.mysql.statements import read
from mainstem.model.schema import Column
from mainstem.model.types import Kind, LogicalType


def columns(text: str) -> tuple[Column, ...]:
    """``a b:bigint``: columns of type int, or another."""
    parts = (item.partition(":") for item in text.split())
    return tuple(Column(name, LogicalType(Kind.INTEGER), native or "int") for name, _, native in parts)


@pytest.mark.parametrize(
    ("statement", "before", "now", "behind"),
    [
        ("ADD c INT", "a b", "a b c", "a b c"),
        ("ADD c INT", "a b", "a b c d", "a b c"),  # d comes with a later statement
        ("ADD c INT", "a b", "a d b c", "a b c"),
        ("ADD `c` INT FIRST", "a b", "d c a b", "c a b"),
        ("ADD c INT AFTER a", "a b", "a c b d", "a c b"),
        ("ADD c INT", "a b", "a c", "a b c"),  # b is dropped by a later one
        ("ADD c INT", "a b", "b c", "a b c"),
        ("ADD c INT", "a b", "a b2 c", "a b c"),  # b gets another name later
        ("DROP b", "a b c", "a c", "a c"),
        ("DROP b", "a b c", "a", "a c"),
        ("MODIFY b BIGINT", "a b", "a b:bigint", "a b:bigint"),
        ("ADD c INT", "a b", "a b:bigint c", "a b c"),  # b is widened later
        ("RENAME COLUMN b TO c", "a b d", "a c d", "a c d"),
        ("CONVERT TO CHARACTER SET latin1", "a b", "a:x b:x", "a:x b:x"),
        ("ADD INDEX (a)", "a b", "a b c", "a b"),
        ("ADD C INT", "A b", "a b c d", "A b c"),
        ("MODIFY b INT FIRST", "a b", "b a", "b a"),
    ],
)
def test_columns_behind_a_statement_are_those_that_it_names_and_those_that_there_were(
    statement: str, before: str, now: str, behind: str
) -> None:
    found = layout_behind(read(f"ALTER TABLE t {statement}", "shop"), columns(before), columns(now))
    assert found == columns(behind)


def test_an_order_of_a_later_statement_is_not_guessed() -> None:
    assert layout_behind(read("ALTER TABLE t ADD c INT", "shop"), columns("a b"), columns("b a c")) is None


def test_a_table_that_is_made_anew_has_the_columns_that_the_catalog_says() -> None:
    statement = read("CREATE TABLE t LIKE u", "shop")
    assert layout_behind(statement, columns("a"), columns("b c")) == columns("b c")


@pytest.mark.parametrize(
    ("statement", "before", "later", "after", "known"),
    [
        ("ADD c INT", "a b", "ADD d INT", "a b c d", True),
        ("ADD c INT FIRST", "a b", "ADD d INT FIRST", "d c a b", True),
        ("ADD c INT", "a b x", "DROP x", "a b c", True),
        ("ADD c INT", "a b", "MODIFY b BIGINT", "a b:bigint c", True),
        ("ADD c INT AFTER a", "a x", "DROP x", "a c", False),  # where was x?
        ("ADD c INT FIRST", "a b", "MODIFY c INT AFTER b", "a b c", False),  # where was c?
        ("ADD c INT", "a b", "MODIFY c BIGINT", "a b c:bigint", False),  # of which type was c?
        ("ADD c INT", "a b", "RENAME COLUMN a TO d", "d b c", False),
        ("ADD c TEXT", "a b", "CONVERT TO CHARACTER SET latin1", "a b c", False),
    ],
)
def test_what_later_statements_may_have_hidden_is_not_taken_for_known(
    statement: str, before: str, later: str, after: str, known: bool
) -> None:
    first, second = (read(f"ALTER TABLE t {text}", "shop") for text in (statement, later))
    behind = layout_behind(first, columns(before), columns(after))
    assert behind is not None
    assert is_known(first, behind, second.words) is known


def test_more_than_an_alter_table_hides_everything() -> None:
    assert not is_known(read("ALTER TABLE t ADD c INT", "shop"), columns("a c"), None)
    assert not is_known(read("CREATE TABLE t LIKE u", "shop"), columns("a c"), frozenset())
