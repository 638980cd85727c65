"""Every type with its values, copied in every direction, and what both servers say of the rows afterwards.

A direction is copied twice. The first copy puts refused rows aside. The second goes by the policies that let such rows
pass, between servers and databases whose own settings are as odd as they can be: our sessions' must win. To save
time it has the keyed tables only where values are refused and keys are cut: from MySQL to PostgreSQL.

Each type has two tables. ``v_…`` has a NULL and the values. ``k_…`` has the values as its primary key where they can be
one, is read in chunks of two rows, and has a double beside them, for which MySQL sends rows in its binary form.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import psycopg
import pymysql

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.contract.registry import Registry
from mainstem.engine import reader
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.plan import TablePlan
from mainstem.model.run import (
    NulPolicy,
    Progress,
    RowErrorPolicy,
    RunOptions,
    SpecialValuePolicy,
    TableProgress,
    ZeroDatePolicy,
)
from mainstem.testing.databases import drops
from tests.types.cases import Case, Kind
from tests.types.mysql_cases import CASES as MYSQL_CASES
from tests.types.postgres_cases import CASES as POSTGRES_CASES
from tests.types.render import Texts, texts

ASIDE = RunOptions(row_errors=RowErrorPolicy.QUARANTINE, row_error_limit=100_000, reporting_interval_s=0)
POLICIES = replace(
    ASIDE, zero_dates=ZeroDatePolicy.NULL, nul_text=NulPolicy.STRIP, special_values=SpecialValuePolicy.NULL
)
NULL_ID = 0

TITLES = {"mariadb": "MariaDB 10.11", "pg15": "PostgreSQL 15", "pg18": "PostgreSQL 18"}
DIRECTIONS = (
    "mariadb-pg15", "mariadb-pg18", "mariadb-mariadb", "pg15-pg18", "pg18-pg18", "pg15-pg15", "pg15-mariadb",
)  # fmt: skip
# Rows that could pass undecoded are decoded here, as where one column's type is overridden.
DECODED = ("pg15-pg15",)

_MYSQL_ODD = {
    "time_zone": "'+05:45'",
    "sql_mode": "'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,STRICT_ALL_TABLES,"
    "NO_ZERO_DATE,NO_ZERO_IN_DATE,HIGH_NOT_PRECEDENCE'",
    "character_set_client": "latin1",
    "character_set_connection": "latin1",
    "character_set_results": "latin1",
    "character_set_server": "latin1",
    "collation_connection": "latin1_german2_ci",
    "div_precision_increment": "1",
    "lc_time_names": "'de_DE'",
    "old_mode": "'ZERO_DATE_TIME_CAST'",
    "explicit_defaults_for_timestamp": "0",
    "foreign_key_checks": "1",
}
_POSTGRES_ODD = {
    "timezone": "'Asia/Kathmandu'",
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "'sql_standard'",
    "bytea_output": "'escape'",
    "extra_float_digits": "-5",
    "standard_conforming_strings": "off",
    "client_encoding": "'LATIN1'",
    "xmloption": "document",
    "xmlbinary": "hex",
    "array_nulls": "off",
    "lc_monetary": "'C'",
    "quote_all_identifiers": "on",
    "timezone_abbreviations": "'Australia'",
    "default_transaction_isolation": "'serializable'",
    "search_path": "pg_catalog",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the matrix: ``title`` is what the page calls it."""

    title: str
    settings: ConnectionSettings

    @property
    def kind(self) -> Kind:
        return Kind(self.settings.type)


@dataclass(slots=True)
class Copy:
    """One copied table: texts by row id, as the servers wrote them.

    Attributes:
        type: the column's type by the target's catalog; empty when there is no such table.
        reasons: of rows that were put aside.
    """

    type: str = ""
    own: str = ""
    source: dict[int, str | None] = field(default_factory=dict)
    target: dict[int, str | None] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    progress: TableProgress | None = None
    error: str = ""


@dataclass(slots=True)
class Run:
    """One conversion: its tables by name."""

    progress: Progress
    copies: dict[str, Copy]


@dataclass(slots=True)
class Direction:
    """All that was seen in one direction."""

    name: str
    source: Server
    target: Server
    runs: dict[str, Run]


def cases_of(kind: Kind) -> Sequence[Case]:
    """The types of one kind of system."""
    return MYSQL_CASES if kind is Kind.MYSQL else POSTGRES_CASES


def cases_between(*servers: str) -> Sequence[Case]:
    """The types of the first server, which stands for a source, that all of these can hold."""
    kind = Kind.MYSQL if servers[0] == "mariadb" else Kind.POSTGRES
    return [case for case in cases_of(kind) if not set(case.lacking) & set(servers)]


