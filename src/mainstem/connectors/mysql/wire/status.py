"""The status variables of a QUERY.

They have no lengths; servers write them in the order of their numbers, so that a reader stops at the first that it does
not know. Source: MySQL source documentation, "Query_event", "Status variables"; MariaDB documentation, "QUERY_EVENT".
"""

from __future__ import annotations

from collections.abc import Callable

from mainstem.connectors.mysql.wire.cursor import Cursor, text
from mainstem.connectors.mysql.wire.events import StatusVariables
from mainstem.errors import WireError

_OVER_MAX_DATABASES = 254
_ENDS_ALTER = 4 | 8


def _number(name: str, size: int) -> Callable[[Cursor], dict[str, object]]:
    return lambda cursor: {name: cursor.integer(size)}


def _passed(size: int) -> Callable[[Cursor], dict[str, object]]:
    def read(cursor: Cursor) -> dict[str, object]:
        cursor.take(size)
        return {}

    return read


def _strings(count: int, after: int = 0) -> Callable[[Cursor], dict[str, object]]:
    def read(cursor: Cursor) -> dict[str, object]:
        for _ in range(count):
            cursor.take(cursor.integer(1) + after)
        return {}

    return read


def _charset(cursor: Cursor) -> dict[str, object]:
    return {"charset": (cursor.integer(2), cursor.integer(2), cursor.integer(2))}


def _time_zone(cursor: Cursor) -> dict[str, object]:
    return {"time_zone": cursor.take(cursor.integer(1)).decode("utf-8", "replace")}


def _databases(cursor: Cursor) -> dict[str, object]:
    count = cursor.integer(1)
    if count == _OVER_MAX_DATABASES:
        return {}
    names = []
    for _ in range(count):
        name = bytearray()
        while byte := cursor.integer(1):
            name.append(byte)
        names.append(text(bytes(name)))
    return {"databases": tuple(names)}


def _gtid_flags(cursor: Cursor) -> dict[str, object]:
    """With the number of the START ALTER that a COMMIT ALTER or ROLLBACK ALTER ends."""
    if cursor.integer(1) & _ENDS_ALTER:
        cursor.take(8)
    return {}


def _collations(cursor: Cursor) -> dict[str, object]:
    cursor.take(4 * cursor.integer(1))
    return {}


_VARIABLES: dict[int, Callable[[Cursor], dict[str, object]]] = {
    0: _number("flags2", 4),
    1: _number("sql_mode", 8),
    2: _strings(1, after=1),
    3: _passed(4),
    4: _charset,
    5: _time_zone,
    6: _strings(1),
    7: _passed(2),
    8: _number("database_collation", 2),
    9: _passed(8),
    10: _passed(4),
    11: _strings(2),
    12: _databases,
    13: _number("microseconds", 3),
    16: _passed(1),
    17: _number("commit_xid", 8),
    18: _passed(2),
    19: _passed(1),
    20: _passed(1),
    128: _number("microseconds", 3),
    129: _number("commit_xid", 8),
    130: _gtid_flags,
    131: _collations,
}


def read_status(data: bytes) -> StatusVariables:
    """Read them; `WireError` where one is cut."""
    cursor = Cursor(data)
    found: dict[str, object] = {}
    while cursor.left:
        read = _VARIABLES.get(cursor.integer(1))
        if read is None:
            break
        try:
            found |= read(cursor)
        except WireError as exc:
            raise WireError("the status variables of a statement are cut") from exc
    return StatusVariables(**found)  # type: ignore[arg-type]
