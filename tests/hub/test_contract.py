"""What every hub does, whatever carries its frames."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pyarrow as pa
import pytest

from mainstem.contract.hub import Hub
from mainstem.errors import CancelledError
from mainstem.model.batch import ChangeBatch, RawBatch
from mainstem.model.frame import Abort, Begin, Chunk, Commit, Frame
from mainstem.model.names import TableId

TABLE = TableId("shop", "t")
CHUNK = Chunk(TABLE, 0, "1", "9")
Make = Callable[[int], Hub]
MIB = 1024 * 1024


def batch(size_bytes: int, cell: bytes = b"x") -> ChangeBatch:
    return ChangeBatch(TABLE, pa.record_batch([pa.array([cell, None])], names=["c0"]), size_bytes)


def raw(size_bytes: int) -> RawBatch:
    return RawBatch(TABLE, b"\x07" * size_bytes, 1)


def test_frames_of_a_lane_come_out_in_order_and_numbered(make_hub: Make) -> None:
    lane = make_hub(MIB).lane(0)
    frames: list[Frame] = [Begin(CHUNK, 1), batch(10), Commit(CHUNK, 1), Begin(CHUNK, 2, careful=True), Abort(CHUNK)]
    for frame in frames:
        lane.publish(frame)
    received = [lane.receive() for _ in frames]
    assert [item and (item.seq, item.frame) for item in received] == list(enumerate(frames, start=1))


def test_lanes_do_not_mix(make_hub: Make) -> None:
    hub = make_hub(MIB)
    lanes = [hub.lane(number) for number in range(3)]
    for number, lane in enumerate(lanes):
        lane.publish(batch(1, b"%d" % number))
    for number, lane in reversed(list(enumerate(lanes))):
        delivery = lane.receive()
        assert delivery is not None
        assert delivery.frame == batch(1, b"%d" % number)


def test_a_lane_is_the_same_each_time_it_is_asked_for(make_hub: Make) -> None:
    hub = make_hub(MIB)
    assert hub.lane(0) is hub.lane(0)


def test_ten_times_the_bound_passes_with_a_writer_that_takes_it(make_hub: Make) -> None:
    lane = make_hub(4 * MIB).lane(0)
    count = 40

    def publish() -> None:
        for _ in range(count):
            lane.publish(raw(MIB))
        lane.close()

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    sizes = []
    while (delivery := lane.receive()) is not None:
        assert isinstance(delivery.frame, RawBatch)
        sizes.append(delivery.frame.size_bytes)
    thread.join(60)
    assert sizes == [MIB] * count


def test_a_frame_larger_than_the_bound_and_than_a_message_passes(make_hub: Make) -> None:
    lane = make_hub(2 * MIB).lane(0)
    data = bytes(range(256)) * (64 * 1024)

    def publish() -> None:
        lane.publish(RawBatch(TABLE, data, 7))
        lane.close()

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    delivery = lane.receive()
    assert delivery is not None
    assert isinstance(delivery.frame, RawBatch)
    assert bytes(delivery.frame.data) == data
    assert lane.receive() is None
    thread.join(60)
    assert not thread.is_alive()


def test_poll_never_waits(make_hub: Make) -> None:
    lane = make_hub(MIB).lane(0)
    assert lane.poll() is None
    lane.publish(batch(1))
    lane.publish(batch(2))
    assert lane.receive() is not None
    lane.close()
    assert lane.receive() is not None


def test_a_closed_lane_gives_what_is_left_and_then_none(make_hub: Make) -> None:
    lane = make_hub(MIB).lane(0)
    lane.publish(batch(1))
    lane.close()
    assert lane.receive() is not None
    assert lane.receive() is None
    assert lane.receive() is None
    with pytest.raises(CancelledError):
        lane.publish(batch(1))


def test_closing_the_hub_wakes_a_publisher_that_waits(make_hub: Make) -> None:
    hub = make_hub(2 * MIB)
    lane = hub.lane(0)
    outcome: list[BaseException] = []

    def publish() -> None:
        try:
            for _ in range(1000):
                lane.publish(raw(MIB))
        except CancelledError as exc:
            outcome.append(exc)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    hub.close()
    thread.join(60)
    assert len(outcome) == 1


def test_closing_the_hub_wakes_a_receiver_that_waits(make_hub: Make) -> None:
    hub = make_hub(MIB)
    lane = hub.lane(0)
    received: list[object] = []
    thread = threading.Thread(target=lambda: received.append(lane.receive()), daemon=True)
    thread.start()
    hub.close()
    thread.join(60)
    assert received == [None]
