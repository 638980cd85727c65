"""What an ALTER TABLE may have made of values without a word in the log, as far as the columns and its session tell.

A change of type is no matter of this module: `ddl.evolution` knows which ones keep every value.
Source: MariaDB manual, "SQL_MODE", "ALTER TABLE", "AUTO_INCREMENT"; MySQL manual, "Server SQL Modes".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mainstem.connectors.mysql.alter_clauses import Clauses
from mainstem.model.schema import Column
from mainstem.model.types import Kind

_STRICT = 1 << 21 | 1 << 22  # STRICT_TRANS_TABLES, STRICT_ALL_TABLES
_ZERO_IS_A_VALUE = 1 << 19  # NO_AUTO_VALUE_ON_ZERO
_WHOLE = frozenset({"utf8mb4", "utf16", "utf16le", "utf32"})
_PLANE = frozenset({"utf8", "utf8mb3", "ucs2"})
_CONVERTED = frozenset({"convert"})
_RETYPED = frozenset({"modify", "change", "rename"})
# For these the target is given the same value ("Data Type Defaults").
_PLAIN = frozenset({
    Kind.BOOLEAN, Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.TEXT, Kind.BINARY, Kind.YEAR, Kind.TIME, Kind.INTERVAL,
    Kind.SET, Kind.ENUM,
})  # fmt: skip


def values_lost(before: Iterable[Column], after: Iterable[Column], sql_mode: int) -> str:
    """Why rows that are there may hold other values than before; empty if they do not.

    Args:
        sql_mode: of the session that altered the table, as its QUERY tells it.
    """
    known = {column.name.lower(): column for column in before}
    reasons = []
    for column in after:
        old = known.get(column.name.lower())
        why = _why_new(column) if old is None else _why(old, column, sql_mode)
        if why:
            reasons.append(f"{why}, and which ones is not in the log")
    return "; ".join(reasons)


def values_moved(
    clauses: Clauses, before: Sequence[Column], after: Iterable[Column], later: frozenset[str] | None
) -> str:
    """Why values may not be under the names under which they were, or not what they were; empty if they are.

    Args:
        before, after: the columns ahead of an ALTER TABLE with these clauses, and behind it.
        later: the words of those that come behind it in the log; None when they are more than that.
    """
    old = {column.name.lower(): column.name for column in before}
    new = {column.name.lower() for column in after}
    reasons = [
        f"column {old[name]} was dropped and made again: the values of before are gone"
        for name in sorted(clauses.dropped & old.keys() & new)
    ]
    reasons += [f"column {old[name]} is called {to} now" for name, to in clauses.renamed if name in old]
    reasons += [
        f"column {to} had another name before that could be looked at, and with it values that are not told"
        for name, to in clauses.renamed
        if name not in old and to in new and to not in old
    ]
    again = clauses.modified & old.keys()
    if clauses.converted:
        again |= {column.name.lower() for column in before if column.charset}
    if later is not None and not later & _CONVERTED:
        again = again & later if later & _RETYPED else frozenset()
    reasons += [
        f"column {old[name]} was changed, and once more before that could be looked at: what its values were made of"
        " between the two is not known"
        for name in sorted(again)
    ]
    return "; ".join(reasons)


def renamed_apart(before: Iterable[Column], after: Iterable[Column]) -> str:
    """Why values may be under other names where a copy of a table, which was altered under its own, took its name."""
    old, new = ({column.name.lower(): column.name for column in columns} for columns in (before, after))
    gone, came = ([names[name] for name in names if name not in others] for names, others in ((old, new), (new, old)))
    if not gone or not came:
        return ""
    return (
        f"{', '.join(gone)} went and {', '.join(came)} came with a copy that took its name: which is which is not told"
    )


def _why_new(column: Column) -> str:
    """A new column that is never null, and has no default: rows that are there get what its type has for that."""
    bare = column.default is None and column.generated is None and not column.identity
    padded = column.type.kind is Kind.BINARY and column.type.fixed
    if column.nullable or not bare or (column.type.kind in _PLAIN and not padded):
        return ""
    return f"column {column.name} is new and takes no NULL: the server put values of its own into rows that were there"


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
