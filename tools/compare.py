"""Counts and checksums of every table and view, computed by each server's own SQL.

``python -m tools.compare SOURCE_URL TARGET_URL`` prints a line for each table and view of the source, and ends with 1
if any differs. Either side may be MySQL, MariaDB or PostgreSQL.

Both servers render every value as the same text and sum a part of its row's MD5, so the order of rows does not matter.
Between two kinds of server JSON is compared only as null or not: each writes its text anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId

# What a value is, however it is stored: types of one family, or of two that stand in one line here, are rendered by
# their own server's template; all others as the server's plain text.
_ALIKE = (
    {"number", "boolean", "bits"}, {"number", "float"}, {"moment", "day"}, {"bytes", "geometry"}, {"text", "array"},
)  # fmt: skip
# Types of one server that write the same value as different texts: 1.5 and 1.50.
_SIZED = {"number", "boolean", "bits", "float", "moment", "day", "clock", "padded"}
_MYSQL_FAMILIES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"), "number"),
    **dict.fromkeys(("float", "double"), "float"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "bytes"),
    **dict.fromkeys(("datetime", "timestamp"), "moment"),
    **dict.fromkeys(("json", "vector"), "json"),
    **dict.fromkeys(("point", "linestring", "polygon", "geometry", "geometrycollection", "geomcollection", "multipoint",
                     "multilinestring", "multipolygon"), "geometry"),
    "bit": "bits", "date": "day", "time": "clock", "inet4": "address", "inet6": "address", "char": "padded",
}  # fmt: skip
_POSTGRES_FAMILIES = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "oid"), "number"),
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("bit", "varbit"), "bits"),
    **dict.fromkeys(("timestamp", "timestamptz"), "moment"),
    **dict.fromkeys(("time", "interval"), "clock"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    "bool": "boolean", "bytea": "bytes", "date": "day", "inet": "address", "bpchar": "padded",
}  # fmt: skip
_AS_TEXT = {("padded", "text"): "padded", ("address", "text"): "written"}
_MYSQL_TRIMMED = r"REGEXP_REPLACE(REGEXP_REPLACE({}, '(\\.[0-9]*?)0+$', '\\1'), '\\.$', '')"
_MYSQL_TEXTS = {
    "number": _MYSQL_TRIMMED.format("CAST({0} + 0 AS CHAR)"),
    "float": _MYSQL_TRIMMED.format("CAST(CAST(CAST({0} AS DOUBLE) AS CHAR) AS DECIMAL(65,30))"),
    "bits": "{0} + 0",
    "bytes": "LOWER(HEX({0}))",
    "geometry": "LOWER(HEX(ST_AsBinary({0})))",
    "moment": "DATE_FORMAT({0}, '%Y-%m-%d %H:%i:%s.%f')",
    "day": "DATE_FORMAT({0}, '%Y-%m-%d %H:%i:%s.%f')",
    "clock": "CAST(TIME_TO_SEC({0}) AS DECIMAL(20,6))",
    "json": "IF({0} IS NULL, NULL, 1)",
    "padded": "RTRIM({0})",
}
_MYSQL_NO_TEXT = ("float", "bits", "bytes", "geometry")
_TRIM = "trim_scale"
_TRIMMED = r"regexp_replace(regexp_replace({}::text, '(\.[0-9]*?)0+$', '\1'), '\.$', '')"  # before 13
_MOST_ARGUMENTS = 90  # of 100 that a function of PostgreSQL may have
_POSTGRES_BITS = "lpad({0}::text, 64, '0')"
_POSTGRES_TEXTS = {
    "number": "trim_scale(({0})::text::numeric)",  # an oid has no other way
    "float": "trim_scale(round(({0})::double precision::text::numeric, 30))",
    "boolean": "{0}::int",
    "bits": f"left({_POSTGRES_BITS}, 32)::bit(32)::bigint::numeric * 4294967296"
    f" + right({_POSTGRES_BITS}, 32)::bit(32)::bigint",
    "bytes": "encode({0}, 'hex')",
    "moment": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US')",
    "day": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US')",
    "clock": "extract(epoch from {0})::numeric(20,6)",
    "json": "CASE WHEN {0} IS NOT NULL THEN 1 END",
    "array": "array_to_string({0}, ',')",
    "address": "host({0})",
    "written": "CASE WHEN pg_typeof({0}) = 'inet'::regtype THEN abbrev({0}::text::inet) ELSE {0}::text END",
    "padded": "rtrim({0}::text)",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One table or view: rows and checksum on either side (the target's are None where it is missing), and the columns
    that differ."""

    name: str
    view: bool
    source: tuple[int, int]
    target: tuple[int, int] | None
    columns: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both sides hold the same rows."""
        return self.source == self.target


class Kept(NamedTuple):
    """How a column keeps its values: the family, and the server's own word for the type."""

    family: str
    native: str


