"""Renames, columns left out and conditions: whom they mean, and which are refused. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from mainstem.contract.dialect import NameRules
from mainstem.ddl.overrides import explicit_name, refuse_taken, with_overrides
from mainstem.ddl.selection import Selected, select
from mainstem.errors import InvalidError, NotFoundError
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableSelection
from mainstem.model.schema import Column, Table
from mainstem.model.types import Kind, LogicalType


def table(name: str, *columns: str, schema: str = "shop") -> Table:
    return Table(TableId(schema, name), tuple(Column(column, LogicalType(Kind.INTEGER), "int") for column in columns))


TABLES = (
    table("orders", "id", "total"),
    table("items", "id", "order.no"),
    table("items", "id", schema="old"),
    table("a.b", "c"),
    table("a", "b.c"),
    table("total", "id", schema="orders"),
)


def chosen(**members: Any) -> dict[str, TableSelection]:
    options = RunOptions(**members)
    return {str(item.table.id): item.selection for item in with_overrides(select(TABLES, options), options)}


@pytest.mark.parametrize(
    ("key", "place", "column"),
    [
        ("orders", "shop.orders", ""),
        ("shop.orders", "shop.orders", ""),
        ("orders.id", "orders.total", None),
        ("shop.orders.total", "shop.orders", "total"),
        ("shop.items.order.no", "shop.items", "order.no"),
        ("old.items", "old.items", ""),
        ("total.id", "orders.total", "id"),
    ],
)
def test_a_rename_means_a_table_or_a_column(key: str, place: str, column: str | None) -> None:
    selection = chosen(renames={key: "new"})[place]
    if column is None:
        assert (selection.target, selection.renames) == ("", {})
    elif column:
        assert selection.renames == {column: "new"}
    else:
        assert selection.target == "new"


@pytest.mark.parametrize(
    ("members", "field", "told"),
    [
        ({"renames": {"order": "x"}}, "renames.order", "did you mean orders"),
        ({"renames": {"orders.totl": "x"}}, "renames.orders.totl", "did you mean orders.total"),
        ({"renames": {"items": "x"}}, "renames.items", "more than one"),
        ({"renames": {"orders.total": "x"}}, "renames.orders.total", "more than one"),
        ({"renames": {"a.b.c": "x"}}, "renames.a.b.c", "more than one"),
        ({"exclude_columns": ("orders",)}, "excludeColumns.orders", "no selected column"),
        ({"exclude_columns": ("items.id",)}, "excludeColumns.items.id", "write the schema in front"),
        ({"filters": {"orders.total": "1 = 1", "orders.id": "x"}}, "where.orders.id", "no selected table"),
        ({"tables": (TableSelection("a.b"),), "filters": {"orders": "x"}}, "where.orders", "no selected table"),
    ],
)
def test_a_name_that_means_nothing_or_two_things_is_refused(members: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        chosen(**members)
    assert list(caught.value.fields) == [field]
    assert told in str(caught.value)


def test_what_stands_at_the_table_and_beside_it_is_joined() -> None:
    selection = chosen(
        tables=(TableSelection("orders", where="id > 1", exclude_columns=("id",), renames={"id": "no"}),),
        filters={"orders": "total < 5 OR total > 9"}, exclude_columns=("shop.orders.total",), renames={"orders": "o"},
    )["shop.orders"]  # fmt: skip
    assert selection.where == "(id > 1) AND (total < 5 OR total > 9)"
    assert (selection.exclude_columns, selection.target, selection.renames) == (("id", "total"), "o", {"id": "no"})


@pytest.mark.parametrize("member", ["columns", "exclude_columns"])
def test_a_column_that_a_table_does_not_have_is_told_with_those_that_are_near(member: str) -> None:
    selection = TableSelection("orders", **{member: ("totals",)})  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="did you mean total"):
        _ = Selected(TABLES[0], selection).columns


def test_a_table_keeps_at_least_one_column() -> None:
    with pytest.raises(InvalidError, match=r"no column of table shop\.a is left"):
        _ = Selected(TABLES[4], TableSelection("a", exclude_columns=("b.c",))).columns


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        (NameRules(63), "é" * 32),
        (NameRules(63), ""),
        (NameRules(63), "a\0b"),
        (NameRules(64, characters=True), "é" * 65),
        (NameRules(64, characters=True, basic_plane=True), "a😀"),
        (NameRules(64, characters=True, basic_plane=True), "a "),
    ],
)
def test_a_name_of_the_users_own_is_never_changed_but_refused(rules: NameRules, name: str) -> None:
    with pytest.raises(InvalidError, match="is not one"):
        explicit_name(name, rules, "shop.t")
    assert explicit_name("Ünï", rules, "shop.t") == "Ünï"


def test_two_names_that_the_target_takes_for_one_are_refused() -> None:
    refuse_taken({"a": "x", "b": "X"}, "columns")
    with pytest.raises(InvalidError, match="a and b would both become X"):
        refuse_taken({"a": "x", "b": "X"}, "columns", folds=True)
