"""What a MySQL or MariaDB database holds, as the explorer shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mainstem.connectors.mysql.config import NOT_OF_THE_LEDGER, SYSTEM_DATABASES
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.types import logical_type
from mainstem.contract.browse import VIEWS, BrowseColumn, ObjectInfo, ObjectKind, Relation
from mainstem.contract.browse_sql import Sql
from mainstem.errors import NotFoundError, PlanError
from mainstem.model.names import TableId
from mainstem.model.types import Kind, LogicalType

Ask = Callable[[Sql], list[tuple[Any, ...]]]
_DIALECT = MysqlDialect()
_KINDS = {
    "BASE TABLE": ObjectKind.TABLE,
    "SYSTEM VERSIONED": ObjectKind.TABLE,
    "TEMPORARY": ObjectKind.TABLE,
    "VIEW": ObjectKind.VIEW,
    "SYSTEM VIEW": ObjectKind.VIEW,
    "SEQUENCE": ObjectKind.SEQUENCE,
}
_TABLES = (
    "SELECT table_schema, table_name, table_type, table_rows, data_length + index_length, table_comment"
    f" FROM information_schema.tables WHERE table_schema = DATABASE(){NOT_OF_THE_LEDGER}"
)
_ROUTINES = (
    "SELECT r.routine_schema, r.routine_name, r.routine_type, r.dtd_identifier, r.routine_comment, r.routine_body,"
    " (SELECT GROUP_CONCAT(CONCAT_WS(' ', NULLIF(p.parameter_mode, 'IN'), p.parameter_name, p.dtd_identifier)"
    " ORDER BY p.ordinal_position SEPARATOR ', ') FROM information_schema.parameters p"
    " WHERE p.specific_schema = r.routine_schema AND p.specific_name = r.specific_name AND p.ordinal_position > 0)"
    " FROM information_schema.routines r WHERE r.routine_schema = DATABASE()"
    " AND r.routine_type IN ('FUNCTION', 'PROCEDURE')"
)
_TRIGGERS = (
    "SELECT trigger_schema, trigger_name, event_object_table FROM information_schema.triggers"
    " WHERE trigger_schema = DATABASE()"
)
_EVENTS = (
    "SELECT event_schema, event_name, event_comment FROM information_schema.events WHERE event_schema = DATABASE()"
)
_ONE = (
    "SELECT table_type, table_rows, data_length + index_length, table_comment FROM information_schema.tables"
    " WHERE table_schema = %s AND table_name = %s"
)
_COLUMNS = (
    "SELECT column_name, column_type, is_nullable, column_default, extra, column_comment, generation_expression"
    " FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
)
# A unique key of whole columns that hold no nulls; the primary key before others.
_KEYS = (
    "SELECT s.index_name, s.column_name, s.sub_part, c.is_nullable FROM information_schema.statistics s"
    " LEFT JOIN information_schema.columns c ON c.table_schema = s.table_schema AND c.table_name = s.table_name"
    " AND c.column_name = s.column_name WHERE s.table_schema = %s AND s.table_name = %s AND s.non_unique = 0"
    " ORDER BY s.index_name <> 'PRIMARY', s.index_name, s.seq_in_index"
)
_NO_KEY = "it has no primary key, and no unique key without nulls, by which one row could be told from another"


def objects(ask: Ask) -> list[ObjectInfo]:
    """Tables, views, sequences, routines, triggers and events of the connection's database, sorted."""
    found = [
        ObjectInfo(
            _KINDS.get(kind, ObjectKind.TABLE), TableId(schema, name), "", _number(rows), _number(size),
            "" if kind.endswith("VIEW") else comment or "",
        )
        for schema, name, kind, rows, size, comment in ask(Sql(_TABLES))
    ]  # fmt: skip
    found += [
        ObjectInfo(ObjectKind(kind.lower()), TableId(schema, name), comment=comment or "", signature=arguments or "",
                   returns=returns or "", language=body or "")
        for schema, name, kind, returns, comment, body, arguments in ask(Sql(_ROUTINES))
    ]  # fmt: skip
    found += [
        ObjectInfo(ObjectKind.TRIGGER, TableId(schema, name), table) for schema, name, table in ask(Sql(_TRIGGERS))
    ]
    found += [
        ObjectInfo(ObjectKind.EVENT, TableId(schema, name), comment=comment or "")
        for schema, name, comment in ask(Sql(_EVENTS))
    ]
    return sorted(found, key=lambda info: (info.id, info.kind, info.signature))


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else -1


