"""Expressions over edge rows: what is translated gives the same value on both servers, in views and in generated
columns; what is not is refused with its reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunState
from tests.e2e.conftest import Pair

COLUMNS = (
    "i INT, u INT UNSIGNED, big BIGINT, d DECIMAL(12,3), f DOUBLE, t VARCHAR(60) COLLATE utf8mb4_bin,"
    " ci VARCHAR(60) COLLATE utf8mb4_general_ci, c CHAR(8) COLLATE utf8mb4_bin, n TEXT COLLATE utf8mb4_bin,"
    " b VARBINARY(20), fl TINYINT(1), e ENUM('x','y z','ü'), s SET('r','g','b'), dt DATE, dtm DATETIME(3),"
    " ts TIMESTAMP(6) NULL, tm TIME, y YEAR, j JSON, bits BIT(6), bt BIT(1)"
)
NAMES = ", ".join(part.split()[0] for part in COLUMNS.split(", "))
ROWS = (
    "(1, 7, 3, 9007199254740993, 12.345, 1.5, 'abc', 'abc', 'ab', 'text', X'00FF10', 1, 'x', 'r,b', '2024-02-29',"
    " '2024-02-29 23:59:59.999', '2024-02-29 12:00:00.123456', '12:34:56', 2024,"
    ' \'{"a": 1, "b": {"c": "q"}, "l": [1, 2, 3]}\', b\'101010\', 1)',
    "(2, -7, 0, -1, -0.005, -2.5, 'ÄÖ ß😀', 'xyz', '', '', X'', 0, 'y z', '', '2023-12-31', '2023-12-31 00:00:00',"
    " '2023-12-31 23:59:59', '00:00:00', 1999, '{\"b\": [null]}', b'000000', 0)",
    "(3, 0, 4294967295, 0, 99999.5, 0, '  pad  ', 'Abc', 'x y', 'a,b,c', 'abc', 1, 'ü', 'g', '2000-01-01',"
    " '2000-01-01 00:00:00.5', '1999-12-31 23:00:00', '23:59:59', 1970, '[]', b'111111', 1)",
    "(4" + ", NULL" * 21 + ")",
    "(5, 2147483647, 1, 9223372036854775807, 0.5, 1e-9, 'it''s \\\\ \"q\" %_', '%', '00042', '-12.5abc', X'27', 0, 'x',"
    " 'r,g,b', '1970-01-01', '1999-02-28 13:14:15.016', '2001-09-09 01:46:40', '01:02:03', 2069, '{\"a\": \"1\"}',"
    " b'000001', 0)",
)

# The same in a view and in a generated column, and still generated on the target.
STORED = """
i + 1 ; i * d ; i / 3 ; d / 0 ; i DIV 2 ; i % 3 ; -i ; d % 0.7 ; u & 5 ; u & ~4 ; u | 8 ; u ^ 3 ; u << 3 ; u >> 2
1 << 4 ; big + 0.5 ; f * 2 ; ABS(i) ; CEIL(d) ; CEIL(i) ; FLOOR(d) ; FLOOR(big) ; ROUND(d) ; ROUND(d, 1) ; ROUND(f)
ROUND(f, 1) ; ROUND(f, -1) ; ROUND(d, -2) ; TRUNCATE(d, 1) ; TRUNCATE(f, 1) ; TRUNCATE(f, 0) ; SIGN(d) ; SQRT(u)
SQRT(i) ; SQRT(d) ; POW(i, 2) ; POW(d, 2) ; MOD(i, 4) ; MOD(d, i) ; GREATEST(i, 3) ; LEAST(i, u) ; GREATEST(d, i)
LN(u) ; LOG(i) ; LOG(i, 5) ; LOG10(u) ; LOG2(u) ; LOG(2, u) ; EXP(f) ; EXP(d / 100000) ; i % u ; i DIV u ; i / u
d DIV 2 ; d / 3 ; d * d / 3 ; big / 3 ; (i + 1) / 7 * 2 ; (i + 1) * 2 ; -(i) - -(d) ; i - (d - d) ; ABS(d) / 2
i + '1' ; CAST(d AS SIGNED) + 1 ; IF(i > 0, d / 2, 0) ; COALESCE(i / 3, 0) ; HEX(u) ; HEX(b)
CONCAT(t, '-', n) ; CONCAT(t, i) ; CONCAT(t, d) ; UPPER(t) ; LOWER(t) ; LENGTH(t) ; CHAR_LENGTH(t) ; LENGTH(b)
OCTET_LENGTH(n) ; BIT_LENGTH(t) ; TRIM(t) ; LTRIM(t) ; RTRIM(t) ; TRIM(LEADING 'a' FROM t) ; TRIM(BOTH ' ' FROM t)
LEFT(t, 2) ; RIGHT(t, 2) ; LEFT(t, -1) ; RIGHT(t, -1) ; LEFT(t, 0) ; LEFT(t, i) ; LEFT(t, CHAR_LENGTH(t) - 1)
SUBSTRING(t, 2) ; SUBSTRING(t, 2, 2) ; SUBSTRING(t, -3) ; SUBSTRING(t, -3, 2) ; SUBSTRING(t, 0) ; MID(t, 1, 2)
SUBSTRING(t FROM 2 FOR 1) ; SUBSTR(t, i) ; SUBSTRING(t, i, 2) ; SUBSTRING(t, 1, i) ; SUBSTRING(b, 2, 1)
SUBSTRING_INDEX(n, ',', 1) ; SUBSTRING_INDEX(n, ',', -1) ; LOCATE('b', t) ; LOCATE('b', t, 2) ; INSTR(t, 'b')
SUBSTRING(t, LOCATE('b', t) + 1) ; LEFT(t, LOCATE('b', t) - 1) ; RIGHT(t, CHAR_LENGTH(t) - LOCATE('b', t))
POSITION('b' IN t) ; REPLACE(t, 'b', 'X') ; REPLACE(d, '.', ',') ; REPEAT(t, 2) ; REPEAT(t, -1) ; REVERSE(t)
LPAD(t, 6, '*') ; RPAD(t, 6, '*') ; LPAD(t, 1, '*') ; LPAD(i, 12, '0') ; LEFT(i, 1) ; SPACE(3) ; FIND_IN_SET('b', n)
MD5(t) ; STRCMP(t, n) ; ELT(2, t, n) ; t LIKE 'a%' ; t NOT LIKE '%b%' ; t LIKE '%\\%%' ; t = 'ABC' ; t < 'b'
t IN ('abc', 'x') ; t IS NULL ; t IS NOT NULL ; t <=> NULL ; i <=> 7 ; i = 7 ; i <> 7 ; i BETWEEN 0 AND 10
i NOT BETWEEN 0 AND 10 ; i IN (7, 0) ; i NOT IN (7, 0) ; i > 0 AND u > 0 ; i > 0 OR u > 0 ; NOT i ; NOT (i > 0)
i > 0 XOR u > 0 ; NOT i = 7 ; i = (u = 3) ; u > 1 = 1 ; i = '7' ; i = 0x07 ; d = '0.5' ; !fl ; fl = 1 ; fl = 0 ; fl + 1
fl IS TRUE ; fl IS NOT TRUE ; i IS FALSE ; i AND fl ; IF(fl, 'yes', 'no') ; IF(i > 0, i, u) ; IF(i, 1, 0)
IF(fl, 1, 0) ; IFNULL(t, 'none') ; IFNULL(i, 0) ; IFNULL(fl, 1) ; COALESCE(fl, 0) ; NULLIF(i, 7) ; NULLIF(t, '')
COALESCE(i, d, 0) ; COALESCE(NULL, i) ; CASE WHEN i > 0 THEN 'p' WHEN i < 0 THEN 'n' ELSE 'z' END
CASE e WHEN 'x' THEN 1 WHEN 'ü' THEN 2 END ; CASE i WHEN 7 THEN t ELSE NULL END ; CASE WHEN fl THEN i ELSE t END
CAST(i AS CHAR) ; CAST(i AS CHAR(3)) ; CAST(d AS SIGNED) ; CAST(i AS UNSIGNED) ; CAST(u AS UNSIGNED)
CAST(big AS SIGNED) ; CAST(d AS DECIMAL(10,1)) ; CAST(f AS DECIMAL(10,2)) ; CAST(dtm AS DATE) ; CAST(d AS CHAR)
CAST(i AS DOUBLE) ; CAST(fl AS CHAR) ; CAST(y AS CHAR) ; CONVERT(t USING utf8mb4) ; e = 'X' ; e IN ('X', 'ü') ; y + 1
y ; bits + 0 ; bt + 0 ; bt = 1 ; bt = b'1' ; bits = b'101010' ; b = 'abc' ; YEAR(dt) ; MONTH(dtm) ; HOUR(dtm)
MINUTE(dtm) ; SECOND(dtm) ; MICROSECOND(dtm) ; HOUR(tm) ; QUARTER(dt) ; WEEK(dt, 3) ; DAYOFWEEK(dt)
DAYOFYEAR(dt) ; WEEKDAY(dt) ; DATE(dtm) ; DATE_ADD(dt, INTERVAL 1 DAY) ; DATE_ADD(dt, INTERVAL 1 MONTH)
DATE_ADD(dtm, INTERVAL -1 HOUR) ; DATE_ADD(dtm, INTERVAL u SECOND) ; DATE_SUB(dt, INTERVAL 1 YEAR)
dt + INTERVAL 1 WEEK ; dtm - INTERVAL 90 MINUTE ; dt + INTERVAL 1 HOUR ; ADDDATE(dt, 10) ; SUBDATE(dt, 10)
TIMESTAMPDIFF(SECOND, dt, dtm) ; TIMESTAMPDIFF(DAY, dt, dtm) ; TIMESTAMPADD(MONTH, 1, dtm) ; EXTRACT(YEAR FROM dt)
dt = '2024-02-29' ; dt > '2000-01-01' ; dtm BETWEEN '1999-01-01' AND '2001-01-01' ; dt = dtm ; tm > '12:00:00'
dt IN ('2024-02-29', '1970-01-01') ; dtm ; JSON_UNQUOTE(JSON_EXTRACT(j, '$.b.c')) ; JSON_VALUE(j, '$.b.c')
JSON_VALID(j) ; ISNULL(i) ; 'a' 'b' ; X'4142' ; 1e3 ; 'it''s' ; 'back\\\\slash' ; 'tab\\tnl\\n'
"""

# In a view the same; as a generated column the values are copied instead, as PostgreSQL must not store such results.
COPIED = """
HEX(t) ; CONCAT(t, dt) ; CONCAT_WS('/', t, c, NULL, n) ; ASCII(t) ; FIELD(e, 'x', 'ü') ; FIND_IN_SET('b', s)
FIND_IN_SET('g', s) > 0 ; SHA2(t, 256) ; FORMAT(d, 2) ; c LIKE 'ab' ; c REGEXP 'b$' ; n REGEXP '^tex' ; c = t
ci LIKE 'A%' ; ci REGEXP '^AB' ; CAST(dt AS CHAR) ; CAST(e AS CHAR) ; CAST(s AS CHAR) ; s = 'r,b' ; e = 'nolabel'
NULLIF(e, 'X') ; CONCAT(fl, e, s) ; LOWER(e) ; CHAR_LENGTH(e) ; UPPER(s) ; DAY(ts) ; LAST_DAY(dt) ; DATEDIFF(dtm, dt)
DATEDIFF(ts, dt) ; TIMESTAMPDIFF(MONTH, dt, ts) ; TIMESTAMPDIFF(YEAR, dt, '2024-02-28') ; TO_DAYS(dt)
TO_DAYS(dtm) - TO_DAYS(dt) ; UNIX_TIMESTAMP(ts) ; UNIX_TIMESTAMP(dtm) ; JSON_LENGTH(j) ; DAYNAME(dt) ; MONTHNAME(dt)
DATE_FORMAT(dtm, '%Y-%m-%d %H:%i:%s') ; DATE_FORMAT(dtm, '%W, %M %e %Y') ; DATE_FORMAT(dtm, '%b %a %j %y %p %h %l %k')
DATE_FORMAT(dtm, '%c %T %r %f') ; IFNULL(dt, dtm) ; AVG(i) OVER () ; AVG(d) OVER () ; SUM(d) OVER ()
(SELECT MAX(i) FROM g) ; EXTRACT(DAY FROM ts) ; CAST(ts AS DATE) ; WEEKOFYEAR(dt) ; JSON_OBJECT('c', c)
"""

REFUSED = {
    "i | 8": "may be negative",
    "i & ~4": "may be negative",
    "i << 1": "64th bit",
    "~i": "64 bits",
    "f % 2": "floating-point",
    "SOUNDEX(t)": "soundex",
    "CRC32(t)": "crc32",
    "IF(t, 1, 0)": "text as a truth value",
    "t + 1": "text as a number",
    "t = 0": "compares",
    "e + 0": "an enum as a number",
    "dt + 0": "dates are used as numbers",
    "CAST(f AS CHAR)": "floating-point",
    "CAST(t AS UNSIGNED)": "UNSIGNED",
    "CAST(dtm AS TIME)": "digits of a second",
    "CAST(t AS BINARY)": "binary",
    "WEEK(dt, 0)": "ISO 8601",
    "DATE_FORMAT(dtm, 'on %D')": "%D",
    "JSON_VALID(n)": "JSON_VALID",
    "JSON_CONTAINS(j, '1', '$.a')": "path",
    "INTERVAL(i, 1, 10)": "interval",
    "SUBSTRING_INDEX(n, ',', 2)": "SUBSTRING_INDEX",
    "DATE_ADD(dt, INTERVAL '1:30' MINUTE_SECOND)": "minute_second",
}


def listed(text: str) -> list[str]:
    return [item.strip() for line in text.strip().splitlines() for item in line.split(" ; ")]


def shown(value: object) -> str | None:
    """A value without what only its type tells: 1 and true, 2.50 and 2.5, bytes and their digits."""
    if isinstance(value, (bool, int, Decimal, float)):
        number = Decimal(repr(float(value)) if isinstance(value, float) else int(value) if value is True else value)
        return format(number.normalize() + 0, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return None if value is None else str(value)


def column(rows: Sequence[tuple[object, ...]]) -> list[str | None]:
    return [shown(value) for (value,) in rows]


@pytest.fixture(params=["postgres_db", "postgres15_db"])
def edges(request: pytest.FixtureRequest, mysql_db: ConnectionSettings) -> Pair:
    """A source with the edge rows in table g."""
    pair = Pair(mysql_db, request.getfixturevalue(request.param))
    pair.mysql(f"CREATE TABLE g (id INT PRIMARY KEY, {COLUMNS})", *(f"INSERT INTO g VALUES {row}" for row in ROWS))
    return pair


def test_expressions_of_views_give_the_same_values(edges: Pair) -> None:
    expressions = listed(STORED) + listed(COPIED)
    edges.mysql(*(f"CREATE VIEW v{n} AS SELECT id, {text} AS v FROM g" for n, text in enumerate(expressions)))
    progress = edges.conversion().run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    left = [(item.object, item.message) for item in progress.report if item.code in ("view_left_out", "views_failed")]
    assert left == []
    differing = {}
    for n, text in enumerate(expressions):
        source = column(edges.mysql(f"SELECT v FROM v{n} ORDER BY id"))
        target = column(edges.postgres(f"SELECT v FROM v{n} ORDER BY id"))
        if source != target:
            differing[text] = (source, target)
    assert differing == {}


def test_generated_columns_hold_the_same_values(edges: Pair) -> None:
    """What PostgreSQL computes itself and what is copied; nothing of the first kind falls to the second."""
    tables = _generated_tables(edges, listed(STORED))
    progress = edges.conversion().run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    generated = {
        (table, name)
        for table, name in edges.postgres(
            "SELECT table_name, column_name FROM information_schema.columns WHERE is_generated = 'ALWAYS'"
        )
    }
    differing = {}
    for table, expressions in tables.items():
        for name, text in expressions.items():
            assert (table, name) in generated, text
            source = column(edges.mysql(f"SELECT {name} FROM {table} ORDER BY id"))
            target = column(edges.postgres(f"SELECT {name} FROM {table} ORDER BY id"))
            if source != target:
                differing[text] = (source, target)
    assert differing == {}


def _generated_tables(edges: Pair, texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Tables of twenty generated columns each, of the type that the server itself gives to the expression."""
    tables: dict[str, dict[str, str]] = {}
    for first in range(0, len(texts), 20):
        chosen = {f"v{first + n}": text for n, text in enumerate(texts[first : first + 20])}
        name = f"s{first}"
        edges.mysql(
            f"CREATE VIEW {name} AS SELECT " + ", ".join(f"{text} AS {column}" for column, text in chosen.items())
            + " FROM g"
        )  # fmt: skip
        types = dict(
            edges.mysql(
                "SELECT column_name, CASE WHEN column_type LIKE 'varchar%' THEN 'text' ELSE column_type END"
                f" FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{name}'"
            )
        )
        columns = ", ".join(f"{c} {types[c]} GENERATED ALWAYS AS ({text}) STORED" for c, text in chosen.items())
        edges.mysql(
            f"DROP VIEW {name}",
            f"CREATE TABLE {name} (id INT PRIMARY KEY, {COLUMNS}, {columns})",
            f"INSERT INTO {name} (id, {NAMES}) SELECT * FROM g",
        )
        tables[name] = chosen
    return tables


