"""What the catalog says of a schema, by a number of questions that does not grow with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import inspector
from mainstem.connectors.postgres.ask import Ask
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.errors import NotFoundError, TransientError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Phase
from mainstem.model.schema import Catalog, Column, Default, DefaultKind, TableKind
from mainstem.model.types import Kind

Sql = psycopg.Connection[Any]


def catalog(database: ConnectionSettings, *names: str, schemas: tuple[str, ...] = ()) -> Catalog:
    with PostgresInspector(database) as inspector:
        return inspector.catalog([TableId("", name) for name in names] or None, schemas=schemas)


def column(database: ConnectionSettings, name: str) -> Column:
    (table,) = catalog(database, "t").tables
    return table.column(name)


def test_the_number_of_questions_does_not_grow_with_the_tables(
    sql: Sql, database: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    rows = Ask.rows

    def counting(ask: Ask, query: str, **arguments: object) -> list[Any]:
        asked.append(query)
        return rows(ask, query, **arguments)

    monkeypatch.setattr(Ask, "rows", counting)
    counts = []
    for number in range(40):
        sql.execute(
            f"CREATE TABLE t{number} (id serial PRIMARY KEY, a integer REFERENCES t{max(number - 1, 0)}, b text,"
            f" CHECK (a > 0)); CREATE INDEX ON t{number} (lower(b)); CREATE VIEW v{number} AS SELECT * FROM t{number};"
            f" CREATE TYPE e{number} AS ENUM ('a')".encode()
        )
        if number in (3, 39):
            asked.clear()
            found = catalog(database)
            assert len(found.tables) == len(found.views) == number + 1
            counts.append(len(asked))
    assert counts[0] == counts[1] < 45


def test_what_others_drop_while_it_is_read_is_not_there(
    sql: Sql, database: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drops = {
        "pg_get_indexdef": "DROP INDEX lowered",
        "pg_get_functiondef": "DROP FUNCTION one",
        "pg_get_viewdef": "DROP VIEW seen",
        "pg_get_statisticsobjdef": "DROP STATISTICS twice",
        "pg_sequence_last_value": "DROP SEQUENCE unused",
        "pg_get_partkeydef": "DROP TABLE parted",
    }
    rows = Ask.rows

    def dropping(ask: Ask, query: str, **arguments: object) -> list[Any]:
        for of in [of for of in drops if of in query]:
            sql.execute(drops.pop(of).encode())
        return rows(ask, query, **arguments)

    for statement in (
        "CREATE TABLE t (id integer, a integer, b text)", "CREATE INDEX lowered ON t (lower(b))",
        "CREATE STATISTICS twice ON id, a FROM t", "CREATE TABLE parted (id integer) PARTITION BY RANGE (id)",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "CREATE VIEW seen AS SELECT 1 AS a",
        "CREATE SEQUENCE unused", "SET lock_timeout = '5s'",
    ):  # fmt: skip
        sql.execute(statement.encode())
    monkeypatch.setattr(Ask, "rows", dropping)
    monkeypatch.setattr(inspector, "_AGAIN_S", 0.0)
    found = catalog(database)
    assert not drops
    assert [table.id.name for table in found.tables] == ["t"]
    assert (found.tables[0].indexes, found.views, found.sequences, found.objects) == ((), (), (), ())


@pytest.mark.parametrize(
    ("type_", "default", "found"),
    [
        ("integer", "-7", Default(DefaultKind.LITERAL, "-7", "'-7'::integer")),
        ("text", "'it''s'", Default(DefaultKind.LITERAL, "it's", "'it''s'::text")),
        ("text", "'a' || 'b'", Default(DefaultKind.EXPRESSION, "('a'::text || 'b'::text)", "('a'::text || 'b'::text)")),
        ("boolean", "true", Default(DefaultKind.LITERAL, "1", "true")),
        ("bytea", r"'\x00ff'", Default(DefaultKind.LITERAL, "00ff", r"'\x00ff'::bytea")),
        ("bit(4)", "B'0101'", Default(DefaultKind.LITERAL, "0101", """'0101'::"bit\"""")),
        ("timestamptz", "now()", Default(DefaultKind.NOW, "6", "now()")),
        ("timestamp(3)", "CURRENT_TIMESTAMP(3)", Default(DefaultKind.NOW, "3", "CURRENT_TIMESTAMP(3)")),
        ("timestamptz", "'2020-01-02 03:04:05+00'",
         Default(DefaultKind.LITERAL, "2020-01-02 03:04:05", "'2020-01-02 03:04:05+00'::timestamp with time zone")),
        ("text", "now()", Default(DefaultKind.EXPRESSION, "now()", "now()")),
    ],
)  # fmt: skip
def test_a_default_is_the_literal_that_it_is(
    sql: Sql, database: ConnectionSettings, type_: str, default: str, found: Default
) -> None:
    sql.execute(f"CREATE TABLE t (c {type_} DEFAULT {default})".encode())
    read = column(database, "c").default
    assert read is not None
    assert (read.kind, read.text) == (found.kind, found.text)


