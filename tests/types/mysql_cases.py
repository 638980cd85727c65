"""MySQL's and MariaDB's types, values at their edges, and what becomes of them on PostgreSQL."""

from __future__ import annotations

from tests.types.cases import Case, Kind, Refusal, Value, exact, values, widened

PG = Kind.POSTGRES

_ZERO = "a date with a zero year, month or day"
_NUL = "text with a NUL character"
_NO_DATE = "a value that does not have the form of its type"
_LIMITS = {8: "tinyint", 16: "smallint", 24: "mediumint", 32: "int", 64: "bigint"}
_BECOMES = {
    8: widened("smallint"),
    16: exact("smallint"),
    24: widened("integer"),
    32: exact("integer"),
    64: exact("bigint"),
}
_UNSIGNED_BECOMES = {
    8: widened("smallint"),
    16: widened("integer"),
    24: widened("integer"),
    32: widened("bigint"),
    64: widened("numeric(20,0)"),
}


def _integers() -> list[Case]:
    cases = []
    for bits, name in _LIMITS.items():
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        cases.append(Case(name, name, "number", values(str(low), "-1", "0", str(high)), _BECOMES[bits], key=name))
        native = f"{name} unsigned"
        unsigned = values("0", "1", str(2**bits - 1))
        cases.append(Case(f"{name}_unsigned", native, "number", unsigned, _UNSIGNED_BECOMES[bits], key=native))
    return cases


def _zero(text: str, label: str = "") -> Value:
    refusal = Refusal(_ZERO, "`zeroDates: null`", "zero_date_null")
    return Value(label or text, f"'{text}'", refused={PG: refusal})


def _nul(label: str, sql: str, becomes: str) -> Value:
    return Value(label, sql, refused={PG: Refusal(_NUL, "`nulText: strip`", "nul_stripped", becomes)})


def _impossible(text: str) -> Value:
    return Value(text, f"'{text}'", refused={PG: Refusal(_NO_DATE)})


def _text(hexadecimal: str) -> str:
    return f"_utf8mb4 X'{hexadecimal}'"


def _utf8(text: str) -> str:
    return _text(text.encode().hex())


_NOT_NUL = "".join(f"{byte:02X}" for byte in range(1, 256))
_EVERY_BYTE = "00" + _NOT_NUL
_TEXTS = values(
    ("empty", "''"),
    ("emoji", _utf8("😀👩‍👩‍👧")),
    ("combining marks", _utf8("e\u0301n\u0303")),
    ("right to left", _utf8("שלום \u202bعربي")),
    ("tab, newline, backslash", _utf8("a\tb\nc\\d\re\\N\\.")),
    ("trailing spaces", _utf8("a  ")),
    ("quotes", _utf8("'\"`%s{}$1")),
    ("U+FFFF, U+10FFFF", _utf8("\uffff\U0010ffff")),
    _nul("NUL within", _text("610062"), "6162"),
)
_SHORT = values(
    ("empty", "''"), ("emoji", _utf8("😀é")), ("trailing spaces", _utf8("a  ")), _nul("NUL", _text("6200"), "62")
)
_BYTES = values(
    ("empty", "''"),
    ("every byte", f"X'{_EVERY_BYTE}'"),
    ("trailing zeros", "X'610000'"),
    ("invalid UTF-8", "X'C328FF'"),
)
_INSTANTS = values(
    ("1970-01-01 00:00:01 UTC", "'1970-01-01 00:00:01'"),
    ("2038-01-19 03:14:07 UTC", "'2038-01-19 03:14:07'"),
    Value("written at +05:45", "'2021-03-04 05:06:07'", "SET time_zone = '+05:45'"),
    Value("01:30 before the clock goes back (-04:00)", "'2021-11-07 01:30:00'", "SET time_zone = '-04:00'"),
    Value("01:30 after it went back (-05:00)", "'2021-11-07 01:30:00'", "SET time_zone = '-05:00'"),
    _zero("0000-00-00 00:00:00"),
)
_MOMENTS = (
    *values(
        ("0001-01-01", "'0001-01-01'"), ("1000-01-01", "'1000-01-01'"), ("leap day", "'2000-02-29 23:59:59'"),
        ("9999-12-31 23:59:59", "'9999-12-31 23:59:59'"),
    ),
    _zero("0000-00-00 00:00:00"),
    _zero("2021-00-10 11:12:13"),
    _zero("2021-10-00 11:12:13"),
    _zero("0000-10-10 11:12:13"),
    _impossible("2021-02-31 00:00:00"),
)  # fmt: skip


