"""Opens connections and turns the driver's errors into ours."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from mainstem.connectors.postgres.config import BOOTSTRAP_DATABASE
from mainstem.connectors.postgres.diagnosis import diagnose
from mainstem.connectors.postgres.errors import (
    copy_position,
    is_row_refusal,
    lost_error,
    row_meaning,
    statement_error,
)
from mainstem.contract import opened
from mainstem.contract.network import (
    KEEPALIVE_IDLE_S,
    KEEPALIVE_INTERVAL_S,
    KEEPALIVE_PROBES,
    Deadline,
    is_socket_path,
    resolve,
    shut_down_at,
    timeout_error,
)
from mainstem.contract.tls import VERIFYING, PemFiles, pem_files, require_usable, system_ca_file
from mainstem.errors import ConnectError, ConnectReason, MainstemError, RowError
from mainstem.model.connection import ConnectionSettings, SslMode

__all__ = ["cancel", "connect", "keepable", "row_error", "shut_down", "tls_version", "translate_error", "translating"]

# By SET and not by the startup packet: poolers refuse parameters there that they do not know. Quoted identifiers would
# also be those of types in the catalog (`"date"`); without array_nulls a null in an array is the text NULL. The
# questions put to catalogs look costly to the planner and are not: compiling them (jit) takes longer than answering.
# Timeouts that only some versions have are ended by name, as the server knows only its own.
_SESSION = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex';"
    " SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; SET extra_float_digits = 1;"
    " SET quote_all_identifiers = off; SET array_nulls = on; SET xmloption = content;"
    " SET jit = off; SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
    " SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
    " WHERE name IN ('idle_session_timeout', 'transaction_timeout')"
)
_SSL_MODES = {
    SslMode.DISABLED: "disable",
    SslMode.REQUIRE: "require",
    SslMode.VERIFY_CA: "verify-ca",
    SslMode.VERIFY_FULL: "verify-full",
}
# A path below a file: the library finds nothing there and, since it was told where to look, looks nowhere else (it
# would read certificates and passwords from the home folder of whoever runs this process).
_NOWHERE = "/dev/null/none"
CANCEL_TIMEOUT_S = 5.0
_TRY_NEXT_ADDRESS = {ConnectReason.REFUSED, ConnectReason.TIMEOUT}


def connect(settings: ConnectionSettings, **options: Any) -> psycopg.Connection[Any]:
    """Open a connection with the session that every use of ours needs: autocommit, UTC, UTF8, ISO dates, no timeouts.

    Without a database it goes to ``postgres``, which every server has.

    Args:
        options: connection parameters of the driver and of libpq, on top of ours.

    Raises:
        ConnectError: whatever went wrong; the whole of names, TCP, TLS and login is bounded by
            ``settings.connect_timeout_s`` (two seconds at least).
    """
    opened.check()
    deadline = Deadline.after(settings.connect_timeout_s)
    require_usable(settings)
    with pem_files(settings.ssl) as files:
        parameters = _parameters(settings, files)
        if is_socket_path(settings.host):
            return _attempt(settings, parameters, options, deadline)
        error: ConnectError | None = None
        for address in resolve(settings, deadline):
            try:
                return _attempt(settings, {**parameters, "hostaddr": address}, options, deadline)
            except ConnectError as exc:
                if exc.reason not in _TRY_NEXT_ADDRESS:
                    raise
                error = exc
        raise error or timeout_error(settings)


def _parameters(settings: ConnectionSettings, files: PemFiles) -> dict[str, Any]:
    verify = settings.ssl.mode in VERIFYING
    ca: Path | str | None = (files.ca or system_ca_file()) if verify else None
    return {
        "host": settings.host,
        "port": settings.port,
        "user": settings.username,
        "password": settings.password,
        "passfile": _NOWHERE,
        "dbname": settings.database or BOOTSTRAP_DATABASE,
        "application_name": "mainstem",
        "client_encoding": "UTF8",
        "gssencmode": "disable",
        "sslmode": _SSL_MODES[settings.ssl.mode],
        "sslrootcert": str(ca or _NOWHERE),
        "sslcert": str(files.client_cert or _NOWHERE),
        "sslkey": str(files.client_key or _NOWHERE),
        "sslcrl": _NOWHERE,
        "keepalives_idle": KEEPALIVE_IDLE_S,
        "keepalives_interval": KEEPALIVE_INTERVAL_S,
        "keepalives_count": KEEPALIVE_PROBES,
    }


def _attempt(
    settings: ConnectionSettings, parameters: Mapping[str, Any], options: Mapping[str, Any], deadline: Deadline
) -> psycopg.Connection[Any]:
    if deadline.passed:
        raise timeout_error(settings)
    try:
        arguments = {**parameters, "autocommit": True, **options, "connect_timeout": math.ceil(deadline.left())}
        connection: psycopg.Connection[Any] = psycopg.connect(**arguments)
    except psycopg.Error as exc:
        raise diagnose(settings, {**parameters, **options}, exc) from exc
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as sock:
            sock.setblocking(False)  # as libpq has it: twins share that, and the guard's is set as this one's
            with shut_down_at(sock, deadline):
                connection.execute(_SESSION)
    except psycopg.Error as exc:
        connection.close()
        raise timeout_error(settings) if deadline.passed else diagnose(settings, parameters, exc) from exc
    opened.note(connection, shut_down)
    return connection


def cancel(connection: psycopg.Connection[Any], settings: ConnectionSettings) -> None:
    """From another thread: break off what runs on a connection. Whatever goes wrong, nothing is raised.

    The protocol's own request makes a TLS connection by the parameters of the first one, whose certificate files are
    gone by now; then the server is asked by a new login.
    """
    try:
        connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)
    except psycopg.Error:
        with suppress(MainstemError, psycopg.Error), connect(settings) as other:
            other.execute("SELECT pg_catalog.pg_cancel_backend(%s)", (connection.info.backend_pid,))


def shut_down(connection: psycopg.Connection[Any]) -> None:
    """From another thread: whoever reads from the connection gets an end of file."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as twin:
        twin.shutdown(socket.SHUT_RDWR)


