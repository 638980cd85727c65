"""Secondary indexes, unique keys and foreign keys as MySQL's DDL.

All that can be made together is one ALTER TABLE: InnoDB then reads the table once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainstem.connectors.mysql.create import Making, counter_indexes
from mainstem.connectors.mysql.dialect import quote
from mainstem.connectors.mysql.fitting import is_plain
from mainstem.connectors.mysql.literals import comment
from mainstem.connectors.mysql.native import BLOBS, LARGE, SHAPES, TEXTS, base_name, bytes_of
from mainstem.connectors.mysql.traits import BYTES_PER_CHARACTER, MAX_KEY_BYTES, Traits
from mainstem.contract.dialect import NewName, Rendered, Use
from mainstem.ddl.references import orphans
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import ForeignKey, Index, IndexMethod, IndexPart

_MAX_COMMENT = 1024
_ALONE = (IndexMethod.FULLTEXT, IndexMethod.SPATIAL)
_ORDERED = (IndexMethod.BTREE, IndexMethod.HASH)


@dataclass(frozen=True, slots=True)
class _Made:
    """An index as a part of ALTER TABLE."""

    index: Index
    sql: str


def create_keys(making: Making, qualified: str, names: NewName) -> Rendered:
    """Phase KEYS: one statement for what goes together, and one each for FULLTEXT, SPATIAL and expressions.

    Args:
        names: gives out the names of this table's indexes.
    """
    there = {index.name for index in counter_indexes(making.table)}
    made = []
    for index in sorted(making.table.indexes, key=lambda index: not index.unique):
        if index.name in there:
            continue
        try:
            made.append(_index(making, index, names))
        except PlanError as exc:
            making.report.append(_left_out(making, index, exc))
    together = [item for item in made if is_plain(item.index)]
    statements = [_statement(making, qualified, together)] if together else []
    statements += [_statement(making, qualified, [item]) for item in made if item not in together]
    return Rendered(tuple(statements), tuple(making.report))


def _statement(making: Making, qualified: str, made: list[_Made]) -> Statement:
    parts = ", ".join(f"ADD {item.sql}" for item in made)
    object_ = f"{making.table.id}.{', '.join(item.index.name for item in made)}"
    optional = not any(item.index.unique for item in made)
    return Statement(
        Phase.KEYS, f"ALTER TABLE {qualified} {parts}", object_, making.table.id, optional=optional, index=True
    )


def _index(making: Making, index: Index, names: NewName) -> _Made:
    if not making.own:
        _tell_changes(making, index)
    kind = _KINDS[index.method](making, index)
    parts = ", ".join(_part(making, index, part) for part in index.parts)
    name = names("primary_" if index.name.lower() == "primary" else index.name)
    sql = f"{kind} {quote(name)} ({parts})"
    if making.own and index.definition:
        sql += f" {index.definition}"
    if index.comment:
        sql += f" COMMENT {comment(index.comment[:_MAX_COMMENT])}"
    if index.invisible and making.own:
        sql += " IGNORED" if making.traits.mariadb else " INVISIBLE"
    return _Made(index, sql)


def _ordered(making: Making, index: Index) -> str:
    if index.where and index.unique:
        raise PlanError("a unique index over some of the rows does not exist here; nothing keeps them unique")
    return "UNIQUE KEY" if index.unique else "KEY"


def _spatial(making: Making, index: Index) -> str:
    if not making.own and any(making.table.column(part.column).nullable for part in index.parts):
        raise PlanError("a spatial index needs a column that is not null")
    return "SPATIAL KEY"


def _impossible(making: Making, index: Index) -> str:
    raise PlanError(f"indexes of the method {index.method} do not exist here")


_KINDS: dict[IndexMethod, Callable[[Making, Index], str]] = {
    IndexMethod.BTREE: _ordered,
    IndexMethod.HASH: _ordered,
    IndexMethod.FULLTEXT: lambda making, index: "FULLTEXT KEY",
    IndexMethod.SPATIAL: _spatial,
    IndexMethod.GIST: lambda making, index: _geometric(making, index),
    **dict.fromkeys((IndexMethod.GIN, IndexMethod.SPGIST, IndexMethod.BRIN, IndexMethod.OTHER), _impossible),
}


def _geometric(making: Making, index: Index) -> str:
    """PostGIS's index of geometries; any other of this method has no counterpart."""
    shaped = all(part.column and base_name(making.types[part.column].sql) in SHAPES for part in index.parts)
    return _spatial(making, index) if shaped and len(index.parts) == 1 else _impossible(making, index)


