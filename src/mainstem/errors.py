"""The error tree: what went wrong, what to do about it, and whether trying again can help.

Every error that a user may see is a `MainstemError`. Its message names what is wrong with *our* words (table,
column, setting), never a row's value and never a password; its remedy is one command or setting.
"""

from __future__ import annotations

from enum import StrEnum


class Retry(StrEnum):
    """What the engine may do after an error of a class."""

    NEVER = "never"
    BACKOFF = "backoff"


class ConnectReason(StrEnum):
    """Why a connection could not be made; the value is the machine-readable code."""

    HOST_NOT_FOUND = "host_not_found"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    LOGIN = "login"
    NO_DATABASE = "no_database"
    OTHER = "connect_failed"


class MainstemError(Exception):
    """The root. ``where`` holds names of ours: table, column, connection, setting, position."""

    code = "error"
    retry = Retry.NEVER

    def __init__(self, message: str, *, remedy: str = "", **where: str | int | None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.where = {key: value for key, value in where.items() if value is not None}

    def __str__(self) -> str:
        """The message, then the remedy on the same line."""
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class InvalidError(MainstemError):
    """Input that breaks a rule. ``fields`` maps each offending field to what is wrong with it."""

    code = "invalid_data"

    def __init__(
        self, message: str, *, fields: dict[str, str] | None = None, remedy: str = "", **where: str | int | None
    ) -> None:
        super().__init__(message, remedy=remedy, **where)
        self.fields = fields or {}


class NotFoundError(MainstemError):
    """A thing that was named does not exist."""

    code = "not_found"


class ConflictError(MainstemError):
    """The move is not allowed in the present state."""

    code = "conflict"


class TakenOverError(MainstemError):
    """Another process has this run or stream by now: what this one began is over, and is nobody's failure.

    ``where["fence"]`` is the token that the target knows.
    """

    code = "taken_over"


class UnauthorizedError(MainstemError):
    """No API key, or a wrong one."""

    code = "unauthorized"


class ForbiddenError(MainstemError):
    """A browser's request that may come from another site's page."""

    code = "forbidden"


class ConnectError(MainstemError):
    """A system could not be reached or refused the login."""

    def __init__(self, message: str, *, reason: ConnectReason, remedy: str = "", **where: str | int | None) -> None:
        super().__init__(message, remedy=remedy, **where)
        self.reason = reason

    @property
    def code(self) -> str:  # type: ignore[override]
        """The reason's own code."""
        return self.reason.value


class LostConnectionError(MainstemError):
    """A connection that had worked went away; trying again may help."""

    code = "connection_lost"
    retry = Retry.BACKOFF


class TransientError(MainstemError):
    """A deadlock, serialization failure or the like; the same work may succeed next time."""

    code = "transient"
    retry = Retry.BACKOFF


class LockedError(TransientError):
    """Somebody else has locked what it is about, and kept it for longer than was to be waited."""


class TargetFullError(MainstemError):
    """The target has no room left; waiting does not help, making room does."""

    code = "target_full"


class WireError(MainstemError):
    """Bytes from a server that do not follow its protocol."""

    code = "wire"


class RowError(MainstemError):
    """A row that the target cannot hold. ``row`` is its index within the batches of the attempt, from 0."""

    code = "row_refused"

    def __init__(
        self,
        message: str,
        *,
        row: int | None = None,
        column: str | None = None,
        remedy: str = "",
        **where: str | int | None,
    ) -> None:
        super().__init__(message, remedy=remedy, column=column, **where)
        self.row = row
        self.column = column


class PlanError(MainstemError):
    """The migration cannot be planned as asked."""

    code = "plan"


class SchemaConflictError(MainstemError):
    """The target already holds something that the policy forbids."""

    code = "schema_conflict"


class StatementError(MainstemError):
    """A system refused a statement of ours (permission, missing object, syntax)."""

    code = "statement_refused"


class DeniedError(StatementError):
    """The login lacks a right that the statement needs."""

    code = "denied"


class AccountingError(MainstemError):
    """Rows written and rejected do not add up to rows read."""

    code = "accounting"


class TargetChangedError(MainstemError):
    """The target does not hold what this run has put there."""

    code = "target_changed"


class PositionLostError(MainstemError):
    """The source's log does not reach back to where the stream stands: changes are missing, and only a copy helps."""

    code = "position_lost"


class SpoolError(MainstemError):
    """This machine has no room for what must be put aside."""

    code = "spool_full"


class CancelledError(MainstemError):
    """Work was given up because the run was paused, stopped or failed elsewhere; never shown to a user."""

    code = "cancelled"
