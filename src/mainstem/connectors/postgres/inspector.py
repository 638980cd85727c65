"""Answers the control plane's questions about one PostgreSQL server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

from mainstem.connectors.postgres import catalog as pg_catalog
from mainstem.connectors.postgres import client, holders, preflight, rights
from mainstem.connectors.postgres.apply_checks import may_switch
from mainstem.connectors.postgres.config import (
    BOOTSTRAP_DATABASE,
    DEFAULT_SCHEMA,
    MAX_NAME_BYTES,
    SYSTEM_DATABASES,
)
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.family import own_rows
from mainstem.connectors.postgres.fence import SCHEMA as LEDGER_SCHEMA
from mainstem.connectors.postgres.folding import folded
from mainstem.connectors.postgres.holders import LOCK_WAIT_S
from mainstem.connectors.postgres.native import logical_type
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
from mainstem.contract.network import Deadline
from mainstem.errors import ConflictError, ConnectError, InvalidError, LockedError, StatementError, TransientError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import ALL_SCHEMAS, RunOptions, TableSelection
from mainstem.model.schema import Catalog, Column

_DIALECT = PostgresDialect()
_DATABASE_EXISTS, _SCHEMA_EXISTS, _RESERVED_NAME = "42P04", "42P06", "42939"
# A connection sees the schemas of its own database only; looking into the others must not keep the asker waiting.
_OTHER_DATABASES_S = 3.0
_DATABASES = (
    "SELECT datname FROM pg_catalog.pg_database"
    " WHERE datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY datname"
)
_SCHEMAS = (
    "SELECT nspname FROM pg_catalog.pg_namespace"
    " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname"
)
_RELATIONS = (
    "SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL),"
    " json_object_agg(a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)) FILTER (WHERE a.attgenerated <> ''),"
    " (SELECT ARRAY[s.nspname::text, p.relname::text] FROM pg_catalog.pg_inherits i"
    " JOIN pg_catalog.pg_class p ON p.oid = i.inhparent"
    " JOIN pg_catalog.pg_namespace s ON s.oid = p.relnamespace WHERE i.inhrelid = c.oid AND c.relispartition)"
    " FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)"
    " JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema"
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " GROUP BY n.nspname, c.relname, c.oid, c.relispartition"
)

_ASKED_AT_ONCE = 100


_EXTENSIONS = (
    "SELECT a.name, n.nspname FROM pg_catalog.pg_available_extensions a"
    " LEFT JOIN pg_catalog.pg_extension e ON e.extname = a.name"
    " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
)


_READS, _AGAIN_S = 10, 0.1


class PostgresInspector(Inspector):
    """See `contract.inspector.Inspector`. Making one connects."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._schema = settings.schema or DEFAULT_SCHEMA
        self._connection = client.connect(settings)
        with client.translating():
            self._connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'".encode())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ping(self) -> ServerInfo:
        """Ask for the version."""
        begin = time.perf_counter()
        version = str(self._query("SHOW server_version")[0][0])
        milliseconds = (time.perf_counter() - begin) * 1000
        with client.translating():
            return ServerInfo("postgresql", version, milliseconds, client.tls_version(self._connection))

    def databases(self, *, include_system: bool = False) -> list[DatabaseInfo]:
        """The databases that this login may connect to, sorted by name.

        The schemas of other databases than the connection's own are looked up by connecting to each; where that fails
        or takes more than a few seconds in all they are left empty.
        """
        names = [name for (name,) in self._query(_DATABASES) if include_system or name not in SYSTEM_DATABASES]
        deadline = Deadline.after(_OTHER_DATABASES_S)
        return [DatabaseInfo(name, self._schemas_of(name, deadline), name in SYSTEM_DATABASES) for name in names]

    def _schemas_of(self, database: str, deadline: Deadline) -> tuple[str, ...]:
        if database == (self._settings.database or BOOTSTRAP_DATABASE):
            return tuple(self.schemas())
        if deadline.passed:
            return ()
        with (
            suppress(ConnectError, StatementError),
            PostgresInspector(replace(self._settings, database=database)) as it,
        ):
            return tuple(it.schemas())
        return ()

    def create_database(self, name: str) -> None:
        """Make a database in UTF8."""
        _check_name(name)
        plain = self._query("SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
                            " WHERE datname = 'template1'") == [("UTF8",)]  # fmt: skip
        options = "" if plain else " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        self._create(f"CREATE DATABASE {_DIALECT.quote(name)}{options}", name, _DATABASE_EXISTS)

    def schemas(self) -> list[str]:
        """Schemas of the connection's database, without the system's own and the one that runs keep their book in."""
        return [name for (name,) in self._query(_SCHEMAS) if name != LEDGER_SCHEMA]

    def create_schema(self, name: str) -> None:
        """Make a schema in the connection's database."""
        _check_name(name)
        self._create(f"CREATE SCHEMA {_DIALECT.quote(name)}", name, _SCHEMA_EXISTS)

    def tables(self, schemas: Sequence[str] = (), *, every: bool = False) -> list[TableId]:
        """Base tables of the schemas, sorted; a partitioned table stands for its partitions."""
        return pg_catalog.list_tables(self._connection, self._meant(schemas), every=every)

    def sizes(self, schemas: Sequence[str] = ()) -> list[TableSize]:
        """The size of each table as ANALYZE left it, those that were never analysed without a number of rows."""
        from mainstem.connectors.postgres.sizes import read_sizes

        with client.translating():
            return read_sizes(self._connection, self.tables(schemas))

    def catalog(
        self, tables: Sequence[TableId] | None = None, *, evidence: bool = False, schemas: Sequence[str] = ()
    ) -> Catalog:
        """All that the schemas hold; no type depends on rows here. Read again where others change it meanwhile."""
        meant = self._meant(schemas)
        named = [table.schema for table in tables or () if table.schema and table.schema not in meant]
        for again in reversed(range(_READS)):
            try:
                with client.translating():
                    return pg_catalog.read_catalog(self._connection, [*meant, *dict.fromkeys(named)], tables)
            except LockedError as exc:
                with client.translating():
                    raise holders.named(self._connection, exc) from exc
            except TransientError:  # or a deadlock with them
                if not again:
                    raise
                time.sleep(_AGAIN_S)
        raise AssertionError("not reached")

    def _meant(self, schemas: Sequence[str]) -> list[str]:
        """The schemas by name; the connection's own stands first, as it is what a name without schema means."""
        if ALL_SCHEMAS in schemas:
            known = self.schemas()
            return [name for name in known if name == self._schema] + [name for name in known if name != self._schema]
        return list(dict.fromkeys(schemas)) or [self._schema]

    def query_columns(self, query: str) -> tuple[Column, ...]:
        """Columns of a SELECT; the server is asked for its first no rows, in a read-only transaction."""
        from mainstem.contract.selects import check_select

        check_select(query, _DIALECT.sql_name)
        try:
            self._query("BEGIN READ ONLY; SET LOCAL row_security = off")
            # The line break ends a comment that the query may close with.
            with client.translating(), self._connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM ({query}\n) AS mainstem_query LIMIT 0".encode())
                result = cursor.pgresult
                found = [
                    (item.name, item.type_code, result.fmod(number) if result else -1)
                    for number, item in enumerate(cursor.description or ())
                ]
            names = [name for name, _, _ in found]
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise InvalidError(
                    f"the query has several columns named {', '.join(doubled)}",
                    fields={"query": f"several columns are named {', '.join(doubled)}"},
                    remedy="give every column a name of its own with AS",
                )
            return tuple(self._query_column(*item) for item in found)
        except StatementError as exc:
            raise InvalidError(
                f"the server refuses the query: {exc.message}",
                fields={"query": exc.message},
                remedy=exc.remedy or "try the query in the database's own client",
            ) from exc
        finally:
            with suppress(Exception):  # a lost connection has no transaction left
                self._connection.rollback()

    def _query_column(self, name: str, oid: int, modifier: int) -> Column:
        native, labels = self._query(
            "SELECT pg_catalog.format_type(%s, %s), (SELECT array_agg(enumlabel::text ORDER BY enumsortorder)"
            " FROM pg_catalog.pg_enum WHERE enumtypid = %s)",
            (oid, modifier, oid),
        )[0]
        return Column(name, logical_type(native, tuple(labels or ())), native)

    def table_status(self, tables: Sequence[TableId]) -> dict[TableId, TableStatus]:
        """For each of the tables (or views) that exists: its columns, and whether it is empty."""
        wanted = {TableId(table.schema or self._schema, table.name): table for table in tables}
        rows = self._query(_RELATIONS, ([table.schema for table in wanted], [table.name for table in wanted]))
        filled = self._filled([TableId(schema, name) for schema, name, *_ in rows])
        return {
            wanted[id_]: TableStatus(
                tuple(columns or ()), id_ not in filled, computed or {}, TableId(*parent) if parent else None
            )
            for schema, name, columns, computed, parent in rows
            if (id_ := TableId(schema, name))
        }

    def count(self, table: TableId, null_column: str = "") -> int:
        """Rows of a table, or those in which a column is null."""
        with client.translating():
            (name,) = own_rows(self._connection, [table])
        condition = f" WHERE {PostgresDialect().quote(null_column)} IS NULL" if null_column else ""
        ((count,),) = self._query(f"SELECT count(*) FROM {name}{condition}")
        return int(count)

    def _filled(self, tables: Sequence[TableId]) -> set[TableId]:
        """Those with at least one row; many are asked for at once."""
        filled = set()
        for start in range(0, len(tables), _ASKED_AT_ONCE):
            asked = tables[start : start + _ASKED_AT_ONCE]
            with client.translating():
                names = own_rows(self._connection, asked)
            selects = (
                f"SELECT {number} AS number WHERE EXISTS (SELECT FROM {name})" for number, name in enumerate(names)
            )
            filled |= {asked[int(number)] for (number,) in self._query(" UNION ALL ".join(selects))}
        return filled

    def denials(self, tables: Sequence[TableSelection]) -> dict[TableId, Denial]:
        """The tables that this login cannot read whole."""
        with client.translating():
            return rights.denials(self._connection, self._schema, tables)

    def collisions(self, table: TableId, columns: Sequence[tuple[str, Folding]], where: str) -> int:
        """How many groups of rows have a key in common once it is folded."""
        wanted = ", ".join(folded(_DIALECT.quote(name), fold) for name, fold in columns)
        filled = [f"{_DIALECT.quote(name)} IS NOT NULL" for name, _ in columns]
        met = " AND ".join([f"({where}\n)"] * bool(where) + filled)
        groups = f"SELECT FROM {_DIALECT.qualified(table)} WHERE {met} GROUP BY {wanted} HAVING count(*) > 1"
        return int(self._query(f"SELECT count(*) FROM ({groups}) AS mainstem_groups")[0][0])

    def target_dialect(self) -> TargetDialect | None:
        """The dialect for writing to this server."""
        extensions = {name: schema or "" for name, schema in self._query(_EXTENSIONS)}
        with client.translating():
            switches = may_switch(self._connection)
        return PostgresDialect(
            switches=switches,
            postgis=bool(extensions.get("postgis")),
            version=self._connection.info.server_version,
            extensions=extensions,
        )

    def preflight(self, role: Role, options: RunOptions) -> list[Finding]:
        """Named checks for the role, each with its remedy."""
        with client.translating():
            return preflight.run(self._connection, self._settings, role, options)

    def _create(self, sql: str, name: str, exists: str) -> None:
        try:
            self._query(sql)
        except StatementError as exc:
            if exc.where.get("sqlstate") == exists:
                raise ConflictError(f"{name!r} is there already", remedy="choose another name") from exc
            if exc.where.get("sqlstate") == _RESERVED_NAME:
                raise _bad_name(name) from exc
            raise

    def _query(self, sql: str, arguments: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        with client.translating():
            cursor = self._connection.execute(sql.encode(), arguments)
            return cursor.fetchall() if cursor.description else []


def _check_name(name: str) -> None:
    # The server would cut a longer name off with no more than a notice.
    if not name or "\0" in name or len(name.encode()) > MAX_NAME_BYTES:
        raise _bad_name(name)


def _bad_name(name: str) -> InvalidError:
    return InvalidError(
        f"{name!r} cannot be the name of a database or schema",
        fields={"name": f"1 to {MAX_NAME_BYTES} bytes, no NUL; a schema's must not begin with pg_"},
        remedy="choose another name",
    )