_CHARSETS: dict[str, tuple[tuple[str, str], ...]] = {
    "latin1": (
        ("é€ÿ", _utf8("é€ÿ")), ("every byte but NUL", f"_latin1 X'{_NOT_NUL}'"),
        ("bytes of invalid UTF-8", "_latin1 X'C328'"),
    ),
    "gbk": (("中文", _utf8("中文€")), ("a second byte of a backslash", "_gbk X'815C'")),
    "sjis": (
        ("日本", _utf8("日本語ｶﾅ")), ("a second byte of a backslash", "_sjis X'835C'"),
    ),
    "ucs2": (("Ωß日", _utf8("Ωß日")),),
    "utf32": (("emoji", _utf8("😀")),),
    "utf16": (("emoji", _utf8("😀")),),
    "utf8mb3": (("three bytes", _utf8("€日")),),
    "greek": (("αβγ?", _utf8("αβγ?")),),
    "ascii": (("ascii", "'~!'"),),
}  # fmt: skip


def _charsets() -> list[Case]:
    cases = []
    for charset, items in _CHARSETS.items():
        native = f"varchar(300) character set {charset}"
        key = f"varchar(300) character set {charset} collate {charset}_bin"
        cases.append(
            Case(f"in_{charset}", native, "text", values(("empty", "''"), *items), exact("character varying(300)"), key)
        )
    return cases


_FLOATS = values(
    "0", ("-0.0 (stored as 0)", "-0e0"), "1", "-1.5", ("16777217", "16777217"), ("1/3", "1/3"), ("largest",
    "3.40282346638528859e38"),
    ("smallest normal", "1.17549435082228751e-38"), ("smallest denormal", "1.4e-45"),
)  # fmt: skip
_DOUBLES = values(
    "0", ("-0.0 (stored as 0)", "-0e0"), "0.1", ("1/3", "1e0/3"), ("2^53+1", "9007199254740993e0"),
    ("largest", "1.7976931348623157e308"), ("lowest", "-1.7976931348623157e308"),
    ("smallest normal", "2.2250738585072014e-308"), ("smallest denormal", "5e-324"),
)  # fmt: skip
_DEEP = "[" * 30 + "]" * 30
_JSON = (
    *values(
        ("an object", '\'{"b": 1, "a": [true, null, 2.50]}\''),
        ("duplicate keys", '\'{"a": 1, "a": 2}\''),
        ("a big number", "'[123456789012345678901234567890.123456789, 1e400, -0.0]'"),
        ("unicode escapes", "'\"\\\\u20ac \\\\ud83d\\\\ude00\"'"),
        ("emoji", '\'{"😀": "é"}\''),
        ("nested 30 deep", f"'{_DEEP}'"),
        ("a scalar", "'null'"),
    ),
    Value("\\u0000", "'\"a\\\\u0000b\"'", refused={PG: Refusal("22P05")}),
)
_POLYGON = "POLYGON((0 0, 10 0, 10 10, 0 0), (1 1, 2 1, 2 2, 1 1))"
_SHAPES = {
    "point": "POINT(1.5 -0.1)",
    "linestring": "LINESTRING(0 0, 1 1, 2 0)",
    "polygon": _POLYGON,
    "multipoint": "MULTIPOINT(0 0, 1 1)",
    "multilinestring": "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))",
    "multipolygon": "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
    "geometrycollection": "GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))",
}


