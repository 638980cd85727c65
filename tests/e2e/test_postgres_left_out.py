"""A PostgreSQL of everything arrives at a MariaDB in one go, and what cannot come along is told, kind by kind."""

from __future__ import annotations

import pytest

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RunOptions, RunState
from tests.e2e import rich_postgres

SCHEMAS = """
CREATE SCHEMA other;
CREATE TABLE other.parent (id integer PRIMARY KEY);
CREATE TABLE other.alone (id integer PRIMARY KEY, parent integer REFERENCES other.parent, p integer REFERENCES parent);
INSERT INTO other.parent VALUES (7);
INSERT INTO other.alone VALUES (1, 7, 10);
"""
LEFT_OUT = {
    "aggregate_left_out", "collation_left_out", "composite_left_out", "constraint_left_out", "domain_left_out",
    "extension_left_out", "function_left_out", "inheritance_left_out", "materialized_view_left_out",
    "partitioning_left_out", "policy_left_out", "procedure_left_out", "range_left_out", "row_security_left_out",
    "rule_left_out", "statistics_left_out", "table_left_out", "trigger_left_out",
}  # fmt: skip


def test_what_only_postgresql_has_is_told_kind_by_kind(
    postgres_db: ConnectionSettings, mysql_db: ConnectionSettings
) -> None:
    rich_postgres.create(postgres_db)
    with connect(postgres_db) as connection:
        connection.execute(SCHEMAS.encode())
    registry = Registry.installed()
    ends = Endpoint(registry.find("postgresql"), postgres_db), Endpoint(registry.find("mysql"), mysql_db)
    options = RunOptions(source_schemas=("*",))
    progress = bootstrap.conversion(new_id(STREAM), *ends, options, lambda event: None).run()
    assert progress.state is RunState.FINISHED, progress.error
    assert {item.code for item in progress.report} >= LEFT_OUT
    (functions,) = (item for item in progress.report if item.code == "function_left_out")
    assert "6 functions" in functions.message
    assert {str(table.source) for table in progress.tables} & {"public.measurements_2020", "public.nothing"} == set()
    renamed = [item.object for item in progress.report if item.code == "name_shortened"]
    assert renamed == ["other.parent"]
    with mysql_connect(mysql_db) as mysql, mysql.cursor() as cursor:
        counts = []
        for table in ("measurements", "animal", "cat", "alone JOIN other_parent ON parent = other_parent.id"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts += list(cursor.fetchone() or ())
        assert counts == [61, 1, 1, 1]
        with pytest.raises(Exception, match="foreign key"):
            cursor.execute("INSERT INTO alone VALUES (2, 8, NULL)")
