"""What waits in a stream's lane, as much of it as goes into one transaction of the target."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstem.contract.hub import Lane
from mainstem.errors import AccountingError
from mainstem.model.change import ChangeGroup, Idle, SchemaChange

MAX_ROWS = 200_000
MAX_BYTES = 32 * 1024 * 1024

_Item = tuple[int, ChangeGroup | Idle, str]
"""A frame with its number and the span that sent it."""


@dataclass(slots=True)
class Batch:
    """Frames that go into one transaction, if they can."""

    frames: list[ChangeGroup | Idle] = field(default_factory=list)
    number: int = 0
    rows: int = 0
    bytes: int = 0
    traces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Intake:
    """The receiving end of a stream's lane."""

    lane: Lane
    _held: _Item | None = None

    def take(self, most_rows: int = MAX_ROWS) -> Batch | None:
        """What waits, at most so much; alone: a piece, what is told ahead, or a group with a schema change.

        Waits for the first frame. None: the lane is closed and empty.

        Args:
            most_rows: with so many no further frame is taken.
        """
        batch = Batch()
        while batch.rows < min(most_rows, MAX_ROWS) and batch.bytes < MAX_BYTES:
            item = self._next(wait=not batch.frames)
            if item is None:
                break
            number, frame, sent_by = item
            if batch.frames and _alone(frame):
                self._held = item
                break
            batch.frames.append(frame)
            batch.number = number
            if sent_by:
                batch.traces.append(sent_by)
            if isinstance(frame, ChangeGroup):
                batch.rows += frame.rows
                batch.bytes += frame.size_bytes
                if _alone(frame):
                    break
        return batch if batch.frames else None

    def _next(self, *, wait: bool) -> _Item | None:
        if self._held is not None:
            held, self._held = self._held, None
            return held
        delivery = self.lane.receive() if wait else self.lane.poll()
        if delivery is None:
            return None
        if not isinstance(delivery.frame, ChangeGroup | Idle):
            raise AccountingError("a frame of a copy came through a stream's lane")
        return delivery.seq, delivery.frame, delivery.trace


def _alone(frame: ChangeGroup | Idle) -> bool:
    if isinstance(frame, Idle):
        return False
    return not frame.whole or bool(frame.ahead) or bool(frame.parts and isinstance(frame.parts[-1], SchemaChange))
