"""Answers the control plane's questions about one PostgreSQL server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import psycopg

from mainstem.connectors.postgres import client, preflight
from mainstem.connectors.postgres.catalog import logical_type, read_catalog
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.contract.inspector import DatabaseInfo, Finding, Inspector, Role, ServerInfo, TableStatus
from mainstem.contract.selects import check_select
from mainstem.errors import ConflictError, InvalidError, MainstemError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions
from mainstem.model.schema import Catalog, Column

_DIALECT = PostgresDialect()
MAX_NAME_BYTES = 63
_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY 1, 2
"""


class PostgresInspector(Inspector):
    """See `contract.inspector.Inspector`. Making one connects."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._schema = settings.schema or "public"
        self._connection = client.connect(settings)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def ping(self) -> ServerInfo:
        """Ask for the version."""
        begin = time.perf_counter()
        version = str(self._query("SHOW server_version")[0][0])
        milliseconds = (time.perf_counter() - begin) * 1000
        return ServerInfo("postgresql", version, milliseconds, client.tls_version(self._connection))

    def databases(self, *, include_system: bool = False) -> list[DatabaseInfo]:
        """The databases that take connections; schemas are known of the connection's own only."""
        rows = self._query(
            "SELECT datname, datname = current_database() FROM pg_database WHERE datallowconn ORDER BY 1"
        )
        found = [
            DatabaseInfo(name, tuple(self.schemas()) if here else (), system=name in ("template0", "template1"))
            for name, here in rows
        ]
        return [info for info in found if include_system or not info.system]

    def create_database(self, name: str) -> None:
        """Make a database in UTF-8."""
        self._create("database", name, f"CREATE DATABASE {_DIALECT.quote(name)} ENCODING 'UTF8' TEMPLATE template0")

    def schemas(self) -> list[str]:
        """Schemas of the connection's database, without the system's."""
        rows = self._query("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1")
        return [name for (name,) in rows if name not in ("information_schema", "mainstem")]

    def create_schema(self, name: str) -> None:
        """Make a schema."""
        self._create("schema", name, f"CREATE SCHEMA {_DIALECT.quote(name)}")

    def tables(self) -> list[TableId]:
        """Base tables of the connection's schema, sorted."""
        rows = self._query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'",
            (self._schema,),
        )
        return sorted(TableId(self._schema, name) for (name,) in rows)

    def catalog(self, tables: Sequence[TableId] | None = None, *, evidence: bool = False) -> Catalog:
        """Tables of the schema with columns and keys; types need no evidence here."""
        with client.translating():
            return read_catalog(self._connection, self._schema, tables)

    def query_columns(self, query: str) -> tuple[Column, ...]:
        """Columns of a SELECT; the server is asked for its first no rows, in a read-only transaction."""
        check_select(query, _DIALECT.sql_name)
        try:
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION READ ONLY")
                # The line break ends a comment that the query may close with.
                cursor = self._connection.execute(f"SELECT * FROM ({query}\n) AS mainstem_query LIMIT 0".encode())
                described = list(cursor.description or ())
        except psycopg.Error as exc:
            error = client.translate_error(exc)
            raise InvalidError(
                f"the server refuses the query: {error.message}",
                fields={"query": error.message},
                remedy=error.remedy or "try the query in the database's own client",
            ) from exc
        names: dict[Any, Any] = dict(self._query("SELECT oid, typname FROM pg_type"))
        return tuple(
            Column(item.name, logical_type(names.get(item.type_code, "")), item.type_display) for item in described
        )

    def table_status(self, tables: Sequence[TableId]) -> dict[TableId, TableStatus]:
        """For each of the tables that exists: its columns, and whether it is empty."""
        rows = self._query(_COLUMNS, ([table.schema for table in tables], [table.name for table in tables]))
        return {
            TableId(schema, name): TableStatus(tuple(columns), self._empty(TableId(schema, name)))
            for schema, name, columns in rows
        }

    def preflight(self, role: Role, options: RunOptions) -> list[Finding]:
        """Named checks for the role, each with its remedy."""
        with client.translating():
            return preflight.run(self._connection, self._settings, role, options)

    def _empty(self, table: TableId) -> bool:
        return not self._query(f"SELECT EXISTS (SELECT FROM {_DIALECT.qualified(table)})")[0][0]

    def _create(self, what: str, name: str, sql: str) -> None:
        if len(name.encode()) > MAX_NAME_BYTES:
            raise InvalidError(
                f"{name!r} cannot be the name of a {what}",
                fields={"name": f"at most {MAX_NAME_BYTES} bytes in UTF-8"},
                remedy="choose a shorter name",
            )
        try:
            self._connection.execute(sql.encode())
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateSchema) as exc:
            raise ConflictError(f"there is a {what} {name!r} already", remedy="choose another name") from exc
        except psycopg.Error as exc:
            error: MainstemError = client.translate_error(exc)
            raise error from exc

    def _query(self, sql: str, arguments: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        with client.translating():
            cursor = self._connection.execute(sql.encode(), arguments)
            return cursor.fetchall()
