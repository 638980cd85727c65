"""Calls from one process to another, through a NATS that may fail."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from mainstem.contract import opened as opening
from mainstem.contract.inspector import TableStatus
from mainstem.errors import (
    CancelledError,
    ConnectError,
    ConnectReason,
    InvalidError,
    LostConnectionError,
    MainstemError,
    RowError,
    TakenOverError,
)
from mainstem.hub import calls, callserver
from mainstem.hub.address import read_address
from mainstem.hub.calls import CallSession, caller_of, subject_of
from mainstem.hub.callserver import CallServer, Offer, Opening
from mainstem.hub.link import NatsLink
from mainstem.hub.parcels import Joiner, cut
from mainstem.hub.typed import pack_error, unpack_error
from mainstem.model.names import TableId
from mainstem.testing.nats import NatsServer, nats
from mainstem.testing.proxy import Proxy

DEADLINE_S = 60.0


class Desk:
    """What the tests call."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.over = threading.Event()
        self.begun = threading.Event()
        self.go = threading.Event()
        self.interrupted = threading.Event()
        self.hung_up = threading.Event()

    def turned(self, tables: Sequence[TableId], *, times: int = 1) -> dict[TableId, TableStatus]:
        """A bit of everything that travels."""
        return {table: TableStatus((table.name,) * times, empty=True) for table in reversed(tables)}

    def note(self, text: str) -> int:
        """Do something that must not be done twice."""
        self.notes.append(text)
        return len(self.notes)

    def wait(self) -> str:
        """Wait for the test, or to be interrupted."""
        self.begun.set()
        while not self.go.wait(0.02):
            if self.interrupted.is_set():
                raise CancelledError("interrupted")
        return "went on"

    def freeze(self) -> str:
        """Wait for a server that hears nothing."""
        opening.note(self, lambda desk: desk.hung_up.set())
        self.begun.set()
        assert self.hung_up.wait(DEADLINE_S)
        raise LostConnectionError("hung up")

    def large(self, size: int) -> str:
        """More than a message holds, and not to be compressed."""
        return secrets.token_hex(size // 2)

    def fail(self, number: int) -> None:
        """Raise one of several errors."""
        raise ERRORS[number]

    def interrupt(self) -> None:
        """See `callserver.Offer`."""
        self.interrupted.set()

    def _private(self) -> None:
        self.notes.append("private")


ERRORS: list[Exception] = [
    RowError("a row", row=7, column="c", remedy="mend it", table="t"),
    InvalidError("wrong", fields={"hub": "is wrong"}),
    ConnectError("no login", reason=ConnectReason.LOGIN),
    MainstemError("plain", where_from="x"),
    ZeroDivisionError("a value of a row"),
]


@dataclass
class Office:
    """A process that is called, with the desks that it made."""

    server: CallServer
    desks: list[Desk] = field(default_factory=list)

    @contextmanager
    def desk(self, opening: Opening) -> Iterator[Desk]:
        if opening.stream_id == "unknown":
            raise InvalidError("there is no such stream")
        made = Desk()
        self.desks.append(made)
        yield made
        made.over.set()


def link_to(url: str, installation: str = "calls") -> NatsLink:
    address = read_address(url)
    assert address is not None
    return NatsLink(address, installation)


@contextmanager
def office(link: NatsLink, member: str | None = None, *, exclusive: bool = False) -> Iterator[Office]:
    with CallServer(link, member or secrets.token_hex(4)) as server:
        made = Office(server)
        server.offer("desk", Offer(Desk, made.desk, exclusive))
        yield made


@pytest.fixture(scope="module")
def links(nats_server: NatsServer) -> Iterator[tuple[NatsLink, NatsLink]]:
    """Of the caller, and of who is called."""
    with link_to(nats_server.url) as one, link_to(nats_server.url) as other:
        yield one, other


def opened(link: NatsLink, place: Office, stream: str = "s", token: int = 1) -> CallSession:
    return caller_of(link).open(place.server.member_id, "desk", stream, token)


class Doing(threading.Thread):
    """Work in a thread, and what came of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work, self.result = work, None  # type: ignore[var-annotated]
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except Exception as exc:
            self.result = exc

    def outcome(self) -> object:
        self.join(DEADLINE_S)
        assert not self.is_alive()
        return self.result


def test_arguments_and_results_of_every_kind_come_through(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place, opened(links[0], place) as session:
        tables = [TableId("", "a"), TableId("ß", 'b"\n')]
        answer = session.ask(Desk.turned, tables, times=2)
    assert answer == Desk().turned(tables, times=2)
    assert list(answer) == tables[::-1]


@pytest.mark.parametrize("number", range(4))
def test_an_error_comes_as_what_it_is(links: tuple[NatsLink, NatsLink], number: int) -> None:
    with office(links[1]) as place, opened(links[0], place) as session:
        with pytest.raises(MainstemError) as caught:
            session.ask(Desk.fail, number)
        assert session.ask(Desk.note, "goes on") == 1
    assert type(caught.value) is type(ERRORS[number])
    assert vars(caught.value) == vars(ERRORS[number])
    assert str(caught.value) == str(ERRORS[number])


def test_an_error_that_is_none_of_ours_is_told_without_its_text(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place, opened(links[0], place) as session, pytest.raises(MainstemError) as caught:
        session.ask(Desk.fail, 4)
    assert "a value" not in str(caught.value)
    assert place.server.member_id in str(caught.value)


def test_an_error_of_a_later_version_is_read_as_one_of_ours() -> None:
    body = pack_error(RowError("a row", row=1)).replace(b"RowError", b"NewError")
    found = unpack_error(body)
    assert (type(found), found.message) == (MainstemError, "a row")
    assert isinstance(unpack_error(b"{"), LostConnectionError)


def test_what_is_larger_than_a_message_comes_through() -> None:
    with (
        nats({"max_payload": 64 * 1024}) as server,
        link_to(server.url) as one,
        link_to(server.url) as other,
        office(other) as place,
        opened(one, place) as session,
    ):
        assert len(session.ask(Desk.large, 3_000_000)) == 3_000_000
        assert session.ask(Desk.note, "x" * 1_000_000) == 1
    assert place.desks[0].notes == ["x" * 1_000_000]


def test_parts_that_come_in_any_order_and_twice_are_one_parcel() -> None:
    body = secrets.token_bytes(10_000)
    parts = cut(body, 1024)
    joiner = Joiner()
    found = [joiner.add(part) for part in (*parts[:0:-1], parts[3], parts[0])]
    assert found[-1] == body
    assert set(found[:-1]) == {None}


def test_only_public_methods_of_the_contract_can_be_called(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place, opened(links[0], place) as session:
        for name in ("_private", "nothing", "__init__"):
            method = lambda self: None  # noqa: E731
            method.__name__ = name
            method.__annotations__ = {"return": type(None)}
            with pytest.raises(MainstemError, match="different versions"):
                session.ask(method)
    assert place.desks[0].notes == []


def test_several_calls_of_a_session_are_under_way_at_once(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place, opened(links[0], place) as session:
        waiting = [Doing(lambda: session.ask(Desk.wait)) for _ in range(3)]
        assert place.desks[0].begun.wait(DEADLINE_S)
        assert session.ask(Desk.note, "beside") == 1
        place.desks[0].go.set()
        assert [one.outcome() for one in waiting] == ["went on"] * 3


def test_a_message_that_comes_twice_does_nothing_twice(links: tuple[NatsLink, NatsLink]) -> None:
    one, other = links
    with office(other) as place:

        async def repeat() -> None:
            async def again(message: object) -> None:
                data, reply = message.data, message.reply  # type: ignore[attr-defined]
                if reply not in seen or seen[reply] < 20:
                    seen[reply] = seen.get(reply, 0) + 1
                    await other.client.publish(subject_of(one, place.server.member_id), data, reply=reply)

            seen: dict[str, int] = {}
            await other.client.subscribe(subject_of(one, place.server.member_id), cb=again)

        other.call(repeat())
        with opened(one, place) as session:
            assert [session.ask(Desk.note, str(number)) for number in range(4)] == [1, 2, 3, 4]
    assert len(place.desks) == 1


def test_a_call_that_was_lost_is_sent_again_and_so_is_its_answer(
    links: tuple[NatsLink, NatsLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "TICK_S", 0.05)
    lost: list[str] = []
    publish = calls.envelopes.publish

    async def losing(link: NatsLink, subject: str, messages: Sequence[bytes], reply: str = "") -> None:
        whole = [Joiner().add(message) or b"" for message in messages]
        kind = next((kind for kind in ("call", "answer") if whole[0].startswith(b'{"is":"%s"' % kind.encode())), "")
        if kind and lost.count(kind) < 2 and b'"n":0' not in whole[0]:
            lost.append(kind)
            return
        await publish(link, subject, messages, reply)

    with office(links[1]) as place, opened(links[0], place) as session:
        monkeypatch.setattr(calls.envelopes, "publish", losing)
        assert session.ask(Desk.note, "once") == 1
    assert place.desks[0].notes == ["once"]
    assert sorted(lost) == ["answer", "answer", "call", "call"]


def test_a_member_that_is_not_there_is_told_at_once(links: tuple[NatsLink, NatsLink]) -> None:
    with pytest.raises(LostConnectionError, match="nobody is not there"):
        caller_of(links[0]).open("nobody", "desk", "s", 1)


def test_what_cannot_be_opened_is_told_by_its_own_error(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place:
        with pytest.raises(InvalidError, match="no such stream"):
            opened(links[0], place, "unknown")
        with pytest.raises(LostConnectionError, match="offers no chair"):
            caller_of(links[0]).open(place.server.member_id, "chair", "s", 1)
        assert place.server.sessions() == {"desk": 0}


def test_a_session_that_is_closed_is_closed_on_the_other_side_before_it_returns(
    links: tuple[NatsLink, NatsLink],
) -> None:
    with office(links[1]) as place:
        with opened(links[0], place) as session:
            waiting = Doing(lambda: session.ask(Desk.wait))
            assert place.desks[0].begun.wait(DEADLINE_S)
        assert place.desks[0].interrupted.is_set()
        assert place.desks[0].over.is_set()
        assert isinstance(waiting.outcome(), CancelledError)
        with pytest.raises(CancelledError):
            session.ask(Desk.note, "late")


def test_who_waits_for_an_answer_is_woken_by_an_abort(links: tuple[NatsLink, NatsLink]) -> None:
    told: list[MainstemError] = []
    with office(links[1]) as place, opened(links[0], place) as session:
        session.when_over(told.append)
        waiting = Doing(lambda: session.ask(Desk.wait))
        assert place.desks[0].begun.wait(DEADLINE_S)
        session.abort(CancelledError("enough"))
        assert str(waiting.outcome()) == "enough"
        assert place.desks[0].over.wait(DEADLINE_S)
    assert [str(error) for error in told] == ["enough"]


def test_a_newer_token_ends_the_sessions_of_older_ones_and_refuses_them(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place:
        old, other = opened(links[0], place, token=4), opened(links[0], place, "another", token=1)
        waiting = Doing(lambda: old.ask(Desk.wait))
        assert place.desks[0].begun.wait(DEADLINE_S)
        with opened(links[0], place, token=5) as new:
            assert place.desks[0].over.is_set()  # before the new one is open
            assert new.ask(Desk.note, "x") == 1
            assert isinstance(waiting.outcome(), MainstemError)
            with pytest.raises(TakenOverError, match="taken this stream over"):
                opened(links[0], place, token=4)
            with opened(links[0], place, token=5) as same:
                assert [new.ask(Desk.note, "y"), same.ask(Desk.note, "z"), other.ask(Desk.note, "a")] == [2, 1, 1]
        other.close()


def test_of_an_exclusive_kind_a_stream_has_one_session(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1], exclusive=True) as place:
        first = opened(links[0], place)
        with opened(links[0], place) as second:
            assert place.desks[0].over.is_set()
            assert second.ask(Desk.note, "x") == 1
            with pytest.raises(TakenOverError):
                first.ask(Desk.note, "y")


def test_what_waits_for_a_server_that_hears_nothing_is_hung_up_at_both_ends(
    links: tuple[NatsLink, NatsLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that calls by the end of its work, the one that is called by the end of the session."""
    monkeypatch.setattr(opening, "PATIENCE_S", 0.1)

    def call() -> str:
        with opening.noting() as work, opened(links[0], place) as session:
            works.append(work)
            return session.ask(Desk.freeze)

    works: list[opening.Opened] = []
    with office(links[1]) as place:
        asking = Doing(call)
        while not (works and place.desks and place.desks[0].begun.wait(0.02)):
            assert asking.is_alive()
        works[0].end_soon()
        assert isinstance(asking.outcome(), LostConnectionError)
        assert place.desks[0].over.wait(DEADLINE_S)


def test_a_member_that_ends_tells_its_callers(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place:
        session = opened(links[0], place)
        waiting = Doing(lambda: session.ask(Desk.wait))
        assert place.desks[0].begun.wait(DEADLINE_S)
    error = waiting.outcome()
    assert isinstance(error, LostConnectionError | CancelledError)
    with pytest.raises(LostConnectionError, match="has ended"):
        session.ask(Desk.note, "x")


def test_a_member_that_was_started_anew_does_not_know_the_session(links: tuple[NatsLink, NatsLink]) -> None:
    with office(links[1]) as place:
        session = opened(links[0], place)
        place.server._sessions.clear()
        with pytest.raises(LostConnectionError, match="does not know this session"):
            session.ask(Desk.note, "x")


def test_a_member_that_dies_ends_the_call(nats_server: NatsServer) -> None:
    with link_to(nats_server.url) as one, link_to(nats_server.url) as other, office(other) as place:
        session = opened(one, place)
        waiting = Doing(lambda: session.ask(Desk.wait))
        assert place.desks[0].begun.wait(DEADLINE_S)
        asyncio.run_coroutine_threadsafe(other.client.close(), other.loop).result(DEADLINE_S)
        assert isinstance(waiting.outcome(), LostConnectionError)
        place.desks[0].go.set()


def test_sessions_of_a_caller_that_dies_are_closed(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callserver, "TICK_S", 0.1)
    with link_to(nats_server.url) as one, link_to(nats_server.url) as other, office(other) as place:
        session = opened(one, place)
        Doing(lambda: session.ask(Desk.wait))
        assert place.desks[0].begun.wait(DEADLINE_S)
        asyncio.run_coroutine_threadsafe(one.client.close(), one.loop).result(DEADLINE_S)
        assert place.desks[0].over.wait(DEADLINE_S)


def test_a_short_outage_of_nats_is_waited_for_and_a_long_one_is_not() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(nats())
        proxy = stack.enter_context(Proxy(server.port))
        one = stack.enter_context(link_to(f"nats://127.0.0.1:{proxy.port}"))
        place = stack.enter_context(office(stack.enter_context(link_to(server.url))))
        session = opened(one, place)
        for fault in (lambda: cut_off(proxy, 2.0), lambda: stalled(proxy, 2.0), lambda: restarted(server)):
            place.desks[0].begun.clear()
            place.desks[0].go.clear()
            waiting = Doing(lambda: session.ask(Desk.wait))
            assert place.desks[0].begun.wait(DEADLINE_S)
            fault()
            place.desks[0].go.set()
            assert waiting.outcome() == "went on"
        place.desks[0].go.clear()
        waiting = Doing(lambda: session.ask(Desk.wait))
        proxy.refuse()
        proxy.hang_up()
        assert isinstance(waiting.outcome(), LostConnectionError)
        proxy.refuse(on=False)


def cut_off(proxy: Proxy, seconds: float) -> None:
    proxy.refuse()
    proxy.hang_up()
    time.sleep(seconds)
    proxy.refuse(on=False)


def stalled(proxy: Proxy, seconds: float) -> None:
    proxy.silent = True
    time.sleep(seconds)
    proxy.silent = False


def restarted(server: NatsServer) -> None:
    server.kill()
    server.start()
