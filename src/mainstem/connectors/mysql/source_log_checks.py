"""Named checks of a MySQL or MariaDB server whose binary log is to be followed.

Source of facts: MySQL manual, "Binary Logging Options and Variables", "Replication and Binary Logging Options",
"Privileges Provided by MySQL"; MariaDB manual, "Replication and Binary Log System Variables", "GTID".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pymysql

from mainstem.connectors.mysql.charsets import AS_IS
from mainstem.connectors.mysql.rights import WHO, account
from mainstem.connectors.mysql.source_log_gaps import gaps
from mainstem.contract.inspector import Finding, doubtful, failing, worth_knowing
from mainstem.model.names import TableId, listed
from mainstem.model.run import RunOptions

_DAY_S = 86_400
_WIDE = 1 << 20
_SMALL_PACKET_BYTES = 64 << 20
_VARIABLES = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image',"
    " 'binlog_row_metadata', 'binlog_row_value_options', 'binlog_transaction_compression', 'log_bin_compress',"
    " 'gtid_mode', 'gtid_binlog_pos', 'server_id', 'max_allowed_packet', 'binlog_expire_logs_seconds',"
    " 'expire_logs_days', 'binlog_expire_logs_auto_purge', 'log_slave_updates', 'log_replica_updates',"
    " 'gtid_slave_pos', 'init_connect')"
)
_COLUMNS = (
    "SELECT table_name, column_name, character_set_name, extra FROM information_schema.columns"
    " WHERE table_schema = %s ORDER BY table_name, ordinal_position"
)
_VERSIONED = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'SYSTEM VERSIONED'"
)
_EFFECTS = (
    "SELECT DISTINCT table_name, unique_constraint_schema, referenced_table_name, delete_rule, update_rule"
    " FROM information_schema.referential_constraints WHERE constraint_schema = %s ORDER BY 1, 3"
)
_QUIET_RULES = frozenset({"RESTRICT", "NO ACTION"})
_READERS = ("SHOW REPLICAS", "SHOW SLAVE HOSTS")

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class LogLook:
    """What the checks work with.

    Attributes:
        rows: all rows of a query, with its arguments; raises the driver's errors.
        variables: global ones by lower-case name; those that the server does not have are missing.
        grants: the lines of SHOW GRANTS, in upper case.
        tables: those that are followed; ``keyless``: those of them without a key.
    """

    rows: Callable[..., Rows]
    mariadb: bool
    variables: Mapping[str, str]
    grants: Sequence[str]
    database: str
    tables: Sequence[str]
    keyless: Sequence[str]
    options: RunOptions

    def variable(self, name: str) -> str:
        """A variable's value in upper case; empty if there is none."""
        return self.variables.get(name, "").upper()

    def may(self, *rights: str) -> bool:
        """Whether one of these global rights was granted."""
        everywhere = [line.partition(" ON *.* ")[0] for line in self.grants if " ON *.* " in line]
        return any(right in line for line in everywhere for right in (*rights, "ALL PRIVILEGES"))

    @property
    def account(self) -> str:
        """Who is to be granted what is missing."""
        return account(self.rows(WHO))

    def columns(self) -> Rows:
        """Table, column, character set and extra of every column that is followed."""
        wanted = set(self.tables)
        return [row for row in self.rows(_COLUMNS, self.database) if row[0] in wanted]


def look(
    rows: Callable[..., Rows],
    database: str,
    tables: Sequence[str],
    keyless: Sequence[str],
    options: RunOptions,
    *,
    mariadb: bool,
) -> LogLook:
    """Ask what most checks need."""
    variables = {str(name).lower(): str(value) for name, value in rows(_VARIABLES)}
    grants = [str(text).upper() for (text,) in rows("SHOW GRANTS")]
    return LogLook(rows, mariadb, variables, grants, database, tables, keyless, options)


def checks(it: LogLook) -> Iterator[Finding]:
    """All findings, in the order of the checks; without a log the others are moot."""
    found = list(_log_bin(it))
    yield from found
    for check in () if found else _CHECKS:
        yield from check(it)


def _log_bin(it: LogLook) -> Iterator[Finding]:
    if it.variable("log_bin") in ("OFF", "0"):
        yield failing(
            "my.log_bin", "the server keeps no binary log",
            "set log_bin and server_id in the server's configuration and restart it (Amazon RDS: turn backups on)",
        )  # fmt: skip


def _format(it: LogLook) -> Iterator[Finding]:
    value = it.variable("binlog_format")
    if value not in ("ROW", ""):  # MySQL 9 may not have it any more
        yield failing(
            "my.binlog_format",
            f"binlog_format is {value}: changes are logged as statements, which cannot be replicated",
            "SET GLOBAL binlog_format = 'ROW' (and in the configuration), then have the writers connect anew",
        )


