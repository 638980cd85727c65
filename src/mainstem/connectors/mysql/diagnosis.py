"""Why a connection could not be made."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from typing import TypeVar

import pymysql
from pymysql.constants import CR

from mainstem.connectors.mysql.errors import connect_reason
from mainstem.contract.network import Deadline, connect_error, open_socket, shut_down_at, timeout_error
from mainstem.contract.tls import handshake_error, no_tls_error, tls_error
from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings

_DIAGNOSIS_S = 3.0
_PROTOCOL_41, _TLS, _SECURE_CONNECTION = 0x0200, 0x0800, 0x8000
_MAX_PACKET_BYTES, _UTF8MB4 = 1 << 24, 45
_E = TypeVar("_E", bound=BaseException)


def diagnose(settings: ConnectionSettings, exc: Exception, deadline: Deadline) -> ConnectError:
    """The error to raise for a failed login: what the driver raised, and the deadline that it had."""
    if deadline.passed:
        return timeout_error(settings)
    code = exc.args[0] if isinstance(exc, pymysql.Error) and exc.args else None
    if code == CR.CR_SSL_CONNECTION_ERROR:
        return no_tls_error(settings)
    if isinstance(code, int) and (known := connect_reason(settings, code)):
        return connect_error(settings, *known)
    lost = _cause(exc, OSError) is not None or code in (CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR)
    if lost and settings.ssl.client_cert:
        verdict = _verdict(settings)  # hanging up may have cost us the alert that tells why
        if verdict is not None:
            return verdict
    tls = _cause(exc, ssl.SSLError)
    if tls is not None:
        return tls_error(settings, tls)
    if lost:
        return connect_error(
            settings, ConnectReason.OTHER, "the server hung up during login", "look into the server's error log"
        )
    return connect_error(
        settings,
        ConnectReason.OTHER,
        f"the server refused or does not speak MySQL's protocol (error {code or type(exc).__name__})",
        "check that host and port are those of a MySQL or MariaDB server",
    )


def _verdict(settings: ConnectionSettings) -> ConnectError | None:
    """What the server says to a TLS handshake and nothing else.

    Source: MySQL manual, "Connection Phase", "SSL Request Packet".
    """
    deadline = Deadline.after(_DIAGNOSIS_S)
    with suppress(ConnectError, OSError), open_socket(settings, deadline) as sock, shut_down_at(sock, deadline):
        header = sock.recv(4, socket.MSG_WAITALL)
        sock.recv(int.from_bytes(header[:3], "little"), socket.MSG_WAITALL)
        wanted = _PROTOCOL_41 | _TLS | _SECURE_CONNECTION
        body = struct.pack("<IIB23x", wanted, _MAX_PACKET_BYTES, _UTF8MB4)
        sock.sendall(len(body).to_bytes(3, "little") + b"\1" + body)
        return handshake_error(settings, sock)
    return None


def _cause(exc: BaseException | None, kind: type[_E]) -> _E | None:
    """The first exception of a kind in the chain of causes: the driver wraps what the socket raised."""
    while exc is not None:
        if isinstance(exc, kind):
            return exc
        exc = getattr(exc, "original_exception", None) or exc.__cause__ or exc.__context__
    return None
