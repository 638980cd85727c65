"""Whether a process is there, asked by NATS."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import pytest

from mainstem.contract.fleet import Presence
from mainstem.hub import probing
from mainstem.hub.address import read_address
from mainstem.hub.calls import subject_of
from mainstem.hub.callserver import CallServer
from mainstem.hub.link import NatsLink
from mainstem.hub.probing import Prober
from mainstem.testing.nats import NatsServer
from mainstem.testing.proxy import Proxy


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is steady from its beginning."""
    monkeypatch.setattr(probing, "STEADY_S", 1e-9)


def wait_until(condition: Callable[[], bool]) -> None:
    """On a machine that is busy, NATS may now and then not answer in time; then a probe does not judge."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline


def test_who_serves_calls_is_there_and_who_does_not_is_absent_or_silent(link: NatsLink) -> None:
    probe = Prober(link)
    assert probe([]) == {}

    async def deaf(_: object) -> None:
        return

    link.call(link.client.subscribe(subject_of(link, "deaf"), cb=deaf))
    found = {"lively": Presence.THERE, "deaf": Presence.SILENT, "gone": Presence.ABSENT}
    with CallServer(link, "lively"):
        wait_until(lambda: probe(list(found)) == found)
    wait_until(lambda: probe(["lively"]) == {"lively": Presence.ABSENT})


def test_who_is_cut_off_from_nats_or_was_so_a_moment_ago_does_not_judge(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(nats_server.port) as proxy:
        address = read_address(f"nats://127.0.0.1:{proxy.port}")
        assert address is not None
        with NatsLink(address, f"i{secrets.token_hex(6)}") as link:
            probe = Prober(link)
            wait_until(lambda: probe(["gone"]) == {"gone": Presence.ABSENT})
            proxy.silent = True
            assert probe(["gone"]) == {"gone": Presence.UNKNOWN}
            proxy.silent = False
            monkeypatch.setattr(probing, "STEADY_S", 600.0)
            assert probe(["gone"]) == {"gone": Presence.UNKNOWN}
            proxy.reset()
        assert link.steady_s == 0.0
        assert probe(["gone"]) == {"gone": Presence.UNKNOWN}
