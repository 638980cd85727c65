"""How long a reader of PostgreSQL's log lets a transaction gather."""

from __future__ import annotations

import pytest

from mainstem.connectors.postgres.pace import AMPLE_BYTES, FIRST_S, MOST_S, Pace


def test_pauses_within_a_transaction_grow_up_to_a_bound() -> None:
    pace = Pace()
    pauses = [pace.pause_s(number) for number in range(10)]
    assert pauses[0] == FIRST_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == MOST_S


def test_a_new_transaction_is_looked_at_soon() -> None:
    pace = Pace()
    for number in range(10):
        pace.pause_s(number)
    pace.rest()
    assert pace.pause_s(11) == FIRST_S


@pytest.mark.parametrize(("ample", "share"), [(1, 1.0), (2, 0.5), (4, 0.25)])
def test_what_came_at_once_in_plenty_shortens_the_pause(ample: int, share: float) -> None:
    pace = Pace()
    for number in range(10):
        pace.pause_s(number)
    assert pace.pause_s(9 + ample * AMPLE_BYTES) == MOST_S * share
