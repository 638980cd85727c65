"""What a stream asks the server on a second connection: the catalog, the log's end, whether its sender is alive."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from mainstem.connectors.postgres import partitions, publishing, rewrites
from mainstem.connectors.postgres.catalog import read_catalog
from mainstem.connectors.postgres.client import connect, shut_down, translating
from mainstem.connectors.postgres.holders import LOCK_WAIT_S
from mainstem.connectors.postgres.lsn import parse_lsn, record_end
from mainstem.connectors.postgres.marks import Mark, Marks, Stamp, table_oid
from mainstem.connectors.postgres.native import logical_type
from mainstem.connectors.postgres.partitions import LEAVES, MOVED, SIZE, Held, Leaf, Moved, rows_of
from mainstem.connectors.postgres.relations import SentTable
from mainstem.connectors.postgres.rewrites import EVIDENCE, TOUCHED, Found, Rewritten, Rows, Seen
from mainstem.errors import ConnectError, LostConnectionError, MainstemError, NotFoundError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import ALL_SCHEMAS
from mainstem.model.schema import Column

_END = (
    "SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END)::text,"
    " pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))"
)
_TYPES = (
    "SELECT pg_catalog.format_type(type, modifier) FROM unnest(%s::oid[], %s::int[])"
    " WITH ORDINALITY AS asked(type, modifier, place) ORDER BY place"
)
_LABELS = (
    "SELECT enumtypid, array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_catalog.pg_enum"
    " WHERE enumtypid = ANY(%s::oid[]) GROUP BY enumtypid"
)
_OIDS = (
    "SELECT n.nspname, c.relname, c.oid FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)"
    " JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema"
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name"
)
_MARKS = """
SELECT a.attrelid, a.attname, a.attnum::int,
    CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
"""
_ANSWER_S = 15.0
_FILTERS = 150_000  # from here on a publication can leave out rows
_FILTERED = (
    "SELECT r.prrelid FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
    " WHERE p.pubname = ANY(%s) AND r.prqual IS NOT NULL"
)
_EXISTING = """
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s::oid[])
"""
_NEWER = """
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid > %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND (n.nspname = ANY(%s) OR %s AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'mainstem'))
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND x.objid = c.oid AND x.deptype = 'e')
"""
_IS_KEY = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
    AND i.indpred IS NULL AND NOT EXISTS (
        SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (number)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE a.attname IS NULL OR NOT a.attnotnull OR a.attname <> ALL(%s::text[])))
FROM pg_catalog.pg_class c WHERE c.oid = %s::oid
"""
_PARTITIONED = "SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY(%s::oid[]) AND relkind = 'p'"
_SENDER = "SELECT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = %s AND active_pid = %s)"
_MONEY = "SELECT pg_catalog.scale(1::money::numeric)"


def end_of_log(connection: psycopg.Connection[Any]) -> int:
    """Where the log ends: all that is committed lies before it."""
    row = connection.execute(_END.encode()).fetchone()
    return record_end(parse_lsn(row[0]), row[1]) if row and row[0] else 0


