"""Members, leases and orders, on every database that the store can live in."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from mainstem.contract.fleet import Lease, Member, Unled, led_stream, stream_lease
from mainstem.contract.store import StreamRecord
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import RunState
from mainstem.store import database
from mainstem.store.fleet import SqlFleet
from mainstem.store.sql import SqlStore
from tests.store.conftest import postgres_url

ALICE = Member("member_a", ("api", "writer"), "one", 17, "1.0", "http://one:8020")
STREAM = StreamRecord("stream_1", 7, "config_1", "c", "cdc", "conn_1", "conn_2", {}, RunState.RUNNING)
NAME = stream_lease(STREAM.id)


@pytest.fixture
def fleet(store: SqlStore) -> SqlFleet:
    return store.fleet


def held(fleet: SqlFleet, name: str = NAME, holder: str = "a", lasts_s: float = 60.0) -> Lease:
    lease = fleet.acquire(name, holder, lasts_s)
    assert lease is not None
    return lease


def test_a_member_is_there_as_long_as_it_beats(fleet: SqlFleet) -> None:
    fleet.beat(ALICE)
    (first,) = fleet.members(60)
    assert replace(first, started_us=0, seen_us=0) == ALICE
    assert abs(first.seen_us / 1e6 - time.time()) < 60
    again = first
    while again.seen_us == first.seen_us:  # SQLite's clock tells milliseconds
        fleet.beat(replace(ALICE, roles=("api",)))
        (again,) = fleet.members(60)
    assert (again.roles, again.started_us) == (("api",), first.started_us)
    assert again.seen_us > first.seen_us
    assert fleet.members(0) == []
    fleet.leave(ALICE.id)
    assert fleet.members(60) == []


def test_a_lease_has_one_holder_and_each_has_a_greater_token(fleet: SqlFleet) -> None:
    first = held(fleet)
    assert fleet.acquire(NAME, "b", 60) is None
    assert fleet.acquire(NAME, "a", 60) is None
    assert fleet.leases() == [first]
    fleet.release(first)
    second = held(fleet, holder="b")
    assert second.token > first.token
    fleet.release(first)  # no longer its own
    assert fleet.renew([first, second], 60) == [second]
    assert fleet.leases() == [second]


def test_a_lease_that_ran_out_is_its_holders_until_another_takes_it(fleet: SqlFleet) -> None:
    lost = held(fleet, lasts_s=0)
    assert fleet.leases() == []
    assert fleet.renew([lost], 0) == [lost]
    taken = held(fleet, holder="b")
    assert fleet.renew([lost], 60) == []
    assert taken.token > lost.token


def test_a_holder_that_freezes_within_a_transaction_does_not_keep_its_lease_locked(
    postgres_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STOOD_STILL_MS", 300)
    frozen, other = SqlStore(postgres_url(postgres_db)), SqlStore(postgres_url(postgres_db))
    try:
        lost = held(frozen.fleet, lasts_s=0)
        with pytest.raises(frozen.away):
            freeze(frozen, lost, other)
        assert frozen.fleet.renew([lost], 60) == []
    finally:
        frozen.close()
        other.close()


def freeze(store: SqlStore, lease: Lease, other: SqlStore) -> None:
    """Stand still with the lease's line locked until another process has it, and go on then."""
    with store._database.writing() as connection:
        assert store.fleet.holds(connection, lease)
        assert held(other.fleet, holder="b").token > lease.token
        store.fleet.holds(connection, lease)


def test_a_lease_is_taken_from_its_holder_only_as_long_as_it_is_the_same(fleet: SqlFleet) -> None:
    first = held(fleet)
    assert fleet.acquire("stream/other", "b", 60, first) is not None  # nobody held that one
    second = fleet.acquire(NAME, "b", 60, first)
    assert second is not None
    assert second.token > first.token
    assert fleet.acquire(NAME, "c", 60, first) is None  # b was faster
    assert fleet.renew([first, second], 60) == [second]


def test_tokens_grow_where_the_clock_does_not(fleet: SqlFleet, store: SqlStore) -> None:
    far = 2**62
    fleet.release(held(fleet))
    with store._database.writing() as connection:
        connection.execute(sa.text(f"UPDATE leases SET token = {far}"))
    assert held(fleet).token == far + 1


def test_of_many_that_want_a_lease_at_once_one_gets_it(fleet: SqlFleet) -> None:
    """Each that gets it lets go again: whatever order they come in, no two hold it, and tokens only grow."""
    tokens: list[int] = []
    alone = threading.Lock()

    def work(number: int) -> None:
        for _ in range(8):
            lease = fleet.acquire(NAME, f"holder {number}", 60)
            if lease is not None:
                assert alone.acquire(blocking=False), "two held it"
                tokens.append(lease.token)
                alone.release()
                fleet.release(lease)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert tokens
    assert tokens == sorted(set(tokens))


