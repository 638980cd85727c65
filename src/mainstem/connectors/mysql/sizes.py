"""Sizes of a database's tables, from the information schema alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.config import NOT_OF_THE_LEDGER
from mainstem.contract.inspector import TableSize
from mainstem.model.names import TableId

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_SIZES = (
    "SELECT table_name, table_rows, data_length, index_length FROM information_schema.tables"
    f" WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'){NOT_OF_THE_LEDGER}"
)
_COLUMNS = "SELECT table_name, COUNT(*) FROM information_schema.columns WHERE table_schema = %s GROUP BY table_name"
_KEYED = (
    "SELECT DISTINCT table_name FROM information_schema.statistics WHERE table_schema = %s AND index_name = 'PRIMARY'"
)


def read_sizes(connection: Connection[Cursor], database: str) -> list[TableSize]:
    """Every base table of the database, sorted by name."""
    columns = dict(client.query(connection, _COLUMNS, (database,)))
    keyed = {name for (name,) in client.query(connection, _KEYED, (database,))}
    found = [
        TableSize(
            TableId(database, name), None if rows is None else int(rows), int(data or 0), int(indexes or 0),
            int(columns.get(name, 0)), name in keyed,
        )
        for name, rows, data, indexes in client.query(connection, _SIZES, (database,))
    ]  # fmt: skip
    return sorted(found, key=lambda size: size.table)
