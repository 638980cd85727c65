"""Which tables wait for which, and which of them are in a circle."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.ddl.references import ordered
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, TablePlan
from mainstem.model.schema import ForeignKey, Table

# child → parents
CHAIN = {"c": ("b", "b"), "b": ("a", "elsewhere"), "a": ()}
CIRCLES = {"a": ("b",), "b": ("c",), "c": ("a", "p"), "self": ("self", "a"), "p": (), "after": ("c",)}


def _planned(keys: Mapping[str, tuple[str, ...]], *, may: bool, strict: bool = True) -> MigrationPlan:
    plan = MigrationPlan(tuple(TablePlan(TableId("s", name), TableId("t", name), ()) for name in keys), ())
    there = {
        TableId("t", name): Table(
            TableId("t", name), (), foreign_keys=tuple(
                ForeignKey(f"to_{parent}", ("x", "y"), TableId("t", parent), ("m", "n")) for parent in parents
            ),
        )
        for name, parents in keys.items()
    }  # fmt: skip
    return ordered(plan, there, PostgresDialect(switches=may), strict=strict)


def _waits(plan: MigrationPlan) -> dict[str, list[str]]:
    return {table.source.name: sorted(parent.name for parent in table.after) for table in plan.tables}


def test_children_wait_for_their_parents_among_the_tables_that_are_copied() -> None:
    plan = _planned(CHAIN, may=False)
    assert _waits(plan) == {"c": ["b"], "b": ["a"], "a": []}
    assert not any(table.unchecked or table.whole for table in plan.tables)
    assert plan.statements == ()


def test_tables_of_a_circle_are_unchecked_and_all_of_their_keys_are_looked_at_afterwards() -> None:
    plan = _planned(CIRCLES, may=True)
    assert _waits(plan) == {"a": [], "b": [], "c": ["p"], "self": ["a"], "p": [], "after": ["c"]}
    assert [table.source.name for table in plan.tables if table.unchecked] == ["a", "b", "c", "self"]
    looks = {item.object: item.against for item in plan.phase(Phase.FOREIGN_KEYS) if not item.sql}
    assert sorted(looks) == ["t.a.to_b", "t.b.to_c", "t.c.to_a", "t.c.to_p", "t.self.to_a", "t.self.to_self"]
    assert looks["t.a.to_b"] == (
        'SELECT 1 FROM "t"."a" AS c LEFT JOIN "t"."b" AS p ON p."m" = c."x" AND p."n" = c."y"'
        ' WHERE c."x" IS NOT NULL AND c."y" IS NOT NULL AND p."m" IS NULL'
    )


def test_a_circle_is_refused_where_nobody_may_pass_over_checks() -> None:
    with pytest.raises(PlanError) as refused:
        _planned(CIRCLES, may=False)
    assert "t.a.to_b, t.b.to_c, t.c.to_a" in refused.value.message
    assert "t.c.to_p" not in refused.value.message
    assert not any(table.unchecked for table in _planned(CIRCLES, may=False, strict=False).tables)


def test_a_table_that_refers_to_itself_is_written_whole_where_nobody_may_pass_over_checks() -> None:
    plan = _planned({"self": ("self",), "other": ()}, may=False)
    assert [table.source.name for table in plan.tables if table.whole] == ["self"]
