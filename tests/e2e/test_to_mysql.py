"""A rich PostgreSQL schema on MariaDB: what becomes of each part, and what is told of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import ReportItem, Severity
from tests.e2e.routes import End, Route

STRUCTURE = (
    "CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@]+@[a-z.]+$')",
    "CREATE DOMAIN amount AS int NOT NULL DEFAULT 5 CHECK (VALUE > 0)",
    "CREATE TYPE mood AS ENUM ('sad', 'it''s ok', '')",
    "CREATE SEQUENCE numbers START 10 INCREMENT 5",
    "CREATE TABLE parent (id serial PRIMARY KEY, code text NOT NULL UNIQUE,"
    " name varchar(30) NOT NULL CHECK (name <> ''), mail email, n amount,"
    " m mood DEFAULT 'sad', price numeric(10,2) DEFAULT 9.99, any_size numeric,"
    " tags int[] DEFAULT '{}', doc jsonb DEFAULT '{}', at timestamptz NOT NULL DEFAULT now(), ok boolean DEFAULT true,"
    ' bits bit(8), raw bytea, uid uuid DEFAULT gen_random_uuid(), "Mixed" int, mixed int,'
    " CONSTRAINT price_positive CHECK (price > 0), CONSTRAINT odd CHECK (tags @> '{}'))",
    "COMMENT ON TABLE parent IS 'it''s the \\ parent'",
    "COMMENT ON COLUMN parent.code IS 'the ''code'''",
    "CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY,"
    " parent_id int REFERENCES parent ON DELETE CASCADE ON UPDATE SET NULL, code text REFERENCES parent (code),"
    " a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text GENERATED ALWAYS AS (upper(code) || '!') STORED,"
    " UNIQUE (parent_id, a))",
    "CREATE TABLE counted (id int DEFAULT nextval('numbers') PRIMARY KEY, wide text)",
    f"CREATE TABLE many (id int PRIMARY KEY, {', '.join(f'c{n} varchar(20)' for n in range(180))})",
    f"CREATE TABLE wide (id int PRIMARY KEY, {', '.join(f'c{n} varchar(4000)' for n in range(20))})",
    "INSERT INTO many (id, c0, c179) VALUES (1, 'first', 'last')",
    "CREATE INDEX ON parent (price DESC, at)",
    "CREATE INDEX long_text ON counted (wide)",
    "CREATE UNIQUE INDEX some_rows ON child (a) WHERE a > 5",
    "CREATE INDEX on_expression ON parent (lower(name))",
    "CREATE INDEX inverted ON parent USING gin (tags)",
    "CREATE VIEW busy AS SELECT p.id, p.name, count(*) AS n, sum(c.a) AS total FROM parent p"
    " LEFT JOIN child c ON c.parent_id = p.id WHERE p.ok GROUP BY p.id, p.name HAVING count(*) > 0",
    "CREATE VIEW busier AS SELECT name FROM busy WHERE name <> 'Näme 2'",
    "CREATE VIEW lists AS SELECT array_agg(id) AS ids FROM parent",
    'INSERT INTO parent (code, name, mail, any_size, tags, doc, bits, raw, "Mixed", mixed)'
    " SELECT 'c' || i, 'Näme ' || i, 'a@b.c', i * 1.25, ARRAY[i, 2], '{\"a\": 1}', B'00000111', '\\x00ff5c27', i, -i"
    " FROM generate_series(1, 500) AS i",
    "INSERT INTO child (parent_id, code, a) SELECT i, 'c' || i, i FROM generate_series(1, 500) AS i",
    "INSERT INTO counted (wide) VALUES (repeat('x', 5000)), (NULL)",
)
Copied = tuple[Route, list[ReportItem]]


@pytest.fixture(scope="module")
def copied(mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings) -> Iterator[Copied]:
    """The schema with its rows, copied."""
    ends = [End(replace(server, database="to_mysql")) for server in (postgres18_server, mariadb_server)]
    for end, server in zip(ends, (postgres18_server, mariadb_server), strict=True):
        end.recreate(server)
    ends[0].run(*STRUCTURE)
    route = Route(*ends)
    progress = route.conversion().run()
    assert progress.error == ""
    yield route, list(progress.report)
    End(mariadb_server).run("DROP DATABASE to_mysql")
    End(postgres18_server).run("DROP DATABASE to_mysql WITH (FORCE)")


def definition(route: Route, table: str) -> str:
    return str(route.target.run(f"SHOW CREATE TABLE {table}")[0][1])


LINES = {
    "parent": (
        "`id` int(11) NOT NULL AUTO_INCREMENT",
        "`code` varchar(767) NOT NULL COMMENT 'the ''code'''",
        "`name` varchar(30) NOT NULL",
        "`mail` longtext DEFAULT NULL",
        "`n` int(11) NOT NULL DEFAULT 5",
        "`m` enum('sad','it''s ok','') DEFAULT 'sad'",
        "`price` decimal(10,2) DEFAULT 9.99",
        "`any_size` decimal(65,30) DEFAULT NULL",
        "`tags` longtext DEFAULT '{}'",
        "`doc` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT '{}' CHECK (json_valid(`doc`))",
        "`at` datetime(6) NOT NULL DEFAULT utc_timestamp(6)",
        "`ok` tinyint(1) DEFAULT 1",
        "`bits` bit(8) DEFAULT NULL",
        "`raw` longblob DEFAULT NULL",
        "`uid` uuid DEFAULT uuid()",
        "`Mixed` int(11) DEFAULT NULL",
        "`mixed_2` int(11) DEFAULT NULL",
        "PRIMARY KEY (`id`)",
        "UNIQUE KEY `parent_code_key` (`code`)",
        "KEY `parent_price_at_idx` (`price` DESC,`at`)",
        "CONSTRAINT `parent_name_check` CHECK (`name` <> '')",
        "CONSTRAINT `price_positive` CHECK (`price` > 0)",
        "CONSTRAINT `n_amount_check` CHECK (`n` > 0)",
        "CONSTRAINT `mail_email_check` CHECK (regexp_instr(`mail`,'(?s)^[^@]+@[a-z.]+\\\\z') > 0)",
        ") ENGINE=InnoDB AUTO_INCREMENT=501 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
        " COMMENT='it''s the \\\\ parent'",
    ),
    "child": (
        "`id` bigint(20) NOT NULL AUTO_INCREMENT",
        "`parent_id` int(11) DEFAULT NULL",
        "`code` varchar(767) DEFAULT NULL",
        "`a` int(11) DEFAULT NULL",
        "`b` int(11) GENERATED ALWAYS AS (`a` * 2) STORED",
        "`c` longtext GENERATED ALWAYS AS (concat(ucase(`code`),'!')) STORED",
        "PRIMARY KEY (`id`)",
        "UNIQUE KEY `child_parent_id_a_key` (`parent_id`,`a`)",
        "KEY `child_code_fkey` (`code`)",
        "CONSTRAINT `child_code_fkey` FOREIGN KEY (`code`) REFERENCES `parent` (`code`) ON DELETE NO ACTION"
        " ON UPDATE NO ACTION",
        "CONSTRAINT `child_parent_id_fkey` FOREIGN KEY (`parent_id`) REFERENCES `parent` (`id`) ON DELETE CASCADE"
        " ON UPDATE SET NULL",
        ") ENGINE=InnoDB AUTO_INCREMENT=600 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin",
    ),
    "counted": (
        "`id` int(11) NOT NULL DEFAULT nextval(`to_mysql`.`numbers`)",
        "`wide` longtext DEFAULT NULL",
        "PRIMARY KEY (`id`)",
        "KEY `long_text` (`wide`(767))",
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin",
    ),
}


@pytest.mark.parametrize("table", LINES)
def test_a_table_becomes_this(copied: Copied, table: str) -> None:
    route, _ = copied
    lines = [line.strip().rstrip(",") for line in definition(route, table).split("\n")[1:]]
    assert sorted(lines) == sorted(LINES[table])


def test_rows_arrive(copied: Copied) -> None:
    route, _ = copied
    asked = 'SELECT id, code, name, mail, n, price, doc, "Mixed", {mixed} FROM parent WHERE id IN (1, 500) ORDER BY id'
    ours = route.target.run("SET sql_mode = 'ANSI_QUOTES'", asked.format(mixed="mixed_2"))
    theirs = route.source.run(asked.format(mixed="mixed").replace("doc", "doc::text"))
    assert ours == theirs
    assert route.target.run("SELECT any_size + 0, tags, bits + 0, HEX(raw), ok FROM parent WHERE id = 3")[0][1:] == (
        "{3,2}", 7, "00FF5C27", 1,
    )  # fmt: skip


def test_views_give_the_same(copied: Copied) -> None:
    route, _ = copied
    for query in ("SELECT id, name, n, total FROM busy ORDER BY id", "SELECT count(*) FROM busier"):
        assert route.target.run(query) == route.source.run(query)


def test_counters_and_sequences_go_on(copied: Copied) -> None:
    route, _ = copied
    route.target.run("INSERT INTO counted (wide) VALUES ('new')")
    assert route.target.run("SELECT max(id) FROM counted") == [(20,)]
    route.target.run("DELETE FROM counted WHERE id = 20")


@pytest.mark.parametrize(
    ("code", "object_", "severity", "message"),
    [
        ("key_limited", "to_mysql.parent.code", Severity.WARNING, r"becomes varchar\(767\)"),
        ("numeric_limited", "to_mysql.parent", Severity.INFO, "any_size"),
        ("kept_as_text", "to_mysql.parent", Severity.INFO, "tags$"),
        ("zone_as_utc", "to_mysql.parent", Severity.INFO, "at$"),
        ("name_shortened", "public.parent.mixed", Severity.WARNING, "mixed_2"),
        ("check_left_out", "to_mysql.parent.odd", Severity.WARNING, "not made"),
        ("btree_index_left_out", "to_mysql.child.some_rows", Severity.WARNING, "unique index over some"),
        ("btree_index_left_out", "to_mysql.parent.on_expression", Severity.INFO, "no indexes on expressions"),
        ("gin_index_left_out", "to_mysql.parent.inverted", Severity.INFO, "gin"),
        ("view_left_out", "public.lists", Severity.WARNING, "array_agg"),
        ("domain_left_out", "public.amount", Severity.INFO, "2 domains"),
    ],
)
def test_what_changes_is_told(copied: Copied, code: str, object_: str, severity: Severity, message: str) -> None:
    _, report = copied
    (item,) = [item for item in report if (item.code, item.object) == (code, object_)]
    assert item.severity is severity
    assert re.search(message, item.message)


def test_tables_of_many_columns_are_made(copied: Copied) -> None:
    route, _ = copied
    assert route.target.run("SELECT id, c0, c1, c179 FROM many") == [(1, "first", None, "last")]
    for table, most in (("many", 180), ("wide", 20)):
        texts = definition(route, table).count("longtext")
        assert 0 < texts < most


def test_nothing_else_is_told(copied: Copied) -> None:
    _, report = copied
    report = [item for item in report if item.code != "row_too_wide"]
    assert len(report) == 12, [(item.code, item.object) for item in report]
