"""What is done to a fleet. Each fault ends with everything running and connected again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random

import psutil
from tools.fleet.stage import LiveStream, Stage

from mainstem.testing.fleet import Node, wait_until
from mainstem.testing.nats import stream_leaders
from mainstem.testing.proxy import Proxy

FROZEN_S = 15.0
"""Longer than a lease: another process has taken over when a frozen one goes on."""
_PLACES = ("applier.before_commit", "applier.before_checkpoint", "applier.after_apply", "stream.received",
           "stream.committed")  # fmt: skip
_REACHED_S = 60.0


@dataclass(frozen=True, slots=True)
class Struck:
    """What was hit and when (monotonic); ``others_go_on``: other processes must go on with its work."""

    what: str
    at: float
    others_go_on: bool


Strike = Callable[[Stage, LiveStream, Random], Iterator[Struck]]
"""Yields once it has struck; what comes behind mends it."""


def kill_leader(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """SIGKILL of the writer that leads the stream; it comes back after a while."""
    yield from _kill(stream.leader(), random, goes_on=True)


def kill_other_writer(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """SIGKILL of a writer that does not lead."""
    leader = stream.leader()
    yield from _kill(random.choice([node for node in stage.fleet.of_role("writer") if node is not leader]), random)


def kill_reader(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """SIGKILL of a reader; the leader has another one read."""
    yield from _kill(random.choice(stage.fleet.of_role("reader")), random, goes_on=True)


def kill_api(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """SIGKILL of an API server."""
    yield from _kill(random.choice(stage.fleet.of_role("api")), random)


def end_leader(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """The leader is ended in order (SIGTERM), as for a new version."""
    node = stream.leader()
    code = node.stop()
    yield Struck(f"{node.name} ended in order (exit code {code})", time.monotonic(), True)
    node.start()


def kill_nats(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """SIGKILL of NATS, which comes back with nothing (its streams are in its memory)."""
    server = random.choice(stage.hub)
    yield Struck("NATS", _now(server.kill), False)
    time.sleep(random.uniform(0.2, 4))
    server.start()


def kill_nats_leader(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """SIGKILL of a NATS that follows, and after its return of the one that leads the run's stream."""
    leader = _hub_leader(stage, stream)
    follower = next(server for number, server in enumerate(stage.hub) if number != leader)
    follower.kill()
    time.sleep(random.uniform(1, 3))
    follower.start()
    server = stage.hub[_hub_leader(stage, stream)]
    yield Struck(f"NATS n{stage.hub.index(server)}, which led, after n{stage.hub.index(follower)}, which did not",
                 _now(server.kill), False)  # fmt: skip
    time.sleep(random.uniform(1, 3))
    server.start()


def freeze_leader(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """The leader stands still anywhere for longer than its lease, and then goes on."""
    yield from _frozen(stream, stream.leader(), time.monotonic())


def freeze_leader_in_transaction(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """The leader stands still in the middle of a transaction for longer than its lease, and then tries to commit it."""
    leader, place = stream.leader(), random.choice(_PLACES)
    stage.fleet.arm(place, "freeze")
    try:
        wait_until(lambda: _is_frozen(leader), f"{leader.name} passes {place}", _REACHED_S, stage.fleet.story)
    finally:
        stage.fleet.disarm()
    yield from _frozen(stream, leader, time.monotonic(), place)


def cut_leader_from_hub(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """No byte passes between the leader and the hub."""
    leader = stream.leader()
    yield from _cut(leader.links.hub, random, f"{leader.name} | hub")


def cut_reader_from_hub(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """No byte passes between a reader and the hub."""
    reader = random.choice(stage.fleet.of_role("reader"))
    yield from _cut(reader.links.hub, random, f"{reader.name} | hub")


def cut_leader_from_store(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """The leader cannot renew its lease for longer than that lasts, while it reaches everything else."""
    leader = stream.leader()
    with _silent([leader.links.store]):
        yield Struck(f"{leader.name} | store", time.monotonic(), True)
        time.sleep(random.uniform(8, 12))


def restart_store(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """The store's database is ended and started again."""
    begin = time.monotonic()
    if stage.store_server is not None:
        stage.store_server.stop()
        time.sleep(random.uniform(0, 3))
        stage.store_server.start()
    yield Struck("the store's PostgreSQL restarted", begin, False)


def reset_databases(stage: Stage, stream: LiveStream, random: Random) -> Iterator[Struck]:
    """All connections to the source or to the target break."""
    number = random.randrange(2)
    yield Struck(("source", "target")[number] + " connections reset", _now(stream.proxies[number].reset), False)


ONE_NATS: tuple[Strike, ...] = (
    kill_leader, kill_leader, kill_reader, kill_other_writer, kill_api, kill_nats, end_leader, freeze_leader,
    freeze_leader_in_transaction, cut_leader_from_hub, cut_reader_from_hub, cut_leader_from_store, restart_store,
    reset_databases,
)  # fmt: skip
CLUSTER: tuple[Strike, ...] = (
    kill_nats, kill_nats_leader, kill_leader, kill_reader, cut_leader_from_hub, cut_reader_from_hub,
)  # fmt: skip
"""Of a cluster any one server may be lost."""


def _kill(node: Node, random: Random, *, goes_on: bool = False) -> Iterator[Struck]:
    yield Struck(node.name, _now(node.kill), goes_on)
    time.sleep(random.uniform(0.5, 3))
    node.start()


def _frozen(stream: LiveStream, node: Node, since: float, place: str = "") -> Iterator[Struck]:
    node.freeze()
    try:
        yield Struck(f"{node.name} frozen{' at ' + place if place else ''}", since, True)
        time.sleep(max(0.0, since + FROZEN_S - time.monotonic()))
    finally:
        node.thaw()


def _is_frozen(node: Node) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(node.pid).status() == psutil.STATUS_STOPPED)
    return False


def _cut(links: list[Proxy], random: Random, what: str) -> Iterator[Struck]:
    with _silent(links):
        yield Struck(what, time.monotonic(), False)
        time.sleep(random.uniform(1, 12))


@contextmanager
def _silent(links: list[Proxy]) -> Iterator[None]:
    """A cable that was pulled; when it is back, the connections of before are gone."""
    for link in links:
        link.silent = True
    try:
        yield
    finally:
        for link in links:
            link.reset()
            link.silent = False


def _hub_leader(stage: Stage, stream: LiveStream) -> int:
    """The server that leads a JetStream stream of the run; of any if there is none."""
    leaders: dict[str, int] = {}

    def known() -> bool:
        with suppress(Exception):  # a cluster that is choosing
            leaders.update(stream_leaders(stage.hub))
        return bool(leaders)

    wait_until(known, "a stream of the hub has a leader", _REACHED_S)
    return next((number for name, number in leaders.items() if stream.id in name), next(iter(leaders.values())))


def _now(action: Callable[[], object]) -> float:
    """Do it; when it was done."""
    action()
    return time.monotonic()
