"""Which process reads for a run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mainstem.errors import ConnectError, LostConnectionError, MainstemError
from mainstem.hub.calls import CallSession, caller_of
from mainstem.hub.link import NatsLink
from mainstem.log import logger

_log = logger(__name__)


class Readers:
    """Opens sessions with a process that reads: with the same one as long as it answers, then with another.

    Args:
        members: the processes that can read, by their members' ids, as they are known now.
    """

    def __init__(self, link: NatsLink, stream_id: str, token: int, members: Callable[[], Sequence[str]]) -> None:
        self.link, self.stream_id, self.token = link, stream_id, token
        self._members = members
        self._preferred = ""

    def open(self, kind: str) -> CallSession:
        """A session. One that is not there any more, or does not reach the source, is passed over.

        Raises:
            LostConnectionError: there is no process that reads, or none of them answers.
            ConnectError: none of them reaches the source.
            MainstemError: as the side that opens it raises.
        """
        met: MainstemError = LostConnectionError(
            "no process that reads is there", remedy="start one: mainstem serve --role reader"
        )
        for member in self._order():
            try:
                session = caller_of(self.link).open(member, kind, self.stream_id, self.token)
            except (LostConnectionError, ConnectError) as exc:
                _log.warning("a reader cannot be used", member=member, kind=kind, error=str(exc))
                met = exc
                if self._preferred == member:
                    self._preferred = ""
                continue
            self._preferred = member
            return session
        raise met

    @contextmanager
    def session(self, kind: str) -> Iterator[CallSession]:
        """The same for a few questions."""
        with self.open(kind) as opened:
            yield opened

    def _order(self) -> list[str]:
        members = list(self._members())
        random.shuffle(members)
        return sorted(members, key=lambda member: member != self._preferred)
