"""Rows that pass through NATS: the same runs as with the embedded hub, and with a NATS that fails in every way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from tools.twins import Twins
from tools.workload import ACCOUNTS, TOTAL, Session, Workload, bank_sum, prepare

from mainstem import bootstrap
from mainstem.bootstrap.hubs import hubs
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
