"""What both connectors say when a server cannot be reached."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mainstem.connectors import mysql, postgres
from mainstem.connectors.postgres.client import connect
from mainstem.contract.network import Deadline, open_socket, resolve
from mainstem.contract.spec import ConnectorSpec
from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.proxy import Proxy
from tests.connectors import scripted

# A busy machine's, on top of the two seconds that PostgreSQL's library takes at least: without a limit it is for ever.
TIMEOUT_S, SLACK_S = 1, 30.0

both = pytest.mark.parametrize("spec", [mysql.SPEC, postgres.SPEC], ids=lambda spec: spec.name)


def settings_for(spec: ConnectorSpec, port: int, host: str = "127.0.0.1") -> ConnectionSettings:
    return ConnectionSettings(spec.name, host, port, "someone", "s3cr3t", "shop", connect_timeout_s=TIMEOUT_S)


def refusal(spec: ConnectorSpec, settings: ConnectionSettings) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        spec.inspector(settings)
    assert "s3cr3t" not in str(caught.value)
    assert "someone" in caught.value.message
    assert caught.value.remedy
    return caught.value


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@both
def test_nobody_listens(spec: ConnectorSpec) -> None:
    error = refusal(spec, settings_for(spec, port := closed_port()))
    assert error.reason is ConnectReason.REFUSED
    assert f"127.0.0.1:{port}" in error.message


@both
def test_no_socket_is_where_one_was_named(spec: ConnectorSpec, tmp_path: Path) -> None:
    error = refusal(spec, settings_for(spec, 1, str(tmp_path / "none")))
    assert error.reason is ConnectReason.REFUSED
    assert str(tmp_path / "none") in error.message


@both
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70])
def test_a_host_that_does_not_exist(spec: ConnectorSpec, host: str) -> None:
    error = refusal(spec, replace(settings_for(spec, 1, host), connect_timeout_s=30))
    assert error.reason is ConnectReason.HOST_NOT_FOUND
    assert host in error.message


@both
@pytest.mark.parametrize("talk", [scripted.silent, scripted.trickle], ids=["silent", "trickle"])
def test_the_whole_login_is_bounded(spec: ConnectorSpec, talk: scripted.Talk) -> None:
    with scripted.server(talk) as port:
        begin = time.monotonic()
        error = refusal(spec, settings_for(spec, port))
        assert time.monotonic() - begin < TIMEOUT_S + SLACK_S
    assert error.reason in (ConnectReason.TIMEOUT, ConnectReason.OTHER)
    if talk is scripted.silent:
        assert error.reason is ConnectReason.TIMEOUT
        assert "1 s" in error.message


def test_a_server_that_says_nothing_behind_the_login(
    postgres18_server: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(postgres18_server.port) as proxy:
        log_in = psycopg.connect

        def logged_in(**arguments: Any) -> psycopg.Connection[Any]:
            connection = log_in(**arguments)
            proxy.silent = True
            return connection

        monkeypatch.setattr(psycopg, "connect", logged_in)
        with pytest.raises(ConnectError) as caught:
            connect(replace(postgres18_server, port=proxy.port, connect_timeout_s=TIMEOUT_S))
        assert caught.value.reason is ConnectReason.TIMEOUT


@both
def test_a_server_that_hangs_up(spec: ConnectorSpec) -> None:
    with scripted.server(scripted.hang_up) as port:
        assert refusal(spec, settings_for(spec, port)).reason is ConnectReason.OTHER


def test_another_system_listens(mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings) -> None:
    crossed = settings_for(postgres.SPEC, mariadb_server.port)
    error = refusal(postgres.SPEC, crossed)
    assert error.reason is ConnectReason.OTHER
    assert "PostgreSQL's protocol" in error.message
    error = refusal(mysql.SPEC, settings_for(mysql.SPEC, postgres18_server.port))
    assert error.reason is ConnectReason.TIMEOUT  # both wait for the other to begin


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose connections are not taken any more: the network's answer is silence."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for sock in waiting:
                sock.close()


@both
def test_a_network_that_says_nothing(spec: ConnectorSpec) -> None:
    with full_backlog() as port:
        begin = time.monotonic()
        error = refusal(spec, settings_for(spec, port))
        assert time.monotonic() - begin < TIMEOUT_S + SLACK_S
    assert error.reason is ConnectReason.TIMEOUT


def test_a_name_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    with pytest.raises(ConnectError) as caught:
        resolve(settings_for(mysql.SPEC, 1, "db.example.org"), Deadline.after(0.05))
    assert caught.value.reason is ConnectReason.TIMEOUT
    assert "name server" in caught.value.message


def test_all_addresses_of_a_host_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted.server(scripted.hang_up) as port:
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with open_socket(settings_for(mysql.SPEC, port, "both"), Deadline.after(5)) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)


@both
def test_an_ipv6_address_is_shown_in_brackets(spec: ConnectorSpec) -> None:
    error = refusal(spec, settings_for(spec, port := closed_port(), "::1"))
    assert f"[::1]:{port}" in error.message
