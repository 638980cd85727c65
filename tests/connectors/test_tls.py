"""Both connectors against servers with good, expired and foreign certificates."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mainstem.connectors import mysql, postgres
from mainstem.connectors.mysql import client as mysql_client
from mainstem.contract.inspector import ServerInfo
from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings
from mainstem.model.frame import Chunk
from tests.connectors import tls
from tests.connectors.mysql.rows import SOURCE, batch_of, loader_of, plan_of

SPECS = {"mysql": mysql.SPEC, "postgresql": postgres.SPEC}
DISABLED, REQUIRE, VERIFY_CA, VERIFY_FULL = SslMode


@pytest.fixture(scope="module", params=list(tls.STARTERS))
def server(request: pytest.FixtureRequest) -> Iterator[tls.TlsServer]:
    with tls.STARTERS[request.param](tls.Certificates()) as started:
        yield started


@pytest.fixture(autouse=True)
def private_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does, no certificate or key may stay behind in the temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    here = SimpleNamespace(mkdtemp=partial(tempfile.mkdtemp, dir=folder))
    monkeypatch.setattr("mainstem.contract.tls.tempfile", here)
    yield
    assert list(folder.iterdir()) == []


def ping(settings: ConnectionSettings) -> ServerInfo:
    with SPECS[settings.type].inspector(settings) as inspector:
        return inspector.ping()


def refusal(settings: ConnectionSettings) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        ping(settings)
    assert settings.password == settings.username or settings.password not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


def test_disabled_speaks_in_clear(server: tls.TlsServer) -> None:
    assert ping(server.settings).tls == ""


@pytest.mark.parametrize(
    ("mode", "ca", "shown"),
    [
        (REQUIRE, "", "good"),
        (REQUIRE, "", "expired"),
        (REQUIRE, "other", "elsewhere"),
        (VERIFY_CA, "good", "good"),
        (VERIFY_CA, "good", "elsewhere"),
        (VERIFY_FULL, "good", "good"),
    ],
)
def test_each_mode_checks_what_it_promises_and_no_more(
    server: tls.TlsServer, mode: SslMode, ca: str, shown: str
) -> None:
    server.show(shown)
    info = ping(replace(server.settings, ssl=server.certificates.ssl(mode, ca)))
    assert info.tls.startswith("TLSv1.")


@pytest.mark.parametrize(
    ("mode", "ca", "shown", "what"),
    [
        (VERIFY_CA, "other", "good", "certificate authority that is not known"),
        (VERIFY_CA, "good", "expired", "the server's certificate has expired"),
        (VERIFY_CA, "", "good", "certificate authority that is not known"),
        (VERIFY_FULL, "other", "good", "certificate authority that is not known"),
        (VERIFY_FULL, "good", "expired", "the server's certificate has expired"),
        (VERIFY_FULL, "good", "elsewhere", "for another host name"),
        (VERIFY_FULL, "", "good", "certificate authority that is not known"),
    ],
)
def test_a_certificate_that_fails_the_check_is_named(
    server: tls.TlsServer, mode: SslMode, ca: str, shown: str, what: str
) -> None:
    server.show(shown)
    error = refusal(replace(server.settings, ssl=server.certificates.ssl(mode, ca)))
    assert error.reason is ConnectReason.TLS
    assert what in error.message


def test_a_client_certificate_opens_what_needs_one(server: tls.TlsServer) -> None:
    server.show("good")
    settings = tls.as_user(server.settings, "certified")
    assert ping(replace(settings, ssl=server.certificates.ssl(VERIFY_FULL, client="good"))).tls
    error = refusal(replace(settings, ssl=server.certificates.ssl(VERIFY_FULL)))
    assert error.reason is ConnectReason.LOGIN


@pytest.mark.parametrize(
    ("client", "what"), [("foreign", "did not accept our client certificate"), ("expired", "expired")]
)
def test_a_client_certificate_that_the_server_refuses_is_named(server: tls.TlsServer, client: str, what: str) -> None:
    server.show("good")
    settings = tls.as_user(server.settings, "certified")
    error = refusal(replace(settings, ssl=server.certificates.ssl(REQUIRE, client=client)))
    assert error.reason is ConnectReason.TLS
    assert what in error.message


def test_a_user_who_must_use_tls_is_told_so(server: tls.TlsServer) -> None:
    settings = tls.as_user(server.settings, "tls_only")
    error = refusal(settings)
    assert error.reason is ConnectReason.LOGIN
    assert "require" in error.remedy
    server.show("good")
    assert ping(replace(settings, ssl=server.certificates.ssl(VERIFY_FULL))).tls


@pytest.mark.parametrize("server", ["mysql"], indirect=True)
def test_a_server_that_takes_nothing_but_tls_is_understood(server: tls.TlsServer) -> None:
    server.show("good")
    with mysql_client.connect(replace(server.settings, ssl=server.certificates.ssl(REQUIRE))) as admin:
        mysql_client.query(admin, "SET GLOBAL require_secure_transport = ON")
        try:
            error = refusal(server.settings)
        finally:
            mysql_client.query(admin, "SET GLOBAL require_secure_transport = OFF")
    assert error.reason is ConnectReason.LOGIN  # MariaDB calls it a wrong password; MySQL has a number of its own
    assert "set ssl.mode to require" in error.remedy


def test_a_wrong_password_over_tls_is_a_wrong_password(server: tls.TlsServer) -> None:
    server.show("good")
    settings = replace(server.settings, password="wr0ng", ssl=server.certificates.ssl(VERIFY_FULL))
    assert refusal(settings).reason is ConnectReason.LOGIN


def test_a_missing_database_over_tls_is_a_missing_database(server: tls.TlsServer) -> None:
    server.show("good")
    settings = replace(server.settings, database="missing", ssl=server.certificates.ssl(VERIFY_FULL))
    assert refusal(settings).reason is ConnectReason.NO_DATABASE


@pytest.mark.parametrize("system", ["mariadb_server", "postgres18_server", "postgres15_server"])
@pytest.mark.parametrize("mode", [REQUIRE, VERIFY_CA, VERIFY_FULL])
def test_a_server_without_tls_is_not_spoken_to_in_clear(
    request: pytest.FixtureRequest, system: str, mode: SslMode
) -> None:
    settings: ConnectionSettings = request.getfixturevalue(system)
    error = refusal(replace(settings, ssl=SslSettings(mode, trustme.CA().cert_pem.bytes())))
    assert error.reason is ConnectReason.TLS
    assert "does not offer TLS" in error.message


@pytest.mark.parametrize("server", ["mysql"], indirect=True)
def test_what_both_can_is_agreed_on_before_tls_begins(server: tls.TlsServer) -> None:
    settings = replace(server.settings, ssl=server.certificates.ssl(REQUIRE, ""), database="agreed")
    with mysql_client.connect(server.settings) as admin:
        mysql_client.query(admin, "CREATE DATABASE agreed")
        mysql_client.query(admin, "CREATE TABLE agreed.t (id int PRIMARY KEY AUTO_INCREMENT)")
    with loader_of(settings) as loader:
        assert mysql_client.tls_version(loader._connection)
        loader.begin(plan_of("agreed", id="int"), Chunk(SOURCE, 0), quarantine=None)
        assert not loader.alone  # as it sends arrays, which the server would refuse from others
        loader.write(batch_of((b"1",), (b"0",)))
        assert loader.commit(2).rows_written == 2


def _encrypted(pem: bytes) -> bytes:
    key = load_pem_private_key(pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda ssl: replace(ssl, ca=b"no certificate"), "ssl.ca is not a certificate"),
        (lambda ssl: replace(ssl, client_cert=b"\xff\0"), "ssl.client_cert is not a certificate"),
        (lambda ssl: replace(ssl, client_key=b"no key"), "ssl.client_key is not a private key"),
        (lambda ssl: replace(ssl, client_key=_encrypted(ssl.client_key)), "passphrase"),
        (lambda ssl: replace(ssl, client_key=b""), "ssl.client_key is missing"),
        (lambda ssl: replace(ssl, client_cert=b""), "ssl.client_cert is missing"),
        (
            lambda ssl: replace(ssl, client_key=trustme.CA().issue_cert("x").private_key_pem.bytes()),
            "does not belong",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named_before_anything_is_sent(spec, spoil, what) -> None:  # type: ignore[no-untyped-def]
    ssl = spoil(tls.Certificates().ssl(VERIFY_FULL, client="good"))
    error = refusal(ConnectionSettings(spec.name, "127.0.0.1", servers_port(), "u", "pw", ssl=ssl))
    assert error.reason is ConnectReason.TLS
    assert what in error.message


def servers_port() -> int:
    return 1  # nobody listens there, which must not be found out