def _part(making: Making, index: Index, part: IndexPart) -> str:
    direction = " DESC" if part.descending and _sorts_down(making.traits) else ""
    if not part.column:
        if not making.traits.functional_indexes:
            raise PlanError(f"{making.traits.title} has no indexes on expressions")
        return f"({making.translate(part.expression, Use.STORED)}){direction}"
    prefix = part.prefix_length if making.own else _prefix(making, index, part)
    return quote(part.column) + (f"({prefix})" if prefix else "") + direction


def _sorts_down(traits: Traits) -> bool:
    return traits.since(mariadb=(10, 8, 0), mysql=(8, 0, 0))


def _prefix(making: Making, index: Index, part: IndexPart) -> int | None:
    """How much of text or bytes an index takes in; None is all of it."""
    sql = making.types[part.column].sql
    name = base_name(sql)
    if name == "json":
        raise PlanError("JSON cannot be in an index")
    if index.method not in _ORDERED or name not in LARGE | TEXTS | BLOBS:
        return None
    sizes = [bytes_of(making.types[other.column].sql) for other in index.parts if other.column]
    if name not in LARGE and sum(sizes) <= MAX_KEY_BYTES:
        return None
    if index.unique:
        raise PlanError("a unique index cannot hold values of this length")
    open_ = [other for other in index.parts if other.column and _is_open(making, other)]
    taken = sum(bytes_of(making.types[other.column].sql) for other in index.parts if other not in open_)
    room = max((MAX_KEY_BYTES - taken) // len(open_) - 4, BYTES_PER_CHARACTER)
    return room if name in BLOBS else room // BYTES_PER_CHARACTER


def _is_open(making: Making, part: IndexPart) -> bool:
    return base_name(making.types[part.column].sql) in LARGE | TEXTS | BLOBS


def _tell_changes(making: Making, index: Index) -> None:
    """What an index of another kind of system loses when it is made here."""
    object_ = f"{index.name}"
    if index.where and not index.unique:
        making.note(
            Severity.INFO,
            "partial_index",
            object_,
            f"the index covers all rows here, not only those with {index.where}",
        )
    if index.include:
        making.note(
            Severity.INFO, "index_include", object_, f"the index is made without INCLUDE ({', '.join(index.include)})"
        )
    if not index.nulls_distinct:
        making.note(
            Severity.WARNING, "nulls_not_distinct", object_, "a unique key takes any number of nulls here, not only one"
        )
    if index.deferrable:
        making.note(
            Severity.INFO, "deferrable", object_, "the key is checked at once here, not at the transaction's end"
        )


def _left_out(making: Making, index: Index, exc: PlanError) -> ReportItem:
    return ReportItem(
        Severity.WARNING if index.unique else Severity.INFO,
        f"{index.method}_index_left_out",
        f"{making.table.id}.{index.name}",
        f"the {'unique ' if index.unique else ''}index is not made: {exc.message}",
        exc.remedy or "keep values unique in the application" if index.unique else "make another by hand where needed",
    )


def create_foreign_key(traits: Traits, qualified: Callable[[TableId], str], table: TableId, key: ForeignKey,
                       new_name: NewName) -> Rendered:  # fmt: skip
    """Phase FOREIGN_KEYS; the server makes the index that it needs on the child's columns."""
    object_ = f"{table}.{key.name}"
    report = []
    actions = ""
    for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        if action == "SET DEFAULT":
            report.append(_no_set_default(object_, event))
        elif action != ("RESTRICT" if traits.mariadb else "NO ACTION"):  # what it means to say nothing
            actions += f" ON {event} {action}"
    if key.deferrable or key.match_full or not key.validated:
        report.append(_plain_key(object_, key))
    sql = (
        f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {quote(new_name(key.name, 'foreign key'))}"
        f" FOREIGN KEY ({', '.join(quote(column) for column in key.columns)})"
        f" REFERENCES {qualified(key.parent)} ({', '.join(quote(column) for column in key.parent_columns)}){actions}"
    )
    statement = Statement(Phase.FOREIGN_KEYS, sql, object_, table, against=orphans(qualified, quote, table, key))
    return Rendered((statement,), tuple(report))


def _no_set_default(object_: str, event: str) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "foreign_key_action",
        object_,
        f"InnoDB knows no ON {event} SET DEFAULT; the change is refused instead",
        "set the default in the application before",
    )


def _plain_key(object_: str, key: ForeignKey) -> ReportItem:
    words = [
        text
        for applies, text in (
            (key.deferrable, "is checked at once here, not at the transaction's end"),
            (key.match_full, "takes keys that are null in part"),
            (not key.validated, "holds for rows that are written from now on"),
        )
        if applies
    ]
    return ReportItem(Severity.INFO, "foreign_key_changed", object_, f"the foreign key {', and '.join(words)}")
