"""Calls from one process to another over core NATS: the calling side. `callserver` is the other one.

A session is opened with a member that offers its kind; after that, methods of the kind's contract are called as if the
object were here. A call has a number, is sent again until its answer has come, and is done once. As long as it lasts
the caller waits, but no longer than the session lives: pings tell, and by them it is found what was lost on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from nats.aio.msg import Msg

from mainstem import tracing
from mainstem.contract import opened
from mainstem.errors import CancelledError, LostConnectionError, MainstemError, WireError
from mainstem.hub import envelopes
from mainstem.hub.link import NatsLink
from mainstem.hub.parcels import Joiner
from mainstem.hub.typed import signature, unpack_error
from mainstem.log import logger

_P = ParamSpec("_P")
_T = TypeVar("_T")
TICK_S = 0.25
PING_TICKS = 3
LOST_PINGS = 5
"""A member that has answered none of so many pings in a row is lost: after about 3.25 s."""
ABSENT_TICKS = 6
"""One that nobody listens for at NATS is lost after so many ticks: it may be on its way back to a NATS just started."""
CLOSE_S = 10.0
_log = logger(__name__)
_making = threading.Lock()


def subject_of(link: NatsLink, member: str) -> str:
    """Where a member is called."""
    return f"mainstem.{link.namespace}.call.{member}"


class Caller:
    """The sessions of a process with others, on one connection to NATS; see `caller_of`."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link
        self.inbox = f"mainstem.{link.namespace}.answer.{secrets.token_hex(8)}"
        self._sessions: dict[str, CallSession] = {}
        self._joiner = Joiner()
        link.call(self._subscribe())
        link.reconnected.add(self._connected_again)

    async def _subscribe(self) -> None:
        await self.link.client.subscribe(f"{self.inbox}.*", cb=self._arrived, pending_bytes_limit=-1)
        await self.link.settle()

    async def _connected_again(self) -> None:
        for session in list(self._sessions.values()):
            await session.look()

    def open(self, member: str, kind: str, stream_id: str, token: int) -> CallSession:
        """A session with a member; waits until it is open.

        Args:
            kind: what is offered there under this name (`callserver.CallServer.offer`).
            token: of the stream's lease. A newer one ends the sessions of older ones.

        Raises:
            LostConnectionError: the member is not there, or went away meanwhile.
            TakenOverError: it knows of a newer token.
            MainstemError: whatever the other side raises when it opens what is called.
        """
        opened.check()
        session = CallSession(self, member, {"kind": kind, "stream": stream_id, "token": token})
        self._sessions[session.id] = session
        opened.note(session, _hang_up)
        try:
            session.begin()
        except BaseException:
            session.close()
            raise
        return session

    def forget(self, session: CallSession) -> None:
        """The session is over."""
        self._sessions.pop(session.id, None)

    async def _arrived(self, message: Msg) -> None:
        session = self._sessions.get(message.subject.rsplit(".", 1)[1])
        if envelopes.nobody_there(message):
            if session is not None:
                session.absent()
            return
        try:
            parcel = self._joiner.add(message.data)
            if parcel is None:
                if session is not None:
                    session.heard()
                return
            head, body = envelopes.unpack(parcel)
        except WireError as exc:
            _log.warning("an answer that cannot be read", error=exc.message)
            return
        if session is not None:
            session.take(head, body)


def caller_of(link: NatsLink) -> Caller:
    """The caller of a connection, made when first asked for; it lives as long as the connection."""
    with _making:
        found = link.attached.get("caller")
        if not isinstance(found, Caller):
            link.attached["caller"] = found = Caller(link)
        return found


