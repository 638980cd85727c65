"""The connection that writes: its session, and why each of its settings is what it is.

Source: MySQL manual, "Server SQL Modes", "Security Considerations for LOAD DATA LOCAL", "InnoDB Startup Options and
System Variables"; MariaDB manual, "SQL_MODE".
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.arrays import ArrayConnection
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId

LISTED_WARNINGS = 64
_LOCK_WAIT_S = 600

SQL_MODE = ",".join(
    (
        "STRICT_ALL_TABLES",  # a value that does not fit is an error, and not the nearest one that does
        "STRICT_TRANS_TABLES",
        "NO_AUTO_VALUE_ON_ZERO",  # a 0 in an AUTO_INCREMENT column is a 0
        "NO_ENGINE_SUBSTITUTION",
        "ALLOW_INVALID_DATES",  # 2021-02-31 and 2021-00-00 arrive as the source has them; so do zero dates, as
    )  # NO_ZERO_DATE and NO_ZERO_IN_DATE are not set
)
# unique_checks and foreign_key_checks are on (see `client`): switched off, InnoDB may leave unique keys and
# references of a table that is there already unchecked, and loading an empty one took no less of the server's time.
SESSION = (
    f"SET sql_mode = '{SQL_MODE}',"
    " default_storage_engine = InnoDB,"  # where a table's definition names none
    " sql_notes = 1,"  # a DECIMAL that loses digits gives no more than a note
    f" max_error_count = {LISTED_WARNINGS},"
    " lc_messages = 'en_US',"  # row numbers and names of columns are taken out of messages
    # With LOAD DATA other writers of the same table wait for its AUTO_INCREMENT lock until the statement ends.
    f" innodb_lock_wait_timeout = {_LOCK_WAIT_S}"
)


def connect_writer(settings: ConnectionSettings, **options: Any) -> Any:
    """A connection that may send rows in answer to LOAD DATA LOCAL, or as arrays; raises `ConnectError`.

    The driver itself is told to send no files: a server may ask for one at any time, and would be given it.

    Args:
        options: passed to the driver's ``connect``.
    """
    connection: Any = client.connect(settings, ArrayConnection, local_infile=True, **options)
    connection._local_infile = False
    with client.translating():
        client.query(connection, SESSION)
    return connection


def interrupt(connection: Any, settings: ConnectionSettings) -> None:
    """From another thread: break off what runs on a connection. Whatever goes wrong, nothing is raised."""
    with suppress(Exception), client.connect(settings) as other:
        client.query(other, f"KILL QUERY {int(connection.thread_id())}")


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What writing to a table depends on.

    Attributes:
        engine: empty where there is no such table.
        required: names, in lower case, of the columns that hold no NULL. The server itself would put the time, or the
            next number, in place of some.
        numbered: it has an AUTO_INCREMENT column.
    """

    engine: str
    required: frozenset[str]
    numbered: bool = False


_FACTS = (
    "SELECT 'engine', engine FROM information_schema.tables WHERE table_schema = {0} AND table_name = {1}"
    " UNION ALL SELECT 'required', column_name FROM information_schema.columns"
    " WHERE table_schema = {0} AND table_name = {1} AND is_nullable = 'NO'"
    " UNION ALL SELECT 'numbered', column_name FROM information_schema.columns"
    " WHERE table_schema = {0} AND table_name = {1} AND extra LIKE '%auto_increment%'"
)


def table_facts(connection: Any, table: TableId) -> TableFacts:
    """Ask the server; raises the driver's errors."""
    schema = connection.escape(table.schema) if table.schema else "DATABASE()"
    found: dict[str, list[str]] = {"engine": [], "required": [], "numbered": []}
    for what, value in client.query(connection, _FACTS.format(schema, connection.escape(table.name))):
        found[what].append(value or "")
    return TableFacts(
        found["engine"][0] if found["engine"] else "",
        frozenset(name.lower() for name in found["required"]),
        bool(found["numbered"]),
    )
