"""Counts and checksums of every table and view, computed by each server's own SQL.

``python -m tools.compare mysql://… postgresql://…`` prints a line for each and ends with 1 if any differs.

Both servers render every value as the same text and sum a part of its row's MD5, so the order of rows does not matter.
Left out of the checksum, and compared only as null or not: JSON, whose text PostgreSQL writes anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId

Ask = Callable[[str], list[tuple[Any, ...]]]

_MYSQL, _POSTGRES = MysqlDialect(), PostgresDialect()
_NUMBER = (
    "REGEXP_REPLACE(REGEXP_REPLACE({0}, '(\\\\.[0-9]*?)0+$', '\\\\1'), '\\\\.$', '')",
    "trim_scale(({0})::numeric)",
)


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


def compare(source: ConnectionSettings, target: ConnectionSettings) -> Iterator[Result]:
    """Every table and view of a MySQL or MariaDB database, by its name in the target's schema."""
    with mysql_connect(source) as mysql, mysql.cursor() as cursor, postgres_connect(target) as postgres:

        def ask_source(query: str) -> list[tuple[Any, ...]]:
            cursor.execute(query)
            return list(cursor.fetchall())

        def ask_target(query: str) -> list[tuple[Any, ...]]:
            return postgres.execute(query.encode()).fetchall()

        cursor.execute("SET time_zone = '+00:00'")
        postgres.execute(b"SET timezone = 'UTC'")
        yield from _compare(source.database or "", target.schema or "public", ask_source, ask_target)


def _compare(database: str, schema: str, ask_source: Ask, ask_target: Ask) -> Iterator[Result]:
    tables = ask_source(
        "SELECT table_name, table_type FROM information_schema.tables"
        f" WHERE table_schema = '{database}' AND table_type <> 'SEQUENCE' ORDER BY table_type, table_name"
    )
    for name, type_ in tables:
        here = ask_source(
            "SELECT column_name, data_type, column_type FROM information_schema.columns"
            f" WHERE table_schema = '{database}' AND table_name = '{name}' ORDER BY ordinal_position"
        )
        there: dict[str, str] = dict(
            ask_target(
                "SELECT column_name, data_type FROM information_schema.columns"
                f" WHERE table_schema = '{schema}' AND table_name = '{name}'"
            )
        )
        pairs = [
            _texts(_MYSQL.quote(column), data_type, native, _POSTGRES.quote(column), there.get(column, ""))
            for column, data_type, native in here
        ]
        own, other = _MYSQL.qualified(TableId(database, name)), _POSTGRES.qualified(TableId(schema, name))
        source = _source_sum(own, [text for text, _ in pairs], ask_source)
        target = _target_sum(other, [text for _, text in pairs], ask_target) if there else None
        columns: list[str] = []
        if target is not None and target != source:
            columns = [
                column
                for (column, *_), (text, other_text) in zip(here, pairs, strict=True)
                if _source_sum(own, [text], ask_source) != _target_sum(other, [other_text], ask_target)
            ]
        yield Result(name, type_ == "VIEW", source, target, tuple(columns))


def _source_sum(table: str, texts: Sequence[str], ask: Ask) -> tuple[int, int]:
    rows = ", ".join(f"COALESCE(CONVERT({text} USING utf8mb4), '~')" for text in texts)
    count, total = ask(
        f"SELECT COUNT(*), COALESCE(SUM(CONV(LEFT(MD5(CONCAT_WS('|', {rows})), 8), 16, 10)), 0) FROM {table}"
    )[0]
    return int(count), int(total)


def _target_sum(table: str, texts: Sequence[str], ask: Ask) -> tuple[int, int]:
    rows = ", ".join(f"coalesce(({text})::text, '~')" for text in texts)
    count, total = ask(
        f"SELECT count(*), coalesce(sum(('x' || left(md5(concat_ws('|', {rows})), 8))::bit(32)::bigint), 0)"
        f" FROM {table}"
    )[0]
    return int(count), int(total)


def _texts(source: str, data_type: str, native: str, target: str, target_type: str) -> tuple[str, str]:
    """The same text of a column's value, as SQL of either side."""
    if data_type in ("date", "datetime", "timestamp"):
        return f"DATE_FORMAT({source}, '%Y-%m-%d %H:%i:%s.%f')", f"to_char({target}, 'YYYY-MM-DD HH24:MI:SS.US')"
    if data_type == "time":
        return f"CAST(TIME_TO_SEC({source}) AS DECIMAL(20,6))", f"extract(epoch from {target})::numeric(20,6)"
    if data_type == "bit":
        return f"{source} + 0", _bits(target, target_type)
    if data_type in ("binary", "varbinary") or data_type.endswith("blob"):
        return f"LOWER(HEX({source}))", f"encode({target}, 'hex')"
    if data_type in ("json", "vector") or target_type in ("jsonb", "json"):
        return f"IF({source} IS NULL, NULL, 1)", f"CASE WHEN {target} IS NOT NULL THEN 1 END"
    if target_type == "ARRAY":
        return source, f"array_to_string({target}, ',')"
    if data_type in ("float", "double"):
        wide = f"CAST(CAST(CAST({source} AS DOUBLE) AS CHAR) AS DECIMAL(65,30))"
        return _NUMBER[0].format(wide), _NUMBER[1].format(f"round({target}::double precision::text::numeric, 30)")
    if data_type == "decimal":
        return _NUMBER[0].format(f"CAST({source} AS CHAR)"), _NUMBER[1].format(target)
    if target_type == "boolean":
        return source, f"{target}::int"
    if data_type == "char":
        return f"RTRIM({source})", f"rtrim({target}::text)"
    if target_type == "bytea":
        return f"LOWER(HEX(ST_AsBinary({source})))", f"encode({target}, 'hex')"
    if target_type == "inet":
        return source, f"host({target})"
    if "zerofill" in native:
        return f"{source} + 0", target
    return source, target


def _bits(target: str, target_type: str) -> str:
    if target_type == "boolean":
        return f"{target}::int"
    bits = f"lpad({target}::text, 64, '0')"
    return f"(left({bits}, 32)::bit(32)::bigint::numeric * 4294967296 + right({bits}, 32)::bit(32)::bigint)"


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
