"""Types that depend on more than their column: text in keys, and rows that are too wide. Pure.

Sources: MySQL manual, "InnoDB Limits" and "Limits on Table Column Count and Row Size".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainstem.connectors.mysql.native import BLOBS, LARGE, TEXTS, base_name, bytes_of, with_length
from mainstem.connectors.mysql.traits import MAX_KEY_BYTES, MAX_PAGE_BYTES, MAX_ROW_BYTES
from mainstem.contract.dialect import TargetType
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.schema import Index, IndexMethod, Table

_ROW_OVERHEAD = 1024  # null bits and what the server adds
_ALWAYS_INSIDE, _POINTER = 257, 21
_METHODS = (IndexMethod.BTREE, IndexMethod.HASH)


def fit_types(table: Table, types: Mapping[str, TargetType]) -> dict[str, TargetType]:
    """The types that change, so that keys can be made and rows fit."""
    limited = _limited(table, types)
    return limited | _narrowed(table, {**types, **limited}, keep=set(limited))


def is_plain(index: Index) -> bool:
    """Whether an index is one that every server can make: of whole columns, over all rows."""
    return index.method in _METHODS and not index.where and all(part.column for part in index.parts)


def _limited(table: Table, types: Mapping[str, TargetType]) -> dict[str, TargetType]:
    """Text and bytes in primary keys, unique keys and foreign keys become limited: each key has 3,072 bytes."""
    room: dict[str, int] = {}
    for key in _keys(table):
        open_ = [name for name in key if _needs_length(types[name].sql)]
        if not open_:
            continue
        taken = sum(bytes_of(types[name].sql) for name in key if name not in open_)
        for name in open_:
            room[name] = min(room.get(name, MAX_KEY_BYTES), max(MAX_KEY_BYTES - taken, 0) // len(open_) - 4)
    made = {}
    for name, limit in room.items():
        if limit < 4 or (bytes_of(types[name].sql) <= limit and base_name(types[name].sql) not in LARGE):
            continue
        sql = with_length(table.column(name).type, limit)
        made[name] = TargetType(sql, report=(*types[name].report, _key_limited(table, name, sql)))
    return made


def _keys(table: Table) -> Iterable[tuple[str, ...]]:
    yield table.primary_key
    for index in table.indexes:
        if index.unique and is_plain(index):
            yield tuple(part.column for part in index.parts)
    for key in table.foreign_keys:
        yield key.columns


def _needs_length(sql: str) -> bool:
    name = base_name(sql)
    return name != "json" and (name in LARGE or name in TEXTS or name in BLOBS) and bytes_of(sql) != 1


def _narrowed(table: Table, types: Mapping[str, TargetType], keep: set[str]) -> dict[str, TargetType]:
    """The longest VARCHARs become LONGTEXT, which lies outside the row, until the row fits, and its page."""
    keyed = keep | {name for key in _keys(table) for name in key}
    free = [name for name, type_ in types.items() if base_name(type_.sql) in ("varchar", "varbinary")]
    free = [name for name in free if name not in keyed]
    made: dict[str, TargetType] = {}
    for measure, most in ((bytes_of, MAX_ROW_BYTES - _ROW_OVERHEAD), (_in_page, MAX_PAGE_BYTES)):
        size = sum(measure(type_.sql) for type_ in {**types, **made}.values())
        for name in sorted(free, key=lambda name: -measure(types[name].sql)):
            if size <= most:
                break
            sql = "longblob" if base_name(types[name].sql) == "varbinary" else "longtext"
            if name not in made and measure(types[name].sql) > measure(sql):
                size -= measure(types[name].sql) - measure(sql)
                made[name] = TargetType(sql, report=(*types[name].report, _row_too_wide(table, name, types[name].sql)))
    return made


def _in_page(sql: str) -> int:
    """Bytes of a value that stay in the row's page: what may be longer than 255 bytes can lie outside, but for 20."""
    size = bytes_of(sql)
    outside = base_name(sql) in LARGE or (size > _ALWAYS_INSIDE and base_name(sql) in TEXTS | BLOBS)
    return _POINTER if outside else size


def _key_limited(table: Table, name: str, sql: str) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "key_limited",
        f"{table.id}.{name}",
        f"text and bytes in a key need a length here; the column becomes {sql}, and longer values are refused",
        "override the column's type with a varchar of the length that it needs (a key has 3,072 bytes in all)",
    )


def _row_too_wide(table: Table, name: str, sql: str) -> ReportItem:
    return ReportItem(
        Severity.INFO,
        "row_too_wide",
        f"{table.id}.{name}",
        f"a row of the table would be wider than the server's limits (65,535 bytes, and about 8,000 in its page); the"
        f" column becomes longtext or longblob, not {sql}, and its length is no longer checked",
        "add a check of its length where it matters",
    )