def keyed_runs(direction: str) -> tuple[str, ...]:
    """The copies of a direction that have keyed tables."""
    return ("aside", "policies") if direction.startswith("mariadb-pg") else ("aside",)


class Database:
    """One database and a connection to it; texts come back as the server wrote them."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.kind = Kind(settings.type)
        self._connection: Any = (mysql_connect if self.kind is Kind.MYSQL else postgres_connect)(settings)
        if self.kind is Kind.MYSQL:
            self.run("SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'")
        else:
            self.run("SET timezone = 'UTC'; SET extra_float_digits = 3; SET search_path = public, pg_catalog")

    def run(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        cursor = self._connection.cursor()
        cursor.execute(sql, tuple(parameters) or None)
        return list(cursor.fetchall()) if cursor.description else []

    def close(self) -> None:
        self._connection.close()


@contextmanager
def database(server: Server) -> Iterator[Database]:
    """A new database, dropped at the end."""
    name, admin = f"m_{secrets.token_hex(5)}", Database(server.settings)
    admin.run(f"CREATE DATABASE {name}")
    made = Database(replace(server.settings, database=name))
    try:
        yield made
    finally:
        made.close()
        for statement in drops(name) if server.kind is Kind.POSTGRES else (f"DROP DATABASE {name}",):
            admin.run(statement)
        admin.close()


_BACK = {Kind.MYSQL: "SET time_zone = '+00:00'", Kind.POSTGRES: "SET timezone = 'UTC'"}
_AGAIN = {
    Kind.MYSQL: "INSERT IGNORE INTO k_{0} SELECT v, id, id FROM v_{0} WHERE v IS NOT NULL",
    Kind.POSTGRES: "INSERT INTO k_{0} SELECT v, id, id FROM v_{0} WHERE v IS NOT NULL ON CONFLICT DO NOTHING",
}


def fill(source: Database, cases: Sequence[Case]) -> None:
    """Both tables of all cases, with a NULL and their values, numbered from 1."""
    for case in cases:
        if case.setup:
            source.run(case.setup)
        source.run(f"CREATE TABLE v_{case.name} (id INT PRIMARY KEY, v {case.native})")
        source.run(f"INSERT INTO v_{case.name} VALUES ({NULL_ID}, NULL)")
        for number, value in enumerate(case.values, 1):
            if value.session:
                source.run(value.session)
            try:
                source.run(f"INSERT INTO v_{case.name} VALUES ({number}, {value.sql})")
            except Exception as exc:
                exc.add_note(f"{case.name}: {value.label}")
                raise
            if value.session:
                source.run(_BACK[source.kind])
        column, key = f"v {case.key or case.native}", "v" if case.key else "id"
        source.run(f"CREATE TABLE k_{case.name} ({column}, id INT, f DOUBLE PRECISION, PRIMARY KEY ({key}))")
        source.run(_AGAIN[source.kind].format(case.name))
    mysql = "ANALYZE TABLE " + ", ".join(f"k_{case.name}" for case in cases)
    source.run(mysql if source.kind is Kind.MYSQL else "ANALYZE")


def _chunk_rows(table: TablePlan, jobs: int) -> int:
    return 2 if table.source.name.startswith("k_") else 10_000


def convert(source: ConnectionSettings, target: ConnectionSettings, options: RunOptions) -> Progress:
    """One conversion of all tables."""
    registry = Registry.installed()
    from_, to = (Endpoint(registry.find(settings.type), settings) for settings in (source, target))
    with mock.patch.object(reader, "chunk_rows", _chunk_rows):
        return bootstrap.conversion(new_id(STREAM), from_, to, options, lambda event: None).run()


def copy(source: Database, target: Database, cases: Sequence[Case], options: RunOptions) -> Run:
    """Copy, and ask both servers for their rows."""
    progress = convert(source.settings, target.settings, options)
    tables = {table.source.name: table for table in progress.tables}
    types, own = column_types(target), column_types(source)
    copies = {}
    for case in cases:
        for prefix in ("v_", "k_"):
            name = prefix + case.name
            counts = tables.get(name)
            made = copies[name] = Copy(
                types.get(name, ""), own[name], progress=counts, error=counts.error if counts else ""
            )
            family = case.family if source.kind is target.kind else case.other.family or case.family
            pair = texts(family, source.kind, target.kind)
            made.source = ask(source, name, pair.source, case.native)
            if made.type:
                try:
                    made.target = ask(target, name, pair.target, case.native)
                except (psycopg.Error, pymysql.Error) as exc:
                    made.error = made.error or f"{made.type}: {exc}"  # a type that the expression is not meant for
                if pair.recast:
                    made.source = _recast(target, pair, made.source, set(made.target))
    for row in progress.rejected:
        if row.table.name in copies and row.key.startswith("id="):
            copies[row.table.name].reasons[int(row.key.removeprefix("id="))] = f"{row.column}: {row.reason}"
    return Run(progress, copies)


def _recast(target: Database, pair: Texts, source: Mapping[int, str | None], ids: set[int]) -> dict[int, str | None]:
    """The source's texts as the target's own type reads them; those that did not arrive stay as they are."""
    return {
        row: target.run(f"SELECT {pair.recast}", [text])[0][0] if row in ids and text is not None else text
        for row, text in source.items()
    }


def ask(where: Database, table: str, text: str, native: str) -> dict[int, str | None]:
    """Each row's value as the server's own text."""
    digits = native.partition("(")[2].partition(")")[0]
    return {int(row): value for row, value in where.run(f"SELECT id, {text.format(v='v', n=digits)} FROM {table}")}


_TYPES = {
    Kind.MYSQL: "SELECT table_name, CONCAT_WS(' ', column_type, CONCAT('collate ', collation_name))"
    " FROM information_schema.columns WHERE table_schema = DATABASE() AND column_name = 'v'",
    Kind.POSTGRES: "SELECT relname, format_type(atttypid, atttypmod) FROM pg_attribute a JOIN pg_class c"
    " ON c.oid = attrelid WHERE attname = 'v' AND relkind = 'r' AND relnamespace = 'public'::regnamespace",
}


def column_types(where: Database) -> dict[str, str]:
    """The type of every table's column ``v``, by the server's catalog; a text's collation beside it on MySQL."""
    return dict(where.run(_TYPES[where.kind]))


