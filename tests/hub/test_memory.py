from __future__ import annotations

import threading

import pyarrow as pa

from mainstem.errors import CancelledError
from mainstem.hub.memory import MemoryHub
from mainstem.model.batch import ChangeBatch
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId

TABLE = TableId("shop", "t")
CHUNK = Chunk(TABLE, 0)


def batch(size_bytes: int) -> ChangeBatch:
    return ChangeBatch(TABLE, pa.record_batch([pa.array([b"x"])], names=["c0"]), size_bytes)


def test_a_full_hub_makes_the_publisher_wait_until_a_frame_is_received() -> None:
    hub = MemoryHub(100)
    lane = hub.lane(0)
    lane.publish(batch(60))
    published = threading.Event()

    def publish() -> None:
        lane.publish(batch(60))
        published.set()

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    assert not published.wait(0.1)
    assert lane.receive() is not None
    assert published.wait(60)
    thread.join(60)
    assert hub.peak_bytes <= 100


def test_a_frame_larger_than_the_bound_passes_alone_and_holds_its_publisher_until_it_is_dealt_with() -> None:
    hub = MemoryHub(100)
    lane = hub.lane(0)
    published = threading.Event()

    def publish() -> None:
        lane.publish(batch(1000))
        published.set()
        lane.publish(batch(1))

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    assert lane.receive() is not None
    assert hub.used_bytes == 1000
    assert not published.wait(0.1)
    assert lane.receive() is not None
    assert published.is_set()
    assert hub.used_bytes == 0
    thread.join(60)


def test_closing_wakes_the_publisher_of_a_frame_larger_than_the_bound() -> None:
    lane = MemoryHub(10).lane(0)
    outcome: list[BaseException] = []

    def publish() -> None:
        try:
            lane.publish(batch(1000))
        except CancelledError as exc:
            outcome.append(exc)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    assert lane.receive() is not None
    lane.close()
    thread.join(60)
    assert len(outcome) == 1


def test_closing_wakes_a_publisher_that_waits() -> None:
    hub = MemoryHub(10)
    lane = hub.lane(0)
    lane.publish(batch(10))
    outcome: list[BaseException] = []

    def publish() -> None:
        try:
            lane.publish(batch(10))
        except CancelledError as exc:
            outcome.append(exc)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    hub.close()
    thread.join(60)
    assert len(outcome) == 1
