from __future__ import annotations

import pytest

from mainstem.model.shown import CutText, ShownBytes, shown_bytes, shown_text


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("", 3, ""),
        ("abc", 3, "abc"),
        ("abcd", 3, CutText("abc", 4)),
        ("aé", 2, CutText("a", 3)),
        ("aéb", 3, CutText("aé", 4)),
        ("a€b", 3, CutText("a", 5)),
        ("€b", 3, CutText("€", 4)),
        ("🧀b", 3, CutText("", 5)),
        ("🧀b", 4, CutText("🧀", 5)),
        ("NULL", 9, "NULL"),
    ],
)
def test_text_is_cut_between_characters(text: str, most: int, shown: object) -> None:
    assert shown_text(text.encode(), most) == shown


def test_what_is_no_utf8_is_shown_as_bytes() -> None:
    assert shown_text(b"a\xffb", 9) == ShownBytes(b"a\xffb", 3)
    assert shown_text(b"\x80" * 9, 4) == ShownBytes(b"\x80" * 4, 9)


def test_bytes_are_cut_and_their_length_is_told() -> None:
    assert shown_bytes(b"\0\1\2", 2) == ShownBytes(b"\0\1", 3)
    assert shown_bytes(b"", 2) == ShownBytes(b"", 0)
