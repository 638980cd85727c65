"""Hubs of every kind, for the suite that all of them pass."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from mainstem.contract.hub import Hub
from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.memory import MemoryHub
from mainstem.hub.nats import NatsHub
from mainstem.testing.nats import NatsServer, nats


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """A NATS of this session, with JetStream."""
    with nats() as server:
        yield server


@pytest.fixture(scope="module")
def link(nats_server: NatsServer) -> Iterator[NatsLink]:
    """A connection to it, of an installation of this module."""
    address = read_address(nats_server.url)
    assert address is not None
    with NatsLink(address, f"i{secrets.token_hex(6)}") as opened:
        yield opened


@pytest.fixture(params=["memory", "nats"])
def make_hub(request: pytest.FixtureRequest) -> Iterator[Callable[[int], Hub]]:
    """Makes hubs of each kind, bounded by so many bytes; they end with the test."""
    made: list[Hub] = []
    nats_link = request.getfixturevalue("link") if request.param == "nats" else None

    def make(max_bytes: int) -> Hub:
        hub: Hub = MemoryHub(max_bytes) if nats_link is None else NatsHub(nats_link, secrets.token_hex(6), max_bytes)
        made.append(hub)
        return hub

    yield make
    for hub in made:
        hub.__exit__(None, None, None)
