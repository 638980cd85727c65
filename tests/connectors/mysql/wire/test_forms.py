from __future__ import annotations

import pytest

from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.types import logical_type
from mainstem.connectors.mysql.wire import tablemap
from mainstem.connectors.mysql.wire.forms import default_cells, in_utf8, row_forms
from mainstem.connectors.mysql.wire.tablemap import MapColumn, TableMap
from mainstem.errors import WireError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import ColumnPlan
from mainstem.model.schema import Column, Default, DefaultKind, Generated
from mainstem.native.ops import BinlogForm, BinlogOp
from tests.connectors.mysql.wire.made import table_map


def column(native: str) -> ColumnPlan:
    return ColumnPlan("c", "c", logical_type(native), native, native=native)


def form_of(mapped: MapColumn, native: str | None) -> BinlogForm:
    (form,) = row_forms(TableMap(1, 0, "s", "t", (mapped,)), [None if native is None else column(native)])
    return form


def test_numbers_of_collations_are_those_of_a_server(mariadb_server: ConnectionSettings) -> None:
    with connect(mariadb_server) as connection:
        known = query(
            connection,
            "SELECT id, character_set_name FROM information_schema.collation_character_set_applicability"
            " WHERE id IS NOT NULL",
        )
    wide = {int(number) for number, name in known if name in ("utf8mb3", "utf8mb4", "ascii", "binary")}
    assert len(wide) > 100
    assert {int(number) for number, _ in known if in_utf8(int(number))} == wide


@pytest.mark.parametrize(
    ("mapped", "native", "form"),
    [
        (MapColumn(3), "int", BinlogForm(BinlogOp.INT, 4)),
        (MapColumn(3), "int unsigned", BinlogForm(BinlogOp.UINT, 4)),
        (MapColumn(9, unsigned=True), "mediumint unsigned", BinlogForm(BinlogOp.UINT, 3)),
        (MapColumn(1), "tinyint(1)", BinlogForm(BinlogOp.INT, 1)),
        (MapColumn(254, 4), "binary(4)", BinlogForm(BinlogOp.PADDED, 1, 4)),
        (MapColumn(254, 4), "char(4)", BinlogForm(BinlogOp.BYTES, 1)),
        (MapColumn(254, 1020), "char(255)", BinlogForm(BinlogOp.BYTES, 2)),
        (MapColumn(254, 16), "uuid", BinlogForm(BinlogOp.UUID, 1)),
        (MapColumn(254, 16), "inet6", BinlogForm(BinlogOp.INET6, 1)),
        (MapColumn(254, 4), "inet4", BinlogForm(BinlogOp.INET4, 1)),
        (MapColumn(15, 255), "varchar(255)", BinlogForm(BinlogOp.BYTES, 1)),
        (MapColumn(15, 256), "varchar(64)", BinlogForm(BinlogOp.BYTES, 2)),
        (MapColumn(252, 4), "json", BinlogForm(BinlogOp.BYTES, 4)),
        (MapColumn(245, 4), "json", BinlogForm(BinlogOp.JSON, 4)),
        (MapColumn(242, 4), "vector", BinlogForm(BinlogOp.BYTES, 4)),
        (MapColumn(247, 1), "enum('a','b')", BinlogForm(BinlogOp.ENUM, 1, 0, (b"a", b"b"))),
        (MapColumn(247, 1, members=(b"x",), charset=45), "enum('a','b')", BinlogForm(BinlogOp.ENUM, 1, 0, (b"x",))),
        (MapColumn(247, 1, members=(b"\xe9",), charset=8), "enum('é')",
         BinlogForm(BinlogOp.ENUM, 1, 0, ("é".encode(),))),
        (MapColumn(11), "time(3)", BinlogForm(BinlogOp.TIME, 0, 3)),
        (MapColumn(16, 13), "bit(13)", BinlogForm(BinlogOp.BIT, 2)),
        (MapColumn(247, 2), None, BinlogForm(BinlogOp.UINT, 2)),
        (MapColumn(254, 16), None, BinlogForm(BinlogOp.BYTES, 1)),
        (MapColumn(245, 4), None, BinlogForm(BinlogOp.BYTES, 4)),
        (MapColumn(246, 10, 2), None, BinlogForm(BinlogOp.DECIMAL, 10, 2)),
        (MapColumn(18, scale=3), None, BinlogForm(BinlogOp.DATETIME2, 0, 3)),
    ],
)  # fmt: skip
def test_form_of_a_column(mapped: MapColumn, native: str | None, form: BinlogForm) -> None:
    assert form_of(mapped, native) == form


@pytest.mark.parametrize(
    ("mapped", "native"),
    [
        (MapColumn(3), "bigint"), (MapColumn(3), "varchar(4)"), (MapColumn(3, unsigned=True), "int"),
        (MapColumn(3, unsigned=False), "int unsigned"), (MapColumn(246, 10, 2), "decimal(10,3)"),
        (MapColumn(18, scale=3), "datetime"), (MapColumn(18), "timestamp"), (MapColumn(4), "double"),
        (MapColumn(16, 8), "bit(9)"), (MapColumn(247, 1), "set('a')"), (MapColumn(254, 15), "uuid"),
        (MapColumn(252, 2), "point"), (MapColumn(0, 10), "decimal(10,0)"),
    ],
)  # fmt: skip
def test_column_of_another_type_than_the_schema_says_is_noticed(mapped: MapColumn, native: str) -> None:
    with pytest.raises(WireError, match="in the log") as refused:
        form_of(mapped, native)
    assert refused.value.where["column"] == 1


