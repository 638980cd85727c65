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
    LockedError,
    LostConnectionError,
    MainstemError,
    RowError,
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
_LOCKED = 1205
_TRANSIENT = {
    1020: "the row was changed by another transaction meanwhile",
    1040: "the server has no connection free",
    1203: "the user has no connection free",
    _LOCKED: "a lock was not granted in time",
    1213: "a deadlock was broken",
    1226: "the user has reached a limit of the server",
    1290: "the server is read-only at present",
    1614: "a deadlock was broken",
    1836: "the server is read-only at present",
    3101: "the group of servers chose another transaction",
    3572: "a lock was not granted at once",
    1412: "a table's definition was changed after the snapshot began",
}
_FULL = {1021, 1114}
_STORAGE = {3, 1026, 1030}  # these carry the number of the operating system's error in their text
# Their texts hold names of databases, tables, columns and users, and no values.
_SAFE_TEXT = {
    1044,
    1045,
    1049,
    1051,
    1054,
    1059,
    1060,
    1067,
    1109,
    1142,
    1143,
    1144,
    1146,
    1193,
    1227,
    1236,
    1305,
    1356,
    1370,
}
_DENIED = {1044, 1142, 1143, 1227, 1370}
_MEANING = {
    1064: "the server cannot parse it",
    1153: "a value is larger than max_allowed_packet",
    1317: "the query was killed on the server",
    1969: "the server's time limit for a statement was reached",
    3024: "the server's time limit for a statement was reached",
}
_REMEDY = {
    1044: "grant the user access to that database",
    1142: "grant the user this right",
    1143: "grant the user this right",
    1153: "raise max_allowed_packet on the server",
    1227: "grant the user this right",
    1969: "raise max_statement_time for this user",
    3024: "raise max_execution_time on the server",
}
_ROW_MEANING = {
    1022: "a key that another row has already",
    1048: "NULL in a column that must not be NULL",
    1062: "a key that another row has already",
    1118: "a row that is too large for a page",
    1216: "a reference to a row that is not there",
    1263: "NULL in a column that must not be NULL",
    1264: "a value outside the column's range",
    1364: "a row that lacks a column which must not be NULL and has no default",
    1265: "a value that the column would change (too many digits, too long a text, or a label that it does not have)",
    1292: "a value that the column's type does not have",
    1300: "a text with bytes that are no UTF-8",
    1366: "a value that the column's type or character set does not have",
    1367: "a value that the column's type does not have",
    1369: "values that the view's check option does not allow",
    1406: "a text or bytes that are too long for the column",
    1411: "a value that the column's type does not have",
    1416: "bytes that are no geometry",
    1452: "a reference to a row that is not there",
    1525: "a value that the column's type does not have",
    1526: "a value that no partition takes",
    1586: "a key that another row has already",
    1644: "refused by a trigger",
    1690: "a value outside the column's range",
    1748: "a value that the partition does not take",
    1859: "a key that another row has already",
    3140: "a text that is no JSON",
    3141: "a text that is no JSON",
    3819: "values that a check does not allow",
    3903: "a value that the index does not take",
    4025: "values that a check does not allow",
    4078: "a value that the column's type does not have",
}
_DUPLICATE = {1022, 1062, 1586, 1859}
_ROW_REMEDY = "repair the row at the source, or put such rows aside with the policy quarantine"
# Names stand in messages at places that no value can take: at the end, or where the server quotes names alone. The
# session's language is English (see `session`).
_COLUMN = re.compile(r" column (?:'([^']+)'|(?:`[^`]+`\.)*`([^`]+)`) at row (\d+)$", re.I)
_ROW = re.compile(r" at row (\d+)$")
_CONSTRAINT = {
    1022: re.compile(r"table '([^']+)'$"),
    1062: re.compile(r" for key '([^']+)'$"),
    1586: re.compile(r" for key '([^']+)'$"),
    1452: re.compile(r" CONSTRAINT `([^`]+)` FOREIGN KEY "),
    3819: re.compile(r"^Check constraint '([^']+)' is violated"),
    4025: re.compile(r"^CONSTRAINT `([^`]+)` failed for "),
}
_NULL_COLUMN = re.compile(r"^(?:Column|Field) '([^']+)' ")
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
        passing = LockedError if code == _LOCKED else TransientError
        return passing(f"MySQL: {_TRANSIENT[code]} (error {code})", remedy="try again")
    if code in _FULL or (code in _STORAGE and str(errno.ENOSPC) in _ERRNO.findall(text)):
        return TargetFullError(f"the MySQL server has no room left (error {code})", remedy="free disk space there")
    meaning = (
        text if code in _SAFE_TEXT else _MEANING.get(code) or _ROW_MEANING.get(code, "the server refused the statement")
    )
    kind = DeniedError if code in _DENIED else StatementError
    return kind(f"MySQL: {meaning} (error {code})", remedy=_REMEDY.get(code, ""), error=code)


def is_duplicate(error: RowError) -> bool:
    """Whether another row has the key."""
    return error.where.get("error") in _DUPLICATE


def is_row_refusal(code: int) -> bool:
    """Whether the error or warning is about the values of one row."""
    return code in _ROW_MEANING


def row_refusal(code: int, text: str) -> RowError:
    """The refusal of one row, by an error or a warning of the server.

    ``row`` counts the statement's rows from 0; None where the server names none. The message never holds values, and
    so not the server's own text, which may.
    """
    found = _COLUMN.search(text)
    column = (found[1] or found[2]) if found else None
    number = _ROW.search(text)
    if code == 1048:
        named = _NULL_COLUMN.search(text)
        column = named[1] if named else column
    constraint = _CONSTRAINT[code].search(text) if code in _CONSTRAINT else None
    meaning = _ROW_MEANING.get(code, "a value that it would change")
    return RowError(
        f"the target refused {meaning}{f' [{constraint[1]}]' if constraint else ''} (error {code})",
        row=int(number[1]) - 1 if number else None,
        column=column,
        remedy=_ROW_REMEDY,
        error=code,
    )


def lost_error() -> LostConnectionError:
    """The server or the network went away."""
    return LostConnectionError(
        "the connection to the MySQL server was lost", remedy="check the server and the network; then try again"
    )
