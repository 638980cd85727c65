"""`FleetStore`: how the processes of one store know of each other, agree on who leads a stream, and ask its leader.

All methods block, may be called from any thread, and are one transaction each. The only clock is the store's own; times
are UTC microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from mainstem.model.run import RunState

_STREAM = "stream/"


def stream_lease(stream_id: str) -> str:
    """The name of the lease that the leader of a stream holds."""
    return f"{_STREAM}{stream_id}"


def led_stream(lease_name: str) -> str:
    """The stream whose leader holds a lease; empty when the lease is for something else."""
    return lease_name.removeprefix(_STREAM) if lease_name.startswith(_STREAM) else ""


@dataclass(frozen=True, slots=True)
class Member:
    """A process.

    Attributes:
        roles: what it does: ``api``, ``reader``, ``writer``.
        address: where it serves HTTP, as it knows it itself.
        seen_us: its last beat.
    """

    id: str
    roles: tuple[str, ...]
    host: str
    pid: int
    version: str
    address: str = ""
    started_us: int = 0
    seen_us: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do something alone for some seconds.

    Attributes:
        token: greater than that of every earlier holder of this name. It is about the store's clock in microseconds, so
            that it grows, too, over a store that is restored from a backup or moved.
    """

    name: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True)
class Order:
    """Something that the holder of the lease ``subject`` is asked to do; ``number`` grows with each order."""

    number: int
    subject: str
    kind: str
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unled:
    """A stream that has something to do and no leader; ``message`` is its record's."""

    stream_id: str
    state: RunState
    message: str


class FleetStore(Protocol):
    """Members, leases and orders."""

    def beat(self, member: Member) -> None:
        """Say that a member lives (its times are the store's to fill in); what was silent for an hour is forgotten."""
        ...

    def members(self, silent_s: float) -> list[Member]:
        """Those that were seen within so many seconds, in the order of their start."""
        ...

    def leave(self, member_id: str) -> None:
        """Forget a member."""
        ...

    def acquire(self, name: str, holder: str, lasts_s: float, over: Lease | None = None) -> Lease | None:
        """The lease, with a new token; None while anybody holds it, oneself included.

        Args:
            over: may be taken from its holder; only this very lease, not a newer one of the same name.
        """
        ...

    def renew(self, leases: Sequence[Lease], lasts_s: float) -> list[Lease]:
        """Hold them for so long from now; returns those that nobody else has taken since they ran out."""
        ...

    def release(self, lease: Lease) -> None:
        """Let another take it at once; nothing happens when it is another's already."""
        ...

    def leases(self) -> list[Lease]:
        """Those that are held now."""
        ...

    def unled(self, states: Sequence[RunState]) -> list[Unled]:
        """Streams in these states whose lease nobody holds, oldest first."""
        ...

    def add_order(self, subject: str, kind: str, body: dict[str, Any], lasts_s: float) -> int:
        """Ask whoever holds the lease ``subject``; nobody takes the order after so many seconds. Returns its number."""
        ...

    def take_orders(self, holder: str) -> list[Order]:
        """Orders for the leases of a holder, oldest first: each once per token, unless it has been answered."""
        ...

    def answer_order(self, number: int, answer: dict[str, Any]) -> None:
        """Say what came of an order; nothing happens when nobody waits for it any more."""
        ...

    def answer(self, number: int) -> dict[str, Any] | None:
        """What came of an order, or None as long as there is no answer."""
        ...

    def withdraw(self, number: int) -> dict[str, Any] | None:
        """Forget an order; its answer, if there was one by now."""
        ...

    def reset(self) -> None:
        """Forget all members and orders and free all leases: for a process that has the store to itself."""
        ...


class Presence(Enum):
    """What a process finds out of another one by the hub."""

    THERE = "answers"
    SILENT = "is connected to the hub, and does not answer"
    ABSENT = "is not connected to the hub"
    UNKNOWN = "cannot be judged, as this process is not well connected itself"


class Probe(Protocol):
    """Asks members by the hub whether they are there. Blocks for about a second at most, and never raises."""

    def __call__(self, members: Collection[str]) -> Mapping[str, Presence]:
        """The presence of each of these members' ids."""
        ...
