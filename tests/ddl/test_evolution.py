"""What a change of a source's columns asks of the target's table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.connectors.mysql.target_dialect import MysqlTargetDialect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.ddl.evolution import Change, Shape, follow
from mainstem.ddl.narrowing import widens
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import TableSelection
from mainstem.model.schema import Column, Default, DefaultKind, Generated, Table
from mainstem.model.types import Kind, LogicalType

INT, BIG = LogicalType(Kind.INTEGER, bits=32), LogicalType(Kind.INTEGER, bits=64)
TEXT = LogicalType(Kind.TEXT)


def text(length: int, *, fixed: bool = False) -> LogicalType:
    return LogicalType(Kind.TEXT, length=length, fixed=fixed)


def number(precision: int, scale: int) -> LogicalType:
    return LogicalType(Kind.DECIMAL, precision=precision, scale=scale)


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        (INT, BIG, True),
        (BIG, INT, False),
        (LogicalType(Kind.INTEGER, bits=32, unsigned=True), BIG, True),
        (INT, LogicalType(Kind.INTEGER, bits=64, unsigned=True), False),
        (INT, number(10, 0), True),
        (INT, number(10, 2), False),
        (number(10, 2), number(12, 4), True),
        (number(10, 2), number(11, 4), False),
        (text(10), text(20), True),
        (text(20), text(10), False),
        (text(20), TEXT, True),
        (TEXT, text(20), False),
        (text(5), text(9, fixed=True), False),
        (TEXT, LogicalType(Kind.BINARY), False),
        (LogicalType(Kind.ENUM, members=("a",)), LogicalType(Kind.ENUM, members=("a", "b")), True),
        (LogicalType(Kind.ENUM, members=("a", "b")), LogicalType(Kind.ENUM, members=("b", "a")), False),
        (LogicalType(Kind.TIMESTAMP, fraction=0), LogicalType(Kind.TIMESTAMP, fraction=6), True),
        (LogicalType(Kind.TIMESTAMP, fraction=6), LogicalType(Kind.TIMESTAMP, fraction=0), False),
        (LogicalType(Kind.FLOAT, bits=32), LogicalType(Kind.FLOAT, bits=64), True),
    ],
)
def test_a_type_is_wider_if_it_holds_every_value_as_it_is(old: LogicalType, new: LogicalType, wider: bool) -> None:
    assert widens(old, new) is wider


ID = Column("id", BIG, "bigint(20)", nullable=False)
V = Column("v", text(10), "varchar(10)", nullable=False)
LAYOUT = (ID, V)
PLAN = TablePlan(
    TableId("s", "t"), TableId("t", "t"),
    (ColumnPlan("id", "id", BIG, "bigint", False), ColumnPlan("v", "w", text(10), "varchar(10)", False)), ("id",),
)  # fmt: skip
THERE = {
    "id": Column("id", BIG, "bigint", nullable=False), "w": Column("w", text(10), "varchar(10)", nullable=False),
}  # fmt: skip


def followed(*columns: Column, selection: TableSelection | None = None, own: Column | None = None) -> Change:
    """
    Args:
        own: a column that the target has beside, as the source had it.
    """
    there, layout = (THERE, LAYOUT) if own is None else ({**THERE, own.name: own}, (*LAYOUT, own))
    shape = Shape(PLAN, layout, selection or TableSelection("t"), there)
    return follow(shape, columns, MysqlTargetDialect(), PostgresDialect(), {})


@pytest.mark.parametrize(
    ("key", "told"),
    [(("id",), []), ((), ['table t.t has no key: run on the target: ALTER TABLE "t"."t" ADD PRIMARY KEY ("id")'])],
)
def test_a_new_copy_tells_of_a_key_that_the_target_lacks(key: tuple[str, ...], told: list[str]) -> None:
    """The first one made the table, and its key was refused: an index of another table had the name."""
    own = Table(PLAN.target, tuple(THERE.values()), key)
    shape = Shape(PLAN, LAYOUT, TableSelection("t"), THERE, own)
    change = follow(shape, LAYOUT, MysqlTargetDialect(), PostgresDialect(), {}, anew=True)
    assert (change.statements, change.obstacles) == ([], told)


def default(value: str, kind: DefaultKind = DefaultKind.LITERAL) -> Default:
    return Default(kind, value)


@pytest.mark.parametrize(
    ("columns", "statements"),
    [
        ((V, ID), []),
        ((ID, V, Column("more", INT, "int")), ['ALTER TABLE "t"."t" ADD COLUMN "more" integer']),
        (
            (ID, V, Column("more", INT, "int", nullable=False)),
            ['ALTER TABLE "t"."t" ADD COLUMN "more" integer DEFAULT 0 NOT NULL'],
        ),
        (
            (ID, V, Column("more", text(3), "varchar(3)", default=default("a'b"))),
            ["""ALTER TABLE "t"."t" ADD COLUMN "more" varchar(3) DEFAULT 'a''b'"""],
        ),
        (
            (ID, Column("v", text(30), "varchar(30)", nullable=False)),
            ['ALTER TABLE "t"."t" ALTER COLUMN "w" TYPE varchar(30)'],
        ),
        ((ID, Column("v", text(10), "varchar(10)")), ['ALTER TABLE "t"."t" ALTER COLUMN "w" DROP NOT NULL']),
        ((ID,), ['ALTER TABLE "t"."t" ALTER COLUMN "w" DROP NOT NULL']),
    ],
)
def test_what_only_adds_is_done_by_statements(columns: tuple[Column, ...], statements: list[str]) -> None:
    change = followed(*columns)
    assert (change.statements, change.obstacles, change.copy) == (statements, [], False)
    assert [column.source for column in change.plan.columns] == [column.name for column in columns]


def test_names_and_types_of_known_columns_stay() -> None:
    plan = followed(ID, V, Column("more", INT, "int")).plan
    assert [(column.target, column.target_type) for column in plan.columns] == [
        ("id", "bigint"), ("w", "varchar(10)"), ("more", "integer"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ((ID, Column("renamed", text(10), "varchar(10)")), 'RENAME COLUMN "w" TO "renamed"'),
        ((ID, Column("v", text(5), "varchar(5)", nullable=False)), "run on the target: ALTER TABLE"),
        ((ID, Column("v", INT, "int", nullable=False)), "what its values became is not in the log"),
        ((V,), "of the key was dropped"),
        ((ID, V, Column("n", BIG, "bigint", nullable=False, identity=True)), "counts by itself"),
    ],
)
def test_what_the_log_does_not_tell_stands_in_the_way(columns: tuple[Column, ...], told: str) -> None:
    change = followed(*columns)
    assert any(told in obstacle for obstacle in change.obstacles)


@pytest.mark.parametrize("kind", [DefaultKind.NOW, DefaultKind.EXPRESSION])
def test_a_default_that_is_no_constant_asks_for_a_new_copy(kind: DefaultKind) -> None:
    stamp = LogicalType(Kind.TIMESTAMP, fraction=0)
    given = Default(kind, "0" if kind is DefaultKind.NOW else "now()")
    assert followed(ID, V, Column("at", stamp, "datetime", default=given)).copy


def test_another_expression_of_a_column_is_not_taken_for_no_change() -> None:
    before, now = (Column("g", INT, "int", generated=Generated(text, stored=True)) for text in ("`id` * 2", "`id` * 3"))
    plain = replace(before, generated=None)
    assert followed(ID, V, before, own=before).obstacles == []
    assert "computed as `id` * 3" in followed(ID, V, now, own=before).obstacles[0]
    assert "not computed any more" in followed(ID, V, plain, own=before).obstacles[0]


def test_a_column_that_nobody_wants_is_not_added() -> None:
    selection = TableSelection("t", columns=("id", "v"))
    assert followed(ID, V, Column("more", INT, "int"), selection=selection).statements == []
