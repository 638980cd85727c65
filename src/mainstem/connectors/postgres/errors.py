"""SQLSTATEs in words of ours. Pure tables: decided by SQLSTATE, never by message text, which servers translate.

Source: PostgreSQL manual, appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

import re

from mainstem.errors import (
    ConnectReason,
    DeniedError,
    LockedError,
    LostConnectionError,
    MainstemError,
    StatementError,
    TargetFullError,
    TransientError,
)

_PROTOCOL_VIOLATION = "08P01"  # bytes that a type's receive function cannot read; the connection lives on
_LOCKED = "55P03"
_LOST = {"57P01", "57P02", "57P05", "25P03", "25P04"}
_TRANSIENT = {
    "25006": "the server or this session is read-only at present",
    "40001": "transactions got into each other's way",
    "40P01": "a deadlock was broken",
    "53200": "the server is short of memory",
    "53300": "the server has no connection free",
    "55006": "the object is in use",
    _LOCKED: "a lock was not granted in time",
    "57P03": "the server is starting up, shutting down or in recovery",
}
_FULL = {"53100"}
# Their texts hold names of schemas, tables, columns, types and roles, and no values.
_SAFE_TEXT = {
    "0A000", "2BP01", "3D000", "3F000", "42501", "42701", "42703", "42704", "42710", "42804", "42830", "42883",
    "42939", "42P01", "42P04", "42P06", "42P07", "42P16", "42P17", "53400", "55000",
}  # fmt: skip
_MEANING = {
    "08P01": "the server cannot read the rows in the form in which they were sent",
    "22P04": "the rows do not fit the table's columns",
    "42601": "the server cannot parse the statement",
    "54000": "a limit of the server was exceeded",
    "57014": "the statement was cancelled, or took longer than statement_timeout allows",
}
_REMEDY = {
    "42P07": "rename or drop what has this name: a table, or another table's key or index",
    "42501": "grant the user this right",
    "42704": "create it, or install the extension that has it",
    "53400": "raise this limit of the server's settings, or free some of it (SELECT * FROM pg_replication_slots)",
    "57014": "raise statement_timeout for this user, if it was not cancelled on purpose",
}
_DENIED = "42501"
_ROW_CLASSES = {"22", "23"}
# Beside the classes of data errors: a row too wide for a page or an index, a WITH CHECK OPTION, a trigger's RAISE.
_ROW_STATES = {"54000", "44000", "P0001"}
_NOT_ROWS = {"22P04"}
_ROW_MEANING = {
    "08P01": "the server cannot read the rows in the form in which they were sent",
    "22000": "a value that the column's type cannot hold",
    "22001": "a text that is too long for the column",
    "22003": "a number outside the column's range",
    "22007": "a text that is no date or time",
    "22008": "a date or time outside the column's range",
    "2200D": "a text with a bad escape",
    "22015": "an interval outside the column's range",
    "22021": "a text with bytes that the database's encoding does not have, or with NUL",
    "22023": "a value that the column's type cannot hold",
    "22026": "bits of another length than the column's",
    "22032": "a text that is no JSON",
    "22P02": "a text that is no value of the column's type",
    "22P03": "bytes that are no value of the column's type",
    "22P05": "a character that the database's encoding does not have",
    "23502": "NULL in a column that must not be NULL",
    "23503": "a reference to a row that is not there",
    "23505": "a key that another row has already",
    "23514": "values that a check does not allow",
    "23P01": "values that conflict with another row",
    "44000": "values that the view's check option does not allow",
    "54000": "a row that is too large for a page or an index",
    "P0001": "refused by a trigger",
}
# COPY names the line, and for a bad value the column, in the error's context, in the server's language: only the
# punctuation is sure. A table with a comma in its name is left alone rather than misread.
_COPY = re.compile(r"^COPY [^,\n]+, [^\W\d]+ (\d+)(?:, [^\W\d]+ ([^:\n]+)(?=: |$))?", re.MULTILINE)


def connect_reason(sqlstate: str, user: str, database: str) -> tuple[ConnectReason, str, str] | None:
    """Reason, what happened and remedy for an error during login; None for an unknown SQLSTATE."""
    if sqlstate == "28P01":
        return (
            ConnectReason.LOGIN,
            "wrong user name or password",
            "correct user and password",
        )
    if sqlstate.startswith("28"):
        return (
            ConnectReason.LOGIN,
            f"the server does not let {user} log in to {database!r} from here in this way",
            "check that the user exists and may log in, pg_hba.conf on the server, and whether ssl.mode must be require"
            " (with a client certificate)",
        )
    if sqlstate == "3D000":
        return ConnectReason.NO_DATABASE, f"there is no database {database!r}", "correct the name, or create it"
    if sqlstate == "42501":
        return (
            ConnectReason.LOGIN,
            f"{user} has no right to connect to database {database!r}",
            "GRANT CONNECT ON DATABASE … TO the user",
        )
    if sqlstate in _TRANSIENT:
        return ConnectReason.OTHER, _TRANSIENT[sqlstate], "try again later"
    return None


def is_row_refusal(sqlstate: str) -> bool:
    """Whether the error is about the values of one row."""
    return sqlstate not in _NOT_ROWS and (sqlstate[:2] in _ROW_CLASSES or sqlstate in _ROW_STATES)


def row_meaning(sqlstate: str) -> str:
    """What is wrong with a refused row, without its values."""
    meaning = _ROW_MEANING.get(sqlstate, "a value that the target does not take")
    return f"{meaning} (SQLSTATE {sqlstate})"


def copy_position(context: str | None) -> tuple[int | None, str | None]:
    """Row (from 0) and column out of a COPY's error context."""
    found = _COPY.search(context or "")
    return (int(found[1]) - 1, found[2]) if found else (None, None)


def statement_error(sqlstate: str, text: str, object_name: str = "") -> MainstemError:
    """What the error of a running statement means.

    Args:
        text: the server's primary message; used only where it cannot hold a value.
        object_name: the constraint, column or table that the server named, if any.
    """
    lost = sqlstate in _LOST or (sqlstate.startswith("08") and sqlstate != _PROTOCOL_VIOLATION)
    if not sqlstate or lost:
        return lost_error()
    if sqlstate in _TRANSIENT or sqlstate.startswith("40"):
        meaning = _TRANSIENT.get(sqlstate, "the transaction was rolled back by the server")
        passing = LockedError if sqlstate == _LOCKED else TransientError
        return passing(f"PostgreSQL: {meaning} (SQLSTATE {sqlstate})", remedy="try again")
    if sqlstate in _FULL:
        return TargetFullError(
            f"the PostgreSQL server has no room left (SQLSTATE {sqlstate})", remedy="free disk space there"
        )
    if sqlstate in _SAFE_TEXT:
        meaning = text
    elif sqlstate in _MEANING:
        meaning = _MEANING[sqlstate]
    elif is_row_refusal(sqlstate):
        meaning = _ROW_MEANING.get(sqlstate, "a value that the server does not take")
    else:
        meaning = "the server refused the statement"
    about = f" [{object_name}]" if object_name and object_name not in meaning else ""
    kind = DeniedError if sqlstate == _DENIED else StatementError
    return kind(
        f"PostgreSQL: {meaning}{about} (SQLSTATE {sqlstate})", remedy=_REMEDY.get(sqlstate, ""), sqlstate=sqlstate
    )


def lost_error() -> LostConnectionError:
    """The server or the network went away."""
    return LostConnectionError(
        "the connection to the PostgreSQL server was lost", remedy="check the server and the network; then try again"
    )
