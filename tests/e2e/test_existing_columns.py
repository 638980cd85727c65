"""Rows into tables that the target has already, whose columns are of other types than the plan's."""

from __future__ import annotations

import pytest

from mainstem.ddl.narrowing import loses
from mainstem.engine.existing import NARROWER, REQUIRED
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RowErrorPolicy, RunOptions, RunState, SchemaPolicy
from mainstem.model.types import Kind, LogicalType
from tests.e2e.conftest import Pair
from tests.types.matrix import Server, convert, database

KEPT = RunOptions(schema_policy=SchemaPolicy.VALIDATE, row_errors=RowErrorPolicy.QUARANTINE)
# Source's type and value, target's type, and the value's text there; None is refused.
COLUMNS: dict[str, tuple[str, str, str, str | None]] = {
    "wider": ("INT", "123", "bigint", "123"),
    "as_float": ("BIGINT", "1234567890123", "double precision", "1234567890123"),
    "as_real": ("INT", "123", "real", "123"),
    "as_numeric": ("DOUBLE", "0.5", "numeric", "0.5"),
    "as_text": ("DATETIME", "'2020-01-02 03:04:05'", "text", "2020-01-02 03:04:05"),
    "as_array": ("VARCHAR(10)", "'{1,2}'", "int[]", "{1,2}"),
    "as_boolean": ("TINYINT(1)", "1", "boolean", "true"),
    "as_json": ("TEXT", "'[1]'", "jsonb", "[1]"),
    "as_number": ("DATETIME", "'2020-01-02 03:04:05'", "bigint", None),
    "as_uuid": ("BIGINT", "5", "uuid", None),
}


def test_values_arrive_as_the_target_s_own_type_reads_them_or_not_at_all(pair: Pair) -> None:
    """Eight bytes of an integer are eight bytes of a double: they are never sent as if they were."""
    for name, (source, value, target, _) in COLUMNS.items():
        pair.mysql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v {source})", f"INSERT INTO {name} VALUES (1, {value})")
        pair.postgres(f"CREATE TABLE {name} (id int PRIMARY KEY, v {target})")
    progress = pair.conversion(KEPT).run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    arrived = {name: pair.postgres(f"SELECT v::text FROM {name}") for name in COLUMNS}
    assert arrived == {name: [] if text is None else [(text,)] for name, (*_, text) in COLUMNS.items()}
    assert {row.table.name for row in progress.rejected} == {name for name in COLUMNS if COLUMNS[name][3] is None}


UNDECODED: dict[str, tuple[str, str, str, str | None]] = {
    "wider": ("integer", "123", "bigint", "123"),
    "as_float": ("bigint", "1234567890123", "double precision", "1234567890123"),
    "as_number": ("timestamp", "'2020-01-02 03:04:05'", "bigint", None),
    "as_text": ("interval", "'1 mon'", "text", "1 mon"),
    "as_array": ("text", "'{1,2}'", "int[]", "{1,2}"),
    "zoned": ("timestamp", "'2020-01-02 03:04:05'", "timestamptz", "2020-01-02 03:04:05+00"),
    "unzoned": ("timestamptz", "'2020-01-02 03:04:05+02'", "timestamp", "2020-01-02 01:04:05"),
    "as_numeric": ("money", "1.5", "numeric", "1.50"),
    "as_bits": ("bit(3)", "B'101'", "varbit", "101"),
    "longer": ("varchar(10)", "'abcdef'", "varchar(3)", None),
    "the_same": ("jsonb", "'[1]'", "jsonb", "[1]"),
}


def test_rows_that_could_pass_undecoded_do_not_where_a_column_has_another_type(
    postgres18_server: ConnectionSettings,
) -> None:
    server = Server("", postgres18_server)
    with database(server) as source, database(server) as target:
        for name, (type_, value, other, _) in UNDECODED.items():
            source.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v {type_})")
            source.run(f"INSERT INTO {name} VALUES (1, {value})")
            target.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v {other})")
        progress = convert(source.settings, target.settings, KEPT)
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        arrived = {name: target.run(f"SELECT v::text FROM {name}") for name in UNDECODED}
    assert arrived == {name: [] if text is None else [(text,)] for name, (*_, text) in UNDECODED.items()}


def test_columns_that_round_or_cut_are_told(pair: Pair) -> None:
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY, at DATETIME(6), price DECIMAL(10,4), fine INT)")
    pair.postgres("CREATE TABLE t (id int PRIMARY KEY, at date, price numeric(10,2), fine bigint, must int NOT NULL)")
    progress = pair.conversion(RunOptions(schema_policy=SchemaPolicy.VALIDATE)).run()
    (item,) = (item for item in progress.report if item.code == NARROWER)
    assert item.message.endswith(": at (date), price (numeric(10,2))")
    (item,) = (item for item in progress.report if item.code == REQUIRED)
    assert "must not be NULL: must;" in item.message


def test_a_column_that_cannot_be_written_is_told_before_a_row_moves(pair: Pair) -> None:
    pair.mysql("CREATE TABLE t (id INT PRIMARY KEY, v BLOB)", "CREATE TABLE u (id INT PRIMARY KEY)")
    pair.postgres("CREATE TABLE t (id int PRIMARY KEY, v text)")
    progress = pair.conversion(RunOptions(schema_policy=SchemaPolicy.CREATE_MISSING)).run()
    assert progress.state is RunState.FAILED
    assert "column v" in progress.error
    assert "written as text" in progress.error
    assert pair.postgres("SELECT to_regclass('u')::text") == [(None,)]


def _type(kind: Kind, **parameters: int) -> LogicalType:
    return LogicalType(kind, **parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "target", "lost"),
    [
        (_type(Kind.TIMESTAMP, fraction=6), _type(Kind.DATE), True),
        (_type(Kind.TIMESTAMP, fraction=6), _type(Kind.INSTANT, fraction=3), True),
        (_type(Kind.TIMESTAMP, fraction=0), _type(Kind.TIMESTAMP, fraction=0), False),
        (_type(Kind.INTERVAL, fraction=6), _type(Kind.INTERVAL), False),
        (_type(Kind.FLOAT, bits=64), _type(Kind.FLOAT, bits=32), True),
        (_type(Kind.FLOAT, bits=32), _type(Kind.FLOAT, bits=64), False),
        (_type(Kind.INTEGER, bits=32), _type(Kind.FLOAT, bits=64), False),
        (_type(Kind.INTEGER, bits=64), _type(Kind.FLOAT, bits=64), True),
        (_type(Kind.DECIMAL, precision=10, scale=2), _type(Kind.FLOAT, bits=64), False),
        (_type(Kind.DECIMAL), _type(Kind.FLOAT, bits=64), True),
        (_type(Kind.DECIMAL, precision=10, scale=4), _type(Kind.DECIMAL, precision=10, scale=2), True),
        (_type(Kind.DECIMAL, precision=10, scale=2), _type(Kind.DECIMAL), False),
        (_type(Kind.FLOAT, bits=64), _type(Kind.DECIMAL, precision=10, scale=2), True),
        (_type(Kind.TEXT), _type(Kind.TEXT, length=3), False),
        (_type(Kind.TEXT, length=3), _type(Kind.TEXT, length=3, fixed=True), True),
        (_type(Kind.BINARY, length=3, fixed=True), _type(Kind.BINARY, length=4, fixed=True), True),
    ],
)
def test_a_type_loses_what_another_holds(source: LogicalType, target: LogicalType, lost: bool) -> None:
    assert loses(source, target) is lost