class CallSession:
    """What is asked of one object in another process. Used by any thread, several at once.

    Attributes:
        member: the process that is called.
        ended_there: it has said that the session is over: nothing of it is open any more.
    """

    def __init__(self, caller: Caller, member: str, opening: envelopes.Head) -> None:
        self.id, self.member = secrets.token_hex(8), member
        self._caller, self._link, self._opening = caller, caller.link, opening
        self._subject = subject_of(caller.link, member)
        self._reply = f"{caller.inbox}.{self.id}"
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: dict[int, list[bytes]] = {}
        self._answers: dict[int, tuple[bool, bytes]] = {}
        self._error: MainstemError | None = None
        self._open = self._closing = self._over = self.ended_there = False
        self._silent = self._absent = 0  # pings without an answer; ticks without a listener
        self._ended: list[Callable[[MainstemError], None]] = []

    def begin(self) -> None:
        """Open it."""
        asyncio.run_coroutine_threadsafe(self._keep(), self._link.loop)
        self._exchange({"is": "open", **self._opening}, b"")
        self._open = True

    def ask(self, method: Callable[Concatenate[Any, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a method of the contract, and wait for what it returns or raises.

        Raises:
            LostConnectionError: the other process is gone, or the session was ended there.
        """
        form = signature(method)
        trace = tracing.carrier()
        head = {"is": "call", "method": method.__name__, **({"trace": trace} if trace else {})}
        body = self._exchange(head, form.pack(args, kwargs))
        found: _T = form.unpack_result(body)
        return found

    def tell(self, method: Callable[Concatenate[Any, _P], object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Have a method called, without waiting for it; it may not happen if NATS fails just now."""
        head = {"is": "tell", "s": self.id, "method": method.__name__}
        self._send(envelopes.pack(self._link, head, signature(method).pack(args, kwargs)))

    def when_over(self, then: Callable[[MainstemError], None]) -> None:
        """Call this when nothing can be asked any more, with why; must not block. At once if that is so already."""
        with self._changed:
            error = self._error
            if error is None:
                self._ended.append(then)
        if error is not None:
            then(error)

    def abort(self, error: MainstemError) -> None:
        """From any thread: whoever waits for an answer gets this error; the other side breaks off what it does."""
        self._fail(error)
        with self._changed:
            self._closing = True
        self._send(envelopes.pack(self._link, {"is": "close", "s": self.id}))

    def close(self) -> None:
        """End it, and wait until the other side has closed what was open; not for one that does not answer."""
        self.abort(CancelledError("the session is closed"))
        with self._changed:
            self._changed.wait_for(lambda: self._over, CLOSE_S)
        self._lose(CancelledError("the session is closed"))

    def __enter__(self) -> CallSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, head: envelopes.Head, body: bytes) -> bytes:
        with self._changed:
            if self._error is not None:
                raise self._error
            number = next(self._numbers)
            below = min(self._waiting, default=number)
            request = envelopes.pack(self._link, {**head, "s": self.id, "n": number, "below": below}, body)
            self._waiting[number] = request
        self._send(request)
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._error is not None)
            self._waiting.pop(number, None)
            answer = self._answers.pop(number, None)
            if answer is None:
                raise self._error or LostConnectionError("no answer")
        good, found = answer
        if not good:
            raise unpack_error(found)
        return found

    def _send(self, messages: list[bytes]) -> None:
        envelopes.send(self._link, self._subject, messages, self._reply)

    # in the loop's thread

    async def _keep(self) -> None:
        """Ping until it is over."""
        try:
            for tick in itertools.count():
                if self._over:
                    return
                if self._absent or tick % PING_TICKS == 0:
                    await self._ping()
                await asyncio.sleep(TICK_S)
                if self._silent >= LOST_PINGS or self._absent >= ABSENT_TICKS:
                    self._lose(self._lost("does not answer"))
        finally:
            self._lose(self._lost("cannot be reached: the hub's connection was closed"))

    async def _ping(self) -> None:
        with self._changed:
            opening = None if self._open or self._closing else self._waiting.get(0)
            if not (self._open or self._closing or opening):  # just about to be sent, or answered
                return
            head = {"is": "close" if self._closing else "ping", "s": self.id, "waits": sorted(self._waiting)}
        self._silent += 1
        await envelopes.publish(self._link, self._subject, opening or envelopes.pack(self._link, head), self._reply)

    async def look(self) -> None:
        """NATS was gone for a while, and so were the answers: the member has some more time."""
        self._silent = min(self._silent, LOST_PINGS // 2)
        await self._ping()

    def _lost(self, why: str) -> LostConnectionError:
        return LostConnectionError(f"the process {self.member} {why}", member=self.member)

    def heard(self) -> None:
        """The member lives."""
        self._silent = self._absent = 0

    def absent(self) -> None:
        """Nobody listens for the member."""
        self._absent += 1
        if not self._open or self._closing:
            self._lose(self._lost("is not there"))

    def take(self, head: envelopes.Head, body: bytes) -> None:
        """What the member sent."""
        self.heard()
        kind = head["is"]
        if kind == "answer":
            with self._changed:
                if head["n"] in self._waiting:
                    self._answers[head["n"]] = bool(head["ok"]), body
                    self._changed.notify_all()
        elif kind == "pong":
            with self._changed:
                again = [self._waiting[number] for number in head["unknown"] if number in self._waiting]
            for request in again:
                asyncio.ensure_future(envelopes.publish(self._link, self._subject, request, self._reply))  # noqa: RUF006
        elif kind == "gone":
            self.ended_there = True
            self._lose(unpack_error(body))

    def _lose(self, error: MainstemError) -> None:
        self._fail(error)
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._caller.forget(self)

    def _fail(self, error: MainstemError) -> None:
        with self._changed:
            if self._error is not None:
                return
            self._error = error
            ended, self._ended = self._ended, []
            self._changed.notify_all()
        for then in ended:
            with contextlib.suppress(MainstemError):
                then(error)


def _hang_up(session: CallSession) -> None:
    session.abort(LostConnectionError("the process that was called has not answered in time"))
