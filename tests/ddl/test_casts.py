"""Which spellings of a type, or of a column, a user's cast may have."""

from __future__ import annotations

import pytest

from mainstem.ddl.casts import override_for
from mainstem.model.names import TableId
from mainstem.model.schema import Column
from mainstem.model.types import Kind, LogicalType

TABLE = TableId("shop", "orders")


def chosen(native: str, *keys: str) -> str:
    column = Column("total", LogicalType(Kind.TEXT), native)
    return override_for(column, TABLE, dict.fromkeys(keys, "x"))[0]


@pytest.mark.parametrize(
    ("native", "keys"),
    [
        ("tinyint(1)", ["tinyint(1)", "TINYINT(1)", "tinyint"]),
        ("int(10) unsigned", ["int(10) unsigned", "int(10)", "int unsigned", "int"]),
        ("int(10) unsigned zerofill", ["int(10)", "int"]),
        ("enum('a(b)','c')", ["enum", "enum('a(b)','c')"]),
        ("character varying(40)", ["character varying(40)", "varchar(40)", "character varying", "varchar"]),
        ("timestamp with time zone", ["timestamp with time zone", "timestamptz"]),
        ("timestamp(3) without time zone", ["timestamp(3)", "timestamp", "timestamp without time zone"]),
        ("numeric(10,2)", ["numeric(10,2)", "decimal(10,2)", "numeric", "decimal"]),
        ("double precision", ["double precision", "float8"]),
        ("integer[]", ["integer[]"]),
        ("shop.mood", ["shop.mood"]),
        ("jsonb", ["orders.total", "shop.orders.total", "jsonb"]),
    ],
)
def test_a_type_may_be_written_in_full_or_short(native: str, keys: list[str]) -> None:
    assert [chosen(native, key) for key in keys] == keys


@pytest.mark.parametrize(
    ("native", "key"),
    [
        ("timestamp with time zone", "timestamp"),
        ("time with time zone", "time"),
        ("bit varying(8)", "bit"),
        ("character varying(40)", "character"),
        ("int(11)", "int(10)"),
        ("integer[]", "integer"),
        ("numeric(10,2)", "numeric(12,2)"),
    ],
)
def test_another_type_is_not_meant(native: str, key: str) -> None:
    assert chosen(native, key) == ""


def test_a_columns_own_cast_goes_before_its_types_and_the_special_before_the_general() -> None:
    assert chosen("tinyint(1)", "tinyint", "tinyint(1)", "orders.total") == "orders.total"
    assert chosen("tinyint(1)", "tinyint", "tinyint(1)") == "tinyint(1)"
    assert chosen("int(10) unsigned", "int", "int unsigned") == "int unsigned"
