"""The embedded hub: frames pass by reference between threads, bounded by bytes over all lanes."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

from mainstem import tracing
from mainstem.contract.hub import Delivery
from mainstem.errors import CancelledError
from mainstem.model.batch import ChangeBatch, PlacedBatch, RawBatch
from mainstem.model.change import ChangeGroup
from mainstem.model.frame import Frame


def frame_bytes(frame: Frame) -> int:
    """What a frame counts towards the bound: its cells' bytes, wherever they are; control frames are free."""
    return frame.size_bytes if isinstance(frame, ChangeBatch | RawBatch | PlacedBatch | ChangeGroup) else 0


class MemoryHub:
    """Lanes that share one bound.

    Bytes are given back when a frame is received: its writer holds at most one. A frame larger than the bound passes
    alone, and is given back when its writer asks for the next; until then `publish` does not return, so that its reader
    holds no second one. A lane whose frames wait always has its own writer, so a full hub cannot block for ever.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self.peak_bytes = 0
        self.changed = threading.Condition()
        self._lanes: dict[int, MemoryLane] = {}

    def lane(self, number: int) -> MemoryLane:
        """The lane of that number, made when first asked for."""
        with self.changed:
            return self._lanes.setdefault(number, MemoryLane(self))

    def close(self) -> None:
        """Close all lanes."""
        for lane in list(self._lanes.values()):
            lane.close()

    def __enter__(self) -> MemoryHub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryLane:
    """One ordered path. `publish` and `receive` may be called from different threads."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self._frames: deque[Delivery] = deque()
        self._closed = False
        self._seq = self._received = 0
        self._held_bytes = 0  # of the frame in the writer's hands, if it is larger than the bound
        self.acked = 0

    def publish(self, frame: Frame) -> None:
        """Put a frame in; waits while the hub is full. Raises `CancelledError` once the lane is closed."""
        hub, size = self._hub, frame_bytes(frame)
        alone = size > hub.max_bytes
        with hub.changed:
            while not self._closed and hub.used_bytes > 0 and hub.used_bytes + size > hub.max_bytes:
                hub.changed.wait()
            if self._closed:
                raise CancelledError("the lane is closed")
            self._seq += 1
            self._frames.append(Delivery(self._seq, frame, tracing.carrier()))
            hub.used_bytes += size
            hub.peak_bytes = max(hub.peak_bytes, hub.used_bytes)
            hub.changed.notify_all()
            seq = self._seq
            del frame
            while alone and not self._closed and (self._received < seq or self._held_bytes):
                hub.changed.wait()
            if alone and self._closed:
                raise CancelledError("the lane is closed")

    def receive(self) -> Delivery | None:
        """The next frame; waits for one. None once the lane is closed and empty."""
        hub = self._hub
        with hub.changed:
            if self._held_bytes:
                hub.used_bytes -= self._held_bytes
                self._held_bytes = 0
                hub.changed.notify_all()
            while not self._frames and not self._closed:
                hub.changed.wait()
            return self._next()

    def poll(self) -> Delivery | None:
        """The next frame if there is one; never waits. None while a frame larger than the bound is in hand."""
        with self._hub.changed:
            return None if self._held_bytes else self._next()

    def _next(self) -> Delivery | None:
        if not self._frames:
            return None
        hub, delivery = self._hub, self._frames.popleft()
        self._received = delivery.seq
        size = frame_bytes(delivery.frame)
        if size > hub.max_bytes:
            self._held_bytes = size
        else:
            hub.used_bytes -= size
            hub.changed.notify_all()
        return delivery

    def ack(self, seq: int) -> None:
        """Remember the highest durable number; nothing is ever delivered twice by this hub."""
        self.acked = max(self.acked, seq)

    def close(self) -> None:
        """No more frames; wakes everyone who waits."""
        with self._hub.changed:
            self._closed = True
            self._hub.changed.notify_all()
