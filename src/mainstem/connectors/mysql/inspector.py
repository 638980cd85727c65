"""Answers the control plane's questions about one MySQL or MariaDB server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from mainstem.connectors.mysql import client, preflight, rights
from mainstem.connectors.mysql.columns import column
from mainstem.connectors.mysql.config import MAX_NAME_CHARACTERS, NOT_OF_THE_LEDGER, SYSTEM_DATABASES
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.folding import folded
from mainstem.contract.dialect import Folding, TargetDialect
from mainstem.contract.inspector import (
    DatabaseInfo,
    Denial,
    Finding,
    Inspector,
    Role,
    ServerInfo,
    TableSize,
    TableStatus,
)
from mainstem.errors import ConflictError, InvalidError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableSelection
from mainstem.model.schema import Catalog, Column, OtherObject

_DIALECT = MysqlDialect()
_DATABASE_EXISTS, _BAD_NAME = 1007, {1102, 1059}
_BASE_TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
    f" AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'){NOT_OF_THE_LEDGER} ORDER BY table_name"
)
_COLLATIONS = "SELECT character_set_name, collation_name FROM information_schema.collation_character_set_applicability"


_COLUMNS = (
    "SELECT table_name, column_name, generation_expression FROM information_schema.columns"
    " WHERE table_schema = %s AND table_name IN ({})"
    " ORDER BY table_name, ordinal_position"
)
_ASKED_AT_ONCE = 50


_VIEWS = "SELECT table_name FROM information_schema.views WHERE table_schema = %s"


_LOCK_WAIT_S = 10
"""For so long a question waits for somebody's lock on a table: whoever asks may hold what that somebody waits for."""
_GONE = {1146, 1305, 1539, 4091}  # a table, routine, event or sequence that was listed is not there any more
_READS, _AGAIN_S = 10, 0.1


