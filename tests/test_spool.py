from __future__ import annotations

import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.errors import SpoolError
from mainstem.spool import Spools


@given(st.lists(st.binary(max_size=50), max_size=30), st.integers(0, 200), st.integers(1, 40))
def test_what_was_put_aside_comes_back_whatever_the_memory(pieces: list[bytes], memory: int, size: int) -> None:
    shared = Spools(memory)
    one, other = shared.open(), shared.open()
    for piece in pieces:
        one.append(piece)
        other.append(piece[::-1])
        assert shared.memory_bytes <= memory
    for spool, expected in ((one, b"".join(pieces)), (other, b"".join(piece[::-1] for piece in pieces))):
        spool.rewind()
        found = bytearray()
        while len(found) < len(expected):
            found = spool.read(size, bytes(found))
        assert bytes(found) == expected
        assert spool.read(size, b"left") == b"left"
        spool.close()
    assert shared.memory_bytes == 0


@pytest.mark.parametrize(("back", "more"), [(0, 10), (3, 90_000), (100, 1)])
def test_what_lies_in_a_file_can_be_mapped(back: int, more: int) -> None:
    data = bytes(range(251)) * 1000
    spool = Spools(0).open()
    spool.append(data)
    spool.rewind()
    spool.read(70_000)
    found = spool.mapped(back, more)
    assert found is not None
    assert found == data[70_000 - back : 70_000 + more]
    assert spool.read(5) == data[70_000 + more : 70_005 + more]
    assert spool.whole() == data
    spool.close()


def test_what_is_in_memory_is_not_mapped() -> None:
    spool = Spools(100).open()
    spool.append(b"abc")
    spool.rewind()
    assert spool.mapped(0, 3) is None
    assert spool.whole() == b"abc"
    spool.close()


def test_a_folder_without_room_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    spool = Spools(3).open()
    spool.append(b"abc")
    with pytest.raises(SpoolError, match="/proc/nowhere"):
        spool.append(b"d")