def test_column_of_a_size_that_is_not_known_is_refused_though_it_is_not_wanted() -> None:
    with pytest.raises(WireError, match="size is not known"):
        form_of(MapColumn(0), None)


def test_history_of_a_system_versioned_table_is_refused() -> None:
    ends = tuple(MapColumn(17, scale=6, nullable=False, name=name) for name in ("row_start", "row_end"))
    table = TableMap(1, 0, "s", "t", (MapColumn(3, name="id"), *ends))
    with pytest.raises(WireError, match="history of a system-versioned table"):
        row_forms(table, [column("int"), None, None])
    assert len(row_forms(table, [column("int"), column("timestamp(6)"), None])) == 3


def test_other_number_of_columns_is_noticed() -> None:
    with pytest.raises(WireError, match="the log has 1 columns of a table, its schema 2"):
        row_forms(TableMap(1, 0, "s", "t", (MapColumn(3),)), [None, None])


@pytest.mark.parametrize("members", [None, (b"\xe9", b"\xe8")])
def test_labels_that_are_not_known_are_refused(members: tuple[bytes, ...] | None) -> None:
    with pytest.raises(WireError, match="labels"):
        form_of(MapColumn(247, 1, members=members, charset=8), "enum('é')" if members else "enum()")


def test_defaults_that_the_log_may_leave_out() -> None:
    five, now = Default(DefaultKind.LITERAL, "5"), Default(DefaultKind.NOW, "0")
    columns = [
        Column("a", logical_type("int"), "int"),
        Column("b", logical_type("int"), "int", nullable=False),
        Column("c", logical_type("int"), "int", default=five),
        Column("d", logical_type("datetime"), "datetime", default=now),
        Column("e", logical_type("varchar(9)"), "varchar(9)", default=five),
        Column("f", logical_type("int"), "int", generated=Generated("a + 1", stored=True)),
        None,
    ]
    assert default_cells(columns) == {0: None, 2: b"5"}


def test_table_map_with_all_metadata() -> None:
    names = b"".join(b"\1" + bytes([letter]) for letter in b"abcdefg")
    # Signedness of three numeric columns; utf8mb4, but for the second text column latin1; names.
    optional = b"\1\1\xa0" + b"\2\3\x2d\1\x08" + b"\4\x0e" + names
    # Labels, the primary key, the character set of labels, which columns are visible, and what is not known yet.
    optional += b"\6\5\2\1x\1y" + b"\x08\1\0" + b"\x0a\1\x21" + b"\x0c\1\xbe" + b"\x63\2??"
    types = bytes([3, 13, 15, 252, 254, 8, 15])
    found = tablemap.parse(table_map(types, bytes([20, 0, 2, 247, 1, 44, 1]), optional))
    assert [one.name for one in found.columns] == list("abcdefg")
    assert [one.unsigned for one in found.columns] == [True, False, None, None, None, True, None]
    assert [one.charset for one in found.columns] == [None, None, 45, 8, 33, None, 45]
    assert [one.visible for one in found.columns] == [True, False, True, True, True, True, True]
    assert found.columns[4].members == (b"x", b"y")
    assert (found.columns[2].length, found.columns[6].length, found.primary_key) == (20, 300, ((0, 0),))
    assert found.full


@pytest.mark.parametrize(
    ("types", "metadata", "optional", "message"),
    [
        (b"\x0f", b"", b"", "ends before"),
        (b"\x03", b"\0", b"", "more metadata"),
        (b"\xc8", b"", b"", "type 200"),
        (b"\x14", b"", b"", "typed array"),
        (b"\xfc", b"\5", b"", "BLOB of impossible"),
        (b"\x04", b"\2", b"", "FLOAT of impossible"),
        (b"\xfe", b"\xf8\x09", b"", "SET of impossible"),
        (b"\xfe", b"\x01\x09", b"", "not known"),
        (b"\xf6", b"\x42\0", b"", "DECIMAL of impossible"),
        (b"\x10", b"\0\0", b"", "BIT of impossible"),
        (b"\x12", b"\7", b"", "six digits"),
        (b"\x03", b"", b"\x08\1\5", "key on a column"),
        (b"\x0f", b"\5\0", b"\2\3\x2d\7\x08", "character set of a column"),
        (b"\x03", b"", b"\4\2\1\xff", "not UTF-8"),
        (b"\x03", b"", b"\4\3\1ab", "bytes after"),
        (b"\xfe", b"\xf7\1", b"\6\2\x63\1", "ends before"),
    ],
)
def test_broken_table_map_is_refused(types: bytes, metadata: bytes, optional: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        tablemap.parse(table_map(types, metadata, optional))
