from __future__ import annotations

import pytest

from mainstem.control.states import TRANSITIONS, Move, StateConflict, after, allowed, is_there_already
from mainstem.model.run import RunState

ENDED = [RunState.FINISHED, RunState.STOPPED, RunState.TIME_LIMIT_REACHED, RunState.EVENT_LIMIT_REACHED]


def test_every_state_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(RunState)


@pytest.mark.parametrize(
    ("state", "moves"),
    [
        (RunState.READY, ["start", "stop"]),
        (RunState.RUNNING, ["pause", "stop"]),
        (RunState.PAUSED, ["resume", "stop"]),
        (RunState.FAILED, ["resume"]),
        *((state, []) for state in ENDED),
    ],
)
def test_what_may_be_requested(state: RunState, moves: list[str]) -> None:
    assert allowed(state) == moves


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("move", Move)
def test_a_forbidden_move_says_what_is_allowed(state: RunState, move: Move) -> None:
    if move in TRANSITIONS[state]:
        assert after(state, move, "stream_x") is TRANSITIONS[state][move]
        return
    with pytest.raises(StateConflict) as caught:
        after(state, move, "stream_x")
    assert caught.value.details["allowed"] == allowed(state)
    assert caught.value.details["state"] == state.value
    assert all(word in caught.value.message for word in (state.value, move.value, *allowed(state)))
    assert caught.value.remedy


@pytest.mark.parametrize("state", ENDED)
def test_an_ended_stream_stays_as_it_is_when_it_is_stopped(state: RunState) -> None:
    assert is_there_already(state, Move.STOP)
    assert not is_there_already(state, Move.PAUSE)
    assert not is_there_already(state, Move.RESUME)
