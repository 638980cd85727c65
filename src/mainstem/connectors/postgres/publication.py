"""Publications: which tables' changes a slot's stream tells of.

A table whose rows have no identity would make its owner's UPDATE and DELETE fail as soon as they are published (manual,
"Publication", "Replica Identity"). So there are two of ours: one for all operations, and one for tables of which only
INSERT and TRUNCATE are wanted. A table without an identity whose UPDATE and DELETE are wanted is refused.
Source: PostgreSQL manual, "CREATE PUBLICATION", "ALTER PUBLICATION", "pg_publication_rel".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.literals import string
from mainstem.connectors.postgres.lsn import format_lsn, parse_lsn
from mainstem.connectors.postgres.publishing import ALL, OPERATIONS
from mainstem.connectors.postgres.side import end_of_log
from mainstem.errors import NotFoundError, PositionLostError, StatementError
from mainstem.model.names import TableId, listed
from mainstem.model.run import ChangeOptions

_DIALECT = PostgresDialect()
ROOTS = 130_000  # before, a partitioned table cannot be published
_FILTERS = 150_000  # from here on a publication can leave out rows
_GENERATED = 180_000  # from here on a publication can hold generated columns
_ADDED = "insert, truncate"
_INSERTS = "_inserts"  # behind the name of the second publication

_MEMBERS = """
SELECT n.nspname, c.relname, c.oid, c.relreplident::text AS identity, p.pubname IS NOT NULL AS member,
    c.relkind::text, c.relpersistence::text, EXISTS (SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate) AS has_key,
    EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) AS has_index,
    l.unidentified, l.untold
FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
LEFT JOIN LATERAL (SELECT pubname FROM pg_catalog.pg_publication_tables t WHERE t.schemaname = n.nspname
    AND t.tablename = c.relname AND t.pubname = ANY(%s) LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT
    array_agg(ARRAY[l.nspname, l.relname]::text[] ORDER BY l.relname) FILTER (WHERE l.told AND NOT l.identified)
        AS unidentified,
    array_agg(l.relname::text ORDER BY l.relname) FILTER (WHERE NOT l.told) AS untold
    FROM (SELECT ln.nspname, lc.relname, lc.relkind = 'r' AND lc.relpersistence = 'p' AS told,
        lc.relreplident = 'f' OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = lc.oid
            AND (lc.relreplident = 'd' AND i.indisprimary AND i.indisvalid AND i.indimmediate
                OR lc.relreplident = 'i' AND i.indisreplident)
            AND nullif({key_of_root}, '{{}}') <@ {columns}) AS identified
        FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class lc ON lc.oid = t.relid
        JOIN pg_catalog.pg_namespace ln ON ln.oid = lc.relnamespace WHERE t.isleaf AND lc.relkind <> 'p') l
    ) l ON c.relkind = 'p'
"""
_INDEXED = (
    "ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = {0}.indrelid"
    " AND a.attnum = ANY({0}.indkey))"
)
_KEY_OF_ROOT = (
    "ARRAY(SELECT unnest(" + _INDEXED.format("r") + ") FROM pg_catalog.pg_index r WHERE r.indrelid = c.oid"
    " AND r.indisprimary)"
)
_FILTERED = """
SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables
WHERE pubname = %s AND rowfilter IS NOT NULL AND (schemaname, tablename) IN
    (SELECT * FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)) ORDER BY 1, 2
"""
_NARROWED = """
SELECT t.schemaname, t.tablename, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_catalog.pg_publication_tables t JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE t.pubname = %s AND a.attname <> ALL(t.attnames) AND (t.schemaname, t.tablename) IN
    (SELECT * FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)) GROUP BY 1, 2 ORDER BY 1, 2