def relation(ask: Ask, id_: TableId) -> Relation:
    """One table or view; `NotFoundError` if there is none."""
    place = (id_.schema, id_.name)
    rows = ask(Sql(_ONE, place))
    if not rows:
        raise NotFoundError(f"there is no table or view {id_}", remedy="refresh the tree", table=str(id_))
    table_type, count, size, comment = rows[0]
    kind = _KINDS.get(table_type, ObjectKind.TABLE)
    name, key = _key(ask(Sql(_KEYS, place)))
    return Relation(
        id_,
        kind,
        tuple(_column(row) for row in ask(Sql(_COLUMNS, place))),
        key,
        ("primary" if name == "PRIMARY" else "unique") if key else "",
        _reason(kind, id_, key),
        _number(count),
        _number(size),
        "" if kind in VIEWS else comment or "",
    )


def _key(rows: Sequence[tuple[Any, ...]]) -> tuple[str, tuple[str, ...]]:
    """The first index of which every part will do."""
    indexes: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        indexes.setdefault(row[0], []).append(row)
    for name, parts in indexes.items():
        if all(column and prefix is None and nullable == "NO" for _, column, prefix, nullable in parts):
            return name, tuple(part[1] for part in parts)
    return "", ()


def _reason(kind: ObjectKind, id_: TableId, key: Sequence[str]) -> str:
    if kind is not ObjectKind.TABLE:
        return f"it is a {kind.value}" + ("; change the rows of the tables behind it" if kind in VIEWS else "")
    if id_.schema.lower() in SYSTEM_DATABASES:
        return "it is a table of the server's own"
    return "" if key else _NO_KEY


def _column(row: tuple[Any, ...]) -> BrowseColumn:
    name, type_text, nullable, default, extra, comment, expression = row
    try:
        type_ = logical_type(type_text)
    except PlanError:  # a type that is not known here is shown as the server prints it
        type_ = LogicalType(Kind.TEXT)
    extra = (extra or "").lower()
    return BrowseColumn(
        name,
        type_text,
        type_.kind,
        nullable == "YES",
        None if default == "NULL" else default,
        writable=not expression,
        automatic="auto_increment" in extra or bool(expression) or "on update" in extra,
        comment=comment or "",
        members=type_.members,
        length=type_.length,
    )


_SHOW = {
    ObjectKind.TABLE: ("TABLE", 1),
    ObjectKind.VIEW: ("VIEW", 1),
    ObjectKind.SEQUENCE: ("SEQUENCE", 1),
    ObjectKind.FUNCTION: ("FUNCTION", 2),
    ObjectKind.PROCEDURE: ("PROCEDURE", 2),
    ObjectKind.TRIGGER: ("TRIGGER", 2),
    ObjectKind.EVENT: ("EVENT", 3),
}


def definition(ask: Ask, kind: ObjectKind, id_: TableId) -> str:
    """The SQL of an object, as the server writes it; a comment where this login may not see it."""
    what, column = _SHOW.get(kind, ("TABLE", 1))
    found = ask(Sql(f"SHOW CREATE {what} {_DIALECT.qualified(id_).replace('%', '%%')}"))
    text = found[0][column] if found else None
    return f"{text};" if text else "-- this login may not see the definition"
