"""Opens connections and turns the driver's errors into ours."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CR

from mainstem.connectors.mysql.columns import Field
from mainstem.connectors.mysql.diagnosis import diagnose
from mainstem.connectors.mysql.errors import lost_error, statement_error
from mainstem.contract import opened
from mainstem.contract.network import Deadline, is_socket_path, open_socket, shut_down_at
from mainstem.contract.tls import client_context
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings, SslMode

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

__all__ = [
    "as_text", "connect", "describe", "flavor", "query", "shut_down", "tls_version", "translate_error", "translating",
]  # fmt: skip

# REPEATABLE READ: the server ignores WITH CONSISTENT SNAPSHOT at any other level. Statement limits are lifted: a
# chunk may take its time. MySQL reads a comment of the form /*!NNNNN */ from that version on, MariaDB /*M!NNNNNN */;
# each skips what is meant for the other. MySQL 8 would otherwise answer with statistics of up to a day ago. What a
# server may have set globally would cut results off, read the past, skip checks, make timestamps change by
# themselves, or leave transactions otherwise.
_SESSION = (
    "SET time_zone = '+00:00', sql_mode = '', autocommit = 1, net_write_timeout = 3600, net_read_timeout = 3600,"
    " wait_timeout = 86400, sql_quote_show_create = 1, sql_safe_updates = 0, sql_select_limit = 18446744073709551615,"
    " sql_big_selects = 1, completion_type = 0, foreign_key_checks = 1, unique_checks = 1"
    " /*!50708 , max_execution_time = 0 */ /*!80003 , information_schema_stats_expiry = 0 */"
    " /*M!100101 , max_statement_time = 0 */ /*M!100300 , idle_transaction_timeout = 0,"
    " idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0 */"
    " /*M!100201 , check_constraint_checks = 1 */ /*M!100304 , system_versioning_asof = DEFAULT */"
    " /*M!100802 , explicit_defaults_for_timestamp = 1 */"
)
_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE"


class _ClearTextPassword:
    """Answers a server that asks for the password as it is: only where nobody can listen."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def authenticate(self, _packet: Any) -> Any:
        if not self._connection._secure:
            raise pymysql.OperationalError(CR.CR_AUTH_PLUGIN_ERR, "clear-text password without TLS")
        self._connection.write_packet(self._connection.password + b"\0")
        return self._connection._read_packet()


_PLUGINS: dict[str, Any] = {"mysql_clear_password": _ClearTextPassword, "dialog": _ClearTextPassword}


def connect(settings: ConnectionSettings, kind: Any = pymysql.connect, **options: Any) -> Connection[Cursor]:
    """Open a connection with the session that every use of ours needs.

    Session: UTC, utf8mb4, SQL mode without surprises, REPEATABLE READ, autocommit, all checks, no limits on statements
    and results.

    Args:
        kind: the driver's connection, or one of its kind.
        options: passed to it.

    Raises:
        ConnectError: whatever went wrong; the whole of names, TCP, TLS and login is bounded by
            ``settings.connect_timeout_s``.
    """
    opened.check()
    deadline = Deadline.after(settings.connect_timeout_s)
    encrypted = settings.ssl.mode is not SslMode.DISABLED and not is_socket_path(settings.host)
    context = client_context(settings) if encrypted else None
    sock = open_socket(settings, deadline)
    try:
        with shut_down_at(sock, deadline):
            connection: Connection[Cursor] = kind(
                host=settings.host,
                port=settings.port,
                user=settings.username,
                password=settings.password.encode(),  # the driver would take text for Latin-1
                database=settings.database or None,
                charset="utf8mb4",
                autocommit=True,
                init_command=_SESSION,
                program_name="mainstem",
                auth_plugin_map=_PLUGINS,
                ssl=context,
                ssl_disabled=context is None,
                defer_connect=True,
                **options,
            )
            connection.connect(sock)
            query(connection, _ISOLATION)
    except Exception as exc:  # a server that speaks another protocol makes the driver stumble anywhere
        sock.close()
        raise diagnose(settings, exc, deadline) from exc
    opened.note(connection, shut_down)
    return connection


def shut_down(connection: Any) -> None:
    """From another thread: whoever reads from the connection gets an end of file."""
    with suppress(OSError, AttributeError):  # of one that is closed
        connection._sock.shutdown(socket.SHUT_RDWR)


def translate_error(exc: BaseException) -> MainstemError:
    """What a driver's exception of a running statement means; an error of ours is returned as it is.

    Raises ``exc`` itself when it is neither the driver's nor the network's: that is a bug and should look like one.
    """
    if isinstance(exc, MainstemError):
        return exc
    if isinstance(exc, OSError | pymysql.InterfaceError):
        return lost_error()
    if not isinstance(exc, pymysql.Error):
        raise exc
    code, text = (*exc.args, 0, "")[:2]
    return statement_error(code if isinstance(code, int) else 0, str(text))


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


def query(connection: Connection[Cursor], sql: str, arguments: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a statement; values travel as arguments. Raises the driver's errors."""
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())


def flavor(connection: Connection[Cursor]) -> str:
    """``mariadb`` or ``mysql``."""
    driver: Any = connection
    return "mariadb" if "mariadb" in driver.get_server_info().lower() else "mysql"


def tls_version(connection: Connection[Cursor]) -> str:
    """The negotiated version (``TLSv1.3``), or empty."""
    sock = getattr(connection, "_sock", None)
    return (sock.version() or "") if isinstance(sock, ssl.SSLSocket) else ""


def describe(connection: Connection[Cursor], sql: str) -> list[Field]:
    """The columns of a query that returns no rows. Raises the driver's errors."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        driver: Any = cursor
        result = driver._result  # the driver's own description leaves flags and character set out
        return [
            Field(field.name, field.type_code, field.flags, field.charsetnr, field.length, field.scale)
            for field in result.fields
        ]


def as_text(value: object) -> str:
    """Text, whichever of None, bytes and str the server chose to send."""
    if isinstance(value, bytes):
        return value.decode()
    return "" if value is None else str(value)
