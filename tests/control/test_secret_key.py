"""The secret key of a store: made once, by whoever comes first, and the same for all of its servers."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mainstem.control.secrets import SecretBox, open_box
from mainstem.errors import InvalidError
from mainstem.store.sql import SqlStore


def test_servers_of_one_home_that_start_at_once_make_one_key(store: SqlStore, tmp_path: Path) -> None:
    file = tmp_path / "home" / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        boxes = list(pool.map(lambda _: open_box(store, file, None), range(8)))
    sealed = boxes[0].seal(b"secret", "a", "b")
    assert {box.open(sealed, "a", "b") for box in boxes} == {b"secret"}
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]
    assert file.stat().st_mode & 0o077 == 0


def test_a_server_with_another_key_or_none_is_told_so(store: SqlStore, tmp_path: Path) -> None:
    first = open_box(store, tmp_path / "one" / "secret.key", None)
    other = tmp_path / "two" / "secret.key"
    with pytest.raises(InvalidError, match="the secret key of this store is missing") as missing:
        open_box(store, other, None)
    assert "all servers of one store need the same" in missing.value.remedy
    assert not other.exists()
    with pytest.raises(InvalidError, match="the secret key in MAINSTEM_SECRET_KEY is not the one of this store"):
        open_box(store, other, base64.b64encode(b"k" * 32).decode())
    given = (tmp_path / "one" / "secret.key").read_text()
    box: SecretBox = open_box(store, other, given)
    assert box.open(first.seal(b"x", "a", "b"), "a", "b") == b"x"
