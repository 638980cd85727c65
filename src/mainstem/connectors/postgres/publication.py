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
from mainstem.connectors.postgres.side import end_of_log
from mainstem.errors import NotFoundError, PositionLostError, StatementError
from mainstem.model.names import TableId, listed
from mainstem.model.run import ChangeOptions

_DIALECT = PostgresDialect()
ROOTS = 130_000  # before, a partitioned table cannot be published
_GENERATED = 180_000  # from here on a publication can hold generated columns
_ALL = "insert, update, delete, truncate"
_ADDED = "insert, truncate"
_INSERTS = "_inserts"  # behind the name of the second publication

_MEMBERS = """
SELECT n.nspname, c.relname, c.oid, c.relreplident::text AS identity, p.pubname IS NOT NULL AS member,
    c.relkind::text, c.relpersistence::text, EXISTS (SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) AS has_key,
    EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) AS has_index
FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
LEFT JOIN LATERAL (SELECT pubname FROM pg_catalog.pg_publication_tables t WHERE t.schemaname = n.nspname
    AND t.tablename = c.relname AND t.pubname = ANY(%s) LIMIT 1) p ON true
"""
_PUBLICATIONS = """
SELECT pubname, pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_catalog.pg_publication WHERE pubname = ANY(%s)
"""
_ASKED = "SELECT pg_catalog.obj_description(oid, 'pg_publication') FROM pg_catalog.pg_publication WHERE pubname = %s"
_COMMENT = "mainstem: "
_WANTED = ("insert", "update", "delete", "truncate")


@dataclass(frozen=True, slots=True)
class Member:
    """A table that is to be published.

    Attributes:
        identity: pg_class.relreplident.
        published: one of the publications has it.
    """

    id: TableId
    oid: int
    identity: str
    published: bool
    kind: str
    persistence: str
    has_key: bool
    has_index: bool

    @property
    def identified(self) -> bool:
        """Whether UPDATE and DELETE are logged in a way that tells which row they are about."""
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
    rows = connection.execute(
        _MEMBERS.encode(), ([table.schema for table in tables], [table.name for table in tables], list(names))
    ).fetchall()
    found = {
        TableId(schema, name): Member(TableId(schema, name), oid, identity, member, *rest)
        for schema, name, oid, identity, member, *rest in rows
    }
    missing = [str(table) for table in tables if table not in found]
    if missing and not gone:
        raise NotFoundError(f"there is no table {listed(missing)}", remedy="correct the selection")
    return [found[table] for table in dict.fromkeys(tables) if table in found]


def refuse_unidentified(found: Sequence[Member], options: ChangeOptions) -> None:
    """Raise `StatementError` for tables whose UPDATE and DELETE are wanted and cannot be told."""
    lacking = [member.id for member in found if not member.identified and not inserts_only(options, member.id)]
    if lacking:
        names = [str(table) for table in lacking]
        raise StatementError(
            f"UPDATE and DELETE in {listed(names)} do not say which row they are about: there is no primary key, or the"
            " replica identity is nothing",
            remedy=f"ALTER TABLE {_DIALECT.qualified(lacking[0])} REPLICA IDENTITY FULL (or give it a primary key), or"
            " have only inserts of it applied (operations)",
            table=names[0],
        )


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
        for made, published in zip(pair, (_ALL, _ADDED), strict=True):
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
            again: a stream goes on: tables that are gone meanwhile do not hinder the others.

        Raises:
            NotFoundError: a table does not exist.
            StatementError: it cannot be published.
        """
        found = members(connection, tables, self.names, gone=again)
        lacking = [member for member in found if not member.published]
        refuse_unidentified(lacking, options)
        if not self.made:
            self._require_given(connection, [member.id for member in lacking], options, tables)
            return
        for member in lacking:
            self._add(connection, member, self.names[1 if inserts_only(options, member.id) else 0])

    def _add(self, connection: psycopg.Connection[Any], member: Member, name: str) -> None:
        """Publish a table, and write down from where in the log on: see `added`."""
        quoted = _DIALECT.quote(name)
        connection.execute(f"ALTER PUBLICATION {quoted} ADD TABLE {_DIALECT.qualified(member.id)}".encode())
        known = _read_comment(connection, name) | {str(member.oid): format_lsn(end_of_log(connection))}
        connection.execute(f"COMMENT ON PUBLICATION {quoted} IS {string(_COMMENT + json.dumps(known))}".encode())

    def added(self, connection: psycopg.Connection[Any]) -> dict[int, int]:
        """By a table's oid, from where in the log on its changes are told; of those that we have published.

        A table that was dropped and made again while the stream did not run is published anew: what was done to it
        before that is not in the stream.
        """
        found = [_read_comment(connection, name) for name in self.names] if self.made else []
        return {int(oid): parse_lsn(lsn) for known in found for oid, lsn in known.items()}

    def _require_given(
        self,
        connection: psycopg.Connection[Any],
        lacking: Sequence[TableId],
        options: ChangeOptions,
        tables: Sequence[TableId],
    ) -> None:
        name = self.names[0]
        if lacking:
            raise StatementError(
                f"the publication {name} does not have {listed([str(table) for table in lacking])}",
                remedy=f"ALTER PUBLICATION {_DIALECT.quote(name)} ADD TABLE"
                f" {', '.join(_DIALECT.qualified(table) for table in lacking)}",
                publication=name,
            )
        published = dict(zip(_WANTED, _existing(connection, [name]).get(name, ()), strict=False))
        wanted = {operation for table in tables for operation in operations(options, table)}
        left_out = [operation for operation in _WANTED if operation in wanted and not published.get(operation)]
        if left_out:
            raise StatementError(
                f"the publication {name} leaves {', '.join(left_out)} out",
                remedy=f"ALTER PUBLICATION {_DIALECT.quote(name)} SET (publish = '{_ALL}'), or have only the others"
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
