"""Ways around a read-only session; the server's part is tried without the console's list of words in front of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.client import query as mysql_query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.console import RefusedError, SessionOptions
from mainstem.contract.effects import statements
from mainstem.contract.registry import Registry
from mainstem.model.connection import ConnectionSettings

READ_ONLY = SessionOptions(read_only=True, seconds=30)


def attempt(settings: ConnectionSettings, script: str) -> list[str]:
    """Run every statement of a script in one read-only session; the codes of the refusals."""
    spec = Registry.installed().find(settings.type)
    assert spec.console is not None
    kit, refused = spec.console(), []
    with kit.open(settings, READ_ONLY) as console:
        for statement in statements(script, kit.grammar):
            try:
                for result in console.execute(statement):
                    list(result)
            except RefusedError as exc:
                refused.append(exc.refusal.code)
    return refused


def attempt_harmless(settings: ConnectionSettings, script: str) -> list[str]:
    """The same for those statements that the console lets through; the words of the others."""
    spec = Registry.installed().find(settings.type)
    assert spec.console is not None
    return [one.text for one in statements(script, spec.console().grammar) if one.harmless]


POSTGRES = """
CREATE TABLE t (a int);
INSERT INTO t VALUES (1);
CREATE SEQUENCE s;
CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING a';
CREATE FUNCTION unlocks() RETURNS void LANGUAGE plpgsql AS
  $$BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM t; END$$;
