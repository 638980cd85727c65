"""TLS as a client: contexts and files from `SslSettings`, and what went wrong in words of ours.

Connectors cannot import each other; what all of them need of TLS stands here.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mainstem.contract.network import connect_error
from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings

if TYPE_CHECKING:
    from cryptography import x509

_VERDICT_S = 1.0
VERIFYING = frozenset({SslMode.VERIFY_CA, SslMode.VERIFY_FULL})

_WRONG_NAME = (
    "the server's certificate is for another host name",
    "connect by a name that stands in the certificate, or use ssl.mode verify-ca",
)
_UNKNOWN_CA = (
    "the server's certificate is signed by a certificate authority that is not known",
    "set ssl.ca to the certificate of the authority that signed the server's",
)
# OpenSSL manual, "X509_STORE_CTX_get_error": codes of the verification.
_VERIFY_CODES: dict[int, tuple[str, str]] = {
    2: _UNKNOWN_CA,
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    9: ("the server's certificate is not valid yet", "check the clocks of both machines"),
    10: ("the server's certificate has expired", "renew the server's certificate"),
    23: ("the server's certificate has been revoked", "renew the server's certificate"),
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}
_CLIENT_CERTIFICATE = (
    "the server did not accept our client certificate",
    "set ssl.client_cert and ssl.client_key to a pair that is signed by the authority that the server trusts",
)
# RFC 8446, section 6.2: alerts by which a server refuses our certificate, as OpenSSL names them.
_ALERTS: dict[str, tuple[str, str]] = {
    "TLSV1_ALERT_UNKNOWN_CA": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _CLIENT_CERTIFICATE,
    "TLSV1_ALERT_DECRYPT_ERROR": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        "our client certificate has expired",
        "renew the certificate in ssl.client_cert",
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        "the server asks for a client certificate and we sent none",
        "set ssl.client_cert and ssl.client_key",
    ),
    "TLSV1_ALERT_PROTOCOL_VERSION": (
        "client and server have no TLS version in common",
        "enable TLS 1.2 or 1.3 on the server",
    ),
}
NO_TLS = ("the server does not offer TLS", "enable TLS on the server, or set ssl.mode to disabled")


@dataclass(frozen=True, slots=True)
class PemFiles:
    """Paths for a library that wants files; None where nothing was given."""

    ca: Path | None
    client_cert: Path | None
    client_key: Path | None


def check_ssl(settings: SslSettings) -> dict[str, str]:
    """What is wrong with the certificates and the key: field to problem; empty when all can be used."""
    problems = check_files(settings)
    if settings.client_cert and not settings.client_key:
        problems["ssl.client_key"] = "is missing: a client certificate needs its key"
    if settings.client_key and not settings.client_cert:
        problems["ssl.client_cert"] = "is missing: a client key needs its certificate"
    return problems


def check_files(settings: SslSettings) -> dict[str, str]:
    """The same, but for a half of the client's pair that is not there."""
    problems = {}
    for field, pem in (("ssl.ca", settings.ca), ("ssl.client_cert", settings.client_cert)):
        if pem and not _certificates(pem):
            problems[field] = "is not a certificate in PEM form"
    if settings.client_key and (problem := _key_problem(settings)):
        problems["ssl.client_key"] = problem
    return problems


def _certificates(pem: bytes) -> list[x509.Certificate]:
    from cryptography import x509  # wanted only where there are certificates

    with suppress(ValueError):
        return x509.load_pem_x509_certificates(pem)
    return []


def _key_problem(settings: SslSettings) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(settings.client_key, None)
    except TypeError:
        return "is protected by a passphrase; give the key without one"
    except Exception:  # what the library raises depends on where in the file it stumbles
        return "is not a private key in PEM form"
    chain = _certificates(settings.client_cert)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if chain and chain[0].public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        return "does not belong to the client certificate"
    return ""


def require_usable(settings: ConnectionSettings) -> None:
    """Raise `ConnectError` for certificates that no handshake could work with."""
    problems = check_ssl(settings.ssl)
    if problems:
        what = "; ".join(f"{field} {problem}" for field, problem in problems.items())
        raise connect_error(settings, ConnectReason.TLS, what, "send the files as they are, base64-encoded")


def client_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """A context that checks as much as the mode asks for. Without a CA the system's are trusted.

    Raises:
        ConnectError: TLS, for a certificate or key that cannot be used.
    """
    require_usable(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = settings.ssl.mode is SslMode.VERIFY_FULL
    if settings.ssl.mode not in VERIFYING:
        context.verify_mode = ssl.CERT_NONE
    elif settings.ssl.ca:
        context.load_verify_locations(cadata=settings.ssl.ca.decode("ascii", "ignore"))
    else:
        context.load_default_certs()
    if settings.ssl.client_cert:
        with pem_files(settings.ssl) as files:
            context.load_cert_chain(str(files.client_cert), str(files.client_key))
    return context


def system_ca_file() -> str | None:
    """The file of certificate authorities that the machine trusts, for a library that wants a path."""
    return ssl.get_default_verify_paths().cafile


@contextmanager
def pem_files(settings: SslSettings) -> Iterator[PemFiles]:
    """Write what was given to files that only we may read, and remove them on leaving."""
    if not (settings.ca or settings.client_cert or settings.client_key):
        yield PemFiles(None, None, None)
        return
    folder = Path(tempfile.mkdtemp(prefix="mainstem-tls-"))  # made with mode 0700
    try:
        yield PemFiles(
            _write(folder / "ca.pem", settings.ca),
            _write(folder / "client.pem", settings.client_cert),
            _write(folder / "client.key", settings.client_key),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, pem: bytes) -> Path | None:
    if not pem:
        return None
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return path


def handshake_error(settings: ConnectionSettings, sock: socket.socket) -> ConnectError | None:
    """Shake hands on a connected socket and wait for the server's verdict; None when it has nothing against it.

    With TLS 1.3 a server judges our certificate after the handshake is over for us. Nothing is sent meanwhile: it would
    hang up on data that it has not read, and its alert would be lost.
    """
    try:
        with client_context(settings).wrap_socket(sock, server_hostname=settings.host) as secure:
            secure.settimeout(_VERDICT_S)
            secure.recv(1)
    except ssl.SSLError as exc:
        return tls_error(settings, exc)
    except OSError:  # also the time limit: a server that accepts waits for us
        return None
    return None


def tls_error(settings: ConnectionSettings, exc: ssl.SSLError) -> ConnectError:
    """What a failed handshake means."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        what, remedy = _VERIFY_CODES.get(
            exc.verify_code,
            (
                f"the server's certificate was not accepted (OpenSSL code {exc.verify_code})",
                "check the server's certificate",
            ),
        )
    else:
        what, remedy = _ALERTS.get(
            exc.reason or "",
            (f"the TLS handshake failed ({exc.reason or 'no reason given'})", "check the TLS settings of both sides"),
        )
    return connect_error(settings, ConnectReason.TLS, f"TLS: {what}", remedy)


def no_tls_error(settings: ConnectionSettings) -> ConnectError:
    """The server was asked for TLS and has none."""
    return connect_error(settings, ConnectReason.TLS, f"TLS: {NO_TLS[0]}", NO_TLS[1])
