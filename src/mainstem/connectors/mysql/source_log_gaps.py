"""Checks of what a server keeps out of its binary log on purpose, so that no reader ever learns of it.

Source of facts: MySQL manual, "Binary Logging Options and Variables" (binlog-do-db, log_replica_updates); MariaDB
manual, "Replication and Binary Log System Variables", "Selectively Logging to the Binary Log".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pymysql

from mainstem.contract.inspector import Finding, doubtful, failing
from mainstem.model.names import TableId, listed

_STATUS = ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS")
_SOURCES = ("SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS")

_MERGED = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND engine = 'MRG_MyISAM' ORDER BY 1"
)

Rows = Callable[..., list[tuple[Any, ...]]]


def gaps(rows: Rows, database: str, variables: Mapping[str, str], tables: Collection[str]) -> Iterator[Finding]:
    """All findings.

    Args:
        tables: those that are followed.
        rows: of a query; raises the driver's errors.
        variables: ``log_slave_updates``, ``log_replica_updates`` and ``gtid_slave_pos``, as far as the server has them.
    """
    yield from _filters(rows, database)
    yield from _replica(rows, variables)
    yield from _merged(rows, database, tables)
    yield from _by_hand(variables)


def _first(rows: Rows, questions: tuple[str, ...]) -> list[tuple[Any, ...]] | None:
    """The rows of the first question that the server understands, and allows; None if it is none of them."""
    for question in questions:
        try:
            return rows(question)
        except pymysql.Error:
            continue
    return None


def _filters(rows: Rows, database: str) -> Iterator[Finding]:
    status = _first(rows, _STATUS) or []
    only, never = (_names(status[0], place) for place in (2, 3)) if status else (frozenset(), frozenset())
    name = database.lower()
    if (only and name not in only) or (not only and name in never):
        yield failing(
            "my.log_filter",
            f"the server keeps database {database} out of its log (binlog_do_db, binlog_ignore_db): its changes would"
            " be missed",
            f"take the filter out of the server's configuration, or let it have {database}, and restart it",
        )
    elif only or never:
        yield doubtful(
            "my.log_filter",
            "the server keeps databases out of its log (binlog_do_db, binlog_ignore_db): TRUNCATE and other DDL of a"
            " session that is in one of these are missed, also when they are about a table of another",
            "take the filter out of the server's configuration and restart it",
        )


def _names(status: tuple[Any, ...], place: int) -> frozenset[str]:
    text = str(status[place] or "") if len(status) > place else ""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def _replica(rows: Rows, variables: Mapping[str, str]) -> Iterator[Finding]:
    value = variables.get("log_replica_updates") or variables.get("log_slave_updates") or ""
    if value.upper() not in ("OFF", "0"):
        return
    sources = _first(rows, _SOURCES)
    make = failing if sources else doubtful if sources is None and variables.get("gtid_slave_pos") else None
    if make is not None:
        yield make(
            "my.log_updates",
            "the server is a replica, and does not log what it gets from its source (log_slave_updates): such changes"
            " would be missed",
            "set log_slave_updates (MySQL 8: log_replica_updates) in its configuration and restart it, or read from its"
            " source",
        )


def _by_hand(variables: Mapping[str, str]) -> Iterator[Finding]:
    begins = variables.get("init_connect", "").lower()
    if "sql_log_bin" in begins or "binlog_format" in begins:
        yield failing(
            "my.init_connect",
            "init_connect sets sql_log_bin or binlog_format for every session: changes of it are not in the log, or not"
            " as rows",
            "SET GLOBAL init_connect = '' (and in the configuration), then have the writers connect anew",
        )


def _merged(rows: Rows, database: str, tables: Collection[str]) -> Iterator[Finding]:
    found = [str(name) for (name,) in rows(_MERGED, database)]
    followed = [TableId(database, name) for name in found if name in tables]
    if followed:
        yield failing(
            "my.merge_tables",
            f"{listed(followed)}: what is written to the tables below one of the engine MERGE is not in its log",
            "leave it out (exclude), or copy it once in mode convert",
        )
    names = [TableId(database, name) for name in found]
    if names:
        yield doubtful(
            "my.merge_tables",
            f"{listed(names)}: rows that are written through a table of the engine MERGE are logged as its own, and"
            " pause the tables where they are",
            "write to these tables by their own names, or make one partitioned table of them",
        )
