"""Why a connection could not be made.

The driver's library gives text and no code, and servers translate their part of it. So the steps of a connection are
gone through again, one by one, with tools that tell: a socket, a TLS handshake, and a traced login.
"""

from __future__ import annotations

import os
import re
import select
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from mainstem.connectors.postgres.errors import connect_reason
from mainstem.contract.network import (
    Deadline,
    connect_error,
    is_socket_path,
    open_socket,
    shut_down_at,
    timeout_error,
)
from mainstem.contract.tls import handshake_error, no_tls_error
from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings, SslMode

_DIAGNOSIS_S = 3.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_OFFERED = b"S"
_NONE_FREE = "53300"
# What servers say in English, so that most failures need no second login.
_ENGLISH = (
    (re.compile(r"FATAL:  password authentication failed"), "28P01"),
    (re.compile(r"FATAL:  (?:no pg_hba\.conf entry|role \".*\" (?:does not exist|is not permitted))"), "28000"),
    (re.compile(r"FATAL:  database \".*\" does not exist"), "3D000"),
    (
        re.compile(r"FATAL:  (?:sorry, too many clients|remaining connection slots|number of requested standby)"),
        "53300",
    ),
    (re.compile(r"FATAL:  the database system is (?:starting up|shutting down|in recovery)"), "57P03"),
)
_TRACED_SQLSTATE = re.compile(rb'^B\t\d+\tErrorResponse\t.*? C "([0-9A-Z]{5})"', re.MULTILINE)


def diagnose(settings: ConnectionSettings, parameters: Mapping[str, Any], exc: psycopg.Error) -> ConnectError:
    """The error to raise for a failed connection.

    Args:
        parameters: those of the failed attempt; ``hostaddr`` is the address that was tried.
    """
    if isinstance(exc, psycopg.errors.ConnectionTimeout):
        return timeout_error(settings)
    deadline = Deadline.after(_DIAGNOSIS_S)
    sqlstate = exc.sqlstate or next((state for pattern, state in _ENGLISH if pattern.search(str(exc))), "")
    if not sqlstate:
        error = _network_error(settings, parameters.get("hostaddr"), deadline)
        if error is not None:
            return error
    if not sqlstate and exc.pgconn is not None and exc.pgconn.needs_password:
        sqlstate = "28P01"
    sqlstate = sqlstate or _traced_sqlstate(parameters, deadline)
    known = connect_reason(sqlstate, settings.username, str(parameters["dbname"]))
    if known is not None and sqlstate == _NONE_FREE and parameters.get("replication"):
        known = (
            known[0],
            f"{known[1]} for those that replicate",
            "raise max_wal_senders there, and restart the server",
        )
    if known is not None:
        return connect_error(settings, *known)
    return connect_error(
        settings,
        ConnectReason.OTHER,
        f"the server refused or does not speak PostgreSQL's protocol (SQLSTATE {sqlstate or 'unknown'})",
        "check that host and port are those of a PostgreSQL server, and its log",
    )


def _network_error(settings: ConnectionSettings, address: str | None, deadline: Deadline) -> ConnectError | None:
    local = is_socket_path(settings.host)
    if local:  # libpq takes the folder
        settings = replace(settings, host=f"{settings.host}/.s.PGSQL.{settings.port}")
    try:
        sock = open_socket(settings, deadline, address)
    except ConnectError as exc:
        return exc
    with sock:
        if local or settings.ssl.mode is SslMode.DISABLED:
            return None
        with suppress(OSError), shut_down_at(sock, deadline):
            return _tls_error(settings, sock)
    return None


def _tls_error(settings: ConnectionSettings, sock: socket.socket) -> ConnectError | None:
    """Source: PostgreSQL manual, "Message Flow", "SSL Session Encryption"."""
    sock.sendall(_SSL_REQUEST)
    if sock.recv(1) != _OFFERED:
        return no_tls_error(settings)
    return handshake_error(settings, sock)


def _traced_sqlstate(parameters: Mapping[str, Any], deadline: Deadline) -> str:
    """Log in again with the protocol traced into memory, and take the SQLSTATE out of the trace.

    Empty when that cannot be done here (other systems than Linux) or the library is too old to trace a login.
    """
    if not hasattr(os, "memfd_create"):
        return ""
    memory = os.memfd_create("mainstem-trace")
    with suppress(psycopg.Error, OSError), os.fdopen(memory, "rb") as trace:
        connection = pq.PGconn.connect_start(make_conninfo("", **parameters).encode())
        try:
            connection.trace(memory)
            connection.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
            _poll_to_the_end(connection, deadline)
        finally:
            connection.untrace()  # flushes; the stream must hold nothing when the process ends
            connection.finish()
        trace.seek(0)
        found = _TRACED_SQLSTATE.search(trace.read())
        return found[1].decode() if found else ""
    return ""


def _poll_to_the_end(connection: pq.abc.PGconn, deadline: Deadline) -> None:
    while connection.status != pq.ConnStatus.BAD and not deadline.passed:
        state = connection.connect_poll()
        if state in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
            return
        writing = [connection.socket] if state == pq.PollingStatus.WRITING else []
        reading = [connection.socket] if state == pq.PollingStatus.READING else []
        select.select(reading, writing, [], deadline.left())
