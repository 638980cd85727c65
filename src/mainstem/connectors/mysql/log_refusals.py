"""What a reader of the binary log refuses to go on with, each with the way out."""

from __future__ import annotations

from mainstem.connectors.mysql.log_position import RESYNC
from mainstem.errors import LostConnectionError, MainstemError, PositionLostError, StatementError, WireError
from mainstem.model.change import SchemaChange

_ROWS_ONLY = (
    "SET GLOBAL binlog_format = 'ROW', have the writers connect anew, and let no session set it otherwise; then copy"
    " the tables anew"
)


def within_transaction(where: str) -> PositionLostError:
    """Rows or an end come without the beginning of their transaction."""
    return PositionLostError(
        "the position lies within a transaction of the log, not between two",
        remedy=f"begin where a transaction does, or {RESYNC}",
        position=where,
    )


def not_as_rows(database: str, where: str) -> StatementError:
    """A change was logged as a statement."""
    return StatementError(
        f"rows of database {database} were changed by a statement that the log holds as such, not as rows"
        " (binlog_format)",
        remedy=_ROWS_ONLY,
        position=where,
    )


def incident(where: str) -> WireError:
    """The server notes that its log has a gap."""
    return WireError(
        "the server's log has a gap: it notes that events were lost",
        remedy="look into the server's error log; then copy the tables anew",
        position=where,
    )


def rolled_back_late() -> LostConnectionError:
    """A transaction comes to nothing after parts of it were handed on; read again, it is put aside."""
    return LostConnectionError(
        "a large transaction of the source was rolled back in its log after parts of it were read",
        remedy="the log is read again from the last position",
    )


def structure_late(change: SchemaChange, *, is_new: bool) -> MainstemError:
    """A table does not fit, and the transaction was handed on in part; read again, it is settled before it."""
    told = f"{change.reason or 'a table has other columns'}, in the middle of a transaction"
    if not is_new:
        return WireError(told, remedy=RESYNC, table=str(change.table))
    return LostConnectionError(told, remedy="the log is read again from the last position", table=str(change.table))


def prepared_before(where: str) -> PositionLostError:
    """An XA COMMIT of rows that nobody knows."""
    return PositionLostError(
        "an XA transaction is committed that was prepared before the stream began: its rows are not known",
        remedy=RESYNC,
        position=where,
    )
