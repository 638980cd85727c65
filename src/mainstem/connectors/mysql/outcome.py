"""What the server made of rows that it did not refuse outright: anything but all of them, unchanged, is a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pymysql

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.errors import is_row_refusal, row_refusal
from mainstem.errors import RowError

# A statement that a replica could not repeat by its text, and syntax that will go some day: nothing about values.
_HARMLESS = {1287, 1592, 1681}
_CHANGED = 1265  # also what an ENUM's error value gives


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a statement came to. ``rows`` were stored, ``lost`` were skipped or took the place of others."""

    rows: int
    lost: int
    warnings: int


def check(connection: Any, outcome: Outcome, *, expected: int = 0) -> None:
    """Raise `RowError` if the server skipped or changed anything.

    LOAD DATA LOCAL turns errors into warnings and skips rows with a known key; notes, as of lost digits, are no errors
    to any statement.

    Args:
        expected: error values of ENUM columns among the rows, each of which gives a warning.
    """
    if not outcome.lost and outcome.warnings == expected:
        return
    warnings = [(int(code), str(text)) for _, code, text in client.query(connection, "SHOW WARNINGS")]
    telling = [item for item in warnings if item[0] not in _HARMLESS]
    harmless = len(warnings) - len(telling)
    if not outcome.lost and outcome.warnings - harmless <= expected:
        return
    telling.sort(key=lambda item: item[0] == _CHANGED and expected > 0)
    if telling:
        raise row_refusal(*telling[0])
    raise RowError("the target did not store all rows, and does not say why", remedy="try with the policy quarantine")


def row_error(exc: BaseException) -> RowError | None:
    """The refusal of one row, or None for an error of another kind."""
    if isinstance(exc, RowError):
        return exc
    if not isinstance(exc, pymysql.Error) or not exc.args or not isinstance(exc.args[0], int):
        return None
    code, text = (*exc.args, "")[:2]
    return row_refusal(code, str(text)) if is_row_refusal(code) else None