class Side(Protocol):
    """One server: what it holds, and its sums."""

    kind: str

    def relations(self) -> list[tuple[str, bool]]:
        """Names, and whether it is a view."""
        ...

    def columns(self, table: str) -> dict[str, Kept]:
        """By name; empty when there is no such table."""
        ...

    def text(self, column: str, family: str, *, own: bool) -> str:
        """SQL of the value's text; ``own``: only columns of one type of this kind of server need to agree on it."""
        ...

    def sum(self, table: str, texts: Sequence[str]) -> tuple[int, int]:
        """Rows, and the sum of their digests."""
        ...


class MysqlSide:
    """See `Side`."""

    kind = "mysql"
    _dialect = MysqlDialect()

    def __init__(self, connection: Any, database: str) -> None:
        self._cursor, self._database = connection.cursor(), database
        self._ask("SET time_zone = '+00:00', group_concat_max_len = 1000000")

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        self._cursor.execute(query, values or None)
        return list(self._cursor.fetchall())

    def relations(self) -> list[tuple[str, bool]]:
        """Tables, then views."""
        rows = self._ask(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s"
            " AND table_type <> 'SEQUENCE' ORDER BY table_type, table_name",
            self._database,
        )
        return [(name, type_ == "VIEW") for name, type_ in rows]

    def columns(self, table: str) -> dict[str, Kept]:
        """MariaDB's JSON is longtext with a check of the column's name."""
        rows = self._ask(
            "SELECT column_name, data_type, column_type FROM information_schema.columns WHERE table_schema = %s"
            " AND table_name = %s ORDER BY ordinal_position",
            self._database, table,
        )  # fmt: skip
        return {name: Kept(_MYSQL_FAMILIES.get(type_.lower(), "text"), native) for name, type_, native in rows}

    def text(self, column: str, family: str, *, own: bool) -> str:
        """The server's own text where it says all of the value."""
        template = "{0}" if own and family not in _MYSQL_NO_TEXT else _MYSQL_TEXTS.get(family, "{0}")
        return template.format(self._dialect.quote(column))

    def sum(self, table: str, texts: Sequence[str]) -> tuple[int, int]:
        """By eight hexadecimal digits of each row's MD5."""
        rows = ", ".join(f"COALESCE(CONVERT({text} USING utf8mb4), '~')" for text in texts) or "''"
        digest = f"CONV(LEFT(MD5(CONCAT_WS('|', {rows})), 8), 16, 10)"
        name = self._dialect.qualified(TableId(self._database, table))
        count, total = self._ask(f"SELECT COUNT(*), COALESCE(SUM({digest}), 0) FROM {name}")[0]
        return int(count), int(total)


class PostgresSide:
    """See `Side`."""

    kind = "postgresql"
    _dialect = PostgresDialect()

    def __init__(self, connection: Any, schema: str) -> None:
        self._connection, self._schema = connection, schema
        self._plain: set[str] = set()
        connection.execute("SET timezone = 'UTC'")

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(query.encode(), values or None).fetchall())

    def relations(self) -> list[tuple[str, bool]]:
        """Tables, then views. Partitions are in their parents; of one that others inherit from its own rows count."""
        rows = self._ask(
            "SELECT relname, relkind IN ('v', 'm'), relkind = 'r' FROM pg_class WHERE relnamespace = %s::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition ORDER BY 2, relname",
            self._dialect.quote(self._schema),
        )
        self._plain = {name for name, _, plain in rows if plain}
        return [(name, view) for name, view, _ in rows]

    def columns(self, table: str) -> dict[str, Kept]:
        """Arrays, and domains by what they are made of."""
        rows = self._ask(
            "SELECT a.attname, CASE COALESCE(b.typcategory, t.typcategory) WHEN 'A' THEN '_'"
            " ELSE COALESCE(b.typname, t.typname) END, format_type(a.atttypid, a.atttypmod)"
            " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " LEFT JOIN pg_type b ON b.oid = NULLIF(t.typbasetype, 0) JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = %s::regnamespace AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped"
            " ORDER BY a.attnum",
            self._dialect.quote(self._schema), table,
        )  # fmt: skip
        return {
            name: Kept("array" if type_ == "_" else _POSTGRES_FAMILIES.get(type_, "text"), native)
            for name, type_, native in rows
        }

    def text(self, column: str, family: str, *, own: bool) -> str:
        """PostgreSQL's own text is exact."""
        template = "{0}" if own else _POSTGRES_TEXTS.get(family, "{0}")
        if self._connection.info.server_version < 130_000 and template.startswith(_TRIM):
            template = _TRIMMED.format(template.removeprefix(_TRIM))
        return template.format(self._dialect.quote(column))

    def sum(self, table: str, texts: Sequence[str]) -> tuple[int, int]:
        """By eight hexadecimal digits of each row's MD5."""
        values = [f"coalesce(({text})::text, '~')" for text in texts] or ["''"]
        groups = (values[start : start + _MOST_ARGUMENTS] for start in range(0, len(values), _MOST_ARGUMENTS))
        row = "concat_ws('|', " + ", ".join(f"concat_ws('|', {', '.join(group)})" for group in groups) + ")"
        digest = f"('x' || left(md5({row}), 8))::bit(32)::bigint"
        name = self._dialect.qualified(TableId(self._schema, table))
        only = "ONLY " if table in self._plain else ""
        count, total = self._ask(f"SELECT count(*), coalesce(sum({digest}), 0) FROM {only}{name}")[0]
        return int(count), int(total)


