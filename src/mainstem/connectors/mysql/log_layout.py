"""What columns a table had just behind an ALTER TABLE of the log, when the catalog may know later ones already. Pure.

Two statements that come close together, or while nobody reads the log, are both in the catalog when the first is read.
What the first one did is what the catalog says of the columns that it names; the others are what they were before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.connectors.mysql.statements import Statement, What
from mainstem.model.schema import Column

_OF_ALL_COLUMNS = frozenset({"convert", "character", "charset", "collate"})
_OF_ORDER = frozenset({"first", "after"})
_OF_PLACE_OR_NAME = _OF_ORDER | {"change", "rename"}


def layout_behind(statement: Statement, before: Sequence[Column], now: Sequence[Column]) -> tuple[Column, ...] | None:
    """The columns behind a statement.

    Args:
        before: the columns ahead of it.
        now: those that the catalog tells of.
    Returns:
        None where it cannot be known: a later statement has put columns into another order.
    """
    if statement.what is not What.ALTER or statement.words is None:
        return tuple(now)
    old, new = {_key(column): column for column in before}, {_key(column): column for column in now}
    all_of_them = bool(statement.words & _OF_ALL_COLUMNS)
    found = []
    for column in now:
        known = old.get(_key(column))
        if known is None or all_of_them or statement.names(column.name):
            if known is not None or statement.names(column.name):
                found.append(column)
        else:
            found.append(known)
    if not statement.words & _OF_ORDER and not _in_order(found, before):
        return None
    for place, column in enumerate(before):
        if _key(column) not in new and not statement.names(column.name):  # it went later
            ahead = {_key(one) for one in before[:place]}
            behind = max((index + 1 for index, one in enumerate(found) if _key(one) in ahead), default=0)
            found.insert(behind, column)
    return tuple(found)


def is_known(statement: Statement, behind: Sequence[Column], later: frozenset[str] | None) -> bool:
    """Whether `layout_behind` can be right only, with statements that come later in the log.

    Args:
        later: the words of these ALTER TABLE; None when they are more than that.
    """
    if later is None or statement.what is not What.ALTER or statement.words is None or later & _OF_ALL_COLUMNS:
        return False
    touched = {_key(column) for column in behind} & later
    return not touched or (not touched & statement.words and not (statement.words | later) & _OF_PLACE_OR_NAME)


def _key(column: Column) -> str:
    return column.name.lower()


def _in_order(found: Sequence[Column], before: Sequence[Column]) -> bool:
    """Whether the columns that both have stand in the same order."""
    ours, theirs = ({_key(column) for column in columns} for columns in (found, before))
    return [_key(column) for column in found if _key(column) in theirs] == [
        _key(column) for column in before if _key(column) in ours
    ]
