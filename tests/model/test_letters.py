"""A change that was put aside can be read back, whole."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mainstem.errors import InvalidError
from mainstem.model.change import Op, RowChanges
from mainstem.model.letters import pack, unpack
from mainstem.model.names import TableId


def _rows(*columns: list[bytes | None]) -> pa.RecordBatch:
    arrays = [pa.array(column, pa.binary()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{number}" for number in range(len(columns))])


@pytest.mark.parametrize("before", [None, _rows([b"1"])])
@pytest.mark.parametrize("absent", [{}, {1: pa.array([True], pa.bool_())}])
def test_a_change_comes_back_as_it_was(before: pa.RecordBatch | None, absent: dict[int, pa.BooleanArray]) -> None:
    change = RowChanges(
        TableId("shop", "orders"),
        pa.array([Op.UPDATE], pa.uint8()),
        pa.array([7], pa.int64()),
        _rows([b"1"], [None], [b"\0\xff"]),
        before,
        absent,
        3,
    )
    assert unpack(pack(change)) == change


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        pack(RowChanges(TableId("", "t"), pa.array([1], pa.uint8()), pa.array([1], pa.int64()), _rows([b"1"])))[:-40],
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidError, match="not a change"):
        unpack(data)
