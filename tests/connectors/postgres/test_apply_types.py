"""Values of every type arrive the same by COPY, by staging and as a statement's parameters, also as keys."""

from __future__ import annotations

from typing import Any

import psycopg
import pyarrow as pa
import pytest

from mainstem.connectors.postgres import segment as module
from mainstem.connectors.postgres.fields import binary_fields, text_fields
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.errors import RowError
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import NulPolicy, ZeroDatePolicy
from mainstem.model.types import Kind, LogicalType
from mainstem.native.copybinary import CopyBinaryEncoder
from mainstem.native.copytext import CopyTextEncoder
from mainstem.native.ops import BinaryOp
from mainstem.native.ops import Op as TextOp
from tests.connectors.postgres.applying import WAYS, database_of, rows, streaming
from tests.connectors.postgres.test_snapshot import CELLS
from tests.native.net_oracle import Cell, Event

_NO_KEYS = {"point", "jsonb"}  # of the types below; jsonb has an order, but not one that is worth an index


@pytest.fixture(params=WAYS)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConnectionSettings:
    """An empty database of this test, for either way."""
    return database_of(request, monkeypatch)


def _plans(database: ConnectionSettings, names: list[str]) -> list[TablePlan]:
    wanted = [TableId("public", name) for name in names]
    with PostgresInspector(database) as inspector:
        tables = {table.id: table for table in inspector.catalog(wanted).tables}
    return [
        TablePlan(
            id_, id_,
            tuple(
                ColumnPlan(column.name, column.name, column.type, column.native, column.nullable, column.native)
                for column in tables[id_].columns
            ),
            tables[id_].primary_key,
        )
        for id_ in wanted
    ]  # fmt: skip


def test_a_value_is_the_same_by_every_way(database: ConnectionSettings, sql: psycopg.Connection[Any]) -> None:
    sql.execute("CREATE TABLE t (id int)")  # one of the values names it
    names, events = [], []
    for number, (type_, literal, cell) in enumerate(CELLS):
        keyed = type_ not in _NO_KEYS
        for prefix, columns in (("r", f"(id int PRIMARY KEY, v {type_})"), ("b", f"(v {type_}, w int)"),
                                ("k", f"(v {type_} PRIMARY KEY, w int)")):  # fmt: skip
            if prefix == "k" and not keyed:
                continue
            name = f"{prefix}{number}"
            sql.execute(f"CREATE TABLE {name} {columns}".encode())
            names.append(name)
        sql.execute(f"CREATE TABLE e{number} AS SELECT ({literal})::{type_} AS v".encode())
        one: Cell = b"1"
        events += [
            (f"r{number}", Event(Op.INSERT, None, (b"1", cell))), (f"r{number}", Event(Op.INSERT, None, (b"2", None))),
            (f"r{number}", Event(Op.UPDATE, (b"2",), (b"2", cell))),
            (f"b{number}", Event(Op.INSERT, None, (cell, one))), (f"b{number}", Event(Op.INSERT, None, (cell, None))),
        ]  # fmt: skip
        if keyed:
            events.append((f"k{number}", Event(Op.INSERT, None, (cell, one))))
    later = []
    for number, (type_, _, cell) in enumerate(CELLS):
        later.append((f"r{number}", Event(Op.UPDATE, (b"1",), (b"3", cell))))
        later.append((f"b{number}", Event(Op.DELETE, (cell, None))))
        if type_ not in _NO_KEYS:
            later.append((f"k{number}", Event(Op.UPDATE, (cell,), (cell, b"2"))))
    with streaming(database, _plans(database, names)) as stream:
        stream.events(*events)
        applied = stream.events(*later)
        assert applied.missing == {}
    for number, (type_, literal, _) in enumerate(CELLS):
        expected = rows(sql, f"SELECT v::text FROM e{number}")[0][0]
        what = f"{type_} {literal}"
        assert rows(sql, f"SELECT id, v::text FROM r{number} ORDER BY id") == [(2, expected), (3, expected)], what
        assert rows(sql, f"SELECT v::text, w FROM b{number}") == [(expected, 1)], what
        if type_ not in _NO_KEYS:
            assert rows(sql, f"SELECT v::text, w FROM k{number}") == [(expected, 2)], what


def test_policies_change_values_as_in_a_copy_and_are_counted_once(
    database: ConnectionSettings, sql: psycopg.Connection[Any]
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, d date, v text UNIQUE)")
    plan = TablePlan(
        TableId("shop", "t"), TableId("public", "t"),
        (
            ColumnPlan("id", "id", LogicalType(Kind.INTEGER, bits=32), "integer"),
            ColumnPlan("d", "d", LogicalType(Kind.DATE), "date"),
            ColumnPlan("v", "v", LogicalType(Kind.TEXT), "text"),
        ),
        ("id",),
    )  # fmt: skip
    policies = {"zero_dates": ZeroDatePolicy.NULL, "nul_text": NulPolicy.STRIP}
    swap = [
        Event(Op.UPDATE, (b"1",), (b"1", b"2024-00-00", b"tmp")), Event(Op.UPDATE, (b"2",), (b"2", None, b"a")),
        Event(Op.UPDATE, (b"1",), (b"1", b"2024-00-00", b"b")),
    ]  # fmt: skip
    with streaming(database, [plan], **policies) as stream:
        first = [Event(Op.INSERT, None, (b"1", b"0000-00-00", b"a\0")), Event(Op.INSERT, None, (b"2", None, b"b"))]
        applied = stream.events(*(("t", event) for event in first))
        assert applied.coerced == {TableId("shop", "t"): {"d: zero_date_null": 1, "v: nul_stripped": 1}}
        again = stream.events(*(("t", event) for event in swap))
        assert rows(sql, "SELECT * FROM t ORDER BY id") == [(1, None, "b"), (2, None, "a")]
        assert again.coerced == {TableId("shop", "t"): {"d: zero_date_null": 1 if module.FEW == 0 else 2}}
        with pytest.raises(RowError, match="column d") as caught:
            stream.events(("t", Event(Op.INSERT, None, (b"3", b"2024-13-01", b"c"))))
        assert caught.value.column == "d"


def test_fields_are_what_copy_would_have_read() -> None:
    cells = [b"", None, b"tab\there\\N", b"\n\r\b\f\v", "ü".encode()]
    columns = [pa.array(cells, pa.binary()).buffers() for _ in range(2)]
    text, _ = CopyTextEncoder([TextOp.TEXT] * 2, [0, 0], "error", "error").encode(columns, 0, 0, len(cells))
    binary, _ = CopyBinaryEncoder([BinaryOp.TEXT] * 2, [0, 0], "error", "error").encode(columns, 0, 0, len(cells))
    expected = [[cell, cell] for cell in cells]
    assert text_fields(text) == expected
    assert binary_fields(binary, 2) == expected
