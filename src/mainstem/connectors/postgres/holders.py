"""Who has locked a table that somebody of ours was not given in time.

Source: PostgreSQL manual, "Explicit Locking", "pg_locks", "pg_stat_activity".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.errors import LockedError

LOCK_WAIT_S = 10
"""For so long a question waits for somebody's lock. Without a limit a stream's writer would stand still for good
behind an ALTER TABLE that waits for a transaction of that stream."""
_ALONE = "l.mode = 'AccessExclusiveLock'"
_OF_THESE = "l.granted AND c.oid IN (SELECT pg_catalog.to_regclass(name)::oid FROM unnest(%s::text[]) AS wanted(name))"
# The strongest lock first, then the oldest transaction.
_HOLDERS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), l.pid,
    coalesce(a.application_name, '') LIKE 'mainstem%%', l.mode
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE {} AND l.pid <> pg_catalog.pg_backend_pid() AND c.relkind IN ('r', 'p', 'v', 'm')
    AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
ORDER BY l.granted DESC, pg_catalog.array_position(ARRAY['AccessExclusiveLock', 'ExclusiveLock',
    'ShareRowExclusiveLock', 'ShareLock', 'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock',
    'AccessShareLock'], l.mode), a.xact_start, 1 LIMIT 3
"""


def named(connection: psycopg.Connection[Any], error: LockedError, tables: Sequence[str] | None = None) -> LockedError:
    """The error, with who has a lock; as it is where nobody is seen to have one any more.

    Args:
        tables: as SQL writes them, of which any lock is meant; None: those that somebody has for himself alone.

    Raises the driver's errors.
    """
    condition, arguments = (_ALONE, ()) if tables is None else (_OF_THESE, (list(tables),))
    found = connection.execute(_HOLDERS.format(condition).encode(), arguments).fetchall()
    if not found:
        return error
    found = [row for row in found if row[3] == found[0][3]]  # weaker ones may be in nobody's way
    holders = dict.fromkeys((table, pid) for table, pid, *_ in found)
    told = ", ".join(f"{table} (process {pid})" for table, pid in holders)
    others = [pid for _, pid, ours, _ in found if not ours]
    end = f", or end it: SELECT pg_terminate_backend({others[0]})" if others else "; it is one of Mainstem's own"
    return LockedError(f"another session has locked {told}", remedy=f"wait until it is done{end}")
