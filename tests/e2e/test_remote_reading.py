"""Runs whose source is read by another process: the same as any other, and when that process is lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pytest
from tools.compare import compare

from mainstem import bootstrap
from mainstem.engine.endpoint import Endpoint
from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.remote.loading import remote_target
from mainstem.hub.remote.serving import Serving
from mainstem.hub.remote.source import remote_source
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RunOptions, RunState
from mainstem.testing.nats import NatsServer, nats
from tests.e2e.routes import End, Route

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats() as started:
        yield started


@dataclass
class Apart:
    """A leader and processes that read for it, each with a connection of its own to NATS."""

    url: str
    route: Route
    options: RunOptions
    stack: ExitStack
    installation: str = field(default_factory=lambda: f"apart{secrets.token_hex(4)}")
    readers: dict[str, Serving] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)

    def link(self) -> NatsLink:
        address = read_address(self.url)
        assert address is not None
        return self.stack.enter_context(NatsLink(address, self.installation))

    def start_reader(self, name: str) -> None:
        serving = Serving(self.link(), name, lambda _: (*self.ends, self.options))
        self.readers[name] = self.stack.enter_context(serving)

    def lose(self, name: str) -> None:
        """The process is gone at once."""
        link = self.readers.pop(name)._link
        link.call(link.client.close())

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        return self.route.source.endpoint, self.route.target.endpoint

    def leading(self, stream_id: str, token: int = 1) -> Route:
        """The route as the leader goes it."""
        link, (source, target) = self.link(), self.ends
        hidden = replace(source.settings, password="unknown here", port=1)
        from_there = remote_source(source.spec, link, stream_id, token, lambda: list(self.readers), MIB)
        into = remote_target(target.spec, link, stream_id, token, list)
        found = Route(End(source.settings), End(target.settings))
        found.source.endpoint = Endpoint(from_there, hidden)
        found.target.endpoint = Endpoint(into, target.settings)
        return found


@contextmanager
def apart(server: NatsServer, route: Route, options: RunOptions, *names: str) -> Iterator[Apart]:
    with ExitStack() as stack:
        made = Apart(server.url, route, options, stack)
        for name in names or ("reader-1",):
            made.start_reader(name)
        yield made


def fill(route: Route, rows: int) -> None:
    source, words = route.source, route.source.words
    source.run(
        f"CREATE TABLE many (id BIGINT PRIMARY KEY, name VARCHAR(40), body {words['bytes']}, at {words['time']})",
        f"INSERT INTO many SELECT seq, CONCAT('Ünï-', seq), {words['any_bytes'].format(20)}, '2024-02-29 12:13:14.5'"
        f" FROM {source.rows(rows)}",
        f"CREATE TABLE large (id BIGINT PRIMARY KEY, body {words['bytes']})",
        f"INSERT INTO large SELECT seq, {words['any_bytes'].format(600_000)} FROM {source.rows(3)}",
        "CREATE TABLE nothing (id BIGINT PRIMARY KEY)",
    )


def test_a_copy_that_another_process_reads_is_the_same_in_every_direction(route: Route, server: NatsServer) -> None:
    fill(route, 30_000)
    options = RunOptions(jobs=2, memory_bytes=4 * MIB)
    with apart(server, route, options) as made:
        run_id = new_id(STREAM)
        led = made.leading(run_id)
        run = bootstrap.conversion(run_id, led.source.endpoint, led.target.endpoint, options, lambda event: None)
        progress = run.run()
    assert progress.state is RunState.FINISHED, progress.error
    assert progress.rows_written == 30_003
    assert [result for result in compare(route.source.settings, route.target.settings) if not result.same] == []