def test_what_has_no_translation_is_left_out_with_its_reason(edges: Pair) -> None:
    edges.mysql(*(f"CREATE VIEW v{n} AS SELECT id, {text} AS v FROM g" for n, text in enumerate(REFUSED)))
    progress = edges.conversion().run()
    assert progress.state is RunState.FINISHED
    told = {item.object.split(".")[-1]: item.message for item in progress.report if item.code == "view_left_out"}
    wrong = {
        text: told.get(f"v{n}", "was made")
        for n, (text, reason) in enumerate(REFUSED.items())
        if reason.lower() not in told.get(f"v{n}", "").lower()
    }
    assert wrong == {}


def test_a_generated_column_without_translation_becomes_a_plain_one_with_the_same_values(edges: Pair) -> None:
    texts = ["SOUNDEX(t)", "ci = 'ABC'", "i | 8", "e + 0", "CONCAT(t, dt)"]
    (name,) = (tables := _generated_tables(edges, texts))
    progress = edges.conversion().run()
    assert progress.state is RunState.FINISHED
    told = {item.object.split(".")[-1] for item in progress.report if item.code == "generated_as_plain"}
    assert told == set(tables[name])
    for copied in tables[name]:
        query = f"SELECT {copied} FROM {name} ORDER BY id"
        assert column(edges.postgres(query)) == column(edges.mysql(query))


def test_a_view_that_compares_text_without_case_is_told_of(edges: Pair) -> None:
    edges.mysql(
        "CREATE VIEW folded AS SELECT id FROM g WHERE ci = 'ABC'",
        "CREATE VIEW exact AS SELECT id FROM g WHERE t = 'ABC' AND e = 'X'",
    )
    progress = edges.conversion().run()
    (item,) = (item for item in progress.report if item.code == "view_collation")
    assert (item.object, "ci" in item.message, bool(item.remedy)) == ("public.folded", True, True)
