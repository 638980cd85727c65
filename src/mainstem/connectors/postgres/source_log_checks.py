"""Named checks of a PostgreSQL server whose log is to be followed.

Source of facts: PostgreSQL manual, "Logical Decoding", "Logical Replication" (Restrictions, Security), "Replication"
settings, "pg_replication_slots", "Failover"; release notes 16 (decoding on standbys), 17 (failover slots) and 18
(generated columns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import psycopg

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.literals import string
from mainstem.connectors.postgres.look import REMEDIES, Look
from mainstem.connectors.postgres.publication import ROOTS, Member, filtered, inserts_only, members, narrowed
from mainstem.connectors.postgres.slot import identify, replication_connection
from mainstem.contract.inspector import Finding, doubtful, failing, worth_knowing
from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId, listed
from mainstem.model.plan import Severity

_DIALECT = PostgresDialect()
_SLOTS = 2  # the stream's, and one for a copy while that lasts
_SENDERS = 2
_SHORT_TIMEOUT_MS = 10_000
_SMALL_BYTES = 1 << 30
_OLD_S = 60
_OUTAGE_S = 3600  # that a stream should outlast
_MEASURED_S = 600  # counters that are younger say nothing about a rate
_KEEPS = 130_000  # no more log for a slot than max_slot_wal_keep_size
_STREAMING, _ON_STANDBYS, _FAILOVER, _GENERATED = 140_000, 160_000, 170_000, 180_000
_REPLICATES = (
    "SELECT rolreplication OR rolsuper OR coalesce((SELECT pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')"
    " FROM pg_catalog.pg_roles r WHERE r.rolname = 'rds_replication'), false)"
    " FROM pg_catalog.pg_roles WHERE rolname = current_user"
)
_SENDING = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender'"
_OWNED = "SELECT pg_catalog.pg_has_role(current_user, c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = %s"
_OWNERS = "SELECT DISTINCT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid = ANY(%s) ORDER BY 1"
_OLD = (
    "SELECT pid, extract(epoch FROM now() - xact_start)::bigint FROM pg_catalog.pg_stat_activity"
    " WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()"
    f" AND xact_start < now() - interval '{_OLD_S} seconds' ORDER BY xact_start"
)
_GENERATED_COLUMNS = (
    "SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = ANY(%s::oid[]) AND a.attgenerated = ANY(%s) AND NOT a.attisdropped ORDER BY 1"
)
_MEMORY = "SELECT setting::bigint / 1024 FROM pg_catalog.pg_settings WHERE name = 'logical_decoding_work_mem'"
_SPILLED = (
    "SELECT slot_name, spill_bytes / 1048576 FROM pg_catalog.pg_stat_replication_slots WHERE spill_bytes > 1048576"
    " ORDER BY spill_bytes DESC"
)
_KEPT_BYTES = (
    "SELECT pg_catalog.pg_size_bytes(nullif(pg_catalog.current_setting('max_slot_wal_keep_size', true), '-1'))"
)
_WAL_PER_SECOND = (
    "SELECT (wal_bytes / extract(epoch FROM now() - stats_reset))::float8 FROM pg_catalog.pg_stat_wal"
    f" WHERE stats_reset < now() - interval '{_MEASURED_S} seconds'"
)
_PHYSICAL = "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND active ORDER BY 1"
_BY_ROOT = "SELECT pubviaroot FROM pg_catalog.pg_publication WHERE pubname = %s"
_STANDBYS = (
    "SELECT count(*) FROM pg_catalog.pg_stat_replication r WHERE NOT EXISTS ("
    " SELECT FROM pg_catalog.pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be followed.

    Attributes:
        kind: pg_class.relkind.
    """

    id: TableId
    kind: str
    unlogged: bool


@dataclass(frozen=True, slots=True)
class LogLook:
    """What the checks work with."""

    look: Look
    settings: ConnectionSettings
    subjects: Sequence[Subject]
    members: Sequence[Member]

    @property
    def version(self) -> int:
        """The server's, as libpq numbers it."""
        return self.look.connection.info.server_version

    @property
    def standby(self) -> bool:
        """Whether the server follows another one."""
        return bool(self.look.value("SELECT pg_catalog.pg_is_in_recovery()"))