def translate_error(exc: BaseException) -> MainstemError:
    """What a driver's exception of a running statement means; an error of ours is returned as it is.

    Raises ``exc`` itself when it is neither the driver's nor the network's: that is a bug and should look like one.
    """
    if isinstance(exc, MainstemError):
        return exc
    if isinstance(exc, OSError):
        return lost_error()
    if not isinstance(exc, psycopg.Error):
        raise exc
    if exc.sqlstate is None and not isinstance(exc, psycopg.OperationalError):
        raise exc  # the driver was used wrongly; the server said nothing
    diag = exc.diag
    about = diag.constraint_name or diag.column_name or diag.table_name or ""
    return statement_error(exc.sqlstate or "", diag.message_primary or "", about)


def row_error(exc: BaseException) -> RowError | None:
    """The refusal of one row, or None for an error of another kind.

    ``row`` is the line of the COPY that the server names, counted from 0; None where it names none (foreign keys,
    INSERT … SELECT). The message never holds the row's values, and so not the server's own text, which may.
    """
    if not isinstance(exc, psycopg.Error) or not exc.sqlstate or not is_row_refusal(exc.sqlstate):
        return None
    row, column = copy_position(exc.diag.context)
    column = exc.diag.column_name or column
    constraint = f" [{exc.diag.constraint_name}]" if exc.diag.constraint_name else ""
    return RowError(
        f"the target refused {row_meaning(exc.sqlstate)}{constraint}",
        row=row,
        column=column,
        remedy="repair the row at the source, or put such rows aside with the policy quarantine",
    )


@contextmanager
def translating(**where: str | int | None) -> Iterator[None]:
    """Inside, the driver's errors become ours; ``where`` is added to them."""
    try:
        yield
    except MainstemError:
        raise
    except Exception as exc:
        error = translate_error(exc)
        error.where.update({key: value for key, value in where.items() if value is not None})
        raise error from exc


def keepable(connection: psycopg.Connection[Any], text: str) -> str:
    """A text of the source's as the database can keep it: one that is not in UTF-8 may lack what is beyond ASCII."""
    if connection.info.parameter_status("server_encoding") in ("UTF8", "SQL_ASCII"):
        return text
    return text.encode("ascii", "backslashreplace").decode()


def tls_version(connection: psycopg.Connection[Any]) -> str:
    """The negotiated version (``TLSv1.3``), or empty."""
    if not connection.pgconn.ssl_in_use:
        return ""
    row = connection.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    return str(row[0]) if row and row[0] else "TLS"  # behind a pooler the server does not know
