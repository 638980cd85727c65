"""The tool that has two servers compare their rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tools.compare import compare

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings


@pytest.mark.parametrize(("value", "same"), [("1.50", True), ("1.51", False)])
def test_numbers_of_every_kind_are_compared(
    mysql_db: ConnectionSettings, postgres_db: ConnectionSettings, value: str, same: bool
) -> None:
    with postgres_connect(postgres_db) as connection:
        connection.execute("CREATE TABLE t (i bigint, n numeric(10,2), o oid)")
        connection.execute("INSERT INTO t VALUES (-1, 1.5, 4294967295), (NULL, NULL, NULL)")
    with mysql_connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (i bigint, n decimal(20,5), o int unsigned)")
        cursor.execute(f"INSERT INTO t VALUES (-1, {value}, 4294967295), (NULL, NULL, NULL)")
    assert [result.same for result in compare(postgres_db, mysql_db)] == [same]


@pytest.mark.parametrize(("value", "same"), [("1.5", True), ("1.51", False)])
def test_a_value_is_the_same_whatever_type_the_target_keeps_it_in(
    postgres_db: ConnectionSettings, value: str, same: bool
) -> None:
    moment = "2020-01-02 03:04:05.6"
    with postgres_connect(postgres_db) as connection:
        connection.execute("CREATE SCHEMA target")
        connection.execute("CREATE TABLE t (n numeric(8,2), f numeric(8,2), p char(9), m timestamp(1), i inet)")
        connection.execute("CREATE TABLE target.t (n numeric(12,3), f double precision, p text, m timestamp, i text)")
        connection.execute(f"INSERT INTO t VALUES (1.5, 1.5, 'a', '{moment}', '10.0.0.1')")
        connection.execute(f"INSERT INTO target.t VALUES (1.5, {value}, 'a', '{moment}', '10.0.0.1')".encode())
    found = list(compare(postgres_db, replace(postgres_db, schema="target")))
    assert [(result.same, result.columns) for result in found] == [(same, () if same else ("f",))]
