"""Asks other processes by NATS whether they are there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping

import nats.errors

from mainstem.contract.fleet import Presence
from mainstem.errors import MainstemError
from mainstem.hub import envelopes
from mainstem.hub.calls import subject_of
from mainstem.hub.link import NatsLink

ANSWER_S = 0.5
STEADY_S = 3.0
"""Who has been connected for less does not judge: after a restart of NATS the others may be on their way back."""


class Prober:
    """See `contract.fleet.Probe`. Who serves calls (`callserver`) answers: that it knows no such session."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link

    def __call__(self, members: Collection[str]) -> Mapping[str, Presence]:
        """The presence of each."""
        found = dict.fromkeys(members, Presence.UNKNOWN)
        if members and self._link.steady_s >= STEADY_S:
            with contextlib.suppress(MainstemError):
                found = self._link.call(self._ask(list(members)), 4 * ANSWER_S)
        return found

    async def _ask(self, members: list[str]) -> dict[str, Presence]:
        asked = [asyncio.ensure_future(self._of(member)) for member in members]
        good = await self._answers()
        found = await asyncio.gather(*asked)
        if not good or self._link.steady_s < STEADY_S:  # it is this process that is cut off
            found = [one if one is Presence.THERE else Presence.UNKNOWN for one in found]
        return dict(zip(members, found, strict=True))

    async def _of(self, member: str) -> Presence:
        (question,) = envelopes.pack(self._link, {"is": "ping", "s": "probe", "waits": []})
        try:
            await self._link.client.request(subject_of(self._link, member), question, timeout=ANSWER_S)
        except nats.errors.NoRespondersError:
            return Presence.ABSENT
        except (TimeoutError, nats.errors.TimeoutError):
            return Presence.SILENT
        except (nats.errors.Error, MainstemError, OSError):
            return Presence.UNKNOWN
        return Presence.THERE

    async def _answers(self) -> bool:
        """Whether NATS answers this process."""
        try:
            await self._link.client.flush(1)
        except (TimeoutError, nats.errors.Error, MainstemError, OSError):
            return False
        return True
