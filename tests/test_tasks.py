from __future__ import annotations

import threading

import pytest

from mainstem.tasks import together


def fail(text: str) -> None:
    raise ValueError(text)


def test_two_things_happen_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=60)
    assert sorted(together(meeting.wait, meeting.wait)) == [0, 1]


def test_the_first_ones_error_is_told_before_the_others() -> None:
    with pytest.raises(ValueError, match="one"):
        together(lambda: fail("one"), lambda: fail("other"))
    with pytest.raises(ValueError, match="other"):
        together(lambda: None, lambda: fail("other"))