CREATE PROCEDURE leaves() LANGUAGE plpgsql AS 'BEGIN COMMIT; DELETE FROM t; COMMIT; END';
"""
SLY = (  # which a new server does not even let be made
    "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql SET transaction_read_only = off AS 'BEGIN DELETE FROM t; END'"
)
POSTGRES_WAYS = [
    "DELETE FROM t",
    "SET TRANSACTION READ WRITE; DELETE FROM t",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DELETE FROM t",
    "SET default_transaction_read_only = off; SET transaction_read_only = off; DELETE FROM t",
    "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM t",
    "SELECT set_config('default_transaction_read_only', 'off', false); COMMIT; DELETE FROM t",
    "COMMIT; DELETE FROM t",
    "COMMIT AND CHAIN; SET TRANSACTION READ WRITE; DELETE FROM t; COMMIT",
    "ROLLBACK AND CHAIN; SET TRANSACTION READ WRITE; DELETE FROM t; COMMIT",
    "ROLLBACK; BEGIN READ WRITE; DELETE FROM t; COMMIT",
    "BEGIN READ WRITE; DELETE FROM t; COMMIT",
    "SAVEPOINT s1; SET TRANSACTION READ WRITE; DELETE FROM t; RELEASE s1; COMMIT",
    "DO $$ BEGIN DELETE FROM t; END $$",
    "DO $$ BEGIN COMMIT; DELETE FROM t; COMMIT; END $$",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM t; END $$",
    "SELECT wipe()",
    "SELECT sly()",
    "SELECT unlocks()",
    "CALL leaves()",
    "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
    "EXPLAIN ANALYZE DELETE FROM t",
    "PREPARE p AS DELETE FROM t; EXECUTE p",
    "SELECT * INTO u FROM t",
    "CREATE TABLE u (a int)",
    "DROP TABLE t",
    "TRUNCATE t",
    "ALTER TABLE t ADD b int",
    "VACUUM t",
    "SELECT nextval('s')",
    "SELECT setval('s', 99)",
    "SELECT lo_create(4711)",
    "SELECT lo_from_bytea(4711, 'x')",
    "COPY t FROM PROGRAM 'echo 2'",
    "GRANT ALL ON t TO PUBLIC",
    "ALTER SYSTEM SET work_mem = '5MB'",
    "CREATE DATABASE must_not_be",
]
POSTGRES_STATE = (
    "SELECT (SELECT array_agg(t::text) FROM t), to_regclass('u'), (SELECT last_value || is_called::text FROM s),"
    " (SELECT count(*) FROM pg_largeobject_metadata),"
    " (SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0),"
    " (SELECT relacl::text FROM pg_class WHERE oid = 't'::regclass),"
    " (SELECT count(*) FROM pg_database WHERE datname = 'must_not_be')"
)


@pytest.fixture(params=["postgres_db", "postgres15_db"])
def postgres(request: pytest.FixtureRequest) -> ConnectionSettings:
    settings: ConnectionSettings = request.getfixturevalue(request.param)
    with postgres_connect(settings) as connection:
        connection.execute(POSTGRES)
        with suppress(psycopg.errors.FeatureNotSupported):
            connection.execute(SLY)
    return settings


def test_nothing_gets_around_a_read_only_session_of_postgresql(postgres: ConnectionSettings) -> None:
    with postgres_connect(postgres) as connection:
        before = connection.execute(POSTGRES_STATE).fetchone()
        for way in POSTGRES_WAYS:
            attempt(postgres, way)
            assert connection.execute(POSTGRES_STATE).fetchone() == before, way


def test_no_second_statement_rides_along_with_a_first(postgres: ConnectionSettings) -> None:
    """Should the console ever cut a script wrongly, the protocol takes one statement at a time."""
    spec = Registry.installed().find("postgresql")
    assert spec.console is not None
    kit = spec.console()
    [one] = statements("SELECT 1", kit.grammar)
    with kit.open(postgres, READ_ONLY) as console:
        [result] = console.execute(replace(one, text="SELECT 1; COMMIT; DELETE FROM t"))
        with pytest.raises(RefusedError) as caught:
            list(result)
    assert caught.value.refusal.code == "42601"


def test_a_setting_of_a_read_only_session_stays_for_what_follows(postgres: ConnectionSettings) -> None:
    spec = Registry.installed().find("postgresql")
    assert spec.console is not None
    kit, found = spec.console(), []
    with kit.open(postgres, READ_ONLY) as console:
        for statement in statements("SET search_path = pg_catalog; SHOW search_path", kit.grammar):
            found = [row for result in console.execute(statement) for row in result]
    assert found == [[b"pg_catalog"]]


MYSQL = [
    "CREATE TABLE t (a int)",
    "CREATE TABLE m (a int) ENGINE = MyISAM",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO m VALUES (1)",
    "CREATE SEQUENCE s",
    "CREATE FUNCTION wipe() RETURNS int DETERMINISTIC MODIFIES SQL DATA BEGIN DELETE FROM t; RETURN 1; END",
    "CREATE PROCEDURE leaves() BEGIN COMMIT; SET SESSION TRANSACTION READ WRITE; START TRANSACTION READ WRITE;"
    " DELETE FROM t; COMMIT; END",
]
MYSQL_WAYS = [
    "DELETE FROM t",
    "DELETE FROM m",
    "INSERT INTO m VALUES (2)",
    "SET SESSION TRANSACTION READ WRITE; DELETE FROM t",
    "SET autocommit = 1; DELETE FROM t",
    "COMMIT; DELETE FROM t",
    "ROLLBACK; DELETE FROM m",
    "START TRANSACTION READ WRITE; DELETE FROM t; COMMIT",
    "SET STATEMENT tx_read_only = 0 FOR DELETE FROM t",
    "SELECT wipe()",
    "SELECT NEXT VALUE FOR s",
    "WITH c AS (SELECT 1) DELETE FROM t",
    "CREATE TABLE u (a int)",
    "DROP TABLE t",
    "TRUNCATE t",
    "ALTER TABLE t ADD b int",
    "RENAME TABLE t TO u",
    "ANALYZE DELETE FROM t",
    "LOCK TABLES t WRITE; DELETE FROM t; UNLOCK TABLES",
]
MYSQL_BARRED = [
    "CALL leaves()",
    "/*! CALL leaves() */",
    "/*M! DELETE FROM t */",
    "SELECT /*!50000 1 INTO OUTFILE '/tmp/must-not-be' */",
    "SELECT 1 INTO OUTFILE '/tmp/must-not-be'",
    "SELECT 1 INTO/**/DUMPFILE '/tmp/must-not-be'",
    "PREPARE p FROM 'CALL leaves()'",
    "EXECUTE p",
    "EXECUTE IMMEDIATE 'CALL leaves()'",
    "BEGIN NOT ATOMIC COMMIT; SET SESSION TRANSACTION READ WRITE; DELETE FROM t; END",
    "IF 1 THEN COMMIT; DELETE FROM t; END IF",
    "SET GLOBAL max_connections = 50",
    "SET PASSWORD = PASSWORD('x')",
    "HANDLER t OPEN",
    "KILL 1",
    "FLUSH TABLES",
    "ANALYZE TABLE t",
    "LOAD DATA INFILE 'x' INTO TABLE t",
]


def mysql_state(settings: ConnectionSettings) -> object:
    with mysql_connect(settings) as connection:
        return [
            mysql_query(connection, sql)
            for sql in ("SELECT * FROM t", "SELECT * FROM m", "SHOW CREATE TABLE t", "SHOW TABLES", "SELECT * FROM s")
        ]


def test_nothing_gets_around_a_read_only_session_of_mysql(mysql_db: ConnectionSettings) -> None:
    with mysql_connect(mysql_db) as connection:
        for sql in MYSQL:
            mysql_query(connection, sql)
    before = mysql_state(mysql_db)
    for way in MYSQL_WAYS:
        attempt(mysql_db, way)
        assert mysql_state(mysql_db) == before, way


def test_what_could_leave_a_read_only_transaction_of_mysql_is_not_sent(mysql_db: ConnectionSettings) -> None:
    for way in MYSQL_BARRED:
        assert attempt_harmless(mysql_db, way) == [], way


def test_a_read_only_session_reads(mysql_db: ConnectionSettings, postgres_db: ConnectionSettings) -> None:
    ways = {
        "mysql": ["SELECT 1", "(SELECT 1) UNION SELECT 2", "SHOW TABLES", "WITH a AS (SELECT 1) SELECT * FROM a",
                  "EXPLAIN SELECT 1", "DESCRIBE information_schema.tables", "VALUES (1)"],
        "postgresql": ["SELECT 1", "TABLE pg_class", "SHOW ALL", "VALUES (1)", "EXPLAIN SELECT 1", "SET jit = off"],
    }  # fmt: skip
    for settings in (mysql_db, postgres_db):
        for way in ways[settings.type]:
            assert attempt_harmless(settings, way) == [way]
            assert attempt(settings, way) == [], way
