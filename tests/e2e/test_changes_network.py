"""A replication over a network, and between servers, that fail in every way: it goes on, or says what is lost."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tools.twins import Twins, twins
from tools.workload import ACCOUNTS, MYSQL, POSTGRES, TOTAL, Session, Workload, bank_sum, prepare

from mainstem.contract import opened
from mainstem.engine.replication import Replication
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunState
from mainstem.testing import servers
from mainstem.testing.proxy import Proxy
from tests.e2e.routes import End, Route
from tests.e2e.streams import Following, cdc, ended_by_request, following, wait_until
from tests.e2e.test_bad_input_outages import command_of, kill, started_again


def through(settings: ConnectionSettings, proxy: Proxy) -> End:
    return End(replace(settings, port=proxy.port))


@contextmanager
def over_proxies(ends: Twins) -> Iterator[tuple[list[Proxy], Following]]:
    """A stream whose connections to source and target go through a proxy each; both pass on again at the end."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(end.port)) for end in (ends.source, ends.target)]
        route = Route(through(ends.source, proxies[0]), through(ends.target, proxies[1]))
        stream = stack.enter_context(following(route))
        try:
            yield proxies, stream
        finally:
            for proxy in proxies:
                proxy.silent = False


def stalled(proxy: Proxy) -> None:
    """Nothing passes for a while, and then all of it."""
    proxy.silent = True
    time.sleep(1)
    proxy.silent = False


def slow(proxy: Proxy) -> None:
    """Each piece takes a while."""
    proxy.latency_s = 0.05
    time.sleep(0.7)
    proxy.latency_s = 0.0


def narrow(proxy: Proxy) -> None:
    """Few bytes a second."""
    proxy.bytes_per_s = 100_000
    time.sleep(0.7)
    proxy.bytes_per_s = 0.0


def away(proxy: Proxy) -> None:
    """Nobody answers for a while."""
    proxy.refuse()
    proxy.hang_up()
    time.sleep(0.7)
    proxy.refuse(on=False)


FAULTS: tuple[Callable[[Proxy], None], ...] = (Proxy.hang_up, Proxy.reset, stalled, slow, narrow, away)


def test_a_network_that_fails_in_every_way_delays_a_replication_and_changes_nothing(ends: Twins) -> None:
    prepare(ends.source)
    with over_proxies(ends) as (proxies, stream):
        with stream.running() as replication, Session(ends.target) as target:
            with Workload(ends.source, seed=3, writers=1, pause_s=0.005) as writers:
                for fault in FAULTS:
                    for proxy in proxies:
                        before, position = writers.rows, replication.progress().changes
                        fault(proxy)
                        wait_until(lambda before=before: writers.rows > before + 50)
                        wait_until(lambda position=position: replication.progress().changes != position, stream.said)
                        assert bank_sum(target) == (ACCOUNTS, TOTAL)
            assert ends.wait_until_equal() == [], stream.said()[-10:]
        assert ended_by_request(stream)
        assert any("trying again" in said for said in stream.said())


