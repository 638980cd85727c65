"""PostgreSQL's types, values at their edges, and what becomes of them on MySQL and MariaDB."""

from __future__ import annotations

from tests.types.cases import Case, Kind, Refusal, Value, exact, values, widened

MY = Kind.MYSQL

_TEXT = widened("longtext collate utf8mb4_nopad_bin", family="text")
_LONG = exact("longtext collate utf8mb4_nopad_bin")
_SPECIAL = "NaN, an infinity, or a date before the year 1 or after 9999, which MySQL cannot hold"
_MINUS_ZERO = Value("-0", "'-0'", equal={MY: "0" * 16})


def _special(label: str, sql: str = "") -> Value:
    refusal = Refusal(_SPECIAL, "`specialValues: null`", "special_value_null")
    return Value(label, sql or f"'{label}'", refused={MY: refusal})


def _refused(label: str, sql: str, reason: str) -> Value:
    return Value(label, sql, refused={MY: Refusal(reason)})


def _quoted(*items: str) -> tuple[Value, ...]:
    """Values whose label is the literal's text."""
    return tuple(Value(item, f"'{item.replace(chr(39), chr(39) * 2)}'") for item in items)


def _as_text(
    name: str,
    native: str,
    *items: Value | str,
    key: bool = True,
    setup: str = "",
    shown: str = "",
    lacking: tuple[str, ...] = (),
) -> Case:
    """A type that only PostgreSQL has: its own text elsewhere."""
    made = [Value(item, f"'{item.replace(chr(39), chr(39) * 2)}'") if isinstance(item, str) else item for item in items]
    return Case(name, native, "own", tuple(made), _TEXT, native if key else "", setup, shown, lacking)


_INTEGERS = (
    Case("int2", "smallint", "number", _quoted("-32768", "0", "32767"), exact("smallint(6)"), "smallint"),
    Case("int4", "integer", "number", _quoted("-2147483648", "-1", "2147483647"), exact("int(11)"), "integer"),
    Case("int8", "bigint", "number", _quoted("-9223372036854775808", "0", "9223372036854775807"), exact("bigint(20)"),
         "bigint"),
    Case("oid", "oid", "number", _quoted("0", "4294967295"), exact("int(10) unsigned"), "oid"),
    Case("bool", "boolean", "boolean", _quoted("true", "false"), widened("tinyint(1)"), "boolean"),
)  # fmt: skip

_WIDE = "9" * 35 + "." + "9" * 30
_NUMERICS = (
    Case("numeric", "numeric", "free decimal",
         (*_quoted("0", "-0.1", "1.500", "12345678901234567890.123456789"), Value("largest of decimal(65,30)",
         f"'{_WIDE}'"),
          _special("NaN"), _special("Infinity"), _special("-Infinity"),
          _refused("1e1000", "'1e1000'", "range"), _refused("1e-40", "'1e-40'", "digits")),
         exact("decimal(65,30)", note="digits that it cannot hold are refused"), "numeric"),
    Case("numeric_10_2", "numeric(10,2)", "decimal", (*_quoted("0.00", "-99999999.99", "99999999.99"), _special("NaN")),
         exact("decimal(10,2)"), "numeric(10,2)"),
    Case("numeric_65_30", "numeric(65,30)", "decimal", (Value("largest", f"'{_WIDE}'"), Value("lowest", f"'-{_WIDE}'")),
         exact("decimal(65,30)"), "numeric(65,30)"),
    Case("numeric_5_m2", "numeric(5,-2)", "decimal", _quoted("1234500", "-100"), widened("decimal(7,0)"),
         "numeric(5,-2)"),
    Case("numeric_2_5", "numeric(2,5)", "decimal", _quoted("0.00099", "-0.00001"), widened("decimal(5,5)"),
         "numeric(2,5)"),
    Case("numeric_100_40", "numeric(100,40)", "own",
         (Value("largest", f"'{'9' * 60}.{'9' * 40}'"), *_quoted("NaN", "0.0000000000000000000000000000000000000001")),
         _TEXT, "numeric(100,40)"),
    Case("money", "money", "own", _quoted("0", "-92233720368547758.08", "92233720368547758.07"),
         widened("longtext collate utf8mb4_nopad_bin", family="money"), "money"),
)  # fmt: skip