"""
_PUBLICATIONS = """
SELECT pubname, pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_catalog.pg_publication WHERE pubname = ANY(%s)
"""
_ASKED = "SELECT pg_catalog.obj_description(oid, 'pg_publication') FROM pg_catalog.pg_publication WHERE pubname = %s"
_COMMENT = "mainstem: "
_ROW = "publication"  # in the comment: what tells it from one that was altered or made again
_MEMBER = "member."  # … and a table's place in it, by the table's oid
_ROWS = """
SELECT p.oid || '.' || p.xmin::text, p.pubowner::text, r.prrelid::text, r.oid::text FROM pg_catalog.pg_publication p
LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = %s
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A table that is to be published.

    Attributes:
        identity: pg_class.relreplident.
        published: one of the publications has it.
        has_key: a primary key that is checked at once; one that can be put off is no identity.
        unidentified: partitions whose UPDATE and DELETE do not tell the root's key, or without one all columns: what is
            logged goes by a partition's own identity.
        untold: partitions that the log does not tell of: unlogged and foreign tables.
    """

    id: TableId
    oid: int
    identity: str
    published: bool
    kind: str
    persistence: str
    has_key: bool
    has_index: bool
    unidentified: tuple[TableId, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def unclear(self) -> tuple[TableId, ...]:
        """Whose replica identity has to become another one: this table's, or its partitions'."""
        return self.unidentified if self._identified else (self.id, *self.unidentified)

    @property
    def identified(self) -> bool:
        """Whether UPDATE and DELETE are logged in a way that tells which row they are about."""
        return not self.unclear

    @property
    def _identified(self) -> bool:
        return self.identity == "f" or (self.identity == "d" and self.has_key) or (
            self.identity == "i" and self.has_index
        )  # fmt: skip


def operations(options: ChangeOptions, table: TableId) -> tuple[str, ...]:
    """Those of a table that are applied."""
    return options.table_operations.get(str(table)) or options.table_operations.get(table.name) or options.operations


def inserts_only(options: ChangeOptions, table: TableId) -> bool:
    """Whether neither UPDATE nor DELETE of a table are wanted."""
    return not {"update", "delete"} & set(operations(options, table))


def members(
    connection: psycopg.Connection[Any], tables: Sequence[TableId], names: Sequence[str], *, gone: bool = False
) -> list[Member]:
    """What there is of the tables.

    Args:
        gone: those that do not exist are left out.

    Raises:
        NotFoundError: one does not exist.
    """
    query = _MEMBERS.format(key_of_root=_KEY_OF_ROOT, columns=_INDEXED.format("i"))
    rows = connection.execute(
        query.encode(), ([table.schema for table in tables], [table.name for table in tables], list(names))
    ).fetchall()
    found = {}
    for schema, name, oid, identity, member, kind, persistence, has_key, has_index, unidentified, untold in rows:
        id_, partitions = TableId(schema, name), tuple(TableId(*one) for one in unidentified or ())
        found[id_] = Member(
            id_, oid, identity, member, kind, persistence, has_key, has_index, partitions, tuple(untold or ())
        )
    missing = [str(table) for table in tables if table not in found]
    if missing and not gone:
        raise NotFoundError(f"there is no table {listed(missing)}", remedy="correct the selection")
    return [found[table] for table in dict.fromkeys(tables) if table in found]


def refuse_unidentified(found: Sequence[Member], options: ChangeOptions) -> None:
    """Raise `StatementError` for tables whose UPDATE and DELETE are wanted and cannot be told."""
    lacking = [id_ for member in found if not inserts_only(options, member.id) for id_ in member.unclear]
    if lacking:
        names = [str(table) for table in lacking]
        raise StatementError(
            f"UPDATE and DELETE in {listed(names)} do not say which row they are about: there is no primary key that is"
            " checked at once, or the replica identity is another one",
            remedy=f"ALTER TABLE {_DIALECT.qualified(lacking[0])} REPLICA IDENTITY FULL (or give it a primary key), or"
            " have only inserts of it applied (operations)",
            table=names[0],
        )


def refuse_untold(found: Sequence[Member]) -> None:
    """Raise `StatementError` for partitioned tables some of whose rows the log does not tell of."""
    for member in found:
        if member.untold:
            raise StatementError(
                f"the log does not tell of rows of {member.id} in {listed(member.untold)}: partitions that are unlogged"
                " or foreign tables",
                remedy="leave the table out, or ALTER TABLE … SET LOGGED",
                table=str(member.id),
            )


def filtered(connection: psycopg.Connection[Any], name: str, tables: Sequence[TableId]) -> list[str]:
    """Those of the tables of which a publication tells only some rows."""
    if connection.info.server_version < _FILTERS:
        return []
    wanted = [table.schema for table in tables], [table.name for table in tables]
    rows = connection.execute(_FILTERED.encode(), (name, *wanted)).fetchall()
    return [str(TableId(*row)) for row in rows]


def narrowed(
    connection: psycopg.Connection[Any], name: str, tables: Sequence[TableId]
) -> dict[TableId, tuple[str, ...]]:
    """Columns that a publication leaves out, by its list of others; those of generated ones are not among them."""
    if connection.info.server_version < _FILTERS:
        return {}
    wanted = [table.schema for table in tables], [table.name for table in tables]
    rows = connection.execute(_NARROWED.encode(), (name, *wanted)).fetchall()
    return {TableId(schema, table): tuple(columns) for schema, table, columns in rows}


class Publications:
    """The publications of a stream.

    Attributes:
        names: those that the stream reads.
        made: they are ours.
    """

    def __init__(self, names: Sequence[str], *, made: bool) -> None:
        self.names = list(names)
        self.made = made

    @classmethod
    def begin(cls, connection: psycopg.Connection[Any], name: str, given: str) -> Publications:
        """Those of a new stream: the one that was given, if there is such a one, or new ones of ours."""
        chosen = given or name
        there = _existing(connection, [chosen])
        if given and there:
            return cls([given], made=False)
        pair = [chosen, chosen + _INSERTS]
        for old in _existing(connection, pair):  # left behind by a start that came to nothing
            connection.execute(f"DROP PUBLICATION {_DIALECT.quote(old)}".encode())
        version = connection.info.server_version
        more = ", publish_via_partition_root = true" * (version >= ROOTS)
        more += ", publish_generated_columns = stored" * (version >= _GENERATED)
        for made, published in zip(pair, (ALL, _ADDED), strict=True):
            connection.execute(
                f"CREATE PUBLICATION {_DIALECT.quote(made)} WITH (publish = '{published}'{more})".encode()
            )
        return cls(pair, made=True)

    def require(self, connection: psycopg.Connection[Any]) -> None:
        """Raise `PositionLostError` if one is gone: what was not published meanwhile is not in the stream."""
        missing = [name for name in self.names if name not in _existing(connection, self.names)]
        if missing:
            raise PositionLostError(
                f"the publication {missing[0]} of this stream is gone, and with it the changes since",
                remedy="copy the tables anew: start with snapshot always",
                publication=missing[0],
            )

    def include(
        self,
        connection: psycopg.Connection[Any],
        tables: Sequence[TableId],
        options: ChangeOptions,
        *,
        again: bool = False,
    ) -> None:
        """Have all tables published.

        Args:
            again: a stream goes on: tables that are gone meanwhile do not hinder the others, nor those that cannot be
                published, which stay out (`Roster` tells of them).

        Raises:
            NotFoundError: a table does not exist.
            StatementError: it cannot be published.
        """
        found = members(connection, tables, self.names, gone=again)
        lacking = [member for member in found if not member.published]
        if again and self.made:
            told = [member for member in lacking if not member.untold]
            lacking = [member for member in told if member.identified or inserts_only(options, member.id)]
        refuse_unidentified(lacking, options)
        refuse_untold(lacking if again or self.made else found)
        if not self.made:
            self._require_given(connection, [member.id for member in lacking])
            if not again:  # else `Roster` tells of it, so that what is missing is not forgotten when it is mended
                self._require_whole(connection, options, tables)
            return
        for member in lacking:
            try:
                self._add(connection, member, self.names[1 if inserts_only(options, member.id) else 0])
            except (psycopg.errors.UndefinedTable, psycopg.errors.DuplicateObject):
                if not again:  # it was there when the members were asked for, or its partitions are published alone
                    raise

    def _add(self, connection: psycopg.Connection[Any], member: Member, name: str) -> None:
        """Publish a table, and write down from where in the log on: see `added`."""
        quoted = _DIALECT.quote(name)
        # Without ONLY the tables that inherit from it come along, wanted or not, and with an identity or without.
        connection.execute(f"ALTER PUBLICATION {quoted} ADD TABLE ONLY {_DIALECT.qualified(member.id)}".encode())
        known = _read_comment(connection, name) | {str(member.oid): format_lsn(end_of_log(connection))}
        _write_comment(connection, name, known | _rows(connection, name))

    def added(self, connection: psycopg.Connection[Any]) -> dict[int, int]:
        """By a table's oid, from where in the log on its changes are told; of those that we have published.

        A table that was dropped and made again while the stream did not run is published anew: what was done to it
        before that is not in the stream.
        """
        found = [_read_comment(connection, name) for name in self.names] if self.made else []
        return {int(oid): parse_lsn(lsn) for known in found for oid, lsn in known.items() if oid.isdecimal()}

    def check(self, connection: psycopg.Connection[Any]) -> None:
        """Before a stream goes on: what ours did not tell meanwhile, as somebody has altered them, is not in it.

        Their tables are then as if they were added now (`added`). Another owner alone is no such thing.
        """
        for name in self.names if self.made else ():
            known, now = _read_comment(connection, name), _rows(connection, name)
            altered = _altered(known, now)
            if altered or known | now != known:
                end = format_lsn(end_of_log(connection) + 1)
                kept = {key: text for key, text in known.items() if key in now or not key.startswith(_MEMBER)}
                _write_comment(connection, name, kept | now | dict.fromkeys(altered, end))

    def _require_given(
        self,
        connection: psycopg.Connection[Any],
        lacking: Sequence[TableId],
    ) -> None:
        name = self.names[0]
        if lacking:
            raise StatementError(
                f"the publication {name} does not have {listed([str(table) for table in lacking])}",
                remedy=f"ALTER PUBLICATION {_DIALECT.quote(name)} ADD TABLE"
                f" {', '.join(_DIALECT.qualified(table) for table in lacking)}",
                publication=name,
            )

    def _require_whole(
        self, connection: psycopg.Connection[Any], options: ChangeOptions, tables: Sequence[TableId]
    ) -> None:
        name = self.names[0]
        partly = filtered(connection, name, tables)
        if partly:
            raise StatementError(
                f"the publication {name} tells only of some rows of {listed(partly)}, and all are copied",
                remedy=f"ALTER PUBLICATION {_DIALECT.quote(name)} SET TABLE … without WHERE",
                publication=name,
            )
        published = dict(zip(OPERATIONS, _existing(connection, [name]).get(name, ()), strict=False))
        wanted = {operation for table in tables for operation in operations(options, table)}
        left_out = [operation for operation in OPERATIONS if operation in wanted and not published.get(operation)]
        if left_out:
            raise StatementError(
                f"the publication {name} leaves {', '.join(left_out)} out",
                remedy=f"ALTER PUBLICATION {_DIALECT.quote(name)} SET (publish = '{ALL}'), or have only the others"
                " applied (operations)",
                publication=name,
            )

    def drop(self, connection: psycopg.Connection[Any]) -> None:
        """Drop ours."""
        if self.made:
            for name in self.names:
                connection.execute(f"DROP PUBLICATION IF EXISTS {_DIALECT.quote(name)}".encode())


def _existing(connection: psycopg.Connection[Any], names: Sequence[str]) -> dict[str, tuple[bool, ...]]:
    rows = connection.execute(_PUBLICATIONS.encode(), (list(names),)).fetchall()
    return {name: tuple(published) for name, *published in rows}


def _rows(connection: psycopg.Connection[Any], name: str) -> dict[str, str]:
    """What there is of a publication now, as the comment has it."""
    found = connection.execute(_ROWS.encode(), (name,)).fetchall()
    members = {_MEMBER + table: member for _, _, table, member in found if table is not None}
    return members | {_ROW: " ".join(found[0][:2]) if found else ""}


def _altered(known: dict[str, str], now: dict[str, str]) -> list[str]:
    """The oids of tables that it may not have told of meanwhile."""
    members = {key.removeprefix(_MEMBER): key for key in now if key.startswith(_MEMBER)}
    if _ROW not in known:  # one that is not ours has no comment; an earlier version's has no row in it
        return [] if known else list(members)
    row, _, owner = known[_ROW].partition(" ")
    row_now, _, owner_now = now.get(_ROW, "").partition(" ")
    if row != row_now and (owner == owner_now or row.partition(".")[0] != row_now.partition(".")[0]):
        return list(members)
    return [oid for oid, key in members.items() if known.get(key) not in (None, now[key])]


def _write_comment(connection: psycopg.Connection[Any], name: str, known: dict[str, str]) -> None:
    text = string(_COMMENT + json.dumps(known))
    connection.execute(f"COMMENT ON PUBLICATION {_DIALECT.quote(name)} IS {text}".encode())


def _read_comment(connection: psycopg.Connection[Any], name: str) -> dict[str, str]:
    row = connection.execute(_ASKED.encode(), (name,)).fetchone()
    text = str(row[0] or "") if row else ""
    if not text.startswith(_COMMENT):
        return {}
    try:
        found = json.loads(text.removeprefix(_COMMENT))
        return {str(oid): str(lsn) for oid, lsn in found.items()}
    except (ValueError, AttributeError):
        return {}
