"""DDL for servers that no test runs on: MySQL 8 and older MariaDB. Text in, text out, as the manuals have it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.native import native_type
from mainstem.connectors.mysql.own import known_collation, own_type, travels
from mainstem.connectors.mysql.target_dialect import MysqlTargetDialect
from mainstem.connectors.mysql.traits import Traits, traits_of
from mainstem.connectors.mysql.types import logical_type
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.contract.dialect import Dialect
from mainstem.ddl.naming import Names
from mainstem.ddl.plan import build_plan
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase
from mainstem.model.run import RunOptions
from mainstem.model.schema import (
    Catalog,
    Check,
    Column,
    Default,
    DefaultKind,
    ForeignKey,
    Generated,
    Index,
    IndexPart,
    NativeObject,
    Sequence,
    Table,
)
from mainstem.model.types import Kind, LogicalType

MYSQL8_COLLATIONS = {
    "utf8mb4_0900_ai_ci", "utf8mb4_0900_bin", "utf8mb4_bin", "utf8mb4_unicode_520_ci", "latin1_swedish_ci", "ascii_bin",
}  # fmt: skip
MYSQL8 = traits_of("8.4.3", collations=frozenset(MYSQL8_COLLATIONS))
MYSQL57 = traits_of("5.7.44-log")
MARIADB = traits_of("10.11.6-MariaDB-1")
OLD_MARIADB = traits_of("10.4.32-MariaDB")
TEXT, INT = LogicalType(Kind.TEXT), LogicalType(Kind.INTEGER, bits=32)


def mysql_column(name: str, native: str, **more: object) -> Column:
    return replace(Column(name, logical_type(native), native), **more)  # type: ignore[arg-type]


def plan(table: Table, traits: Traits, source: Dialect, catalog: Catalog | None = None) -> MigrationPlan:
    return build_plan(catalog or Catalog((table,)), RunOptions(), source, MysqlTargetDialect(traits), "shop")


def created(made: MigrationPlan) -> list[str]:
    """The lines of CREATE TABLE."""
    return [line.strip().rstrip(",") for line in made.phase(Phase.TABLES)[0].sql.split("\n")]


@pytest.mark.parametrize(
    ("version", "exact"),
    [("8.4.3", "utf8mb4_0900_bin"), ("8.0.16", "utf8mb4_bin"), ("5.7.44", "utf8mb4_bin"),
     ("10.11.6-MariaDB", "utf8mb4_nopad_bin"), ("11.8.2-MariaDB-ubu2404", "utf8mb4_nopad_bin")],
)  # fmt: skip
def test_text_compares_by_code_points(version: str, exact: str) -> None:
    assert traits_of(version).exact_collation == exact


POSTGRES_TYPES = [
    (LogicalType(Kind.BOOLEAN), "boolean", "tinyint(1)", "tinyint(1)"),
    (LogicalType(Kind.INTEGER, bits=64), "bigint", "bigint", "bigint"),
    (LogicalType(Kind.INTEGER, bits=32, unsigned=True), "oid", "int unsigned", "int unsigned"),
    (LogicalType(Kind.DECIMAL), "numeric", "decimal(65,30)", "decimal(65,30)"),
    (LogicalType(Kind.DECIMAL, precision=12, scale=3), "numeric(12,3)", "decimal(12,3)", "decimal(12,3)"),
    (LogicalType(Kind.DECIMAL, precision=3, scale=-2), "numeric(3,-2)", "decimal(5,0)", "decimal(5,0)"),
    (LogicalType(Kind.DECIMAL, precision=2, scale=5), "numeric(2,5)", "decimal(5,5)", "decimal(5,5)"),
    (LogicalType(Kind.DECIMAL, precision=66, scale=0), "numeric(66,0)", "longtext", "longtext"),
    (LogicalType(Kind.DECIMAL, precision=40, scale=31), "numeric(40,31)", "longtext", "longtext"),
    (LogicalType(Kind.FLOAT, bits=32), "real", "float", "float"),
    (TEXT, "text", "longtext", "longtext"),
    (replace(TEXT, length=20), "character varying(20)", "varchar(20)", "varchar(20)"),
    (replace(TEXT, length=20000), "character varying(20000)", "longtext", "longtext"),
    (replace(TEXT, length=5, fixed=True), "character(5)", "char(5)", "char(5)"),
    (replace(TEXT, length=300, fixed=True), "character(300)", "varchar(300)", "varchar(300)"),
    (TEXT, "integer[]", "longtext", "longtext"),
    (LogicalType(Kind.UUID), "uuid", "char(36) CHARACTER SET ascii COLLATE ascii_bin", "uuid"),
    (LogicalType(Kind.INET), "inet", "varchar(43)", "varchar(43)"),
    (LogicalType(Kind.JSON), "jsonb", "json", "json"),
    (LogicalType(Kind.BINARY), "bytea", "longblob", "longblob"),
    (LogicalType(Kind.BITS, length=64), "bit(64)", "bit(64)", "bit(64)"),
    (LogicalType(Kind.BITS, length=70), "bit(70)", "binary(9)", "binary(9)"),
    (LogicalType(Kind.DATE), "date", "date", "date"),
    (LogicalType(Kind.TIME, fraction=3), "time(3) without time zone", "time(3)", "time(3)"),
    (LogicalType(Kind.TIMESTAMP, fraction=6), "timestamp without time zone", "datetime(6)", "datetime(6)"),
    (LogicalType(Kind.INSTANT, fraction=0), "timestamp(0) with time zone", "datetime", "datetime"),
    (LogicalType(Kind.INTERVAL), "interval", "varchar(255)", "varchar(255)"),
    (LogicalType(Kind.ENUM, members=("a", "it's", "")), "mood", "enum('a','it''s','')", "enum('a','it''s','')"),
    (LogicalType(Kind.ENUM, members=("a", "a ")), "mood", "varchar(2)", "varchar(2)"),
    (LogicalType(Kind.GEOMETRY, subtype="point"), "geometry", "point", "point"),
]


@pytest.mark.parametrize(("type_", "native", "mysql", "mariadb"), POSTGRES_TYPES, ids=lambda value: str(value)[:30])
def test_a_type_of_postgresql_becomes_this(type_: LogicalType, native: str, mysql: str, mariadb: str) -> None:
    column = Column("c", type_, native)
    assert native_type(column, MYSQL8).sql == mysql
    assert native_type(column, MARIADB).sql == mariadb


OWN_TYPES = [
    ("int(10) unsigned zerofill", MYSQL8, "int(10) unsigned zerofill"),
    ("uuid", MYSQL8, "char(36) CHARACTER SET ascii COLLATE ascii_bin"),
    ("uuid", OLD_MARIADB, "char(36) CHARACTER SET ascii COLLATE ascii_bin"),
    ("uuid", MARIADB, "uuid"),
    ("inet6", MYSQL8, "varchar(39) CHARACTER SET ascii COLLATE ascii_bin"),
    ("inet4", OLD_MARIADB, "varchar(15) CHARACTER SET ascii COLLATE ascii_bin"),
    ("json", MARIADB, "json"),
    ("geomcollection", MARIADB, "geometrycollection"),
    ("geomcollection", MYSQL8, "geomcollection"),
    ("timestamp(3)", MYSQL8, "timestamp(3)"),
]


@pytest.mark.parametrize(("native", "traits", "sql"), OWN_TYPES)
def test_a_type_of_the_other_flavour_becomes_this(native: str, traits: Traits, sql: str) -> None:
    assert own_type(mysql_column("c", native), traits).sql == sql


def test_json_of_mariadb_is_json_of_mysql() -> None:
    column = Column("c", LogicalType(Kind.JSON), "longtext")
    assert own_type(column, MYSQL8).sql == "json"
    assert own_type(column, MARIADB).sql == "longtext"


@pytest.mark.parametrize(
    ("collation", "known"),
    [
        ("utf8mb4_uca1400_ai_ci", "utf8mb4_0900_ai_ci"),
        ("utf8mb4_nopad_bin", "utf8mb4_0900_bin"),
        ("utf8mb4_uca1400_as_cs", "utf8mb4_bin"),
        ("utf8mb4_uca1400_swedish_ai_ci", "utf8mb4_0900_ai_ci"),
        ("utf8mb4_unicode_520_nopad_ci", "utf8mb4_0900_ai_ci"),
        ("latin1_swedish_ci", "latin1_swedish_ci"),
        ("latin1_swedish_nopad_ci", ""),
    ],
)
def test_a_collation_that_is_not_there_falls_back_on_a_near_one(collation: str, known: str) -> None:
    assert known_collation(collation, MYSQL8) == known


def test_both_names_of_utf8_are_one() -> None:
    assert (
        known_collation("utf8_general_ci", Traits(collations=frozenset({"utf8mb3_general_ci"}))) == "utf8mb3_general_ci"
    )


@pytest.mark.parametrize(("charset", "gaps"), [("latin1", False), ("utf8mb4", False), ("ascii", True), ("sjis", True)])
def test_text_of_character_sets_with_gaps_travels_as_bytes(charset: str, gaps: bool) -> None:
    column = mysql_column("c", "varchar(5)", charset=charset)
    assert travels(column) == (LogicalType(Kind.BINARY) if gaps else None)


OWN = Table(
    TableId("old", "t"),
    (
        mysql_column("id", "bigint unsigned", nullable=False, identity=True),
        mysql_column("j", "json", default=Default(DefaultKind.EXPRESSION, "json_array()")),
        mysql_column("b", "text", default=Default(DefaultKind.LITERAL, "it's"), collation="utf8mb4_uca1400_ai_ci",
                     charset="utf8mb4"),
        mysql_column("up", "timestamp(3)", default=Default(DefaultKind.NOW, "3"), on_update="CURRENT_TIMESTAMP(3)"),
        mysql_column("g", "int", generated=Generated("`id` + 1", stored=False), nullable=False, comment="x"),
        mysql_column("hid", "int", invisible=True),
    ),
    primary_key=("id",),
    indexes=(
        Index("func", (IndexPart(expression="lower(`b`)"),)),
        Index("off", (IndexPart("hid", descending=True),), invisible=True),
    ),
    checks=(Check("chk", "`id` > 0"), Check("b", "`b` <> ''", column="b")),
    options="ENGINE=InnoDB row_format=DYNAMIC `PAGE_COMPRESSED`='ON' partitioned",
    charset="utf8mb4",
    collation="utf8mb4_0900_ai_ci",
    partition_key="PARTITION BY HASH (`id`)\nPARTITIONS 2",
)  # fmt: skip


def test_a_table_of_mariadb_on_mysql() -> None:
    made = plan(OWN, MYSQL8, MysqlDialect())
    assert created(made) == [
        "CREATE TABLE `shop`.`t` (",
        "`id` bigint unsigned NOT NULL AUTO_INCREMENT",
        "`j` json DEFAULT (json_array())",
        "`b` text CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci DEFAULT ('it''s')",
        "`up` timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
        "`g` int GENERATED ALWAYS AS (`id` + 1) VIRTUAL NOT NULL COMMENT 'x'",
        "`hid` int INVISIBLE",
        "PRIMARY KEY (`id`)",
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci ROW_FORMAT=DYNAMIC",
        "PARTITION BY HASH (`id`)",
        "PARTITIONS 2",
    ]
    assert [item.sql for item in made.phase(Phase.TABLES)[1:]] == [
        "ALTER TABLE `shop`.`t` ADD CONSTRAINT `chk` CHECK (`id` > 0)",
        "ALTER TABLE `shop`.`t` ADD CONSTRAINT `t_b` CHECK (`b` <> '')",
    ]
    assert [item.sql for item in made.phase(Phase.KEYS)] == [
        "ALTER TABLE `shop`.`t` ADD KEY `off` (`hid` DESC) INVISIBLE",
        "ALTER TABLE `shop`.`t` ADD KEY `func` ((lower(`b`)))",
    ]
    assert [item.code for item in made.report] == ["collation_replaced"]


def test_a_table_of_mysql_on_an_old_mariadb() -> None:
    made = plan(OWN, replace(OLD_MARIADB, collations=frozenset({"utf8mb4_unicode_520_ci"})), MysqlDialect())
    lines = created(made)
    assert any(line.endswith("COLLATE utf8mb4_unicode_520_ci DEFAULT 'it''s' CHECK (`b` <> '')") for line in lines)
    assert "`g` int GENERATED ALWAYS AS (`id` + 1) VIRTUAL COMMENT 'x'" in lines
    assert lines[8].startswith(
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci ROW_FORMAT=DYNAMIC"
    )
    assert "PAGE_COMPRESSED='ON'" in lines[8]
    assert [item.sql for item in made.phase(Phase.KEYS)] == ["ALTER TABLE `shop`.`t` ADD KEY `off` (`hid`) IGNORED"]
    assert {item.code for item in made.report} == {"collation_replaced", "btree_index_left_out"}


def test_other_engines_become_innodb_and_are_told() -> None:
    made = plan(replace(OWN, options="ENGINE=MyISAM row_format=FIXED"), MARIADB, MysqlDialect())
    assert "ENGINE=InnoDB" in created(made)[8]
    assert "ROW_FORMAT" not in created(made)[8]
    assert "engine_innodb" in {item.code for item in made.report}


POSTGRES = Table(
    TableId("public", "t"),
    (
        Column("id", INT, "integer", nullable=False, identity=True),
        Column("name", TEXT, "text", nullable=False, default=Default(DefaultKind.LITERAL, "x")),
        Column("note", TEXT, "text", default=Default(DefaultKind.EXPRESSION, "upper('n'::text)")),
        Column("other", INT, "integer", identity=True),
        Column("u", LogicalType(Kind.UUID), "uuid", default=Default(DefaultKind.EXPRESSION, "gen_random_uuid()")),
        Column("day", LogicalType(Kind.DATE), "date", default=Default(DefaultKind.LITERAL, "infinity")),
    ),
    primary_key=("id",),
    indexes=(
        Index("by_name", (IndexPart("name"),), unique=True),
        Index("low", (IndexPart(expression="lower(note)"),)),
        Index("both", (IndexPart("note"), IndexPart("other", descending=True))),
    ),
    checks=(Check("named", "(name <> ''::text)"),),
)  # fmt: skip


def test_a_table_of_postgresql_on_mysql() -> None:
    made = plan(POSTGRES, MYSQL8, PostgresDialect())
    assert created(made) == [
        "CREATE TABLE `shop`.`t` (",
        "`id` int NOT NULL AUTO_INCREMENT",
        "`name` varchar(767) NOT NULL DEFAULT 'x'",
        "`note` longtext DEFAULT (UPPER('n'))",
        "`other` int",
        "`u` char(36) CHARACTER SET ascii COLLATE ascii_bin DEFAULT (UUID())",
        "`day` date",
        "PRIMARY KEY (`id`)",
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin",
    ]
    assert [item.sql for item in made.phase(Phase.KEYS)] == [
        "ALTER TABLE `shop`.`t` ADD UNIQUE KEY `by_name` (`name`), ADD KEY `both` (`note`(766), `other` DESC)",
        "ALTER TABLE `shop`.`t` ADD KEY `low` ((LOWER(`note`)))",
    ]
    assert {(item.code, item.object) for item in made.report} == {
        ("key_limited", "shop.t.name"), ("identity_left_out", "shop.t.other"), ("default_left_out", "shop.t.day"),
    }  # fmt: skip


@pytest.mark.parametrize("count", [1017, 1018])
def test_a_table_of_more_columns_than_innodb_takes_is_refused_before_a_table_is_made(count: int) -> None:
    table = replace(POSTGRES, columns=tuple(Column(f"c{n}", INT, "integer") for n in range(count)), primary_key=())
    table = replace(table, indexes=(), checks=())
    if count > 1017:
        with pytest.raises(PlanError, match="t has 1018 columns"):
            plan(table, MARIADB, PostgresDialect())
    else:
        assert len(created(plan(table, MARIADB, PostgresDialect()))) == count + 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"increment": 7}, "by 7"),
        ({"increment": -1, "cycle": True}, "by -1, in a cycle"),
        ({"next_value": 101}, "has given out its last value"),
    ],
)
def test_an_identity_goes_on_from_its_own_counter_and_other_ways_to_count_are_told(
    changes: dict[str, Any], told: str
) -> None:
    counter = replace(Sequence(TableId("public", "s"), 1, 1, 1, 100, 50), **changes)
    columns = (replace(POSTGRES.columns[0], counter=counter), *POSTGRES.columns[1:])
    made = plan(replace(POSTGRES, columns=columns, identity_next=9), MYSQL8, PostgresDialect())  # that of the other
    assert [item.sql for item in made.phase(Phase.SEQUENCES)] == [
        f"ALTER TABLE `shop`.`t` AUTO_INCREMENT = {counter.next_value}"
    ]
    found = [item.message for item in made.report if item.code == "identity_counts_otherwise"]
    assert [told in message for message in found] == [True] * bool(told)


def test_a_default_that_is_longer_than_its_column_is_left_out() -> None:
    """PostgreSQL looks at it when a row gets it, MySQL when the table is made."""
    short = LogicalType(Kind.TEXT, length=3)
    columns = tuple(
        Column(text, short, "varchar(3)", default=Default(DefaultKind.LITERAL, text, f"'{text}'"))
        for text in ("abc", "abcd")
    )
    made = plan(replace(POSTGRES, columns=(*POSTGRES.columns, *columns)), MYSQL8, PostgresDialect())
    sql = " ".join(item.sql for item in made.phase(Phase.TABLES))
    assert "`abc` varchar(3) DEFAULT 'abc'" in sql
    assert "DEFAULT 'abcd'" not in sql
    assert ("default_left_out", "shop.t.abcd") in {(item.code, item.object) for item in made.report}


def test_mysql_before_8_takes_no_expressions_and_no_checks() -> None:
    made = plan(POSTGRES, MYSQL57, PostgresDialect())
    assert {item.code for item in made.report} >= {"default_left_out", "check_left_out", "collation_pads"}
    assert not any("CHECK" in item.sql for item in made.statements)


@pytest.mark.parametrize("traits", [MYSQL8, MARIADB])
def test_a_row_that_is_too_wide_has_text_outside(traits: Traits) -> None:
    columns = tuple(Column(f"c{n}", replace(TEXT, length=4000), "character varying(4000)") for n in range(6))
    made = plan(Table(TableId("public", "wide"), columns), traits, PostgresDialect())
    assert [line.split()[1] for line in created(made)[1:7]] == ["longtext"] * 2 + ["varchar(4000)"] * 4
    assert [item.code for item in made.report].count("row_too_wide") == 2


def test_keys_of_several_texts_share_what_an_index_holds() -> None:
    columns = (Column("n", LogicalType(Kind.INTEGER, bits=64), "bigint"), Column("a", TEXT, "text"),
               Column("b", TEXT, "text"), Column("v", replace(TEXT, length=10), "varchar(10)"))  # fmt: skip
    made = plan(Table(TableId("public", "t"), columns, primary_key=("n", "a", "b")), MYSQL8, PostgresDialect())
    assert [line.split()[1] for line in created(made)[1:5]] == ["bigint", "varchar(382)", "varchar(382)", "varchar(10)"]


def test_a_foreign_key_s_text_is_as_long_as_its_parent_s() -> None:
    parent = Table(TableId("public", "p"), (Column("code", TEXT, "text"),), primary_key=("code",))
    child = Table(
        TableId("public", "c"),
        (Column("code", TEXT, "text"),),
        foreign_keys=(ForeignKey("fk", ("code",), parent.id, ("code",), on_delete="SET DEFAULT"),),
    )
    made = plan(parent, MYSQL8, PostgresDialect(), Catalog((parent, child)))
    assert [item.sql.split("\n")[1].strip() for item in made.phase(Phase.TABLES)] == [
        "`code` varchar(767),", "`code` varchar(767)",
    ]  # fmt: skip
    (key,) = made.phase(Phase.FOREIGN_KEYS)
    assert key.sql.endswith("ADD CONSTRAINT `fk` FOREIGN KEY (`code`) REFERENCES `shop`.`p` (`code`)")
    assert "foreign_key_action" in {item.code for item in made.report}


@pytest.mark.parametrize(
    ("kind", "override"),
    [(Kind.BINARY, "varchar(20)"), (Kind.FLOAT, "int"), (Kind.GEOMETRY, "longtext"), (Kind.DATE, "int"),
     (Kind.JSON, "blob")],
)  # fmt: skip
def test_an_override_that_cannot_be_written_is_refused(kind: Kind, override: str) -> None:
    column = Column("c", LogicalType(kind), str(kind))
    dialect = MysqlTargetDialect(MYSQL8)
    with pytest.raises(PlanError, match="cannot be written as"):
        dialect.target_type(TableId("s", "t"), column, Names(dialect.names), override)


def test_names_are_cut_and_told_apart_as_the_server_does() -> None:
    names = MysqlTargetDialect(replace(MYSQL8, folds_tables=True)).names
    new_name = Names(names, folds=names.folds_tables)
    assert [new_name("Orders"), new_name("orders"), new_name("smile😀 ")] == ["Orders", "orders_2", "smile_"]
    assert len(new_name("ü" * 70)) == 64
    apart = Names(MysqlTargetDialect(MYSQL8).names)
    assert [apart("Orders"), apart("orders")] == ["Orders", "orders"]


def test_a_sequence_is_made_where_there_are_sequences() -> None:
    sequence = Sequence(TableId("s", "q"), 5, 1, 1, 2**63 - 1, 7)
    made = MysqlTargetDialect(MARIADB).create_sequence(sequence)
    assert [item.sql for item in made.statements] == [
        f"CREATE SEQUENCE `s`.`q` START WITH 5 MINVALUE 1 MAXVALUE {2**63 - 2} INCREMENT BY 1 CACHE 1 NOCYCLE"
        " ENGINE=InnoDB",
        "ALTER SEQUENCE `s`.`q` RESTART WITH 7",
    ]
    assert [item.code for item in MysqlTargetDialect(MYSQL8).create_sequence(sequence).report] == ["sequence_left_out"]


def test_a_procedure_is_made_in_its_own_sql_mode() -> None:
    sql = "CREATE PROCEDURE `s`.`p`() SELECT 1"
    item = NativeObject("procedure", TableId("s", "p"), ("ANSI_QUOTES", sql), Phase.SCHEMA)
    ours = MysqlTargetDialect(MARIADB).create_object(item, needed=False, only_missing=True).statements
    assert [statement.sql for statement in ours] == [
        "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR CREATE PROCEDURE IF NOT EXISTS `s`.`p`() SELECT 1"
    ]
    before, middle, after = MysqlTargetDialect(MYSQL8).create_object(item, needed=False).statements
    assert middle.sql == sql
    assert ("ANSI_QUOTES" in before.sql, "IFNULL" in after.sql) == (True, True)
    dropped = MysqlTargetDialect(MYSQL8).drop_objects([item]).statements
    assert [statement.sql for statement in dropped] == ["DROP PROCEDURE IF EXISTS `s`.`p`"]
