"""The processes of one store: this one says that it lives, and knows which others do."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from mainstem import __version__
from mainstem.contract.fleet import FleetStore, Member
from mainstem.control.rounds import Rounds
from mainstem.model.ids import MEMBER, new_id

BEAT_S = 1.0
SILENT_S = 4.0
"""Who did not beat for so long is taken for dead."""
_FOR_EVER_S = 3e9


class Role(StrEnum):
    """What a process does: answer the API, read sources for writers elsewhere, lead streams."""

    API = "api"
    READER = "reader"
    WRITER = "writer"


ALL = frozenset(Role)


def this_process(roles: Iterable[Role] = ALL, address: str = "") -> Member:
    """A member that stands for this process."""
    named = tuple(sorted(role.value for role in roles))
    return Member(new_id(MEMBER), named, socket.gethostname(), os.getpid(), __version__, address)


class Membership:
    """This process among the others.

    Args:
        shared: there may be others; else nothing needs to be said again.
    """

    def __init__(self, store: FleetStore, me: Member, *, shared: bool) -> None:
        self._store, self._me, self._shared = store, me, shared
        self._beats = Rounds("beat", BEAT_S, self._beat)

    @property
    def me(self) -> Member:
        """This process, as it says of itself."""
        return self._me

    def has(self, role: Role) -> bool:
        """Whether this process has a role."""
        return role in self._me.roles

    @property
    def is_eldest(self) -> bool:
        """Whether this process is there the longest of all that live: what one of them should do is its to do."""
        return next((member.id for member in self.live()), self._me.id) == self._me.id

    def start(self) -> None:
        """Be there."""
        self._beat()
        if self._shared:
            self._beats.start()

    def live(self, role: Role | None = None) -> list[Member]:
        """All that live, or those with a role; the longest there first."""
        found = self._store.members(SILENT_S if self._shared else _FOR_EVER_S)  # one that is alone beats once
        return [member for member in found if role is None or role in member.roles]

    def others(self, role: Role) -> list[Member]:
        """Those of a role that live, but for this process."""
        return [member for member in self.live(role) if member.id != self._me.id]

    def retire(self) -> None:
        """Take on nothing new: others see that this process is about to end."""
        self._me = replace(self._me, roles=())
        self._beat()

    def close(self) -> None:
        """Be there no more."""
        self._beats.close()
        self._store.leave(self._me.id)

    def _beat(self) -> None:
        self._store.beat(self._me)
