"""The receiving half of a lane through NATS."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js import errors as js_errors

from mainstem.contract.hub import Delivery
from mainstem.errors import LostConnectionError, MainstemError, WireError
from mainstem.hub.framing import Decoder, head_of
from mainstem.hub.lane import STORED, TICK_S, TRACE, WINDOW, LaneLife, consumer_name, find_out, lost
from mainstem.hub.link import NatsLink
from mainstem.model.batch import Place

UNACKED = 4 * WINDOW
"""Messages of a lane that the server hands out before it gets an acknowledgement."""
SILENCE_S = 15.0
"""A lane from which nothing, not even a heartbeat, came for so long is lost."""
ASK_S = 2.5
"""After so long a silence the server is asked whether the lane is still there."""
_HEARTBEAT_S = 1.0
_ACK_WAIT_S = 60.0  # then the server itself hands a message out once more


class ReceivingLane:
    """Takes frames out of a lane, whose sending half may be in another process. There is one for a lane, ever.

    Used by one thread at a time, but for `cancel`. The end is `release`, or the stream's.

    Args:
        place: where; the stream is there already.
        life, room: what a sending half in this process shares with it.

    Raises:
        LostConnectionError: the stream is not there, or NATS does not answer.
    """

    def __init__(
        self, link: NatsLink, place: Place, life: LaneLife | None = None, room: asyncio.Event | None = None
    ) -> None:
        self.place = place
        self.acked = 0
        self._link, self._life, self._room = link, life or LaneLife(), room
        self._decoder = Decoder()
        self._early: dict[tuple[int, int], Msg] = {}
        self._ready: deque[tuple[float, Msg]] = deque()  # since when they are here
        self._want = (1, 0)  # frame and part that come next from the server
        self._came = 0  # messages, each once and in their order
        self._order = _Order()
        self._seq = 0
        self._ended = False
        self._heard_s = self._asked_s = self._came_s = time.monotonic()
        self._patience_s = ASK_S
        self._renewing = False
        self._subscription = link.call(self._subscribe())
        link.reconnected.add(self._renew)

    def receive(self) -> Delivery | None:
        """The next frame; waits for one. None once the lane is closed and empty.

        Raises:
            LostConnectionError: the lane is gone, or silent for `SILENCE_S`.
        """
        life = self._life
        while True:
            with life.changed:
                while not self._ready and not (self._ended or life.over):
                    life.changed.wait(TICK_S)
                    self._check_silence()
                message = self._ready.popleft()[1] if self._ready else None
            if message is None:
                if life.error is not None and not life.cancelled:
                    raise life.error
                return None
            delivery = self._take(message)
            if delivery is not None:
                return delivery

    def poll(self) -> Delivery | None:
        """The next frame if all of it is there; never waits."""
        while True:
            with self._life.changed:
                message = self._ready.popleft()[1] if self._ready else None
            if message is None:
                return None
            delivery = self._take(message)
            if delivery is not None:
                return delivery

    def ack(self, seq: int) -> None:
        """Remember the highest durable number; a hub that is lost is not read again, the source is."""
        self.acked = max(self.acked, seq)

    def cancel(self) -> None:
        """Wake who waits here; what is on its way is given up."""
        self._life.cancel()

    def release(self) -> None:
        """Take no more messages."""
        with contextlib.suppress(MainstemError):
            self._link.call(self.unsubscribe(), 5.0)

    async def unsubscribe(self) -> None:
        """Take no more messages. In the loop's thread."""
        self._link.reconnected.discard(self._renew)
        with contextlib.suppress(nats.errors.Error):
            await self._subscription.unsubscribe()

    def _take(self, message: Msg) -> Delivery | None:
        asyncio.run_coroutine_threadsafe(self._ack(message), self._link.loop)
        for frame in self._decoder.add(message.data):
            if frame is None:
                self._ended = True
                return None
            self._seq += 1
            return Delivery(self._seq, frame, (message.headers or {}).get(TRACE, ""))
        return None

    async def _ack(self, message: Msg) -> None:
        with contextlib.suppress(nats.errors.Error):
            await message.ack()
        if self._room is not None:
            self._room.set()  # those that found the stream full try again

    async def _check(self) -> None:
        if not self._renewing:
            await find_out(self._life, self._link, self.place, receiving=True)

    async def _renew(self) -> None:
        """Have the server hand out again what it did not see acknowledged: it may have gone with a connection.

        What came twice is passed over by its number.
        """
        if self._renewing:
            return
        self._renewing, deadline = True, time.monotonic() + SILENCE_S
        try:
            while not (await self._renewed() or self._life.over):
                if time.monotonic() > deadline:
                    return  # a lane that hears nothing finds out
                await asyncio.sleep(TICK_S)
        finally:
            self._renewing = False

    async def _renewed(self) -> bool:
        """False while a cluster is choosing who is to do it."""
        js, place = self._link.js, self.place
        try:
            with contextlib.suppress(js_errors.NotFoundError):
                await js.delete_consumer(place.stream, consumer_name(place))
            await js.add_consumer(place.stream, self._consumer(self._subscription.subject))
        except js_errors.NotFoundError as exc:
            self._life.fail(lost(exc, self._link))
        except (TimeoutError, nats.errors.Error, js_errors.Error):
            return False
        return True

    async def _renew_if_lost(self) -> None:
        """All that came is taken, and nothing comes: what the server waits for was lost on the way."""
        with contextlib.suppress(TimeoutError, nats.errors.Error, js_errors.Error):
            found = await self._link.js.consumer_info(self.place.stream, consumer_name(self.place))
            if found.num_ack_pending and not self._ready:
                await self._renew()

    def _check_silence(self) -> None:
        now = time.monotonic()
        if now - max(self._heard_s, self._asked_s) > ASK_S:
            self._asked_s = now
            asyncio.run_coroutine_threadsafe(self._check(), self._link.loop)
        elif self._patience_s < now - self._came_s < _ACK_WAIT_S:
            self._patience_s *= 2
            asyncio.run_coroutine_threadsafe(self._renew_if_lost(), self._link.loop)
        if now - self._heard_s > SILENCE_S and self._life.error is None:
            self._life.error = LostConnectionError(
                f"NATS at {self._link.address} has been silent for {SILENCE_S:.0f} s"
            )

    async def _subscribe(self) -> Subscription:
        inbox = self._link.client.new_inbox()
        subscription = await self._link.client.subscribe(inbox, cb=self._arrived, pending_bytes_limit=-1)
        await self._link.js.add_consumer(self.place.stream, self._consumer(inbox))
        return subscription

    def _consumer(self, inbox: str) -> api.ConsumerConfig:
        return api.ConsumerConfig(
            durable_name=consumer_name(self.place),
            deliver_subject=inbox,
            filter_subject=self.place.subject,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_ack_pending=UNACKED,
            idle_heartbeat=_HEARTBEAT_S,
        )

    async def _arrived(self, message: Msg) -> None:
        """A message or a heartbeat; in the loop's thread. Puts messages into their order, each once."""
        self._heard_s = time.monotonic()
        if max_age_s := self._link.address.max_age_s:
            self._check_held_up(max_age_s)
            if message.reply:
                self._order.take(message.metadata.sequence.consumer)
        if not message.data:
            if message.headers and STORED in message.headers:
                await self._ack(message)
                self._check_age(int(message.headers[STORED]))
            return
        try:
            head = head_of(message.data)
        except WireError as exc:
            self._life.fail(exc)
            return
        place = (head.number, head.part)
        if place < self._want or place in self._early:
            self._link.traffic.redelivered += 1
            await self._ack(message)
            return
        self._came_s, self._patience_s = time.monotonic(), ASK_S
        self._early[place] = message
        if place != self._want:  # held here, at most a window of them: in the stream they would bar the one before them
            await self._ack(message)
        with self._life.changed:
            while (following := self._early.pop(self._want, None)) is not None:
                self._ready.append((self._came_s, following))
                self._came += 1
                number, part = self._want
                last = part + 1 == head_of(following.data).parts
                self._want = (number + 1, 0) if last else (number, part + 1)
            self._life.changed.notify_all()
        if len(self._early) >= WINDOW:  # the oldest of so many was sent only when the one that is missing was stored
            self._check_age(self._came + 1)

    def _check_age(self, stored: int) -> None:
        """So many messages had been stored before what came just now: those that did not come are no more.

        They come in the order in which they were stored. Where some of those handed out were lost on the way, the
        server first hands out all that it has.
        """
        max_age_s = self._link.address.max_age_s
        if stored <= self._came or not max_age_s:
            return
        if self._order.whole:
            self._life.fail(_too_old(max_age_s))
        else:
            asyncio.run_coroutine_threadsafe(self._renew(), self._link.loop)

    def _check_held_up(self, max_age_s: float) -> None:
        """What nobody takes here the server drops, too, and hands out more in its place: that must not pile up."""
        with self._life.changed:
            oldest_s = self._ready[0][0] if self._ready else self._heard_s
        if self._heard_s - oldest_s > max_age_s:
            self._life.fail(_too_old(max_age_s))


def _too_old(max_age_s: float) -> LostConnectionError:
    return LostConnectionError(
        f"messages waited in the hub for longer than its max_age of {max_age_s:,.0f} s, and are gone",
        remedy="look at what the target waits for; or give them more time: nats://…?max_age=6h",
    )


class _Order:
    """Whether all that the server has handed out of a lane has come, by its numbers, which begin at 1."""

    def __init__(self) -> None:
        self.whole, self._last = False, 0

    def take(self, number: int) -> None:
        """The next one that came."""
        self.whole = number == 1 or (self.whole and number == self._last + 1)
        self._last = number