def _row_image(it: LogLook) -> Iterator[Finding]:
    value = it.variable("binlog_row_image")
    if value not in ("FULL", "FULL_NODUP", ""):
        yield doubtful(
            "my.row_image",
            f"binlog_row_image is {value}: what an update did not change is not in the log, so that a row that the"
            " target lacks cannot be made good; a new row without all of its columns stops its table",
            "SET GLOBAL binlog_row_image = 'FULL' (and in the configuration), then have the writers connect anew",
        )


def _row_metadata(it: LogLook) -> Iterator[Finding]:
    value = it.variable("binlog_row_metadata")
    if value and value != "FULL":
        yield worth_knowing(
            "my.row_metadata",
            f"binlog_row_metadata is {value}: rows of a table whose columns were changed twice while the stream was"
            " behind cannot be told apart by column names, and the table needs a new copy then",
            "SET GLOBAL binlog_row_metadata = 'FULL' (and in the configuration)",
        )


def _partial_json(it: LogLook) -> Iterator[Finding]:
    if "PARTIAL_JSON" in it.variable("binlog_row_value_options"):
        yield failing(
            "my.partial_json",
            "binlog_row_value_options has PARTIAL_JSON: the log holds parts of JSON documents, which are not applied",
            "SET GLOBAL binlog_row_value_options = '' (and in the configuration), then have the writers connect anew",
        )


def _compression(it: LogLook) -> Iterator[Finding]:
    if it.variable("binlog_transaction_compression") in ("ON", "1"):
        yield worth_knowing("my.tx_compression", "transactions are compressed in the log; they are read all the same")
    if it.variable("log_bin_compress") in ("ON", "1"):
        yield worth_knowing("maria.log_bin_compress", "events are compressed in the log; they are read all the same")


def _gtids(it: LogLook) -> Iterator[Finding]:
    if not it.mariadb and it.variable("gtid_mode") != "ON":
        yield doubtful(
            "my.gtid_mode",
            "gtid_mode is not ON: positions are of this very server, and a stream cannot go on at another one after a"
            " failover",
            "set gtid_mode and enforce_gtid_consistency to ON, if the server may be replaced by a replica",
        )
    domains = {gtid.split("-")[0] for gtid in it.variable("gtid_binlog_pos").split(",") if gtid.strip()}
    if it.mariadb and len(domains) > 1:
        yield worth_knowing(
            "maria.gtid_domain",
            f"the log holds transactions of {len(domains)} GTID domains; one that is written to at several servers at"
            " once has no order that another server would keep",
            "write to each domain (gtid_domain_id) at one server at a time",
        )


def _server_id(it: LogLook) -> Iterator[Finding]:
    own, ours = it.variable("server_id"), it.options.changes.server_id
    if own == "0":
        yield failing("my.server_id", "server_id is 0: the server takes no readers of its log", "give it a server_id")
        return
    if it.mariadb and own == "1":
        yield worth_knowing(
            "my.server_uuid",
            "the server is told apart from others by its server_id, which is 1, as that of any server that was given"
            " none",
            "give each server of a replication a server_id of its own",
        )
    if not ours:
        return
    readers: set[str] = set()
    for question in _READERS:
        with suppress(pymysql.Error):  # another server's spelling, or no right
            readers = {str(row[0]) for row in it.rows(question)}
            break
    if str(ours) == own:
        yield failing("my.server_id", f"server id {ours} is the server's own", "choose another one, or none")
    elif str(ours) in readers:
        yield doubtful(
            "my.server_id",
            f"server id {ours} is that of a reader of the log; if it is not this stream itself a moment ago, one of the"
            " two will be thrown out again and again",
            "choose another server id for the stream, or none",
        )


def _retention(it: LogLook) -> Iterator[Finding]:
    if it.variable("binlog_expire_logs_auto_purge") in ("OFF", "0"):
        return
    seconds = float(it.variable("binlog_expire_logs_seconds") or 0)
    seconds = seconds or float(it.variable("expire_logs_days") or 0) * _DAY_S
    if 0 < seconds < _DAY_S:
        yield doubtful(
            "my.retention",
            f"the server throws its log away after {seconds / 3600:.1f} hours: a stream that is down for longer, or a"
            " first copy that takes longer, loses its position",
            "SET GLOBAL binlog_expire_logs_seconds = 604800 (Amazon RDS: mysql.rds_set_configuration('binlog retention"
            " hours', 168))",
        )