def test_a_target_that_answers_nothing_is_given_up_when_the_source_is_lost_and_found_again(
    ends: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked to break off, and does not hear it either."""
    monkeypatch.setattr(opened, "PATIENCE_S", 1.0)
    prepare(ends.source)
    with over_proxies(ends) as (proxies, stream):
        with stream.running(), Session(ends.source) as source:
            assert ends.wait_until_equal() == []
            proxies[1].silent = True
            source.run("UPDATE accounts SET moves = moves + 1 WHERE id = 1")
            wait_until(lambda: proxies[1].held, stream.said)
            proxies[0].hang_up()
            wait_until(lambda: any("trying again" in said for said in stream.said()), stream.said)
            proxies[1].silent = False
            assert ends.wait_until_equal() == [], stream.said()[-10:]
        assert ended_by_request(stream)


def test_a_stream_can_be_stopped_while_none_of_its_servers_answers(
    ends: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "PATIENCE_S", 1.0)
    prepare(ends.source)
    with over_proxies(ends) as (proxies, stream):
        with stream.running(), Session(ends.source) as source:
            assert ends.wait_until_equal() == []
            proxies[1].silent = True
            source.run("UPDATE accounts SET moves = moves + 1 WHERE id = 1")
            wait_until(lambda: proxies[1].held, stream.said)
            proxies[0].silent = True
        assert ended_by_request(stream)


@contextmanager
def _own(kind: str) -> Iterator[servers.Server]:
    """A server of this test alone, that keeps what it has committed."""
    durable = {MYSQL: {"innodb-flush-log-at-trx-commit": "1", "sync-binlog": "1"}, POSTGRES: {"fsync": "on"}}
    with (servers.mariadb if kind == MYSQL else servers.postgres)(options=durable[kind]) as server:
        yield server


READY = {MYSQL: b"ready for connections", POSTGRES: b"ready to accept connections"}


@pytest.mark.parametrize("kind", [MYSQL, POSTGRES])
def test_servers_that_crash_and_come_back_are_followed_again(kind: str) -> None:
    """Source and target are databases of one server, which is killed."""
    with _own(kind) as server, ExitStack() as restarted, ExitStack() as stack:
        ends = stack.enter_context(twins(server.settings, server.settings))
        prepare(ends.source)
        command = command_of(server)
        stream = stack.enter_context(following(Route(End(ends.source), End(ends.target))))
        with ExitStack() as again:
            replication = again.enter_context(stream.running())
            with Workload(ends.source, seed=5, writers=1, pause_s=0.005) as writers:
                wait_until(lambda: writers.rows > 100)
                kill(server, signal.SIGKILL)
                wait_until(lambda: lag_s(replication) > 2, stream.said)  # what the source has meanwhile, nobody knows
                restarted.enter_context(started_again(server, command, READY[kind]))
                before = writers.rows
                wait_until(lambda: writers.rows > before + 100)
            assert ends.wait_until_equal() == [], stream.said()[-10:]
        assert ended_by_request(stream)


def lag_s(replication: Replication) -> float:
    changes = replication.progress().changes
    assert changes is not None
    return changes.lag_s


def _purged(session: Session, last: str) -> bool:
    """A file that somebody still reads stays."""
    session.run(f"PURGE BINARY LOGS TO '{last}'")
    return len(session.run("SHOW BINARY LOGS")) == 1


@pytest.mark.parametrize("kind", [MYSQL, POSTGRES])
def test_a_position_that_is_lost_while_nobody_reads_ends_the_stream_with_what_helps(
    kind: str, postgres18_server: ConnectionSettings
) -> None:
    """A purged binary log, a slot that was dropped: the stream fails once, and does not loop."""
    with _own(kind) as server, twins(server.settings, postgres18_server) as ends:
        prepare(ends.source)
        with following(Route(End(ends.source), End(ends.target)), cdc()) as stream:
            with stream.running():
                assert ends.wait_until_equal() == []
            with Session(ends.source) as session:
                session.run("INSERT INTO events VALUES (99, 'unseen')")
                if kind == MYSQL:
                    session.run("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
                    (last,) = session.run("SHOW MASTER STATUS")
                    wait_until(lambda: _purged(session, last[0]))
                else:
                    wait_until(lambda: session.run("SELECT 1 FROM pg_replication_slots WHERE active") == [])
                    session.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
            before = len(stream.said())
            ended = stream.replication().run()
            assert (ended.state, ended.error_code) == (RunState.FAILED, "position_lost")
            assert ended.remedy
            assert not any("trying again" in said for said in stream.said()[before:])


def test_a_lock_on_the_target_is_waited_for_and_taken_for_no_failure(ends: Twins) -> None:
    prepare(ends.source)
    lock = {MYSQL: "LOCK TABLES accounts WRITE", POSTGRES: "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"}
    free = {MYSQL: "UNLOCK TABLES", POSTGRES: "COMMIT"}
    options = replace(cdc(), changes=replace(cdc().changes, lock_timeout_s=1))
    with following(Route(End(ends.source), End(ends.target)), options) as stream:
        with stream.running(), Session(ends.target) as other, Session(ends.source) as source:
            assert ends.wait_until_equal() == []
            other.run(*lock[other.kind].split("; "))
            source.run("UPDATE accounts SET moves = moves + 1 WHERE id = 1")
            wait_until(lambda: any("trying again" in said for said in stream.said()), stream.said)
            other.run(free[other.kind])
            assert ends.wait_until_equal() == [], stream.said()[-10:]
        assert ended_by_request(stream)


def test_a_target_without_room_loses_nothing_and_goes_on_once_there_is_some(
    small_disk: Path, mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> None:
    with twins(mariadb_server, postgres18_server) as ends, Session(ends.target) as target:
        space = f"{ends.target.database}_small"
        target.run(f"CREATE TABLESPACE {space} LOCATION '{small_disk}'")
        target.run(f"ALTER DATABASE {ends.target.database} SET default_tablespace = {space}")
        prepare(ends.source)
        stream = Following(Route(End(ends.source), End(ends.target)), replace(cdc(), retry_seconds=1))
        try:
            with Session(ends.source) as source, stream.running():
                assert ends.wait_until_equal() == []
                many = "SELECT seq + 1000, REPEAT(MD5(seq), 2), 1, 1, 1, NULL, NULL, NULL, NULL FROM seq_1_to_150000"
                source.run(f"INSERT INTO items {many}")
                wait_until(lambda: any("no room" in said for said in stream.said()), stream.said)
            subprocess.run(["mount", "-o", "remount,size=512m", small_disk], check=True)
            with stream.running():
                assert ends.wait_until_equal() == [], stream.said()[-10:]
            assert ended_by_request(stream)
        finally:
            stream.close()
            target.run(f"ALTER DATABASE {ends.target.database} RESET default_tablespace")
            target.run("DROP SCHEMA public CASCADE", "DROP SCHEMA IF EXISTS mainstem CASCADE")
            target.run(f"DROP TABLESPACE {space}")
