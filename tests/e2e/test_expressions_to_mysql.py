"""Expressions of PostgreSQL over edge rows: what is translated gives the same value on both servers, in views,
defaults, checks and generated columns; what is not is refused with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.inspector import MysqlInspector
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.ddl.plan import build_plan
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase
from mainstem.model.run import RunOptions
from mainstem.model.schema import Catalog, Check, Table, View

COLUMNS = (
    "id int PRIMARY KEY, i int, big bigint, d numeric(12,3), n numeric, f double precision, t text, v varchar(60),"
    " c char(8), b bytea, ok boolean, e mood, dt date, ts timestamp, tz timestamptz, tm time, j jsonb, u uuid,"
    " a int[], r int4range, iv interval, ip inet"
)
ROWS = (
    "(1, 7, 9007199254740993, 12.345, 1.5, 1.5, 'abc', 'abc', 'ab', '\\x00ff10', true, 'happy', '2024-02-29',"
    " '2024-02-29 23:59:59.999', '2024-02-29 12:00:00.123456+00', '12:34:56', '{\"a\": 1}',"
    " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,2}', '[1,5)', '1 day', '10.0.0.1')",
    "(2, -7, -1, -0.005, -12345.678901, -2.5, 'ÄÖ ß😀', 'xyz', '', '', false, 'sad', '2023-12-31',"
    " '2023-12-31 00:00:00', '2023-12-31 23:59:59+00', '00:00:00', '[]', NULL, '{}', 'empty', '1 mon', '::1')",
    "(3, 0, 0, 99999.5, 0, 0, '  pad  ', 'Abc', 'x y', 'abc', true, 'ok', '2000-01-01', '2000-01-01 00:00:00.5',"
    " '1999-12-31 23:00:00+00', '23:59:59.5', 'null', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', NULL, NULL, NULL, NULL)",
    "(4" + ", NULL" * 21 + ")",
    "(5, 2147483646, 4611686018427387903, 0.5, 0.1, 1e-9, E'it''s \\\\ \"q\" %_', '%', '00042', '\\x27', false,"
    " 'happy', '1970-01-01', '1999-02-28 13:14:15.016', '2001-09-09 01:46:40+00', '01:02:03', '{}', NULL, '{3}', "
    "'[2,3)', '1 day', '10.0.0.2')",
)

SAME = """
i + 1 ; i * d ; i / 3 ; i / -2 ; i % 3 ; mod(i, 4) ; -i ; d % 0.7 ; big + 0.5 ; f * 2 ; f / 3 ; d - d ; n + 1 ; n * 2
abs(i) ; abs(d) ; ceil(d) ; floor(d) ; ceil(f) ; round(d) ; round(d, 1) ; round(n, 2) ; trunc(d, 1) ; sign(d)
round(d / 3, 4) ; round((i / 3.0), 2) ; round(d / 0.7, 6) ; i::numeric(12,2) ; d::numeric(10,1) ; d::int ; i::bigint
i::double precision ; (i + 1) / 2 * 2 ; -(i) - -(d) ; i - 3 - 2 ; i - (3 - 2) ; greatest(i, 3) ; least(d, i, 0)
greatest(NULL, i, 2) ; greatest(dt, '2001-01-01'::date) ; coalesce(i, 0) ; coalesce(d, i, 0) ; coalesce(t, 'none')
nullif(i, 7) ; nullif(t, '') ; t || '-' || v ; t || i ; t || d ; t || dt ; t || ok ; concat(t, '/', i, v)
concat_ws('-', t, NULL, v) ; upper(t) ; lower(t) ; length(t) ; char_length(v) ; octet_length(t) ; length(b)
octet_length(b) ; trim(t) ; ltrim(t) ; rtrim(t) ; btrim(t) ; trim(both 'a' from t) ; btrim(v, 'z')
trim(leading 'a' from t) ; left(t, 2) ; right(t, 2) ; left(t, 0) ; substring(t, 2) ; substring(t, 2, 2)
substring(t from 1 for 2) ; substr(t, 3) ; position('b' in t) ; strpos(t, 'b') ; strpos(t, '') ; replace(t, 'b', 'X')
replace(t, '\\', '/') ; lpad(t, 6, '*') ; rpad(t, 6) ; lpad(t, 1, '*') ; repeat(t, 2) ; repeat(t, -1) ; reverse(t)
md5(t) ; t LIKE 'a%' ; t NOT LIKE '%b%' ; t LIKE '%\\%%' ; t LIKE '%\\\\%' ; t ILIKE 'A%' ; t NOT ILIKE 'Ä%'
v LIKE 'A_c' ; t ~ '^a' ; t ~ 'c$' ; t ~ '^[a-z]+$' ; v ~ '^(abc|xyz)$' ; t ~ '^.*$' ; t !~ 'b' ; t = 'abc'
t = 'ABC' ; v <> 'abc' ; t = v ; c = 'ab' ; c || '|' ; length(c) ; t IS NULL ; t IS NOT NULL
t IS DISTINCT FROM 'abc' ; i IS NOT DISTINCT FROM 7 ; i = 7 ; i <> 7 ; i > d ; i BETWEEN 0 AND 10
i NOT BETWEEN 0 AND 10 ; i IN (7, 0) ; i NOT IN (7, 0) ; t IN ('abc', 'x') ; v = ANY (ARRAY['abc', 'xyz'])
i = ANY (ARRAY[7, 0]) ; i <> ALL (ARRAY[7, 0]) ; e = 'happy' ; e IN ('happy', 'sad') ; e::text ; e IS NULL
u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' ; ok ; NOT ok ; ok = true ; ok IS TRUE ; ok IS NOT TRUE ; ok IS FALSE
ok AND i > 0 ; ok OR i > 0 ; (i > 0) = ok ; NOT (i > 0 AND ok)
CASE WHEN i > 0 THEN 'p' WHEN i < 0 THEN 'n' ELSE 'z' END ; CASE i WHEN 7 THEN t ELSE v END
CASE e WHEN 'happy' THEN 1 WHEN 'sad' THEN 2 END ; CASE WHEN ok THEN i END ; ok::int ; i::boolean ; ok::text ; i::text
b = '\\x00ff10' ; extract(year from dt) ; extract(month from ts) ; extract(day from dt) ; extract(hour from ts)
extract(minute from ts) ; extract(second from ts) ; extract(dow from dt) ; extract(isodow from dt)
extract(doy from dt) ; extract(week from dt) ; extract(quarter from dt) ; date_part('year', ts)
extract(hour from tm) ; date_trunc('day', ts) ; date_trunc('month', ts) ; date_trunc('year', ts)
date_trunc('hour', ts) ; ts::date ; dt::timestamp ; dt + 1 ; dt - 10 ; dt - '2000-01-01'::date
dt + interval '1 month' ; ts + interval '1 day' ; ts - interval '90 minutes' ; dt + interval '1 year'
ts + interval '1 week' ; dt = '2024-02-29' ; dt > '2000-01-01' ; ts >= '2000-01-01'
ts BETWEEN '1999-01-01' AND '2001-01-01' ; dt = ts ; tm > '12:00:00' ; tz = '2024-02-29 12:00:00.123456+00'
tz > '2000-01-01 00:00:00+00' ; tz AT TIME ZONE 'utc' ; NULL ; 1.50 ; 'it''s' ; E'back\\\\slash' ; E'tab\\tnl\\n'
true ; (SELECT max(i) FROM g) ; (SELECT count(*) FROM g) ; (SELECT count(DISTINCT v) FROM g) ; (SELECT sum(d) FROM g)
(SELECT round(avg(i), 3) FROM g) ; (SELECT count(*) FILTER (WHERE ok) FROM g)
(SELECT sum(i) FILTER (WHERE i > 0) FROM g) ; (SELECT bool_and(ok) FROM g) ; (SELECT min(dt) FROM g)
EXISTS (SELECT 1 FROM g x WHERE x.i = g.i) ; i IN (SELECT i FROM g) ; row_number() OVER (ORDER BY id)
rank() OVER (ORDER BY i) ; sum(i) OVER (PARTITION BY ok)
"""

# Whole queries, with what they compute used in other parts of them.
QUERIES = (
    "WITH x AS (SELECT ok, count(*) AS n, sum(d) AS s FROM g GROUP BY ok) SELECT n AS x FROM x WHERE n > 1 AND s > 0",
    "SELECT q.n + 1 AS x FROM (SELECT char_length(t) AS n, id FROM g) q JOIN g ON g.id = q.id WHERE q.n >= 0",
    "SELECT count(*) AS x FROM g GROUP BY ok HAVING sum(i) IS NOT NULL ORDER BY ok",
    "SELECT bool_or(i > 0) AS x FROM g",
    "SELECT lower(v) AS x FROM g WHERE v IS NOT NULL ORDER BY id LIMIT 2",
    "SELECT tz + interval '36 hours' AS x FROM g WHERE tz < now() - interval '1 hour'",
    "SELECT n * 2 AS x FROM counts WHERE n > 1",
    "SELECT DISTINCT v AS x FROM g WHERE v IS NOT NULL",
    "SELECT id AS x FROM g WHERE i > 0 UNION SELECT -1 EXCEPT SELECT 1",
)

REFUSED = {
    "n * d": "digits behind the point",
    "d / 3": "quotient",
    "round(d / 3, 12)": "so many digits",
    "round(f::numeric, 2)": "a cast of",
    "(SELECT avg(i) FROM g)": "quotient",
    "(SELECT sum(f) FROM g)": "floating-point",
    "t < 'b'": "order text",
    "greatest(t, v)": "GREATEST",
    "(SELECT max(t) FROM g)": "least or greatest of text",
    "i & 4": "bitwise",
    "i << 1": "bitwise",
    "t || f": "write a floating-point",
    "t || n": "write a decimal",
    "t || ts": "write a timestamp",
    "f::text": "write a floating-point",
    "f::int": "a cast of",
    "t::int": "a cast of",
    "tz::date": "a cast of",
    "date_trunc('day', tz)": "date_trunc",
    "extract(epoch from ts)": "epoch",
    "ts - ts": "arithmetic",
    "left(t, -1)": "written out",
    "substring(t, 0, 2)": "written out",
    "btrim(t, 'ab')": "set of characters",
    "t ~* 'A'": "regexp",
    "t ~ '\\d'": "regular expression",
    "a[1]": "bracket",
    "a = '{1,2}'": "only kept as text",
    "array_length(a, 1)": "array",
    "lower(r)": "only kept as text",
    "ip = '10.0.0.1'": "only kept as text",
    "iv > '1 hour'": "only kept as text",
    "j ->> 'a'": "JSON",
    "j = '{}'": "JSON",
    "to_char(ts, 'YYYY')": "has no translation",
    "e < 'sad'": "order an enum",
    "'a' = 'A'": "literals",
    "string_agg(t, ',') OVER ()": "has no translation",
}

DEFAULTS = {
    "i": "6 * 7",
    "d": "'1.5'::numeric",
    "n": "-2",
    "f": "1.5",
    "t": "'it''s \\ ok'::text",
    "v": "upper('x')",
    "ok": "true",
    "e": "'sad'::mood",
    "dt": "'2020-02-29'::date",
    "ts": "'2020-02-29 12:00:00.5'::timestamp",
    "tz": "'2020-02-29 12:00:00+00'::timestamptz",
    "j": "'{\"a\": [1]}'::jsonb",
    "u": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
    "a": "'{1,2}'::int[]",
    "b": "'\\x00ff27'::bytea",
}


def listed(text: str) -> list[str]:
    return [item.strip() for line in text.strip().splitlines() for item in line.split(" ; ")]


def shown(value: object) -> str | None:
    """A value without what only its type tells: 1 and true, 2.50 and 2.5, a zone that is UTC."""
    if value is None:
        return None
    if isinstance(value, (bool, int, Decimal, float)):
        number = Decimal(repr(value) if isinstance(value, float) else int(value) if value is True else value)
        return format(number.normalize() + 0, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, timedelta):
        return (datetime.min + value).time().isoformat()
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


class Sides:
    """A PostgreSQL schema and a MariaDB database with the same rows in table g."""

    def __init__(self, postgres: ConnectionSettings, mysql: ConnectionSettings) -> None:
        self.source, self.target = postgres, mysql
        self.postgres_run(
            "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
            f"CREATE TABLE g ({COLUMNS})",
            *(f"INSERT INTO g VALUES {row}" for row in ROWS),
        )
        with PostgresInspector(postgres) as inspector:
            self.catalog = inspector.catalog()
        self.table = next(table for table in self.catalog.tables if table.id.name == "g")

    def postgres_run(self, *statements: str) -> list[tuple[object, ...]]:
        """The rows of the last one."""
        with postgres_connect(self.source) as connection:
            for statement in ("SET TimeZone = 'UTC'", *statements):
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def mysql_run(self, *statements: str) -> list[tuple[object, ...]]:
        """The rows of the last one."""
        with mysql_connect(self.target) as connection, connection.cursor() as cursor:
            for statement in ("SET sql_mode = 'STRICT_ALL_TABLES'", *statements):
                cursor.execute(statement)
            return list(cursor.fetchall())

    def mysql_columns(self, queries: Sequence[str]) -> list[list[str | None]]:
        """The one column of each query."""
        with mysql_connect(self.target) as connection, connection.cursor() as cursor:
            return [[shown(value) for (value,) in (cursor.execute(query), cursor.fetchall())[1]] for query in queries]

    def postgres_columns(self, queries: Sequence[str]) -> list[list[str | None]]:
        """The one column of each query."""
        with postgres_connect(self.source) as connection:
            connection.execute(b"SET TimeZone = 'UTC'")
            return [[shown(value) for (value,) in connection.execute(query.encode())] for query in queries]

    def plan(self, table: Table, views: Sequence[View] = ()) -> MigrationPlan:
        with MysqlInspector(self.target) as inspector:
            dialect = inspector.target_dialect()
        assert dialect is not None
        return build_plan(
            Catalog((table,), tuple(views)), RunOptions(), PostgresDialect(), dialect, self.target.database
        )

    def make(self, plan: MigrationPlan) -> None:
        """Run the plan and fill its table."""
        phases = (Phase.SCHEMA, Phase.TABLES, Phase.KEYS, Phase.FOREIGN_KEYS, Phase.VIEWS)
        self.mysql_run(*(item.sql for phase in phases for item in plan.phase(phase)))

    def fill(self) -> None:
        with mysql_connect(self.target) as connection, connection.cursor() as cursor:
            plain = [column.name for column in self.table.columns]
            asked = ", ".join(
                "b" if name == "b" else f"{name}::int" if name == "ok" else f"{name}::text" for name in plain
            )
            rows = self.postgres_run(f"SELECT {asked} FROM g")
            marks = ", ".join(["%s"] * len(plain))
            cursor.executemany(
                f"INSERT INTO g ({', '.join(plain)}) VALUES ({marks})",
                [
                    [str(value).removesuffix("+00") if isinstance(value, str) else value for value in row]
                    for row in rows
                ],
            )


@pytest.fixture(params=["postgres_db", "postgres15_db"])
def sides(request: pytest.FixtureRequest, mysql_db: ConnectionSettings) -> Sides:
    return Sides(request.getfixturevalue(request.param), mysql_db)


def views(sides: Sides, expressions: Sequence[str]) -> list[View]:
    sides.postgres_run(*(f"CREATE VIEW v{n} AS SELECT id, {text} AS x FROM g" for n, text in enumerate(expressions)))
    rows = sides.postgres_run(
        "SELECT viewname::text, definition FROM pg_views WHERE schemaname = 'public' AND viewname ~ '^v[0-9]+$'"
    )
    found = {str(name): View(TableId("public", str(name)), str(text).rstrip(";")) for name, text in rows}
    return [found[f"v{n}"] for n in range(len(expressions))]


def test_expressions_of_views_give_the_same_values(sides: Sides) -> None:
    expressions = listed(SAME)
    plan = sides.plan(sides.table, views(sides, expressions))
    left = {item.object: item.message for item in plan.report if item.code == "view_left_out"}
    assert {expressions[int(name.rpartition("v")[2])]: message for name, message in left.items()} == {}
    sides.make(plan)
    sides.fill()
    differing = {}
    queries = [f"SELECT x FROM v{number} ORDER BY id" for number in range(len(expressions))]
    for text, ours, theirs in zip(
        expressions, sides.mysql_columns(queries), sides.postgres_columns(queries), strict=True
    ):
        if text in ("c || '|'",):
            theirs = [value and value.replace(" |", "|") for value in theirs]
        if ours != theirs:
            differing[text] = (theirs, ours)
    assert differing == {}


def test_queries_give_the_same_rows(sides: Sides) -> None:
    sides.postgres_run(
        "CREATE VIEW counts AS SELECT ok, count(*) AS n FROM g GROUP BY ok",
        *(f"CREATE VIEW q{number} AS {text}" for number, text in enumerate(QUERIES)),
    )
    with PostgresInspector(sides.source) as inspector:
        made = inspector.catalog().views
    plan = sides.plan(sides.table, made)
    assert [item.message for item in plan.report if item.code == "view_left_out"] == []
    sides.make(plan)
    sides.fill()
    queries = [f"SELECT x FROM q{number}" for number in range(len(QUERIES))]
    for text, ours, theirs in zip(QUERIES, sides.mysql_columns(queries), sides.postgres_columns(queries), strict=True):
        assert sorted(map(str, ours)) == sorted(map(str, theirs)), text


def test_what_could_differ_is_refused_with_its_reason(sides: Sides) -> None:
    made = views(sides, list(REFUSED))
    plan = sides.plan(sides.table, made)
    told = {item.object: item.message for item in plan.report if item.code == "view_left_out"}
    wrong = {}
    for number, (text, reason) in enumerate(REFUSED.items()):
        message = told.get(f"public.v{number}", "")
        if reason.lower() not in message.lower():
            wrong[text] = message
    assert wrong == {}


def test_generated_columns_are_computed_alike(sides: Sides) -> None:
    chosen = {
        "g1": ("i + 1", "int"), "g2": ("round(d, 1)", "numeric(12,1)"), "g3": ("lower(t) || '-' || v", "text"),
        "g4": ("CASE WHEN ok THEN i ELSE 0 END", "int"), "g5": ("dt + 1", "date"), "g6": ("i > 0", "boolean"),
        "g7": ("COALESCE(char_length(t), 0)", "int"),
    }  # fmt: skip
    sides.postgres_run(
        *(
            f"ALTER TABLE g ADD {name} {native} GENERATED ALWAYS AS ({text}) STORED"
            for name, (text, native) in chosen.items()
        )
    )
    with PostgresInspector(sides.source) as inspector:
        table = next(table for table in inspector.catalog().tables if table.id.name == "g")
    plan = sides.plan(table)
    assert [item for item in plan.report if item.code == "generated_as_plain"] == []
    sides.make(plan)
    sides.fill()
    names = ", ".join(chosen)
    ours = [[shown(value) for value in row] for row in sides.mysql_run(f"SELECT {names} FROM g ORDER BY id")]
    theirs = [[shown(value) for value in row] for row in sides.postgres_run(f"SELECT {names} FROM g ORDER BY id")]
    assert ours == theirs


def test_defaults_are_filled_in_alike(sides: Sides) -> None:
    sides.postgres_run(*(f"ALTER TABLE g ALTER {name} SET DEFAULT {text}" for name, text in DEFAULTS.items()))
    with PostgresInspector(sides.source) as inspector:
        table = next(table for table in inspector.catalog().tables if table.id.name == "g")
    plan = sides.plan(table)
    assert [item for item in plan.report if item.code == "default_left_out"] == []
    sides.make(plan)
    sides.mysql_run("INSERT INTO g (id) VALUES (9)")
    sides.postgres_run("INSERT INTO g (id) VALUES (9)")
    names = list(DEFAULTS)
    (ours,) = sides.mysql_run(f"SELECT {', '.join(names)} FROM g WHERE id = 9")
    asked = ", ".join(f"{name}::text" if name in ("a", "j", "u", "e") else name for name in names)
    (theirs,) = sides.postgres_run(f"SELECT {asked} FROM g WHERE id = 9")
    assert [shown(value) for value in ours] == [shown(value) for value in theirs]


@pytest.mark.parametrize("default", ["now()", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP(3)"])
def test_the_present_moment_is_a_default_in_utc(sides: Sides, default: str) -> None:
    sides.postgres_run(
        f"ALTER TABLE g ALTER tz SET DEFAULT {default}",
        "ALTER TABLE g ALTER ts SET DEFAULT now()",
        "ALTER TABLE g ALTER dt SET DEFAULT CURRENT_DATE",
        "ALTER TABLE g ALTER u SET DEFAULT gen_random_uuid()",
    )
    with PostgresInspector(sides.source) as inspector:
        table = next(table for table in inspector.catalog().tables if table.id.name == "g")
    sides.make(sides.plan(table))
    sides.mysql_run("SET time_zone = '+05:00'", "INSERT INTO g (id) VALUES (9)")
    ((tz, ts, dt, length),) = sides.mysql_run(
        "SELECT ABS(TIMESTAMPDIFF(SECOND, tz, UTC_TIMESTAMP())) < 60, TIMESTAMPDIFF(MINUTE, tz, ts), dt,"
        " LENGTH(u) FROM g"
    )
    assert (tz, ts, length) == (1, 300, 36)
    assert isinstance(dt, date)


CHECKS = {
    "i > 0": "UPDATE g SET i = 0",
    "((v)::text = ANY ((ARRAY['abc'::character varying, 'xyz'::character varying])::text[]))": "UPDATE g SET v = 'q'",
    "(char_length(t) <= 5)": "UPDATE g SET t = 'sechse'",
    "((d >= 0) AND (d <= (100)::numeric))": "UPDATE g SET d = -1",
    "(t ~ '^[a-z]+$'::text)": "UPDATE g SET t = 'A'",
    "((ok IS NOT NULL) OR (i IS NULL))": "UPDATE g SET ok = NULL",
}


def test_checks_refuse_what_they_refused(sides: Sides) -> None:
    checks = tuple(Check(f"c{number}", text) for number, text in enumerate(CHECKS))
    table = replace(sides.table, checks=(*checks, Check("later", "i > 1", validated=False), Check("odd", "a @> '{1}'")))
    plan = sides.plan(table)
    left = {item.object for item in plan.report if item.code == "check_left_out"}
    assert left == {f"{sides.target.database}.g.later", f"{sides.target.database}.g.odd"}
    sides.make(plan)
    sides.mysql_run("INSERT INTO g (id, i, v, t, d, ok) VALUES (1, 7, 'abc', 'abc', 12.345, 1)")
    for statement in CHECKS.values():
        with pytest.raises(Exception, match="CONSTRAINT"):
            sides.mysql_run(statement)
