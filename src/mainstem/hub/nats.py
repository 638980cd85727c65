"""The hub on NATS JetStream: one stream for each hub, one subject for each lane.

A stream is a work queue with a bound that refuses what is new: nothing is ever dropped to make room, and a publisher
waits until its writer has taken something. What is in it need not be durable: the target's checkpoint and the source's
log say where to go on, so that a hub that is lost costs a new try, and no row.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType

import nats.errors
from nats.aio.msg import Msg
from nats.js import api
from nats.js import errors as js_errors

from mainstem.contract.hub import Delivery
from mainstem.errors import CancelledError, LostConnectionError, MainstemError, WireError
from mainstem.hub.framing import Decoder, Encoder, head_of
from mainstem.hub.link import INSTALLATION, NatsLink, stream_name, translated
from mainstem.model.frame import Frame

WINDOW = 8
"""Messages of a lane that are under way to the server at once."""
UNACKED = 4 * WINDOW
"""Messages of a lane that the server hands out before it gets an acknowledgement."""
RETRY_S = 20.0
"""For how long a message is offered again to a server that does not answer."""
SILENCE_S = 15.0
"""A lane from which nothing, not even a heartbeat, came for so long is lost."""
_HEARTBEAT_S = 2.0
_ACK_WAIT_S = 60.0
_HEADER_ROOM = 512
_FULL = {10077, 10122, 10047, 10023}
"""JetStream's codes: maximum bytes, maximum messages, insufficient storage, insufficient resources."""
_TICK_S = 0.5


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
            if name.startswith(prefix):
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
    """Lanes over one JetStream stream.

    Args:
        name: of this hub alone, among all of the installation.
        max_bytes: bound of what waits in the hub, over all lanes.
    """

    def __init__(self, link: NatsLink, name: str, max_bytes: int) -> None:
        self.link = link
        self.traffic = link.traffic
        self.room = asyncio.Event()
        self._lanes: dict[int, NatsLane] = {}
        self.stream = stream_name(link.namespace, f"run_{name}")
        self.subject = f"mainstem.{link.namespace}.run.{name}"
        self._max_bytes = max(link.address.max_bytes or max_bytes, 2 * link.max_payload)
        link.call(self._create())
        link.reconnected.add(self._check)

    async def _check(self) -> None:
        """After a lost connection: a server that was started anew may have forgotten the stream."""
        try:
            await self.link.js.stream_info(self.stream)
        except js_errors.NotFoundError as exc:
            for lane in self._lanes.values():
                lane.fail(_lost(exc, self.link))
        except (TimeoutError, nats.errors.Error, js_errors.Error):
            return  # a lane that hears nothing finds out by itself

    async def _create(self) -> None:
        await self.link.js.add_stream(
            api.StreamConfig(
                name=self.stream,
                subjects=[f"{self.subject}.>"],
                retention=api.RetentionPolicy.WORK_QUEUE,
                discard=api.DiscardPolicy.NEW,
                max_bytes=self._max_bytes,
                storage=api.StorageType.FILE if self.link.address.on_disk else api.StorageType.MEMORY,
                num_replicas=self.link.address.replicas,
                duplicate_window=120,
                metadata={INSTALLATION: self.link.installation},
            )
        )

    def lane(self, number: int) -> NatsLane:
        """The lane of that number, made when first asked for."""
        if number not in self._lanes:
            self._lanes[number] = NatsLane(self, number)
        return self._lanes[number]

    def close(self) -> None:
        """Close all lanes; wakes everyone who waits."""
        for lane in list(self._lanes.values()):
            lane.cancel()

    def __enter__(self) -> NatsHub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.link.reconnected.discard(self._check)
        with contextlib.suppress(MainstemError):
            self.link.call(self._remove(), 5.0)

    async def _remove(self) -> None:
        with contextlib.suppress(js_errors.APIError, nats.errors.Error):
            for lane in self._lanes.values():
                await lane.unsubscribe()
            await self.link.js.delete_stream(self.stream)

    def wake(self) -> None:
        """Something was taken out: those that found the stream full try again. In the loop's thread."""
        self.room.set()


