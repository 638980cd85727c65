"""Definitions with other names: all that is no name stays, letter by letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.connectors.postgres.features import check_known
from mainstem.connectors.postgres.renaming import rename_columns, rename_relations
from mainstem.errors import PlanError
from mainstem.model.names import TableId

NAMES = {
    TableId("public", "orders"): TableId("shop", "orders"),
    TableId("public", "Odd name"): TableId("shop", "Odd name"),
    TableId("public", "f"): TableId("shop", "f"),
    TableId("Sales", "orders"): TableId("sales", "orders_v2"),
}


@pytest.mark.parametrize(
    ("sql", "renamed"),
    [
        ("SELECT id FROM public.orders", 'SELECT id FROM "shop"."orders"'),
        ("SELECT public.orders.id FROM public.orders", 'SELECT "shop"."orders".id FROM "shop"."orders"'),
        ('SELECT * FROM "Sales".orders', 'SELECT * FROM "sales"."orders_v2"'),
        ("SELECT * FROM sales.orders", "SELECT * FROM sales.orders"),  # another schema
        ("SELECT public.id, public.f FROM other.t AS public", 'SELECT public.id, "shop"."f" FROM other.t AS public'),
        ("SELECT other.public.orders", "SELECT other.public.orders"),
        ("nextval('public.orders'::regclass)", 'nextval(\'"shop"."orders"\'::regclass)'),
        ("'public.orders'::text", "'public.orders'::text"),
        ("E'\\'public.orders' || public.f(1)", 'E\'\\\'public.orders\' || "shop"."f"(1)'),
        ("AS $$ SELECT public.f() $$", 'AS $$ SELECT "shop"."f"() $$'),
        ("AS $a$ $$ 'public.f' -- public.f\n public.f $$ $a$", "AS $a$ $$ 'public.f' -- public.f\n public.f $$ $a$"),
        ("/* public.f */ public.f -- public.f", '/* public.f */ "shop"."f" -- public.f'),
        ('"public"."orders" "public.orders"', '"shop"."orders" "public.orders"'),
    ],
)
def test_only_qualified_names_that_move_are_changed(sql: str, renamed: str) -> None:
    if "$a$" in sql:  # within the inner dollar quotes it is code again
        renamed = sql.replace(" public.f $$ $a$", ' "shop"."f" $$ $a$')
    assert rename_relations(sql, NAMES) == renamed


@pytest.mark.parametrize(
    ("sql", "renamed"),
    [
        ("(total > 0)", '("Sum" > 0)'),
        ('lower(total) COLLATE "C"', 'lower("Sum") COLLATE "C"'),
        ("total(total)", 'total("Sum")'),
        ("(a)::time without time zone", '("x")::time without time zone'),
        ('("time" > zone)', '("when" > "place")'),
        ("'total' || total", "'total' || \"Sum\""),
        ("USING gin (a gin_trgm_ops) WHERE (a IS NOT NULL)", 'USING gin ("x" gin_trgm_ops) WHERE ("x" IS NOT NULL)'),
        ("PRIMARY KEY (same, a)", 'PRIMARY KEY (same, "x")'),
        ("(total AND (a OR total))", '("Sum" AND ("x" OR "Sum"))'),
    ],
)
def test_columns_get_their_names_wherever_they_are_columns(sql: str, renamed: str) -> None:
    names = {"total": "Sum", "a": "x", "same": "same", "time": "when", "zone": "place", "and": "no"}
    assert rename_columns(sql, names) == renamed


def test_a_column_that_is_not_copied_is_named() -> None:
    with pytest.raises(PlanError, match="column b"):
        rename_columns("(a + b)", {"a": "a", "b": None})
    assert rename_columns("(a + 'b'::text)", {"a": "a", "b": None}) == "(a + 'b'::text)"


@given(st.text(alphabet="ab.\"'$ \n-*/:(é1"))
def test_whatever_the_text_says_nothing_else_changes(text: str) -> None:
    assert rename_relations(text, {}) == text
    assert rename_columns(text, {}) == text


@pytest.mark.parametrize(
    ("definition", "version", "known"),
    [
        ("PRIMARY KEY (a, b WITHOUT OVERLAPS)", 170_000, False),
        ("PRIMARY KEY (a, b WITHOUT OVERLAPS)", 180_000, True),
        ('PRIMARY KEY ("a WITHOUT OVERLAPS")', 150_000, True),
        ("UNIQUE NULLS NOT DISTINCT (a)", 140_000, False),
        ("UNIQUE NULLS NOT DISTINCT (a)", 150_000, True),
        ("CHECK ((a = 'NOT ENFORCED'))", 150_000, True),
        ("CHECK ((a > 0)) NOT ENFORCED", 150_000, False),
    ],
)
def test_what_an_older_server_does_not_know_is_refused(definition: str, version: int, known: bool) -> None:
    if known:
        assert check_known(definition, version) == definition
    else:
        with pytest.raises(PlanError, match=f"PostgreSQL {version // 10_000} has no"):
            check_known(definition, version)
