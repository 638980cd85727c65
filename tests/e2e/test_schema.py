"""A schema of everything that MariaDB has, on every PostgreSQL: what arrives, and what the report says of the rest."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tools.compare import compare

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import ReportItem
from mainstem.model.run import RunOptions, RunState, TableSelection
from mainstem.testing.databases import drops
from tests.e2e.conftest import Pair

LONG = "a_name_of_sixty_four_bytes_that_postgresql_would_cut_without_a_w"
SHORT_TWINS = tuple(f"{'ü' * 31}_{number}" for number in (1, 2))  # 64 bytes each, the same in their first 63

TYPES = {
    "tiny": ("TINYINT", "smallint", ["-128", "127"]),
    "tiny_u": ("TINYINT UNSIGNED", "smallint", ["0", "255"]),
    "tiny_z": ("TINYINT(3) UNSIGNED ZEROFILL", "smallint", ["7", "255"]),
    "flag": ("TINYINT(1)", "boolean", ["0", "1"]),
    "not_flag": ("TINYINT(1)", "smallint", ["0", "2"]),
    "small": ("SMALLINT", "smallint", ["-32768", "32767"]),
    "small_u": ("SMALLINT UNSIGNED", "integer", ["0", "65535"]),
    "medium": ("MEDIUMINT", "integer", ["-8388608", "8388607"]),
    "medium_u": ("MEDIUMINT UNSIGNED", "integer", ["0", "16777215"]),
    "normal": ("INT", "integer", ["-2147483648", "2147483647"]),
    "normal_u": ("INT UNSIGNED", "bigint", ["0", "4294967295"]),
    "big": ("BIGINT", "bigint", ["-9223372036854775808", "9223372036854775807"]),
    "big_u": ("BIGINT UNSIGNED", "numeric(20,0)", ["0", "18446744073709551615"]),
    "exact": ("DECIMAL(12,3)", "numeric(12,3)", ["-999999999.999", "0.001"]),
    "widest": ("DECIMAL(65,30)", "numeric(65,30)", [f"{'9' * 35}.{'9' * 30}", f"-0.{'0' * 29}1"]),
    "single": ("FLOAT", "real", ["3.1415927", "-1.5e10"]),
    "twice": ("DOUBLE", "double precision", ["0.1", "-123456789.123456789"]),
    "bit_1": ("BIT(1)", "boolean", ["b'0'", "b'1'"]),
    "bit_13": ("BIT(13)", "bit(13)", ["b'0'", "b'1000000000001'"]),
    "bit_64": ("BIT(64)", "bit(64)", ["b'1'", f"b'{'1' * 64}'"]),
    "chars": ("CHAR(5)", "character(5)", ["''", "'ab'"]),
    "vchars": ("VARCHAR(20)", "character varying(20)", ["''", "'ÄÖ ß😀'"]),
    "latin": ("VARCHAR(20) CHARACTER SET latin1", "character varying(20)", ["'ÿé'", "'€'"]),
    "greek": ("VARCHAR(20) CHARACTER SET greek", "character varying(20)", ["'αβγ'", "'x'"]),
    "sjis": ("VARCHAR(20) CHARACTER SET sjis", "character varying(20)", ["'日本'", "'x'"]),
    "gbk": ("VARCHAR(20) CHARACTER SET gbk", "character varying(20)", ["'中文'", "'x'"]),
    "ucs": ("VARCHAR(20) CHARACTER SET ucs2", "character varying(20)", ["'Ωß'", "'x'"]),
    "wide": ("VARCHAR(20) CHARACTER SET utf32", "character varying(20)", ["'😀'", "'x'"]),
    "tiny_t": ("TINYTEXT", "text", ["''", "'a\\tb\\nc\\\\d\\re'"]),
    "some_t": ("TEXT", "text", ["'e\u0301'", "REPEAT('x', 65000)"]),
    "medium_t": ("MEDIUMTEXT", "text", ["'\\\\N'", "REPEAT('ü', 100000)"]),
    "long_t": ("LONGTEXT", "text", ["'\\\\.'", "NULL"]),
    "bin_fixed": ("BINARY(4)", "bytea", ["X'00FF'", "X'0A0D5C27'"]),
    "bin": ("VARBINARY(300)", "bytea", ["''", "NULL"]),
    "tiny_b": ("TINYBLOB", "bytea", ["X'00'", "X'5C78'"]),
    "some_b": ("BLOB", "bytea", ["X'FF'", "REPEAT(X'00FF', 30000)"]),
    "medium_b": ("MEDIUMBLOB", "bytea", ["''", "NULL"]),
    "long_b": ("LONGBLOB", "bytea", ["''", "X'0D0A'"]),
    "picked": ("ENUM('small','Größe','it''s','a,b','')", "enum", ["'Größe'", "'it''s'"]),
    "several": ("SET('r','g','b')", "text[]", ["''", "'r,b'"]),
    "day": ("DATE", "date", ["'1000-01-01'", "'9999-12-31'"]),
    "moment": ("DATETIME", "timestamp(0) without time zone", ["'1000-01-01'", "'9999-12-31 23:59:59'"]),
    "moment_6": ("DATETIME(6)", "timestamp(6) without time zone", ["'2024-02-29 00:00:00.000001'", "NULL"]),
    "instant": ("TIMESTAMP NULL", "timestamp(0) with time zone", ["'1970-01-02'", "'2038-01-18 00:00:00'"]),
    "instant_3": ("TIMESTAMP(3) NULL", "timestamp(3) with time zone", ["'2001-01-01 00:00:00.123'", "NULL"]),
    "clock": ("TIME(2)", "time(2) without time zone", ["'00:00:00'", "'23:59:59.99'"]),
    "span": ("TIME(6)", "interval", ["'-838:59:59'", "'838:59:59'"]),
    "years": ("YEAR", "smallint", ["1901", "2155"]),
    "doc": ("JSON", "jsonb", ['\'{"ü": [1, 2.50, null, "\\\\u20ac"]}\'', "'[]'"]),
    "ident": ("UUID", "uuid", ["'123e4567-e89b-12d3-a456-426655440000'", "NULL"]),
    "four": ("INET4", "inet", ["'10.0.0.1'", "NULL"]),
    "six": ("INET6", "inet", ["'2001:db8::ff00:42:8329'", "NULL"]),
    "place": ("POINT", "bytea", ["POINT(1, 2)", "NULL"]),
    "shape": ("GEOMETRY", "bytea", ["ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 0))')", "NULL"]),
}

STRUCTURE = (
    # names
    'CREATE TABLE `select` (`order` INT PRIMARY KEY, `Mixed Case` VARCHAR(5), `with"quote` INT, `per%cent` INT,'
    " `dot.ted` INT, `user` INT, `日本` INT, KEY `group` (`Mixed Case`))",
    "INSERT INTO `select` VALUES (1, 'a', 2, 3, 4, 5, 6)",
    f"CREATE TABLE `{LONG}` (id INT PRIMARY KEY, `{SHORT_TWINS[0]}` INT, `{SHORT_TWINS[1]}` INT,"
    f" KEY `k_{LONG[:60]}` (`{SHORT_TWINS[0]}`), KEY `l_{LONG[:60]}` (`{SHORT_TWINS[1]}`))",
    f"INSERT INTO `{LONG}` VALUES (1, 2, 3)",
    f"CREATE TABLE `{SHORT_TWINS[0]}` (id INT)",
    f"CREATE TABLE `{SHORT_TWINS[1]}` (id INT)",
    # defaults, counters, ON UPDATE, generated columns, checks, comments
    "CREATE TABLE defaults (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY COMMENT 'it''s the key',"
    " i INT DEFAULT -5, d DECIMAL(5,2) DEFAULT 1.50, f DOUBLE DEFAULT 1e-3, s VARCHAR(30) DEFAULT 'it''s \\\\ \"q\"',"
    " e VARCHAR(5) NOT NULL DEFAULT '', t TEXT DEFAULT 'text', b BIT(3) DEFAULT b'101', yes TINYINT(1) DEFAULT 1,"
    " bin VARBINARY(4) DEFAULT X'0041', raw VARBINARY(4) DEFAULT X'00FF',"
    " k ENUM('x','y') DEFAULT 'y', m SET('r','g') DEFAULT 'r,g',"
    " day DATE DEFAULT '2024-02-29', at DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3),"
    " seen TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,"
    " expr VARCHAR(40) DEFAULT (CONCAT('a', 'b')), uid CHAR(36) DEFAULT (UUID()), y YEAR DEFAULT 2020,"
    " j JSON DEFAULT ('[]'), span TIME DEFAULT '100:00:00', zero DATE DEFAULT '0000-00-00',"
    " total DECIMAL(8,2) GENERATED ALWAYS AS (i * d) STORED,"
    " shown VARCHAR(40) GENERATED ALWAYS AS (CONCAT(s, e)) VIRTUAL,"
    " odd VARCHAR(40) GENERATED ALWAYS AS (SOUNDEX(s)) VIRTUAL,"
    " CONSTRAINT small CHECK (i < 100 AND (d IS NULL OR d > 0)), CONSTRAINT strange CHECK (SOUNDEX(s) <> 'x'))"
    " AUTO_INCREMENT = 1000 COMMENT = 'a table''s comment'",
    "INSERT INTO defaults (id, span, zero) VALUES (7, '200:00:00', NULL)",
    # indexes
    "CREATE TABLE indexed (id INT PRIMARY KEY, a INT, b INT, v VARCHAR(50), w VARCHAR(2000), t TEXT, bl BLOB,"
    " g POINT NOT NULL, UNIQUE KEY uq (a, b), UNIQUE KEY uq_prefix (w(10)), KEY down (a DESC, b), KEY pre (t(20)),"
    " KEY pre_b (bl(8)), KEY short (v(5)), FULLTEXT KEY words (v, t), SPATIAL KEY space (g),"
    " KEY told (b) COMMENT 'why it''s here')",
    "INSERT INTO indexed VALUES (1, 1, 1, 'v', 'w', 't', 'b', POINT(0, 0))",
    # foreign keys
    "CREATE TABLE parent (id INT UNSIGNED AUTO_INCREMENT, code CHAR(3) NOT NULL, PRIMARY KEY (id), UNIQUE (code, id),"
    " self INT UNSIGNED, CONSTRAINT to_self FOREIGN KEY (self) REFERENCES parent (id) ON DELETE SET NULL)",
    "CREATE TABLE child (id INT PRIMARY KEY, parent_id INT UNSIGNED, code CHAR(3), p2 INT UNSIGNED NOT NULL,"
    " CONSTRAINT c1 FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE,"
    " CONSTRAINT c2 FOREIGN KEY (code, parent_id) REFERENCES parent (code, id),"
    " CONSTRAINT c3 FOREIGN KEY (p2) REFERENCES parent (id) ON DELETE RESTRICT)",
    "INSERT INTO parent VALUES (1, 'abc', NULL), (2, 'def', 1)",
    "INSERT INTO child VALUES (1, 1, 'abc', 2)",
    # the rest
    "CREATE SEQUENCE counting START WITH 5 INCREMENT BY 5 MAXVALUE 500",
    "CREATE TABLE parted (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 4",
    "INSERT INTO parted SELECT seq FROM seq_1_to_9",
    "CREATE TABLE versioned (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
    "CREATE TABLE hiding (id INT PRIMARY KEY, h INT INVISIBLE DEFAULT 4)",
    "INSERT INTO hiding (id) VALUES (1)",
    "CREATE TRIGGER watching BEFORE INSERT ON parted FOR EACH ROW SET NEW.id = NEW.id",
    "CREATE PROCEDURE doing() SELECT 1",
    "CREATE EVENT later ON SCHEDULE EVERY 1 YEAR DO SELECT 1",
)


@contextmanager
def databases(mariadb: ConnectionSettings, postgres: ConnectionSettings) -> Iterator[Pair]:
    name = f"t_{secrets.token_hex(6)}"
    with mysql_connect(mariadb) as connection, connection.cursor() as cursor, postgres_connect(postgres) as target:
        cursor.execute(f"CREATE DATABASE {name}")
        target.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield Pair(replace(mariadb, database=name), replace(postgres, database=name))
        finally:
            cursor.execute(f"DROP DATABASE {name}")
            for statement in drops(name):
                target.execute(statement.encode())


@pytest.fixture(scope="module", params=["postgres18_server", "postgres15_server"])
def arrived(request: pytest.FixtureRequest, mariadb_server: ConnectionSettings) -> Iterator[Pair]:
    """The schema with its rows, copied."""
    with databases(mariadb_server, request.getfixturevalue(request.param)) as pair:
        columns = ", ".join(f"`{name}` {native}" for name, (native, _, _) in TYPES.items())
        rows = [", ".join(values[row] for _, _, values in TYPES.values()) for row in (0, 1)]
        pair.mysql(
            "SET SESSION sql_mode = '', time_zone = '+00:00'",
            f"CREATE TABLE every_type (id INT PRIMARY KEY, {columns})",
            f"INSERT INTO every_type VALUES (1, {rows[0]}), (2, {rows[1]})",
            f"INSERT INTO every_type VALUES (3{', NULL' * len(TYPES)})",
            *STRUCTURE,
        )
        progress = pair.conversion().run()
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        pair.report = list(progress.report)
        yield pair


def report(pair: Pair, code: str) -> list[ReportItem]:
    return [item for item in pair.report if item.code == code]


def test_every_value_of_every_table_is_the_same(arrived: Pair) -> None:
    renamed = {LONG, *SHORT_TWINS}
    results = [
        result for result in compare(arrived.source.settings, arrived.target.settings) if result.name not in renamed
    ]
    assert [result for result in results if not result.same] == []
    assert {"every_type", "defaults", "parted", "select"} <= {result.name for result in results}


@pytest.mark.parametrize("name", TYPES)
def test_a_type_becomes_the_documented_one(arrived: Pair, name: str) -> None:
    ((sql, kind),) = arrived.postgres(
        "SELECT format_type(a.atttypid, a.atttypmod), t.typtype::text"
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        f" WHERE attrelid = 'every_type'::regclass AND attname = '{name}'"
    )
    assert ("enum" if kind == "e" else sql) == TYPES[name][1]


def test_an_enum_keeps_its_order_and_a_set_its_members(arrived: Pair) -> None:
    assert arrived.postgres("SELECT enum_range(NULL::every_type_picked)::text[]") == [
        (["small", "Größe", "it's", "a,b", ""],)
    ]
    assert arrived.postgres("SELECT picked > 'small' FROM every_type WHERE id = 1") == [(True,)]
    with pytest.raises(Exception, match="check constraint"):
        arrived.postgres("UPDATE every_type SET several = '{x}' WHERE id = 1")


def test_json_means_the_same(arrived: Pair) -> None:
    assert arrived.postgres("SELECT doc FROM every_type WHERE id = 1") == [({"ü": [1, 2.5, None, "€"]},)]


def test_json_that_loses_its_spelling_is_told(arrived: Pair) -> None:
    told = {item.object.split(".")[1]: item.message for item in report(arrived, "json_parsed")}
    assert sorted(told) == ["defaults", "every_type"]
    assert told["every_type"].endswith(": doc")


def test_names_of_any_kind_arrive(arrived: Pair) -> None:
    rows = arrived.postgres(
        "SELECT attname FROM pg_attribute WHERE attrelid = '\"select\"'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert [name for (name,) in rows] == ["order", "Mixed Case", 'with"quote', "per%cent", "dot.ted", "user", "日本"]


def test_names_that_are_too_long_are_shortened_apart_and_told(arrived: Pair) -> None:
    told = {item.object for item in report(arrived, "name_shortened")}
    database = arrived.source.settings.database
    assert told == {
        f"{database}.{LONG}", f"{database}.{LONG}.{SHORT_TWINS[0]}", f"{database}.{LONG}.{SHORT_TWINS[1]}",
        f"{database}.{SHORT_TWINS[0]}", f"{database}.{SHORT_TWINS[1]}",
    }  # fmt: skip
    ((table, columns),) = arrived.postgres(
        "SELECT relname, array_agg(attname::text ORDER BY attnum)"
        " FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid"
        f" WHERE relname LIKE '{LONG[:40]}%' AND relkind = 'r' AND attnum > 0 GROUP BY relname"
    )
    assert len(table.encode()) <= 63
    assert len(set(columns)) == 3
    assert all(len(name.encode()) <= 63 for name in columns)
    quoted = table.replace('"', '""')
    assert arrived.postgres(f'SELECT * FROM "{quoted}"') == [(1, 2, 3)]


def test_defaults_are_the_same(arrived: Pair) -> None:
    """The servers fill in a row of nothing but defaults."""
    arrived.postgres("INSERT INTO defaults DEFAULT VALUES")
    arrived.mysql("SET SESSION sql_mode = ''", "INSERT INTO defaults () VALUES ()")
    texts = "i, d, f, s, e, t, expr, y"
    ours = arrived.postgres(
        f"SELECT id, {texts}, b::text, yes::int, encode(bin, 'hex'), encode(raw, 'hex'), k::text,"
        " array_to_string(m, ','), day::text, extract(epoch from span)::int, j::text, total, shown"
        " FROM defaults WHERE id > 7"
    )
    theirs = arrived.mysql(
        f"SELECT id, {texts}, LPAD(BIN(b), 3, '0'), yes, LOWER(HEX(bin)), LOWER(HEX(raw)), k, m,"
        " CAST(day AS CHAR), TIME_TO_SEC(span), j, total, shown FROM defaults WHERE id > 7"
    )
    assert ours == theirs
    assert arrived.postgres(
        "SELECT at > now() - interval '1 hour', seen > now() - interval '1 hour', length(uid), zero"
        " FROM defaults WHERE id > 7"
    ) == [(True, True, 36, None)]
    assert [item.object for item in report(arrived, "default_left_out")] == []
    assert [item.object for item in report(arrived, "zero_date_default")] == ["public.defaults.zero"]
    arrived.postgres("DELETE FROM defaults WHERE id > 7")
    arrived.mysql("DELETE FROM defaults WHERE id > 7")


def test_a_counter_goes_on_where_the_source_s_stands(arrived: Pair) -> None:
    ((following,),) = arrived.postgres("SELECT nextval(pg_get_serial_sequence('parent', 'id'))")
    assert following == 3


def test_on_update_sets_the_time_unless_it_is_set_by_hand(arrived: Pair) -> None:
    arrived.postgres("UPDATE defaults SET seen = '2000-01-01' WHERE id = 7")
    arrived.postgres("UPDATE defaults SET i = i WHERE id = 7")
    assert arrived.postgres("SELECT seen < '2001-01-01' FROM defaults WHERE id = 7") == [(True,)]
    arrived.postgres("UPDATE defaults SET i = 8 WHERE id = 7")
    assert arrived.postgres("SELECT seen > now() - interval '1 hour' FROM defaults WHERE id = 7") == [(True,)]
    # for the other tests: the same on both sides
    same = "UPDATE defaults SET i = 8, seen = '2000-01-01 00:00:00' WHERE id = 7"
    arrived.mysql("SET time_zone = '+00:00'", same)
    arrived.postgres(same.replace("00:00'", "00:00+00'"))


def test_generated_columns_are_generated_or_told(arrived: Pair) -> None:
    generated = arrived.postgres(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'defaults'::regclass AND attgenerated = 's' ORDER BY 1"
    )
    assert generated == [("shown",), ("total",)]
    (item,) = report(arrived, "generated_as_plain")
    assert item.object.endswith(".defaults.odd")
    assert "soundex" in item.message.lower()


def test_checks_hold_or_are_told(arrived: Pair) -> None:
    with pytest.raises(Exception, match="check constraint"):
        arrived.postgres("UPDATE defaults SET i = 100 WHERE id = 7")
    (item,) = report(arrived, "check_left_out")
    assert item.object == "public.defaults.strange"
    assert "soundex" in item.remedy.lower()


def test_comments_arrive(arrived: Pair) -> None:
    assert arrived.postgres(
        "SELECT obj_description('defaults'::regclass), col_description('defaults'::regclass, 1),"
        " obj_description('indexed_told'::regclass)"
    ) == [("a table's comment", "it's the key", "why it's here")]


def test_indexes_arrive_in_their_kind(arrived: Pair) -> None:
    found = dict(
        arrived.postgres("SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'indexed' ORDER BY 1")
    )
    parts = {name: sql.split(" USING ")[1] for name, sql in found.items()}
    assert parts == {
        "indexed_pkey": "btree (id)",
        "indexed_uq": "btree (a, b)",
        "indexed_uq_prefix": 'btree ("left"((w)::text, 10))',
        "indexed_down": "btree (a DESC, b)",
        "indexed_pre": 'btree ("left"(t, 20))',
        "indexed_pre_b": 'btree ("substring"(bl, 1, 8))',
        "indexed_short": "btree (v)",
        "indexed_words": "gin (to_tsvector('simple'::regconfig, ((COALESCE((v)::text, ''::text) || ' '::text) ||"
        " COALESCE(t, ''::text))))",
        "indexed_told": "btree (b)",
    }
    assert "UNIQUE" in found["indexed_uq"]
    assert "UNIQUE" in found["indexed_uq_prefix"]
    (item,) = report(arrived, "spatial_index_left_out")
    assert (item.object, "postgis" in item.remedy.lower()) == ("public.indexed.space", True)
    assert [item.object for item in report(arrived, "fulltext_index")] == ["public.indexed.words"]


def test_foreign_keys_arrive_with_their_actions(arrived: Pair) -> None:
    found = arrived.postgres(
        "SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
    )
    assert dict(found) == {
        "c1": "FOREIGN KEY (parent_id) REFERENCES parent(id) ON UPDATE CASCADE ON DELETE CASCADE",
        "c2": "FOREIGN KEY (code, parent_id) REFERENCES parent(code, id) ON UPDATE RESTRICT ON DELETE RESTRICT",
        "c3": "FOREIGN KEY (p2) REFERENCES parent(id) ON UPDATE RESTRICT ON DELETE RESTRICT",
        "to_self": "FOREIGN KEY (self) REFERENCES parent(id) ON UPDATE RESTRICT ON DELETE SET NULL",
    }


def test_a_sequence_goes_on(arrived: Pair) -> None:
    assert arrived.postgres("SELECT nextval('counting'), nextval('counting')") == [(5, 10)]


def test_what_does_not_arrive_is_told(arrived: Pair) -> None:
    database = arrived.source.settings.database
    told = {
        (item.code, item.object.removeprefix(f"{database}."))
        for item in arrived.report
        if item.code.endswith("_left_out")
    }
    assert told == {
        ("trigger_left_out", "parted.watching"),
        ("procedure_left_out", "doing"),
        ("event_left_out", "later"),
        ("partitioning_left_out", "parted"),
        ("system_versioning_left_out", "versioned"),
        ("spatial_index_left_out", "public.indexed.space"),
        ("check_left_out", "public.defaults.strange"),
    }
    assert [item.object.removeprefix(f"{database}.") for item in report(arrived, "invisible_column")] == ["hiding.h"]
    assert {item.object for item in report(arrived, "geometry_as_bytes")} == {
        "public.every_type.place", "public.every_type.shape", "public.indexed.g",
    }  # fmt: skip
    assert {item.object.split(".")[-1] for item in report(arrived, "unsigned_widened")} >= {"every_type", "parent"}
    assert all(item.message for item in arrived.report)


def test_characters_without_unicode_are_refused_and_not_turned_into_question_marks(pair: Pair) -> None:
    pair.mysql(
        "SET sql_mode = ''",
        "CREATE TABLE odd (id INT PRIMARY KEY, a VARCHAR(9) CHARACTER SET greek, b VARCHAR(9) CHARACTER SET sjis)",
        "INSERT INTO odd VALUES (1, CAST(X'A43F' AS CHAR CHARACTER SET greek), 'a?b')",
    )
    progress = pair.conversion().run()
    assert progress.state is RunState.FAILED
    assert "odd.a holds characters" in progress.error
    left = RunOptions(tables=(TableSelection("odd", exclude_columns=("a",)),))
    assert pair.conversion(left).run().state is RunState.FINISHED
    assert pair.postgres("SELECT * FROM odd") == [(1, "a?b")]
