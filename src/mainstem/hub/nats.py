"""The hub on NATS JetStream: one stream for each hub, one subject for each lane.

A stream is a work queue with a bound that refuses what is new: nothing is ever dropped to make room, and a publisher
waits until its writer has taken something. With a limit of age, what waited for longer is dropped; the receiving half
of its lane finds that out. What is in it need not be durable: the target's checkpoint and the source's log say where to
go on, so that a hub that is lost costs a new try, and no row.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import threading
from types import TracebackType

import nats.errors
from nats.js import api
from nats.js import errors as js_errors

from mainstem.contract.hub import Delivery
from mainstem.errors import MainstemError
from mainstem.hub.lane import LaneLife
from mainstem.hub.link import INSTALLATION, NatsLink, stream_name
from mainstem.hub.receiving import ReceivingLane
from mainstem.hub.sending import SendingLane
from mainstem.model.batch import Place
from mainstem.model.frame import Frame

_SAME_S = 120.0
"""For so long a message that is offered again is known by its id; JetStream wants it to be no more than the age."""


class NatsHubs:
    """Makes the hubs of one start of a run. What an earlier start left on the server is removed with the first one."""

    def __init__(self, link: NatsLink, run_id: str) -> None:
        self._link, self._run_id = link, run_id
        self._start = secrets.token_hex(4)
        self._made = itertools.count()
        self._cleaning = threading.Lock()
        self._clean = False

    def __call__(self, max_bytes: int) -> NatsHub:
        """A hub, bounded by so many bytes of what waits in it, over all lanes."""
        with self._cleaning:
            if not self._clean:
                self._link.call(self._remove_old())
                self._clean = True
        return NatsHub(self._link, f"{self._run_id}_{self._start}_{next(self._made)}", max_bytes)

    async def _remove_old(self) -> None:
        js, prefix = self._link.js, stream_name(self._link.namespace, f"run_{self._run_id}_")
        for name in await self._names():
            if name.startswith(prefix) and name not in self._link.hubs:
                with contextlib.suppress(js_errors.NotFoundError):
                    await js.delete_stream(name)

    async def _names(self) -> list[str]:
        found: list[str] = []
        while True:
            more = await self._link.js.streams_info(offset=len(found))
            found += [info.config.name or "" for info in more]
            if len(more) < 256:
                return found


class NatsHub:
    """Lanes over one JetStream stream, which is made and removed here; one half of a lane may be in another process.

    Args:
        name: of this hub alone, among all of the installation.
        max_bytes: bound of what waits in the hub, over all lanes.
    """

    def __init__(self, link: NatsLink, name: str, max_bytes: int) -> None:
        self.link = link
        self.room = asyncio.Event()
        self.stream = stream_name(link.namespace, f"run_{name}")
        self.subject = f"mainstem.{link.namespace}.run.{name}"
        self._lanes: dict[int, NatsLane] = {}
        self._max_bytes = max(link.address.max_bytes or max_bytes, 2 * link.max_payload)
        link.hubs.add(self.stream)
        try:
            link.call(self._create())
        except BaseException:
            link.hubs.discard(self.stream)
            raise

    async def _create(self) -> None:
        max_age_s = self.link.address.max_age_s
        await self.link.js.add_stream(
            api.StreamConfig(
                name=self.stream,
                subjects=[f"{self.subject}.>"],
                retention=api.RetentionPolicy.WORK_QUEUE,
                discard=api.DiscardPolicy.NEW,
                max_bytes=self._max_bytes,
                storage=api.StorageType.FILE if self.link.address.on_disk else api.StorageType.MEMORY,
                num_replicas=self.link.address.replicas,
                max_age=max_age_s,
                duplicate_window=min(_SAME_S, max_age_s or _SAME_S),
                metadata={INSTALLATION: self.link.installation},
            )
        )

    def place(self, number: int) -> Place:
        """Where a lane is, for halves in other processes."""
        return Place(self.stream, f"{self.subject}.{number}")

    def lane(self, number: int) -> NatsLane:
        """The lane of that number with both its halves, made when first asked for."""
        if number not in self._lanes:
            self._lanes[number] = NatsLane(self, number)
        return self._lanes[number]

    def close(self) -> None:
        """Close all lanes of this process; wakes everyone who waits."""
        for lane in list(self._lanes.values()):
            lane.cancel()

    def __enter__(self) -> NatsHub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        with contextlib.suppress(MainstemError):
            self.link.call(self._remove(), 5.0)
        self.link.hubs.discard(self.stream)

    async def _remove(self) -> None:
        for lane in self._lanes.values():
            await lane.release()
        with contextlib.suppress(js_errors.APIError, nats.errors.Error):
            await self.link.js.delete_stream(self.stream)


class NatsLane:
    """One ordered path, both halves of it. `publish` and `receive` may be called from different threads."""

    def __init__(self, hub: NatsHub, number: int) -> None:
        place, self._life = hub.place(number), LaneLife()
        self._receiving = ReceivingLane(hub.link, place, self._life, hub.room)
        self._sending = SendingLane(hub.link, place, self._life, hub.room)

    def publish(self, frame: Frame) -> None:
        """Put a frame in; waits while the hub is full. Raises `CancelledError` once the lane is closed."""
        self._sending.publish(frame)

    def close(self) -> None:
        """No more frames: the receiver gets what is on its way, and then None."""
        self._sending.close()

    def receive(self) -> Delivery | None:
        """The next frame; waits for one. None once the lane is closed and empty."""
        return self._receiving.receive()

    def poll(self) -> Delivery | None:
        """The next frame if all of it is there; never waits."""
        return self._receiving.poll()

    def ack(self, seq: int) -> None:
        """Remember the highest durable number; a hub that is lost is not read again, the source is."""
        self._receiving.ack(seq)

    def cancel(self) -> None:
        """Wake everyone who waits; what is on its way is given up."""
        self._life.cancel()

    async def release(self) -> None:
        """Watch the connection no longer, and take no more messages. In the loop's thread."""
        self._sending.release()
        await self._receiving.unsubscribe()
