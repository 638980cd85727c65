"""What the explorer finds, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstem.api import cells
from mainstem.api.structure import column_of
from mainstem.contract.browse import (
    RELATIONS,
    VIEWS,
    BrowseColumn,
    ColumnSummary,
    ObjectInfo,
    ObjectKind,
    Overview,
    Page,
    Relation,
)
from mainstem.control.browse_input import position_token
from mainstem.control.browsing import Structure
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, ForeignKey, Index, Table, TableKind


def objects(database: str, found: Sequence[ObjectInfo], *, with_schemas: bool) -> dict[str, Any]:
    """What a database holds."""
    schemas = sorted({info.id.schema for info in found}) if with_schemas else []
    return {"database": database, "schemas": schemas, "objects": [_object(info) for info in found]}


def _object(info: ObjectInfo) -> dict[str, Any]:
    return {
        "kind": info.kind.value, "schema": info.id.schema, "name": info.id.name, "table": info.table,
        "signature": info.signature, "returns": info.returns, "language": info.language, "comment": info.comment,
        "estimatedRows": info.rows_estimate, "estimatedSizeBytes": info.bytes_estimate,
    }  # fmt: skip


def page(relation: Relation, found: Page) -> dict[str, Any]:
    """Some rows; without what was asked for."""
    return {
        "columns": [_column(column, relation) for column in found.columns],
        "rows": cells.rows(found.rows),
        "count": len(found.rows),
        "order_by": [by.column for by in found.order],
        "order_dir": ["desc" if by.descending else "asc" for by in found.order],
        "first": position_token(found.first),
        "last": position_token(found.last),
        "truncated": found.full,
        **_editability(relation),
        "status": "success",
    }


def _column(column: BrowseColumn, relation: Relation) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "kind": column.shown.value,
        "logicalType": column.kind.value,
        "nullable": column.nullable,
        "default": column.default,
        "writable": column.writable,
        "automatic": column.automatic,
        "key": column.name in relation.key,
        "comment": column.comment,
        "members": list(column.members),
    }


def _editability(relation: Relation) -> dict[str, Any]:
    return {
        "isEditable": not relation.reason,
        "editKeyColumns": list(relation.key),
        "editKeyType": relation.key_kind,
        "editabilityReason": relation.reason,
    }


def structure(found: Structure) -> dict[str, Any]:
    """All about one table or view."""
    relation, table = found.relation, found.table
    return {
        "kind": relation.kind.value,
        "schema": relation.id.schema,
        "name": relation.id.name,
        "comment": relation.comment,
        "columns": [_column(column, relation) for column in relation.columns],
        "primaryKey": list(table.primary_key) if table else [],
        "indexes": _indexes(table) if table else [],
        "foreignKeys": [_foreign_key(key) for key in table.foreign_keys] if table else [],
        "checks": _checks(table) if table else [],
        "partitionKey": table.partition_key if table else "",
        "estimatedRows": relation.rows_estimate,
        "estimatedSizeBytes": relation.bytes_estimate,
        "ddl": found.ddl,
        **_editability(relation),
    }


def _indexes(table: Table) -> list[dict[str, Any]]:
    primary: list[dict[str, Any]] = []
    if table.primary_key:
        primary = [
            {"name": table.primary_key_name or "PRIMARY", "columns": list(table.primary_key), "isUnique": True,
             "isPrimary": True, "type": "btree", "condition": "", "include": []}
        ]  # fmt: skip
    return primary + [_index(index) for index in table.indexes]


def _index(index: Index) -> dict[str, Any]:
    return {
        "name": index.name,
        "columns": [(part.column or part.expression) + (" DESC" if part.descending else "") for part in index.parts],
        "isUnique": index.unique,
        "isPrimary": False,
        "type": index.method.value,
        "condition": index.where,
        "include": list(index.include),
    }


def _checks(table: Table) -> list[dict[str, str]]:
    return [{"name": check.name, "clause": check.expression} for check in table.checks]


def _foreign_key(key: ForeignKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "columns": list(key.columns),
        "referencedSchema": key.parent.schema,
        "referencedTable": key.parent.name,
        "referencedColumns": list(key.parent_columns),
        "onUpdate": key.on_update,
        "onDelete": key.on_delete,
    }


def column_summary(found: ColumnSummary, rows: int) -> dict[str, Any]:
    """Figures of a column."""
    low, middle, high = found.quartiles
    return {
        "name": found.name, "type": found.type, "count": found.count, "nulls": found.nulls,
        "nullPercentage": round(100 * found.nulls / rows, 2) if rows else 0.0, "approxUnique": found.distinct,
        "min": found.minimum, "max": found.maximum, "avg": found.average, "std": found.deviation,
        "q25": low, "q50": middle, "q75": high, "minLength": found.shortest, "maxLength": found.longest,
        "avgLength": found.average_length,
    }  # fmt: skip


def overview(found: Overview) -> dict[str, Any]:
    """A database at a glance."""
    return {
        "engine": found.engine,
        "version": found.version,
        "encoding": found.encoding,
        "collation": found.collation,
        "counts": dict(found.counts),
        "sizeBytes": found.size_bytes,
        "allTablesBySize": [_size(info) for info in found.tables],
        "allTablesByRows": [_size(info) for info in sorted(found.tables, key=lambda info: -info.rows_estimate)],
        "activity": {
            "connections": {"used": found.connections_used, "max": found.connections_max},
            "activeSessions": found.active,
            "longRunning": [dict(item) for item in found.long_running],
        },
        "health": {"wal": None, "binlog": None, **found.facts},
        "notes": [{"severity": note.severity, "message": note.message} for note in found.notes],
    }


def _size(info: ObjectInfo) -> dict[str, Any]:
    return {
        "schema": info.id.schema, "name": info.id.name, "approxRows": info.rows_estimate,
        "sizeBytes": info.bytes_estimate,
    }  # fmt: skip


def meta_summary(database: str, found: Sequence[ObjectInfo], default_schema: str) -> dict[str, Any]:
    """The structure in short."""
    counts: dict[str, int] = {}
    for info in found:
        counts[info.kind.value] = counts.get(info.kind.value, 0) + 1
    return {
        "database": database,
        "schemas": _schemas([info.id for info in found], default_schema),
        "tables": [_size(info) for info in found if info.kind in RELATIONS],
        "views": [_named(info.id, default_schema) for info in found if info.kind in VIEWS],
        "stats": {"counts": counts},
    }


def meta(database: str, catalog: Catalog, found: Sequence[ObjectInfo], default_schema: str) -> dict[str, Any]:
    """The structure of a database."""

    def name(id_: TableId) -> str:
        return _named(id_, default_schema)

    routines = [info for info in found if info.kind in (ObjectKind.FUNCTION, ObjectKind.PROCEDURE)]
    return {
        "database": database,
        "schemas": _schemas([info.id for info in found], default_schema),
        "tables": {name(table.id): _table(table, database) for table in catalog.tables},
        "views": {
            name(view.id): {
                "name": view.id.name, "schema": view.id.schema, "definition": view.definition,
                "isMaterialized": view.materialized, "dependsOn": [name(used) for used in view.uses],
            }
            for view in catalog.views
        },
        "triggers": {
            f"{info.table}.{name(info.id)}": {"name": info.id.name, "schema": info.id.schema, "table": info.table}
            for info in found if info.kind is ObjectKind.TRIGGER
        },
        **{
            f"{kind}s": {f"{name(info.id)}({info.signature})": _routine(info) for info in routines if info.kind == kind}
            for kind in ("function", "procedure")
        },
        "sequences": {
            name(item.id): {
                "name": item.id.name, "schema": item.id.schema, "startValue": item.start, "increment": item.increment,
                "minValue": item.minimum, "maxValue": item.maximum, "cacheSize": item.cache, "isCycled": item.cycle,
                "lastValue": item.next_value, "ownerTable": item.owner.name if item.owner else "",
                "ownerColumn": item.owner_column,
            }
            for item in catalog.sequences
        },
    }  # fmt: skip


def _schemas(ids: Sequence[TableId], default_schema: str) -> list[str]:
    return sorted({id_.schema for id_ in ids}) if default_schema else []


def _named(id_: TableId, default_schema: str) -> str:
    return str(id_) if default_schema and id_.schema != default_schema else id_.name


def _routine(info: ObjectInfo) -> dict[str, Any]:
    return {
        "name": info.id.name, "schema": info.id.schema, "routineType": info.kind.value, "signature": info.signature,
        "returnType": info.returns, "language": info.language,
    }  # fmt: skip


def _table(table: Table, database: str) -> dict[str, Any]:
    key, kind = _edit_key(table)
    foreign = table.kind is TableKind.FOREIGN
    reason = "" if key and not foreign else "a foreign table" if foreign else "no key"
    return {
        "name": table.id.name,
        "schema": table.id.schema,
        "database": database,
        "columns": [column_of(column, table) for column in table.columns],
        "primaryKeys": list(table.primary_key),
        "foreignKeys": [_foreign_key(item) for item in table.foreign_keys],
        "indexes": _indexes(table),
        "checkConstraints": _checks(table),
        "comment": table.comment,
        "estimatedRows": table.rows_estimate,
        "estimatedSizeBytes": table.bytes_estimate,
        "isPartitioned": bool(table.partition_key),
        "isEditable": not reason,
        "editKeyColumns": list(key),
        "editKeyType": kind,
        "editabilityReason": reason,
    }


def _edit_key(table: Table) -> tuple[tuple[str, ...], str]:
    """The primary key, or else a unique key of whole columns without nulls."""
    if table.primary_key:
        return table.primary_key, "primary"
    filled = {column.name for column in table.columns if not column.nullable}
    for index in table.indexes:
        whole = all(part.column in filled and part.prefix_length is None for part in index.parts)
        if index.unique and not index.where and whole:
            return tuple(part.column for part in index.parts), "unique"
    return (), ""
