"""A MySQL or MariaDB database at a glance: sizes, activity, and its binary log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mainstem.connectors.mysql.browse_objects import Ask, objects
from mainstem.contract.browse import Note, ObjectKind, Overview
from mainstem.contract.browse_sql import Sql

_LONG_S = 60
_LISTED = 100
_FACTS = (
    "SELECT VERSION(), s.default_character_set_name, s.default_collation_name, @@max_connections"
    " FROM information_schema.schemata s WHERE s.schema_name = DATABASE()"
)
_VARIABLES = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', 'gtid_mode',"
    " 'gtid_strict_mode', 'server_id')"
)
_USED = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Threads_running')"
_LONG = (
    "SELECT id, user, state, time FROM information_schema.processlist"
    f" WHERE command = 'Query' AND time > {_LONG_S} AND id <> CONNECTION_ID() ORDER BY time DESC LIMIT 20"
)


def overview(ask: Ask, *, mariadb: bool) -> Overview:
    """Five questions."""
    version, encoding, collation, most = (ask(Sql(_FACTS)) or [("", "", "", "0")])[0]
    settings = {name.lower(): value for name, value in ask(Sql(_VARIABLES))}
    status = {name.lower(): int(value) for name, value in ask(Sql(_USED))}
    held = objects(ask)
    counts: dict[str, int] = {}
    for info in held:
        counts[info.kind.value] = counts.get(info.kind.value, 0) + 1
    tables = [info for info in held if info.kind is ObjectKind.TABLE]
    binlog = {
        "enabled": settings.get("log_bin") == "ON",
        "format": settings.get("binlog_format", ""),
        "rowImage": settings.get("binlog_row_image", ""),
        "gtidMode": "MARIADB" if mariadb else settings.get("gtid_mode", ""),
        "serverId": int(settings.get("server_id") or 0),
    }
    return Overview(
        "mysql", version, encoding, collation, counts, sum(max(info.bytes_estimate, 0) for info in tables),
        tuple(sorted(tables, key=lambda info: -info.bytes_estimate)[:_LISTED]),
        status.get("threads_connected", 0), int(most), max(status.get("threads_running", 1) - 1, 0),
        tuple({"id": int(id_), "user": user, "state": state or "", "seconds": int(time)}
              for id_, user, state, time in ask(Sql(_LONG))),
        {"binlog": binlog}, tuple(_notes(binlog)),
    )  # fmt: skip


def _notes(binlog: Mapping[str, Any]) -> Iterator[Note]:
    if not binlog["enabled"]:
        yield Note("info", "there is no binary log: mode cdc needs one here as a source (log_bin)")
    elif binlog["format"] != "ROW":
        yield Note("warn", f"binlog_format is {binlog['format']}: mode cdc needs ROW")
    elif binlog["rowImage"] != "FULL":
        yield Note("warn", f"binlog_row_image is {binlog['rowImage']}: mode cdc needs FULL")
    yield Note("info", "rows and sizes are the server's statistics, which may be far off; a count is exact")
