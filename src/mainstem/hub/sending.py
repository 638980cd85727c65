"""The sending half of a lane through NATS."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import Future

import nats.errors
from nats.js import errors as js_errors

from mainstem import tracing
from mainstem.errors import CancelledError, MainstemError
from mainstem.hub.framing import Encoder
from mainstem.hub.lane import STORED, TICK_S, TRACE, WINDOW, LaneLife, find_out, lost
from mainstem.hub.link import NatsLink
from mainstem.model.batch import Place
from mainstem.model.frame import Frame

NOTES = 4
"""So often in the time that a message may wait the receiving half is told how many were stored."""
RETRY_S = 20.0
"""For how long a message is offered again to a server that does not answer."""
_HEADER_ROOM = 512
_FULL = {10077, 10122, 10047, 10023}
"""JetStream's codes: maximum bytes, maximum messages, insufficient storage, insufficient resources."""
_ROOM_S = 0.05  # how often a full stream is asked again when nobody here tells that there is room


class SendingLane:
    """Puts frames into a lane, whose receiving half may be in another process. There is one for a lane, ever.

    Used by one thread at a time, but for `cancel`. The end is `release`, once nothing more is to be sent.

    Args:
        place: where; the stream is there already.
        life, room: what a receiving half in this process shares with it.
    """

    def __init__(
        self, link: NatsLink, place: Place, life: LaneLife | None = None, room: asyncio.Event | None = None
    ) -> None:
        self.place = place
        self._link, self._life = link, life or LaneLife()
        self._room = room or asyncio.Event()
        self._encoder = Encoder(link.address.compression, link.max_payload - _HEADER_ROOM)
        self._next = 0  # counts messages
        self._under_way: set[int] = set()
        self._ended = False
        link.reconnected.add(self._check)
        self._telling: Future[None] | None = None
        if link.address.max_age_s:
            telling = self._tell_what_is_stored(link.address.max_age_s / NOTES)
            self._telling = asyncio.run_coroutine_threadsafe(telling, link.loop)

    def publish(self, frame: Frame) -> None:
        """Put a frame in; waits while the stream is full, until all but `WINDOW` messages of it have found room.

        Raises:
            CancelledError: the lane is closed.
            LostConnectionError: the stream is gone, or NATS did not answer for `RETRY_S`.
        """
        self._send(frame)

    def close(self) -> None:
        """No more frames: the receiver gets what is on its way, and then None."""
        if not (self._ended or self._life.over):
            with contextlib.suppress(CancelledError):
                self._send(None)
            self._ended = True

    def cancel(self) -> None:
        """Wake who waits here; what is on its way is given up."""
        self._life.cancel()

    def fail(self, error: MainstemError) -> None:
        """From any thread: whoever publishes gets this error."""
        self._life.fail(error)

    def release(self) -> None:
        """Watch the connection no longer."""
        self._link.reconnected.discard(self._check)
        if self._telling is not None:
            self._telling.cancel()

    async def _check(self) -> None:
        await find_out(self._life, self._link, self.place, receiving=False)

    def _send(self, frame: Frame | None) -> None:
        self._check_sending()
        traffic, encoder, life = self._link.traffic, self._encoder, self._life
        plain = encoder.plain_bytes
        messages = encoder.encode(frame)
        traffic.plain_bytes += encoder.plain_bytes - plain
        del frame
        told = {TRACE: trace} if (trace := tracing.carrier()) else {}
        for message in messages:
            with life.changed:
                while not life.over and self._next - self._base() >= WINDOW:
                    life.changed.wait(TICK_S)
                self._check_sending()
                number = self._next
                self._next += 1
                self._under_way.add(number)
            traffic.messages += 1
            traffic.bytes += len(message)
            asyncio.run_coroutine_threadsafe(self._offer(number, message, told), self._link.loop)

    def _base(self) -> int:
        return min(self._under_way, default=self._next)

    def _check_sending(self) -> None:
        if self._life.cancelled or self._ended:
            raise CancelledError("the lane is closed")
        if self._life.error is not None:
            raise self._life.error

    async def _offer(self, number: int, message: bytes, told: dict[str, str]) -> None:
        """Publish until the server has it; by its id it is stored once however often it is offered."""
        try:
            await self._offer_until_taken(number, message, told)
        except Exception as exc:
            self._life.fail(exc if isinstance(exc, MainstemError) else lost(exc, self._link))
        with self._life.changed:
            self._under_way.discard(number)
            self._life.changed.notify_all()

    async def _offer_until_taken(self, number: int, message: bytes, told: dict[str, str]) -> None:
        traffic, deadline = self._link.traffic, time.monotonic() + RETRY_S
        headers = {"Nats-Msg-Id": f"{self.place.subject}.{number}", **told}
        while not self._life.over:
            self._room.clear()
            try:
                taken = await self._link.js.publish(
                    self.place.subject, message, timeout=5, stream=self.place.stream, headers=headers
                )
            except js_errors.NotFoundError as exc:
                raise lost(exc, self._link) from exc
            except js_errors.APIError as exc:
                if exc.err_code in _FULL:
                    traffic.full += 1
                    await self._wait_for_room(number)
                    deadline = time.monotonic() + RETRY_S
                    continue
                await self._pause(exc, deadline)
            except (TimeoutError, nats.errors.Error, js_errors.Error) as exc:
                await self._pause(exc, deadline)
            else:
                traffic.deduplicated += bool(taken.duplicate)
                return

    async def _wait_for_room(self, number: int) -> None:
        """The stream is full: only the oldest message under way is offered again."""
        while not self._life.over:
            if self._base() == number:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._room.wait(), _ROOM_S)
                return
            await asyncio.sleep(0.005)

    async def _tell_what_is_stored(self, every_s: float) -> None:
        """Tell the receiving half, so that it finds out when the last messages were dropped because of their age."""
        while not self._life.over:
            await asyncio.sleep(every_s)
            with contextlib.suppress(TimeoutError, nats.errors.Error, js_errors.Error):
                await self._link.js.publish(
                    self.place.subject, b"", timeout=5, stream=self.place.stream, headers={STORED: str(self._base())}
                )

    async def _pause(self, error: Exception, deadline: float) -> None:
        if isinstance(error, js_errors.NoStreamResponseError):  # none listens: the stream was deleted, or has no leader
            await self._check()
        if time.monotonic() > deadline:
            raise lost(error, self._link) from error
        await asyncio.sleep(0.1)