def checks(look: Look, settings: ConnectionSettings, subjects: Sequence[Subject]) -> Iterator[Finding]:
    """All findings, in the order of the checks."""
    given = look.options.changes.publication
    plain = [subject.id for subject in subjects if subject.kind in ("r", "p")]
    found = LogLook(look, settings, subjects, members(look.connection, plain, [given] if given else []))
    for check in _CHECKS:
        yield from check(found)


def _wal_level(it: LogLook) -> Iterator[Finding]:
    level = it.look.value("SHOW wal_level")
    if level != "logical":
        yield failing(
            "pg.wal_level",
            f"wal_level is {level}: the log does not hold what a row consists of",
            "ALTER SYSTEM SET wal_level = 'logical'; then restart the server (Amazon RDS: rds.logical_replication = 1)",
        )


def _slots(it: LogLook) -> Iterator[Finding]:
    limit = int(it.look.value("SHOW max_replication_slots"))
    free = limit - int(it.look.value("SELECT count(*) FROM pg_catalog.pg_replication_slots"))
    if free < _SLOTS:
        yield Finding(
            "pg.slots",
            Severity.ERROR if free < 1 else Severity.WARNING,
            f"the stream needs a replication slot, and two while it copies; of {limit}, {max(free, 0)} are free",
            f"drop slots that nobody reads, or ALTER SYSTEM SET max_replication_slots = {limit + _SLOTS}; then"
            " restart the server",
        )


def _walsenders(it: LogLook) -> Iterator[Finding]:
    limit = int(it.look.value("SHOW max_wal_senders"))
    free = limit - int(it.look.value(_SENDING))
    if free < _SENDERS:
        yield Finding(
            "pg.walsenders",
            Severity.ERROR if free < 1 else Severity.WARNING,
            f"the stream needs two connections that replicate while it copies, then one; of {limit}, {max(free, 0)} are"
            " free",
            f"ALTER SYSTEM SET max_wal_senders = {limit + _SENDERS}; then restart the server",
        )


def _role(it: LogLook) -> Iterator[Finding]:
    if not it.look.value(_REPLICATES):
        user = _DIALECT.quote(it.look.user)
        yield failing(
            "pg.role",
            f"{it.look.user} may not read the log",
            f"ALTER ROLE {user} REPLICATION (Amazon RDS: GRANT rds_replication TO {user})",
        )


def _pooler(it: LogLook) -> Iterator[Finding]:
    """A pooler, or pg_hba.conf, may let others through and not this. The last one, as its connection takes a place."""
    if not it.look.value(_REPLICATES):
        return
    try:
        with closing(replication_connection(it.settings)) as connection:
            identify(connection)
    except (ConnectError, psycopg.Error) as exc:
        if isinstance(exc, ConnectError) and exc.reason is ConnectReason.TLS:
            raise
        told = exc.message if isinstance(exc, ConnectError) else "it does not know IDENTIFY_SYSTEM"
        yield failing(
            "pg.pooler",
            f"the server, or a pooler before it, takes no connection that replicates: {told}",
            "connect to the server itself and not to its pooler; see that pg_hba.conf and max_wal_senders allow it",
        )


def _pub_owner(it: LogLook) -> Iterator[Finding]:
    name = it.look.options.changes.publication
    if name and it.look.value("SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = %s", name):
        yield from _given(it, name)
        return
    if it.look.value("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"):
        return
    user = _DIALECT.quote(it.look.user)
    if not it.look.value("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"):
        database = _DIALECT.quote(it.look.connection.info.dbname)
        yield failing(
            "pg.pub_owner",
            f"{it.look.user} may not make a publication",
            f"GRANT CREATE ON DATABASE {database} TO {user}, or name a publication that is there (publicationName)",
        )
    others = [member for member in it.members if not it.look.value(_OWNED, member.oid)]
    if others:
        owners = [str(name) for (name,) in it.look.rows(_OWNERS, [member.oid for member in others])]
        yield failing(
            "pg.pub_owner",
            f"{it.look.user} does not own {listed([member.id for member in others])}, and so may not publish their"
            " changes",
            f"GRANT {', '.join(map(_DIALECT.quote, owners))} TO {user}, or name a publication of their owner's"
            " (publicationName)",
        )


