"""What collations take for equal, and which keys of a plan are to be looked at for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.client import query
from mainstem.connectors.mysql.folding import folding
from mainstem.connectors.mysql.inspector import MysqlInspector
from mainstem.connectors.mysql.target_dialect import MysqlTargetDialect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.contract.dialect import Dialect, Folding, TargetDialect
from mainstem.ddl.collisions import folded_keys
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.schema import Column, Index, IndexPart, Table
from mainstem.model.types import Kind, LogicalType

EXACT, CASE, ALL = Folding(), Folding(case=True), Folding(case=True, accents=True, spaces=True)


@pytest.mark.parametrize(
    ("sql", "collation", "fold"),
    [
        ("varchar(9)", "utf8mb4_general_ci", ALL),
        ("varchar(9)", "utf8mb4_0900_ai_ci", Folding(case=True, accents=True)),
        ("varchar(9)", "utf8mb4_0900_as_ci", CASE),
        ("varchar(9)", "utf8mb4_0900_as_cs", EXACT),
        ("varchar(9)", "utf8mb4_0900_bin", EXACT),
        ("varchar(9)", "utf8mb4_nopad_bin", EXACT),
        ("varchar(9)", "utf8mb4_bin", Folding(spaces=True)),
        ("varchar(9)", "latin1_general_cs", Folding(spaces=True)),
        ("varchar(9)", "uca1400_ai_ci", ALL),
        ("varchar(9)", "utf8mb4_unicode_nopad_ci", Folding(case=True, accents=True)),
        ("varbinary(9)", "binary", EXACT),
        ("int", "", EXACT),
        ("varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL", "utf8mb4_bin", ALL),
    ],
)
def test_a_collations_name_says_what_it_takes_for_equal(sql: str, collation: str, fold: Folding) -> None:
    assert replace(folding(sql, collation), collation="") == fold


def test_citext_is_the_type_of_postgresql_that_folds() -> None:
    dialect = PostgresDialect()
    assert dialect.folding("citext", "") == CASE
    assert dialect.folding('"public"."citext"', "") == CASE
    assert dialect.folding("text", "") == EXACT


def _table(collation: str, native: str = "varchar(9)", schema: str = "s") -> Table:
    return Table(
        TableId(schema, "t"),
        (
            Column("a", LogicalType(Kind.TEXT), native, collation=collation),
            Column("n", LogicalType(Kind.INTEGER), "int"),
        ),
        primary_key=("n", "a"),
        indexes=(
            Index("plain", (IndexPart("a"),)),
            Index("by_a", (IndexPart("a"),), unique=True),
            Index("by_n", (IndexPart("n"),), unique=True),
            Index("cut", (IndexPart("a", prefix_length=3),), unique=True),
        ),
    )


MYSQL, POSTGRES = MysqlTargetDialect(), PostgresDialect()


@pytest.mark.parametrize(
    ("source", "own", "target", "wanted", "there", "keys"),
    [
        (POSTGRES, "", MYSQL, "varchar(9)", None, []),
        (POSTGRES, "", MYSQL, "varchar(9) COLLATE utf8mb4_general_ci", None, ["", "by_a"]),
        (POSTGRES, "", MYSQL, "varchar(9)", "utf8mb4_general_ci", ["", "by_a"]),
        (POSTGRES, "", MYSQL, "varchar(9)", "utf8mb4_0900_bin", []),
        (MYSQL, "utf8mb4_general_ci", POSTGRES, "text", None, []),
        (MYSQL, "utf8mb4_bin", POSTGRES, "citext", None, ["", "by_a"]),
        (MYSQL, "utf8mb4_general_ci", POSTGRES, "citext", None, []),
        (MYSQL, "utf8mb4_general_ci", MYSQL, "varchar(9)", "utf8mb4_general_ci", []),
        (MYSQL, "utf8mb4_0900_as_ci", MYSQL, "varchar(9)", "utf8mb4_general_ci", ["", "by_a"]),
        (MYSQL, "utf8mb4_bin", MYSQL, "varchar(9)", "utf8mb4_0900_ai_ci", ["", "by_a"]),
    ],
)
def test_keys_are_looked_at_where_the_target_folds_more(
    source: Dialect, own: str, target: TargetDialect, wanted: str, there: str | None, keys: list[str]
) -> None:
    table = _table(own)
    columns = tuple(ColumnPlan(item.name, item.name, item.type, wanted) for item in table.columns)
    plan = TablePlan(table.id, TableId("t", "t"), columns)
    existing = {} if there is None else {plan.target: _table(there, schema="t")}
    found = folded_keys([plan], {table.id: table}, existing, source, target)
    assert [key.name for key in found] == keys
    assert all(dict(key.columns)["a"] != EXACT for key in found)


_ROWS = ["a", "A", "á", "a ", "b", "B", "c", None]
_FOLDS = [(EXACT, 0), (CASE, 2), (Folding(spaces=True), 1), (ALL, 2)]


def test_the_servers_count_keys_that_become_equal(
    mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    with mysql_connect(mysql_db) as connection, connection.cursor() as cursor:
        query(connection, "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_nopad_bin, n int)")
        cursor.executemany("INSERT INTO t VALUES (%s, 1)", [(value,) for value in _ROWS])
    with postgres_connect(postgres_db) as other:
        other.execute("CREATE TABLE t (k varchar(9), n int)")
        other.cursor().executemany("INSERT INTO t VALUES (%s, 1)", [(value,) for value in _ROWS])
    with MysqlInspector(mysql_db) as mysql, PostgresInspector(postgres_db) as postgres:
        for fold, count in _FOLDS:
            columns = [("k", fold), ("n", EXACT)]
            assert mysql.collisions(TableId(mysql_db.database, "t"), columns, "") == count, fold
            assert postgres.collisions(TableId("public", "t"), columns, "") == count, fold
        named = [("k", replace(ALL, collation="utf8mb4_general_ci"))]
        assert mysql.collisions(TableId(mysql_db.database, "t"), named, "") == 2
        assert mysql.collisions(TableId(mysql_db.database, "t"), named, "k <> 'B'") == 1