@contextmanager
def odd_settings(database: Database) -> Iterator[None]:
    """The server's (MySQL) or the database's (PostgreSQL) own settings turned odd for new sessions."""
    if database.kind is Kind.POSTGRES:
        name = database.settings.database
        for setting, value in _POSTGRES_ODD.items():
            database.run(f"ALTER DATABASE {name} SET {setting} = {value}")
        yield
        database.run(f"ALTER DATABASE {name} RESET ALL")
        return
    before = {name: database.run(f"SELECT @@GLOBAL.{name}")[0][0] for name in _MYSQL_ODD}
    for name, value in _MYSQL_ODD.items():
        database.run(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        for name, value in before.items():
            database.run(f"SET GLOBAL {name} = %s", [value])


class Matrix:
    """All directions between some servers, given by name; each is copied when it is first asked for."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self.servers = servers
        self._stack = ExitStack()
        self._filled: dict[str, Database] = {}
        self._seen: dict[str, Direction] = {}

    def __enter__(self) -> Matrix:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def direction(self, name: str) -> Direction:
        """What was seen in a direction: ``mariadb-pg18``."""
        if name not in self._seen:
            source, target = name.split("-")
            self._seen[name] = self._run(name, self.servers[source], self.source(source), self.servers[target])
        return self._seen[name]

    def source(self, name: str) -> Database:
        """The filled database of a server."""
        if name not in self._filled:
            self._filled[name] = self._stack.enter_context(database(self.servers[name]))
            fill(self._filled[name], cases_between(name))
        return self._filled[name]

    def _run(self, name: str, source: Server, filled: Database, target: Server) -> Direction:
        runs, cases = {}, cases_between(*name.split("-"))
        left_out = {case.name for case in cases_between(name.split("-")[0])} - {case.name for case in cases}
        exclude = tuple(prefix + case for case in left_out for prefix in ("v_", "k_"))
        keyed = tuple(f"k_{case.name}" for case in cases)
        for run, options in (("aside", ASIDE), ("policies", POLICIES)):
            with ExitStack() as stack:
                if name in DECODED:
                    stack.enter_context(mock.patch.object(PostgresDialect, "raw_format", return_value=""))
                made = stack.enter_context(database(target))
                if run == "policies":
                    stack.enter_context(odd_settings(filled))
                    if Kind.POSTGRES in (source.kind, target.kind):
                        stack.enter_context(odd_settings(made))
                without = exclude if run in keyed_runs(name) else (*exclude, *keyed)
                runs[run] = copy(filled, made, cases, replace(options, exclude=without))
        return Direction(name, source, target, runs)
