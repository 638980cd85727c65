"""A PostgreSQL database at a glance: sizes, activity, and what replication needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mainstem.connectors.postgres.browse_objects import Ask, objects
from mainstem.contract.browse import RELATIONS, Note, ObjectInfo, ObjectKind, Overview
from mainstem.contract.browse_sql import Sql
from mainstem.model.names import TableId

_LONG_S = 60
_FACTS = (
    "SELECT pg_catalog.current_setting('server_version') AS version,"
    " pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collation,"
    " pg_catalog.pg_database_size(d.oid) AS size, pg_catalog.current_setting('max_connections')::int AS connections,"
    " pg_catalog.current_setting('wal_level') AS level,"
    " pg_catalog.current_setting('max_replication_slots')::int AS slots,"
    " pg_catalog.current_setting('max_wal_senders')::int AS senders, pg_catalog.pg_is_in_recovery() AS standby"
    " FROM pg_catalog.pg_database d WHERE d.datname = current_database()"
)
_ACTIVITY = (
    "SELECT count(*) AS used, count(*) FILTER (WHERE state = 'active' AND pid <> pg_catalog.pg_backend_pid()) AS active"
    " FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'"
)
_LONG = (
    "SELECT pid, usename, state, pg_catalog.extract('epoch', clock_timestamp() - xact_start)::int AS seconds"
    " FROM (SELECT pid, usename, state, xact_start FROM pg_catalog.pg_stat_activity"
    " WHERE xact_start IS NOT NULL AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid()"
    f" AND clock_timestamp() - xact_start > interval '{_LONG_S} s') AS s ORDER BY 4 DESC LIMIT 20"
)
_SLOTS = (
    "SELECT slot_name, plugin, active, CASE WHEN pg_catalog.pg_is_in_recovery() OR restart_lsn IS NULL THEN NULL"
    " ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint END AS kept"
    " FROM pg_catalog.pg_replication_slots ORDER BY slot_name"
)
_TABLES = (
    "SELECT n.nspname AS schema, c.relname AS name, c.reltuples::bigint AS rows,"
    " pg_catalog.pg_total_relation_size(c.oid) AS bytes"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    " ORDER BY bytes DESC LIMIT 100"
)
_KEPT_MUCH = 1024**3


def overview(ask: Ask) -> Overview:
    """Six questions."""
    (facts,), (activity,) = ask(Sql(_FACTS)), ask(Sql(_ACTIVITY))
    slots = [row._asdict() for row in ask(Sql(_SLOTS))]
    held = objects(ask, (), include_system=False)
    tables = tuple(
        ObjectInfo(ObjectKind.TABLE, TableId(row.schema, row.name), rows_estimate=row.rows, bytes_estimate=row.bytes)
        for row in ask(Sql(_TABLES))
    )
    wal = {
        "level": facts.level,
        "slots": slots,
        "maxReplicationSlots": facts.slots,
        "freeReplicationSlots": facts.slots - len(slots),
        "maxWalSenders": facts.senders,
    }
    return Overview(
        "postgres", facts.version, facts.encoding, facts.collation or "", counts(held), facts.size, tables,
        activity.used, facts.connections, activity.active,
        tuple({"id": row.pid, "user": row.usename, "state": row.state or "", "seconds": row.seconds}
              for row in ask(Sql(_LONG))),
        {"wal": wal}, tuple(_notes(facts, slots, tables)),
    )  # fmt: skip


def counts(held: Sequence[ObjectInfo]) -> dict[str, int]:
    """How many there are of each kind."""
    found: dict[str, int] = {}
    for info in held:
        kind = ObjectKind.TABLE if info.kind in RELATIONS else info.kind
        found[kind.value] = found.get(kind.value, 0) + 1
    return found


def _notes(facts: Any, slots: Sequence[dict[str, Any]], tables: Sequence[ObjectInfo]) -> Iterator[Note]:
    if facts.standby:
        yield Note("info", "the server is a standby: it can be read, and takes no changes")
    if facts.level != "logical":
        yield Note("info", f"wal_level is {facts.level}: mode cdc needs logical here as a source")
    for slot in slots:
        if not slot["active"] and (slot["kept"] or 0) > _KEPT_MUCH:
            gigabytes = slot["kept"] / _KEPT_MUCH
            yield Note("warn", f"nobody reads the slot {slot['slot_name']}, which keeps {gigabytes:.1f} GiB of log")
    unknown = sum(table.rows_estimate < 0 for table in tables)
    if unknown:
        yield Note(
            "info", f"{unknown} tables were never analyzed, so that their numbers of rows are not known: ANALYZE"
        )