def _given(it: LogLook, name: str) -> Iterator[Finding]:
    """Of a publication of the user's own."""
    lacking = [member.id for member in it.members if not member.published]
    roots = [member.id for member in it.members if not member.published and member.kind == "p"]
    if roots and it.version >= ROOTS and not it.look.value(_BY_ROOT, name):
        yield failing(
            "pg.pub_owner",
            f"the publication {name} tells of partitions by their own names, not as {listed(roots)}",
            f"ALTER PUBLICATION {_DIALECT.quote(name)} SET (publish_via_partition_root = true)",
        )
    elif lacking:
        yield failing(
            "pg.pub_owner",
            f"the publication {name} does not have {listed(lacking)}",
            f"ALTER PUBLICATION {_DIALECT.quote(name)} ADD TABLE"
            f" {', '.join(_DIALECT.qualified(id_) for id_ in lacking[:REMEDIES])}",
        )
    partly = filtered(it.look.connection, name, [member.id for member in it.members])
    if partly:
        yield failing(
            "pg.pub_owner",
            f"the publication {name} tells only of some rows of {listed(partly)}, and all would be copied",
            f"ALTER PUBLICATION {_DIALECT.quote(name)} SET TABLE … without WHERE",
        )
    yield from _columns_left_out(it, name)


def _columns_left_out(it: LogLook, name: str) -> Iterator[Finding]:
    """They would be copied, and stay as the copy had them."""
    publication = _DIALECT.quote(name)
    for table, columns in narrowed(it.look.connection, name, [member.id for member in it.members]).items():
        spelled = (str(table), table.name)
        chosen = [item for item in it.look.options.tables if item.name in spelled]
        excluded = {column for item in chosen for column in item.exclude_columns}
        only = {column for item in chosen for column in item.columns}
        beside = {*it.look.options.exclude_columns}
        lacking = [
            column
            for column in columns
            if column not in excluded
            and (not only or column in only)
            and beside.isdisjoint(f"{key}.{column}" for key in spelled)
        ]
        if lacking:
            at = _DIALECT.qualified(table)
            yield failing(
                "pg.pub_owner",
                f"the publication {name} leaves out columns of {table}: {listed(lacking)}",
                f"ALTER PUBLICATION {publication} DROP TABLE {at}; ALTER PUBLICATION {publication} ADD TABLE {at} (or"
                " excludeColumns)",
            )


def _replica_identity(it: LogLook) -> Iterator[Finding]:
    changes = it.look.options.changes
    lacking = [id_ for member in it.members if not inserts_only(changes, member.id) for id_ in member.unclear]
    if lacking:
        yield failing(
            "pg.replica_identity",
            f"UPDATE and DELETE in {listed([str(id_) for id_ in lacking])} would not say which row they are about, and"
            " would fail once they are published: there is no primary key that is checked at once, or the replica"
            " identity is another one (each partition has its own)",
            f"{'; '.join(f'ALTER TABLE {_DIALECT.qualified(id_)} REPLICA IDENTITY FULL' for id_ in lacking[:REMEDIES])}"
            " (or a primary key), or have only inserts applied (operations)",
        )
    indexed = [member.id for member in it.members if member.identity == "i" and member.identified]
    for id_ in indexed:
        if not it.look.value(_KEY_IN_IDENTITY, id_.schema, id_.name):
            yield failing(
                "pg.replica_identity",
                f"the replica identity of {id_} is an index that does not hold its primary key",
                f"ALTER TABLE {_DIALECT.qualified(id_)} REPLICA IDENTITY DEFAULT (FULL, if it has no primary key)",
            )


_KEY_IN_IDENTITY = """
SELECT coalesce((SELECT string_to_array(p.indkey::text, ' ') <@ string_to_array(i.indkey::text, ' ')
    FROM pg_catalog.pg_index p WHERE p.indrelid = c.oid AND p.indisprimary), false)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisreplident WHERE n.nspname = %s AND c.relname = %s
"""


def _table_kinds(it: LogLook) -> Iterator[Finding]:
    others = [str(subject.id) for subject in it.subjects if subject.kind not in ("r", "p") or subject.unlogged]
    others += [f"{member.id} ({name})" for member in it.members for name in member.untold]
    unlogged = [_DIALECT.qualified(subject.id) for subject in it.subjects if subject.unlogged]
    if others:
        logged = "; ".join(f"ALTER TABLE {name} SET LOGGED" for name in unlogged[:REMEDIES])
        yield failing(
            "pg.table_kinds",
            f"the log does not tell of {listed(others)}: views, foreign and unlogged tables cannot be followed",
            f"leave them out, or {logged}" if logged else "leave them out (exclude)",
        )


