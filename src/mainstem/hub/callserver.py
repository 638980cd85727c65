"""Calls from one process to another over core NATS: the side that is called. `calls` is the other one.

Work is done in threads, as everything that blocks; the loop of NATS only sorts messages. A session ends when its caller
says so, has been silent for `SILENT_TICKS`, or when one with a newer token for the same stream is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any

from nats.aio.msg import Msg

from mainstem import tracing
from mainstem.contract.opened import Opened
from mainstem.errors import LostConnectionError, MainstemError, TakenOverError, WireError
from mainstem.hub import envelopes
from mainstem.hub.calls import subject_of
from mainstem.hub.link import NatsLink
from mainstem.hub.parcels import Joiner
from mainstem.hub.typed import OTHER_VERSION, pack_error, signature
from mainstem.log import logger
from mainstem.tracing import Kind

TICK_S = 1.0
SILENT_TICKS = 8
"""A caller that says nothing for so many seconds is gone, or thinks that we are."""
CLOSE_S = 10.0
INTERRUPT_S = 0.5
_REMEMBERED = 1000
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is opened for: the stream, and the token of the lease that its leader holds."""

    stream_id: str
    token: int


Opener = Callable[[Opening], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be called under the name of a kind.

    Attributes:
        contract: the class whose public methods may be called.
        opener: makes the object of a session; leaving its context closes it. If it has a method ``interrupt``, that is
            called before, from another thread, when a session ends while calls are under way.
        exclusive: a stream has one such session at a time; a newer one ends it.
    """

    contract: type
    opener: Opener
    exclusive: bool = False


class CallServer:
    """Serves calls to one member.

    Args:
        member_id: of this process; no other may have it.
    """

    def __init__(self, link: NatsLink, member_id: str) -> None:
        self.link, self.member_id = link, member_id
        self._subject = subject_of(link, member_id)
        self._offers: dict[str, Offer] = {}
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self._ended: OrderedDict[str, MainstemError] = OrderedDict()
        self._tokens: dict[str, int] = {}
        self._joiner = Joiner()
        self._subscription: Any = None
        self._over = False

    def offer(self, kind: str, offer: Offer) -> None:
        """Have this called under the name of a kind."""
        self._offers[kind] = offer

    def open(self) -> CallServer:
        """Begin to serve."""
        self._subscription = self.link.call(self._subscribe())
        asyncio.run_coroutine_threadsafe(self._watch(), self.link.loop)
        return self

    def close(self) -> None:
        """End all sessions, and serve no more; the callers are told."""
        self._over = True
        why = LostConnectionError(f"the process {self.member_id} has ended", member=self.member_id)
        threads = [session.end(why) for session in self._all()]
        for thread in threads:
            thread.join(CLOSE_S)
        with contextlib.suppress(MainstemError, AttributeError):
            self.link.call(self._subscription.unsubscribe(), 5.0)

    def __enter__(self) -> CallServer:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sessions(self) -> dict[str, int]:
        """How many sessions of each kind are open."""
        kinds = [session.kind for session in self._all()]
        return {kind: kinds.count(kind) for kind in self._offers}

    def ended(self, session: _Session, why: MainstemError) -> None:
        """A session is closed."""
        with self._lock:
            self._sessions.pop(session.id, None)
            self._ended[session.id] = why
            while len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)

    def _all(self) -> list[_Session]:
        with self._lock:
            return list(self._sessions.values())

    # in the loop's thread

    async def _subscribe(self) -> object:
        found = await self.link.client.subscribe(self._subject, cb=self._arrived, pending_bytes_limit=-1)
        await self.link.settle()
        return found

    async def _watch(self) -> None:
        while not self._over:
            await asyncio.sleep(TICK_S)
            for session in self._all():
                session.silent += 1
                if session.silent > SILENT_TICKS:
                    session.end(LostConnectionError("the caller of this session was silent for too long"))

    async def _arrived(self, message: Msg) -> None:
        try:
            parcel = self._joiner.add(message.data)
            if parcel is None:
                return
            head, body = envelopes.unpack(parcel)
            session = self._sessions.get(head["s"])
            if head["is"] == "open":
                await self._open(head, message.reply)
            elif session is None:
                await self._unknown(head, message.reply)
            else:
                session.reply = message.reply
                await session.take(head, body)
        except (WireError, KeyError, TypeError) as exc:
            _log.warning("a call that cannot be read", error=str(exc))

    async def _unknown(self, head: envelopes.Head, reply: str) -> None:
        lost = LostConnectionError(f"the process {self.member_id} does not know this session", member=self.member_id)
        why = self._ended.get(head["s"], lost)
        messages = envelopes.pack(self.link, {"is": "gone", "s": head["s"]}, pack_error(why))
        await envelopes.publish(self.link, reply, messages)

    async def _open(self, head: envelopes.Head, reply: str) -> None:
        own, kind = head["s"], head["kind"]
        if (known := self._sessions.get(own)) is not None:
            known.reply = reply
            await known.take({"is": "ping", "waits": [0]}, b"")
            return
        if own in self._ended or self._over:
            await self._unknown(head, reply)
            return
        opening = Opening(head["stream"], head["token"])
        session = _Session(self, own, kind, self._offers.get(kind), opening, reply)
        with self._lock:
            newest = self._tokens.get(opening.stream_id, opening.token)
            self._tokens[opening.stream_id] = max(newest, opening.token)
            older = [one for one in self._sessions.values() if one.is_fenced_by(session)]
            self._sessions[own] = session
        session.begin(older, stale=newest > opening.token)


@dataclass(slots=True, eq=False)
class _Session:
    """One session. Its numbers below ``below`` are answered for good; ``answers`` has None for what is under way."""

    server: CallServer
    id: str
    kind: str
    offer: Offer | None
    opening: Opening
    reply: str
    silent: int = 0
    below: int = 0
    answers: dict[int, list[bytes] | None] = field(default_factory=dict)
    asked_for: set[int] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)
    running: int = 0
    opened: AbstractContextManager[object] | None = None
    object: Any = None
    ending: threading.Thread | None = None
    connections: Opened = field(default_factory=Opened)

    def is_fenced_by(self, newer: _Session) -> bool:
        """Whether the newer one ends this one."""
        if self.opening.stream_id != newer.opening.stream_id:
            return False
        exclusive = self.offer is not None and self.offer.exclusive and self.kind == newer.kind
        return self.opening.token < newer.opening.token or (exclusive and self.opening.token == newer.opening.token)

    def begin(self, older: list[_Session], *, stale: bool) -> None:
        """Open what is called; first what it takes the place of is closed."""
        self.answers[0] = None
        self._start(partial(self._open, older, stale), 0)

    def _open(self, older: list[_Session], stale: bool) -> bytes:
        taken = TakenOverError("another process has taken this stream over", stream=self.opening.stream_id)
        threads = [one.end(taken) for one in older]
        for thread in threads:
            thread.join(CLOSE_S)
        if stale:
            raise taken
        if self.offer is None:
            raise LostConnectionError(f"the process {self.server.member_id} offers no {self.kind}")
        opened = self.offer.opener(self.opening)
        self.object = opened.__enter__()
        self.opened = opened
        return b""

    async def take(self, head: envelopes.Head, body: bytes) -> None:
        """A message of the caller; in the loop's thread."""
        self.silent = 0
        kind = head["is"]
        if kind == "call":
            number = head["n"]
            with self.changed:
                if number < self.below or number in self.answers:
                    return
                self.below = max(self.below, head["below"])
                self.answers = {key: value for key, value in self.answers.items() if key >= self.below}
                self.answers[number] = None
            self._start(partial(self._do, head["method"], body, head.get("trace", "")), number)
        elif kind == "tell":
            self._start(partial(self._do, head["method"], body), None)
        elif kind == "ping":
            await self._answer_ping(head["waits"])
        elif kind == "close":
            self.end(LostConnectionError("the session is closed"))

    async def _answer_ping(self, waits: list[int]) -> None:
        """What is waited for and is not known comes again; what was answered is sent at the second ping."""
        with self.changed:
            unknown = [number for number in waits if number not in self.answers and number >= self.below]
            answered = {number for number in waits if self.answers.get(number) is not None}
            again = [messages for number in answered & self.asked_for if (messages := self.answers[number])]
            self.asked_for = answered
        link = self.server.link
        pong = envelopes.pack(link, {"is": "pong", "s": self.id, "unknown": unknown})
        await envelopes.publish(link, self.reply, pong)
        for messages in again:
            await envelopes.publish(link, self.reply, messages)

    def _start(self, work: Callable[[], bytes], number: int | None) -> None:
        with self.changed:
            if self.ending is not None:
                return
            self.running += 1
        threading.Thread(target=self._run, args=(work, number), name=f"call-{self.kind}", daemon=True).start()

    def _run(self, work: Callable[[], bytes], number: int | None) -> None:
        body, error = b"", None
        try:
            with self.connections.here():
                body = work()
        except MainstemError as exc:
            error = exc
        except Exception:
            _log.exception("a call failed", kind=self.kind)
            error = MainstemError(f"the process {self.server.member_id} failed; its log says how")
        broken_off = self.ending is not None and error is not None  # no error of its own: the end is told instead
        if number is not None and not broken_off:
            self._answer(number, error is None, body if error is None else pack_error(error))
        with self.changed:
            self.running -= 1
            self.changed.notify_all()
        if number == 0 and error is not None:
            self.end(error)  # the end may be heard of before the answer: both say why

    def _answer(self, number: int, good: bool, body: bytes) -> None:
        head = {"is": "answer", "s": self.id, "n": number, "ok": good}
        messages = envelopes.pack(self.server.link, head, body)
        with self.changed:
            if number >= self.below:
                self.answers[number] = messages
        envelopes.send(self.server.link, self.reply, messages)

    def _do(self, name: str, body: bytes, trace: str = "") -> bytes:
        method = None if name.startswith("_") or self.offer is None else getattr(self.offer.contract, name, None)
        if not callable(method):
            raise LostConnectionError(f"{self.kind} has no method {name}: {OTHER_VERSION}")
        form = signature(method)
        args, named = form.unpack(body)
        with tracing.span(f"{self.kind}.{name}", Kind.SERVER, parent=trace) if trace else tracing.untraced():
            return form.pack_result(getattr(self.object, name)(*args, **named))

    def end(self, why: MainstemError) -> threading.Thread:
        """Close it, in a thread of its own; the caller is told."""
        with self.changed:
            if self.ending is None:
                self.ending = threading.Thread(target=self._end, args=(why,), name=f"end-{self.kind}", daemon=True)
                self.ending.start()
            return self.ending

    def _end(self, why: MainstemError) -> None:
        self.connections.end_soon()
        try:
            while not self._is_at_rest():
                if hasattr(self.object, "interrupt"):
                    with contextlib.suppress(Exception):
                        self.object.interrupt()
                with self.changed:
                    self.changed.wait_for(lambda: self.running == 0, INTERRUPT_S)
            if self.opened is not None:
                self.opened.__exit__(None, None, None)
        except Exception:
            _log.exception("a session did not close", kind=self.kind)
        self.connections.close()
        self.server.ended(self, why)
        messages = envelopes.pack(self.server.link, {"is": "gone", "s": self.id}, pack_error(why))
        envelopes.send(self.server.link, self.reply, messages)

    def _is_at_rest(self) -> bool:
        with self.changed:
            return self.running == 0