def _geometries() -> list[Case]:
    arrival = widened("bytea", note="EWKB; `geometry` where PostGIS is installed")
    cases = []
    for name, shape in _SHAPES.items():
        items = values((shape, f"ST_GeomFromText('{shape}')"), ("with SRID 4326", f"ST_GeomFromText('{shape}', 4326)"))
        cases.append(Case(name, name, "geometry", items, arrival))
    every = values(
        *[(shape.partition("(")[0].lower(), f"ST_GeomFromText('{shape}', 4326)") for shape in _SHAPES.values()]
    )
    return [*cases, Case("geometry", "geometry", "geometry", every, arrival)]


def _fractions() -> list[Case]:
    cases = []
    for digits in range(7):
        fraction = f".{'123456'[:digits]}" if digits else ""
        last = f".{'9' * digits}" if digits else ""
        suffix = f"({digits})" if digits else ""
        moments = values(("12:34:56", f"'2021-03-04 12:34:56{fraction}'"), ("last", f"'9999-12-31 23:59:59{last}'"))
        cases += [
            Case(
                f"datetime_{digits}", f"datetime{suffix}", "moment",
                (*_MOMENTS, *moments) if digits in (0, 6) else moments,
                exact(f"timestamp({digits}) without time zone"), f"datetime{suffix}",
            ),
            Case(
                f"timestamp_{digits}", f"timestamp{suffix} null", "instant",
                (*_INSTANTS, *moments[:1]) if digits in (0, 6) else moments[:1],
                exact(f"timestamp({digits}) with time zone"), f"timestamp{suffix}", shown=f"timestamp{suffix}",
            ),
            Case(
                f"clock_{digits}", f"time{suffix}", "clock",
                values("'00:00:00'", f"'12:34:56{fraction}'", f"'23:59:59{last}'"),
                exact(f"time({digits}) without time zone"), f"time{suffix}", shown=f"time{suffix}, all within a day",
            ),
        ]  # fmt: skip
    return cases


def _sized() -> list[Case]:
    cases = []
    for size in ("tiny", "", "medium", "long"):
        cases.append(
            Case(f"{size}text", f"{size}text", "text", _TEXTS, widened("text") if size != "long" else exact("text"))
        )
        blob = widened("bytea") if size != "long" else exact("bytea")
        cases.append(
            Case(f"{size}blob", f"{size}blob", "bytes", _BYTES[:1] + _BYTES[2:] if size == "tiny" else _BYTES, blob)
        )
    return cases


