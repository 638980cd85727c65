"""Rows that pass through NATS: the same runs as with the embedded hub, and with a NATS that fails in every way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest
from nats.js.api import StreamState
from tools.twins import Twins
from tools.workload import ACCOUNTS, TOTAL, Session, Workload, bank_sum, prepare

from mainstem import bootstrap
from mainstem.bootstrap.hubs import OnNats, hubs
from mainstem.engine import watch
from mainstem.hub import receiving
from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RunOptions
from mainstem.testing.nats import NatsServer, nats
from mainstem.testing.proxy import Proxy
from tests.e2e.routes import End, Route, fill
from tests.e2e.streams import ended_by_request, following, wait_until
from tests.e2e.test_changes_network import FAULTS


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats() as started:
        yield started


def test_a_copy_through_nats_is_the_same_in_every_direction(route: Route, server: NatsServer) -> None:
    fill(route.source, 30_000)
    with hubs(server.url, "copies") as of:

        def copy(options: RunOptions | None = None) -> bootstrap.Conversion:
            ends = route.source.endpoint, route.target.endpoint
            return bootstrap.conversion(new_id(STREAM), *ends, options or RunOptions(), lambda event: None, hubs=of)

        through = Route(route.source, route.target)
        through.conversion = copy  # type: ignore[method-assign]
        progress = through.copy(RunOptions(jobs=2, memory_bytes=4 * 1024 * 1024))
    assert progress.rows_written == 30_003


def forgetful(server: NatsServer) -> None:
    """A server that is gone at once, and comes back with nothing."""
    server.kill()
    server.start()


def test_a_nats_that_fails_in_every_way_delays_a_replication_and_changes_nothing(ends: Twins) -> None:
    prepare(ends.source)
    with ExitStack() as stack:
        server = stack.enter_context(nats())
        proxy = stack.enter_context(Proxy(server.port))
        of = stack.enter_context(hubs(f"nats://127.0.0.1:{proxy.port}", "faults"))
        stream = stack.enter_context(following(Route(End(ends.source), End(ends.target)), hubs=of))
        faults = [*(partial(fault, proxy) for fault in FAULTS), partial(forgetful, server)]
        with stream.running() as replication, Session(ends.target) as target:
            with Workload(ends.source, seed=7, writers=1, pause_s=0.005) as writers:
                for fault in faults:
                    before, position = writers.rows, replication.progress().changes
                    fault()
                    wait_until(lambda before=before: writers.rows > before + 50)
                    wait_until(lambda position=position: replication.progress().changes != position, stream.said)
                    assert bank_sum(target) == (ACCOUNTS, TOTAL)
            assert ends.wait_until_equal() == [], stream.said()[-10:]
        assert ended_by_request(stream)


def test_what_a_hub_dropped_because_the_writer_was_held_up_is_read_from_the_source_again(
    ends: Twins, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "UNACKED", 4)
    monkeypatch.setattr(watch, "AGE_EVERY_S", 0.1)
    address = read_address(server.url)
    assert address is not None
    prepare(ends.source)
    with ExitStack() as stack:
        link = stack.enter_context(NatsLink(replace(address, max_age_s=3.0), "aged"))
        stream = stack.enter_context(following(Route(End(ends.source), End(ends.target)), hubs=OnNats(link)))
        holder = stack.enter_context(Session(ends.target))
        with stream.running():
            holder.run("BEGIN", "UPDATE accounts SET balance = balance")  # what is applied waits for this
            with Workload(ends.source, seed=7, writers=1, pause_s=0.005):
                wait_until(lambda: link.measured().waiting_messages > 10, link.measured)
                wait_until(lambda: any("what waits in the hub has waited" in text for text in stream.said()))
            last = max(state.last_seq for state in states(link))
            wait_until(lambda: all(state.first_seq > last for state in states(link)))
            holder.run("ROLLBACK")
            wait_until(lambda: any("max_age" in text for text in stream.said()), stream.said)
            assert bank_sum(holder) == (ACCOUNTS, TOTAL)
            assert ends.wait_until_equal() == [], stream.said()[-10:]
        assert ended_by_request(stream)


def states(link: NatsLink) -> list[StreamState]:
    """Of the JetStream streams of the runs of an installation."""
    found = [
        info for info in link.call(link.js.streams_info()) if f"_{link.namespace}_run_" in (info.config.name or "")
    ]
    return [info.state for info in found]
