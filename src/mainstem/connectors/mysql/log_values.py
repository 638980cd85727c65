"""What an ALTER TABLE may have made of values without a word in the log, as far as the columns and its session tell.

A change of type is no matter of this module: `ddl.evolution` knows which ones keep every value.
Source: MariaDB manual, "SQL_MODE", "ALTER TABLE", "AUTO_INCREMENT"; MySQL manual, "Server SQL Modes".
"""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.model.schema import Column

_STRICT = 1 << 21 | 1 << 22  # STRICT_TRANS_TABLES, STRICT_ALL_TABLES
_ZERO_IS_A_VALUE = 1 << 19  # NO_AUTO_VALUE_ON_ZERO
_WHOLE = frozenset({"utf8mb4", "utf16", "utf16le", "utf32"})
_PLANE = frozenset({"utf8", "utf8mb3", "ucs2"})


def values_lost(before: Iterable[Column], after: Iterable[Column], sql_mode: int) -> str:
    """Why rows that are there may hold other values than before; empty if they do not.

    Args:
        sql_mode: of the session that altered the table, as its QUERY tells it.
    """
    known = {column.name.lower(): column for column in before}
    reasons = []
    for column in after:
        old = known.get(column.name.lower())
        if old is not None and (why := _why(old, column, sql_mode)):
            reasons.append(f"{why}, and which ones is not in the log")
    return "; ".join(reasons)


def _why(old: Column, new: Column, sql_mode: int) -> str:
    strict = sql_mode & _STRICT
    if new.identity and not old.identity and (old.nullable or not sql_mode & _ZERO_IS_A_VALUE):
        return f"column {new.name} counts by itself now: rows without a number got one"
    if old.nullable and not new.nullable and (not strict or new.native.startswith("timestamp")):
        return f"column {new.name} takes no NULL any more: the server put values in their place"
    if not strict and old.charset and new.charset and not _holds(new.charset, old.charset):
        return (
            f"column {new.name} was in {old.charset} and is in {new.charset}: the server put ? for what that does not"
            " have"
        )
    return ""


def _holds(charset: str, other: str) -> bool:
    """Whether a character set has every character of another."""
    return charset == other or charset in _WHOLE or (charset in _PLANE and other not in _WHOLE) or other == "ascii"