_LABELS = "'small','Größe','it''s','a,b','','back\\\\slash'"
CASES: tuple[Case, ...] = (
    *_integers(),
    Case("boolean", "tinyint(1)", "boolean", values("0", "1"), exact("boolean"), shown="tinyint(1), all 0 or 1"),
    Case("not_boolean", "tinyint(1)", "number", values("0", "1", "2", "-128"), widened("smallint"),
         "tinyint(1)", shown="tinyint(1), other values"),
    Case("zerofill", "int(6) unsigned zerofill", "number", values("7", "4294967295"), widened("bigint"),
         "int(6) unsigned zerofill"),
    Case("decimal_65_30", "decimal(65,30)", "decimal",
         values("0", ("largest", f"{'9' * 35}.{'9' * 30}"), ("lowest", f"-{'9' * 35}.{'9' * 30}"),
                ("smallest", f"-0.{'0' * 29}1")), exact("numeric(65,30)"), "decimal(65,30)"),
    Case("decimal_65_0", "decimal(65,0)", "decimal", values(("largest", "9" * 65), ("lowest", "-" + "9" * 65)),
         exact("numeric(65,0)"), "decimal(65,0)"),
    Case("decimal_10_2", "decimal(10,2) unsigned", "decimal", values("0.00", "1.10", "99999999.99"),
         widened("numeric(10,2)"), "decimal(10,2) unsigned"),
    Case("float_plain", "float", "float", _FLOATS, exact("real"), "float", shown="float"),
    Case("double_plain", "double", "float", _DOUBLES, exact("double precision"), "double", shown="double"),
    Case("bit_1", "bit(1)", "boolean", values(("0", "b'0'"), ("1", "b'1'")), exact("boolean"), "bit(1)"),
    Case("bit_13", "bit(13)", "bits", values(("0", "b'0'"), ("1000000000001", "b'1000000000001'")),
         exact("bit(13)"), "bit(13)"),
    Case("bit_64", "bit(64)", "bits",
         values(("one", "b'1'"), ("all ones", f"b'{'1' * 64}'"), ("the highest", f"b'1{'0' * 63}'")),
         exact("bit(64)"), "bit(64)"),
    Case("char_5", "char(5)", "text", _SHORT, exact("character(5)"), "char(5) collate utf8mb4_bin"),
    Case("varchar_200", "varchar(200)", "text", _TEXTS, exact("character varying(200)"),
         "varchar(200) collate utf8mb4_bin"),
    *_sized(),
    *_charsets(),
    Case("binary_4", "binary(4)", "bytes", values(("padded", "X'61'"), ("zeros", "X'00000000'"), "X'FF0A0D5C'"),
         widened("bytea"), "binary(4)"),
    Case("varbinary_300", "varbinary(300)", "bytes", _BYTES, widened("bytea"), "varbinary(300)"),
    Case("enum", f"enum({_LABELS})", "label",
         values("'small'", "'Größe'", "'it''s'", "'a,b'", ("the empty label", "''"), "'back\\\\slash'"),
         exact("{table}_v"), shown="enum with quotes, commas and an empty label"),
    Case("enum_zero", "enum('a','b')", "label",
         (*values("'a'"), Value("index 0, the error value", "0", refused={PG: Refusal("22P02")})), exact("{table}_v"),
         "enum('a','b')", shown="enum"),
    Case("set", "set('r','Größe','it''s','b')", "labels",
         values(("none", "''"), "'r'", "'r,Größe,it''s,b'", ("the last", "8")),
         widened("text[]", note="with a check of its members"), shown="set"),
    Case("json", "json", "json", _JSON,
         widened("jsonb", note="spaces, the order of keys and all but the last of equal keys are not kept;"
                               " `typeOverrides` with json keeps the text")),
    Case("date", "date", "date",
         (*values("'0001-01-01'", "'1000-01-01'", "'2000-02-29'", "'9999-12-31'"), _zero("0000-00-00"),
          _zero("2021-00-10"), _zero("2021-10-00"), _zero("0000-10-10"), _impossible("2021-02-31")),
         exact("date"), "date"),
    *_fractions(),
    Case("span_0", "time", "span", values("'-838:59:59'", "'00:00:00'", "'24:00:00'", "'838:59:59'"),
         widened("interval"), "time", shown="time, other values"),
    Case("span_6", "time(6)", "span", values("'-838:59:59.999999'", "'-00:00:00.000001'", "'838:59:59.999999'"),
         widened("interval"), "time(6)", shown="time(6), other values"),
    Case("year", "year", "number", values("0000", "1901", "2155"), widened("smallint"), "year"),
    Case("uuid", "uuid", "uuid",
         values("'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000000'",
                "'ffffffff-ffff-ffff-ffff-ffffffffffff'"), exact("uuid"), "uuid", shown="uuid (MariaDB)"),
    Case("inet4", "inet4", "inet", values("'0.0.0.0'", "'10.0.0.1'", "'255.255.255.255'"), widened("inet"), "inet4",
         shown="inet4 (MariaDB)"),
    Case("inet6", "inet6", "inet",
         values("'::'", "'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.128'",
                ("all ones", f"'{':'.join(['ffff'] * 8)}'")),
         widened("inet"), "inet6", shown="inet6 (MariaDB)"),
    *_geometries(),
)  # fmt: skip
