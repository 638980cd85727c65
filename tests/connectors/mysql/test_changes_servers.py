"""The log of a server that restarts, begins its log anew, hangs, throws readers out, or is replaced by another."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pymysql
import pytest

from mainstem.connectors.mysql import log_side, replica
from mainstem.connectors.mysql.changes import MysqlChangeSource
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.log_position import load
from mainstem.contract.changes import ChangeStream
from mainstem.errors import CancelledError, InvalidError, LostConnectionError, MainstemError, PositionLostError
from mainstem.model.change import Idle
from mainstem.model.connection import ConnectionSettings, SslMode
from mainstem.model.run import ChangeOptions, RunOptions
from mainstem.testing import servers
from tests.connectors import tls
from tests.connectors.mysql.following import DEADLINE_S, Source, run
from tests.connectors.mysql.test_server_settings import set_globally


@dataclass
class Own:
    """A server of these tests with the table ``shop.t``."""

    data: servers.Restartable
    server: servers.Server

    @property
    def settings(self) -> ConnectionSettings:
        return replace(self.server.settings, database="shop")

    def restart(self) -> None:
        self.data.stop()
        self.server = self.data.start()


@pytest.fixture(scope="module")
def own() -> Iterator[Own]:
    with servers.restartable_mariadb({"innodb-buffer-pool-size": "64M", "innodb-log-file-size": "64M"}) as data:
        own = Own(data, data.start())
        run(own.server.settings, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))")
        yield own


@pytest.fixture
def source(own: Own) -> Source:
    run(own.settings, "TRUNCATE TABLE t")
    return Source(own.settings, "t")


def ask(settings: ConnectionSettings, sql: str) -> list[tuple[object, ...]]:
    with connect(settings) as connection:
        return query(connection, sql)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def outcome(stream: ChangeStream, meanwhile: Callable[[], object]) -> MainstemError:
    """The error that ends a stream while something is done to it, which is done when this returns."""
    doing = threading.Timer(0.2, meanwhile)
    doing.start()
    deadline = time.monotonic() + DEADLINE_S
    try:
        for _ in stream.groups():
            assert time.monotonic() < deadline
    except MainstemError as exc:
        return exc
    finally:
        doing.join()
    raise AssertionError("the stream ended")


def test_a_table_in_memory_is_empty_behind_a_restart(own: Own) -> None:
    run(own.settings, "CREATE OR REPLACE TABLE m (id INT PRIMARY KEY) ENGINE = MEMORY")
    source = Source(own.settings, "m")
    source.run("INSERT INTO m VALUES (1), (2)")
    own.restart()
    source.run("INSERT INTO m VALUES (3)")
    assert set(source.follow().tables["m"]) == {(b"3",)}


def in_another_second(own: Own) -> None:
    began = ask(own.settings, "SELECT UNIX_TIMESTAMP()")
    wait_for(lambda: ask(own.settings, "SELECT UNIX_TIMESTAMP()") != began)


def dump_threads(settings: ConnectionSettings) -> list[int]:
    rows = ask(settings, "SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'")
    return [int(str(number)) for (number,) in rows]


def dump_states(settings: ConnectionSettings) -> set[str]:
    rows = ask(settings, "SELECT state FROM information_schema.processlist WHERE command = 'Binlog Dump'")
    return {str(state) for (state,) in rows}


def test_a_stream_goes_on_behind_a_restart_of_the_server(own: Own, source: Source) -> None:
    source.run("INSERT INTO t VALUES (1, 'a')")
    source.follow()
    source.run("INSERT INTO t VALUES (2, 'b')")
    with source.stream() as stream:
        error = outcome(stream, own.data.stop)
    assert isinstance(error, LostConnectionError)
    own.server = own.data.start()
    source.run("INSERT INTO t VALUES (3, 'c')")
    seen = source.follow()
    assert [row for _, row, _ in seen.events["t"]] == [(b"1", b"a"), (b"2", b"b"), (b"3", b"c")]


def test_a_log_that_was_begun_anew_is_another_log(own: Own, source: Source) -> None:
    """Though file, offset and GTIDs are there again: its first event tells when it was begun."""
    run(own.settings, "RESET MASTER", "INSERT INTO t VALUES (1, 'a')")
    source = Source(own.settings, "t")
    in_another_second(own)
    run(own.settings, "RESET MASTER", *(f"INSERT INTO t VALUES ({number}, 'a')" for number in range(2, 12)))
    with pytest.raises(PositionLostError, match="begun anew") as caught:
        source.follow()
    assert "resync" in caught.value.remedy


def test_a_stream_goes_on_behind_an_event_that_is_larger_than_a_packet(own: Own) -> None:
    """MariaDB cannot say which GTIDs come before a place behind it; a stream that begins there has those of the end."""
    run(own.settings, "FLUSH BINARY LOGS", "CREATE OR REPLACE TABLE wide (id INT PRIMARY KEY, a LONGTEXT)",
        "INSERT INTO wide VALUES (1, REPEAT('a', 700000))")  # fmt: skip
    source = Source(own.settings, "wide")
    with set_globally(own.settings, "max_allowed_packet = 1048576", str(256 << 20)):
        source.run("UPDATE wide SET a = REPEAT('b', 700000)")  # both images are in the log
        source.follow()
        source.run("INSERT INTO wide VALUES (2, 'c')")
        assert [row[0] for _, row, _ in source.follow().events["wide"] if row] == [b"1", b"2"]
        later = Source(own.settings, "wide")
        assert ask(own.settings, "SELECT @@GLOBAL.gtid_binlog_pos") == [(load(later.seen.position).gtid,)]
        later.run("INSERT INTO wide VALUES (3, 'd')")
        assert [row[0] for _, row, _ in later.follow().events["wide"] if row] == [b"3"]


def test_a_reader_that_is_thrown_out_tells_that_the_connection_was_lost(source: Source) -> None:
    with source.stream() as stream:

        def kill() -> None:
            for number in dump_threads(source.settings):
                with suppress(pymysql.Error):  # one of an earlier stream may end just now
                    run(source.settings, f"KILL {number}")

        assert isinstance(outcome(stream, kill), LostConnectionError)
    source.run("INSERT INTO t VALUES (1, 'a')")
    assert len(source.follow().events["t"]) == 1


def test_two_readers_of_one_server_id_are_told_of_each_other(own: Own) -> None:
    options = RunOptions(changes=ChangeOptions(server_id=77))
    first, second = (Source(own.settings, "t", options=options) for _ in range(2))
    with first.stream() as stream:
        other: list[ChangeStream] = []
        error = outcome(stream, lambda: other.append(second.stream().__enter__()))
        assert isinstance(error, LostConnectionError)
        assert "our server id" in error.message
        wait_for(lambda: bool(other))
        other[0].__exit__(None, None, None)


def test_a_reader_that_reads_no_more_holds_up_no_other(own: Own, source: Source) -> None:
    source.run("CREATE TABLE large (id INT PRIMARY KEY, note LONGTEXT)")
    with source.stream():  # as a process that was killed behind a network that nobody told: its socket stays full
        source.run("INSERT INTO large SELECT seq, REPEAT('x', 1000000) FROM seq_1_to_40")
        wait_for(lambda: "Writing to net" in dump_states(own.settings))
        source.run("INSERT INTO t VALUES (2, 'b')")
        assert len(source.follow().events["t"]) == 1


def test_a_server_that_says_nothing_is_given_up(own: Own, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "HEARTBEAT_S", 0.3)
    monkeypatch.setattr(log_side, "ANSWER_S", 2)
    with source.stream() as stream:
        monkeypatch.setattr(replica, "SILENCE_S", 1.0)
        try:
            error = outcome(stream, lambda: os.kill(own.server.pid, signal.SIGSTOP))
        finally:
            os.kill(own.server.pid, signal.SIGCONT)
    assert isinstance(error, LostConnectionError)


def test_heartbeats_keep_an_idle_stream_alive(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(replica, "SILENCE_S", 2.0)
    with source.stream() as stream:
        began, idles = time.monotonic(), 0
        for group in stream.groups():
            assert isinstance(group, Idle)
            assert group.lag_bytes == 0
            idles += 1
            if time.monotonic() - began > 2.5:  # longer than what counts as silence
                break
    assert idles >= 3


def test_an_interrupted_stream_ends_without_waiting_for_the_server(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "HEARTBEAT_S", 600.0)
    monkeypatch.setattr(replica, "SILENCE_S", 3600.0)
    with source.stream() as stream:
        assert isinstance(outcome(stream, stream.interrupt), CancelledError)


def test_the_log_is_read_over_tls() -> None:
    certificates = tls.Certificates()
    with tls.STARTERS["mysql"](certificates) as server:
        settings = replace(server.settings, database="shop", ssl=certificates.ssl(SslMode.VERIFY_FULL))
        run(
            replace(settings, database=""),
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v LONGTEXT)",
        )
        source = Source(settings, "t")
        source.run(
            "INSERT INTO t SELECT seq, seq FROM seq_1_to_10000", "UPDATE t SET v = REPEAT('x', 20000000) WHERE id = 7"
        )
        seen = source.follow()
        assert seen.tables["t"] == source.rows("t")
        assert seen.groups[0].lag_bytes is not None


def test_a_replica_goes_on_where_its_source_was_left(own: Own, source: Source) -> None:
    with servers.mariadb(
        {
            "server-id": "2", "log-slave-updates": "ON", "innodb-buffer-pool-size": "64M",
            "innodb-log-file-size": "64M", "log-bin": "other",
        }
    ) as second:  # fmt: skip
        run(own.settings, "RESET MASTER")
        run(second.settings, "RESET MASTER", "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))", "RESET MASTER",
            f"CHANGE MASTER TO master_host = '127.0.0.1', master_port = {own.settings.port}, master_user = 'root',"
            " master_password = 'root', master_use_gtid = slave_pos", "START SLAVE")  # fmt: skip
        source = Source(own.settings, "t")
        source.run("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'b')")
        source.follow()
        since = source.changes.end_position()
        source.run("INSERT INTO t VALUES (3, 'c')")
        there = replace(second.settings, database="shop")
        wait_for(lambda: len(ask(there, "SELECT * FROM t")) == 3)
        run(there, "STOP SLAVE", "RESET SLAVE ALL", "INSERT INTO t VALUES (4, 'd')")
        source.changes, source.settings = MysqlChangeSource(there, RunOptions()), there
        origin, _ = source.changes.open("test", [], source.origin, "")
        source.origin = origin
        seen = source.follow()
        assert [row for _, row, _ in seen.events["t"]] == [(b"1", b"a"), (b"2", b"b"), (b"3", b"c"), (b"4", b"d")]
        assert "mariadb-2" in seen.position
        # A table whose copy was of the server before is told apart by GTIDs.
        source.run("INSERT INTO t VALUES (5, 'e')")
        source.copied("t", since)
        assert source.follow().events["t"][4:] == [("insert", (b"5", b"e"), None)]


def test_a_server_that_knows_nothing_of_the_position_is_refused(own: Own, source: Source) -> None:
    run(own.settings, "RESET MASTER", "INSERT INTO t VALUES (1, 'a')")
    source = Source(own.settings, "t")
    source.position = source.position.replace("mariadb-1", "mariadb-9").replace("0-1-", "0-1-999")
    source.seen.position = source.position
    with pytest.raises(PositionLostError):
        source.follow()


@pytest.mark.parametrize("form", ["file", "gtid"])
def test_a_stream_begins_where_a_user_says(own: Own, source: Source, form: str) -> None:
    run(own.settings, "INSERT INTO t VALUES (1, 'a')")
    file, offset = ask(own.settings, "SHOW MASTER STATUS")[0][:2]
    gtid = ask(own.settings, "SELECT @@gtid_binlog_pos")[0][0]
    run(own.settings, "INSERT INTO t VALUES (2, 'b')")
    position = f"{file}:{offset}" if form == "file" else str(gtid)
    source.origin, source.seen.position = source.changes.open("test", [], "", position)
    assert source.follow().events["t"] == [("insert", (b"2", b"b"), None)]


@pytest.mark.parametrize("position", ["nowhere", "binlog.000001", "16/B374D848", "1-2"])
def test_what_is_no_position_is_refused(source: Source, position: str) -> None:
    with pytest.raises(InvalidError, match="no position"):
        source.changes.open("test", [], "", position)


def test_a_position_behind_the_end_of_the_log_is_refused(source: Source) -> None:
    with pytest.raises(PositionLostError):
        source.changes.open("test", [], "", "binlog.000777:4")
    with pytest.raises(PositionLostError):
        source.changes.open("test", [], "", f"{ask(source.settings, 'SHOW MASTER STATUS')[0][0]}:999999999")


def test_a_position_within_a_transaction_is_refused(source: Source) -> None:
    end = int(str(ask(source.settings, "SHOW MASTER STATUS")[0][1]))
    source.run("INSERT INTO t VALUES (1, 'a')")
    file = ask(source.settings, "SHOW MASTER STATUS")[0][0]
    rows = ask(source.settings, f"SHOW BINLOG EVENTS IN '{file}' FROM {end}")
    within = next(int(str(row[1])) for row in rows if row[2] == "Table_map")
    source.origin, source.seen.position = source.changes.open("test", [], "", f"{file}:{within}")
    with pytest.raises(PositionLostError, match="within a transaction"):
        source.follow()


def test_positions_of_a_log_that_went_on_are_passed(source: Source) -> None:
    end = source.changes.end_position()
    source.run("FLUSH BINARY LOGS", "INSERT INTO t VALUES (1, 'a')")
    last = source.changes.end_position()

    def passed(position: str) -> bool:
        return source.changes.reaches(source.origin, source.seen.position, position)

    assert passed(source.seen.position)
    assert not passed(last)
    with source.stream() as stream:
        source.read(stream, last)
    assert passed(end)