def test_types_of_users_are_known_by_what_they_hold(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute(
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN small AS numeric(5, 2); CREATE DOMAIN tiny AS small;"
        " CREATE TABLE t (m mood, ms mood[], t tiny, plain integer)"
    )
    kinds = {item.name: (item.type.kind, item.user_type) for item in catalog(database, "t").tables[0].columns}
    assert kinds == {
        "m": (Kind.ENUM, TableId("public", "mood")),
        "ms": (Kind.TEXT, TableId("public", "mood")),
        "t": (Kind.DECIMAL, TableId("public", "tiny")),
        "plain": (Kind.INTEGER, None),
    }
    assert (column(database, "t").type.precision, column(database, "m").type.members) == (5, ("a", "b"))


@pytest.mark.parametrize(
    ("begun", "following"),
    [
        ("", 10),
        ("SELECT nextval('s')", 13),
        ("SELECT setval('s', 50, false)", 50),
        ("SELECT setval('s', 100)", 10),  # past its end, and it goes round
    ],
)
def test_a_sequence_gives_its_next_value(sql: Sql, database: ConnectionSettings, begun: str, following: int) -> None:
    sql.execute("CREATE SEQUENCE s START 10 INCREMENT 3 MINVALUE 10 MAXVALUE 100 CYCLE")
    if begun:
        sql.execute(begun.encode())
    (found,) = catalog(database).sequences
    assert found.next_value == following


def test_partitions_come_with_their_table_and_its_estimate_is_theirs(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute(
        "CREATE TABLE t (id integer, k text) PARTITION BY RANGE (id);"
        " CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.low PARTITION OF t FOR VALUES FROM (0) TO (10);"
        " CREATE TABLE high PARTITION OF t DEFAULT PARTITION BY LIST (k);"
        " CREATE TABLE high_a PARTITION OF high FOR VALUES IN ('a');"
        " INSERT INTO t SELECT i, 'a' FROM generate_series(0, 99) i; ANALYZE"
    )
    found = {str(table.id): table for table in catalog(database, "t").tables}
    assert {name: table.kind for name, table in found.items()} == {
        "public.t": TableKind.PARTITIONED,
        "elsewhere.low": TableKind.PARTITION,
        "public.high": TableKind.PARTITION,
        "public.high_a": TableKind.PARTITION,
    }
    assert (found["public.t"].rows_estimate, found["public.high"].rows_estimate) == (100, 90)
    assert found["elsewhere.low"].partition_bound == "FOR VALUES FROM (0) TO (10)"
    (alone,) = catalog(database, "high_a").tables
    assert (alone.kind, alone.partition_of) == (TableKind.TABLE, None)


def test_an_object_comes_when_all_that_it_needs_is_there(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute(
        "CREATE TABLE t (id integer); CREATE VIEW v AS SELECT id FROM t;"
        " CREATE FUNCTION z() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        " CREATE FUNCTION of_table(t) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        " CREATE FUNCTION of_view() RETURNS SETOF v LANGUAGE sql AS 'SELECT 1';"
        " CREATE TYPE b AS (x integer); CREATE TYPE a AS (x b[])"
    )
    phases = {item.id.name: item.phase for item in catalog(database).objects}
    assert phases == {
        "z": Phase.SCHEMA, "of_table": Phase.TABLES, "of_view": Phase.VIEWS, "b": Phase.SCHEMA, "a": Phase.SCHEMA,
    }  # fmt: skip
    names = [item.id.name for item in catalog(database).objects]
    assert names.index("b") < names.index("a")


def test_what_tables_need_is_known_through_others(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute(
        "CREATE EXTENSION hstore; CREATE DOMAIN h AS hstore; CREATE TYPE c AS (x h);"
        " CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';"
        " CREATE TABLE t (v c); CREATE TABLE u (a integer); CREATE INDEX ON u (f(a)); CREATE TABLE w ()"
    )
    needed = {item.id.name: {table.name for table in item.needed_by} for item in catalog(database).objects}
    assert needed == {"hstore": {"t"}, "h": {"t"}, "c": {"t"}, "f": {"u"}}


def test_schemas_are_looked_into_as_asked(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute(
        'CREATE SCHEMA "B"; CREATE TABLE "B".t (); CREATE TABLE t (); CREATE SCHEMA c; CREATE VIEW c.v AS SELECT 1'
    )
    with PostgresInspector(database) as inspector:
        assert inspector.tables() == [TableId("public", "t")]
        assert inspector.tables(("*",)) == [TableId("B", "t"), TableId("public", "t")]
        assert inspector.tables(("c",), every=True) == [TableId("c", "v")]
        assert [str(view.id) for view in inspector.catalog(schemas=("*",)).views] == ["c.v"]
        with pytest.raises(NotFoundError, match=r"B\.none"):
            inspector.catalog([TableId("B", "none")])


def test_a_sequence_whose_place_is_hidden_is_told(sql: Sql, database: ConnectionSettings) -> None:
    sql.execute("CREATE SEQUENCE s; SELECT nextval('s'), nextval('s')")
    role = f"r_{database.database}"
    sql.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'r'".encode())
    try:
        found = catalog(replace(database, username=role, password="r"))
        assert [(other.kind, other.id.name) for other in found.others] == [("sequence_value", "s")]
        assert [other.kind for other in catalog(database).others] == []
    finally:
        sql.execute(f"DROP ROLE {role}".encode())


def test_who_has_locked_a_table_is_named_and_one_that_is_not_asked_about_is_not_waited_for(
    sql: Sql, database: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "LOCK_WAIT_S", 1)
    sql.execute(
        b"CREATE TABLE free (id integer); CREATE TABLE parts (id integer) PARTITION BY LIST (id);"
        b"CREATE TABLE one PARTITION OF parts FOR VALUES IN (1); CREATE TABLE held (id integer)"
    )
    with sql.transaction():
        sql.execute(b"SET application_name = 'somebody'; LOCK TABLE held, one")
        assert [table.id.name for table in catalog(database, "free").tables] == ["free"]
        with pytest.raises(TransientError, match=r"locked public\.held \(process \d+\)") as caught:
            catalog(database, "held")
        assert f"pg_terminate_backend({sql.info.backend_pid})" in caught.value.remedy