_FLOATS = (
    Case("float4", "real", "float",
         (_MINUS_ZERO, *_quoted("0", "1", "16777216", "3.4028235e38", "1.17549435e-38", "1e-45", "0.1"),
         _special("NaN"),
          _special("Infinity"), _special("-Infinity")), exact("float"), "real"),
    Case("float8", "double precision", "float",
         (_MINUS_ZERO, *_quoted("0", "0.1", "1.7976931348623157e308", "-1.7976931348623157e308",
         "2.2250738585072014e-308",
         "5e-324",
                   "9007199254740993"), _special("NaN"), _special("Infinity"), _special("-Infinity")),
         exact("double"), "double precision"),
)  # fmt: skip


def _utf8(text: str) -> str:
    return f"convert_from('\\x{text.encode().hex()}', 'UTF8')"


_TEXTS = values(
    ("empty", "''"),
    ("emoji", _utf8("😀👩‍👩‍👧")),
    ("combining marks", _utf8("e\u0301n\u0303")),
    ("right to left", _utf8("שלום \u202bعربي")),
    ("tab, newline, backslash", _utf8("a\tb\nc\\d\re\\N\\.")),
    ("trailing spaces", _utf8("a  ")),
    ("the same without", _utf8("a")),
    ("upper case", _utf8("A")),
    ("with accent", _utf8("á")),
    ("quotes", _utf8("'\"`%s{}$1")),
    ("control characters", _utf8("".join(chr(code) for code in range(1, 32)) + "\x7f\u0085\u2028")),
    ("U+FFFF, U+10FFFF", _utf8("\uffff\U0010ffff")),
)
_BYTES = (
    Value("empty", "''"),
    Value("every byte", f"'\\x{''.join(f'{byte:02x}' for byte in range(256))}'"),
    Value("trailing zeros", "'\\x610000'"),
    Value("invalid UTF-8", "'\\xc328ff'"),
)
_STRINGS = (
    Case("text", "text", "text", _TEXTS, _LONG, "text"),
    Case("varchar", "character varying", "text", _TEXTS, _LONG, "character varying"),
    Case("varchar_200", "character varying(200)", "text", _TEXTS, exact("varchar(200) collate utf8mb4_nopad_bin"),
         "character varying(200)"),
    Case("char_5", "character(5)", "blanks", values(("empty", "''"), ("emoji", _utf8("😀é")), ("trailing spaces",
         "'a  '")),
         exact("char(5) collate utf8mb4_nopad_bin"), "character(5)"),
    Case("name", "name", "text", _quoted("a", "Größe"), _LONG, "name"),
    Case("one_char", '"char"', "text", _quoted("a", "", "~"), _LONG, '"char"'),
    Case("bytea", "bytea", "bytes", _BYTES, exact("longblob"), "bytea"),
    Case("bit_1", "bit(1)", "bits", values(("0", "B'0'"), ("1", "B'1'")), exact("bit(1)"), "bit(1)"),
    Case("bit_64", "bit(64)", "bits", values(("one", f"B'{'0' * 63}1'"), ("all ones", f"B'{'1' * 64}'")),
         exact("bit(64)"),
         "bit(64)"),
    Case("bit_100", "bit(100)", "own", values(("all ones", f"B'{'1' * 100}'"), ("one", f"B'{'0' * 99}1'")),
         widened("binary(13)", family="long bits", note="bytes, right-aligned"), "bit(100)"),
    Case("varbit_20", "bit varying(20)", "own", values(("empty", "B''"), ("001", "B'001'"), ("1", "B'1'")),
         _TEXT, "bit varying(20)"),
    Case("varbit", "bit varying", "own", values(("empty", "B''"), ("001", "B'001'"), ("70 ones", f"B'{'1' * 70}'")),
         _TEXT,
         "bit varying"),
)  # fmt: skip

