"""Tables whose log does not tell what is in them."""

from __future__ import annotations

from collections.abc import Collection

from mainstem.connectors.mysql.log_side import Side
from mainstem.errors import InvalidError
from mainstem.model.names import TableId

_REFUSED_TABLES = {
    "system-versioned tables": "table_type = 'SYSTEM VERSIONED'",
    "tables of the engine MERGE": "engine = 'MRG_MyISAM'",
}


def refuse(side: Side, tables: Collection[TableId]) -> None:
    """The log of a system-versioned table has rows of its history as if they were rows like others; that of a table of
    the engine MERGE lacks what is written to the tables below it."""
    databases = sorted({table.schema for table in tables})
    if not databases:
        return
    marks = ", ".join(["%s"] * len(databases))
    for what, condition in _REFUSED_TABLES.items():
        rows = side.ask(
            f"SELECT table_schema, table_name FROM information_schema.tables WHERE {condition}"
            f" AND table_schema IN ({marks})",
            databases,
        )
        found = {TableId(str(schema), str(name)) for schema, name in rows}.intersection(tables)
        if found:
            names = ", ".join(sorted(map(str, found)))
            raise InvalidError(
                f"{what} cannot be replicated: {names}",
                fields={"tables": f"{names}: {what}"},
                remedy="leave them out (exclude), or copy them once in mode convert",
            )