def compare(source: ConnectionSettings, target: ConnectionSettings) -> Iterator[Result]:
    """Every table and view of the source, by its name in the target."""
    with connection(source) as here, connection(target) as there:
        yield from _compare(side(source, here), side(target, there))


def connection(settings: ConnectionSettings) -> AbstractContextManager[Any]:
    """One to a server of either kind."""
    return mysql_connect(settings) if settings.type == "mysql" else postgres_connect(settings)


def side(settings: ConnectionSettings, connection: Any) -> Side:
    """What is asked over this connection."""
    if settings.type == "mysql":
        return MysqlSide(connection, settings.database)
    return PostgresSide(connection, settings.schema or "public")


def _compare(source: Side, target: Side) -> Iterator[Result]:
    present = {name for name, _ in target.relations()}
    for name, view in source.relations():
        here, there = source.columns(name), target.columns(name)
        pairs = [
            texts(source, target, (column, column), kept, there.get(column, kept)) for column, kept in here.items()
        ]
        own = source.sum(name, [text for text, _ in pairs])
        other = None
        if name in present and here.keys() <= there.keys():
            other = target.sum(name, [text for _, text in pairs])
        differing: tuple[str, ...] = ()
        if other is not None and other != own:
            differing = tuple(_differing(source, target, name, dict(zip(here, pairs, strict=True))))
        elif there and other is None:
            differing = tuple(column for column in here if column not in there)
        yield Result(name, view, own, other, differing)


def _differing(source: Side, target: Side, table: str, texts: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for column, (text, other) in texts.items():
        if source.sum(table, [text]) != target.sum(table, [other]):
            yield column


def texts(source: Side, target: Side, columns: tuple[str, str], here: Kept, there: Kept) -> tuple[str, str]:
    """The same text of a value, as SQL of either side; its column's name on both."""
    family, other = here.family, there.family
    kind = source.kind == target.kind
    own = kind and (here.native == there.native or not {family, other} <= _SIZED)
    if (source.kind, family, other) == ("postgresql", "array", "text"):
        family = "text"  # MySQL keeps the text that PostgreSQL writes
    elif "json" in (family, other) and not kind:
        family = other = "json"
    elif family != other and not any({family, other} <= alike for alike in _ALIKE):
        own = own and "address" not in (family, other)
        family = other = next((kept for pair, kept in _AS_TEXT.items() if set(pair) == {family, other}), "text")
    return source.text(columns[0], family, own=own), target.text(columns[1], other, own=own)


def main() -> int:
    """The command: 0 when all is the same, 1 when something differs, 2 for a wrong call."""
    from mainstem.contract.registry import Registry
    from mainstem.contract.urls import parse_url

    if len(sys.argv) != 3:
        print("usage: python -m tools.compare SOURCE_URL TARGET_URL", file=sys.stderr)
        return 2
    source, target = (parse_url(text, Registry.installed()) for text in sys.argv[1:])
    differing = 0
    for result in compare(source, target):
        differing += not result.same
        told = "missing" if result.target is None else f"{result.target[0]:>9} rows {result.target[1]:>16}"
        kind = "view " if result.view else "table"
        print(f"{'same' if result.same else 'DIFF'}  {kind} {result.name:<40} {result.source[0]:>9} rows"
              f" {result.source[1]:>16}  {told}  {', '.join(result.columns)}".rstrip())  # fmt: skip
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
