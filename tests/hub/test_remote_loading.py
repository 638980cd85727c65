"""Loaders in another process write what they are handed tickets for, as one that is here would."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
from tests.hub.loaders import CHUNK, PLAN, TABLE, KeepingLoader, Kept
from tests.hub.test_fetching import Placing, rows

from mainstem.contract.target import Loader
from mainstem.engine.control import RunControl
from mainstem.errors import (
    AccountingError,
    ConnectError,
    ConnectReason,
    InvalidError,
    LostConnectionError,
    MainstemError,
    RowError,
    StatementError,
)
from mainstem.hub.callserver import CallServer, Opening
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub
from mainstem.hub.remote.fetching import Fetching
from mainstem.hub.remote.loaderdesk import LOADER, loader_offer
from mainstem.hub.remote.loading import RemoteLoader, RemoteTarget
from mainstem.model.batch import RawBatch
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import Rejected, RunState

MIB = 1024 * 1024
REFUSED = ConnectError("the target cannot be reached", reason=ConnectReason.REFUSED)
AWAY = TablePlan(TableId("shop", "away"), TableId("public", "away"), ())
ALONE = TablePlan(TableId("shop", "alone"), TableId("public", "alone"), PLAN.columns)


@dataclass
class Target(Kept):
    """A target that may be out of reach."""

    unreachable: MainstemError | None = None
    runs: list[str] = field(default_factory=list)

    def loader(self, run_id: str) -> KeepingLoader:
        self.runs.append(run_id)
        if self.unreachable is not None:
            raise self.unreachable
        return super().loader(run_id)

    def ledger(self, run_id: str) -> None:  # type: ignore[empty-body]
        """Not asked for here."""

    builder = ledger


@pytest.fixture(scope="module")
def far(link: NatsLink) -> Iterator[NatsLink]:
    """The connection of another process."""
    with NatsLink(link.address, link.installation) as opened:
        yield opened


@contextmanager
def writer(link: NatsLink, target: Target, member: str = "") -> Iterator[str]:
    """A process that offers loaders; its member's id."""
    with CallServer(link, member or secrets.token_hex(6)) as server:
        server.offer(LOADER, loader_offer(link, lambda opening: found(target, opening)))  # type: ignore[arg-type, return-value]
        yield server.member_id


def found(target: Target, opening: Opening) -> Target:
    assert (opening.stream_id, opening.token) == ("s", 1)
    return target


def remote(link: NatsLink, *members: str, here: Target | None = None) -> RemoteTarget:
    return RemoteTarget(here or Target(), link, "s", 1, lambda: members)  # type: ignore[arg-type]


@pytest.fixture
def kept() -> Target:
    return Target()


@pytest.fixture
def loader(link: NatsLink, far: NatsLink, kept: Target) -> Iterator[Loader]:
    """One in another process, with a chunk begun."""
    with writer(far, kept) as member:
        target = remote(link, member)
        with target.loader("r"), target.loader("r") as opened:
            assert isinstance(opened, RemoteLoader)
            opened.begin(PLAN, CHUNK, quarantine=None)
            yield opened


@pytest.fixture
def placing(link: NatsLink) -> Iterator[Placing]:
    with NatsHub(link, secrets.token_hex(6), 4 * MIB) as hub:
        yield Placing(link, hub)


def test_loaders_are_dealt_in_turn_to_this_process_and_the_others(link: NatsLink, far: NatsLink) -> None:
    here, there, elsewhere = Target(), Target(), Target()
    with writer(far, there, "b") as b, writer(far, elsewhere, "a") as a, ExitStack() as stack:
        target = remote(link, b, a, here=here)
        kinds = [type(stack.enter_context(target.loader("r7"))) for _ in range(5)]
    assert kinds == [Fetching, RemoteLoader, RemoteLoader, Fetching, RemoteLoader]
    assert [len(one.loaders) for one in (here, elsewhere, there)] == [2, 2, 1]
    assert {*here.runs, *there.runs, *elsewhere.runs} == {"r7"}
    assert all(one.closed for target in (here, there, elsewhere) for one in target.loaders)


def test_a_process_that_is_gone_or_cannot_open_the_target_is_passed_over(link: NatsLink, far: NatsLink) -> None:
    here, cut_off, without_key = Target(), Target(unreachable=REFUSED), Target(unreachable=InvalidError("no key"))
    with writer(far, cut_off, "b") as b, writer(far, without_key, "c") as c, ExitStack() as stack:
        target = remote(link, "a-that-is-gone", b, c, here=here)
        assert [type(stack.enter_context(target.loader("r"))) for _ in range(4)] == [Fetching] * 4
        here.unreachable = REFUSED
        with pytest.raises(ConnectError):
            target.loader("r")


def test_placed_batches_are_written_there_and_counted_here(placing: Placing, loader: Loader, kept: Target) -> None:
    for ticket in placing.read(rows(b"a", b"b"), RawBatch(TABLE, b"c", 1), rows(b"d")):
        loader.write(ticket)
    assert not kept.rows
    receipt = loader.commit(4, RunState.EVENT_LIMIT_REACHED)
    assert (receipt.rows_written, receipt.rows_rejected, receipt.coerced) == (4, 0, {"a: cut": 1})
    assert kept.rows == [b"a", b"b", b"c", b"d"]
    assert kept.done == {CHUNK}


def test_what_is_read_here_goes_there_too_however_large(link: NatsLink, loader: Loader, kept: Target) -> None:
    large = bytes(range(256)) * (96 * 1024)
    for batch in (rows(b"a"), RawBatch(TABLE, large, 1), rows(b"b", large)):
        loader.write(batch)
    loader.commit(4)
    second = Chunk(TABLE, 1)
    loader.begin(ALONE, second, quarantine=None)
    assert loader.alone
    loader.write(rows(b"given up"))
    loader.rollback()
    loader.begin(PLAN, second, quarantine=None)
    assert not loader.alone
    loader.write(rows(b"c"))
    loader.commit(1)
    assert kept.rows == [b"a", large, b"b", large, b"c"]
    loader.__exit__(None, None, None)
    assert not link.hubs


