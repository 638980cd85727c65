"""MySQL's and MariaDB's error numbers in words of ours. Pure tables: decided by number, never by message text.

Source: MySQL manual, "Server Error Message Reference"; MariaDB manual, "MariaDB Error Code Reference".
"""

from __future__ import annotations

import errno
import re

from mainstem.contract.network import host_port
from mainstem.errors import (
    ConnectReason,
    DeniedError,
    LostConnectionError,
    MainstemError,
    StatementError,
    TargetFullError,
    TransientError,
)
from mainstem.model.connection import ConnectionSettings, SslMode

_LOGIN = {
    1045: "wrong user name or password, or this user may not log in from here",
    1698: "this user does not log in by password",
    1130: "the server takes no logins from this machine",
    1129: "the server has blocked this machine after too many failed attempts",
    1251: "the server wants an authentication method that the driver does not have",
    1524: "the server wants an authentication method that it does not have",
    1820: "the password has expired",
    1862: "the password has expired",
    2059: "the server wants an authentication method that the driver does not have",
    2061: "the server wants the password in clear text, which is only sent over TLS",
    3118: "the account is locked",
    4151: "the account is locked",
}
_LOGIN_REMEDY = {
    1129: "run FLUSH HOSTS on the server",
    1820: "set a new password with ALTER USER",
    1862: "set a new password with ALTER USER",
    2061: "set ssl.mode to verify-full",
}
_TLS_REQUIRED = {3159, 4159}
_TOO_MANY = {1040, 1203, 1226}

_LOST = {1053, 1077, 1078, 1079, 1080, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2014, 2055, 3169, 4031}
_TRANSIENT = {
    1020: "the row was changed by another transaction meanwhile",
    1040: "the server has no connection free",
    1203: "the user has no connection free",
    1205: "a lock was not granted in time",
    1213: "a deadlock was broken",
    1226: "the user has reached a limit of the server",
    1290: "the server is read-only at present",
    1614: "a deadlock was broken",
    1836: "the server is read-only at present",
    3572: "a lock was not granted at once",
}
_FULL = {1021, 1114}
_STORAGE = {3, 1026, 1030}  # these carry the number of the operating system's error in their text
# Their texts hold names of databases, tables, columns and users, and no values.
_SAFE_TEXT = {1044, 1045, 1049, 1051, 1054, 1059, 1060, 1109, 1142, 1143, 1144, 1146, 1193, 1227, 1305, 1356, 1370}
_DENIED = {1044, 1142, 1143, 1227, 1370}
_MEANING = {
    1064: "the server cannot parse it",
    1153: "a value is larger than max_allowed_packet",
    1317: "the query was killed on the server",
    1412: "a table's definition was changed after the snapshot began",
    1969: "the server's time limit for a statement was reached",
    3024: "the server's time limit for a statement was reached",
}
_REMEDY = {
    1044: "grant the user access to that database",
    1142: "grant the user this right",
    1143: "grant the user this right",
    1153: "raise max_allowed_packet on the server",
    1227: "grant the user this right",
    1412: "start again, and change no table while it is copied",
    1969: "raise max_statement_time for this user",
    3024: "raise max_execution_time on the server",
}
_ERRNO = re.compile(r"\b(\d+)\b")


def connect_reason(settings: ConnectionSettings, code: int) -> tuple[ConnectReason, str, str] | None:
    """Reason, what happened and remedy for an error during login; None for an unknown number."""
    if code in _LOGIN:
        remedy = _LOGIN_REMEDY.get(code, "correct user and password, and check the user's host on the server")
        if code == 1045 and settings.ssl.mode is SslMode.DISABLED:
            remedy += "; if the user must use TLS, set ssl.mode to require"
        return ConnectReason.LOGIN, _LOGIN[code], remedy
    if code == 1049:
        return (
            ConnectReason.NO_DATABASE,
            f"there is no database {settings.database!r}",
            "correct the name, or create it",
        )
    if code == 1044:
        return (
            ConnectReason.NO_DATABASE,
            f"there is no database {settings.database!r}, or this user may not see it",
            f"correct the name, or grant {settings.username} access to it on {host_port(settings)}",
        )
    if code in _TLS_REQUIRED:
        return ConnectReason.TLS, "TLS: the server takes no connections without TLS", "set ssl.mode to require"
    if code in _TOO_MANY:
        return ConnectReason.OTHER, _TRANSIENT[code], "close other connections, or raise max_connections"
    return None


def statement_error(code: int, text: str) -> MainstemError:
    """What the error of a running statement means."""
    if code in _LOST:
        return lost_error()
    if code in _TRANSIENT:
        return TransientError(f"MySQL: {_TRANSIENT[code]} (error {code})", remedy="try again")
    if code in _FULL or (code in _STORAGE and str(errno.ENOSPC) in _ERRNO.findall(text)):
        return TargetFullError(f"the MySQL server has no room left (error {code})", remedy="free disk space there")
    meaning = text if code in _SAFE_TEXT else _MEANING.get(code, "the server refused the statement")
    kind = DeniedError if code in _DENIED else StatementError
    return kind(f"MySQL: {meaning} (error {code})", remedy=_REMEDY.get(code, ""), error=code)


def lost_error() -> LostConnectionError:
    """The server or the network went away."""
    return LostConnectionError(
        "the connection to the MySQL server was lost", remedy="check the server and the network; then try again"
    )
