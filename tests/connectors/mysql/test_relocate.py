"""SQL with other names for what it qualifies: nothing but these names changes."""

from __future__ import annotations

import pytest

from mainstem.connectors.mysql.relocate import in_order, relocate, used
from mainstem.model.names import TableId

NAMES = {
    TableId("shop", "orders"): TableId("new`shop", "orders"),
    TableId("shop", "old"): TableId("new`shop", "renamed"),
    TableId("shop", "möbel"): TableId("new`shop", "möbel"),
}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select `shop`.`orders`.`id` from `shop`.`orders`",
         "select `new``shop`.`orders`.`id` from `new``shop`.`orders`"),
        ("INSERT INTO shop.old VALUES (1)", "INSERT INTO `new``shop`.`renamed` VALUES (1)"),
        ("select o.shop from x.shop.orders", "select o.shop from x.shop.orders"),
        ("select 'shop.orders', \"shop.old\" -- shop.orders\n, shop.orders.a # shop.old",
         "select 'shop.orders', \"shop.old\" -- shop.orders\n, `new``shop`.`orders`.a # shop.old"),
        ("select '\\'shop.orders', /* shop.old */ 1.5", "select '\\'shop.orders', /* shop.old */ 1.5"),
        ("select orders.id, shop.other.id from shop.other", "select orders.id, shop.other.id from shop.other"),
        ("SELECT * FROM shop.möbel", "SELECT * FROM `new``shop`.`möbel`"),
        ("/*!50001 select * from shop.old */", "/*!50001 select * from `new``shop`.`renamed` */"),
        ("", ""),
    ],
)  # fmt: skip
def test_qualified_names_change_and_nothing_else(sql: str, expected: str) -> None:
    assert relocate(sql, NAMES) == expected


def test_used_names_are_found_once_each() -> None:
    sql = "select `shop`.`old`.`a` from `shop`.`old` join shop.orders on 'shop.möbel' = ''"
    assert used(sql, NAMES) == (TableId("shop", "old"), TableId("shop", "orders"))


def test_views_come_after_those_that_they_use() -> None:
    a, b, c = (TableId("d", name) for name in "abc")
    assert in_order({a: (b,), b: (c, TableId("d", "table")), c: ()}) == [c, b, a]
    assert in_order({a: (b,), b: (a,)}) == [a, b]