def test_what_a_loader_says_arrives_as_itself_and_the_next_chunk_goes_on(
    placing: Placing, loader: Loader, kept: Target
) -> None:
    kept.refused = frozenset({b"bad"})
    with pytest.raises(StatementError, match="no such table") as caught:
        loader.begin(AWAY, CHUNK, quarantine=None)
    assert caught.value.where == {"table": "shop.away"}
    loader.rollback()

    loader.begin(PLAN, CHUNK, quarantine=None)
    first, second = placing.read(rows(b"a", b"bad"), rows(b"b"))
    with pytest.raises(RowError) as refused:
        write_all(loader, first, second, rows=3)
    assert (refused.value.row, refused.value.column) == (1, "a")
    loader.rollback()

    loader.begin(PLAN, CHUNK, quarantine=None)
    (ticket,) = placing.read(rows(b"a"))
    with pytest.raises(AccountingError):
        write_all(loader, ticket, rows=2)
    loader.rollback()
    loader.begin(PLAN, CHUNK, quarantine=None)
    write_all(loader, *placing.read(rows(b"a")), rows=1)
    assert kept.rows == [b"a"]


def write_all(loader: Loader, *tickets: object, rows: int) -> None:
    for ticket in tickets:
        loader.write(ticket)  # type: ignore[arg-type]
    loader.commit(rows)


def test_each_row_that_is_refused_is_asked_about_here(placing: Placing, loader: Loader, kept: Target) -> None:
    kept.refused = frozenset({b"bad", b"worse"})
    control = RunControl(0, 0, max_rejected=3)
    loader.rollback()
    loader.begin(PLAN, CHUNK, quarantine=control.reject)
    tickets = placing.read(rows(b"a", b"bad", b"worse"), rows(b"b"), rows(b"bad"))
    for ticket in tickets:
        loader.write(ticket)
    receipt = loader.commit(5)
    assert (receipt.rows_written, receipt.rejected) == (2, (Rejected(TABLE, "a", "a", "refused"),) * 3)
    assert not control.reject()

    loader.begin(PLAN, Chunk(TABLE, 1), quarantine=control.reject)
    with pytest.raises(RowError):
        write_all(loader, *placing.read(rows(b"bad")), rows=1)


def test_a_chunk_is_given_up_while_a_row_of_it_is_asked_about(placing: Placing, loader: Loader, kept: Target) -> None:
    kept.refused = frozenset({b"bad"})
    loader.rollback()
    loader.begin(PLAN, CHUNK, quarantine=lambda: True)
    (ticket,) = placing.read(rows(b"bad"))
    loader.write(ticket)
    loader.rollback()
    loader.begin(PLAN, CHUNK, quarantine=None)
    write_all(loader, *placing.read(rows(b"a")), rows=1)
    assert kept.rows == [b"a"]


def outcome_of(work: Callable[[], object]) -> Callable[[], MainstemError | None]:
    """Run in a thread; gives what it raises, once it is over."""
    errors: list[MainstemError] = []

    def run() -> None:
        try:
            work()
        except MainstemError as exc:
            errors.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def outcome() -> MainstemError | None:
        thread.join(60)
        assert not thread.is_alive()
        return errors[0] if errors else None

    return outcome


def test_a_writer_that_is_lost_in_a_chunk_leaves_nothing_of_it(
    link: NatsLink, far: NatsLink, placing: Placing, kept: Target
) -> None:
    kept.hold = threading.Event()
    with ExitStack() as stack:
        process = ExitStack()
        member = process.enter_context(writer(far, kept))
        target = remote(link, member)
        stack.enter_context(target.loader("r"))
        lost = stack.enter_context(target.loader("r"))
        lost.begin(PLAN, CHUNK, quarantine=None)
        first, second = placing.read(rows(b"a"), rows(b"b"))
        outcome = outcome_of(lambda: write_all(lost, first, second, rows=2))
        assert kept.writing.wait(60)
        process.close()
        assert isinstance(outcome(), LostConnectionError)
        lost.rollback()
        assert isinstance(target.loader("r"), Fetching)
        assert isinstance(target.loader("r"), Fetching)
    assert (kept.rows, kept.done) == ([], set())
    assert [one.closed for one in kept.loaders] == [True]


def test_the_connection_of_a_writer_that_cannot_be_asked_to_close_it_is_ended_here(link: NatsLink) -> None:
    here, there = Target(), Target()
    with ExitStack() as stack:
        away = stack.enter_context(NatsLink(link.address, link.installation))
        target = remote(link, stack.enter_context(writer(away, there)), here=here)
        with target.loader("r"), target.loader("r"), target.loader("r"), target.loader("r") as closed_in_order:
            closed_in_order.__exit__(None, None, None)
            assert not here.ended
            away.call(away.client.close())
    assert here.ended == ["session 0"]


def test_interrupting_wakes_whoever_waits_and_breaks_off_what_runs_there(
    placing: Placing, loader: Loader, kept: Target
) -> None:
    kept.hold = threading.Event()
    outcome = outcome_of(lambda: write_all(loader, *placing.read(rows(b"a"), rows(b"b")), rows=2))
    assert kept.writing.wait(60)
    loader.interrupt()
    assert outcome() is not None
    loader.rollback()
    loader.__exit__(None, None, None)
    assert [(one.closed, one.interrupted.is_set()) for one in kept.loaders] == [(True, True)]
