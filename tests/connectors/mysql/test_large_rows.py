"""A large row that is encoded in pieces comes to the same bytes as one that is encoded whole."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mainstem.connectors.mysql.encode import BatchEncoder
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions
from mainstem.model.types import Kind, LogicalType
from mainstem.native.ops import Refusal

LARGE = 3 * 1024 * 1024 + 7
TEXT = "ab\té\\\n".encode() * (LARGE // 7)
BYTES = bytes(range(256)) * (LARGE // 256)
# kind, type, cells: of a small row, and of the large one behind it
COLUMNS = [
    (Kind.INTEGER, "int", b"1", b"-2"),
    (Kind.TEXT, "longtext", b"x", TEXT),
    (Kind.BINARY, "longblob", None, BYTES),
    (Kind.JSON, "longtext", b"{}", b'"' + b"j" * LARGE + b'"'),
    (Kind.TEXT, "longtext", b"y", None),
    (Kind.TEXT, "longtext", b"z", b""),
    (Kind.DECIMAL, "decimal(9,2)", b"1.50", b"0.00"),
]


def planned() -> TablePlan:
    columns = [
        ColumnPlan(f"c{number}", f"c{number}", LogicalType(item[0]), str(item[1]))
        for number, item in enumerate(COLUMNS)
    ]
    return TablePlan(TableId("s", "t"), TableId("s", "t"), tuple(columns))


def batch() -> pa.RecordBatch:
    arrays = [pa.array([item[2], item[3]], pa.binary()) for item in COLUMNS]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])


@pytest.mark.parametrize("raw", [True, False], ids=["mariadb", "mysql"])
def test_lines_of_load_data(raw: bool) -> None:
    encoder = BatchEncoder(planned(), RunOptions(), frozenset(), raw=raw)
    whole = bytes(encoder.encode(batch(), 0, 2).payload)
    found = list(encoder.encode_in_pieces(batch()))
    assert b"".join(bytes(item.payload) for item in found) == whole
    assert max(len(item.payload) for item in found) < LARGE
    assert [item for item in found if item.refused] == []
    sliced = list(encoder.encode_in_pieces(batch().slice(1)))
    assert b"".join(bytes(item.payload) for item in sliced) == bytes(encoder.encode(batch(), 1, 2).payload)


def test_a_line_with_a_cell_that_is_refused() -> None:
    encoder = BatchEncoder(planned(), RunOptions(), frozenset({"c4"}))
    (refused,) = (item.refused for item in encoder.encode_in_pieces(batch()) if item.refused)
    assert [(item.row, item.column, item.why) for item in refused] == [(1, 4, Refusal.NULL_VALUE)]
