"""`Hub`: what carries frames from readers to writers, bounded by bytes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from mainstem.model.frame import Frame


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame with its number; numbers of a lane are contiguous and start at 1.

    Attributes:
        trace: the span that sent it (`tracing.carrier`), or empty.
    """

    seq: int
    frame: Frame
    trace: str = ""


@dataclass(frozen=True, slots=True)
class HubFill:
    """What waits in the hub of one run, and how much may.

    Attributes:
        oldest_s: for how long the oldest of it has waited.
        max_age_s: for how long it may, before it is dropped; 0: for ever.
    """

    stream_id: str
    messages: int
    bytes: int
    max_bytes: int
    oldest_s: float = 0.0
    max_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class HubAge:
    """For how long the oldest that waits in a run's hub has waited, and may before it is dropped."""

    oldest_s: float
    max_age_s: float


@dataclass(slots=True)
class HubTraffic:
    """What passed through the hubs of this process since it began, and what waits in them now.

    Attributes:
        messages, bytes: sent, as they travel.
        plain_bytes: the same before they were compressed.
        redelivered: messages that came once more and were passed over.
        deduplicated: messages that were offered once more and stored once.
        full: how often a message found no room and waited.
        waiting_messages, waiting_bytes: in the hubs of the whole installation.
        fills: each of them.
    """

    messages: int = 0
    bytes: int = 0
    plain_bytes: int = 0
    redelivered: int = 0
    deduplicated: int = 0
    full: int = 0
    waiting_messages: int = 0
    waiting_bytes: int = 0
    fills: tuple[HubFill, ...] = ()


class Lane(Protocol):
    """An ordered path from one reader to one writer."""

    def publish(self, frame: Frame) -> None:
        """Put a frame in; waits while the hub is full, and until a frame larger than the hub is dealt with.

        Raises `CancelledError` once the lane is closed.
        """
        ...

    def receive(self) -> Delivery | None:
        """The next frame; waits for one. None once the lane is closed and empty. The one before it is dealt with."""
        ...

    def poll(self) -> Delivery | None:
        """The next frame if there is one; never waits."""
        ...

    def ack(self, seq: int) -> None:
        """Everything up to this number is durable, and need not be delivered again."""
        ...

    def close(self) -> None:
        """No more frames; wakes everyone who waits."""
        ...


class Hub(AbstractContextManager["Hub"], Protocol):
    """A set of lanes that share one bound. Leaving its context closes them and keeps nothing of them anywhere."""

    def lane(self, number: int) -> Lane:
        """The lane of that number, made when first asked for."""
        ...

    def close(self) -> None:
        """Close all lanes."""
        ...