@dataclass(slots=True)
class _Outgoing:
    """The sending half of a lane; its numbers count messages."""

    encoder: Encoder
    next: int = 0
    under_way: set[int] = field(default_factory=set)
    ended: bool = False

    def base(self) -> int:
        return min(self.under_way, default=self.next)


class NatsLane:
    """One ordered path. `publish` and `receive` may be called from different threads."""

    def __init__(self, hub: NatsHub, number: int) -> None:
        self._hub, self._link = hub, hub.link
        self._subject = f"{hub.subject}.{number}"
        self._changed = threading.Condition()
        self._out = _Outgoing(Encoder(self._link.address.compression, self._link.max_payload - _HEADER_ROOM))
        self._decoder = Decoder()
        self._early: dict[tuple[int, int], Msg] = {}
        self._ready: deque[Msg] = deque()
        self._want = (1, 0)  # frame and part that come next from the server
        self._seq = 0
        self._cancelled = self._ended = False
        self._error: MainstemError | None = None
        self._heard_s = time.monotonic()
        self._subscription = self._link.call(self._subscribe())
        self.acked = 0

    # sending

    def publish(self, frame: Frame) -> None:
        """Put a frame in; waits while the hub is full. Raises `CancelledError` once the lane is closed."""
        self._send(frame)

    def close(self) -> None:
        """No more frames: the receiver gets what is on its way, and then None."""
        with self._changed:
            over = self._out.ended or self._cancelled or self._error is not None
        if not over:
            with contextlib.suppress(CancelledError):
                self._send(None)
            self._out.ended = True

    def cancel(self) -> None:
        """Wake everyone who waits; what is on its way is given up."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _send(self, frame: Frame | None) -> None:
        self._check_sending()
        out, traffic = self._out, self._hub.traffic
        plain = out.encoder.plain_bytes
        messages = out.encoder.encode(frame)
        traffic.plain_bytes += out.encoder.plain_bytes - plain
        del frame
        for message in messages:
            with self._changed:
                while not self._is_over() and out.next - out.base() >= WINDOW:
                    self._changed.wait(_TICK_S)
                self._check_sending()
                number = out.next
                out.next += 1
                out.under_way.add(number)
            traffic.messages += 1
            traffic.bytes += len(message)
            asyncio.run_coroutine_threadsafe(self._offer(number, message), self._link.loop)

    def _is_over(self) -> bool:
        return self._cancelled or self._error is not None

    def _check_sending(self) -> None:
        if self._cancelled or self._out.ended:
            raise CancelledError("the lane is closed")
        if self._error is not None:
            raise self._error

    async def _offer(self, number: int, message: bytes) -> None:
        """Publish until the server has it; by its id it is stored once however often it is offered."""
        try:
            await self._offer_until_taken(number, message)
        except Exception as exc:
            self.fail(exc if isinstance(exc, MainstemError) else _lost(exc, self._link))
        with self._changed:
            self._out.under_way.discard(number)
            self._changed.notify_all()

    async def _offer_until_taken(self, number: int, message: bytes) -> None:
        hub, deadline = self._hub, time.monotonic() + RETRY_S
        message_id = f"{self._subject}.{number}"
        while not self._is_over():
            hub.room.clear()
            try:
                taken = await self._link.js.publish(
                    self._subject, message, timeout=5, stream=hub.stream, headers={"Nats-Msg-Id": message_id}
                )
            except js_errors.NotFoundError as exc:
                raise _lost(exc, self._link) from exc
            except js_errors.APIError as exc:
                if exc.err_code in _FULL:
                    hub.traffic.full += 1
                    await self._wait_for_room(number)
                    deadline = time.monotonic() + RETRY_S
                    continue
                await self._pause(exc, deadline)
            except (TimeoutError, nats.errors.Error, js_errors.Error) as exc:
                await self._pause(exc, deadline)
            else:
                hub.traffic.deduplicated += bool(taken.duplicate)
                return

    async def _wait_for_room(self, number: int) -> None:
        """The stream is full: only the oldest message under way is offered again."""
        while not self._is_over():
            if self._out.base() == number:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._hub.room.wait(), 0.05)
                return
            await asyncio.sleep(0.005)

    async def _pause(self, error: Exception, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise _lost(error, self._link) from error
        await asyncio.sleep(0.1)

    # receiving

    def receive(self) -> Delivery | None:
        """The next frame; waits for one. None once the lane is closed and empty."""
        while True:
            with self._changed:
                while not self._ready and not self._over_for_receiver():
                    self._changed.wait(_TICK_S)
                    self._check_silence()
                message = self._ready.popleft() if self._ready else None
            if message is None:
                if self._error is not None and not self._cancelled:
                    raise self._error
                return None
            delivery = self._take(message)
            if delivery is not None:
                return delivery

    def poll(self) -> Delivery | None:
        """The next frame if all of it is there; never waits."""
        while True:
            with self._changed:
                message = self._ready.popleft() if self._ready else None
            if message is None:
                return None
            delivery = self._take(message)
            if delivery is not None:
                return delivery

    def ack(self, seq: int) -> None:
        """Remember the highest durable number; a hub that is lost is not read again, the source is."""
        self.acked = max(self.acked, seq)

    def _over_for_receiver(self) -> bool:
        return self._ended or self._is_over()

    def _take(self, message: Msg) -> Delivery | None:
        asyncio.run_coroutine_threadsafe(self._ack(message), self._link.loop)
        for frame in self._decoder.add(message.data):
            if frame is None:
                self._ended = True
                return None
            self._seq += 1
            return Delivery(self._seq, frame)
        return None

    async def _ack(self, message: Msg) -> None:
        with contextlib.suppress(nats.errors.Error):
            await message.ack()
        self._hub.wake()

    def _check_silence(self) -> None:
        if time.monotonic() - self._heard_s > SILENCE_S and self._error is None:
            self._error = LostConnectionError(f"NATS at {self._link.address} has been silent for {SILENCE_S:.0f} s")

    async def _subscribe(self) -> object:
        inbox = self._link.client.new_inbox()
        subscription = await self._link.client.subscribe(inbox, cb=self._arrived, pending_bytes_limit=-1)
        await self._link.js.add_consumer(
            self._hub.stream,
            api.ConsumerConfig(
                durable_name=self._subject.rsplit(".", 1)[1],
                deliver_subject=inbox,
                filter_subject=self._subject,
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_S,
                max_ack_pending=UNACKED,
                idle_heartbeat=_HEARTBEAT_S,
            ),
        )
        return subscription

    async def unsubscribe(self) -> None:
        """Take no more messages. In the loop's thread."""
        await self._subscription.unsubscribe()  # type: ignore[attr-defined]

    async def _arrived(self, message: Msg) -> None:
        """A message or a heartbeat; in the loop's thread. Puts messages into their order, each once."""
        self._heard_s = time.monotonic()
        if not message.data:
            return
        try:
            head = head_of(message.data)
        except WireError as exc:
            self.fail(exc)
            return
        if message.metadata.num_delivered > 1:
            self._hub.traffic.redelivered += 1
        place = (head.number, head.part)
        if place < self._want or place in self._early:
            await self._ack(message)
            return
        self._early[place] = message
        if place != self._want:  # held here, at most a window of them: in the stream they would bar the one before them
            await self._ack(message)
        with self._changed:
            while (following := self._early.pop(self._want, None)) is not None:
                self._ready.append(following)
                number, part = self._want
                last = part + 1 == head_of(following.data).parts
                self._want = (number + 1, 0) if last else (number, part + 1)
            self._changed.notify_all()

    def fail(self, error: MainstemError) -> None:
        """End the lane by an error, which both its ends raise."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()


def _lost(error: Exception, link: NatsLink) -> LostConnectionError:
    told = translated(error, link.address)
    return told if isinstance(told, LostConnectionError) else LostConnectionError(told.message, remedy=told.remedy)