def _grants(it: LogLook) -> Iterator[Finding]:
    roles = any(line.startswith("GRANT ") and " ON " not in line for line in it.grants)
    make = doubtful if roles else failing  # what a role may do is not in these lines
    if not it.may("REPLICATION SLAVE", "REPLICATION REPLICA"):
        yield make("my.grants", "the user may not read the server's log",
                   f"GRANT REPLICATION SLAVE ON *.* TO {it.account}")  # fmt: skip
    if not it.may("REPLICATION CLIENT", "BINLOG MONITOR", "SUPER"):
        right = "BINLOG MONITOR" if it.mariadb else "REPLICATION CLIENT"
        yield make("my.grants", "the user may not ask where the server's log ends",
                   f"GRANT {right} ON *.* TO {it.account}")  # fmt: skip
    if not it.mariadb and not it.may("RELOAD", "FLUSH_TABLES"):
        yield make("my.grants", "the user may not take the lock that tells a copy's place in the log",
                   f"GRANT RELOAD ON *.* TO {it.account}")  # fmt: skip


def _packet(it: LogLook) -> Iterator[Finding]:
    size = int(it.variable("max_allowed_packet") or _SMALL_PACKET_BYTES)
    if size >= _SMALL_PACKET_BYTES:
        return
    asked = sorted({str(charset) for _, _, charset, _ in it.columns() if charset and charset not in AS_IS})
    longest: dict[str, int] = {}
    if asked:
        longest = dict(it.rows("SELECT character_set_name, maxlen FROM information_schema.character_sets"))
    many = [charset for charset in asked if int(longest.get(charset) or 1) > 1]
    if many:
        yield doubtful(
            "my.packet",
            f"max_allowed_packet is {size // _WIDE} MiB: text of {', '.join(many)} that is longer than a third of that"
            " cannot be converted, which the server is asked to do",
            "SET GLOBAL max_allowed_packet = 67108864",
        )


def _gaps(it: LogLook) -> Iterator[Finding]:
    return gaps(it.rows, it.database, it.variables, it.tables)


def _no_key(it: LogLook) -> Iterator[Finding]:
    if it.keyless:
        yield doubtful(
            "my.no_pk",
            f"{_listed(it, it.keyless)}: without a primary key, an updated or deleted row is looked for by all of its"
            " columns, which takes long where there are many",
            "add a primary key",
        )


def _special_columns(it: LogLook) -> Iterator[Finding]:
    versioned = sorted({str(name) for (name,) in it.rows(_VERSIONED, it.database)} & set(it.tables))
    if versioned:
        yield failing(
            "my.special_cols",
            f"{_listed(it, versioned)}: the log of a system-versioned table has rows of its history among the others",
            "leave such tables out (exclude), or copy them once in mode convert",
        )
    hidden = [f"{table}.{column}" for table, column, _, extra in it.columns() if "INVISIBLE" in str(extra).upper()]
    if hidden:
        yield worth_knowing("my.special_cols", f"{_listed(it, hidden)}: invisible columns are replicated like others")


def _xa(it: LogLook) -> Iterator[Finding]:
    prepared: Rows = []
    with suppress(pymysql.Error):  # a right that MySQL 8 asks for
        prepared = it.rows("XA RECOVER")
    if prepared:
        yield doubtful(
            "my.xa",
            f"{len(prepared)} XA transactions are prepared: a stream that begins now does not see what they wrote, and"
            " stops when one of them is committed",
            "XA COMMIT or XA ROLLBACK them (XA RECOVER lists them), then start",
        )


def _effects(it: LogLook) -> Iterator[Finding]:
    """Rows that InnoDB's foreign keys change are not in the log: the target's own keys have to change them."""
    tables = set(it.tables)
    told: dict[bool, list[str]] = {True: [], False: []}
    for child, schema, parent, *rules in it.rows(_EFFECTS, it.database):
        if child in tables and set(rules) - _QUIET_RULES:
            told[schema == it.database and parent in tables].append(child)
    lost, carried = (list(dict.fromkeys(told[followed])) for followed in (False, True))
    what = "rows that ON DELETE or ON UPDATE of a foreign key changes are not in the log"
    if lost:
        yield doubtful(
            "my.fk_effects", f"{_listed(it, lost)}: {what}, and the tables that these refer to are not replicated",
            "replicate those tables too, or change such rows by statements of their own",
        )  # fmt: skip
    if carried and not it.options.structure.foreign_keys:
        yield doubtful(
            "my.fk_effects", f"{_listed(it, carried)}: {what}, and the target gets no foreign keys that would do it",
            "have foreign keys made, or make them there by hand",
        )  # fmt: skip
    elif carried:
        yield worth_knowing(
            "my.fk_effects", f"{_listed(it, carried)}: {what}; the target's own foreign keys do it again there",
            "see that tables which the target has already have the same foreign keys",
        )  # fmt: skip


def _listed(it: LogLook, names: Sequence[str]) -> str:
    return listed([TableId(it.database, name) for name in names])


_CHECKS: tuple[Callable[[LogLook], Iterator[Finding]], ...] = (
    _format, _row_image, _row_metadata, _partial_json, _compression, _gtids, _server_id, _retention, _grants, _packet,
    _gaps, _no_key, _special_columns, _effects, _xa,
)  # fmt: skip
