"""Row filters mean the same rows on every kind of source, asked of the servers themselves."""

from __future__ import annotations

from typing import Any

import pytest

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.control.config_body import Filter
from mainstem.control.filters import condition_of
from mainstem.model.connection import ConnectionSettings

_VALUES = ["a%b", "a_b", "a!b", "a\\b", "it's", "Zoë ☕", "", "42", "x42y", None]
CASES: list[tuple[dict[str, Any], set[int]]] = [
    ({"column": "na me", "operator": "=", "value": "it's"}, {4}),
    ({"column": "na me", "operator": "=", "value": "a\\b"}, {3}),
    ({"column": "na me", "operator": "!=", "value": ""}, {0, 1, 2, 3, 4, 5, 7, 8}),
    ({"column": "na me", "operator": "contains", "value": "%"}, {0}),
    ({"column": "na me", "operator": "contains", "value": "_"}, {1}),
    ({"column": "na me", "operator": "contains", "value": "!"}, {2}),
    ({"column": "na me", "operator": "contains", "value": "\\"}, {3}),
    ({"column": "na me", "operator": "not contains", "value": "a"}, {4, 5, 6, 7, 8}),
    ({"column": "na me", "operator": "starts_with", "value": "Zo"}, {5}),
    ({"column": "na me", "operator": "ENDS WITH", "value": "☕"}, {5}),
    ({"column": "na me", "operator": "contains", "value": 42}, {7, 8}),
    ({"column": "na me", "operator": "like", "value": "a_b"}, {0, 1, 2, 3}),
    ({"column": "na me", "operator": "not like", "value": "a%"}, {4, 5, 6, 7, 8}),
    ({"column": "na me", "operator": "is null"}, {9}),
    ({"column": "na me", "operator": "is not null"}, set(range(9))),
    ({"column": "na me", "operator": "in", "value": "42, it's"}, {4, 7}),
    ({"column": "n", "operator": "in", "value": [1, 2, "3"]}, {1, 2, 3}),
    ({"column": "n", "operator": "not in", "value": [1, 2]}, {0, 3, 4, 5, 6, 7, 8, 9}),
    ({"column": "n", "operator": "between", "value": "2,4"}, {2, 3, 4}),
    ({"column": "n", "operator": ">=", "value": "8"}, {8, 9}),
    ({"column": "n", "operator": "contains", "value": 9}, {9}),
    ({"column": "d", "operator": "<", "value": "2024-01-03"}, {0, 1}),
    ({"column": "d", "operator": "between", "value": ["2024-01-03", "2024-01-04"]}, {2, 3}),
]


def test_each_operator_chooses_the_same_rows_on_both_kinds(
    mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    rows = [(number, value, number, f"2024-01-{number + 1:02d}") for number, value in enumerate(_VALUES)]
    with mysql_connect(mysql_db) as mysql, postgres_connect(postgres_db) as postgres, mysql.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, `na me` varchar(20), n int, d date)")
        cursor.executemany("INSERT INTO t VALUES (%s, %s, %s, %s)", rows)
        postgres.execute('CREATE TABLE t (id int PRIMARY KEY, "na me" varchar(20), n int, d date)')
        postgres.cursor().executemany("INSERT INTO t VALUES (%s, %s, %s, %s)", rows)
        for members, wanted in CASES:
            cursor.execute(f"SELECT id FROM t WHERE ({condition_of([Filter(**members)], 'mysql')})")
            assert {id_ for (id_,) in cursor.fetchall()} == wanted, ("mysql", members)
            sql = f"SELECT id FROM t WHERE ({condition_of([Filter(**members)], 'postgres')})"
            assert {id_ for (id_,) in postgres.execute(sql.encode()).fetchall()} == wanted, ("postgres", members)


@pytest.mark.parametrize("dialect", ["mysql", "postgres"])
def test_a_value_stays_a_value(dialect: str) -> None:
    condition = condition_of([Filter(column="a", value="x' OR '1' = '1")], dialect)
    assert condition.endswith("= 'x'' OR ''1'' = ''1'")