class MysqlInspector(Inspector):
    """See `contract.inspector.Inspector`. Making one connects."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._connection = client.connect(settings)
        self._query(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT_S}")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # closing what has gone already
            self._connection.close()

    def ping(self) -> ServerInfo:
        """Ask for the version."""
        begin = time.perf_counter()
        version = str(self._query("SELECT VERSION()")[0][0])
        milliseconds = (time.perf_counter() - begin) * 1000
        return ServerInfo(client.flavor(self._connection), version, milliseconds, client.tls_version(self._connection))

    def databases(self, *, include_system: bool = False) -> list[DatabaseInfo]:
        """The databases that this login may see, sorted by name; there are no schemas in them."""
        rows = self._query("SELECT schema_name FROM information_schema.schemata ORDER BY schema_name")
        found = [DatabaseInfo(name, system=name.lower() in SYSTEM_DATABASES) for (name,) in rows]
        return [info for info in found if include_system or not info.system]

    def create_database(self, name: str) -> None:
        """Make a database with character set utf8mb4."""
        if len(name) > MAX_NAME_CHARACTERS or name.endswith(" "):
            raise _bad_name(name)
        try:
            self._query(f"CREATE DATABASE {_DIALECT.quote(name)} CHARACTER SET utf8mb4")
        except StatementError as exc:
            if exc.where.get("error") == _DATABASE_EXISTS:
                raise ConflictError(f"there is a database {name!r} already", remedy="choose another name") from exc
            if exc.where.get("error") in _BAD_NAME:
                raise _bad_name(name) from exc
            raise

    def schemas(self) -> list[str]:
        """None: a MySQL database holds tables directly."""
        return []

    def create_schema(self, name: str) -> None:
        """Impossible here."""
        raise InvalidError(
            "MySQL has no schemas within a database",
            fields={"schema": "this system has no schemas"},
            remedy="create a database instead",
        )

    def tables(self, schemas: Sequence[str] = (), *, every: bool = False) -> list[TableId]:
        """Base tables of the connection's database, sorted; with ``every`` its views too."""
        database = self._database()
        views = self._query(_VIEWS, (database,)) if every else []
        return sorted(TableId(database, name) for (name,) in (*self._query(_BASE_TABLES, (database,)), *views))

    def sizes(self, schemas: Sequence[str] = ()) -> list[TableSize]:
        """The size of each base table, as InnoDB estimates it."""
        from mainstem.connectors.mysql.sizes import read_sizes

        with client.translating():
            return read_sizes(self._connection, self._database())

    def catalog(
        self, tables: Sequence[TableId] | None = None, *, evidence: bool = False, schemas: Sequence[str] = ()
    ) -> Catalog:
        """Everything the database holds, or only these tables. Read again where others drop things meanwhile."""
        for again in reversed(range(_READS)):
            try:
                return self._catalog(tables, evidence)
            except StatementError as exc:
                if not again or exc.where.get("error") not in _GONE:
                    raise
                time.sleep(_AGAIN_S)
        raise AssertionError("not reached")

    def _catalog(self, tables: Sequence[TableId] | None, evidence: bool) -> Catalog:
        from mainstem.connectors.mysql.catalog import read_catalog

        with client.translating():
            found = read_catalog(self._connection, self._database(), tables, evidence=evidence)
            hidden = rights.hidden_structure(
                self._connection, self._database(), [table.id.name for table in found.tables]
            )
        others = (OtherObject("hidden_structure", TableId(self._database(), name), name) for name in hidden)
        return replace(found, others=(*found.others, *others))

    def query_columns(self, query: str) -> tuple[Column, ...]:
        """Columns of a SELECT; the server is asked for its first no rows, in a read-only transaction."""
        from mainstem.contract.selects import check_select

        check_select(query, _DIALECT.sql_name)
        self._query("START TRANSACTION READ ONLY")
        try:
            with client.translating():
                # The line break ends a comment that the query may close with.
                fields = client.describe(self._connection, f"SELECT * FROM ({query}\n) AS mainstem_query LIMIT 0")
        except StatementError as exc:
            raise InvalidError(
                f"the server refuses the query: {exc.message}",
                fields={"query": exc.message},
                remedy=exc.remedy or "try the query in the database's own client; every column needs a name of its own",
            ) from exc
        finally:
            with suppress(Exception):  # a lost connection has no transaction left
                self._connection.rollback()
        return tuple(column(field) for field in fields)

    def table_status(self, tables: Sequence[TableId]) -> dict[TableId, TableStatus]:
        """For each of the tables that exists: its columns, and whether it is empty."""
        found: dict[TableId, list[str]] = {}
        computed: dict[TableId, dict[str, str]] = {}
        for schema in {table.schema or self._database() for table in tables}:
            wanted = {table.name: table for table in tables if (table.schema or self._database()) == schema}
            folded = {
                name.lower(): table for name, table in wanted.items()
            }  # a server may keep all names in lower case
            marks = ", ".join(["%s"] * len(wanted))
            for name, column_name, expression in self._query(_COLUMNS.format(marks), (schema, *wanted)):
                table = wanted.get(name) or folded.get(name.lower())
                if table is not None:
                    found.setdefault(table, []).append(column_name)
                    if expression:
                        computed.setdefault(table, {})[column_name] = expression
        filled = self._filled(list(found))
        return {
            table: TableStatus(tuple(names), table not in filled, computed.get(table, {}))
            for table, names in found.items()
        }

    def count(self, table: TableId, null_column: str = "") -> int:
        """Rows of a table, or those in which a column is null."""
        condition = f" WHERE {_DIALECT.quote(null_column)} IS NULL" if null_column else ""
        ((count,),) = self._query(f"SELECT COUNT(*) FROM {_DIALECT.qualified(table)}{condition}")
        return int(count)

    def _filled(self, tables: Sequence[TableId]) -> set[TableId]:
        """Those with at least one row; many are asked for at once."""
        filled = set()
        for start in range(0, len(tables), _ASKED_AT_ONCE):
            asked = tables[start : start + _ASKED_AT_ONCE]
            selects = (
                f"SELECT {number} AS number FROM DUAL WHERE EXISTS (SELECT 1 FROM {_DIALECT.qualified(table)})"
                for number, table in enumerate(asked)
            )
            filled |= {asked[int(number)] for (number,) in self._query(" UNION ALL ".join(selects))}
        return filled

    def denials(self, tables: Sequence[TableSelection]) -> dict[TableId, Denial]:
        """The tables that this login cannot read whole."""
        with client.translating():
            return rights.denials(self._connection, self._database(), tables)

    def collisions(self, table: TableId, columns: Sequence[tuple[str, Folding]], where: str) -> int:
        """How many groups of rows have a key in common once it is folded."""
        known = {collation for _, collation in self._query(_COLLATIONS)}
        wanted = ", ".join(folded(_DIALECT.quote(name), fold, fold.collation in known) for name, fold in columns)
        filled = [f"{_DIALECT.quote(name)} IS NOT NULL" for name, _ in columns]
        met = " AND ".join([f"({where}\n)"] * bool(where) + filled)
        groups = f"SELECT 1 FROM {_DIALECT.qualified(table)} WHERE {met} GROUP BY {wanted} HAVING COUNT(*) > 1"
        return int(self._query(f"SELECT COUNT(*) FROM ({groups}) AS mainstem_groups")[0][0])

    def target_dialect(self) -> TargetDialect | None:
        """The dialect for writing to this server."""
        from mainstem.connectors.mysql.target_dialect import MysqlTargetDialect
        from mainstem.connectors.mysql.traits import traits_of

        ((version, folds),) = self._query("SELECT VERSION(), @@lower_case_table_names")
        collations = frozenset(  # MariaDB lists uca1400_ai_ci once for each character set that it is of
            name if name.startswith(charset) else f"{charset}_{name}" for charset, name in self._query(_COLLATIONS)
        )
        return MysqlTargetDialect(traits_of(str(version), lower_case_table_names=int(folds), collations=collations))

    def preflight(self, role: Role, options: RunOptions) -> list[Finding]:
        """Named checks for the role, each with its remedy."""
        with client.translating():
            return preflight.run(self._connection, self._settings, role, options)

    def _database(self) -> str:
        if not self._settings.database:
            raise InvalidError(
                "the connection names no database",
                fields={"database": "is needed to list tables"},
                remedy="choose a database in the connection",
            )
        return self._settings.database

    def _query(self, sql: str, arguments: Sequence[object] | None = None) -> list[tuple[str, ...]]:
        with client.translating():
            return client.query(self._connection, sql, arguments)


def _bad_name(name: str) -> InvalidError:
    return InvalidError(
        f"{name!r} cannot be the name of a database",
        fields={"name": f"at most {MAX_NAME_CHARACTERS} characters, no NUL, no space at the end"},
        remedy="choose another name",
    )