class Side:
    """A connection that is opened when it is wanted, and again after it was lost. For any thread."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._types: dict[tuple[int, int], str] = {}

    def interrupt(self) -> None:
        """Break off what it does; does not wait."""
        connection = self._connection
        if connection is not None:
            shut_down(connection)

    def close(self) -> None:
        """Break off what it does, and close it; it may be used again."""
        self.interrupt()
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._settings)
            with translating():
                self._connection.execute(f"SET search_path = ''; SET lock_timeout = '{LOCK_WAIT_S}s'".encode())
        return self._connection

    @contextmanager
    def _asking(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection, for not too long: behind a network that swallows everything it would wait forever."""
        with self._lock:
            connection = self._open()
            timer = threading.Timer(_ANSWER_S, shut_down, [connection])
            timer.daemon = True
            timer.start()
            try:
                with translating():
                    yield connection
            finally:
                timer.cancel()
                if connection.closed:
                    self._forget()

    def _ask(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Raises `ConnectError`, `LostConnectionError`, `StatementError`."""
        with self._asking() as connection:
            return connection.execute(sql.encode(), arguments or None).fetchall()

    def end(self) -> int | None:
        """Where the log ends; None if the server does not say."""
        with suppress(MainstemError), self._asking() as connection:
            return end_of_log(connection)
        return None

    def money_digits(self) -> int:
        """Digits of an amount behind its point, by the database's locale."""
        return int(self._ask(_MONEY)[0][0])

    def types(self, sent: SentTable) -> list[str]:
        """The text of each column's type, as the inspector spells it."""
        lacking = [column.type for column in sent.columns if column.type not in self._types]
        if lacking:
            found = self._ask(_TYPES, [oid for oid, _ in lacking], [modifier for _, modifier in lacking])
            self._types.update(zip(lacking, (str(text) for (text,) in found), strict=True))
        return [self._types[column.type] for column in sent.columns]

    def columns(self, sent: SentTable) -> tuple[Column, ...]:
        """All columns of a table that has changed: what the log says of them, and what the catalog has beside.

        A column that has become another one since is told of as the log has it, without default.
        """
        natives = dict(zip((column.name for column in sent.columns), self.types(sent), strict=True))
        present = self._catalog(self.existing([sent.oid]).get(sent.oid, sent.id))
        now = {column.name: column for column in present if table_oid([column]) == sent.oid}
        plain = [name for name, native in natives.items() if name not in now or now[name].native != native]
        labels, unnumbered = self._labels(sent, plain), str(Mark(sent.oid, 0))
        found = {name: now[name] for name in natives if name not in plain} | {
            name: Column(name, logical_type(natives[name], labels.get(name, ())), natives[name], mark=unnumbered)
            for name in plain
        }
        if list(natives) == [name for name in now if name in natives]:  # with those that are not sent, in their places
            return tuple(
                found.get(name, column) for name, column in now.items() if name in found or column.generated is not None
            )
        return tuple(found[name] for name in natives)

    def _labels(self, sent: SentTable, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        oids = {column.name: column.type[0] for column in sent.columns if column.name in names}
        labels = dict(self._ask(_LABELS, list(oids.values()))) if oids else {}
        return {name: tuple(labels.get(oid, ())) for name, oid in oids.items()}

    def _catalog(self, table: TableId) -> tuple[Column, ...]:
        with suppress(NotFoundError), self._asking() as connection:
            return read_catalog(connection, [table.schema], [table]).tables[0].columns
        return ()

    def oids(self, tables: Sequence[TableId]) -> dict[TableId, int]:
        """Of the tables that exist now."""
        found = self._ask(_OIDS, [table.schema for table in tables], [table.name for table in tables])
        return {TableId(schema, name): oid for schema, name, oid in found}

    def marks(self, oids: Sequence[int]) -> dict[int, Marks]:
        """What tells the columns of tables from others of the same names and types."""
        found: dict[int, dict[str, tuple[int, str | None]]] = {}
        if oids:
            for oid, *mark in self._ask(_MARKS, list(oids)):
                name, number, expression = mark
                found.setdefault(int(oid), {})[name] = (number, expression)
        return dict(found)

    def seen(self, stamps: Mapping[int, Stamp]) -> dict[int, Seen]:
        """By their oids, what there is to see of tables since they were last seen."""
        if not stamps:
            return {}
        rows = self._ask(TOUCHED, list(stamps), *rewrites.asked(stamps.values()))
        return {int(oid): Seen(Stamp(file, seen), tuple(touched)) for oid, file, seen, touched in rows}

    def rewritten(self, oid: int, before: Stamp, touched: Sequence[str], layout: Sequence[Column]) -> list[Rewritten]:
        """Those of a table's columns that may have other values than they had; does not wait for a lock on it."""
        table = self.existing([oid]).get(oid)
        if table is None:
            return []
        rows = self._first_rows(table, before, partitioned=not before.file)
        with self._asking() as connection:
            found = connection.execute(EVIDENCE.encode(), {"oid": oid}).fetchall()
        return rewrites.judge([Found(*row) for row in found], touched, rows, layout)

    def _first_rows(self, table: TableId, before: Stamp, *, partitioned: bool) -> Rows | None:
        """None where they may not be read, or not now."""
        found = self._briefly(rewrites.rows_of(table, before, partitioned=partitioned))
        return None if found is None else Rows(found[0], frozenset(found[1]))

    def _briefly(self, query: str) -> tuple[Any, ...] | None:
        """The row of a query of the first rows of a table; None where they may not be read, or not now."""
        try:
            with self._asking() as connection, connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '5s'")
                connection.execute("SET LOCAL synchronize_seqscans = off")
                return connection.execute(query.encode()).fetchone()
        except (ConnectError, LostConnectionError):
            raise
        except MainstemError:
            return None

    def published(self, publications: Sequence[str]) -> dict[int, publishing.Published]:
        """By their oids, the tables of these publications; each is in one."""
        with self._asking() as connection:
            query = publishing.query(connection.info.server_version)
            rows = connection.execute(query.encode(), (list(publications),)).fetchall()
        return dict(map(publishing.read, rows))

    def filtered(self, publications: Sequence[str]) -> set[int]:
        """The oids of tables of which these publications tell only some rows."""
        with self._asking() as connection:
            if connection.info.server_version < _FILTERS:
                return set()
            return {int(oid) for (oid,) in connection.execute(_FILTERED.encode(), (list(publications),)).fetchall()}

    def existing(self, oids: Sequence[int]) -> dict[int, TableId]:
        """Those of the relations that are there, under the names that they have now."""
        found = self._ask(_EXISTING, list(oids)) if oids else ()
        return {int(oid): TableId(schema, name) for oid, schema, name in found}

    def is_key(self, oid: int, columns: Sequence[str]) -> bool:
        """Whether no two rows of a table can be alike in these columns; also of one that is gone."""
        return all(unique for (unique,) in self._ask(_IS_KEY, list(columns), oid))

    def partitioned(self, oids: Sequence[int]) -> set[int]:
        """Those of the tables."""
        return {int(oid) for (oid,) in self._ask(_PARTITIONED, list(oids))} if oids else set()

    def leaves(self, oids: Sequence[int]) -> list[Leaf]:
        """The partitions of those of the tables that are partitioned."""
        if not oids:
            return []
        with self._asking() as connection:
            rows = connection.execute(LEAVES.encode(), {"roots": list(oids)}).fetchall()
        return [Leaf.read(row) for row in rows]

    def moved(self, oids: Sequence[int]) -> list[Moved]:
        """What there is to see of partitions whose rows lie in another file than before."""
        return [Moved(*row) for row in self._ask(MOVED, list(oids))] if oids else []

    def first_rows(self, leaf: Leaf, moved: Moved) -> partitions.Rows | None:
        """None where they may not be read, or not now."""
        found = self._briefly(partitions.first_rows(leaf, moved))
        return None if found is None else partitions.Rows(*found)

    def held(self, leaf: Leaf) -> Held:
        """Whether a partition had rows before it was one; does not wait for a lock on it."""
        try:
            with self._asking() as connection, connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '1s'; SET LOCAL synchronize_seqscans = off")
                size = connection.execute(SIZE.encode(), (leaf.oid,)).fetchone()
                if size is None or not size[0]:
                    return Held.NO
                found = connection.execute(rows_of(leaf).encode()).fetchone()
        except (ConnectError, LostConnectionError):
            raise
        except MainstemError:  # it may not be read, is locked, or gone
            return Held.UNTOLD if leaf.earlier else Held.NO
        return Held.YES if found and found[0] else Held.NO

    def root(self, oid: int) -> int:
        """The partitioned table that a partition is of, at the top; 0 if it is none."""
        return int(
            self._ask("SELECT coalesce(nullif(pg_catalog.pg_partition_root(%s::oid), %s), 0)::bigint", oid, oid)[0][0]
        )

    def newer(self, schemas: Sequence[str], oid: int) -> dict[int, TableId]:
        """Tables of these schemas, or of all, that were made after the one with an oid."""
        every = ALL_SCHEMAS in schemas
        return {found: TableId(schema, name) for found, schema, name in self._ask(_NEWER, oid, list(schemas), every)}

    def columns_of(self, table: TableId) -> tuple[Column, ...]:
        """All columns of a table as they are now; none if it is gone."""
        return self._catalog(table)

    def is_served(self, slot: str, pid: int) -> bool:
        """Whether the server still runs the sender of our stream.

        Raises `ConnectError` or `LostConnectionError` when it does not answer either.
        """
        return bool(self._ask(_SENDER, slot, pid)[0][0])