_UTC = "in UTC"
_BC = (_special("4713-01-01 BC"), _special("0044-03-15 BC"), _special("infinity"), _special("-infinity"))


def _fractions() -> list[Case]:
    cases = []
    for digits in range(7):
        fraction = f".{'123456'[:digits]}" if digits else ""
        last = f".{'9' * digits}" if digits else ""
        suffix = f"({digits})" if digits else ""
        moments = _quoted(f"2021-03-04 12:34:56{fraction}", f"9999-12-31 23:59:59{last}", "0001-01-01 00:00:00")
        zoned = _quoted(
            f"2021-03-04 12:34:56{fraction}+05:45", "1969-12-31 23:59:59.5+00" if digits else "1969-12-31 23:59:59+00"
        )
        cases += [
            Case(f"timestamp_{digits}", f"timestamp({digits}) without time zone", "moment", moments,
                 exact(f"datetime{suffix}"), f"timestamp({digits}) without time zone", shown=f"timestamp({digits})"),
            Case(f"timestamptz_{digits}", f"timestamp({digits}) with time zone", "instant", zoned,
                 exact(f"datetime{suffix}", note=_UTC), f"timestamp({digits}) with time zone",
                 shown=f"timestamptz({digits})"),
            Case(f"time_{digits}", f"time({digits}) without time zone", "clock",
                 _quoted("00:00:00", f"12:34:56{fraction}", f"23:59:59{last}", "24:00:00"), exact(f"time{suffix}"),
                 f"time({digits}) without time zone", shown=f"time({digits})"),
        ]  # fmt: skip
    return cases


