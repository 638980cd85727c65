"""Questions to pg_catalog about some schemas."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from mainstem.errors import TransientError

OWN = (
    "NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '{kind}'::regclass AND x.objid = {oid} AND x.deptype = 'e')"
)


# Never null of an object that is there: the server's functions look at what is, not at what the snapshot shows.
_TOLD = {"definition", "query", "partition_key"}


class MovedError(TransientError):
    """The structure was changed by others while it was read; what was read is of no use."""


class Ask:
    """A connection whose search path is empty, and the schemas that it is all about.

    Attributes:
        version: the server's, 150004.
    """

    def __init__(self, connection: psycopg.Connection[Any], schemas: tuple[str, ...]) -> None:
        self._connection = connection
        self.schemas = schemas
        self.version = connection.info.server_version

    def rows(self, sql: str, **arguments: object) -> list[Any]:
        """The rows as named tuples; a query names its arguments ``%(oids)s``, and the schemas ``%(schemas)s``.

        ``{name}`` in the query are parts that depend on the server's version, see `_PARTS`.

        Raises `MovedError`.
        """
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            try:
                cursor.execute(of_version(sql, self.version).encode(), {"schemas": list(self.schemas), **arguments})
            except (psycopg.errors.InternalError_, psycopg.errors.UndefinedTable) as exc:  # cache lookup failed for …
                raise _moved(str(exc.sqlstate)) from exc
            rows = cursor.fetchall()
            told = _TOLD.intersection(part.name for part in cursor.description or ())
        if any(getattr(row, name) is None for name in told for row in rows):
            raise _moved("no definition")
        return rows


def _moved(how: str) -> MovedError:
    return MovedError(f"PostgreSQL: the structure was changed while it was read ({how})", remedy="try again")


# what a query may say only from some version on: (since, then, before)
_PARTS = {
    "{compression}": (140_000, "a.attcompression", "''"),
    "{nulls_distinct}": (150_000, "NOT i.indnullsnotdistinct", "true"),
    "{enforced}": (180_000, "c.conenforced", "true"),
    "{period}": (180_000, "c.conperiod", "false"),
    "{top_trigger}": (130_000, "t.tgparentid = 0", "true"),
    "{not_null}": (180_000, "'n'", "'-'"),
    "{multirange}": (140_000, "r.rngmultitypid", "0"),
    "{deterministic}": (120_000, "c.collisdeterministic", "true"),
}


def of_version(sql: str, version: int) -> str:
    """A query with the parts that a server of this version (``150004``) understands, see `_PARTS`."""
    for part, (since, new, old) in _PARTS.items():
        sql = sql.replace(part, new if version >= since else old)
    return sql


def not_of_extension(kind: str, oid: str) -> str:
    """SQL: an object (of a catalog ``pg_class``) is not a part of an extension."""
    return OWN.format(kind=f"pg_catalog.{kind}", oid=oid)
