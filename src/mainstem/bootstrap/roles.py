"""What a process does in a fleet: the runs that it leads, and what it serves to those that lead others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mainstem.bootstrap import run_of
from mainstem.bootstrap.hubs import Behind, InMemory, OnNats
from mainstem.contract.target import Target
from mainstem.control.fleet import Fleet
from mainstem.control.members import ALL, Role
from mainstem.control.runs import Ends, Run
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import InvalidError, PlanError
from mainstem.hub.address import read_address
from mainstem.model.event import Event
from mainstem.model.run import RunOptions
from mainstem.settings import Settings

if TYPE_CHECKING:
    from mainstem.hub.callserver import Opening
    from mainstem.hub.link import NatsLink


def roles_of(settings: Settings) -> frozenset[Role]:
    """What this process is to do; `InvalidError` when it needs others for it and could not meet them."""
    roles = frozenset(Role(name) for name in settings.roles)
    if roles == ALL:
        return roles
    fields = {}
    if settings.resolved_store_url.startswith("sqlite"):
        fields["MAINSTEM_STORE_URL"] = "must be a PostgreSQL database, which several processes can share"
    if settings.hub is None or read_address(settings.hub.get_secret_value()) is None:
        fields["MAINSTEM_HUB"] = "must be nats://…, by which the processes call each other"
    if fields:
        raise InvalidError(
            f"a process with role {settings.role} alone cannot meet the others",
            fields=fields,
            remedy=f"set {' and '.join(fields)}, or let one process do all: MAINSTEM_ROLE=all",
        )
    return roles


class Runs:
    """Makes the runs of streams that this process leads.

    One that reads itself does so as if it were alone. Else the source is read by a process with role reader, rows pass
    through NATS on their way from there, and those of copies are written by all processes with role writer in turn.
    """

    def __init__(self, hub: InMemory | OnNats, fleet: Fleet) -> None:
        self._hub, self._fleet = hub, fleet

    def __call__(
        self, run_id: str, source: Endpoint, target: Endpoint, options: RunOptions, listen: Callable[[Event], None],
        begun: bool,
    ) -> Run:  # fmt: skip
        """See `control.runs.MakeRun`."""
        link = self._hub.link
        if link is None or self._fleet.members.has(Role.READER):
            return run_of(run_id, source, target, options, listen, begun, self._hub)
        from mainstem.hub.remote.loading import remote_target
        from mainstem.hub.remote.source import remote_source

        readers, writers = partial(self._others, Role.READER), partial(self._others, Role.WRITER)
        there = remote_source(source.spec, link, run_id, options.token, readers, options.memory_bytes)
        shared = remote_target(target.spec, link, run_id, options.token, writers)
        ends = replace(source, spec=there), replace(target, spec=shared)
        return run_of(run_id, *ends, options, listen, begun, Behind(link))

    def through(self, run_id: str, token: int, ends: Ends) -> Ends:
        """See `control.runs.Through`: an API server has the source asked by a process that reads, if one is there."""
        link, members = self._hub.link, self._fleet.members
        near = members.has(Role.READER) or members.has(Role.WRITER)
        if link is None or near or not self._others(Role.READER):
            return ends
        from mainstem.hub.remote.source import remote_source

        source, target, options = ends
        there = remote_source(source.spec, link, run_id, token, partial(self._others, Role.READER))
        return replace(source, spec=there), target, options

    def _others(self, role: Role) -> list[str]:
        return [member.id for member in self._fleet.members.others(role)]


def serving(hub: InMemory | OnNats, fleet: Fleet, ends: Callable[[str], Ends]) -> AbstractContextManager[object]:
    """Serve those that lead streams, as the roles of this process say.

    Args:
        ends: both systems and the options of a stream, by its id.
    """
    roles = [role for role in (Role.READER, Role.WRITER) if fleet.members.has(role)]
    if hub.link is None or not fleet.shared or not roles:
        return nullcontext()
    return _served(hub.link, fleet, ends)


@contextmanager
def _served(link: NatsLink, fleet: Fleet, ends: Callable[[str], Ends]) -> Iterator[None]:
    from mainstem.hub.remote.loaderdesk import LOADER, loader_offer
    from mainstem.hub.remote.serving import Serving

    def target_of(opening: Opening) -> Target:
        _, target, options = ends(opening.stream_id)
        if target.spec.target is None:
            raise PlanError(f"{target.spec.title} cannot be a target yet")
        return target.spec.target(target.settings, replace(options, token=opening.token))

    served = Serving(link, fleet.members.me.id, ends, reads=fleet.members.has(Role.READER))
    if fleet.members.has(Role.WRITER):
        served.server.offer(LOADER, loader_offer(link, target_of))
    with served:
        yield