_NEW_YORK, _LORD_HOWE = "SET timezone = 'America/New_York'", "SET timezone = 'Australia/Lord_Howe'"
_TIMES = (
    Case("date", "date", "date",
         (*_quoted("0001-01-01", "1000-01-01", "2000-02-29", "9999-12-31"), *_BC, _special("10000-01-01"),
          _special("5874897-12-31")), exact("date"), "date"),
    Case("timestamp", "timestamp without time zone", "moment",
         (*_quoted("0001-01-01 00:00:00", "2021-02-28 23:59:59.999999", "9999-12-31 23:59:59.999999"),
          _special("4713-01-01 00:00:00 BC"), _special("294276-12-31 23:59:59.999999"), _special("infinity"),
          _special("-infinity")), exact("datetime(6)"), "timestamp without time zone", shown="timestamp"),
    Case("timestamptz", "timestamp with time zone", "instant",
         (Value("01:30 EDT, written in New York", "'2021-11-07 01:30:00 EDT'", _NEW_YORK),
          Value("01:30 EST, an hour later", "'2021-11-07 01:30:00 EST'", _NEW_YORK),
          Value("02:30 that New York does not have", "'2021-03-14 02:30:00'", _NEW_YORK),
          Value("Lord Howe, half an hour of summer", "'2021-04-04 01:45:00'", _LORD_HOWE),
          Value("local mean time, 1880", "'1880-01-01 00:00:00'", _NEW_YORK),
          *_quoted("0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "2038-01-19 03:14:08+00"),
          _special("10000-01-01 00:00:00+00"), _special("0001-12-31 23:59:59 BC"), _special("infinity"),
          _special("-infinity")),
         exact("datetime(6)", note=_UTC), "timestamp with time zone", shown="timestamptz"),
    Case("time", "time without time zone", "clock", _quoted("00:00:00", "12:34:56.000001", "24:00:00"),
         exact("time(6)"),
         "time without time zone", shown="time"),
    *_fractions(),
    _as_text("timetz", "time with time zone", "00:00:00+15:59", "24:00:00-15:59", "12:34:56.789+05:45:30",
         shown="timetz"),
    _as_text("interval", "interval", "0", "1 mon", "-1 mon +2 days -03:04:05.000006", "1 year -1 day",
         "178000000 years",
             "-178000000 years", "0.000001 s", "2540400:10:10"),
    _as_text("interval_inf", "interval", "infinity", "-infinity", shown="interval, infinite (from PostgreSQL 17 on)",
             lacking=("pg15",)),
    _as_text("interval_3", "interval(3)", "1.234 s"),
    _as_text("interval_ym", "interval year to month", "3 years 4 mons"),
    _as_text("interval_ds", "interval day to second(2)", "3 days 04:05:06.78"),
)  # fmt: skip

_DEEP = "[" * 500 + "]" * 500
_JSON = (
    Value("an object", '\'{"b": 1,  "a": [true, null, 2.50]}\''),
    Value("duplicate keys", '\'{"a": 1, "a": 2}\''),
    Value("a big number", "'[123456789012345678901234567890.123456789, 1e400, -0.0]'"),
    Value("unicode escapes", "'\"\\u20ac \\ud83d\\ude00\"'"),
    Value("emoji", '\'{"😀": "é"}\''),
    Value("a scalar", "'null'"),
)
_DEEP_JSON = _refused("nested 500 deep", f"'{_DEEP}'", "4025")
_LABELS = "'small','Größe','it''s','a,b','back\\slash','  spaces  '"
_DOCUMENTS = (
    Case("json", "json", "text", (*_JSON, Value("\\u0000", "'\"a\\u0000b\"'"), _DEEP_JSON),
         exact("longtext collate utf8mb4_bin", note="with a check that it is JSON")),
    Case("jsonb", "jsonb", "text", (*_JSON, _DEEP_JSON), exact("longtext collate utf8mb4_bin",
         note="with a check that it is JSON"),
         "jsonb"),
    _as_text("jsonpath", "jsonpath", '$."a"[*]?(@ > 1.5)', "strict $", key=False),
    _as_text("xml", "xml", "<a b=\"c\">ü &amp; <!-- c --></a>", "", "text only", key=False, lacking=("pg18",)),
    _as_text("tsvector", "tsvector", "'a b':1A,2 'c''d':3B 'x'", ""),
    _as_text("tsquery", "tsquery", "'a' & !'b':*A | 'c' <2> 'd'", ""),
    Case("uuid", "uuid", "uuid", _quoted("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
         "123e4567-e89b-12d3-a456-426655440000"), exact("uuid"), "uuid"),
    Case("mood", "mood", "label", _quoted("small", "Größe", "it's", "a,b", "back\\slash"),
         exact("enum('small','Größe','it''s','a,b','back\\\\slash') collate utf8mb4_nopad_bin", family="text"), "mood",
         setup="CREATE TYPE mood AS ENUM ('small', 'Größe', 'it''s', 'a,b', 'back\\slash')",
         shown="enum with quotes, commas and a backslash"),
    Case("domain_int", "positive", "number", _quoted("1", "2147483647"), exact("int(11)"), "positive",
         setup="CREATE DOMAIN positive AS integer CHECK (VALUE > 0)", shown="a domain over integer"),
    Case("domain_text", "short_text", "text", _TEXTS[:3], _LONG, "short_text",
         setup="CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 100)", shown="a domain over text"),
    _as_text("pair", "pair", '(1,"a ""b"", c\\\\")', "(,)", '(,"")', setup="CREATE TYPE pair AS (n integer, t text)",
             shown="a composite type"),
)  # fmt: skip

_NETWORK = (
    Case("inet", "inet", "own", _quoted("10.1.2.3", "10.1.2.3/24", "::1", "2001:db8::ff00:42:8329/64",
         "::ffff:1.2.3.4"),
         widened("varchar(43) collate utf8mb4_nopad_bin", family="inet"), "inet"),
    _as_text("cidr", "cidr", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::/0"),
    _as_text("macaddr", "macaddr", "08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"),
    _as_text("macaddr8", "macaddr8", "08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff"),
)  # fmt: skip

_SHAPES = (
    _as_text("point", "point", "(1.5,-0.1)", "(NaN,Infinity)", "(-0,1e-300)", key=False),
    _as_text("line", "line", "{1,-1,0}", "{0.1,0.2,-3}", key=False),
    _as_text("lseg", "lseg", "[(0,0),(1.5,1)]", key=False),
    _as_text("box", "box", "(2,2),(0.1,0)", key=False),
    _as_text("path", "path", "[(0,0),(1,1),(2,0)]", "((0,0),(1,1),(2,0))", key=False),
    _as_text("polygon", "polygon", "((0,0),(1,1),(2,0.1))", key=False),
    _as_text("circle", "circle", "<(1,2),0.1>", key=False),
)  # fmt: skip

_ARRAYS = (
    _as_text("int_array", "integer[]", "{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[0:1]={5,6}",
         "[-2:-1][5:6]={{1,2},{3,4}}"),
    _as_text("text_array", "text[]", '{a,NULL,"NULL","","a b","q\\"q","b\\\\s","{x}","c,d"}', "{}", "{{a,b},{c,d}}",
             '{😀,"\t","\n"}'),
    _as_text("varchar_array", "character varying(5)[]", "{abc,NULL}"),
    _as_text("bool_array", "boolean[]", "{t,f,NULL}"),
    _as_text("bytea_array", "bytea[]", '{"\\\\x00ff","\\\\x",NULL}'),
    _as_text("float8_array", "double precision[]", "{NaN,Infinity,-Infinity,-0,5e-324,0.1}"),
    _as_text("float4_array", "real[]", "{NaN,1e-45,3.4028235e+38}"),
    _as_text("numeric_array", "numeric(10,2)[]", "{1.50,NaN,NULL}"),
    _as_text("date_array", "date[]", '{"0044-03-15 BC",infinity,2021-02-28}'),
    _as_text("timestamp_array", "timestamp without time zone[]", '{"2021-02-28 23:59:59.999999",-infinity}',
         shown="timestamp[]"),
    _as_text("timestamptz_array", "timestamp with time zone[]",
         '{"2021-11-07 01:30:00-04","2021-11-07 01:30:00-05",infinity}',
             shown="timestamptz[]"),
    _as_text("time_array", "time without time zone[]", "{24:00:00,12:34:56.000001}", shown="time[]"),
    _as_text("timetz_array", "time with time zone[]", "{24:00:00-15:59}", shown="timetz[]"),
    _as_text("interval_array", "interval[]", '{"1 mon -1 days","-00:00:00.000001"}'),
    _as_text("uuid_array", "uuid[]", "{123e4567-e89b-12d3-a456-426655440000,NULL}"),
    _as_text("inet_array", "inet[]", "{10.1.2.3/24,::1}"),
    _as_text("json_array", "json[]", '{"{\\"a\\": 1,  \\"a\\": 2}","null",NULL}', key=False),
    _as_text("jsonb_array", "jsonb[]", '{"{\\"a\\": [1]}",NULL}'),
    _as_text("bit_array", "bit(3)[]", "{101,000}"),
    _as_text("varbit_array", "bit varying[]", '{101,""}'),
    _as_text("money_array", "money[]", "{$1.50,-$92233720368547758.08}"),
    _as_text("point_array", "point[]", '{"(1,2)","(-0,3)"}', key=False),
    _as_text("box_array", "box[]", "{(2,2),(0,0);(3,3),(1,1)}", key=False),
    _as_text("mood_array", "mood[]", '{small,"a,b",NULL}', shown="an enum's array"),
    _as_text("pair_array", "pair[]", '{"(1,\\"a b\\")",NULL}', shown="a composite's array"),
    _as_text("domain_array", "positive[]", "{1,2}", shown="a domain's array"),
    _as_text("range_array", "int4range[]", '{"[1,5)",empty}'),
    _as_text("xml_array", "xml[]", "{<a/>}", key=False, lacking=("pg18",)),
    _as_text("tsvector_array", "tsvector[]", "{\"'a':1\"}"),
    _as_text("oid_array", "oid[]", "{4294967295}"),
)  # fmt: skip

_RANGES = (
    _as_text("int4range", "int4range", "empty", "[1,5)", "(,)", "[-2147483648,2147483647)"),
    _as_text("int8range", "int8range", "empty", "[-9223372036854775808,9223372036854775807)"),
    _as_text("numrange", "numrange", "empty", "(1.50,2]", "[1e100,Infinity]", "(,0)"),
    _as_text("tsrange", "tsrange", "empty", '["2021-01-01 00:00:00","2021-02-01 00:00:00.000001"]',
         "(-infinity,infinity]"),
    _as_text("tstzrange", "tstzrange", '["2021-11-07 01:30:00-04","2021-11-07 01:30:00-05")', "(,infinity)"),
    _as_text("daterange", "daterange", "empty", "[2021-01-01,2021-02-01)", "(,)", '["0044-03-15 BC",infinity)'),
    _as_text("int4multirange", "int4multirange", "{}", "{[1,3),[5,8)}", "{(,)}"),
    _as_text("nummultirange", "nummultirange", "{(1.5,2],[3,)}"),
    _as_text("tstzmultirange", "tstzmultirange", '{["2021-11-07 01:30:00-04","2021-11-07 01:30:00-05")}'),
    _as_text("textrange", "textrange", '["a b",c)', setup="CREATE TYPE textrange AS RANGE (subtype = text)",
             shown="a range type of one's own"),
)  # fmt: skip

_SYSTEM = (
    _as_text("pg_lsn", "pg_lsn", "0/0", "FFFFFFFF/FFFFFFFF"),
    _as_text("xid", "xid", "0", "4294967295", key=False),
    _as_text("xid8", "xid8", "0", "18446744073709551615"),
    _as_text("tid", "tid", "(4294967295,65535)"),
    _as_text("txid_snapshot", "txid_snapshot", "10:20:10,14,15", key=False),
    _as_text("pg_snapshot", "pg_snapshot", "10:20:10,14,15", key=False),
    _as_text("regclass", "regclass", "pg_class"),
    _as_text("regtype", "regtype", "integer"),
)  # fmt: skip

_EXTENSIONS = (
    _as_text("hstore", "hstore", '"a"=>"1", "b"=>NULL, "q"=>"x\\"y"', "", setup="CREATE EXTENSION hstore"),
    _as_text("ltree", "ltree", "Top.Science.Astronomy", "", setup="CREATE EXTENSION ltree"),
    _as_text("lquery", "lquery", "Top.*{0,2}.sport*@", key=False),
    Case("citext", "citext", "text", _TEXTS[:6], widened("longtext collate utf8mb4_nopad_bin",
         note="compares with regard to case"), "",
         "CREATE EXTENSION citext"),
    _as_text("cube", "cube", "(1, 2),(3, 4)", setup="CREATE EXTENSION cube"),
    _as_text("seg", "seg", "1.5 .. 2.50", "~3.0", setup="CREATE EXTENSION seg"),
    _as_text("isbn", "isbn13", "978-0-393-04002-9", setup="CREATE EXTENSION isn"),
    _as_text("hstore_array", "hstore[]", '{"\\"a\\"=>\\"1\\"",NULL}'),
)  # fmt: skip

CASES: tuple[Case, ...] = (
    *_INTEGERS, *_NUMERICS, *_FLOATS, *_STRINGS, *_TIMES, *_DOCUMENTS, *_NETWORK, *_SHAPES, *_ARRAYS, *_RANGES,
    *_SYSTEM,
    *_EXTENSIONS,
)  # fmt: skip