def test_a_lease_that_runs_out_is_taken_by_one_of_many(fleet: SqlFleet) -> None:
    held(fleet, lasts_s=0)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: fleet.acquire(NAME, f"holder {number}", 60), range(16)))
    assert len([lease for lease in found if lease is not None]) == 1


def test_a_former_holder_changes_no_stream_any_more(fleet: SqlFleet, store: SqlStore) -> None:
    store.add_stream(STREAM)
    former = held(fleet, lasts_s=0)
    assert store.save_progress(STREAM.id, {"rows": 1}, former)
    held(fleet, holder="b")
    assert not store.save_progress(STREAM.id, {"rows": 2}, former)
    assert not store.put_stream(replace(STREAM, state=RunState.FAILED), former)
    assert store.stream(STREAM.id) == replace(STREAM, progress={"rows": 1})


def test_streams_without_a_leader_are_found(fleet: SqlFleet, store: SqlStore) -> None:
    store.add_stream(STREAM)
    store.add_stream(replace(STREAM, id="stream_2", state=RunState.READY, message="m", created_us=9))
    store.add_stream(replace(STREAM, id="stream_3", state=RunState.FINISHED))
    led = held(fleet)
    states = (RunState.RUNNING, RunState.READY)
    waiting = Unled("stream_2", RunState.READY, "m")
    assert fleet.unled(states) == [waiting]
    fleet.release(led)
    assert fleet.unled(states) == [Unled("stream_1", RunState.RUNNING, ""), waiting]


def test_an_order_reaches_the_holder_of_its_lease_once(fleet: SqlFleet) -> None:
    number = fleet.add_order(NAME, "pause", {"a": [1]}, 60)
    assert fleet.take_orders("a") == []
    lease = held(fleet)
    (order,) = fleet.take_orders("a")
    assert (order.number, order.subject, order.kind, order.body) == (number, NAME, "pause", {"a": [1]})
    assert fleet.take_orders("a") == fleet.take_orders("b") == []
    assert fleet.answer(number) is None
    fleet.release(lease)
    held(fleet, holder="b")
    assert fleet.take_orders("b") == [order]  # the first one may have ended before it did anything
    fleet.answer_order(number, {"ok": True})
    assert fleet.answer(number) == {"ok": True}
    assert fleet.withdraw(number) == {"ok": True}
    assert fleet.answer(number) is None


def test_orders_that_nobody_waits_for_are_not_taken(fleet: SqlFleet) -> None:
    held(fleet)
    late, withdrawn = fleet.add_order(NAME, "stop", {}, 0), fleet.add_order(NAME, "stop", {}, 60)
    assert fleet.withdraw(withdrawn) is None
    fleet.answer_order(withdrawn, {})
    assert late < withdrawn
    assert fleet.take_orders("a") == []


def test_a_process_that_has_the_store_to_itself_begins_anew(fleet: SqlFleet) -> None:
    fleet.beat(ALICE)
    before = held(fleet)
    fleet.add_order(NAME, "pause", {}, 60)
    fleet.reset()
    assert (fleet.members(60), fleet.leases()) == ([], [])
    assert held(fleet).token > before.token
    assert fleet.take_orders("a") == []


def test_a_leases_name_tells_its_stream() -> None:
    assert led_stream(NAME) == STREAM.id
    assert led_stream("starting") == ""


def test_a_reader_of_the_log_misses_no_line_that_another_server_writes(postgres_db: ConnectionSettings) -> None:
    """A line that appears has a higher number than all that appeared before, whoever's transaction was longer."""
    stores = [SqlStore(postgres_url(postgres_db)) for _ in range(3)]
    done = threading.Event()
    seen: list[int] = []

    def follow() -> None:
        while True:
            over = done.is_set()
            lines = stores[0].logs("s", after=seen[-1] if seen else 0, limit=10_000)
            seen.extend(line.number for line in lines)
            if over:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    line = Event(Level.INFO, Category.GENERAL, "x" * 1000, 1)

    def write(number: int) -> None:
        stores[1 + number % 2].append_logs([("s", line)] * (1 + number % 7 * 20), keep=100_000)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(60)))
    done.set()
    follower.join(60)
    assert len(seen) == sum(1 + number % 7 * 20 for number in range(60))
    for store in stores:
        store.close()


def test_servers_that_begin_at_once_agree_on_a_setting(postgres_db: ConnectionSettings) -> None:
    stores = [SqlStore(postgres_url(postgres_db)) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        agreed = set(pool.map(lambda number: stores[number % 2].setdefault("install_id", str(number)), range(16)))
    assert len(agreed) == 1
    for store in stores:
        store.close()
