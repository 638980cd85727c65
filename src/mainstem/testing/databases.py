"""Statements about databases of one's own that every PostgreSQL from 12 on takes."""

from __future__ import annotations


def drops(name: str) -> tuple[str, ...]:
    """Let nobody in, end whatever uses a database, and drop it: what is ``WITH (FORCE)`` from PostgreSQL 13 on.

    To be run one by one, by a superuser. The last waits, for five seconds at most, until the ended sessions are gone.
    """
    return (
        f"UPDATE pg_database SET datallowconn = false WHERE datname = '{name}'",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        f'DROP DATABASE IF EXISTS "{name}"',
    )


def ends_senders(name: str) -> str:
    """End whoever reads from a slot of a database: while somebody does, neither goes away. A row for each."""
    return f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '{name}' AND active"