def _partitions(it: LogLook) -> Iterator[Finding]:
    roots = [str(member.id) for member in it.members if member.kind == "p"]
    if roots and it.version < ROOTS:
        yield failing(
            "pg.partitions",
            f"PostgreSQL {it.version // 10_000} does not publish partitioned tables: {listed(roots)} are not followed",
            "leave them out, or use PostgreSQL 13 or newer",
        )
    elif roots:
        yield worth_knowing(
            "pg.partitions",
            f"{listed(roots)} are followed as a whole: that a single partition is truncated, detached or dropped, or"
            " attached with rows, is not told; a new one of a table without a primary key needs REPLICA IDENTITY FULL"
            " of its own",
            "DELETE or INSERT the rows instead, or copy the table anew afterwards (mainstem resync)",
        )


def _slot_keep_size(it: LogLook) -> Iterator[Finding]:
    size = it.look.value(_KEPT_BYTES)
    if size is None:
        yield worth_knowing(
            "pg.slot_keep_size",
            "the server keeps its log for a stream that stands still until the disk is full"
            + (" (max_slot_wal_keep_size is -1)" if it.version >= _KEEPS else ""),
            "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf() (what the disk can spare: then"
            " the stream is lost first)"
            if it.version >= _KEEPS
            else "watch the disk, and drop the slot of a stream that does not go on (PostgreSQL 13 does so by itself)",
        )
    elif size < _SMALL_BYTES:
        yield doubtful(
            "pg.slot_keep_size",
            f"a stream that is {size // (1 << 20)} MiB of log behind is lost (max_slot_wal_keep_size)",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf() (more than is written while a"
            " copy or an outage lasts)",
        )


def _slot_idle(it: LogLook) -> Iterator[Finding]:
    """From PostgreSQL 18 on."""
    timeout = it.look.value("SELECT pg_catalog.current_setting('idle_replication_slot_timeout', true)")
    if timeout not in (None, "0"):
        yield doubtful(
            "pg.slot_idle",
            f"a stream that is paused or down for {timeout} is lost (idle_replication_slot_timeout)",
            "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf() (or more than the longest"
            " outage)",
        )


def _disk_eta(it: LogLook) -> Iterator[Finding]:
    """By the log that the server has written since its counters began; how much disk is free it does not tell."""
    rate = it.look.value(_WAL_PER_SECOND) if it.version >= _STREAMING else None
    if not rate:
        return
    limit = it.look.value(_KEPT_BYTES)
    if limit is None:
        yield worth_knowing(
            "pg.disk_eta",
            f"the server writes {rate * _OUTAGE_S / (1 << 20):,.0f} MiB of log an hour, by its counters: so much more"
            " of its disk is used for each hour that the stream stands still",
            "see that the disk has room for the longest outage",
        )
    elif limit / rate < _OUTAGE_S:
        yield doubtful(
            "pg.disk_eta",
            f"the server writes {rate * _OUTAGE_S / (1 << 20):,.0f} MiB of log an hour, by its counters: a stream that"
            f" stands still for {limit / rate / 60:,.0f} min is lost (max_slot_wal_keep_size)",
            f"ALTER SYSTEM SET max_slot_wal_keep_size = '{max(rate * _OUTAGE_S * 2 / (1 << 20), 1):.0f}MB';"
            " SELECT pg_reload_conf() (or more, if the disk can spare it)",
        )


def _decoding_mem(it: LogLook) -> Iterator[Finding]:
    remedy = (
        "ALTER SYSTEM SET logical_decoding_work_mem = '256MB'; SELECT pg_reload_conf() (more than most transactions"
        " write)"
    )
    if it.version < _STREAMING:
        memory = it.look.value(_MEMORY)
        yield worth_knowing(
            "pg.decoding_mem",
            f"PostgreSQL {it.version // 10_000} sends a transaction only once it has ended, and writes large ones"
            f" ({f'{memory} MiB, logical_decoding_work_mem' if memory else '4096 rows'}) to its disk until then",
            remedy if memory else "PostgreSQL 14 sends them while they are under way",
        )
        return
    spilled = it.look.rows(_SPILLED)
    if spilled:
        told = listed([f"{slot} ({size:,} MiB)" for slot, size in spilled])
        yield worth_knowing(
            "pg.decoding_mem",
            f"the server has written transactions that were under way to its disk, for the readers of these slots:"
            f" {told}",
            remedy,
        )


def _sender_timeout(it: LogLook) -> Iterator[Finding]:
    timeout = int(it.look.value("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'"))
    if 0 < timeout < _SHORT_TIMEOUT_MS:
        yield doubtful(
            "pg.sender_timeout",
            f"the server ends a stream that is silent for {timeout} ms (wal_sender_timeout)",
            "ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf()",
        )


def _prepared(it: LogLook) -> Iterator[Finding]:
    waiting = it.look.rows("SELECT gid, database FROM pg_catalog.pg_prepared_xacts ORDER BY prepared")
    if waiting:
        ends = [f"COMMIT PREPARED {string(gid)} (in database {database})" for gid, database in waiting[:REMEDIES]]
        yield doubtful(
            "pg.prepared_xacts",
            f"a replication slot can be made only when these prepared transactions have ended:"
            f" {listed([gid for gid, _ in waiting])}",
            f"{'; '.join(ends)}, or ROLLBACK PREPARED",
        )


def _long_xmin(it: LogLook) -> Iterator[Finding]:
    old = it.look.rows(_OLD)
    if old:
        told = listed([f"{pid} ({seconds} s)" for pid, seconds in old])
        yield doubtful(
            "pg.long_xmin",
            f"a replication slot can be made only when the transactions of these processes have ended: {told}",
            f"SELECT {', '.join(f'pg_terminate_backend({pid})' for pid, _ in old[:REMEDIES])}",
        )


def _generated_cols(it: LogLook) -> Iterator[Finding]:
    kinds = ["v"] if it.version >= _GENERATED else ["s", "v"]
    oids = [member.oid for member in it.members]
    names = [str(row[0]) for row in it.look.rows(_GENERATED_COLUMNS, oids, kinds)]
    if names:
        yield worth_knowing(
            "pg.generated_cols",
            f"the log does not hold generated columns: {listed(names)}; a target that does not compute them itself"
            " cannot have them",
            "leave them out (excludeColumns) where the plan copies their values",
        )


def _failover(it: LogLook) -> Iterator[Finding]:
    if it.standby or not it.look.value(_STANDBYS):
        return
    if it.version < _FAILOVER:
        yield doubtful(
            "pg.failover_slot",
            f"the server has standbys, and PostgreSQL {it.version // 10_000} does not copy slots to them: after a"
            " failover the stream's position is lost",
            "after a failover copy the tables anew (snapshot always); PostgreSQL 17 can keep the slot",
        )
    elif not it.look.value("SHOW synchronized_standby_slots"):
        held = ", ".join(str(name) for (name,) in it.look.rows(_PHYSICAL)) or "the standby's slot (primary_slot_name)"
        yield doubtful(
            "pg.failover_slot",
            "the server has standbys; the stream's slot may go with a failover, but synchronized_standby_slots is"
            " empty: the stream may then be ahead of the standby",
            f"ALTER SYSTEM SET synchronized_standby_slots = {string(held)}; SELECT pg_reload_conf() (and at the standby"
            " sync_replication_slots = on, hot_standby_feedback = on, primary_slot_name, and a dbname in"
            " primary_conninfo)",
        )


def _standby_source(it: LogLook) -> Iterator[Finding]:
    if not it.standby:
        return
    if it.version < _ON_STANDBYS:
        yield failing(
            "pg.standby_source",
            f"the server is a standby, and PostgreSQL {it.version // 10_000} cannot decode its log there",
            "connect to the primary server",
        )
    elif not it.look.options.changes.publication:
        yield failing(
            "pg.standby_source",
            "the server is a standby, where no publication can be made",
            "make one at the primary and name it (publicationName), or connect to the primary",
        )
    else:
        yield doubtful(
            "pg.standby_source",
            "the server is a standby: a slot is made only once the primary has logged its running transactions, and is"
            " lost when the primary removes rows that it needs",
            "SELECT pg_log_standby_snapshot() at the primary while the stream starts; hot_standby_feedback = on here",
        )


_CHECKS: tuple[Callable[[LogLook], Iterator[Finding]], ...] = (
    _wal_level, _role, _slots, _walsenders, _pub_owner, _replica_identity, _table_kinds, _partitions,
    _slot_keep_size, _slot_idle, _disk_eta, _decoding_mem, _sender_timeout, _prepared, _long_xmin, _generated_cols,
    _failover, _standby_source, _pooler,
)  # fmt: skip
