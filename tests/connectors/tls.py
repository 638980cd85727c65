"""Servers with TLS whose certificate can be exchanged while they run, and certificates of every kind."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from mainstem.connectors.mysql import client as mysql
from mainstem.connectors.postgres import client as postgres
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings
from mainstem.testing import servers

DEADLINE_S = 60.0
PASSWORD = "s3cr3t"
_HBA = """\
hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all tls_only 127.0.0.1/32 scram-sha-256
host all postgres 127.0.0.1/32 scram-sha-256
"""


def _expired(ca: trustme.CA, name: str) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return ca.issue_cert(name, not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))


class Certificates:
    """An authority that the server trusts and one that it does not, with what they have signed."""

    def __init__(self) -> None:
        self.ca, self.other_ca = trustme.CA(), trustme.CA()
        self.server = {
            "good": self.ca.issue_cert("127.0.0.1"),
            "expired": _expired(self.ca, "127.0.0.1"),
            "elsewhere": self.ca.issue_cert("db.example.org"),
        }
        self.client = {
            "good": self.ca.issue_cert("client"),
            "foreign": self.other_ca.issue_cert("client"),
            "expired": _expired(self.ca, "client"),
        }

    def ssl(self, mode: SslMode, ca: str = "good", client: str = "") -> SslSettings:
        """Settings with a named CA (``good``, ``other`` or none) and a named client pair (or none)."""
        pem = {"good": self.ca, "other": self.other_ca}[ca].cert_pem.bytes() if ca else b""
        if not client:
            return SslSettings(mode, pem)
        pair = self.client[client]
        return SslSettings(mode, pem, pair.cert_chain_pems[0].bytes(), pair.private_key_pem.bytes())


@dataclass
class TlsServer:
    """A running server with TLS on. Users: the administrator, ``tls_only`` and ``certified``, password `PASSWORD`."""

    settings: ConnectionSettings
    certificates: Certificates
    folder: Path
    reload: Callable[[], None]
    greet: Callable[[socket.socket], None]
    shown: str = field(default="good")

    def show(self, kind: str) -> None:
        """Make the server show another certificate to those who connect from now on."""
        if kind == self.shown:
            return
        _write(self.folder, self.certificates.server[kind])
        self.reload()
        expected = ssl.PEM_cert_to_DER_cert(self.certificates.server[kind].cert_chain_pems[0].bytes().decode())
        deadline = time.monotonic() + DEADLINE_S
        while self._certificate() != expected:
            assert time.monotonic() < deadline, "the server goes on showing its former certificate"
        self.shown = kind

    def _certificate(self) -> bytes | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.settings.host, self.settings.port), DEADLINE_S) as sock:
            self.greet(sock)
            with context.wrap_socket(sock) as secure:
                return secure.getpeercert(binary_form=True)


def _write(folder: Path, pair: trustme.LeafCert) -> None:
    pair.cert_chain_pems[0].write_to_path(folder / "server.pem")
    pair.private_key_pem.write_to_path(folder / "server.key")
    for name in ("server.pem", "server.key"):
        _hand_over(folder / name)


def _hand_over(path: Path) -> None:
    path.chmod(0o700 if path.is_dir() else 0o600)
    user = servers.unprivileged_user()
    if user is not None:
        shutil.chown(path, user)


@contextmanager
def _folder(certificates: Certificates) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mainstem-test-"))
    try:
        _hand_over(folder)
        _write(folder, certificates.server["good"])
        certificates.ca.cert_pem.write_to_path(folder / "ca.pem")
        _hand_over(folder / "ca.pem")
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def mariadb(certificates: Certificates) -> Iterator[TlsServer]:
    """MariaDB with TLS."""
    with _folder(certificates) as folder:
        options = {
            "ssl-ca": str(folder / "ca.pem"),
            "ssl-cert": str(folder / "server.pem"),
            "ssl-key": str(folder / "server.key"),
        }
        with servers.mariadb(options) as server, mysql.connect(server.settings) as admin:
            for user, needs in (("tls_only", "SSL"), ("certified", "X509")):
                mysql.query(admin, f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' REQUIRE {needs}")

            def reload() -> None:
                mysql.query(admin, "FLUSH SSL")

            yield TlsServer(server.settings, certificates, folder, reload, _ask_mysql_for_tls)


@contextmanager
def postgresql(certificates: Certificates) -> Iterator[TlsServer]:
    """The distribution's PostgreSQL with TLS (the wheel's where there is none)."""
    with _folder(certificates) as folder:
        (folder / "hba").write_text(_HBA)
        _hand_over(folder / "hba")
        options = {
            "ssl": "on",
            "ssl_ca_file": str(folder / "ca.pem"),
            "ssl_cert_file": str(folder / "server.pem"),
            "ssl_key_file": str(folder / "server.key"),
            "hba_file": str(folder / "hba"),
        }
        started = servers.postgres(servers.system_postgres_bin(), options)
        with started as server, postgres.connect(server.settings) as admin:
            for user in ("tls_only", "certified"):
                admin.execute(f"CREATE USER {user} PASSWORD '{PASSWORD}'")

            def reload() -> None:
                admin.execute("SELECT pg_reload_conf()")

            yield TlsServer(server.settings, certificates, folder, reload, _ask_postgres_for_tls)


def _ask_postgres_for_tls(sock: socket.socket) -> None:
    sock.sendall(struct.pack("!ii", 8, 80877103))
    assert sock.recv(1) == b"S"


def _ask_mysql_for_tls(sock: socket.socket) -> None:
    header = sock.recv(4, socket.MSG_WAITALL)
    sock.recv(int.from_bytes(header[:3], "little"), socket.MSG_WAITALL)
    capabilities = 0x0000_0200 | 0x0000_0800 | 0x0000_8000  # protocol 4.1, TLS, secure connection
    body = struct.pack("<IIB23x", capabilities, 1 << 24, 45)
    sock.sendall(len(body).to_bytes(3, "little") + b"\1" + body)


STARTERS = {"mysql": mariadb, "postgresql": postgresql}


def as_user(settings: ConnectionSettings, user: str) -> ConnectionSettings:
    """The same server as another of its users."""
    return replace(settings, username=user, password=PASSWORD)
