"""The states of a stream and every move between them: one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from mainstem.errors import ConflictError
from mainstem.model.run import RunState


class Move(StrEnum):
    """What can happen to a stream: the first four on request, the rest by itself."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    FINISH = "finish"
    FAIL = "fail"
    TIME_UP = "time_up"
    EVENTS_UP = "events_up"
    INTERRUPT = "interrupt"


_ENDINGS = {
    Move.STOP: RunState.STOPPED,
    Move.FINISH: RunState.FINISHED,
    Move.FAIL: RunState.FAILED,
    Move.TIME_UP: RunState.TIME_LIMIT_REACHED,
    Move.EVENTS_UP: RunState.EVENT_LIMIT_REACHED,
}

TRANSITIONS: Mapping[RunState, Mapping[Move, RunState]] = {
    RunState.READY: {Move.START: RunState.RUNNING, Move.STOP: RunState.STOPPED, Move.FAIL: RunState.FAILED},
    RunState.RUNNING: {Move.PAUSE: RunState.PAUSED, Move.INTERRUPT: RunState.PAUSED, **_ENDINGS},
    # a run that is told to pause may be at its end already, so that the endings follow from here too
    RunState.PAUSED: {Move.RESUME: RunState.RUNNING, **_ENDINGS},
    RunState.FAILED: {Move.RESUME: RunState.RUNNING},
    RunState.FINISHED: {},
    RunState.STOPPED: {},
    RunState.TIME_LIMIT_REACHED: {},
    RunState.EVENT_LIMIT_REACHED: {},
}

ON_REQUEST = (Move.START, Move.PAUSE, Move.RESUME, Move.STOP)
ACTIVE = (RunState.READY, RunState.RUNNING, RunState.PAUSED)
ENDED = tuple(state for state in RunState if Move.STOP not in TRANSITIONS[state])

_THERE_ALREADY: Mapping[Move, tuple[RunState, ...]] = {
    Move.PAUSE: (RunState.PAUSED,),
    Move.RESUME: (RunState.RUNNING,),
    Move.STOP: ENDED,
}

ENDING_OF: Mapping[RunState, Move] = {state: move for move, state in _ENDINGS.items()}
"""The move that brings a run into a terminal state."""


class StateConflict(ConflictError):
    """A move that the present state forbids; ``details`` go into the answer as they are."""

    def __init__(self, message: str, *, remedy: str, details: dict[str, Any]) -> None:
        super().__init__(message, remedy=remedy)
        self.details = details


def is_there_already(state: RunState, move: Move) -> bool:
    """Whether the move asks for what is the case, so that it succeeds by doing nothing."""
    return state in _THERE_ALREADY.get(move, ())


def allowed(state: RunState) -> list[str]:
    """The moves that may be requested from a state."""
    return [move.value for move in ON_REQUEST if move in TRANSITIONS[state]]


def after(state: RunState, move: Move, stream_id: str) -> RunState:
    """The state after a move; `StateConflict` says what is allowed instead."""
    new = TRANSITIONS[state].get(move)
    if new is None:
        moves = allowed(state)
        raise StateConflict(
            f"stream {stream_id} is {state} and cannot {move}; allowed: {', '.join(moves) or 'nothing'}",
            remedy=f"allowed now: {', '.join(moves)}" if moves else "start a new stream from its config",
            details={"field": "stream_state", "state": state.value, "allowed": moves, "value": stream_id},
        )
    return new
