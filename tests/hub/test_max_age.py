"""A hub that drops what has waited for too long: it is found out, whatever comes behind it or not."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from nats.js.api import StreamState

from mainstem.contract.hub import Delivery, HubAge
from mainstem.errors import LostConnectionError
from mainstem.hub import sending as sending_module
from mainstem.hub.address import read_address
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub, NatsHubs
from mainstem.hub.receiving import UNACKED, ReceivingLane
from mainstem.hub.sending import SendingLane
from mainstem.model.batch import RawBatch
from mainstem.model.names import TableId
from mainstem.testing.nats import NatsServer
from mainstem.testing.proxy import Proxy

MIB, BYTES = 1024 * 1024, 10_000
MAX_AGE_S = 2.0


def open_link(port: int, installation: str = "", max_age_s: float = MAX_AGE_S) -> NatsLink:
    address = read_address(f"nats://127.0.0.1:{port}")
    assert address is not None
    return NatsLink(replace(address, max_age_s=max_age_s), installation or f"i{secrets.token_hex(6)}")


@pytest.fixture
def link(nats_server: NatsServer) -> Iterator[NatsLink]:
    """A connection whose hubs drop what has waited for `MAX_AGE_S`."""
    with open_link(nats_server.port) as opened:
        yield opened


def batch(number: int) -> RawBatch:
    return RawBatch(TableId("shop", "t"), os.urandom(BYTES), number)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def numbers(receive: Callable[[], Delivery | None], count: int) -> list[int]:
    """What is in so many frames that come next."""
    found = []
    for _ in range(count):
        delivery = receive()
        assert delivery is not None
        assert isinstance(delivery.frame, RawBatch)
        found.append(delivery.frame.count)
    return found


def test_how_long_the_oldest_has_waited_is_told_beside_how_long_it_may(nats_server: NatsServer) -> None:
    with open_link(nats_server.port, max_age_s=3600.0) as link, NatsHubs(link, "stream_a")(MIB) as hub:
        assert link.age("stream_a") == HubAge(0.0, 3600.0)
        lane = hub.lane(0)
        lane.publish(batch(1))
        wait_until(lambda: (age := link.age("stream_a")) is not None and age.oldest_s > 0.1)
        assert link.age("stream_b") == HubAge(0.0, 3600.0)
        (fill,) = link.measured().fills
        assert (fill.stream_id, fill.max_age_s, fill.oldest_s > 0.1) == ("stream_a", 3600.0, True)


def state_of(hub: NatsHub) -> StreamState:
    return hub.link.call(hub.link.js.stream_info(hub.stream)).state


def receive_all(lane: ReceivingLane, got: list[int]) -> None:
    """Until an error."""
    got.extend(iter(lambda: numbers(lane.receive, 1)[0], None))


def test_a_receiver_that_is_held_up_for_too_long_gives_up_its_lane_behind_what_it_has(link: NatsLink) -> None:
    with NatsHub(link, "held", 4 * MIB) as hub:
        receiving, sending = ReceivingLane(link, hub.place(0)), SendingLane(link, hub.place(0))
        for number in range(UNACKED + 20):
            sending.publish(batch(number))
        wait_until(lambda: receiving._life.over)
        got: list[int] = []
        with pytest.raises(LostConnectionError, match="longer than its max_age of 2 s"):
            receive_all(receiving, got)
        assert got == list(range(len(got)))
        receiving.release()
        sending.release()


def test_a_lane_whose_receiver_is_told_again_and_again_what_was_sent_goes_on(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_module, "NOTES", 600)
    with open_link(nats_server.port, max_age_s=60.0) as link, NatsHub(link, "rests", 4 * MIB) as hub:
        lane = hub.lane(0)
        lane.publish(batch(0))
        assert numbers(lane.receive, 1) == [0]
        before = lane._receiving._order._last
        wait_until(lambda: lane._receiving._order._last >= before + 5)
        for number in range(3):
            lane.publish(batch(number))
        lane.close()
        assert numbers(lane.receive, 3) == [0, 1, 2]
        assert lane.receive() is None


@pytest.mark.parametrize("later", [0, 30], ids=["nothing comes behind it", "more comes behind it"])
def test_what_was_dropped_while_the_receiver_was_cut_off_is_missed_when_it_is_back(
    link: NatsLink, nats_server: NatsServer, later: int
) -> None:
    got: list[int] = []
    with (
        Proxy(nats_server.port) as proxy,
        open_link(proxy.port, link.installation) as far,
        NatsHub(link, "cut", 4 * MIB) as hub,
        ThreadPoolExecutor(1) as pool,
    ):
        sending, receiving = SendingLane(link, hub.place(0)), ReceivingLane(far, hub.place(0))
        received = pool.submit(receive_all, receiving, got)
        sending.publish(batch(0))
        wait_until(lambda: got == [0])
        proxy.silent = True
        for number in range(1, 4):
            sending.publish(batch(number))
        wait_until(lambda: state_of(hub).last_seq >= 4)
        wait_until(lambda: state_of(hub).bytes < BYTES)
        for number in range(later):
            sending.publish(batch(number))
        proxy.reset()
        proxy.silent = False
        with pytest.raises(LostConnectionError, match="longer than its max_age"):
            received.result(60)
        sending.release()
        receiving.release()
    assert got == [0]
