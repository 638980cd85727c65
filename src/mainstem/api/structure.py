"""Databases and their structure as the JSON that clients expect."""

from __future__ import annotations

from typing import Any

from mainstem.contract.inspector import DatabaseInfo
from mainstem.model.schema import Catalog, Column, ForeignKey, Index, Table


def database(info: DatabaseInfo, *, later: bool) -> dict[str, Any]:
    """A database with its schemas: names for early clients, objects for later ones."""
    shape: dict[str, Any] = {"name": info.name}
    if info.schemas:
        shape["schemas"] = [{"name": name, "isSystem": False} for name in info.schemas] if later else list(info.schemas)
    if info.system or later:
        shape["isSystem"] = info.system
    return shape


def meta(catalog: Catalog) -> dict[str, Any]:
    """Structure: maps by name."""
    return {
        "tables": {table.id.name: _table(table) for table in catalog.tables},
        "views": {view.id.name: {"name": view.id.name, "definition": view.definition} for view in catalog.views},
        "sequences": {
            item.id.name: {
                "name": item.id.name,
                "startValue": item.start,
                "increment": item.increment,
                "minValue": item.minimum,
                "maxValue": item.maximum,
                "isCycled": item.cycle,
                "lastValue": item.next_value,
            }
            for item in catalog.sequences
        },
        "others": [{"kind": other.kind, "name": other.id.name} for other in catalog.others],
    }


def meta_v1(catalog: Catalog) -> list[dict[str, Any]]:
    """The oldest form: an array of tables, with capitalised members in the columns."""
    return [
        {
            "id": number,
            "name": table.id.name,
            "database": table.id.schema,
            "columnsSeq": [column.name for column in table.columns],
            "columns": [
                {
                    "Name": column.name,
                    "SQLType": column.native,
                    "Length": column.type.length or 0,
                    "Default": column.default.text if column.default else "",
                    "IsPrimaryKey": column.name in table.primary_key,
                    "IsAutoIncrement": column.identity,
                }
                for column in table.columns
            ],
            "indexes": {index.name: _index(index) for index in table.indexes},
            "primaryKeys": list(table.primary_key),
            "autoIncrement": next((column.name for column in table.columns if column.identity), ""),
        }
        for number, table in enumerate(catalog.tables, 1)
    ]


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.id.name,
        "schema": table.id.schema,
        "columnsSeq": [column.name for column in table.columns],
        "columns": [column_of(column, table) for column in table.columns],
        "primaryKeys": list(table.primary_key),
        "indexes": [_index(index) for index in table.indexes],
        "foreignKeys": [_foreign_key(key) for key in table.foreign_keys],
        "checkConstraints": [{"name": check.name, "clause": check.expression} for check in table.checks],
        "comment": table.comment,
        "estimatedRows": table.rows_estimate,
        "estimatedSizeBytes": table.bytes_estimate,
    }


def column_of(column: Column, table: Table) -> dict[str, Any]:
    """A column of a table, in the later form."""
    return {
        "name": column.name,
        "dataType": column.type.kind.value,
        "columnType": column.native,
        "characterSet": column.charset,
        "collation": column.collation,
        "enumValues": list(column.type.members),
        "isUnsigned": column.type.unsigned,
        "isNullable": column.nullable,
        "defaultValue": None if column.default is None else column.default.text,
        "isPrimaryKey": column.name in table.primary_key,
        "isUnique": any(
            index.unique and [part.column for part in index.parts] == [column.name] for index in table.indexes
        ),
        "length": column.type.length,
        "precision": column.type.precision,
        "scale": column.type.scale,
        "comment": column.comment,
        "autoIncrement": column.identity,
    }


def _index(index: Index) -> dict[str, Any]:
    return {
        "name": index.name,
        "columns": [part.column or part.expression for part in index.parts],
        "isUnique": index.unique,
        "isPrimary": False,
        "type": index.method.value,
    }


def _foreign_key(key: ForeignKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "sourceColumns": list(key.columns),
        "referencedSchema": key.parent.schema,
        "referencedTable": key.parent.name,
        "referencedColumns": list(key.parent_columns),
        "onUpdate": key.on_update,
        "onDelete": key.on_delete,
    }
