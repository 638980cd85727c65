"""Whether rows of a table were written after an earlier snapshot was taken."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from mainstem.connectors.postgres.chunks import Part
from mainstem.connectors.postgres.dialect import PostgresDialect

_DIALECT = PostgresDialect()
_XIDS = 1 << 32
_FIRST_NORMAL_XID = 3  # the lower ones belong to no transaction, and are visible to all
_NOW = "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())"  # a name that all versions know


def has_new_rows(connection: psycopg.Connection[Any], part: Part, since: str) -> bool:
    """Whether the part holds a row of a transaction that an earlier snapshot may not have seen.

    A row knows its transaction by the lower 32 bits of its number. The true number is the highest one below the present
    that ends in them; for rows older than 2**32 transactions that is too high, which errs on the safe side. So does
    taking every transaction for unseen that is not older than all that were under way: which numbers their
    subtransactions have is not known.

    Args:
        since: the earlier snapshot's position.
    Source: PostgreSQL manual, "Transaction ID and Snapshot Information Functions", "Preventing Transaction ID
    Wraparound Failures".
    """
    if not since or part.kind != "r":
        return True
    (now,) = connection.execute(_NOW.encode()).fetchone() or (0,)
    recent = now - json.loads(since)["xmin"]
    if not 0 <= recent < _XIDS - _FIRST_NORMAL_XID:
        return True
    age = f"({now % _XIDS} - xmin::text::bigint + {_XIDS}) % {_XIDS}"
    row = connection.execute(
        f"SELECT EXISTS (SELECT FROM ONLY {_DIALECT.qualified(part.id)}"
        f" WHERE xmin::text::bigint >= {_FIRST_NORMAL_XID} AND {age} <= {recent})".encode()
    ).fetchone()
    return row is None or bool(row[0])
