"""Which tables a login may read, by what it was granted and, where that does not tell, by trying.

Source of facts: MySQL manual, "Privileges Provided by MySQL", "Privilege Restriction Using Partial Revokes".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pymysql

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.contract.inspector import Denial
from mainstem.model.names import TableId
from mainstem.model.run import TableSelection

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_Wanted = tuple[TableId, TableSelection]
_ASKED_AT_ONCE = 50  # tables in one question; one for each table would take its time where there are thousands
CHECK, WHO = "my.grants", "SELECT CURRENT_USER()"
_DIALECT = MysqlDialect()
_NO_RIGHT = {1142, 1143, 1370}
_GRANT = re.compile(r"GRANT (.*?) ON (\*\.\*|`(?:[^`]|``)*`\.\*) TO ", re.IGNORECASE)
_CONSTRAINT = re.compile(r"^\s+(CONSTRAINT `(?:[^`]|``)*` )?(FOREIGN KEY|CHECK) \(", re.MULTILINE)
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    " ORDER BY ordinal_position"
)


def denials(connection: Connection[Cursor], database: str, tables: Sequence[TableSelection]) -> dict[TableId, Denial]:
    """See `contract.inspector.Inspector.denials`. Raises the driver's errors."""
    if reads_all(database, [str(text) for (text,) in client.query(connection, "SHOW GRANTS")]):
        return {}
    wanted = [(TableId(database, item.name.removeprefix(f"{database}.")), item) for item in tables]
    user = _user(connection)
    return {
        table: Denial(CHECK, f"{user} may not read it", _grant(user, table, selection))
        for table, selection in _unreadable(connection, wanted)
    }


def _unreadable(connection: Connection[Cursor], wanted: Sequence[_Wanted]) -> Iterator[_Wanted]:
    for start in range(0, len(wanted), _ASKED_AT_ONCE):
        some = wanted[start : start + _ASKED_AT_ONCE]
        if not _may_read(connection, some):
            yield from (one for one in some if not _may_read(connection, [one]))


def reads_all(database: str, grants: Iterable[str]) -> bool:
    """Whether the lines of SHOW GRANTS say that every table of the database may be read; not if one revokes. Pure."""
    lines = list(grants)
    revoked = any(line.upper().startswith("REVOKE") for line in lines)
    return not revoked and bool(_rights(database, lines) & {"SELECT", "ALL PRIVILEGES", "ALL"})


def hidden_structure(connection: Connection[Cursor], database: str, tables: Sequence[str]) -> list[str]:
    """The tables with foreign keys or checks that information_schema does not show to this login.

    MariaDB, and MySQL before 8, show them to those only who have another right than SELECT to the whole database,
    and say nothing to the others; SHOW CREATE TABLE shows them to everyone who may read the table.
    """
    grants = [str(text) for (text,) in client.query(connection, "SHOW GRANTS")]
    if not hides_structure(connection) or sees_structure(database, grants):
        return []
    return [name for name in tables if _CONSTRAINT.search(_definition(connection, TableId(database, name)))]


def hides_structure(connection: Connection[Cursor]) -> bool:
    """Whether this server has the habit."""
    version = str(client.query(connection, "SELECT VERSION()")[0][0])
    return client.flavor(connection) == "mariadb" or int(version.partition(".")[0]) < 8


def sees_structure(database: str, grants: Iterable[str]) -> bool:
    """Whether the lines of SHOW GRANTS hold a right to the database beside SELECT and USAGE. Pure."""
    return bool(_rights(database, grants) - {"SELECT", "USAGE"})


def _rights(database: str, grants: Iterable[str]) -> set[str]:
    """Rights to the whole database. Its name is a pattern there; one that is not plainly this name is passed over."""
    everywhere = {"*.*", f"{_DIALECT.quote(database)}.*", f"{_DIALECT.quote(_pattern(database))}.*"}
    found = [match for line in grants if (match := _GRANT.match(line)) is not None and match[2] in everywhere]
    return {right.strip().upper() for match in found for right in match[1].split(",")}


def _definition(connection: Connection[Cursor], table: TableId) -> str:
    try:
        return str(client.query(connection, f"SHOW CREATE TABLE {_DIALECT.qualified(table)}")[0][1])
    except pymysql.Error:
        return ""  # told of elsewhere


def _pattern(database: str) -> str:
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def _may_read(connection: Connection[Cursor], wanted: Sequence[_Wanted]) -> bool:
    """Whether no right is missing for any of them."""
    selects = (
        f"SELECT 1 FROM (SELECT {', '.join(map(_DIALECT.quote, _columns(connection, *one))) or '*'}"
        f" FROM {_DIALECT.qualified(one[0])} LIMIT 0) AS t"
        for one in wanted
    )
    try:
        client.query(connection, " UNION ALL ".join(selects))
    except pymysql.Error as exc:
        # Anything else than a missing right (a column that is not there) is told of elsewhere.
        return not (exc.args and exc.args[0] in _NO_RIGHT)
    return True


def _columns(connection: Connection[Cursor], table: TableId, selection: TableSelection) -> Sequence[str]:
    """The columns that are read; none stands for all. The server shows those alone that there is some right to."""
    if not selection.exclude_columns:
        return selection.columns
    there = [name for (name,) in client.query(connection, _COLUMNS, (table.schema, table.name))]
    return [name for name in selection.columns or there if name not in selection.exclude_columns]


def _grant(user: str, table: TableId, selection: TableSelection) -> str:
    columns = f" ({', '.join(map(_DIALECT.quote, selection.columns))})" if selection.columns else ""
    return f"GRANT SELECT{columns} ON {_DIALECT.qualified(table)} TO {user}"


def _user(connection: Connection[Cursor]) -> str:
    return account(client.query(connection, WHO))


def account(rows: Sequence[tuple[object, ...]]) -> str:
    """The account that the server took us for (`WHO`), as statements write it: ``'reader'@'%'``."""
    if not rows:
        return "the user"
    parts = str(rows[0][0]).rpartition("@")
    name, host = (part.replace("\\", "\\\\").replace("'", "''") for part in parts[::2])
    return f"'{name}'@'{host}'"
